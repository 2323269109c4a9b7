"""Coupon campaigns as merchants see and run them; no page needs JavaScript."""

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from campaigns_project.models import Job
from coupons import standing
from coupons.models import CouponCampaign
from tests.coupons.factories import CouponCampaignFactory, CouponFactory, CouponUseFactory
from tests.factories import MembershipFactory, SegmentFactory
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
WINDOW = {"starts_at": "2026-01-01T10:00", "ends_at": "2099-01-01T10:00"}


@pytest.fixture
def author(api):
    """Somebody of the same account who writes drafts."""
    client = Client()
    client.force_login(caller(Role.MARKETING, account=api.account).user)
    return client


@pytest.fixture
def second(api):
    client = Client()
    client.force_login(MembershipFactory(account=api.account).user)
    return client


def at(campaign, rest=""):
    return f"/coupons/{campaign.pk}{rest}"


def text(answer):
    return answer.content.decode()


def fresh(campaign):
    return CouponCampaign.objects.get(pk=campaign.pk)


def seen_of(page, campaign):
    return page.get(at(campaign, "/edit/review")).context["form"].initial["seen"]


def test_the_four_steps_lead_to_an_active_campaign(api, page):
    api.account.time_zone = "Europe/Berlin"
    api.account.save()
    segment = SegmentFactory(account=api.account, name="Regulars")

    begun = page.post("/coupons/new", {"name": "Autumn", "kind": "single-use", "segment": segment.public_id})
    campaign = CouponCampaign.objects.get()
    discount = {"discount_type": "flat", "discount_value": "2.50", "min_cart": "20", "max_count": "30", "budget": "75"}
    said = page.post(at(campaign, "/edit/discount"), discount)
    codes = {"begins": "AUTUMN-", "quantity": "30", "low_coupons_threshold": "5", "display_code_on_listing": "on"}
    looked = page.post(at(campaign, "/edit/codes"), codes)
    opened = page.post(at(campaign, "/edit/review"), WINDOW | {"seen": seen_of(page, campaign), "activate": ""})

    steps = [at(campaign, f"/edit/{step}") for step in ("discount", "codes", "review")]
    assert [each.headers["Location"] for each in (begun, said, looked, opened)] == [*steps, at(campaign)]
    campaign = fresh(campaign)
    assert (campaign.status, campaign.segment, campaign.budget, campaign.max_count) == ("active", segment, 7500, 30)
    assert campaign.starts_at == dt.datetime(2026, 1, 1, 9, tzinfo=dt.UTC)
    assert campaign.prefix == "AUTUMN-"
    assert campaign.settings == {
        "discount_type": "flat", "discount_value": 250, "display_code_on_listing": True, "low_coupons_threshold": 5,
        "single_use_min_cart_value": "2000", "single_use_quantity": 30,
    }  # fmt: skip
    assert Job.objects.get().total == 30


def test_each_step_shows_what_was_saved(api, page):
    campaign = CouponCampaignFactory(account=api.account, prefix="A-", max_count=1_000, coupon_count=3)

    shown = {step: text(page.get(at(campaign, f"/edit/{step}"))) for step in ("audience", "discount", "codes")}

    assert f'value="{campaign.name}"' in shown["audience"]
    assert 'value="1000"' in shown["discount"]
    assert "It stays, because there are codes" in shown["codes"]
    assert shown["codes"].count('<li class="mono">A-') == 5


@pytest.mark.parametrize(
    ("step", "wrong", "said"),
    [
        ("audience", {"name": ""}, "This field is required."),
        ("discount", {"discount_value": "101"}, "A percentage is at most 100."),
        ("discount", {"discount_value": "9.5"}, "A percentage is a whole number."),
        ("discount", {"discount_type": "flat", "discount_value": "0.001"}, "at most 2 decimals"),
        ("discount", {"max_count": "2"}, "used 3 times already"),
        ("discount", {"min_cart": "5", "variant": "v"}, "Give one of: smallest cart, product, variant."),
        ("codes", {"begins": "a b"}, "A prefix has at most 20 letters"),
        ("codes", {"begins": "taken"}, "Another of your coupon campaigns has that prefix."),
    ],
)
def test_a_mistake_in_a_step_is_said_and_changes_nothing(api, page, step, wrong, said):
    CouponCampaignFactory(account=api.account, prefix="TAKEN")
    campaign = CouponCampaignFactory(account=api.account, used=3)
    form = {"name": "N", "discount_type": "percentage", "discount_value": "5"} | wrong

    answer = page.post(at(campaign, f"/edit/{step}"), form)

    assert answer.status_code == 400
    assert said in text(answer)
    assert fresh(campaign).settings == campaign.settings


def test_a_group_is_not_asked_for_what_single_use_has(api, page):
    campaign = CouponCampaignFactory(account=api.account, kind="group")

    assert "Only for the product" not in text(page.get(at(campaign, "/edit/discount")))
    assert "How many codes" not in text(page.get(at(campaign, "/edit/codes")))
    saved = page.post(at(campaign, "/edit/codes"), {"begins": "G", "close": ""})
    assert (saved.headers["Location"], fresh(campaign).prefix) == (at(campaign), "G")


def test_no_step_is_called_otherwise(api, page):
    campaign = CouponCampaignFactory(account=api.account)

    assert page.get(at(campaign, "/edit/other")).status_code == 404
    assert page.get(at(campaign, "/confirm/other")).status_code == 404
    assert page.get("/coupons/7").status_code == 404
    assert page.get(at(CouponCampaignFactory())).status_code == 404


def test_what_is_missing_is_said_before_it_is_active(api, page):
    campaign = CouponCampaignFactory(account=api.account, settings={}, starts_at=None, ends_at=None)
    review = at(campaign, "/edit/review")

    answer = page.post(review, {"seen": seen_of(page, campaign), "activate": ""})

    assert answer.status_code == 400
    for sentence in (
        "Say when it starts.",
        "Say when it ends.",
        "Say what its coupons give.",
        "There are no codes yet",
    ):
        assert sentence in text(answer)
    assert page.post(review, WINDOW | {"save": ""}).status_code == 303
    assert fresh(campaign).ends_at.year == 2099


def test_nobody_opens_what_changed_meanwhile(api, page):
    campaign = CouponCampaignFactory(account=api.account)
    seen = seen_of(page, campaign)
    CouponCampaign.objects.filter(pk=campaign.pk).update(budget=1)

    answer = page.post(at(campaign, "/edit/review"), {"seen": seen, "activate": ""}, follow=True)

    assert "Something changed since you looked." in text(answer)
    assert fresh(campaign).status == "draft"


def test_an_author_writes_drafts_and_opens_nothing(api, author):
    draft, running = (CouponCampaignFactory(account=api.account, status=status) for status in ("draft", "active"))

    assert "somebody else activates" in text(author.get(at(draft, "/edit/review")))
    opened = author.post(at(draft, "/edit/review"), WINDOW | {"seen": seen_of(author, draft), "activate": ""})
    assert (opened.status_code, fresh(draft).status) == (403, "draft")
    assert author.get(at(running, "/edit/codes")).status_code == 403
    assert author.get(at(draft, "/confirm/archive")).status_code == 403
    assert "/edit/" not in text(author.get(at(running)))


@pytest.mark.parametrize(
    ("status", "offered"),
    [
        ("draft", {"edit/review", "archive", "delete"}),
        ("active", {"edit/audience", "deactivate", "extend", "delete"}),
        ("inactive", {"edit/audience", "extend", "archive", "delete"}),
        ("archived", {"delete"}),
    ],
)
def test_only_what_is_allowed_now_is_offered(api, page, status, offered):
    campaign = CouponCampaignFactory(account=api.account, status=status)

    shown = text(page.get(at(campaign)))

    ways = ("edit/review", "edit/audience", "deactivate", "extend", "archive", "delete")
    assert {way for way in ways if f'{way}"' in shown} == offered


def test_a_campaign_is_deactivated_and_extended_with_a_reason(api, page):
    campaign = CouponCampaignFactory(account=api.account, status="active")

    assert "No coupon of" in text(page.get(at(campaign, "/confirm/deactivate")))
    page.post(at(campaign, "/confirm/deactivate"), {"reason": "Sold out"})
    stopped = fresh(campaign)
    page.post(at(campaign, "/confirm/extend"), {"ends_at": "2099-01-01T10:00"})

    assert (stopped.status, fresh(campaign).status, fresh(campaign).ends_at.year) == ("inactive", "active", 2099)
    assert "“Sold out”" in text(page.get(at(campaign)))


@pytest.mark.parametrize(("end", "said"), [("", "This field is required."), ("2001-01-01T10:00", "later than now")])
def test_an_end_that_is_none_is_refused(api, page, end, said):
    campaign = CouponCampaignFactory(account=api.account, status="active")

    answer = page.post(at(campaign, "/confirm/extend"), {"ends_at": end})

    assert answer.status_code == 400
    assert said in text(answer)


@pytest.mark.parametrize(("action", "left"), [("archive", "archived"), ("delete", None)])
def test_what_cannot_be_undone_asks_for_the_name(api, page, action, left):
    campaign = CouponFactory(campaign__account=api.account).campaign
    where = at(campaign, f"/confirm/{action}")

    assert page.post(where, {"typed": "something"}).status_code == 400
    assert fresh(campaign).status == "draft"
    assert page.post(where, {"typed": campaign.name}).status_code == 303
    found = CouponCampaign.objects.filter(pk=campaign.pk).first()
    assert (found and found.status) == left


def test_what_was_redeemed_is_not_deleted(api, page):
    campaign = CouponUseFactory(coupon__campaign__account=api.account).campaign

    answer = page.post(at(campaign, "/confirm/delete"), {"typed": campaign.name})

    assert "archive the campaign instead" in text(answer)
    assert page.post(at(fresh(campaign), "/confirm/extend")).status_code == 409


def test_a_second_person_decides_on_the_page(api, page, second):
    campaign = CouponCampaignFactory(account=api.account, budget=200_000)
    review = at(campaign, "/edit/review")
    assert "Ask to activate" in text(page.get(review))
    page.post(review, {"seen": seen_of(page, campaign), "activate": ""} | WINDOW)

    own = page.get(at(campaign))
    assert "Waiting for a second person." in text(own)
    assert "it may cost $2,000.00" in text(own)
    assert "Your word is needed" not in text(own)
    refused = page.post(at(campaign, "/decide"), {"decision": "yes"}, follow=True)
    assert "Somebody else than the person who asked has to decide." in text(refused)
    assert "Agree and activate" in text(second.get(at(campaign)))
    second.post(at(campaign, "/decide"), {"decision": "yes"})
    assert fresh(campaign).status == "active"


def test_a_second_person_refuses_or_is_asked_anew(api, page, second):
    campaign = CouponCampaignFactory(account=api.account, status="inactive", budget=200_000)
    page.post(at(campaign, "/confirm/extend"), {"ends_at": "2099-01-01T10:00"})
    CouponCampaign.objects.filter(pk=campaign.pk).update(budget=300_000)

    grown = second.post(at(campaign, "/decide"), {"decision": "yes"}, follow=True)
    refused = page.post(at(campaign, "/decide"), {"decision": "no"}, follow=True)

    assert "It has grown since you were asked" in text(grown)
    assert "Refused. Nothing was changed." in text(refused)
    assert fresh(campaign).status == "inactive"


def test_the_list_is_narrowed_and_counted(api, page):
    CouponCampaignFactory(account=api.account, name="Summer sale", kind="group", prefix="SUM")
    CouponCampaignFactory(account=api.account, name="Winter", status="active")

    found = {
        query: [row["campaign"].name for row in page.get(f"/coupons?{query}").context["page"].rows]
        for query in ("", "status=active", "kind=group", "q=summer", "q=su", "q=zz", "status=other")
    }

    both = ["Winter", "Summer sale"]
    assert found == {
        "": both, "status=active": ["Winter"], "kind=group": ["Summer sale"], "q=summer": ["Summer sale"],
        "q=su": ["Summer sale"], "q=zz": [], "status=other": both,
    }  # fmt: skip
    tabs = page.get("/coupons").context["tabs"]
    assert [(tab["label"], tab["count"]) for tab in tabs][:3] == [("All", 2), ("Draft", 1), ("Active", 1)]
    assert "No coupon campaign here" in text(page.get("/coupons?q=zz"))


def test_an_empty_list_says_how_to_begin(page):
    assert "No coupon campaigns yet" in text(page.get("/coupons"))
    assert "/coupons/new" in text(page.get("/campaigns/new"))
    assert page.post("/coupons/new", {"name": "", "kind": "flash"}).status_code == 400


NOW = timezone.now()


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"status": "active", "ends_at": NOW + dt.timedelta(hours=6.5)}, "Ends in 6 h"),
        ({"status": "active", "ends_at": NOW + dt.timedelta(minutes=30.5)}, "Ends in 30 min"),
        ({"status": "inactive", "ends_at": NOW - dt.timedelta(hours=1)}, "Expired"),
        ({"status": "archived", "ends_at": NOW - dt.timedelta(hours=1)}, None),
        ({"status": "active", "settings": {"discount_type": "flat", "discount_value": 5, "low_coupons_threshold": 4},
          "coupon_count": 9, "used": 5}, "Running low"),
        ({"status": "active", "kind": "group", "max_count": 9, "used": 9}, "Used up"),
        ({"status": "active", "kind": "group", "used": 9}, None),
    ],
)  # fmt: skip
def test_what_stands_beside_the_status(api, page, made, said):
    campaign = CouponCampaignFactory(account=api.account, **made)

    labels = [label for _, _, label in standing.notes(campaign, NOW)]

    assert labels == ([said] if said else [])
    assert CouponCampaign.objects.filter(standing.LOW).exists() is standing.is_low(campaign)
    assert said is None or said[:4] in text(page.get("/coupons"))


def test_home_tells_what_runs_low_and_what_waits_for_a_second_person(api, page):
    low = {"discount_type": "flat", "discount_value": 5, "low_coupons_threshold": 4}
    CouponCampaignFactory(
        account=api.account, name="Nearly gone", status="active", settings=low, coupon_count=9, used=6
    )
    large = CouponCampaignFactory(account=api.account, name="Large", budget=200_000)
    page.post(at(large, "/edit/review"), WINDOW | {"seen": seen_of(page, large), "activate": ""})

    shown = text(page.get("/"))

    assert "Nearly gone is running low" in shown
    assert "3 uses are left." in shown
    assert "To activate Large." in shown
