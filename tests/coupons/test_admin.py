"""Coupon campaigns and coupons as operators see, move and limit them."""

import pytest

from campaigns_project.models import AuditEntry
from coupons import opening
from coupons.models import Coupon, CouponCampaign
from tests.coupons.factories import CouponCampaignFactory, CouponFactory
from tests.factories import UserFactory
from tests.operators_world import address, operator, said

pytestmark = pytest.mark.django_db
WHY = {"reason": "asked by the shop"}


@pytest.fixture
def staff(client):
    return operator(client)


def fresh(row):
    return type(row).objects.get(pk=row.pk)


def acted(staff, row, name, **told):
    return staff.post(address(row, "act", name), WHY | told, follow=True)


@pytest.mark.parametrize(
    ("before", "verb", "after"),
    [("active", "deactivate", "inactive"), ("inactive", "archive", "archived"), ("draft", "archive", "archived")],
)
def test_an_operator_moves_a_campaign_with_a_reason(staff, before, verb, after):
    campaign = CouponCampaignFactory(status=before)

    staff.post(address(campaign, "transition", verb), WHY | {"seen": before})

    assert fresh(campaign).status == after
    assert CouponCampaign.machine.moves.objects.filter(row_id=campaign.pk).latest("id").reason == WHY["reason"]


def test_many_are_moved_at_once(staff):
    campaigns = [CouponCampaignFactory(status=status) for status in ("active", "active", "draft")]
    chosen = {"action": "transition_deactivate", "_selected_action": [str(each.pk) for each in campaigns]}

    asked = staff.post(address(CouponCampaign), chosen).content.decode()
    ids = ",".join([*(str(each.pk) for each in campaigns), "7", "x"])
    answer = staff.post(address(CouponCampaign), chosen | WHY | {"chosen": ids}, follow=True)

    assert str(campaigns[0].pk) in asked
    assert said(answer) == ["2 moved, 1 refused: 1 draft."]


def test_an_operator_opens_and_extends(staff):
    campaign = CouponCampaignFactory()

    acted(staff, campaign, "activate")
    opened = fresh(campaign)
    acted(staff, campaign, "extend", ends_at="2099-01-01 10:00")

    assert opened.status == "active"
    assert fresh(campaign).ends_at.year == 2099
    assert AuditEntry.objects.filter(action="couponcampaign.extend", reason=WHY["reason"]).exists()


def test_what_may_cost_much_takes_two(staff, client):
    campaign = CouponCampaignFactory(budget=200_000)

    answers = [said(acted(staff, campaign, name)) for name in ("activate", "agree")]
    opening.decide(campaign, by=UserFactory(), granted=False)
    opening.move(campaign, "activate", by=UserFactory())
    shown = staff.get(address(campaign, "change")).content.decode()
    refused = fresh(campaign).status
    acted(staff, campaign, "refuse")
    opening.move(campaign, "activate", by=UserFactory())
    acted(staff, campaign, "agree")

    assert answers[0] == ["Asked: a second person decides."]
    assert "A second person is asked" in shown
    assert (refused, fresh(campaign).status) == ("draft", "active")


def test_limits_and_settings_are_changed_field_by_field(staff):
    campaign = CouponCampaignFactory(settings={"discount_type": "percentage", "discount_value": 10})

    acted(staff, campaign, "limit", max_count="50", budget="")
    acted(staff, campaign, "change", discount_value="20", display_code_on_listing="no")

    campaign = fresh(campaign)
    assert (campaign.max_count, campaign.budget) == (50, None)
    assert campaign.settings == {
        "discount_type": "percentage", "discount_value": 20, "display_code_on_listing": False,
    }  # fmt: skip
    assert (
        "Change settings" not in staff.get(address(CouponCampaignFactory(status="archived"), "change")).content.decode()
    )


def test_a_rule_says_no_here_too(staff):
    campaign = CouponCampaignFactory(status="active", max_count=10)

    page = acted(staff, campaign, "limit", budget="200000").content.decode()

    assert "more than one person decides" in page
    assert fresh(campaign).budget is None


def test_the_list_finds_what_runs_low_or_ends(staff):
    low = {"discount_type": "flat", "discount_value": 5, "low_coupons_threshold": 4}
    CouponCampaignFactory(name="Nearly gone", status="active", settings=low, coupon_count=9, used=5, prefix="LOW")
    CouponCampaignFactory(name="Plenty", status="active", kind="group", max_count=9)

    listed = {query: staff.get(f"{address(CouponCampaign)}?{query}").content.decode()
              for query in ("low=yes", "ends=soon", "q=low", "")}  # fmt: skip

    assert ["Nearly gone" in page for page in listed.values()] == [True, False, True, True]
    assert ["Plenty" in page for page in listed.values()] == [False, False, False, True]
    assert "5 of 9" in listed[""]
    assert "Running low" in listed[""]


@pytest.mark.parametrize(
    ("verbs", "after"), [(["void"], "void"), (["deactivate"], "inactive"), (["deactivate", "activate"], "active")]
)
def test_a_coupon_is_found_by_its_code_and_voided(staff, verbs, after):
    coupon = CouponFactory(code="Leaked-1")
    assert "Leaked-1" in staff.get(f"{address(Coupon)}?q=leaked").content.decode()

    for verb in verbs:
        staff.post(address(coupon, "transition", verb), WHY | {"seen": fresh(coupon).status})

    assert fresh(coupon).status == after
    assert fresh(coupon).code in staff.get(address(coupon, "change")).content.decode()
