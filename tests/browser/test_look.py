import re

import pytest
from playwright.sync_api import expect

from tests import sample_pages
from tests.browser.checks import assert_well_made
from tests.factories import MembershipFactory, UserFactory

pytestmark = [pytest.mark.browser, pytest.mark.urls("tests.sample_pages")]


@pytest.fixture(autouse=True)
def nothing_seen_yet():
    for kept in sample_pages.seen.values():
        kept.clear()


@pytest.mark.parametrize("path", ["/kit", "/kit/confirm", "/sample/refusing/409"])
def test_a_merchants_page_is_well_made(merchant_page, path):
    assert_well_made(merchant_page(path))


@pytest.mark.parametrize("path", ["/login", "/nowhere", "/sample/login/error", "/sample/login/retry_after"])
def test_a_strangers_page_is_well_made(strangers_page, path):
    assert_well_made(strangers_page(path))


def test_the_operators_front_page_is_well_made(page_of):
    operator = MembershipFactory(user__is_staff=True, user__is_superuser=True).user
    page = page_of(operator)("/admin/")

    expect(page.get_by_role("heading", name="Operations", level=1)).to_be_visible()
    page.watched.requests = page.watched.requests[:1]  # Django's own style sheets are not in our budget.
    assert_well_made(page)


def test_signing_in_leads_to_the_page_that_was_asked_for(strangers_page):
    MembershipFactory(user=UserFactory(email="dana@example.test", password="correct horse"))
    page = strangers_page("/kit", java_script_enabled=False)
    page.get_by_label("E-mail").fill("dana@example.test")
    page.get_by_label("Password").fill("wrong horse")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("heading", name="Design kit", level=1)).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_the_theme_is_chosen_and_stays(merchant_page, scripts):
    page = merchant_page("/kit", java_script_enabled=scripts)
    page.locator("details.who summary").click()
    page.get_by_role("button", name="Dark").click()

    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("body")).to_have_css("background-color", "rgb(20, 19, 18)")


def test_the_first_key_leads_past_the_navigation(merchant_page):
    page = merchant_page("/kit")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_role("main")).to_be_focused()


def test_a_confirmation_opens_in_place_and_is_sent(merchant_page):
    page = merchant_page("/kit")
    page.get_by_role("link", name="Archive…").click()
    dialog = page.get_by_role("dialog", name="Archive 2 campaigns?")
    dialog.get_by_label("Reason").fill("Old")
    dialog.get_by_role("button", name="Archive 2 campaigns").click()

    expect(page.get_by_role("status").first).to_contain_text("Nothing was archived")


@pytest.mark.parametrize("way_out", ["Escape", "Cancel", "Beside"])
def test_a_dialog_closes_and_gives_the_focus_back(merchant_page, way_out):
    page = merchant_page("/kit")
    link = page.get_by_role("link", name="Archive…")
    link.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    if way_out == "Escape":
        page.keyboard.press("Escape")
    elif way_out == "Cancel":
        dialog.get_by_role("link", name="Cancel").click()
    else:
        page.mouse.click(5, 5)

    expect(dialog).to_have_count(0)
    expect(link).to_be_focused()
    assert page.url.endswith("/kit")


def test_without_scripts_the_same_question_is_a_page(merchant_page):
    page = merchant_page("/kit", java_script_enabled=False)
    page.get_by_role("link", name="Archive…").click()
    page.get_by_role("button", name="Archive 2 campaigns").click()

    expect(page.get_by_role("status").first).to_contain_text("Nothing was archived")


def test_a_live_piece_moves_and_comes_to_rest(merchant_page):
    page = merchant_page("/sample")
    expect(page.locator("[data-live] .muted")).to_have_text("10 sent", timeout=15_000)
    asked = list(sample_pages.seen["live"])
    page.wait_for_timeout(2_500)

    assert sample_pages.seen["live"] == asked
    assert asked[0] is None
    assert re.fullmatch('"[0-9a-f]{32}"', asked[1])
    expect(page.locator("[data-announcer]")).to_have_text("5 sent")


def test_the_preview_follows_the_writing(merchant_page):
    page = merchant_page("/sample")
    page.get_by_role("button", name="Name").click()
    expect(page.locator("#preview")).to_have_text("Hello {{ lead_name }}")
    page.get_by_label("Body").press_sequentially("!")

    expect(page.locator("#preview")).to_have_text("Hello {{ lead_name }}!")


def test_a_second_click_sends_nothing(merchant_page):
    page = merchant_page("/sample")
    page.get_by_label("Body").fill("once")
    with page.expect_response("**/sample/save"):
        page.get_by_role("button", name="Save").dblclick()

    assert [request.method for request in page.watched.requests if request.url.endswith("/save")] == ["POST"]
    assert sample_pages.seen["saved"] == ["once"]


def test_picked_rows_are_counted(merchant_page):
    page = merchant_page("/sample")
    page.get_by_label("One").check()
    expect(page.locator("[data-picked]")).to_have_text("1 selected")
    page.get_by_label("All").check()
    expect(page.locator("[data-picked]")).to_have_text("2 selected")
    page.get_by_label("All").uncheck()

    expect(page.locator(".bulk")).to_be_hidden()


def test_a_command_is_copied(merchant_page):
    page = merchant_page("/kit", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy command").click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "bin/run"


def test_the_account_menu_closes_on_escape(merchant_page):
    page = merchant_page("/kit")
    page.locator("details.who summary").click()
    page.keyboard.press("Escape")

    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
