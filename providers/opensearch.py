"""OpenSearch (or Elasticsearch 7.10 on), by opensearch-py: one index behind an alias, fed by versions of our own.

No query of a user is parsed there: their words are terms. Sources: opensearch.org/docs › Bulk, Search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import NotFoundError, OpenSearchException

from providers.base import Unreachable
from providers.search_index import Document, Hits, Sought

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# There is something newer already.
_OUTDATED = 409


class OpenSearchIndex:
    """A `FedIndex`. `fields` gives the type of each field beside `account` and the id; `timeout` is in seconds."""

    name = "opensearch"

    def __init__(self, url: str, alias: str, fields: Mapping[str, str], *, timeout: float) -> None:
        self._client = OpenSearch(url, timeout=timeout, max_retries=0, retry_on_timeout=False)
        self._alias = alias
        self._mapping = {"account": "long", "id": "keyword", **fields}

    def search(self, sought: Sought) -> Hits:
        descending = sought.order.startswith("-")
        order = {"order": "desc" if descending else "asc", "missing": "_last"}
        body = {
            "query": {"bool": {"filter": list(_conditions(sought))}},
            "sort": [{sought.order.lstrip("-"): order}, {"id": "asc"}],
            "from": sought.offset,
            "size": sought.limit,
            "track_total_hits": True,
            "_source": False,
        }
        found = self._asked(lambda: self._client.search(index=self._alias, body=body))["hits"]
        return Hits([hit["_id"] for hit in found["hits"]], found["total"]["value"])

    def prepare(self) -> bool:
        if self._asked(lambda: self._client.indices.exists_alias(name=self._alias)):
            return False
        mapping = {"dynamic": "strict", "properties": {name: {"type": kind} for name, kind in self._mapping.items()}}
        body = {"mappings": mapping, "aliases": {self._alias: {}}}
        self._asked(lambda: self._client.indices.create(index=f"{self._alias}-v1", body=body))
        return True

    def put(self, documents: Sequence[Document]) -> None:
        lines = [line for document in documents for line in self._lines(document)]
        # Without the alias it would make an index of its own, with fields of its own.
        safely = {"refresh": "wait_for", "require_alias": "true"}
        answer = self._asked(lambda: self._client.bulk(body=lines, params=safely))
        outcomes = [outcome for item in answer["items"] for outcome in item.values()]
        # What is to go and was not there is no error.
        refused = [one for one in outcomes if "error" in one and one["status"] != _OUTDATED]
        if refused:
            raise Unreachable(f"{len(refused)} documents were not taken: {refused[0].get('error')}")

    def count(self) -> int:
        return int(self._asked(lambda: self._client.count(index=self._alias))["count"])

    def _lines(self, document: Document) -> Iterator[dict[str, Any]]:
        about = {
            "_index": self._alias,
            "_id": document.id,
            "version": document.version,
            "version_type": "external",
        }
        if document.fields is None:
            yield {"delete": about}
        else:
            yield {"index": about}
            yield {"id": document.id, **document.fields}

    def _asked(self, call: Any) -> Any:
        try:
            return call()
        except NotFoundError as missing:
            raise Unreachable("there is no such index") from missing
        except OpenSearchException as trouble:
            raise Unreachable(str(trouble)) from trouble


def _conditions(sought: Sought) -> Iterator[dict[str, Any]]:
    yield {"term": {"account": sought.account}}
    for name, values in sought.terms.items():
        yield {"terms": {name: list(values)}}
    for name, (since, until) in sought.ranges.items():
        bounds = {"gte": since, "lte": until}
        yield {"range": {name: {key: moment.isoformat() for key, moment in bounds.items() if moment}}}
    if sought.words or sought.named:
        begun = [{"bool": {"filter": [{"prefix": {"words": {"value": word}}} for word in sought.words]}}]
        named = [{"terms": {"id": list(sought.named)}}]
        yield {"bool": {"should": [*(begun if sought.words else []), *named], "minimum_should_match": 1}}
