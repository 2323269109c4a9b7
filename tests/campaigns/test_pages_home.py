import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Connection
from accounts.roles import Role
from campaigns.models import Broadcast, Campaign, CampaignLeadMessage
from campaigns_project import home
from tests.campaigns.pages_world import role_page, running
from tests.factories import ApprovalFactory, BroadcastFactory, CampaignFactory, ConnectionFactory

pytestmark = pytest.mark.django_db
PLANNED = {"audience": 5, "skips": {}}


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize("path", ["/", "/live", "/campaigns"])
def test_everybody_of_the_account_may_look(api, role, path):
    running(api.account)
    answer = role_page(api.account, role).get(path)

    assert answer.status_code == 200
    assert "autumn" in answer.content.decode()


@pytest.mark.parametrize("path", ["/", "/live", "/campaigns", "/campaigns?q=autumn", "/templates", "/people"])
def test_nothing_of_a_neighbour_is_shown(page, neighbour, path):
    theirs = running(neighbour.account, "failed")
    CampaignFactory(account=neighbour.account, name="autumn_theirs", status="rejected")

    html = page.get(path).content.decode()

    assert "autumn_" not in html
    assert theirs.rows[0].phone not in html


@pytest.mark.parametrize("path", ["/", "/live", "/campaigns", "/people"])
def test_the_pages_cost_the_same_for_any_number(page, api, path):
    spent = []
    for broadcasts in (1, 2):
        for _ in range(broadcasts):
            running(api.account, "failed")
            BroadcastFactory(account=api.account, status="scheduled", preflight=PLANNED)
        with CaptureQueriesContext(connection) as queries:
            page.get(path)
        spent.append(len(queries))

    assert spent[0] == spent[1] <= 14


def test_home_says_what_needs_somebody(api):
    ConnectionFactory(account=api.account)
    Connection.objects.update(refused_at=timezone.now())
    running(api.account, "failed", campaign__name="spring")
    BroadcastFactory(account=api.account, status="paused", campaign__name="summer")
    Broadcast.objects.filter(status="paused").update(started_at=timezone.now())
    for name, status in (("no", "rejected"), ("hold", "paused"), ("off", "disabled"), ("slow", "pending")):
        CampaignFactory(account=api.account, name=name, status=status)
    Campaign.objects.filter(name="no").update(rejection_reason="Ends in a variable.")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE campaigns SET status_at = now() - interval '25 hours' WHERE name = 'slow'")
    ApprovalFactory(account=api.account, asked_by__name="Dana", summary={"people": 12_000})

    needs = {need["title"]: need["detail"] for need in home.attention(api.account)}

    assert set(needs) == {
        "No working WhatsApp connection", "1 message of spring failed", "summer is paused", "no was rejected",
        "hold was paused by WhatsApp", "off was disabled by WhatsApp", "slow is still in review",
        "Dana asks for a second person",
    }  # fmt: skip
    assert needs["no was rejected"] == "Ends in a variable."
    assert needs["Dana asks for a second person"] == "To send to 12,000 people."


def test_home_is_quiet_when_all_is_well(page, api):
    ConnectionFactory(account=api.account)
    html = page.get("/").content.decode()

    assert "Nothing. Well done." in html
    assert "Nothing is going out" in html
    assert "data-live-done" in page.get("/live").content.decode()


def test_home_shows_the_week(page, api):
    running(api.account, "read", "sent", "failed")
    CampaignLeadMessage.objects.filter(status="read").update(replied_at=timezone.now())
    soon = BroadcastFactory(account=api.account, status="scheduled", preflight=PLANNED)
    later = BroadcastFactory(account=api.account, status="scheduled", preflight=PLANNED)
    Broadcast.objects.filter(pk=later.pk).update(scheduled_at=timezone.now() + dt.timedelta(days=9))

    context = page.get("/").context

    assert context["coming"] == [soon]
    assert context["numbers"] == {"sent": 2, "delivered": "50.0% delivered", "replied": 1, "cost": 14}


@pytest.mark.parametrize(
    ("query", "found"),
    [("", 4), ("?status=sending", 2), ("?status=draft", 1), ("?status=nonsense", 4), ("?q=spri", 1), ("?q=wa_{}", 1),
     ("?q=wa_1%00", 0), ("?q=nothing", 0)],
)  # fmt: skip
def test_the_list_is_searched_and_sorted_by_state(page, api, query, found):
    running(api.account, campaign__name="spring")
    BroadcastFactory(account=api.account, status="draft", preflight=PLANNED)
    BroadcastFactory(account=api.account, status="paused")
    last = BroadcastFactory(account=api.account, status="scheduled", preflight=PLANNED)
    BroadcastFactory(account=api.account, test_send=True)

    answer = page.get(f"/campaigns{query.format(last.pk)}")

    assert len(answer.context["rows"]) == found
    assert answer.status_code == 200


def test_a_test_send_has_no_page(page, api):
    broadcast = BroadcastFactory(account=api.account, status="sending", test_send=True)

    assert page.get(f"/campaigns/wa_{broadcast.pk}").status_code == 404


def test_an_empty_account_is_shown_the_way(page):
    for path, words in (("/campaigns", "No campaigns yet"), ("/templates", "No templates yet"),
                        ("/people", "Nobody here yet"), ("/campaigns/new", "No template is approved yet")):  # fmt: skip
        assert words in page.get(path).content.decode()
