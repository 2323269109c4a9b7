"""WhatsApp templates through Twilio's Content API, with Twilio's SDK: created, found, reviewed and deleted.

https://www.twilio.com/docs/content. The SDK has no base URL and no timeout, and it drops an error's headers: so it is
given a road of ours, which leads where the settings say and reads refusals as the messenger does.
"""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests
from django.conf import settings
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from twilio.rest.content.v1.content import ContentList
from twilio.rest.content.v1.content.approval_create import ApprovalCreateList
from urllib3.exceptions import MaxRetryError, NewConnectionError

from providers.answers import garbled, is_success, json_object, not_sent, plain
from providers.base import Accepted, ApprovalState, Outcome, Refused, Unknown, Unreachable
from providers.http import Answer
from providers.twilio.answers import refused_or_unknown, word

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twilio.http.response import Response

    from providers.base import Credentials

OFFICIAL = "https://content.twilio.com"
PAGE_SIZE = 1000
MOST_PAGES = 50
_GONE = "20404"
_CONTENT_SID = re.compile(r"HX[0-9a-fA-F]{32}")
# The SDK tells every header of every call at INFO.
_log = logging.getLogger("providers.twilio.sdk")
_log.setLevel(logging.WARNING)


class _NotDone(Exception):  # noqa: N818  (carries an outcome out of the SDK)
    def __init__(self, outcome: Refused | Unknown) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class _Road(TwilioHttpClient):
    """The SDK's way to `content_url`. Answers that are not a success end in `_NotDone`, as do unreadable ones."""

    def __init__(self, content_url: str, timeout: float) -> None:
        super().__init__(timeout=timeout, max_retries=0, logger=_log)
        self.session: requests.Session
        # No proxy or .netrc from the environment: the messenger knows none either.
        self.session.trust_env = False
        self._content_url = content_url.rstrip("/")

    # The SDK's two base classes name the second parameter differently; it passes it by position.
    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]
        try:
            response = super().request(method, self._leads_to(url), *args, **kwargs)
        except requests.RequestException as error:
            raise _NotDone(not_sent(error) if _before_it_left(error) else Unknown(plain(error))) from None
        answer = Answer(response.status_code, response.headers or {}, response.text.encode())
        if not is_success(answer):
            raise _NotDone(refused_or_unknown(answer))
        if answer.status != HTTPStatus.NO_CONTENT and json_object(answer.body) is None:
            raise _NotDone(garbled(answer))
        return response

    def _leads_to(self, url: str) -> str:
        # Pages name the host they are on. The credentials go nowhere else.
        for known in (OFFICIAL, self._content_url):
            if url.startswith(f"{known}/"):
                return self._content_url + url.removeprefix(known)
        raise _NotDone(Unknown(plain(f"led elsewhere: {url!r}")))


def _before_it_left(error: requests.RequestException) -> bool:
    cause = error.args[0] if error.args else None
    refused = isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)
    return refused or isinstance(error, requests.ConnectTimeout)


class TwilioTemplates:
    """A TemplateReviewer for the account of `credentials`."""

    def __init__(self, credentials: Credentials, *, content_url: str, timeout: float) -> None:
        self._client = Client(
            credentials.account_id,
            credentials.secret,
            http_client=_Road(content_url, timeout),
            # An empty one would be taken for none, and the process's own would choose another host.
            environment={"TWILIO_REGION": ""},
        )

    @classmethod
    def from_settings(cls, credentials: Credentials) -> TwilioTemplates:
        return cls(credentials, content_url=settings.TWILIO_CONTENT_URL, timeout=settings.TWILIO_TIMEOUT_SECONDS)

    def create_content(
        self, friendly_name: str, language: str, variables: Mapping[str, str], types: Mapping[str, Any]
    ) -> Outcome:
        """POST /v1/Content. `types` in wire names: {"twilio/text": {"body": …}}.

        ValueError for a type or field that the SDK does not know: it would silently leave it out.
        """
        document = ContentList.ContentCreateRequest(
            {"friendly_name": friendly_name, "language": language, "variables": dict(variables), "types": dict(types)}
        )
        kept = self._client.copy_non_none_values(document.to_dict())["types"]
        if kept != self._client.copy_non_none_values(dict(types)):
            raise ValueError(f"Twilio's SDK would not send all of {dict(types)!r}, only {kept!r}")
        try:
            content = self._client.content.v1.contents.create(document)
        except _NotDone as failure:
            return failure.outcome
        if not isinstance(content.sid, str) or not _CONTENT_SID.fullmatch(content.sid):
            return Unknown(plain(f"a template with the SID {content.sid!r}"))
        return Accepted(provider_id=content.sid, status="unsubmitted")

    def find_content(self, friendly_name: str) -> str | None:
        """GET /v1/Content, page after page, until one has this name."""
        try:
            for content in self._contents():
                sid = content.get("sid")
                if content.get("friendly_name") == friendly_name and _CONTENT_SID.fullmatch(str(sid)):
                    return str(sid)
        except _NotDone as failure:
            raise _unreachable(failure.outcome) from None
        return None

    def request_approval(self, sid: str, name: str, category: str) -> Outcome:
        """POST …/ApprovalRequests/whatsapp. `category` is UTILITY, MARKETING or AUTHENTICATION."""
        document = ApprovalCreateList.ContentApprovalRequest({"name": name, "category": category})
        try:
            review = self._client.content.v1.contents(sid).approval_create.create(document)
        except _NotDone as failure:
            return failure.outcome
        status = word(review.status)
        if status is None or review.name != name:
            return Unknown(plain(f"a review of {review.name!r} with the status {review.status!r}"))
        return Accepted(provider_id=sid, status=status)

    def approval(self, sid: str) -> ApprovalState:
        """GET …/ApprovalRequests. A template that was never submitted is `unsubmitted`."""
        try:
            review: Any = self._client.content.v1.contents(sid).approval_fetch().fetch().whatsapp
        except _NotDone as failure:
            raise _unreachable(failure.outcome) from None
        status = word(review.get("status")) if isinstance(review, dict) else None
        if status is None:
            raise Unreachable(plain(f"a review that says {review!r}"))
        return ApprovalState(
            status=status,
            rejection_reason=plain(review.get("rejection_reason") or ""),
            category=plain(review.get("category") or ""),
        )

    def delete_content(self, sid: str) -> Outcome:
        """DELETE /v1/Content/{sid}."""
        try:
            self._client.content.v1.contents(sid).delete()
        except _NotDone as failure:
            if not isinstance(failure.outcome, Refused) or failure.outcome.code != _GONE:
                return failure.outcome
        return Accepted(provider_id=sid, status="deleted")

    def _contents(self) -> Iterator[dict[str, Any]]:
        url: Any = f"{OFFICIAL}/v1/Content?PageSize={PAGE_SIZE}"
        for _ in range(MOST_PAGES):
            page = json_object(self._client.request("GET", url).text.encode()) or {}
            contents, meta = page.get("contents"), page.get("meta")
            if not isinstance(contents, list) or not isinstance(meta, dict):
                raise _NotDone(Unknown(plain(f"a list that says {page!r}")))
            yield from (each for each in contents if isinstance(each, dict))
            url = meta.get("next_page_url")
            if not url:
                return
        raise _NotDone(Unknown(f"more than {MOST_PAGES} pages"))


def _unreachable(outcome: Refused | Unknown) -> Unreachable:
    if isinstance(outcome, Refused):
        return Unreachable(outcome.message, outcome)
    return Unreachable(outcome.detail)
