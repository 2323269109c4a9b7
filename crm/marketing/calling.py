"""The calls themselves: one e-mail, one SMS, one push, each once, with the words of its campaign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError

from accounts.models import Connection
from accounts.secrets import keyed_hash
from crm.customers import subscriptions
from crm.marketing import links, wording
from crm.models import MarketingCampaign, MarketingChannel
from dispatch.database import in_thread
from dispatch.keeping import Kept
from providers.base import Credentials, Email, Push, Refused, SmtpServer, Subscription, TextMessage
from providers.email import credentials_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from dispatch.lane import Call, OpenQuestion
    from providers.base import Found, MailCredentials, Mailer, Outcome, Pusher, Texter

# Before anything has left.
TROUBLE = (DatabaseError, ObjectDoesNotExist, KeyError)


@dataclass(frozen=True)
class Words:
    """What a launched campaign says; it does not change any more."""

    campaign_id: str
    content: dict[str, Any]
    marketing: bool
    values: dict[str, str]


def words_of(campaign_id: int) -> Words:
    campaign = MarketingCampaign.objects.select_related("account", "promo").get(pk=campaign_id)
    values = {"merchant_name": campaign.account.name, "promo_code": campaign.promo.code if campaign.promo else ""}
    return Words(campaign.public_id, campaign.content, campaign.is_marketing, values)


def written(words: Words, channel: str, payload: dict[str, Any], **more: str) -> wording.Written:
    """What the person of one call reads; its links lead through us."""
    values = {**words.values, **(payload["values"] or {})}
    tracked = links.tracker(payload["delivery"], words.content, channel)
    return wording.written(words.content, channel, values, opt_out=words.marketing, tracked=tracked, **more)


def callback_mac(key: UUID | str) -> str:
    """What proves that the attempt in a callback's address is one of ours: 32 hex digits."""
    return keyed_hash("delivery-callback", str(key))[:32]


def callback_url(key: UUID) -> str:
    """Where Twilio reports what became of an SMS."""
    return f"{settings.PUBLIC_BASE_URL}/api/v1/marketing/webhooks/twilio?attempt={key}&m={callback_mac(key)}"


def not_begun(trouble: Exception) -> Refused:
    """Nothing has left yet."""
    return Refused("not_ready", str(trouble) or type(trouble).__name__, retry=True)


C = TypeVar("C")


class Connected(Generic[C]):
    """What calls by a merchant's own connection have in common: credentials and words, kept for a while."""

    def __init__(self, look_up: Callable[[int], C]) -> None:
        self.credentials = Kept(look_up)
        self.words = Kept(words_of)

    async def prepare(self, call: Call) -> None:
        """Have the credentials and the words at hand when the call's turn comes."""
        await self.ready(call)

    async def ready(self, call: Call) -> tuple[C, Words]:
        """May raise what TROUBLE names; nothing has left then."""
        credentials = await self.credentials.get(call.payload["connection"])
        return credentials, await self.words.get(call.payload["campaign"])


class MailCaller(Connected["MailCredentials"]):
    """Sends e-mail. One a process."""

    def __init__(self, mailer: Mailer) -> None:
        super().__init__(_mail)
        self.mailer = mailer

    async def call(self, call: Call) -> Outcome:
        """Send one e-mail, once."""
        try:
            credentials, words = await self.ready(call)
        except TROUBLE as trouble:
            return not_begun(trouble)
        # SendGrid counts who opens; a mail server does not.
        own = isinstance(credentials, SmtpServer)
        return await self.mailer.send(email_of(call, words, counted=own), credentials)


def email_of(call: Call, words: Words, *, counted: bool = False) -> Email:
    """The e-mail that one call sends; `counted`: opening it is told to us by a picture."""
    payload = call.payload
    out = links.out_url(payload["delivery"]) if words.marketing else ""
    pixel = links.pixel_url(payload["delivery"]) if counted else ""
    said = written(words, MarketingChannel.EMAIL, payload, unsubscribe=out, pixel=pixel)
    values = payload["values"] or {}
    return Email(
        to=payload["to"],
        to_name=f"{values.get('first_name', '')} {values.get('last_name', '')}".strip(),
        sender=payload["sender"],
        sender_name=payload["sender_name"] or words.values["merchant_name"],
        reply_to="",
        subject=said.subject,
        html=said.html,
        text=said.text,
        key=str(call.key),
        headers={"List-Unsubscribe": f"<{out}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"} if out else {},
        metadata={"campaign_id": words.campaign_id},
    )


class PushCaller:
    """Sends pushes. One a process."""

    def __init__(self, pusher: Pusher) -> None:
        self.pusher = pusher
        self.words = Kept(words_of)

    async def prepare(self, call: Call) -> None:
        """Have the words at hand when the call's turn comes."""
        await self.words.get(call.payload["campaign"])

    async def call(self, call: Call) -> Outcome:
        """Send one push, once, to the browser that subscribed last. One that is gone makes room for the one before."""
        payload = call.payload
        try:
            words = await self.words.get(payload["campaign"])
        except TROUBLE as trouble:
            return not_begun(trouble)
        said = written(words, MarketingChannel.PUSH, payload)
        browser = Subscription(**payload["browser"])
        outcome = await self.pusher.send(Push(browser, said.subject, said.text, said.url, str(call.key)))
        if isinstance(outcome, Refused) and outcome.effect == "suppress":
            await in_thread(subscriptions.gone, payload["account"], browser.endpoint)
            return Refused(outcome.code, outcome.message, retry=True)
        return outcome


class TextCaller(Connected[Credentials]):
    """Sends SMS. One a process."""

    def __init__(self, texter: Texter) -> None:
        super().__init__(_twilio)
        self.texter = texter

    async def call(self, call: Call) -> Outcome:
        """Send one SMS, once."""
        payload = call.payload
        try:
            credentials, words = await self.ready(call)
        except TROUBLE as trouble:
            return not_begun(trouble)
        body = written(words, MarketingChannel.SMS, payload).text
        text = TextMessage(payload["to"], payload["sender"], body, str(call.key), callback_url(call.key))
        return await self.texter.send(text, credentials)

    async def find(self, question: OpenQuestion) -> Sequence[Found]:
        """What Twilio has from this sender to this number since the call; may raise Unreachable."""
        connection = await in_thread(_connection_of, question.account_id)
        credentials = await self.credentials.get(connection)
        return await self.texter.find(question.address, question.sender, question.called_at, credentials)


def _connection_of(account_id: int) -> int:
    return Connection.objects.for_account(account_id).get(provider="twilio").pk


def _mail(connection_id: int) -> MailCredentials:
    connection = Connection.objects.get(pk=connection_id)
    return credentials_of(connection.provider, connection.secret)


def _twilio(connection_id: int) -> Credentials:
    connection = Connection.objects.get(pk=connection_id)
    return Credentials(connection.external_id, connection.secret["auth_token"], connection.sms_sender)
