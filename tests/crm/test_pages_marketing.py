"""Marketing campaigns as merchants write, check, launch and watch them; no page needs JavaScript."""

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Approval
from accounts.roles import Role
from crm.audiences import segments
from crm.customers import consent
from crm.models import Delivery, MarketingCampaign, Promo
from crm.pages.marketing import left_out
from tests.crm.marketing_world import LONGEST, WORDS, audience, connected, draft, in_doubt, launched, stands
from tests.factories import CustomerFactory, MarketingCampaignFactory, PromoFactory, SegmentFactory
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
CONTENT = {"first": "email", "second": "sms", "third": "", **WORDS, "sms_body": "Short: {{promo_code}}"}


def at(campaign, rest=""):
    return f"/campaigns/{campaign.public_id}{rest}"


def html(page, path):
    answer = page.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.content.decode().replace("&#x27;", "'").replace("&amp;", "&")


def flashed(page, answer):
    assert answer.status_code == 303, answer.content.decode()
    return html(page, answer.headers["Location"])


def signed_in(account, role):
    client = Client()
    client.force_login(caller(role, account=account).user)
    return client


def launch(page, campaign, **typed):
    seen = page.get(at(campaign, "/edit/review")).context["form"].initial["seen"]
    return page.post(at(campaign, "/edit/review"), {"seen": seen, **typed})


def test_four_steps_lead_from_nothing_to_everybody_in_the_audience(api, page):
    segment = audience(connected(api.account))
    began = page.post("/campaigns/new/marketing", {"name": "Flash Sale", "type": "promotion"})
    campaign = MarketingCampaign.objects.get()
    assert began.headers["Location"] == at(campaign, "/edit/audience")

    whom = {"name": "Flash Sale Friday", "type": "promotion", "segment": segment.public_id, "audience": "live"}
    steps = [
        ("audience", {**whom, "holdout_percent": "0"}, "content"),
        ("content", CONTENT, "offer"),
        ("offer", {"promo_code": "flash25", "promo_discount_percent": "25", "attribution_days": "3"}, "review"),
    ]
    for step, form, onward in steps:
        answer = page.post(at(campaign, f"/edit/{step}"), form)
        assert (answer.status_code, answer.headers.get("Location")) == (303, at(campaign, f"/edit/{onward}")), step
    review = html(page, at(campaign, "/edit/review"))
    done = launch(page, campaign)

    campaign.refresh_from_db()
    assert (campaign.name, campaign.channels, campaign.attribution_days) == ("Flash Sale Friday", ["email", "sms"], 3)
    assert campaign.content == WORDS | {"channels": {"sms": {"body": "Short: {{promo_code}}"}}}
    assert (campaign.promo.code, campaign.promo.value) == ("FLASH25", 2500)
    assert "3 people will get it" in review
    assert "Never agreed to marketing" in review
    assert "Send to 3 people" in review
    assert "Sending to 3 people." in flashed(page, done)
    assert (stands(campaign), Delivery.objects.of(campaign).count()) == ("active", 4)


@pytest.mark.parametrize(
    ("step", "wrong", "reason"),
    [
        ("audience", {"segment": "seg_none"}, "Select a valid choice"),
        ("audience", {"holdout_percent": "100"}, "less than or equal to 99.99"),
        ("audience", {"name": ""}, "This field is required."),
        ("content", {"second": "email"}, "Each channel once"),
        ("content", {"subject": ""}, "This is needed for E-mail"),
        ("content", {"body": "Hi {{shoe_size}}"}, "Nothing is known as shoe_size"),
        ("content", {"cta_url": "http://127.0.0.1/"}, "The host is not a public one."),
        ("content", {"cta_url": ""}, "Say where the button leads."),
        ("content", {"sms_body": "x" * 1600}, "An SMS has at most 1,500 characters"),
        ("offer", {"promo_code": "A B"}, "A promo code has 3 to 32 letters"),
        ("offer", {"promo_code": "NEW"}, "say its discount and it is made"),
        ("offer", {"promo_code": "HALF", "promo_discount_percent": "20"}, "gives something else"),
        ("offer", {"promo_discount_percent": "20"}, "A discount needs its promo_code."),
        ("offer", {"starts_at": "2030-01-02T10:00", "ends_at": "2030-01-01T10:00"}, "later than start_date"),
        ("offer", {"attribution_days": "91"}, "less than or equal to 90"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_changes_nothing(api, page, step, wrong, reason):
    PromoFactory(account=api.account, code="HALF", value=5000)
    campaign = draft(api.account)
    before = MarketingCampaign.objects.filter(pk=campaign.pk).values().get()
    right = {
        "audience": {"name": "A", "type": "loyalty", "segment": campaign.segment.public_id, "audience": "snapshot",
                     "holdout_percent": "5"},
        "content": CONTENT,
        "offer": {"attribution_days": "7"},
    }  # fmt: skip

    answer = page.post(at(campaign, f"/edit/{step}"), right[step] | wrong)

    assert answer.status_code == 400
    assert reason in answer.content.decode().replace("&#x27;", "'")
    assert MarketingCampaign.objects.filter(pk=campaign.pk).values().get() == before
    assert not Promo.objects.exclude(code="HALF").exists()


def test_each_step_shows_what_was_said_and_can_be_left(api, page):
    api.account.time_zone = "Europe/Berlin"
    api.account.save()
    campaign = draft(
        api.account, holdout_percent="2.50", starts_at="2030-01-01T09:00Z", ends_at="2030-01-02T09:00Z",
        promo=PromoFactory(account=api.account, code="HALF", value=5000),
        content=WORDS | {"channels": {"email": {"subject": "Only by e-mail"}}},
    )  # fmt: skip

    assert 'value="2.5"' in html(page, at(campaign, "/edit/audience"))
    assert 'value="Only by e-mail"' in html(page, at(campaign, "/edit/content"))
    offer = html(page, at(campaign, "/edit/offer"))
    assert 'value="2030-01-01T10:00"' in offer
    assert 'value="HALF"' in offer
    left = page.post(at(campaign, "/edit/content"), CONTENT | {"close": ""})
    assert "Saved." in flashed(page, left)


def test_messages_are_shown_for_the_longest_name_first(api, page):
    campaign = draft(api.account, promo=PromoFactory(account=api.account, code="HALF"))

    shown = html(page, at(campaign, "/edit/offer"))

    assert shown.index(f"Today only, {LONGEST}, with HALF.") < shown.index("Today only, Guest 0, with HALF.")
    assert "Reply STOP to opt out." in shown
    assert f"25% off, {LONGEST}" in shown
    nobody = draft(api.account, segment=SegmentFactory(account=api.account))
    assert "25% off, friend" in html(page, at(nobody, "/edit/content"))


def test_the_last_step_says_what_is_missing(api, page):
    bare = MarketingCampaignFactory(account=api.account, channels=[], segment=None, content={})

    shown = html(page, at(bare, "/edit/review"))

    assert "Say whom it is for." in shown
    assert "Say by which channels it is sent." in shown
    assert "disabled" in shown
    refused = page.post(at(bare, "/edit/review"), {"seen": "x:0"})
    assert "cannot be launched yet" in flashed(page, refused)


def test_a_changed_audience_leads_back_to_the_last_step(api, page):
    campaign = draft(connected(api.account))
    seen = page.get(at(campaign, "/edit/review")).context["form"].initial["seen"]
    new = CustomerFactory(account=api.account)
    consent.grant(api.account, channel="sms", address=new.phone, source="test", customer=new)
    segments.add_known(campaign.segment, [new.pk])

    assert "1 more person since you looked." in flashed(page, page.post(at(campaign, "/edit/review"), {"seen": seen}))
    MarketingCampaign.objects.update(name="Other words")
    again = page.get(at(campaign, "/edit/review")).context["form"].initial["seen"]
    MarketingCampaign.objects.update(content=WORDS | {"body": "Quite another"})
    assert "Something changed" in flashed(page, page.post(at(campaign, "/edit/review"), {"seen": again}))
    assert stands(campaign) == "draft"


def test_nobody_to_reach_and_too_many_are_refused(api, page):
    empty = draft(connected(api.account), segment=SegmentFactory(account=api.account))
    assert "Nobody would get it." in flashed(page, launch(page, empty))
    campaign = draft(api.account)
    segments.limit(api.account, {"sms": 1})

    assert "The audience is too large" in html(page, at(campaign, "/edit/review"))
    assert "sms: 4 people, at most 1." in flashed(page, launch(page, campaign))


def test_a_start_to_come_is_scheduled_and_can_be_taken_back(api, page):
    campaign = draft(connected(api.account), starts_at=timezone.now() + dt.timedelta(days=1))

    assert "Schedule for 3 people" in html(page, at(campaign, "/edit/review"))
    assert "Scheduled for 3 people." in flashed(page, launch(page, campaign))
    assert "Everybody who is in Regulars when it starts." in html(page, at(campaign))
    assert page.get(at(campaign, "/edit/content")).headers["Location"] == at(campaign)
    back = page.post(at(campaign, "/confirm/unschedule"), {"reason": ""})
    assert back.headers["Location"] == at(campaign)
    assert stands(campaign) == "draft"


def test_a_second_person_decides_about_a_large_one(api, page, settings):
    settings.APPROVAL_PEOPLE = 2
    campaign = draft(connected(api.account))
    manager = signed_in(api.account, Role.MANAGER)

    assert "Ask to reach 3 people" in html(page, at(campaign, "/edit/review"))
    assert "second person agrees" in flashed(page, launch(page, campaign))
    own_word = page.post(at(campaign, "/edit/decide"), {"decision": "yes"})
    assert "Somebody else than the person who asked" in flashed(page, own_word)
    assert stands(campaign) == "draft"
    assert "Agree and send 3" in html(manager, at(campaign, "/edit/review"))
    assert "Agreed. It goes out." in flashed(manager, manager.post(at(campaign, "/edit/decide"), {"decision": "yes"}))
    assert stands(campaign) == "active"
    assert "was decided already" in flashed(manager, manager.post(at(draft(api.account), "/edit/decide"), {}))


def test_a_second_person_may_refuse(api, page, settings):
    settings.APPROVAL_PEOPLE = 2
    campaign = draft(connected(api.account))
    launch(page, campaign)
    manager = signed_in(api.account, Role.MANAGER)

    manager.post(at(campaign, "/edit/decide"), {"decision": "no"})

    assert (stands(campaign), Approval.objects.get().granted) == ("draft", False)


def test_a_large_one_without_a_second_person_asks_for_the_number(api, page, settings):
    settings.APPROVAL_PEOPLE = 2
    api.account.require_approval = False
    api.account.save()
    campaign = draft(connected(api.account))

    assert launch(page, campaign, typed="4").status_code == 400
    assert "Sending to" in flashed(page, launch(page, campaign, typed="3"))


def test_where_it_stands_is_shown_with_the_seeds_figures(api, page):
    campaign = launched(api.account, "read", "delivered", "sent", "failed", "queued", channels=["email"])
    Delivery.objects.filter(status="read").update(
        converted_at=timezone.now(), revenue_minor=4680, clicked_at=timezone.now()
    )
    in_doubt(next(row for row in campaign.rows if row.status == "sent"))

    shown = html(page, at(campaign))

    for words in ("50.0% of delivered · $46.80 in orders", "Never agreed to marketing", "nobody knows whether",
                  "Launched", "Pause", "Guest 0"):  # fmt: skip
        assert words in shown, words
    live = page.get(at(campaign, "/live"))
    assert page.get(at(campaign, "/live"), headers={"if-none-match": live["ETag"]}).status_code == 304


def test_people_are_listed_by_status_reason_and_name(api, page):
    campaign = launched(api.account, "delivered", "failed", "queued")

    found = {
        query: [row.customer.first_name for row in page.get(at(campaign, f"/people{query}")).context["page"].rows]
        for query in (
            "",
            "?status=reached",
            "?status=failed",
            "?status=queued",
            "?reason=no_consent",
            "?q=wilh",
            "?q=zz",
        )
    }

    assert found == {
        "": ["Guest 0", LONGEST, "Guest 2", "Silent"], "?status=reached": ["Guest 0"], "?status=failed": [LONGEST],
        "?status=queued": ["Guest 2"], "?reason=no_consent": ["Silent"], "?q=wilh": [LONGEST], "?q=zz": [],
    }  # fmt: skip
    assert page.get(at(campaign, "/people?status=%00&reason=%00")).status_code == 200


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("delivered", ["Arrived", "Agreed to marketing", "What they got"]),
        ("failed", ["Refused for good"]),
        ("skipped", ["Never agreed to marketing", "What they would have got"]),
    ],
)
def test_why_somebody_did_or_did_not_get_it(api, page, status, words):
    campaign = launched(api.account, "delivered", "failed")
    row = next(row for row in campaign.rows if row.status == status)
    Delivery.objects.filter(status="delivered").update(opened_at=timezone.now())
    if status == "delivered":
        in_doubt(row)
        words = [*words, "Outcome unknown", "nobody knows whether it was taken", "Opened"]

    shown = html(page, at(campaign, f"/people/{row.pk}"))

    assert [each for each in words if each not in shown] == []


def test_it_is_paused_resumed_and_ended(api, page):
    campaign = launched(api.account)
    for action, status in (("pause", "paused"), ("resume", "active"), ("complete", "completed")):
        assert "?" in html(page, at(campaign, f"/confirm/{action}"))
        flashed(page, page.post(at(campaign, f"/confirm/{action}"), {"reason": "so said Dana"}))
        assert stands(campaign) == status
    assert "“so said Dana”" in html(page, at(campaign))
    assert page.get(at(campaign, "/confirm/pause")).status_code == 409
    assert page.get(at(campaign, "/confirm/dance")).status_code == 404
    assert page.post(at(campaign, "/confirm/resume"), {"reason": "x" * 201}).status_code == 400


def test_a_draft_is_discarded(api, page):
    campaign = draft(api.account)

    assert page.get(at(campaign)).headers["Location"] == at(campaign, "/edit/review")
    assert "The draft is gone." in flashed(page, page.post(at(campaign, "/confirm/delete")))
    assert not MarketingCampaign.objects.exists()


def test_whoever_writes_drafts_does_not_launch_them(api):
    campaign = draft(connected(api.account))
    author = signed_in(api.account, Role.MARKETING)

    assert "somebody else launches" in html(author, at(campaign, "/edit/review"))
    refused = [
        author.post(at(campaign, rest)).status_code for rest in ("/edit/review", "/edit/decide", "/confirm/delete")
    ]
    assert refused == [403] * 3
    new_promo = {"promo_code": "NEW", "promo_discount_percent": "10", "attribution_days": "7"}
    assert "may not make the promo code" in author.post(at(campaign, "/edit/offer"), new_promo).content.decode()


def test_a_neighbours_campaign_is_not_there(page):
    theirs = MarketingCampaignFactory()

    for rest in ("", "/live", "/people", "/people/1", "/edit/audience", "/edit/review", "/confirm/pause"):
        assert page.get(at(theirs, rest)).status_code == 404


def test_an_unknown_reason_is_shown_as_it_is():
    assert left_out("something_new") == "something_new"
