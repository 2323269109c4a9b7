"""A campaign's people as a file: everybody with what they got, why not and what came of it; no cell is a formula."""

import csv
import datetime as dt
import io

import pytest

from campaigns_project.models import AuditEntry
from crm.marketing.listing import COLUMNS
from crm.models import Delivery
from tests.crm.marketing_world import in_doubt, launched

pytestmark = pytest.mark.django_db
AT = dt.datetime(2026, 11, 21, 9, 30, 15, tzinfo=dt.UTC)


@pytest.fixture
def campaign(api):
    """Somebody called like a formula who read it and ordered, one nobody knows of, one who waits, one left out."""
    one = launched(api.account, "read", "sending", "queued")
    first = one.rows[0]
    first.customer.first_name, first.customer.last_name = "=cmd()", 'O"Hara,\nAda'
    first.customer.save()
    came = {"delivered_at": AT, "opened_at": AT, "clicked_at": AT, "converted_at": AT, "revenue_minor": 468_050}
    Delivery.objects.filter(pk=first.pk).update(**came)
    in_doubt(one.rows[1])
    return one


def rows_of(answer):
    assert answer.status_code == 200
    assert "Content-Length" not in answer.headers
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode(), newline="")))


def test_the_file_says_who_got_it_why_not_and_what_came_of_it(api, campaign):
    answer = api.get(f"/api/v1/marketing/campaigns/{campaign.public_id}/export")
    read, unknown, waiting, left = rows_of(answer)

    assert answer["Content-Disposition"] == f'attachment; filename="{campaign.public_id}.csv"'
    assert tuple(read) == COLUMNS
    assert (read["first_name"], read["last_name"]) == ("'=cmd()", 'O"Hara,\nAda')
    assert {read[name] for name in ("delivered_at", "opened_at", "clicked_at", "converted_at")} == {
        "2026-11-21T09:30:15Z"
    }
    assert (read["revenue"], read["currency"], read["unsubscribed_at"]) == ("4680.50", "USD", "")
    assert (unknown["status"], unknown["outcome"], waiting["outcome"]) == ("sending", "unknown", "queued")
    assert (left["status"], left["why_not"], left["revenue"]) == ("skipped", "Has not agreed to marketing", "0.00")
    assert AuditEntry.objects.get(action="campaign.export").target == campaign.public_id


@pytest.mark.parametrize(
    ("asked", "statuses"),
    [
        ("status=read", ["read"]),
        ("channel=push", []),
        ("skip_reason=no_consent", ["skipped"]),
    ],
)
def test_the_file_can_be_of_some_of_them(api, campaign, asked, statuses):
    answer = api.get(f"/v1/commerce/marketing/campaigns/{campaign.public_id}/export?{asked}")

    assert [row["status"] for row in rows_of(answer)] == statuses


def test_nonsense_is_refused_before_anything_is_streamed(api, campaign):
    assert api.get(f"/api/v1/marketing/campaigns/{campaign.public_id}/export?status=gone").status_code == 400
    assert api.get("/api/v1/marketing/campaigns/camp_none/export").json()["code"] == "campaign_not_found"


@pytest.mark.parametrize(
    ("asked", "statuses"),
    [
        ("", ["read", "sending", "queued", "skipped"]),
        ("?status=left_out&reason=no_consent", ["skipped"]),
        ("?status=waiting", ["sending", "queued"]),
        ("?status=%00", []),
    ],
)
def test_the_page_of_people_exports_what_it_shows(page, campaign, asked, statuses):
    at = f"/campaigns/{campaign.public_id}"
    people = page.get(f"{at}/people{asked}").content.decode().replace("&amp;", "&")

    assert f'href="{at}/export{asked}"' in people
    assert [row["status"] for row in rows_of(page.get(f"{at}/export{asked}"))] == statuses
