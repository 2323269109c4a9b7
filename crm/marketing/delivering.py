"""The lanes of e-mail, SMS and push: whose rows they are, and what an outcome means.

Nobody can be asked about an e-mail or a push afterwards: what is unknown stays so until the provider reports it or an
operator resolves it, and is never sent again by itself. An SMS is found in Twilio's list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from accounts.models import Connection
from crm.customers import consent, subscriptions
from crm.funnels import first_touch
from crm.marketing import gating
from crm.marketing.calling import MailCaller, PushCaller, TextCaller
from crm.models import Delivery, DeliveryAttempt, DeliveryStatus, MarketingCampaign, MarketingChannel
from dispatch.lane import Lane
from dispatch.statements import move
from providers.email import Post
from providers.twilio import TwilioTexts
from providers.webpush import WebPush

if TYPE_CHECKING:
    from collections.abc import Callable

LANES = {channel: f"crm_{channel.value}" for channel in MarketingChannel}
# By channel, the providers that may carry it; push needs no account anywhere.
CARRIERS = {MarketingChannel.EMAIL: Connection.MAIL, MarketingChannel.SMS: ("twilio",)}
# The column that says what messages come from.
SENDERS = {MarketingChannel.EMAIL: "sender", MarketingChannel.SMS: "sms_sender"}

# An event's id is made of what it is about, shortened by md5: a random one costs more than the row.
TOLD = f""", told AS (
    INSERT INTO crm_event
        (account_id, public_id, event_id, type, customer_id, email, phone, occurred_at, currency, properties)
    SELECT t.account_id, 'evt_' || left(md5(t.account_id || ':delivery:' || t.id || ':sent'), 16),
           'delivery:' || t.id || ':sent', t.channel || '.sent', t.customer_id, '', '', now(), '',
           jsonb_build_object('campaign_id', c.public_id, 'delivery_id', t.id)
    FROM taken t JOIN crm_marketingcampaign c ON c.id = t.campaign_id ON CONFLICT DO NOTHING
    RETURNING account_id, customer_id, occurred_at
), touched AS (
    {first_touch.aware_sql("told")}
)"""  # noqa: S608 (our own tables)


def mail_lane() -> Lane:
    """E-mail, through SendGrid or a mail server of the merchant's. Nobody can be asked about it afterwards."""
    from crm.marketing import launching  # it starts what these lanes send

    mailer = Post.from_settings()
    caller = MailCaller(mailer)
    return _lane(
        MarketingChannel.EMAIL,
        provider=mailer.name,
        connections=settings.SENDGRID_CONNECTIONS,
        timeout=mailer.timeout,
        # When an operator may say that it was never sent.
        quiet=2 * mailer.timeout,
        prepare=caller.prepare,
        call=caller.call,
        find=None,
        close=mailer.close,
        paired=False,
        # The sweep asks every lane; this one tends the campaigns of all channels.
        tend=launching.tend,
        sender_rate="NULLIF(link.rate_per_second, 0)",
    )


def push_lane() -> Lane:
    """Web Push. A push service tells no more than that it took it, so that counts as delivered."""
    pusher = WebPush.from_settings()
    caller = PushCaller(pusher)
    return _lane(
        MarketingChannel.PUSH,
        accepted="delivered",
        provider=pusher.name,
        connections=settings.PUSH_CONNECTIONS,
        timeout=pusher.timeout,
        # When an operator may say that it was never sent.
        quiet=2 * pusher.timeout,
        prepare=caller.prepare,
        call=caller.call,
        find=None,
        close=pusher.close,
        paired=False,
        sender_rate="NULL",
    )


def text_lane() -> Lane:
    """SMS, through Twilio."""
    texter = TwilioTexts.from_settings()
    caller = TextCaller(texter)
    return _lane(
        MarketingChannel.SMS,
        provider=texter.name,
        connections=settings.TWILIO_CONNECTIONS,
        timeout=texter.timeout,
        quiet=texter.quiet,
        prepare=caller.prepare,
        call=caller.call,
        find=caller.find,
        close=texter.close,
        paired=True,
        sender_rate="NULLIF(link.rate_per_second, 0)",
    )


def _lane(
    channel: MarketingChannel, *, accepted: str = "sent", tend: Callable[[], None] | None = None, **more: Any
) -> Lane:
    """What the lanes have in common. `accepted` is the verb of what the provider took."""
    scope_from, scope_open, sender, own = _carried(channel)
    return Lane(
        name=LANES[channel],
        row_model=Delivery,
        attempt_model=DeliveryAttempt,
        scope_from=scope_from,
        scope_column="campaign_id",
        scope_open=scope_open,
        row_due=gating.row_due(channel),
        row_own=gating.row_own(channel),
        skips=gating.skips(channel),
        waits=gating.waits(),
        sender=sender,
        address="m.address",
        payload=gating.payload(own),
        scope_rate="NULL",
        on_open=move("begun", Delivery, "opened s", "begin", DeliveryStatus.QUEUED),
        on_skip=_on_skip(),
        on_record=_on_record(accepted),
        accepted=Delivery.machine.edge(accepted).target,
        queued=DeliveryStatus.QUEUED,
        failed=DeliveryStatus.FAILED,
        react=react,
        tend=tend or _nothing,
        **more,
    )


def _carried(channel: MarketingChannel) -> tuple[str, str, str, str]:
    """SQL: the scope's tables, whether it is open, the sender, and what is told of the connection."""
    if channel not in CARRIERS:
        browser = subscriptions.newest_sql("m.customer_id")
        return gating.SCOPE, gating.SCOPE_OPEN, "'push'", f"'account', scope.account_id, 'browser', {browser}, "
    column = SENDERS[channel]
    providers = ", ".join(f"'{each}'" for each in CARRIERS[channel])
    tables = gating.SCOPE + gating.LINK.format(providers=providers)
    is_open = f"{gating.SCOPE_OPEN} AND {gating.LINK_OPEN.format(sender=column)}"
    own = f"'connection', link.id, 'sender', link.{column}, 'sender_name', link.sender_name, "
    return tables, is_open, f"link.{column}", own


def react(effect: str, row_id: int, code: str) -> None:
    """What a refusal means beyond its row: nothing more to this address, or to nobody for now."""
    row = Delivery.objects.select_related("account", "customer").get(pk=row_id)
    if effect in {"opt_out", "suppress"}:
        proof = {"delivery": row.pk, "code": code}
        said = {"source": f"provider_{code}"[:60], "proof": proof, "customer": row.customer}
        consent.withdraw(row.account, channel=row.channel, address=row.address, **said)
        return
    with transaction.atomic():
        campaign = MarketingCampaign.objects.filter(pk=row.campaign_id)
        campaign.transition("pause", reason=f"refused by the provider: {code}")
        if effect == "pause_connection":
            carriers = CARRIERS.get(MarketingChannel(row.channel), ())
            Connection.objects.for_account(row.account).filter(provider__in=carriers).update(refused_at=Now())


def _nothing() -> None:
    """One lane tends the campaigns of all."""


def _on_skip() -> str:
    rows = "(SELECT id AS row_id, substr(verdict, 6) AS reason FROM candidate WHERE left(verdict, 5) = 'skip:') s"
    return move("skipped", Delivery, rows, "skip", DeliveryStatus.QUEUED, sets=", skip_reason = s.reason")


def _on_record(accepted: str) -> str:
    target = Delivery.machine.edge(accepted).target
    arrived = ", delivered_at = now()" if target == DeliveryStatus.DELIVERED else ""
    taken = move(
        "taken",
        Delivery,
        f"(SELECT * FROM settled WHERE target = '{target}') s",  # noqa: S608 (a word of ours)
        accepted,
        DeliveryStatus.SENDING,
        sets=f", provider_id = s.provider_id{arrived}",
        also=", m.channel, m.customer_id, m.campaign_id",
    )
    again = move(
        "again",
        Delivery,
        "(SELECT * FROM settled WHERE target = 'queued') s",
        "requeue",
        DeliveryStatus.SENDING,
        sets=", tries = m.tries + (s.state = 'rejected')::int",
    )
    refused = move(
        "refused",
        Delivery,
        "(SELECT * FROM settled WHERE target = 'failed') s",
        "fail",
        DeliveryStatus.SENDING,
        sets=", error_code = s.code",
    )
    return taken + TOLD + again + refused
