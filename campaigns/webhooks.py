"""Twilio's door: verified, stored, then acknowledged. Outside DRF, because a burst of callbacks is the normal case."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from accounts.models import Connection
from campaigns.conversations import receive
from campaigns.sending import callback_mac
from campaigns_project.api.errors import json_answer
from campaigns_project.api.parsing import body_length
from campaigns_project.refusals import MethodNotAllowed, Refusal, ServiceUnavailable, Unauthorized
from dispatch import inbox
from dispatch.models import InboxEntry
from providers.twilio import Form, Malformed, parse_inbound, parse_status, read_form, verify_signature

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

log = structlog.get_logger(__name__)

LARGEST_BODY = 1024 * 1024
TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


@csrf_exempt
def status(request: HttpRequest, attempt: UUID) -> HttpResponse:
    """POST /webhooks/twilio/status/{attempt}?m={mac}: 200 once stored (or known), 401 whatever failed."""
    return _answered(request, lambda: _status(request, attempt))


@csrf_exempt
def inbound(request: HttpRequest) -> HttpResponse:
    """POST /webhooks/twilio/inbound: as `status`; STOP and START have taken effect when this answers."""
    return _answered(request, lambda: _inbound(request))


def _status(request: HttpRequest, attempt: UUID) -> HttpResponse:
    if not hmac.compare_digest(request.GET.get("m", "").encode(), callback_mac(attempt).encode()):
        raise Unauthorized
    form, connection = _verified(request)
    try:
        update = parse_status(form)
    except Malformed:
        raise Unauthorized from None
    with transaction.atomic():
        inbox.store(
            account_id=connection.account_id,
            provider="twilio",
            kind="status",
            connection_id=connection.pk,
            dedupe_key=f"{update.message_sid}:{update.status}:{attempt}",
            body=request.body,
            headers=_kept_headers(request),
            context={"attempt": str(attempt)},
        )
    return HttpResponse(status=200)


def _inbound(request: HttpRequest) -> HttpResponse:
    form, connection = _verified(request)
    try:
        message = parse_inbound(form)
    except Malformed:
        raise Unauthorized from None
    # What is written to is a number, or the messaging service that has it.
    column = "sender" if message.channel == "whatsapp" else "sms_sender"
    owned = {f"{column}__in": {message.to, message.service} - {""}}
    owner = Connection.objects.filter(provider="twilio", **owned).first()
    if owner is None or owner.account_id != connection.account_id:
        raise Unauthorized
    with transaction.atomic():
        stored = inbox.store(
            account_id=connection.account_id,
            provider="twilio",
            kind="inbound",
            connection_id=connection.pk,
            dedupe_key=message.message_sid,
            body=request.body,
            headers=_kept_headers(request),
            context={},
        )
        if stored is not None:
            entry = InboxEntry.objects.select_related("account").get(pk=stored)
            inbox.settle(entry, changed=receive(entry))
    return HttpResponse(TWIML, content_type="text/xml")


def _verified(request: HttpRequest) -> tuple[Form, Connection]:
    """The form and the connection whose token signed it. Raises Unauthorized whatever is wrong."""
    body_length(request.META, LARGEST_BODY)
    try:
        form = read_form(request.body)
    except Malformed:
        raise Unauthorized from None
    account_sid = form.get("AccountSid", "").replace("\x00", "")
    connection = Connection.objects.filter(provider="twilio", external_id=account_sid).first()
    token = connection.secret["auth_token"] if connection else "nobody's"
    genuine = verify_signature(
        settings.PUBLIC_BASE_URL + request.get_full_path(),
        form,
        request.headers.get("X-Twilio-Signature"),
        token,
        settings_header=request.headers.get("X-Twilio-Webhooks-Signature-Settings"),
    )
    if not genuine or connection is None:
        raise Unauthorized
    return form, connection


def _answered(request: HttpRequest, answer: Callable[[], HttpResponse]) -> HttpResponse:
    if request.method != "POST":
        refused = json_answer(MethodNotAllowed(), request)
        refused["Allow"] = "POST"
        return refused
    try:
        return answer()
    except Refusal as refusal:
        return json_answer(refusal, request)
    except DatabaseError:
        log.exception("webhook not stored")
        return json_answer(ServiceUnavailable(), request)


def _kept_headers(request: HttpRequest) -> dict[str, str]:
    wanted = ("Content-Type", "X-Twilio-Signature", "I-Twilio-Idempotency-Token", "User-Agent")
    return {name: request.headers[name][:500] for name in wanted if name in request.headers}
