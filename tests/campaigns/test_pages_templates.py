import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role
from campaigns import authoring
from campaigns.models import Broadcast, Campaign, CampaignLead
from campaigns_project import jobs
from campaigns_project.models import Job
from tests.campaigns.pages_world import NOBODYS, ready_template, role_page, said
from tests.factories import BroadcastFactory, CampaignFactory, CampaignLeadFactory, ConnectionFactory
from tests.providers.test_images import picture

pytestmark = pytest.mark.django_db
WRITTEN = {
    "name": "autumn", "language": "en", "campaign_type": "marketing", "content_type": "twilio/text",
    "body": "Hi {{lead_name}}, we are open again.", "fallbacks": "lead_name: there",
}  # fmt: skip
CARD = {
    **WRITTEN, "content_type": "twilio/card", "footer": "Reply STOP", "media_url": "https://example.com/a.jpg",
    "button_1_kind": "URL", "button_1_title": "Order", "button_1_value": "https://example.com/o",
    "button_3_kind": "PHONE_NUMBER", "button_3_title": "Call", "button_3_value": "+1 415 555 0101",
    "button_4_title": "Later", "button_4_value": "later",
}  # fmt: skip


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize("path", ["/templates", "/templates/{}", "/templates/{}/people"])
def test_everybody_of_the_account_may_look(api, role, path):
    campaign = ready_template(api.account)

    assert role_page(api.account, role).get(path.format(campaign.pk)).status_code == 200


@pytest.mark.parametrize(
    "path", ["", "/people", "/confirm/submit", "/confirm/archive", "/people/{lead}/remove", "/../new?from={pk}"]
)
def test_a_neighbours_template_is_not_there(page, neighbour, path):
    lead = CampaignLeadFactory(account=neighbour.account)
    answers = [
        page.get(f"/templates/{pk}{path.format(lead=lead.pk, pk=pk)}".replace(f"/{pk}/../", "/"))
        for pk in (lead.campaign_id, NOBODYS)
    ]
    if path.endswith("remove"):
        answers = [page.post(f"/templates/{pk}/people/{lead.pk}/remove") for pk in (lead.campaign_id, NOBODYS)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("path", ["/templates", "/templates/{}", "/templates/{}/people"])
def test_the_pages_cost_the_same_for_any_number(page, api, path):
    spent = []
    for people in (1, 3):
        campaign = ready_template(api.account, people)
        with CaptureQueriesContext(connection) as queries:
            page.get(path.format(campaign.pk))
        spent.append(len(queries))

    assert spent[0] == spent[1] <= 12


@pytest.mark.parametrize(
    ("query", "names"),
    [("", {"good", "bad", "new"}), ("?status=attention", {"bad"}), ("?status=archived", {"old"}), ("?q=OO", {"good"}),
     ("?status=nonsense&q=%00good", {"good"}), ("?q=nothing", set())],
)  # fmt: skip
def test_the_library_is_sorted_by_state(page, api, query, names):
    for name, status in (("good", "approved"), ("bad", "rejected"), ("new", "unsubmitted"), ("old", "archived")):
        CampaignFactory(account=api.account, name=name, status=status)

    assert {row.name for row in page.get(f"/templates{query}").context["page"].rows} == names


def test_the_library_counts_versions_people_and_sends(page, api):
    campaign = ready_template(api.account)
    BroadcastFactory(account=api.account, campaign=campaign, status="sending")
    Broadcast.objects.update(started_at=campaign.created_at)
    authoring.new_version(campaign, by=api.user, content_context={"body": "Hi {{lead_name}}, come by."})

    head = page.get("/templates").context["page"].rows[0]
    old = page.get(f"/templates/{campaign.pk}")

    assert (head.number, head.people, head.sends) == (2, 0, 0)
    assert (old.context["number"], old.context["people"], old.context["sends"]) == (1, 3, 1)
    assert "There is a newer version." in old.content.decode()


def test_a_template_is_written(page, api):
    answer = page.post("/templates/new", WRITTEN)
    campaign = Campaign.objects.get()

    assert answer.url == f"/templates/{campaign.pk}"
    assert (campaign.body, campaign.variables) == (WRITTEN["body"], {"1": "lead_name"})
    assert campaign.created_by_id == api.user.pk


def test_a_card_keeps_all_it_was_given(page):
    page.post("/templates/new", CARD)
    campaign = Campaign.objects.get()

    assert campaign.content_context == {
        "title": "Hi {{1}}, we are open again.",
        "subtitle": "Reply STOP",
        "media": ["https://example.com/a.jpg"],
        "actions": [
            {"type": "URL", "title": "Order", "url": "https://example.com/o"},
            {"type": "PHONE_NUMBER", "title": "Call", "phone": "+14155550101"},
            {"type": "QUICK_REPLY", "title": "Later", "id": "later"},
        ],
    }
    form = page.get(f"/templates/{campaign.pk}").context["form"]
    assert [form[name].value() for name in ("body", "footer", "button_2_value")] == [
        WRITTEN["body"], "Reply STOP", "+14155550101",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "field"),
    [({"body": ""}, "body"), ({"body": "Hi {{"}, "body"), ({"name": ""}, "name"), ({"name": "taken"}, "name"),
     ({"language": "xx"}, "language"), ({"body": "{{order_id}} is on its way to you"}, "body"),
     ({"fallbacks": "nonsense"}, "fallbacks"), ({"fallbacks": f"lead_name: {'x' * 1500}"}, "fallbacks"),
     ({"content_type": "twilio/media"}, "media_url"),
     ({"content_type": "twilio/media", "media_url": "http://127.0.0.1/a.png"}, "media_url"),
     ({"content_type": "twilio/quick-reply"}, "button_1_title"),
     ({"content_type": "twilio/call-to-action", "button_2_kind": "URL", "button_2_title": "Go", "button_2_value": "x"},
      "button_2_value"),
     ({"content_type": "twilio/call-to-action", "button_2_kind": "PHONE_NUMBER", "button_2_value": "+14155550101"},
      "button_2_title")],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(page, api, change, field):
    CampaignFactory(account=api.account, name="taken")
    answer = page.post("/templates/new", {**WRITTEN, **change})

    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == [field]
    assert answer.context["form"]["campaign_type"].value() == "marketing"
    assert Campaign.objects.count() == 1


@pytest.mark.parametrize(
    ("file", "error"),
    [(SimpleUploadedFile("a.png", picture("PNG"), "image/png"), None),
     (SimpleUploadedFile("a.png", b"no picture", "image/png"), "upload"),
     (SimpleUploadedFile("a.png", b"x" * (16 * 1024 * 1024 + 1), "image/png"), "upload")],
    ids=["picture", "none", "too large"],
)  # fmt: skip
def test_a_picture_is_uploaded(page, file, error):
    file.seek(0)
    answer = page.post("/templates/new", {**WRITTEN, "content_type": "twilio/media", "upload": file})

    if error:
        assert list(answer.context["form"].errors) == [error]
    else:
        assert Campaign.objects.get().media_file.endswith(".png")


def test_saving_again_makes_a_version_that_keeps_the_picture(page, api):
    page.post("/templates/new", {**WRITTEN, "content_type": "twilio/media",
                                 "upload": SimpleUploadedFile("a.png", picture("PNG"), "image/png")})  # fmt: skip
    old = Campaign.objects.get()
    form = page.get(f"/templates/{old.pk}").context["form"]
    again = {name: form[name].value() or "" for name in form.fields if name != "upload"}

    answer = page.post(f"/templates/{old.pk}", {**again, "body": "Hi {{lead_name}}, look."})

    old.refresh_from_db()
    assert answer.url == f"/templates/{old.next_campaign_id}"
    assert old.next_campaign.content_context["media"] == old.content_context["media"]


@pytest.mark.parametrize(("change", "sentence"), [({"body": ""}, "required"), ({}, "This version has a successor")])
def test_a_version_that_cannot_be_saved_says_why(page, api, change, sentence):
    old = CampaignFactory(account=api.account)
    if not change:
        authoring.new_version(old, by=None)
    answer = page.post(f"/templates/{old.pk}", {**WRITTEN, **change})

    assert answer.status_code == 400
    assert sentence in str(answer.context["form"].errors)


def test_a_copy_begins_with_the_words_of_another(page, api):
    campaign = CampaignFactory(account=api.account, name="autumn")
    form = page.get(f"/templates/new?from={campaign.pk}").context["form"]

    assert form["name"].value() == "autumn_copy"
    assert form["body"].value() == "Hi {{lead_name}}, we are open again."


@pytest.mark.parametrize(
    ("typed", "told"),
    [(WRITTEN, "Nothing here that WhatsApp usually objects to."), ({**WRITTEN, "name": None}, "Hi <mark"),
     ({}, "Begin to write"), ({**WRITTEN, "content_type": "twilio/card"}, "Something beside the title"),
     ({**WRITTEN, "body": "{{nickname}} is welcome here"}, "No active lead"),
     ({**WRITTEN, "body": "See https://bit.ly/x today"}, "shortened links"),
     ({"body": "Hi", "fallbacks": "x"}, "Hi</div>"),
     ({**WRITTEN, "content_type": "telegram"}, "Give one of")],
)  # fmt: skip
def test_the_preview_looks_the_words_over(page, typed, told):
    given = {name: value for name, value in typed.items() if value is not None}

    assert told in page.post("/templates/preview", given).content.decode()


def test_the_preview_knows_what_the_people_carry(page, api):
    lead = CampaignLeadFactory(account=api.account, custom_variables={"nickname": "Mimi"})
    typed = {**WRITTEN, "body": "Hi {{nickname}}, welcome here", "template": lead.campaign_id}

    assert "objects to" in page.post("/templates/preview", typed).content.decode()


def test_the_built_in_ones_come_back(page, api):
    assert said(page.post("/templates/defaults", follow=True)) == ["23 built-in templates are in your library."]


@pytest.mark.parametrize(
    ("status", "action", "form", "shown"),
    [("unsubmitted", "submit", {}, "Handed in. WhatsApp usually answers within a day."),
     ("approved", "disable", {}, "Switched off. Nothing more is sent with it."),
     ("approved", "enable", {}, "Switched on."),
     ("approved", "archive", {"typed": "autumn"}, "Archived. Its history stays.")],
)  # fmt: skip
def test_what_is_confirmed_is_done(page, api, status, action, form, shown):
    ConnectionFactory(account=api.account)
    campaign = CampaignFactory(account=api.account, name="autumn", status=status)
    address = f"/templates/{campaign.pk}/confirm/{action}"

    assert page.get(address).status_code == 200
    assert said(page.post(address, form, follow=True)) == [shown]


@pytest.mark.parametrize(
    ("status", "action", "form", "answer"),
    [("approved", "archive", {"typed": "x"}, 400), ("archived", "archive", {}, 409), ("approved", "submit", {}, 409),
     ("pending", "enable", {}, 409), ("approved", "explode", {}, 404)],
)  # fmt: skip
def test_what_is_not_confirmed_or_not_possible_is_not_done(page, api, status, action, form, answer):
    ConnectionFactory(account=api.account)
    campaign = CampaignFactory(account=api.account, status=status)

    assert page.post(f"/templates/{campaign.pk}/confirm/{action}", form).status_code == answer


def test_without_a_connection_nothing_is_submitted(page, api):
    campaign = CampaignFactory(account=api.account)

    assert page.post(f"/templates/{campaign.pk}/confirm/submit").status_code == 422


def test_switching_is_for_those_who_may_send(api):
    campaign = CampaignFactory(account=api.account, status="approved")
    author = role_page(api.account, Role.MARKETING)

    assert "confirm/disable" not in author.get(f"/templates/{campaign.pk}").content.decode()
    assert author.get(f"/templates/{campaign.pk}/confirm/disable").status_code == 403
    assert author.get(f"/templates/{campaign.pk}/confirm/archive").status_code == 200


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ("rejected", "WhatsApp rejected this version."),
        ("paused", "There is word from WhatsApp."),
        ("archived", "Message"),
    ],
)
def test_the_page_shows_what_whatsapp_said(page, api, status, shown):
    campaign = CampaignFactory(account=api.account, status=status)
    Campaign.objects.update(rejection_reason="Ends in a variable.")

    assert shown in page.get(f"/templates/{campaign.pk}").content.decode()


def test_people_are_added_and_taken_off(page, api):
    campaign = ready_template(api.account, people=0)
    address = f"/templates/{campaign.pk}/people"

    assert said(page.post(address, {"people": "+14155550101, Amira"}, follow=True)) == ["1 person added."]
    lead = CampaignLead.objects.get()
    assert said(page.post(f"{address}/{lead.pk}/remove", follow=True)) == ["+14155550101 is off the list."]
    assert [row.pk for row in page.get(f"{address}?removed=1&q=%2B1415").context["page"].rows] == [lead.pk]
    assert not page.get(address).context["page"].rows


@pytest.mark.parametrize(
    ("given", "sentence"),
    [({}, "Paste at least one number, or choose a file."), ({"people": "x"}, "Line 1"),
     ({"file": b"name\nAmira\n"}, "phone_number")],
)  # fmt: skip
def test_people_that_cannot_be_added_are_explained(page, api, given, sentence):
    campaign = ready_template(api.account)
    if "file" in given:
        given = {"file": SimpleUploadedFile("a.csv", given["file"])}
    answer = page.post(f"/templates/{campaign.pk}/people", given)

    assert answer.status_code == 400
    assert sentence in answer.content.decode()


def test_a_file_is_read_as_a_job_with_its_refused_rows(page, api):
    campaign = ready_template(api.account, people=0)
    file = SimpleUploadedFile("people.csv", b"phone,lead_name\n+14155550101,Amira\n12,Jonas\n")
    address = page.post(f"/templates/{campaign.pk}/people", {"file": file}).url
    job = Job.objects.get()
    waiting = page.get(address).content.decode()
    jobs.run_slice(job.pk)
    done = page.get(f"/jobs/{job.public_id}/live").content.decode()
    errors = b"".join(page.get(f"/jobs/{job.public_id}/errors").streaming_content).decode()

    assert "data-live=" in waiting
    assert f'href="/templates/{campaign.pk}/people">Go on' in waiting
    assert "data-live-done" in done
    assert "Some rows were refused." in done
    assert "Jonas" in errors


@pytest.mark.parametrize("path", ["", "/live", "/errors"])
def test_a_neighbours_job_is_not_there(page, neighbour, path):
    job = Job.objects.create(account=neighbour.account, kind="x", errors_file="jobs/x")

    assert page.get(f"/jobs/{job.public_id}{path}").status_code == 404


def test_a_job_without_refused_rows_has_no_file(page, api):
    job = Job.objects.create(account=api.account, kind="x")

    assert page.get(f"/jobs/{job.public_id}/errors").status_code == 404
