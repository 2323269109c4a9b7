"""How coupon campaigns open, are extended, close and end, and when a second person decides."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import approvals
from accounts.models import Approval
from accounts.roles import Role
from coupons import opening, tasks
from coupons.models import Coupon, CouponCampaign
from tests.coupons.factories import CouponCampaignFactory, CouponFactory
from tests.factories import MembershipFactory
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
BASE = "/api/platform/v1/coupon_campaigns"
LATER = "2099-01-01T00:00:00.000Z"
STATES = ("draft", "active", "inactive", "archived")
# The drawing, with our way into the archive.
DRAWN = {
    ("draft", "activate"): "active",
    ("active", "deactivate"): "inactive",
    ("inactive", "extend_expiry_and_activate"): "active",
    ("active", "extend_expiry_and_activate"): "active",
    ("draft", "archive"): "archived",
    ("inactive", "archive"): "archived",
}
VERBS = sorted({verb for _, verb in DRAWN})


def moved(api, campaign, **said):
    return api.post(f"{BASE}/{campaign.pk}/transition", json=said)


def told(verb):
    return {"event": verb} | ({"ends_at": LATER} if verb == opening.EXTEND else {})


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("status", STATES)
def test_every_event_in_every_state_is_answered_as_drawn(api, status, verb):
    campaign = CouponCampaignFactory(account=api.account, status=status)

    answer = moved(api, campaign, **told(verb))

    if (status, verb) in DRAWN:
        assert (answer.status_code, answer.json()["status"]) == (200, DRAWN[status, verb])
        move = CouponCampaign.machine.moves.objects.filter(row_id=campaign.pk).latest("id")
        assert (move.verb, move.source, move.by_id) == (verb, status, api.user.pk)
    else:
        allowed = sorted(each for state, each in DRAWN if state == status)
        details = answer.json()["details"]
        assert (answer.status_code, answer.json()["code"]) == (409, "transition_not_allowed")
        assert sorted(details["allowed"]) == allowed


@pytest.mark.parametrize("event", ["active", "delete", "__init__", "", None])
def test_an_event_nobody_drew_is_refused(api, event):
    assert moved(api, CouponCampaignFactory(account=api.account), event=event).status_code == 400


@pytest.mark.parametrize(
    ("made", "missing"),
    [
        ({"starts_at": None, "ends_at": None}, ["ends_at", "starts_at"]),
        ({"settings": {}}, ["settings.discount_value"]),
        ({"kind": "lightning", "starts_at": None, "ends_at": None}, ["ends_at", "max_count", "starts_at"]),
    ],
)
def test_what_is_missing_keeps_a_campaign_from_opening(api, made, missing):
    campaign = CouponCampaignFactory(account=api.account, **made)

    answer = moved(api, campaign, event="activate")

    assert (answer.status_code, answer.json()["code"]) == (409, "campaign_not_ready")
    assert sorted(answer.json()["details"]) == missing


def test_an_extension_needs_an_end_later_than_now_and_than_before(api):
    ends_at = timezone.now() + timedelta(days=30)
    campaign = CouponCampaignFactory(account=api.account, status="active", ends_at=ends_at)
    over = CouponCampaignFactory(account=api.account, status="inactive", ends_at=ends_at - timedelta(days=30.5))
    yesterday, tomorrow = ((timezone.now() + timedelta(days=days)).isoformat() for days in (-0.1, 1))

    answers = [
        moved(api, campaign, event=opening.EXTEND),
        moved(api, campaign, event=opening.EXTEND, ends_at=None),
        moved(api, campaign, event=opening.EXTEND, ends_at=tomorrow),
        moved(api, campaign, event=opening.EXTEND, ends_at=ends_at.isoformat()),
        moved(api, over, event=opening.EXTEND, ends_at=yesterday),
        moved(api, over, event="archive", ends_at=tomorrow),
    ]

    assert [(answer.status_code, list(answer.json()["details"])) for answer in answers] == [(400, ["ends_at"])] * 6
    assert moved(api, over, event=opening.EXTEND, ends_at=tomorrow).status_code == 200


def test_an_extension_reaches_the_coupons(api):
    coupon = CouponFactory(campaign=CouponCampaignFactory(account=api.account, status="active"))

    answer = moved(api, coupon.campaign, event=opening.EXTEND, ends_at=LATER)

    assert answer.json()["ends_at"] == LATER
    assert Coupon.objects.get(pk=coupon.pk).ends_at.year == 2099


def test_a_lightning_sale_is_not_extended_past_its_day(api):
    now = timezone.now()
    campaign = CouponCampaignFactory(
        account=api.account, kind="lightning", max_count=1, starts_at=now, ends_at=now + timedelta(hours=2)
    )
    campaign.activate()

    answers = [
        moved(api, campaign, event=opening.EXTEND, ends_at=(now + timedelta(hours=hours)).isoformat())
        for hours in (25, 24)
    ]

    assert [answer.status_code for answer in answers] == [400, 200]


def test_an_author_opens_nothing(api):
    author = caller(Role.MARKETING, account=api.account)

    assert moved(author, CouponCampaignFactory(account=api.account), event="activate").status_code == 403


def test_the_clock_ends_what_is_over_and_nothing_else():
    now = timezone.now()
    over = CouponCampaignFactory(status="active", starts_at=now - timedelta(days=2), ends_at=now)
    running = CouponCampaignFactory(status="active")
    draft = CouponCampaignFactory(starts_at=now - timedelta(days=2), ends_at=now)

    tasks.end_coupon_campaigns()

    states = [CouponCampaign.objects.get(pk=each.pk).status for each in (over, running, draft)]
    assert states == ["inactive", "active", "draft"]
    move = CouponCampaign.machine.moves.objects.filter(row_id=over.pk).latest("id")
    assert (move.verb, move.by_id, move.reason) == ("deactivate", None, opening.ENDED)


LARGE = [
    ({"max_count": 10_001}, {"uses": 10_001, "amount": None}),
    ({"budget": 100_001}, {"uses": 0, "amount": 100_001}),
    ({"settings": {"discount_type": "flat", "discount_value": 501, "single_use_quantity": 200}},
     {"uses": 200, "amount": 100_200}),
]  # fmt: skip


@pytest.mark.parametrize(("made", "stake"), LARGE)
def test_what_may_cost_much_waits_for_a_second_person(api, made, stake):
    kind = {"kind": "group"} if "max_count" in made else {}
    campaign = CouponCampaignFactory(account=api.account, **kind, **made)

    answer = moved(api, campaign, event="activate")

    assert answer.status_code == 202
    assert answer.json() == {"id": str(campaign.pk), "status": "approval_pending", **stake}
    assert CouponCampaign.objects.get(pk=campaign.pk).status == "draft"


@pytest.mark.parametrize("made", [{"max_count": 10_000, "kind": "group"}, {"budget": 100_000}, {"kind": "group"}])
def test_what_costs_less_opens_at_once(api, made):
    campaign = CouponCampaignFactory(account=api.account, **made)

    assert moved(api, campaign, event="activate").json()["status"] == "active"


def test_where_one_person_is_enough_nobody_is_asked(api):
    api.account.require_approval = False
    api.account.save()

    assert moved(api, CouponCampaignFactory(account=api.account, budget=10**9), event="activate").status_code == 200


def decided(campaign, granted, by=None):
    by = by or MembershipFactory(account=campaign.account).user
    return opening.decide(CouponCampaign.objects.get(pk=campaign.pk), by=by, granted=granted)


@pytest.mark.parametrize(("granted", "status"), [(True, "active"), (False, "inactive")])
def test_the_second_person_decides_and_a_yes_does_what_was_asked_for(api, granted, status):
    campaign = CouponCampaignFactory(account=api.account, status="inactive", budget=100_001)
    moved(api, campaign, event=opening.EXTEND, ends_at=LATER)

    with pytest.raises(approvals.SamePerson):
        decided(campaign, granted, by=api.user)
    decided(campaign, granted)

    campaign = CouponCampaign.objects.get(pk=campaign.pk)
    assert campaign.status == status
    assert (campaign.ends_at.year == 2099) is granted
    with pytest.raises(approvals.AlreadyDecided):
        decided(campaign, granted)


def test_a_word_is_good_for_as_much_as_was_asked(api):
    campaign = CouponCampaignFactory(account=api.account, budget=100_001)
    moved(api, campaign, event="activate")
    CouponCampaign.objects.filter(pk=campaign.pk).update(budget=200_000)

    assert decided(campaign, granted=True).summary["amount"] == 200_000
    assert CouponCampaign.objects.get(pk=campaign.pk).status == "draft"
    assert Approval.objects.filter(granted=None).count() == 1


def test_an_active_campaign_does_not_grow_over_the_limit_by_one_persons_word(api):
    campaign = CouponCampaignFactory(account=api.account, kind="group", status="active", max_count=200)
    flat = {"settings": {"discount_type": "flat", "discount_value": 501}}

    answers = [
        api.put(f"{BASE}/{campaign.pk}/limits", json={"budget": 100_001}),
        api.patch(f"{BASE}/{campaign.pk}", json=flat),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(409, "approval_needed")] * 2
    assert CouponCampaign.objects.get(pk=campaign.pk).budget is None
