"""A marketing campaign from its launch to its end: who is reached, on which channel, who is not, and why."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from accounts import approvals
from accounts.connections import connect
from accounts.models import Account
from crm.audiences import segments
from crm.customers import consent
from crm.marketing import launching, metrics, planning
from crm.models import Customer, Delivery, Event, MarketingCampaign
from dispatch import sweeping
from lifecycle.models import Lease
from lifecycle.moving import rows_moved
from tests.crm.sending import connect_twilio
from tests.factories import CustomerFactory, MarketingCampaignFactory, SegmentFactory, UserFactory

pytestmark = pytest.mark.django_db


class Shop:
    """An account that may send on each channel, with a segment."""

    def __init__(self):
        self.segment = SegmentFactory()
        self.account = self.segment.account
        connect_twilio(self.account)
        secret = {"api_key": "SG.fake-key"}
        connect(self.account, "sendgrid", external_id="key", sender="shop@example.com", secret=secret, by=None)

    def person(self, *agreed, member=True, **fields):
        names = {"email": f"c{Customer.objects.count()}@example.test", "phone": f"+1555{Customer.objects.count():07d}"}
        customer = CustomerFactory(account=self.account, **names | fields)
        for channel in agreed:
            address = consent.address_of(customer, channel)
            consent.grant(self.account, channel=channel, address=address, source="test", customer=customer)
        if member:
            segments.add_known(self.segment, [customer.pk])
        return customer

    def campaign(self, **fields):
        return MarketingCampaignFactory(account=self.account, segment=self.segment, **fields)

    def people(self, count):
        made = [self.person("email", member=False) for _ in range(count)]
        segments.add_known(self.segment, [each.pk for each in made])
        return made


@pytest.fixture
def shop():
    return Shop()


def born(campaign):
    rows = Delivery.objects.of(campaign).order_by("customer_id")
    return [(row.channel, row.address, row.status, row.skip_reason) for row in rows]


def status(campaign):
    campaign.refresh_from_db()
    return campaign.status


@pytest.mark.parametrize(
    ("agreed", "fields", "kind", "expected"),
    [
        (["email", "sms"], {}, "promotion", ("sms", "queued", "")),
        (["email"], {}, "promotion", ("email", "queued", "")),
        (["email", "sms"], {"phone": ""}, "promotion", ("email", "queued", "")),
        ([], {}, "promotion", ("sms", "skipped", "no_consent")),
        ([], {"phone": ""}, "promotion", ("email", "skipped", "no_consent")),
        ([], {"phone": "", "email": "", "external_id": "x"}, "promotion", ("sms", "skipped", "no_address")),
        ([], {}, "transactional", ("sms", "queued", "")),
    ],
)
def test_each_person_gets_one_message_on_the_first_channel_that_reaches_them(shop, agreed, fields, kind, expected):
    channels = [each for each in agreed if fields.get({"sms": "phone"}.get(each, each)) != ""]
    shop.person(*channels, **fields)
    shop.person("email", member=False)
    campaign = shop.campaign(channels=["sms", "email"], type=kind)

    launching.launch(campaign, by=None)

    assert [(channel, state, reason) for channel, _, state, reason in born(campaign)] == [expected]


@pytest.mark.parametrize(("kind", "channel", "reason"), [("promotion", "email", ""), ("transactional", "email", "")])
def test_who_opted_out_of_one_channel_is_reached_on_the_next(shop, kind, channel, reason):
    person = shop.person("email", "sms")
    consent.withdraw(shop.account, channel="sms", address=person.phone, source="test", customer=person)
    campaign = shop.campaign(channels=["sms", "email"], type=kind)

    launching.launch(campaign, by=None)

    assert born(campaign) == [(channel, person.email, "queued", reason)]


def test_who_is_suppressed_everywhere_is_told_apart_from_who_never_agreed(shop):
    person = shop.person("sms")
    consent.withdraw(shop.account, channel="sms", address=person.phone, source="test", customer=person)
    shop.person()
    campaign = shop.campaign(channels=["sms"])

    assert planning.preflight(campaign) == {
        "audience": 0, "channels": {}, "skips": {"suppressed": 1, "no_consent": 1},
    }  # fmt: skip


def test_a_holdout_is_the_same_people_every_time_and_about_as_many_as_asked(shop):
    shop.people(300)
    campaign = shop.campaign(holdout_percent=30)

    first, second = planning.preflight(campaign), planning.preflight(campaign)
    launching.launch(campaign, by=None)

    assert first == second == campaign.preflight
    assert first["audience"] + first["skips"]["holdout"] == 300
    assert 60 <= first["skips"]["holdout"] <= 120
    assert metrics.left_out(campaign) == first["skips"]
    assert metrics.by_status(campaign)["queued"] == first["audience"]


@pytest.mark.parametrize(
    ("fields", "zone"),
    [
        ({"time_zone": "Asia/Tokyo", "country": "US"}, "Asia/Tokyo"),
        ({"country": "US"}, "America/New_York"),
        ({"country": "XX"}, "Europe/Lisbon"),
        ({"time_zone": "Mars/Olympus"}, "Europe/Lisbon"),
        ({}, "Europe/Lisbon"),
    ],
)
def test_quiet_hours_are_those_of_the_person_then_the_country_then_the_account(shop, fields, zone):
    Account.objects.filter(pk=shop.account.pk).update(time_zone="Europe/Lisbon")
    shop.person("email", **fields)
    campaign = MarketingCampaign.objects.get(pk=shop.campaign().pk)

    launching.launch(campaign, by=None)

    assert Delivery.objects.get().time_zone == zone


def test_a_launch_twice_is_refused_and_leaves_one_message_a_person(shop):
    shop.people(3)
    campaign = shop.campaign()
    launching.launch(campaign, by=None)

    with pytest.raises(launching.TransitionNotAllowed):
        launching.launch(campaign, by=None)

    assert Delivery.objects.count() == 3
    assert Lease.objects.filter(queue="crm_email", scope_id=campaign.pk).count() == 1


def test_the_clock_launches_what_is_due_and_takes_back_what_cannot_be(shop):
    shop.people(2)
    at = timezone.now() + timedelta(hours=1)
    ready, lacking, later = (shop.campaign(starts_at=at) for _ in range(3))
    for each in (ready, lacking, later):
        launching.schedule(each, by=None)
    due = MarketingCampaign.objects.filter(pk__in=[ready.pk, lacking.pk])
    due.update(starts_at=Now() - timedelta(seconds=5))
    MarketingCampaign.objects.filter(pk=lacking.pk).update(channels=["email", "sms"])
    type(shop.segment).objects.filter(pk=shop.segment.pk).update(size=100_001)

    sweeping.sweep()

    assert [status(each) for each in (ready, lacking, later)] == ["active", "draft", "scheduled"]
    assert "could not be launched" in rows_moved(MarketingCampaign, lacking.pk).last().reason


def test_a_campaign_without_an_end_is_over_when_nobody_waits(shop):
    people = shop.people(2)
    campaign = shop.campaign()
    launching.launch(campaign, by=None)
    sweeping.sweep()
    assert status(campaign) == "active"
    rows = Delivery.objects.of(campaign)
    Lease.objects.all().delete()
    sweeping.sweep()
    assert Lease.objects.filter(queue="crm_email").exists()

    rows.transition("begin")
    rows.transition("sent")
    Lease.objects.all().delete()
    sweeping.sweep()

    assert status(campaign) == "completed"
    assert Event.objects.get(type="campaign.completed").properties == {"campaign_id": campaign.public_id}
    assert len(people) == 2


def test_a_campaign_with_an_end_is_active_until_then_and_who_still_waits_gets_nothing(shop):
    shop.people(2)
    campaign = shop.campaign(ends_at=timezone.now() + timedelta(hours=1))
    launching.launch(campaign, by=None)
    sweeping.sweep()
    assert status(campaign) == "active"

    MarketingCampaign.objects.filter(pk=campaign.pk).update(
        starts_at=Now() - timedelta(hours=1), ends_at=Now() - timedelta(seconds=1)
    )
    sweeping.sweep()

    assert status(campaign) == "completed"
    assert metrics.left_out(campaign) == {"ended": 2}
    assert not Lease.objects.filter(scope_id=campaign.pk).exists()


@pytest.mark.parametrize(("audience", "reached"), [("snapshot", 1), ("live", 2)])
def test_who_joins_later_is_reached_by_a_live_campaign_only(shop, audience, reached):
    shop.people(1)
    campaign = shop.campaign(audience=audience, ends_at=timezone.now() + timedelta(days=1))
    launching.launch(campaign, by=None)
    shop.people(1)
    MarketingCampaign.objects.filter(pk=campaign.pk).update(planned_at=Now() - timedelta(minutes=2))

    sweeping.sweep()
    sweeping.sweep()

    assert Delivery.objects.of(campaign).queued().count() == reached


def test_a_large_launch_waits_for_a_second_person(shop, settings):
    settings.APPROVAL_PEOPLE = 1
    shop.people(2)
    campaign, asker, other = shop.campaign(), UserFactory(), UserFactory()

    asked = launching.move(campaign, "active", by=asker)
    assert (asked.summary["people"], status(campaign)) == (2, "draft")
    approvals.decide(asked, by=other, granted=True)

    assert launching.move(campaign, "active", by=asker) is None
    assert status(campaign) == "active"


def test_standing_counts_who_waits_and_who_has_it(shop):
    shop.people(3)
    campaign = shop.campaign()
    launching.launch(campaign, by=None)
    Delivery.objects.filter(pk=Delivery.objects.first().pk).transition("begin")

    assert launching.standing(campaign) == {"status": "active", "in_flight": 1, "remaining": 2, "sent": 0}


def test_a_segment_that_a_campaign_uses_is_not_deleted(shop):
    campaign = shop.campaign()

    with pytest.raises(segments.SegmentInUse) as refused:
        segments.delete(shop.segment)

    assert refused.value.details == {"used_by": [{"kind": "campaign", "id": campaign.public_id}]}


def test_a_segment_that_nobody_has_counted_is_not_taken_for_an_empty_one(shop):
    fresh = SegmentFactory(account=shop.account, type="dynamic", criteria={"email_opt_in": True})
    campaign = MarketingCampaignFactory(account=shop.account, segment=fresh)

    with pytest.raises(launching.CampaignNotReady) as refused:
        launching.launch(campaign, by=None)

    assert list(refused.value.details) == ["segment_id"]


@pytest.mark.parametrize(
    ("fields", "field"), [({"channels": []}, "channels"), ({"starts_at": None}, "schedule.start_date")]
)
def test_a_campaign_that_is_not_whole_is_not_scheduled(shop, fields, field):
    with pytest.raises(launching.CampaignNotReady) as refused:
        launching.schedule(shop.campaign(**fields), by=None)

    assert list(refused.value.details) == [field]


def test_a_suspended_account_launches_nothing(shop):
    shop.account.suspend()

    assert launching.obstacles(MarketingCampaign.objects.get(pk=shop.campaign().pk))["account"] == [
        "The account is suspended."
    ]


@pytest.mark.parametrize(("limit", "agreed", "asks"), [(1, 1, False), (1, 3, True), (3, 3, False)])
def test_only_people_who_would_be_reached_make_a_launch_large(shop, settings, limit, agreed, asks):
    settings.APPROVAL_PEOPLE = limit
    for number in range(3):
        shop.person(*["email"] * (number < agreed))

    assert (launching.move(shop.campaign(), "active", by=UserFactory()) is not None) == asks


def test_two_clocks_at_once_launch_and_complete_once(shop):
    shop.people(1)
    campaign = shop.campaign(starts_at=timezone.now() + timedelta(hours=1))
    launching.schedule(campaign, by=None)
    stale = MarketingCampaign.objects.select_related("account", "segment").get(pk=campaign.pk)
    launching.launch(campaign, by=None)

    launching._launch_by_clock(stale)
    launching.complete(campaign, by=None)
    launching._complete_by_clock(MarketingCampaign.objects.get(pk=campaign.pk))

    assert status(campaign) == "completed"
    assert Event.objects.filter(type="campaign.completed").count() == 1
