"""How test messages leave: a sender process takes those in line and calls the provider, each once.

The status `calling` is committed before the call and is the permission for it. A process that dies leaves it standing;
then nobody knows, and it is not made again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Lower, Now

from accounts.models import Connection
from crm.customers import consent
from crm.marketing import handing_out, wording
from crm.marketing.calling import TROUBLE, words_of
from crm.marketing.delivering import CARRIERS, SENDERS
from crm.models import Customer, MarketingChannel, Trial, TrialStatus
from dispatch.database import in_thread
from dispatch.lane import Aside
from providers.base import Accepted, Credentials, Email, Outcome, Push, Refused, Subscription, TextMessage
from providers.email import Post, credentials_of
from providers.twilio import TwilioTexts
from providers.webpush import WebPush

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    import psycopg

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
SLOTS = 4
# No call takes so long.
LOST_SECONDS = 300
MARK = "[Test] "
NOWHERE = "/u/test"

# Suppression and the account are asked once more, right before the call.
TAKE = f"""
WITH due AS (
    SELECT id FROM crm_trial WHERE status = 'waiting' ORDER BY id LIMIT %(free)s FOR UPDATE SKIP LOCKED
), lost AS (
    UPDATE crm_trial SET status = 'unknown', ended_at = now()
    WHERE status = 'calling' AND called_at < now() - make_interval(secs => %(lost)s)
)
UPDATE crm_trial trial SET called_at = now(),
    status = CASE WHEN account.status = 'active' AND NOT silent.it THEN 'calling' ELSE 'refused' END,
    ended_at = CASE WHEN account.status <> 'active' OR silent.it THEN now() END,
    code = CASE WHEN silent.it THEN 'suppressed' WHEN account.status <> 'active' THEN account.status ELSE '' END
FROM due JOIN crm_trial same ON same.id = due.id JOIN accounts_account account ON account.id = same.account_id
CROSS JOIN LATERAL (
    SELECT {consent.suppressed_on_sql("same.account_id", "same.address_hash", "same.channel")} AS it
) silent
WHERE trial.id = due.id RETURNING trial.id, trial.status
"""  # noqa: S608 (our own tables)


class TrialSender(Aside):
    """Sends test messages over one database session."""

    def __init__(self, answered: asyncio.Event) -> None:
        super().__init__(answered)
        self.post, self.texts, self.pushes = Post.from_settings(), TwilioTexts.from_settings(), WebPush.from_settings()

    async def close(self) -> None:
        """Give the connections back."""
        for each in (self.post, self.texts, self.pushes):
            await each.close()

    async def turn(self, connection: psycopg.AsyncConnection[Any]) -> bool:
        """Begin what is in line. Returns whether there was anything to do."""
        free = SLOTS - len(self.running)
        if self.stopping or not free or time.monotonic() < self.look_at:
            return False
        taken = await (await connection.execute(TAKE, {"free": free, "lost": LOST_SECONDS})).fetchall()
        for row in taken:
            if row["status"] == TrialStatus.CALLING:
                self.start(self._call(row["id"]))
        if not taken:
            self.look_at = time.monotonic() + LOOK_SECONDS
        return bool(taken)

    async def _call(self, pk: int) -> None:
        try:
            message = await in_thread(_message, pk)
            outcome = await message(self)
        except TROUBLE as trouble:
            outcome = Refused("not_ready", str(trouble))
        except Exception:  # one that cannot be made must not end the process
            log.exception("test message not sent", trial=pk)
            outcome = Refused("not_ready", "")
        await in_thread(record, pk, outcome)
        self.answered.set()


def record(pk: int, outcome: Outcome) -> None:
    """Write down what became of one call, and what a refusal means beyond it."""
    with transaction.atomic():
        trial = Trial.objects.select_related("account").get(pk=pk)
        said: dict[str, Any] = {"status": TrialStatus.UNKNOWN}
        if isinstance(outcome, Accepted):
            said = {"status": TrialStatus.SENT, "provider_id": outcome.provider_id[:80]}
        elif isinstance(outcome, Refused):
            said = {"status": TrialStatus.REFUSED, "code": outcome.code[:40]}
            _obey(trial, outcome)
        # A report may have come first, and knows more.
        Trial.objects.filter(pk=pk, status=TrialStatus.CALLING).update(**said, ended_at=Now())


def _obey(trial: Trial, refused: Refused) -> None:
    if refused.effect in {"opt_out", "suppress"} and trial.channel != MarketingChannel.PUSH and trial.address:
        source, proof = f"provider_{refused.code}"[:60], {"test": trial.public_id, "code": refused.code}
        consent.withdraw(trial.account, channel=trial.channel, address=trial.address, source=source, proof=proof)
    if refused.effect == "pause_connection":
        carriers = CARRIERS.get(MarketingChannel(trial.channel), ())
        Connection.objects.for_account(trial.account).filter(provider__in=carriers).update(refused_at=Now())


def _message(pk: int) -> Callable[[TrialSender], Awaitable[Outcome]]:
    """What to do with the sender's providers. May raise what TROUBLE names; nothing has left then."""
    trial = Trial.objects.select_related("account", "asked_by", "campaign").get(pk=pk)
    words = words_of(trial.campaign_id)
    values = {**words.values, **_sample(trial)}
    way_out = f"{settings.PUBLIC_BASE_URL}{NOWHERE}" if words.marketing else ""
    said = wording.written(words.content, trial.channel, values, unsubscribe=way_out, opt_out=words.marketing)
    if trial.channel == MarketingChannel.PUSH:
        push = Push(_browser(trial), MARK + said.subject, said.text, said.url, str(trial.key))
        return lambda sender: sender.pushes.send(push)
    link = _link(trial)
    if trial.channel == MarketingChannel.SMS:
        text = TextMessage(trial.address, link.sms_sender, MARK + said.text, str(trial.key), "")
        keys = Credentials(link.external_id, link.secret["auth_token"], link.sms_sender)
        return lambda sender: sender.texts.send(text, keys)
    email = _email(trial, link, said, link.sender_name or values["merchant_name"])
    opened = credentials_of(link.provider, link.secret)
    return lambda sender: sender.post.send(email, opened)


def _email(trial: Trial, link: Connection, said: wording.Written, sender_name: str) -> Email:
    # No campaign is named: a report of a test is counted nowhere.
    return Email(
        to=trial.address,
        to_name="",
        sender=link.sender,
        sender_name=sender_name,
        reply_to="",
        subject=MARK + said.subject,
        html=said.html,
        text=said.text,
        key=str(trial.key),
    )


def _sample(trial: Trial) -> dict[str, str]:
    """The name of whoever asked, so that no customer's is sent to anybody."""
    first, _, last = (trial.asked_by.name if trial.asked_by else "").partition(" ")
    code = handing_out.sample(trial.campaign)
    return {"first_name": first or "Alex", "last_name": last or "Sample", wording.CODE: code}


def _link(trial: Trial) -> Connection:
    channel = MarketingChannel(trial.channel)
    working = Connection.objects.for_account(trial.account).filter(provider__in=CARRIERS[channel], refused_at=None)
    return working.exclude(**{SENDERS[channel]: ""}).get()


def _browser(trial: Trial) -> Subscription:
    known = Customer.objects.for_account(trial.account).exclude(email="").annotate(low=Lower("email"))
    person = known.get(low=trial.address.lower())
    newest = person.push_subscriptions.order_by("-pk").first()
    if newest is None:
        raise Customer.DoesNotExist("No browser takes pushes any more.")
    return Subscription(newest.endpoint, newest.p256dh, newest.auth)
