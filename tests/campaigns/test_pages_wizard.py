import datetime as dt

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Approval, Connection
from accounts.roles import Role
from campaigns import drafting
from campaigns.models import Broadcast, CampaignLead, CampaignLeadMessage
from campaigns_project.models import Job
from tests.campaigns.pages_world import NOBODYS, add, draft, ready_template, role_page, running, said
from tests.factories import CampaignFactory, in_state

pytestmark = pytest.mark.django_db
STEPS = ("audience", "template", "personalise", "review")
SOON = "2099-05-01T09:30"


def edit(broadcast, step):
    return f"/campaigns/wa_{broadcast.pk}/edit/{step}"


def seen(broadcast):
    return drafting.snapshot(drafting.refresh(Broadcast.objects.get(pk=broadcast.pk)))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("role", "answer"), [(Role.MARKETING, 200), (Role.MANAGER, 200)])
def test_authors_may_open_every_step(api, step, role, answer):
    assert role_page(api.account, role).get(edit(draft(api.account), step)).status_code == answer


@pytest.mark.parametrize("path", [*STEPS, "test", "decide", "preview"])
def test_a_neighbours_draft_is_not_there(page, neighbour, path):
    theirs = draft(neighbour.account)
    send = page.get if path in STEPS else page.post

    assert send(edit(theirs, path)).status_code == 404
    assert page.post(edit(theirs, path)).status_code == 404


@pytest.mark.parametrize("step", STEPS)
def test_a_step_costs_the_same_for_any_number_of_people(page, api, step):
    spent = []
    for people in (1, 3):
        broadcast = draft(api.account, people)
        with CaptureQueriesContext(connection) as queries:
            page.get(edit(broadcast, step))
        spent.append(len(queries))

    assert spent[0] == spent[1] <= 12


@pytest.mark.parametrize("step", [*STEPS, "test"])
def test_what_has_started_is_no_draft_any_more(page, api, step):
    broadcast = running(api.account)

    assert page.post(edit(broadcast, step), {"when": "now"}).url == f"/campaigns/wa_{broadcast.pk}"


def test_a_campaign_begins_from_an_approved_template(page, api):
    campaign = ready_template(api.account)
    running(api.account, "read", campaign=campaign)

    html = page.get("/campaigns/new").content.decode()
    started = page.post("/campaigns/new", {"template": campaign.pk})

    assert html.count(f'value="{campaign.pk}"') == 2  # as a template, and as a past send
    assert started.url == edit(Broadcast.objects.get(status="draft"), "audience")


@pytest.mark.parametrize("template", ["", "x", "٣", str(NOBODYS), "9" * 19, "theirs"])
def test_a_campaign_begins_from_nothing_else(page, neighbour, template):
    theirs = CampaignFactory(account=neighbour.account)
    asked = str(theirs.pk) if template == "theirs" else template

    assert page.post("/campaigns/new", {"template": asked}).status_code == 404


def test_a_past_send_of_an_archived_version_begins_with_its_successor(api):
    new = CampaignFactory(account=api.account, name="b", status="approved")
    old = CampaignFactory(account=api.account, name="a", next_campaign=new, status="archived")

    assert drafting.begin(old, by=api.user).campaign == new


@pytest.mark.parametrize(("button", "to"), [("", "template"), ("add", "audience"), ("close", "/campaigns")])
def test_pasted_people_join_the_list(page, api, button, to):
    broadcast = draft(api.account, people=0)
    pasted = "+1 (415) 555-0101, Amira  Hassan\n\n+14155550102\n+14155550101;Amira"

    answer = page.post(
        edit(broadcast, "audience"), {"people": pasted, "again": "on", **({button: ""} if button else {})}
    )

    assert answer.url == (to if to.startswith("/") else edit(broadcast, to))
    leads = CampaignLead.objects.of(broadcast.campaign).active()
    assert sorted(lead.custom_variables.get("lead_name", "") for lead in leads) == ["", "Amira"]
    broadcast.refresh_from_db()
    assert broadcast.force
    assert broadcast.preflight["audience"] == 2


@pytest.mark.parametrize(
    ("pasted", "sentence"),
    [("hello", "Line 1: “hello”"), ("+14155550101\n12", "Line 2: “12”"), ("\n".join("abcdefg"), "And 2 more."),
     ("+14155550101\n" * 10_001, "At most 10,000 lines at once")],
)  # fmt: skip
def test_lines_that_are_no_numbers_are_named_and_nothing_is_lost(page, api, pasted, sentence):
    broadcast = draft(api.account, people=0)

    answer = page.post(edit(broadcast, "audience"), {"people": pasted})

    assert answer.status_code == 400
    assert sentence in answer.content.decode()
    assert pasted[:7] in answer.content.decode()
    assert not CampaignLead.objects.exists()


def test_a_file_of_people_becomes_a_job(page, api):
    broadcast = draft(api.account, people=0)
    file = SimpleUploadedFile("people.csv", b"phone,name\n+14155550101,Amira\n", "text/csv")

    answer = page.post(edit(broadcast, "audience"), {"file": file})

    assert answer.url == f"/jobs/{Job.objects.get().public_id}?next={edit(broadcast, 'audience')}"


def test_a_file_that_is_none_is_refused(page, api):
    broadcast = draft(api.account)
    answer = page.post(edit(broadcast, "audience"), {"file": SimpleUploadedFile("a.csv", b"name\nAmira\n")})

    assert answer.status_code == 400
    assert "phone_number" in answer.content.decode()


@pytest.mark.parametrize(("bring", "moved"), [({"bring": "on"}, 3), ({}, 0)])
def test_another_template_takes_its_people_along_when_asked(page, api, bring, moved):
    broadcast = draft(api.account)
    broadcast.values = {"lead_name": "x", "gone": "y"}
    broadcast.save()
    other = CampaignFactory(account=api.account, status="approved")

    page.post(edit(broadcast, "template"), {"template": other.pk, **bring})

    broadcast.refresh_from_db()
    assert broadcast.campaign == other
    assert broadcast.values == {"lead_name": "x"}
    assert drafting.audience_size(other) == moved == broadcast.preflight["audience"]


def test_only_approved_templates_can_be_chosen(page, api, neighbour):
    broadcast = draft(api.account)
    off = CampaignFactory(account=api.account, status="approved")
    type(off).objects.filter(pk=off.pk).update(enabled_at=None)
    closed = [CampaignFactory(account=api.account, status=status) for status in ("pending", "rejected", "archived")]
    theirs = CampaignFactory(account=neighbour.account, status="approved")
    html = page.get(edit(broadcast, "template")).content.decode()

    assert "Switched off" in html
    assert "WhatsApp refused it; write a new version" in html
    for each in (off, *closed, theirs):
        assert page.post(edit(broadcast, "template"), {"template": each.pk}).status_code == 400
    assert page.post(edit(broadcast, "template"), {"template": broadcast.campaign_id}).url == edit(
        broadcast, "personalise"
    )


PERSONAL = {"body": "Hi {{1}}, {{2}} from {{3}} waits for you."}
NUMBERED = {"1": "lead_name", "2": "item", "3": "merchant_name"}


def personal_draft(account):
    fields = {"content_context": PERSONAL, "variables": NUMBERED, "variable_defaults": {"lead_name": "there"}}
    return draft(account, **fields)


def test_words_stand_in_for_what_people_lack(page, api):
    broadcast = personal_draft(api.account)
    html = page.get(edit(broadcast, "personalise")).content.decode()
    page.post(
        edit(broadcast, "personalise"),
        {"value_lead_name": "friend", "value_item": "the cake", "value_merchant_name": ""},
    )

    broadcast.refresh_from_db()
    assert "Some people need it." in html
    assert broadcast.values == {"item": "the cake"}
    # Not a value of the send: that would hide people's own names.
    assert broadcast.campaign.variable_defaults == {"lead_name": "friend"}
    assert broadcast.preflight["audience"] == 3


def test_a_fallback_can_be_taken_away(page, api):
    broadcast = personal_draft(api.account)
    page.post(edit(broadcast, "personalise"), {"value_lead_name": " ", "value_item": "cake"})

    broadcast.refresh_from_db()
    assert broadcast.campaign.variable_defaults == {}
    assert broadcast.preflight["skips"] == {"missing_variable": 3}


@pytest.mark.parametrize("value", ["a    b", "x" * 2000])
def test_words_that_whatsapp_refuses_are_refused_at_their_field(page, api, value):
    broadcast = personal_draft(api.account)
    answer = page.post(edit(broadcast, "personalise"), {"value_item": value})
    shown = page.post(edit(broadcast, "preview"), {"value_item": value})

    assert answer.status_code == 400
    assert answer.context["form"].errors.keys() == {"value_item"}
    assert '<mark class="gap">item</mark>' in shown.content.decode()


def test_the_preview_shows_what_is_being_typed(page, api):
    broadcast = personal_draft(api.account)
    html = page.post(edit(broadcast, "preview"), {"value_lead_name": "you", "value_item": "the cake"}).content.decode()

    assert '<mark title="item">the cake</mark>' in html
    assert '<mark title="lead_name">you</mark>' in html


def test_review_names_what_is_in_the_way(page, api):
    broadcast = personal_draft(api.account)
    Connection.objects.update(refused_at=timezone.now())
    in_state(broadcast.campaign, "paused")
    api.account.suspend()
    html = page.get(edit(broadcast, "review")).content.decode()

    for told in ("Nobody will get it", "3 people are left out", "3 × a variable has no value", "For item.",
                 "is suspended", "Twilio refused our credentials", "WhatsApp paused it"):  # fmt: skip
        assert told in html


def test_the_button_says_how_many_and_sends_to_them(page, api):
    broadcast = draft(api.account)
    html = page.get(edit(broadcast, "review")).content.decode()
    answer = page.post(edit(broadcast, "review"), {"when": "now", "seen": seen(broadcast)}, follow=True)

    assert "Send 3 messages</button>" in html
    assert said(answer) == ["Sending to 3 people."]
    assert CampaignLeadMessage.objects.filter(broadcast=broadcast, status="queued").count() == 3


def test_a_schedule_is_read_in_the_accounts_time_zone(page, api):
    type(api.account).objects.update(time_zone="America/New_York")
    broadcast = draft(api.account)
    page.post(edit(broadcast, "review"), {"when": "later", "at": SOON, "seen": seen(broadcast)})

    broadcast.refresh_from_db()
    assert broadcast.status == "scheduled"
    assert broadcast.scheduled_at == dt.datetime(2099, 5, 1, 13, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("at", "sentence"),
    [("", "Say when."), ("soon", "Give a day and a time."), ("2020-01-01T09:00", "This time has passed.")],
)
def test_a_schedule_needs_a_time_to_come(page, api, at, sentence):
    broadcast = draft(api.account)
    answer = page.post(edit(broadcast, "review"), {"when": "later", "at": at, "seen": seen(broadcast)})

    assert answer.status_code == 400
    assert sentence in answer.content.decode()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [(lambda broadcast: add(broadcast.campaign, 12, start=50), "12 more people since you looked."),
     (lambda broadcast: CampaignLead.objects.filter(pk=CampaignLead.objects.first().pk).update(active=False),
      "1 fewer person since you looked."),
     (lambda broadcast: type(broadcast.campaign).objects.update(variable_defaults={"lead_name": "you"}),
      "Something changed")],
)  # fmt: skip
def test_a_changed_audience_leads_back_to_review(page, api, change, sentence):
    broadcast = draft(api.account)
    looked = seen(broadcast)
    change(broadcast)
    answer = page.post(edit(broadcast, "review"), {"when": "now", "seen": looked}, follow=True)

    assert said(answer)[0].startswith(sentence)
    assert answer.request["PATH_INFO"] == edit(broadcast, "review")
    assert not CampaignLeadMessage.objects.exists()


def test_a_made_up_snapshot_sends_nothing(page, api):
    broadcast = draft(api.account)
    answer = page.post(edit(broadcast, "review"), {"when": "now", "seen": "forged"}, follow=True)

    assert said(answer) == ["Something changed since you looked. Look again before you send."]


def test_somebody_added_in_the_very_moment_is_noticed(api):
    broadcast = draft(api.account)
    broadcast.preflight["audience"] += 1

    with pytest.raises(drafting.AudienceChanged):
        drafting._go(broadcast, by=api.user)


@pytest.mark.parametrize(
    ("people", "refuse", "sentence"),
    [(0, False, "Nobody would get this."), (1, True, "There is no working WhatsApp connection.")],
)
def test_what_cannot_start_says_why(page, api, people, refuse, sentence):
    broadcast = draft(api.account, people)
    if refuse:
        Connection.objects.update(refused_at=timezone.now())
    answer = page.post(edit(broadcast, "review"), {"when": "now", "seen": seen(broadcast)}, follow=True)

    assert sentence in said(answer)[0]


def test_a_large_send_takes_the_number_and_a_second_person(page, api, settings):
    settings.APPROVAL_PEOPLE = 2
    broadcast = draft(api.account)
    form = {"when": "later", "at": SOON, "seen": seen(broadcast)}
    second = role_page(api.account, Role.MANAGER)

    assert page.post(edit(broadcast, "review"), {**form, "typed": "2"}).status_code == 400
    assert said(page.post(edit(broadcast, "review"), {**form, "typed": "3"}, follow=True)) == [
        "Asked. It goes out when a second person agrees."
    ]
    assert "Agree and send 3" not in page.get(edit(broadcast, "review")).content.decode()
    assert "Agree and send 3" in second.get(edit(broadcast, "review")).content.decode()
    assert "Somebody else" in said(page.post(edit(broadcast, "decide"), {"decision": "yes"}, follow=True))[0]
    assert said(second.post(edit(broadcast, "decide"), {"decision": "yes"}, follow=True)) == ["Agreed. It goes out."]
    broadcast.refresh_from_db()
    assert broadcast.status == "scheduled"


def test_a_second_person_may_refuse_and_nobody_decides_twice(page, api, settings):
    settings.APPROVAL_PEOPLE = 2
    broadcast = draft(api.account)
    page.post(edit(broadcast, "review"), {"when": "now", "seen": seen(broadcast), "typed": "3"})
    second = role_page(api.account, Role.MANAGER)

    assert said(second.post(edit(broadcast, "decide"), {"decision": "no"}, follow=True)) == [
        "Refused. Nothing was sent."
    ]
    assert said(second.post(edit(broadcast, "decide"), {"decision": "yes"}, follow=True)) == [
        "Nobody asked for a second person here."
    ]
    assert Approval.objects.get().granted is False


def test_what_grew_since_it_was_asked_is_asked_again(page, api, settings):
    settings.APPROVAL_PEOPLE = 2
    broadcast = draft(api.account)
    page.post(edit(broadcast, "review"), {"when": "now", "seen": seen(broadcast), "typed": "3"})
    add(broadcast.campaign, 1, start=90)
    second = role_page(api.account, Role.MANAGER)

    assert said(second.post(edit(broadcast, "decide"), {"decision": "yes"}, follow=True))[0].startswith("It has grown")
    assert not CampaignLeadMessage.objects.exists()


def test_who_may_not_send_is_told_to_ask(api):
    broadcast = draft(api.account)
    theirs = role_page(api.account, Role.MARKETING)

    assert "somebody else sends" in theirs.get(edit(broadcast, "review")).content.decode()
    for path in ("review", "test", "decide"):
        assert theirs.post(edit(broadcast, path)).status_code == 403


@pytest.mark.parametrize(
    ("phone", "sentence"),
    [
        ("+14155550199", "On its way to +14155550199."),
        ("12", "Start the number with +"),
        ("", "This field is required."),
    ],
)
def test_a_test_goes_to_ones_own_phone(page, api, phone, sentence):
    broadcast = draft(api.account)

    assert sentence in said(page.post(edit(broadcast, "test"), {"phone": phone}, follow=True))[0]
    assert CampaignLead.objects.of(broadcast.campaign).active().count() == 3


def test_a_test_that_cannot_go_says_why(page, api):
    broadcast = draft(api.account)
    Connection.objects.update(refused_at=timezone.now())

    assert (
        "no working WhatsApp connection"
        in said(page.post(edit(broadcast, "test"), {"phone": "+14155550199"}, follow=True))[0]
    )


def test_only_drafts_are_changed(api):
    broadcast = running(api.account)

    for change in (
        lambda: drafting.choose_template(broadcast, broadcast.campaign, bring=True),
        lambda: drafting.personalise(broadcast, {}),
        lambda: drafting.include_again(broadcast, again=True),
    ):
        with pytest.raises(drafting.TransitionNotAllowed):
            change()


@pytest.mark.parametrize(("rate", "takes"), [(None, "under a minute"), (1, "about 3 min")])
def test_review_says_how_long_it_takes(page, api, rate, takes):
    broadcast = draft(api.account, people=200)
    Broadcast.objects.update(rate_per_second=rate)

    assert f"Sending takes {takes}." in page.get(edit(broadcast, "review")).content.decode()


def test_without_any_number_review_still_opens(page, api):
    broadcast = draft(api.account)
    Connection.objects.all().delete()

    assert "Connect a WhatsApp number" in page.get(edit(broadcast, "review")).content.decode()
