"""The providers' door: verified, stored, then acknowledged. Outside DRF, because bursts are the normal case.

200 `{}` when it is stored (or known), 401 whatever is wrong with a signature, 404 for an unknown provider, 413 before
anything is computed, 400 for what is genuine and no JSON, 503 when it could not be stored.
"""

from __future__ import annotations

import hmac
import time
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from campaigns_project.api.errors import json_answer
from campaigns_project.api.parsing import body_length
from campaigns_project.refusals import Invalid, MethodNotAllowed, NotFound, Refusal, ServiceUnavailable, Unauthorized
from crm import ingestion, payloads
from crm.calling import callback_mac
from crm.feedback import ENDING
from crm.models import DeliveryAttempt
from crm.verifying import SECRET, Delivery, is_genuine
from dispatch import inbox, keyring, receiving
from dispatch.receiving import UNCOUNTED, Arrival

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dispatch.keyring import Keys
    from dispatch.models import WebhookConnection

log = structlog.get_logger(__name__)

PREFIX = "/api/v1/marketing/webhooks/"
KEPT_HEADERS = ("CONTENT_TYPE", "HTTP_USER_AGENT")
LONGEST_HEADER = 200


def address_of(connection: WebhookConnection, *, secret: str = "") -> str:
    """Where the provider delivers. Mailchimp's address carries its secret."""
    address = f"{settings.PUBLIC_BASE_URL}{PREFIX}{connection.provider}/{connection.token}"
    return f"{address}?{SECRET}={secret}" if secret and connection.provider == "mailchimp" else address


@csrf_exempt
def receive(request: HttpRequest, provider: str) -> HttpResponse:
    """POST /webhooks/{provider}: the account is the one whose secret verifies."""
    return _answered(request, provider, "")


@csrf_exempt
def receive_at(request: HttpRequest, provider: str, connection: str) -> HttpResponse:
    """POST /webhooks/{provider}/{connection}."""
    return _answered(request, provider, connection)


def _answered(request: HttpRequest, provider: str, token: str) -> HttpResponse:
    # Mailchimp asks first whether anybody answers.
    if request.method in ("GET", "HEAD") and provider == "mailchimp":
        return HttpResponse(b"{}", content_type="application/json")
    try:
        if provider not in payloads.PROVIDERS:
            raise NotFound
        if request.method != "POST":
            raise MethodNotAllowed
        take(provider, token, request.META, lambda: request.body)
    except Refusal as refusal:
        return _refused(refusal, request)
    except DatabaseError:
        log.exception("webhook not stored")
        return json_answer(ServiceUnavailable(), request)
    return HttpResponse(b"{}", content_type="application/json")


def take(provider: str, token: str, meta: dict[str, Any], body: Callable[[], bytes]) -> None:
    """Verify one request and store its events; `body` reads it. Raises a Refusal, or DatabaseError: not stored."""
    length = body_length(meta, payloads.PROVIDERS[provider].largest)
    delivery = Delivery(provider, meta, _url(meta), body())
    if len(delivery.body) < length:
        raise Invalid("The body is shorter than its Content-Length.")
    attempt = _attempt(delivery)
    owner = _owner(delivery, token, attempt)
    headers = {name: str(meta[name])[:LONGEST_HEADER] for name in KEPT_HEADERS if meta.get(name)}
    kept = {"Content-Type": headers.get("CONTENT_TYPE", ""), "User-Agent": headers.get("HTTP_USER_AGENT", "")}
    found = payloads.items_of(delivery.body, form=delivery.is_form)
    # What came alone is kept as it came.
    text = None if delivery.body.lstrip().startswith(b"[") else delivery.body.decode()
    _store(
        [
            Arrival(
                owner.account,
                provider,
                ingestion.KIND if payloads.is_counted(provider, item) else UNCOUNTED,
                payloads.identity_of(provider, item, attempt),
                text,
                item,
                kept,
                {"attempt": attempt} if attempt else {},
            )
            for item in found
        ]
    )


def _store(arrivals: Sequence[Arrival]) -> None:
    """Who opts out has opted out when this is acknowledged; everything else is applied soon after."""
    urgent: list[Arrival] = []
    rest: list[Arrival] = []
    for each in arrivals:
        (urgent if payloads.name_of(each.provider, each.item) in ENDING else rest).append(each)
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


def _url(meta: dict[str, Any]) -> str:
    asked = meta.get("QUERY_STRING")
    return f"{settings.PUBLIC_BASE_URL}{meta['PATH_INFO']}{f'?{asked}' if asked else ''}"


def _refused(refusal: Refusal, request: HttpRequest) -> HttpResponse:
    answer = json_answer(refusal, request)
    if isinstance(refusal, MethodNotAllowed):
        answer["Allow"] = "POST"
    return answer
