"""Test messages: what somebody of the merchant's sends to themselves before a campaign goes to people.

They leave by the campaign's own connection, in its own words, marked as tests. They are no deliveries, so no sum counts
them and nobody's one message a day is used up. Who is suppressed gets none, and there are few of them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models.functions import Lower, Now

from accounts.models import Membership
from campaigns_project.models import AuditEntry
from campaigns_project.refusals import Conflict, Invalid, TooManyRequests
from crm import phones
from crm.customers import consent, exporting
from crm.marketing import launching
from crm.models import Customer, MarketingChannel, PushSubscription, Trial, TrialStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from accounts.models import Account, User
    from crm.customers.feedback import Feedback
    from crm.models import MarketingCampaign

MOST_AT_ONCE = 5
# In one account, whatever the campaign.
MOST_AN_HOUR, MOST_NUMBERS_A_DAY = 20, 5
HOUR = 3600
KEPT_DAYS = 30
# Who asks at one moment is counted one after the other.
LOCK = "SELECT pg_advisory_xact_lock(7310006, %s)"
# What a report says, in our words; a test stands still once it has arrived or was refused.
REPORTED = {
    **dict.fromkeys(("delivered", "opened", "clicked"), TrialStatus.SENT),
    **dict.fromkeys(("bounced", "dropped", "failed"), TrialStatus.REFUSED),
}


class Suppressed(Conflict):
    """`details["to"]` names the addresses."""

    code = "address_suppressed"
    message = "Nothing may be sent to this address, not even a test."


def send(campaign: MarketingCampaign, *, channel: str, to: Sequence[str], by: User) -> list[Trial]:
    """Put a test message in line for each address: an e-mail address of somebody who belongs to the account, for push
    such an address of a customer with a browser, or for SMS a phone number.

    Raises Invalid, Suppressed, CampaignNotReady when nothing is connected, TooManyRequests above 20 an hour, or for a
    sixth phone number within a day.
    """
    channel = MarketingChannel(channel)
    _refuse_unready(campaign, channel)
    addresses = _addresses(campaign.account, channel, to)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(LOCK, [campaign.account_id])
        _refuse_suppressed(campaign.account, channel, addresses)
        _refuse_many(campaign.account, channel, addresses)
        hashed = {each: consent.address_hash(campaign.account_id, channel, key) for each, key in addresses.items()}
        rows = [
            Trial(account=campaign.account, campaign=campaign, channel=channel, address=each, asked_by=by,
                  address_hash=hashed[each])
            for each in addresses
        ]  # fmt: skip
        Trial.objects.bulk_create(rows)
        AuditEntry.objects.create(
            account=campaign.account, actor=by, action="campaign.test_send", target=campaign.public_id
        )
    return list(Trial.objects.filter(pk__in=[row.pk for row in rows]).select_related("asked_by").order_by("pk"))


def _refuse_unready(campaign: MarketingCampaign, channel: MarketingChannel) -> None:
    if channel not in campaign.channels:
        raise Invalid(details={"channel": ["The campaign is not sent by this channel."]})
    missing = launching.obstacles(campaign)
    found = {name: missing[name] for name in ("account", f"connection.{channel.value}") if name in missing}
    if found:
        raise launching.CampaignNotReady("A test cannot be sent yet.", details=found)


def _addresses(account: Account, channel: MarketingChannel, to: Sequence[str]) -> dict[str, str]:
    """By the address to send to, what the ledger of consent knows it by. Raises Invalid."""
    if not 0 < len(to) <= MOST_AT_ONCE:
        raise Invalid(details={"to": [f"Name 1 to {MOST_AT_ONCE} addresses."]})
    if channel == MarketingChannel.SMS:
        return {number: number for number in (phones.normalise(each, field="to") for each in to)}
    asked = {each.strip().lower() for each in to}
    own = Membership.objects.for_account(account).filter(user__is_active=True)
    if strangers := asked.difference(own.values_list(Lower("user__email"), flat=True)):
        theirs = ", ".join(sorted(strangers))
        raise Invalid(details={"to": [f"A test goes to people of {account.name} only, and not to {theirs}."]})
    return _browsers(account, asked) if channel == MarketingChannel.PUSH else dict(zip(asked, asked, strict=True))


def _browsers(account: Account, emails: Iterable[str]) -> dict[str, str]:
    known = Customer.objects.for_account(account).known().exclude(email="").annotate(low=Lower("email"))
    people = known.filter(low__in=emails)
    with_one = PushSubscription.objects.for_account(account).values("customer")
    found = dict(people.filter(pk__in=with_one).values_list("low", "public_id"))
    if without := sorted(set(emails) - set(found)):
        raise Invalid(details={"to": [f"No browser takes pushes for {', '.join(without)}."]})
    return found


def _refuse_suppressed(account: Account, channel: MarketingChannel, addresses: dict[str, str]) -> None:
    silent = [each for each, key in addresses.items() if consent.is_suppressed(account, channel=channel, address=key)]
    if silent:
        raise Suppressed(details={"to": silent})


def _refuse_many(account: Account, channel: MarketingChannel, addresses: dict[str, str]) -> None:
    rows = Trial.objects.for_account(account)
    if rows.filter(created_at__gt=Now() - timedelta(seconds=HOUR)).count() + len(addresses) > MOST_AN_HOUR:
        raise TooManyRequests(f"At most {MOST_AN_HOUR} tests an hour.", retry_after=HOUR)
    if channel != MarketingChannel.SMS:
        return
    today = rows.filter(channel=channel, created_at__gt=Now() - timedelta(days=1)).values_list("address", flat=True)
    if len({*today, *addresses}) > MOST_NUMBERS_A_DAY:
        raise TooManyRequests(f"At most {MOST_NUMBERS_A_DAY} phone numbers a day.", retry_after=HOUR)


def heard(account: Account, reports: Sequence[Feedback]) -> set[UUID]:
    """The calls of these reports that were tests; what became of them is written down."""
    asked = {report.attempt for report in reports if report.attempt is not None}
    found: set[UUID] = set()
    if asked:
        found = set(Trial.objects.for_account(account).filter(key__in=asked).values_list("key", flat=True))
    for report in reports:
        status = REPORTED.get(report.event)
        if report.attempt in found and status:
            going = Trial.objects.for_account(account).filter(key=report.attempt).exclude(status=TrialStatus.REFUSED)
            going.update(status=status, code=report.code, provider_id=report.provider_id[:80])
    return found


def forget(customer: Customer) -> None:
    """Blank the tests to the person's addresses (`crm.customers.erasing`); what waits is not sent."""
    rows = Trial.objects.for_account(customer.account_id).filter(address_hash__in=_hashes(customer))
    rows.filter(status=TrialStatus.WAITING).update(status=TrialStatus.REFUSED, code="erased")
    rows.update(address="")


def forget_old() -> int:
    """Forget tests after a month. Returns how many."""
    return Trial.objects.filter(created_at__lt=Now() - timedelta(days=KEPT_DAYS)).delete()[0]


def _held(customer: Customer) -> Any:
    """What `crm.customers.exporting` tells of them."""
    rows = Trial.objects.for_account(customer.account_id).filter(address_hash__in=_hashes(customer)).order_by("pk")
    return rows.values("public_id", "channel", "address", "status", "created_at").iterator()


def _hashes(customer: Customer) -> list[str]:
    return list(consent.hashes_of(customer).values())


exporting.also("test_messages", _held)
