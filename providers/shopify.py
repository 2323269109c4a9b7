"""Shopify's discount codes by its GraphQL Admin API (2026-10): one discount a campaign, its codes 250 a call.

https://shopify.dev/docs/api/admin-graphql/2026-10. Adding codes only begins a creation, which is asked about until it
is done. A success may hold refusals: HTTP 200 with `errors` or `userErrors`. A shop's code belongs to one discount, so
that a code that is there is never made twice.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from providers.answers import garbled, json_object, not_sent, plain
from providers.base import Accepted, Outcome, Refused, Unknown, Unreachable
from providers.http import NoAnswer, NotSent, Pool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from providers.http import Answer

VERSION = "2026-10"
TARGET = f"/admin/api/{VERSION}/graphql.json"
MOST_CODES = 250

CREATE = """
mutation make($discount: DiscountCodeBasicInput!) {
  discountCodeBasicCreate(basicCodeDiscount: $discount) {
    codeDiscountNode { id } userErrors { field message code }
  }
}"""
ADD = """
mutation add($id: ID!, $codes: [DiscountRedeemCodeInput!]!) {
  discountRedeemCodeBulkAdd(discountId: $id, codes: $codes) {
    bulkCreation { id } userErrors { field message code }
  }
}"""
ASK = """
query ask($id: ID!) {
  discountRedeemCodeBulkCreation(id: $id) {
    done codesCount importedCount failedCount
    codes(first: 250) { nodes { code errors { message code } } }
  }
}"""
HOLDER = "{ id codeDiscount { ... on DiscountCodeBasic { title } } }"

# Whoever holds the token may not, or the shop does not answer anybody: nothing goes on until somebody mends that.
_SHUT = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.PAYMENT_REQUIRED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.LOCKED,
    }
)
_DENIED = frozenset({"ACCESS_DENIED", "SHOP_INACTIVE"})
_OURS_TO_WAIT = frozenset({"THROTTLED", "MAX_COST_EXCEEDED"})
_UNSURE = frozenset({"INTERNAL_SERVER_ERROR", "TIMEOUT", ""})


@dataclass(frozen=True, slots=True)
class Shop:
    """Whose codes: the name before `.myshopify.com`, and a token with the scope write_discounts."""

    name: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Creation:
    """How far adding codes is. `refused` says why by code; a code is there when it is done and not refused."""

    done: bool
    refused: dict[str, str]


class Shopify:
    """Talks to any shop at `url`, in which `{shop}` is its name; a call takes `timeout` seconds at most."""

    def __init__(self, url: str, *, timeout: float, connections: int) -> None:
        self._url, self._timeout, self._connections = url, timeout, connections
        self._pools: dict[str, Pool] = {}

    async def create(self, shop: Shop, discount: Mapping[str, Any]) -> Outcome:
        """Make a discount with its first code (`DiscountCodeBasicInput`). `Accepted.provider_id` is its id."""
        data = await self._ask(shop, CREATE, {"discount": dict(discount)})
        return _made(data, "discountCodeBasicCreate", "codeDiscountNode")

    async def add(self, shop: Shop, discount_id: str, codes: Sequence[str]) -> Outcome:
        """Begin to add up to 250 codes to a discount. `Accepted.provider_id` is the creation's, for `progress`."""
        data = await self._ask(shop, ADD, {"id": discount_id, "codes": [{"code": code} for code in codes]})
        return _made(data, "discountRedeemCodeBulkAdd", "bulkCreation")

    async def progress(self, shop: Shop, creation_id: str) -> Creation:
        """How far a creation is; may raise `Unreachable`."""
        said: Any = _sure(await self._ask(shop, ASK, {"id": creation_id})).get("discountRedeemCodeBulkCreation")
        try:
            refused = {
                node["code"]: plain(node["errors"][0]["message"]) for node in said["codes"]["nodes"] if node["errors"]
            }
            return Creation(done=said["done"] is True, refused=refused)
        except (KeyError, IndexError, TypeError):
            raise Unreachable(plain(f"a creation that says {said!r}")) from None

    async def holders(self, shop: Shop, codes: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Id and title of the discount that each code belongs to, of those that are there; may raise `Unreachable`."""
        names = ", ".join(f"$c{n}: String!" for n in range(len(codes)))
        asked = " ".join(f"c{n}: codeDiscountNodeByCode(code: $c{n}) {HOLDER}" for n in range(len(codes)))
        variables = {f"c{n}": code for n, code in enumerate(codes)}
        data = _sure(await self._ask(shop, f"query find({names}) {{ {asked} }}", variables))
        try:
            found = {code: data[f"c{n}"] for n, code in enumerate(codes)}
            return {
                code: (str(each["id"]), str(each["codeDiscount"].get("title")))
                for code, each in found.items()
                if each is not None
            }
        except (KeyError, TypeError, AttributeError):
            raise Unreachable(plain(f"codes that say {data!r}")) from None

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        for pool in self._pools.values():
            await pool.close()

    async def _ask(self, shop: Shop, query: str, variables: Mapping[str, Any]) -> dict[str, Any] | Refused | Unknown:
        """The answer's data; anything else is an outcome."""
        pool = self._pools.get(shop.name)
        if pool is None:
            url = self._url.format(shop=shop.name)
            headers = {"User-Agent": "campaigns", "Content-Type": "application/json"}
            pool = Pool(url, limit=self._connections, timeout=self._timeout, headers=headers)
            self._pools[shop.name] = pool
        body = json.dumps({"query": query, "variables": dict(variables)}).encode()
        try:
            answer = await pool.request("POST", TARGET, headers={"X-Shopify-Access-Token": shop.token}, body=body)
        except NotSent as error:
            return not_sent(error)
        except NoAnswer as error:
            return Unknown(plain(error))
        return _read(answer)


def _read(answer: Answer) -> dict[str, Any] | Refused | Unknown:
    if answer.status in _SHUT:
        return Refused(str(answer.status), "The shop does not let us in.", retry=True, effect="pause_connection")
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Refused("429", "", retry=True, retry_after=answer.retry_after, effect="slower")
    document = json_object(answer.body)
    if answer.status != HTTPStatus.OK or document is None:
        return garbled(answer)
    if document.get("errors"):
        return _refusal(document)
    data = document.get("data")
    return data if isinstance(data, dict) else garbled(answer)


def _refusal(document: Mapping[str, Any]) -> Refused | Unknown:
    """What `errors` mean: nothing was done, but where the shop itself is not sure."""
    errors = document["errors"]
    first = errors[0] if isinstance(errors, list) and isinstance(errors[0], dict) else {}
    extensions = first.get("extensions")
    code = plain(extensions.get("code") or "") if isinstance(extensions, dict) else ""
    message = plain(first.get("message") or errors)
    if code in _OURS_TO_WAIT:
        return Refused(code, message, retry=True, retry_after=_wait(document), effect="slower")
    if code in _DENIED:
        return Refused(code, message, retry=True, effect="pause_connection")
    return Unknown(message) if code in _UNSURE else Refused(code, message)


def _wait(document: Mapping[str, Any]) -> float:
    """Seconds until the bucket holds what the call costs."""
    try:
        cost = document["extensions"]["cost"]
        status = cost["throttleStatus"]
        missing = float(cost["requestedQueryCost"]) - float(status["currentlyAvailable"])
        return min(max(missing / float(status["restoreRate"]), 0.1), 60.0)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return 1.0


def _made(data: dict[str, Any] | Refused | Unknown, mutation: str, what: str) -> Outcome:
    """The id of what a mutation made, or why not."""
    if not isinstance(data, dict):
        return data
    said = data.get(mutation)
    try:
        if errors := said["userErrors"]:  # type: ignore[index]  # that is what is tried
            return Refused(plain(errors[0].get("code") or "user_error"), plain(errors[0]["message"]))
        return Accepted(provider_id=str(said[what]["id"]), status="created")  # type: ignore[index]
    except (KeyError, IndexError, TypeError, AttributeError):
        return Unknown(plain(f"{mutation} says {said!r}"))


def _sure(data: dict[str, Any] | Refused | Unknown) -> dict[str, Any]:
    """The data of a question; raises `Unreachable` for any other answer."""
    if isinstance(data, Refused):
        raise Unreachable(data.message, data)
    if isinstance(data, Unknown):
        raise Unreachable(data.detail)
    return data
