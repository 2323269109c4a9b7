"""Somebody writes to one of our numbers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from providers.sandbox.twilio.message import Message, phone_of
from providers.sandbox.twilio.messages import new_sid
from providers.sandbox.wire import RefusedError

if TYPE_CHECKING:
    from providers.sandbox.twilio.callbacks import Postman
    from providers.sandbox.twilio.messages import Messages
    from providers.sandbox.twilio.state import State


def _text(request: dict[str, Any], name: str) -> str:
    value = request.get(name, "")
    if not isinstance(value, str):
        raise RefusedError(f"{name} must be a string")
    return value


def inbound_form(message: Message) -> dict[str, str]:
    form = {
        "MessageSid": message.sid,
        "SmsSid": message.sid,
        "SmsMessageSid": message.sid,
        "AccountSid": message.account,
        "From": message.sender or "",
        "To": message.to,
        "Body": message.body,
        "NumMedia": "0",
        "NumSegments": "1",
        "SmsStatus": "received",
        "ApiVersion": "2010-04-01",
    }
    if message.to.startswith("whatsapp:"):
        form |= {"ProfileName": f"Sandbox {message.person[-4:]}", "WaId": message.person.lstrip("+")}
    return form


async def deliver(request: dict[str, Any], *, messages: Messages, state: State, postman: Postman) -> dict[str, Any]:
    """Take {"from", "to", "body"[, "account_sid", "params"]} as a message and tell the inbound URL about it.

    `params` are further fields of the webhook (ButtonText, OptOutType, …). Returns `sid` and the webhook's
    `status`, None when nobody answered. RefusedError when nothing says whose number `to` is.
    """
    to, person, body = _text(request, "to"), phone_of(_text(request, "from")), _text(request, "body")
    params = request.get("params", {})
    if not to or not person:
        raise RefusedError("from and to are required")
    if not isinstance(params, dict) or not all(isinstance(value, str) for value in params.values()):
        raise RefusedError("params must be an object of strings")
    account = _text(request, "account_sid") or state.owners.get(to, "")
    if account not in state.tokens:
        raise RefusedError(
            f"nobody has called as the owner of {to} yet, so there is no token to sign with; give account_sid"
        )
    now = time.time()
    message = Message(
        n=messages.number(), sid=new_sid("SM"), account=account, to=to, at=now, due=now, direction="inbound",
        sender=f"whatsapp:{person}" if to.startswith("whatsapp:") else person, body=body,
        token=state.tokens[account], settled="received",
    )  # fmt: skip
    state.accept(message)
    form = inbound_form(message) | params
    return {
        "sid": message.sid,
        "status": await postman.post(messages.exchange.settings.inbound_url, form, message.token),
    }
