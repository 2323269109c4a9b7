import re

import pytest
from playwright.sync_api import expect

from campaigns import broadcasting, drafting, leads
from campaigns.models import Broadcast, CampaignLeadMessage
from tests.browser.checks import assert_well_made
from tests.campaigns.pages_world import draft, ready_template, running
from tests.factories import (
    MembershipFactory,
    in_state,
)

pytestmark = pytest.mark.browser
both_ways = pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])


@both_ways
def test_the_four_steps_lead_to_a_send(merchant_page, api, scripts):
    campaign = ready_template(api.account, people=0, content_context={"body": "Hi {{1}}, we are open again."})
    page = merchant_page("/campaigns", java_script_enabled=scripts)
    page.get_by_role("link", name="Create campaign").first.click()
    page.get_by_role("button", name=re.compile(f"template, {campaign.name}")).click()
    page.get_by_label("Paste numbers").fill("+14155550101, Amira\n+14155550102")
    page.get_by_role("button", name="Save and continue").click()
    expect(page.get_by_label(campaign.name)).to_be_checked()
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_label("lead_name").fill("friend")
    page.get_by_role("button", name="Save and continue").click()
    expect(page.get_by_text("2 people will get it")).to_be_visible()
    page.get_by_role("link", name="Personalise").click()
    expect(page.get_by_label("lead_name")).to_have_value("friend")
    page.get_by_role("button", name="Save and continue").click()
    page.get_by_role("button", name="Send 2 messages").click()

    expect(page.get_by_role("status").first).to_contain_text("Sending to 2 people.")
    bodies = CampaignLeadMessage.objects.values_list("context__body", flat=True)
    assert sorted(bodies) == ["Hi Amira, we are open again.", "Hi friend, we are open again."]


@both_ways
def test_a_mistake_in_a_step_loses_nothing(merchant_page, api, scripts):
    page = merchant_page(f"/campaigns/wa_{draft(api.account).pk}/edit/audience", java_script_enabled=scripts)
    page.get_by_label("Paste numbers").fill("+14155550101\nAmira")
    page.get_by_role("button", name="Add and stay").click()

    expect(page.get_by_text("Line 2: “Amira”")).to_be_visible()
    expect(page.get_by_label("Paste numbers")).to_have_value("+14155550101\nAmira")
    expect(page.get_by_label("Paste numbers")).to_have_attribute("aria-invalid", "true")


def test_the_send_can_be_walked_with_the_keyboard(merchant_page, api):
    broadcast = draft(api.account)
    page = merchant_page(f"/campaigns/wa_{broadcast.pk}/edit/review")
    button = page.get_by_role("button", name="Send 3 messages")
    for _ in range(40):
        page.keyboard.press("Tab")
        if button.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("Enter")

    expect(page.get_by_role("status").first).to_contain_text("Sending to 3 people.")


def test_the_time_is_asked_only_for_a_schedule(merchant_page, api):
    page = merchant_page(f"/campaigns/wa_{draft(api.account).pk}/edit/review", java_script_enabled=False)
    expect(page.get_by_label("Day and time")).to_be_hidden()
    page.get_by_label("Schedule").check()
    page.get_by_label("Day and time").fill("2099-05-01T09:30")
    page.get_by_role("button", name="Send 3 messages").click()

    expect(page.get_by_role("status").first).to_contain_text("Scheduled for 3 people.")


def test_the_bar_moves_by_itself(merchant_page, api):
    broadcast = running(api.account, "queued", "queued")
    page = merchant_page(f"/campaigns/wa_{broadcast.pk}")
    bar = page.locator("[data-live] .bar rect")
    expect(bar).to_have_count(1)
    in_state(broadcast.rows[0], "read")
    expect(bar).to_have_count(2, timeout=10_000)
    in_state(broadcast.rows[1], "read")
    Broadcast.objects.filter(pk=broadcast.pk).transition("complete")

    expect(page.get_by_text("Everybody has an outcome")).to_be_visible(timeout=10_000)


def test_home_moves_too(merchant_page, api):
    broadcast = running(api.account, "queued", "queued")
    page = merchant_page("/")
    in_state(broadcast.rows[0], "read")

    expect(page.get_by_text("1 of 2")).to_be_visible(timeout=10_000)


@both_ways
def test_a_running_send_is_paused_and_goes_on(merchant_page, api, scripts):
    broadcast = running(api.account, "queued")
    page = merchant_page(f"/campaigns/wa_{broadcast.pk}", java_script_enabled=scripts)
    page.get_by_role("link", name="Pause sending").click()
    page.get_by_label("Reason").fill("Wrong price")
    page.get_by_role("button", name="Pause sending").click()
    expect(page.get_by_role("status").first).to_contain_text("Paused. 1 person waiting")
    expect(page.get_by_text("“Wrong price”")).to_be_visible()
    page.get_by_role("link", name="Resume").click()
    page.get_by_role("button", name="Send 1 message").click()

    expect(page.get_by_role("status").first).to_contain_text("Going on with 1 person.")


def test_somebody_who_was_added_meanwhile_leads_back_to_review(merchant_page, api):
    broadcast = draft(api.account)
    page = merchant_page(f"/campaigns/wa_{broadcast.pk}/edit/review")
    leads.add(broadcast.campaign, [{"phone_number": "+14155550177"}])
    page.get_by_role("button", name="Send 3 messages").click()

    expect(page.get_by_role("status").first).to_contain_text("1 more person since you looked.")
    expect(page.get_by_role("button", name="Send 4 messages")).to_be_visible()


def test_a_second_person_agrees(merchant_page, page_of, api, settings):
    settings.APPROVAL_PEOPLE = 2
    broadcast = draft(api.account)
    page = merchant_page(f"/campaigns/wa_{broadcast.pk}/edit/review")
    page.get_by_label("Type the number of people").fill("3")
    page.get_by_role("button", name="Ask to send 3 messages").click()
    expect(page.get_by_text("Waiting for a second person.")).to_be_visible()
    other = page_of(MembershipFactory(account=api.account).user)(f"/campaigns/wa_{broadcast.pk}/edit/review")
    assert_well_made(other)
    other.get_by_role("button", name="Agree and send 3").click()

    expect(other.get_by_role("status").first).to_contain_text("Agreed. It goes out.")


@both_ways
def test_a_template_is_written_with_its_buttons(merchant_page, scripts):
    page = merchant_page("/templates/new", java_script_enabled=scripts)
    expect(page.get_by_label("Button 1 says")).to_be_hidden()
    page.get_by_label("Name", exact=True).fill("autumn")
    page.get_by_label("Quick replies").check()
    page.get_by_label("Message").fill("Hi {{lead_name}}, shall we keep your table?")
    page.get_by_label("Button 1 says").fill("Yes, please")
    page.get_by_label("Fallbacks").fill("lead_name: there")
    page.get_by_role("button", name="Save template").click()

    expect(page.get_by_role("heading", name="autumn", level=1)).to_be_visible()
    expect(page.locator("#preview .quick")).to_have_text("Yes, please")


def test_the_bubble_follows_the_writing(merchant_page):
    page = merchant_page("/templates/new")
    page.get_by_label("Message").fill("Welcome ")
    page.get_by_role("button", name="lead_name").click()
    page.get_by_label("Message").press_sequentially(", come in.")

    expect(page.locator("#preview .text")).to_have_text("Welcome Anna, come in.")


def test_what_stands_in_is_shown_while_it_is_typed(merchant_page, api):
    broadcast = draft(api.account)
    page = merchant_page(f"/campaigns/wa_{broadcast.pk}/edit/personalise")
    page.get_by_label("lead_name").fill("dear friend")

    expect(page.locator("#preview mark")).to_have_text("dear friend")


def test_the_legend_leads_to_the_people(merchant_page, api):
    broadcast = running(api.account, "read", "failed")
    page = merchant_page(f"/campaigns/wa_{broadcast.pk}")
    page.get_by_role("link", name="Failed 1").first.click()
    page.get_by_role("link", name=broadcast.rows[1].phone).click()

    expect(page.get_by_role("heading", name="What happened")).to_be_visible()


def test_a_screen_reader_hears_the_review(merchant_page, api):
    broadcast = drafting.refresh(draft(api.account))
    page = merchant_page(f"/campaigns/wa_{broadcast.pk}/edit/review")

    expect(page.locator("form.launch")).to_match_aria_snapshot("""
      - group "When":
        - radio "Send now" [checked]
        - radio "Schedule"
      - heading "Send to 3 people" [level=2]
      - button "Send 3 messages"
    """)
    assert broadcasting.counts(broadcast)["queued"] == 3
