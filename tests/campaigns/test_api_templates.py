"""Templates as integrators see them."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.roles import Role
from campaigns.models import Campaign
from tests.factories import BroadcastFactory, CampaignFactory, CampaignLeadFactory, ConnectionFactory
from tests.fixtures_http import caller
from tests.providers.test_images import picture

pytestmark = pytest.mark.django_db
BASE = "/api/v1/campaign"
COLUMNS = {
    *("id", "merchant_id", "next_campaign_id", "name", "body", "language", "content_sid", "status"),
    *("rejection_reason", "variables", "content_type", "content_context", "campaign_type", "author_type", "channel"),
    *("variable_defaults", "enabled", "created_at", "updated_at", "metrics", "custom_variable_keys", "versions"),
}
TEXT = {
    "name": "autumn",
    "content_type": "twilio/text",
    "content_context": {"body": "Hi {{lead_name}}, we are open."},
    "variable_defaults": {"lead_name": "there"},
}
PNG = picture("PNG")


def refusal(answer):
    return answer.status_code, answer.json()["code"]


def test_create_answers_with_the_whole_template(api):
    answer = api.post(f"{BASE}/create", json=TEXT | {"campaign_type": "service"})

    shown = answer.json()
    assert (answer.status_code, set(shown)) == (201, COLUMNS)
    assert (shown["merchant_id"], shown["status"], shown["enabled"]) == (api.account.pk, "unsubmitted", None)
    assert shown["content_context"] == {"body": "Hi {{1}}, we are open."}
    assert (shown["variables"], shown["body"]) == ({"1": "lead_name"}, TEXT["content_context"]["body"])
    assert [version["id"] for version in shown["versions"]] == [shown["id"]]
    assert api.get(f"{BASE}/{shown['id']}").json() == shown


def test_a_form_with_a_picture_makes_a_template_that_shows_it(api):
    form = {
        "name": "picture",
        "content_type": "twilio/media",
        "content_context_json": '{"body": "Hi {{1}}, look."}',
        "variables": '{"1": "lead_name"}',
        "variable_defaults": '{"lead_name": "there"}',
        "media": SimpleUploadedFile("../x.png", PNG, "image/png"),
    }

    answer = api.upload(f"{BASE}/create", form)

    assert answer.status_code == 201, answer.json()
    (address,) = answer.json()["content_context"]["media"]
    path = address.partition("8000")[2]
    assert b"".join(api.client.get(path)) == PNG
    assert b"".join(api.get(path.partition("?")[0])) == PNG


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"content_sid": "HX1"}, "content_sid"),
        ({"status": "approved"}, "status"),
        ({"merchant_id": 1}, "merchant_id"),
        ({"next_campaign_id": 1}, "next_campaign_id"),
        ({"content_type": "twilio/hologram"}, "content_type"),
        ({"content_context": []}, "content_context"),
        ({"campaign_type": "spam"}, "campaign_type"),
        ({"language": "xx"}, "language"),
        ({"variables": {"1": {"a": 1}}, "content_context": {"body": "Hi there {{1}}"}}, "variables.1"),
    ],
)
def test_what_create_refuses_names_the_field(api, change, field):
    answer = api.post(f"{BASE}/create", json=TEXT | change)

    assert refusal(answer) == (400, "VALIDATION_ERROR")
    assert list(answer.json()["details"]) == [field]
    assert not Campaign.objects.exists()


def test_json_in_a_form_is_read_as_strictly_as_a_body(api):
    answer = api.upload(f"{BASE}/create", TEXT | {"content_context": "", "content_context_json": '{"a":1,"a":2}'})

    assert set(answer.json()["details"]) == {"content_context"}
    form = {"name": "a", "content_type": "twilio/text", "content_context_json": '{"a":1,"a":2}'}
    assert api.upload(f"{BASE}/create", form).json()["details"] == {
        "content_context_json": ["The body names a key twice."]
    }


def test_a_name_is_taken_once(api):
    CampaignFactory(account=api.account, name="autumn")

    assert refusal(api.post(f"{BASE}/create", json=TEXT)) == (409, "name_taken")


def test_update_makes_a_version_that_the_old_one_points_to(api):
    old = CampaignFactory(account=api.account, name="autumn", status="approved")

    answer = api.post(f"{BASE}/update/{old.pk}", json={"content_context": {"body": "Hello you"}, "name": "autumn"})

    new = answer.json()
    assert (answer.status_code, new["body"], new["status"]) == (201, "Hello you", "unsubmitted")
    assert [(version["id"], version["next_campaign_id"]) for version in new["versions"]] == [
        (old.pk, new["id"]),
        (new["id"], None),
    ]
    assert refusal(api.post(f"{BASE}/update/{old.pk}", json={})) == (409, "not_the_newest_version")


def test_update_changes_no_name(api):
    campaign = CampaignFactory(account=api.account)

    answer = api.post(f"{BASE}/update/{campaign.pk}", json={"name": "other"})

    assert list(answer.json()["details"]) == ["name"]


@pytest.mark.parametrize("address", ["update/{}", "enable/{}", "{}/transition"])
def test_an_edit_of_what_has_changed_since_is_refused(api, address):
    campaign = CampaignFactory(account=api.account, status="approved")
    read = api.get(f"{BASE}/{campaign.pk}")["ETag"]
    Campaign.objects.update(polled_at="2026-01-01T00:00:00Z")
    body = {"event": "archive"} if "transition" in address else {}
    assert api.get(f"{BASE}/{campaign.pk}", headers={"if-none-match": read}).status_code == 304

    Campaign.objects.update(rejection_reason="later")

    answer = api.post(f"{BASE}/{address.format(campaign.pk)}", json=body, headers={"if-match": read})
    assert refusal(answer) == (412, "PRECONDITION_FAILED")


def test_submit_waits_for_twilio_and_is_taken_once(api):
    campaign = CampaignFactory(account=api.account, content_sid=None)
    assert refusal(api.post(f"{BASE}/submit/{campaign.pk}")) == (422, "no_connection")
    ConnectionFactory(account=api.account)

    first, second = (api.post(f"{BASE}/submit/{campaign.pk}") for _ in range(2))

    assert (first.status_code, first.json()["status"]) == (202, "unsubmitted")
    assert refusal(second) == (409, "transition_not_allowed")


def test_a_template_is_switched_off_and_on(api):
    campaign = CampaignFactory(account=api.account, status="approved")

    assert api.post(f"{BASE}/disable/{campaign.pk}").json()["enabled"] is None
    assert api.post(f"{BASE}/enable/{campaign.pk}").json()["enabled"] is not None
    draft = CampaignFactory(account=api.account)
    assert refusal(api.post(f"{BASE}/enable/{draft.pk}")) == (409, "template_not_approved")


@pytest.mark.parametrize(("address", "body"), [("archive/{}", {}), ("{}/transition", {"event": "archive"})])
def test_a_template_in_use_is_not_archived(api, address, body):
    broadcast = BroadcastFactory(account=api.account, status="sending")
    unused = CampaignFactory(account=api.account)

    assert refusal(api.post(f"{BASE}/{address.format(broadcast.campaign_id)}", json=body)) == (409, "broadcast_open")
    assert api.post(f"{BASE}/{address.format(unused.pk)}", json=body).json()["status"] == "archived"


def test_the_machines_own_verbs_are_nobodys(api):
    campaign = CampaignFactory(account=api.account)

    answer = api.post(f"{BASE}/{campaign.pk}/transition", json={"event": "approve"})

    assert refusal(answer) == (409, "transition_not_allowed")
    assert answer.json()["details"]["allowed"] == ["archive"]


def test_the_built_in_templates_are_created_once(api):
    names = api.get(f"{BASE}/default-campaign-names").json()["data"]
    made = [api.post(f"{BASE}/create-default").json()["data"], api.get(f"{BASE}/create-default").json()["data"]]

    assert len(names) == len(set(names)) == 23
    assert made[0] == made[1]
    assert [each["name"] for each in made[0]] == names


def test_some_of_the_built_in_templates_are_picked_by_name(api):
    answer = api.post(f"{BASE}/create-default?campaign_names=hello_world,low_stock")

    assert [each["name"] for each in answer.json()["data"]] == ["hello_world", "low_stock"]
    assert refusal(api.post(f"{BASE}/create-default?campaign_names=nothing")) == (400, "VALIDATION_ERROR")
    author = caller(Role.MARKETING)
    assert api.get(f"{BASE}/create-default?campaign_names=").status_code == 400
    assert author.get(f"{BASE}/create-default?campaign_names=hello_world").status_code == 200


def test_the_kinds_of_content_come_with_schema_and_rules(api):
    kinds = api.get(f"{BASE}/content-types").json()["data"]

    assert [kind["type"].partition("/")[2] for kind in kinds] == [
        *("text", "media", "quick-reply", "call-to-action"),
        "card",
    ]
    assert all(kind["schema"]["type"] == "object" and kind["variable_rules"] for kind in kinds)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["winter", "spring", "autumn"]),
        ("order_by=name", ["autumn", "spring", "winter"]),
        ("order_by=-name&limit=1", ["winter"]),
        ("search=PRI", ["spring"]),
        ("search=%25", []),
        ("search=blossom", ["spring"]),
        ("campaign_type=service", ["winter"]),
        ("status=approved", ["spring"]),
        ("language=de", ["autumn"]),
        ("page=2&limit=2", ["autumn"]),
    ],
)
def test_the_list_is_filtered_and_ordered(api, neighbour, query, found):
    CampaignFactory(account=api.account, name="autumn", language="de")
    CampaignFactory(account=api.account, name="spring", status="approved", body="In blossom.")
    CampaignFactory(account=api.account, name="winter", campaign_type="service")
    CampaignFactory(account=neighbour.account, name="spring", status="approved", language="de")

    answer = api.get(f"{BASE}/?{query}")

    assert [row["name"] for row in answer.json()["data"]] == found
    assert all(set(row) == COLUMNS for row in answer.json()["data"])


def test_the_list_is_picked_by_id_and_continued_by_cursor(api, neighbour):
    own = CampaignFactory.create_batch(3, account=api.account)
    foreign = CampaignFactory(account=neighbour.account)
    ids = ",".join(str(campaign.pk) for campaign in [*own[:2], foreign])

    page = api.get(f"{BASE}?campaign_ids={ids}&limit=1").json()
    rest = api.get(f"{BASE}?campaign_ids={ids}&limit=1&cursor={page['pagination']['next_cursor']}").json()

    assert [row["id"] for row in page["data"] + rest["data"]] == [own[1].pk, own[0].pk]
    assert page["pagination"]["total"] == 2


def test_custom_variables_of_active_leads_are_named(api):
    lead = CampaignLeadFactory(account=api.account, custom_variables={"table": "7"})
    CampaignLeadFactory(campaign=lead.campaign, custom_variables={"seat": "1"})
    CampaignLeadFactory(campaign=lead.campaign, custom_variables={"gone": "1"}, active=False)

    assert api.get(f"{BASE}/{lead.campaign_id}").json()["custom_variable_keys"] == ["seat", "table"]
