"""Operators' pages in a real browser: no fault of axe, nothing foreign, nothing refused by our policy."""

import pytest

from accounts.models import Account
from accounts.roles import Role
from campaigns.models import Broadcast, Campaign, CampaignLeadMessage, MessageAttempt
from crm.models import Suppression
from dispatch.models import InboxEntry
from tests.browser.checks import LOOKS, assert_sound
from tests.factories import MembershipFactory
from tests.operators_world import MODELS, address, rows_of

pytestmark = pytest.mark.browser
# Each scheme and each width once: there are some sixty of these pages, made of the same parts.
BOTH_SCHEMES_AND_WIDTHS = [LOOKS[0], LOOKS[-1]]


@pytest.fixture
def member():
    return MembershipFactory(user__is_staff=True, user__is_superuser=True, role=Role.PLATFORM_ADMIN)


@pytest.fixture
def operators_page(page_of, member):
    return page_of(member.user)


def assert_sound_and_quiet(page, path, looks=LOOKS):
    page.goto(path)
    assert_sound(page, looks)
    assert page.watched.troubles == []


def test_the_pages_that_operators_use_most(operators_page, member):
    row = {model: rows_of(model, member.account)[0] for model in MODELS}
    paths = [
        "/admin/",
        address(CampaignLeadMessage),
        address(row[Campaign], "change"),
        address(row[CampaignLeadMessage], "change"),
        address(row[Account], "change"),
        address(row[Broadcast], "transition", "pause"),
        address(row[MessageAttempt], "act", "resolve"),
        address(row[Suppression], "act", "remove"),
        address(row[Campaign], "history"),
        f"{address(Suppression)}add/",
    ]

    page = operators_page("/admin/")
    for path in paths:
        assert_sound_and_quiet(page, path)


def test_a_list_and_a_page_of_every_kind(operators_page, member):
    page = operators_page("/admin/")
    for model in MODELS:
        row = rows_of(model, member.account)[0]
        assert_sound_and_quiet(page, address(model), BOTH_SCHEMES_AND_WIDTHS)
        assert_sound_and_quiet(page, address(row, "change"), BOTH_SCHEMES_AND_WIDTHS)


def test_an_act_on_many_by_keyboard(operators_page, member):
    first, second = (rows_of(InboxEntry, member.account, (n,))[0] for n in (1, 2))
    page = operators_page(address(InboxEntry))
    page.get_by_label("Select all objects on this page for an action").check()
    page.get_by_label("Action:").select_option("Mark ignored …")
    page.get_by_role("button", name="Go").press("Enter")
    page.get_by_label("Reason:").fill("the shop is closed")
    page.get_by_role("button", name="Mark ignored 2").press("Enter")
    page.get_by_text("2 done, 0 refused.").wait_for()

    assert set(InboxEntry.objects.values_list("result", flat=True)) == {"no_effect"}
    assert first != second
