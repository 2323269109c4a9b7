"""The providers' door: verified, stored, then acknowledged. Outside DRF, because bursts are the normal case.

200 `{}` when it is stored (or known), 401 whatever is wrong with a signature, 404 for an unknown provider, 413 before
anything is computed, 400 for what is genuine and no JSON, 503 when it could not be stored.
"""

from __future__ import annotations

import hmac
import json
import re
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import structlog
from django.conf import settings
from django.db import DatabaseError, connections
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from accounts.middleware import request_id_of
from campaigns_project.api.errors import json_answer
from campaigns_project.api.parsing import body_length
from campaigns_project.refusals import (
    Invalid,
    MethodNotAllowed,
    NotFound,
    Refusal,
    RequestTimeout,
    ServiceUnavailable,
    Unauthorized,
)
from crm.customers.feedback import ENDING
from crm.marketing.calling import callback_mac
from crm.models import DeliveryAttempt
from crm.webhooks_in import ingestion, payloads
from crm.webhooks_in.verifying import SECRET, Delivery, is_genuine
from dispatch import inbox, keyring, receiving
from dispatch.receiving import UNCOUNTED, Arrival

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dispatch.keyring import Keys
    from dispatch.models import WebhookConnection

log = structlog.get_logger(__name__)

PREFIX = "/api/v1/marketing/webhooks/"
JSON = "application/json"
_ADDRESS = re.compile(
    r"/(api/v1|v1/commerce)/marketing/webhooks/(?P<provider>[a-z]{1,30})(/(?P<token>[\w-]{22}))?/?", re.ASCII
)
# One for all, because it never differs and making it costs more than verifying.
TAKEN = HttpResponse(b"{}", content_type=JSON)
_TAKEN_HEADERS = [("Content-Type", JSON), ("Content-Length", "2")]
Application = Callable[..., Iterable[bytes]]
KEPT_HEADERS = (("Content-Type", "CONTENT_TYPE"), ("User-Agent", "HTTP_USER_AGENT"))
LONGEST_HEADER = 200


class Asked(NamedTuple):
    """What an error body tells of the request."""

    request_id: str


def address_of(connection: WebhookConnection, *, secret: str = "") -> str:
    """Where the provider delivers. Mailchimp's address carries its secret."""
    address = f"{settings.PUBLIC_BASE_URL}{PREFIX}{connection.provider}/{connection.token}"
    return f"{address}?{SECRET}={secret}" if secret and connection.provider == "mailchimp" else address


class Door:
    """WSGI middleware: what providers post is answered here, without what only people need on the way to a page."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        found = _ADDRESS.fullmatch(environ["PATH_INFO"]) if environ["REQUEST_METHOD"] == "POST" else None
        if found is None:
            return self._application(environ, start_response)
        request_id = request_id_of(environ)
        # `bound_contextvars` reads whatever else is bound, at three times the price.
        bound = structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            answer = answered(found["provider"], found["token"] or "", environ, environ["wsgi.input"].read, request_id)
        finally:
            structlog.contextvars.reset_contextvars(**bound)
        if answer is TAKEN:
            start_response("200 OK", [*_TAKEN_HEADERS, ("X-Request-ID", request_id)])
            return [TAKEN.content]
        if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            # Nobody else does it here: the next request gets a connection that works.
            connections.close_all()
        headers = [*answer.items(), ("X-Request-ID", request_id), ("Content-Length", str(len(answer.content)))]
        start_response(f"{answer.status_code} {answer.reason_phrase}", headers)
        return [answer.content]


@csrf_exempt
def receive(request: HttpRequest, provider: str) -> HttpResponse:
    """POST /webhooks/{provider}: the account is the one whose secret verifies."""
    return _seen(request, provider, "")


@csrf_exempt
def receive_at(request: HttpRequest, provider: str, connection: str) -> HttpResponse:
    """POST /webhooks/{provider}/{connection}."""
    return _seen(request, provider, connection)


def _seen(request: HttpRequest, provider: str, token: str) -> HttpResponse:
    # Mailchimp asks first whether anybody answers.
    if request.method in ("GET", "HEAD") and provider == "mailchimp":
        return HttpResponse(b"{}", content_type=JSON)
    if request.method != "POST" and provider in payloads.PROVIDERS:
        refused = json_answer(MethodNotAllowed(), request)
        refused["Allow"] = "POST"
        return refused
    caller: Any = request
    answer = answered(provider, token, request.META, lambda: request.body, caller.request_id)
    return HttpResponse(answer.content, content_type=JSON) if answer is TAKEN else answer


def answered(
    provider: str, token: str, meta: dict[str, Any], body: Callable[[], bytes], request_id: str
) -> HttpResponse:
    """The answer to what a provider posted. `meta` are the WSGI variables, `body` reads it."""
    try:
        if provider not in payloads.PROVIDERS:
            raise NotFound
        take(provider, token, meta, body)
    except Refusal as refusal:
        return json_answer(refusal, Asked(request_id))
    except TimeoutError:
        return json_answer(RequestTimeout(), Asked(request_id))
    except DatabaseError:
        log.exception("webhook not stored")
        return json_answer(ServiceUnavailable(), Asked(request_id))
    return TAKEN


def take(provider: str, token: str, meta: dict[str, Any], body: Callable[[], bytes]) -> None:
    """Verify one request and store its events; `body` reads it. Raises a Refusal, or DatabaseError: not stored."""
    length = body_length(meta, payloads.PROVIDERS[provider].largest)
    delivery = Delivery(provider, meta, settings.PUBLIC_BASE_URL, body())
    if len(delivery.body) < length:
        raise Invalid("The body is shorter than its Content-Length.")
    attempt = _attempt(delivery)
    owner = _owner(delivery, token, attempt)
    _store(_arrivals(delivery, owner.account, attempt))


def _arrivals(delivery: Delivery, account: int, attempt: str) -> Iterator[tuple[bool, Arrival]]:
    """What a genuine delivery tells, event by event, and whether it must be applied before it is acknowledged."""
    provider, raw = delivery.provider, delivery.body
    counted = payloads.PROVIDERS[provider].events
    headers = json.dumps({name: str(delivery.meta.get(key) or "")[:LONGEST_HEADER] for name, key in KEPT_HEADERS})
    context = json.dumps({"attempt": attempt}) if attempt else "{}"
    # What came alone is kept as it came.
    many = raw.lstrip().startswith(b"[")
    for item in payloads.items_of(raw, form=delivery.is_form):
        name = payloads.name_of(provider, item)
        key = payloads.identity_of(provider, item, attempt)
        kind = ingestion.KIND if name in counted else UNCOUNTED
        body = _written(item) if many else raw
        yield name in ENDING, Arrival(account, provider, key, kind, body, headers, context)


def _written(item: Any) -> bytes:
    try:
        return orjson.dumps(item)
    except orjson.JSONEncodeError:
        # A number of more than 64 bits.
        return json.dumps(item).encode()


def _store(arrivals: Iterable[tuple[bool, Arrival]]) -> None:
    """Who opts out has opted out when this is acknowledged; everything else is applied soon after."""
    urgent: list[Arrival] = []
    rest: list[Arrival] = []
    for is_urgent, each in arrivals:
        (urgent if is_urgent else rest).append(each)
    if rest:
        receiving.take_in(rest)
    if urgent and (stored := receiving.store(urgent)):
        inbox.apply(len(stored), only=stored)


def _owner(delivery: Delivery, token: str, attempt: str) -> Keys:
    """Whose webhook it is. Raises Unauthorized. All that could verify is tried, whatever the first ones say."""
    tried = _tried(delivery.provider, token, attempt)
    now = time.time()
    found = [
        keys
        for keys in tried
        if any([is_genuine(delivery, key, now) for key in keys.live(now)])  # noqa: C419 (all of them)
    ]
    if not found:
        if token and tried:
            keyring.refused(tried[0].webhook)
        raise Unauthorized("This webhook is not signed by anybody we know.")
    return found[0]


def _tried(provider: str, token: str, attempt: str) -> Sequence[Keys]:
    if token:
        return keyring.keys_at(provider, token)
    if attempt:
        # An attempt of ours says itself whose it is, also where the account has no webhooks of this provider yet.
        known = DeliveryAttempt.objects.filter(uuid=attempt).select_related("account").first()
        return keyring.keys_for(known.account, provider) if known else ()
    return keyring.keys_of(provider)


def _attempt(delivery: Delivery) -> str:
    """The call of ours that a report is about, by its address. Raises Unauthorized for an address we did not make."""
    attempt = delivery.query.get("attempt", "")
    if attempt and not hmac.compare_digest(delivery.query.get("m", "").encode(), callback_mac(attempt).encode()):
        raise Unauthorized
    return attempt
