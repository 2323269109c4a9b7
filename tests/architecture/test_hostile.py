"""Hostile input: refused as the row says, in time, and nothing changes. Never a 5xx."""

import time
import unicodedata

import pytest
from django.test import Client
from django.utils.html import escape

from campaigns.models import CampaignLead, MessageAttempt
from campaigns_project import jobs
from campaigns_project.celery import app
from campaigns_project.models import Job
from tests.architecture.hostile import SLOWEST, ask, built, membership, rows
from tests.architecture.world import OURS, THEIRS, belongings, build

pytestmark = pytest.mark.django_db
ROWS = rows()
OVER_SOCKETS = [row for row in ROWS if row["input"].get("over") == "socket"]
JOBS = [row for row in ROWS if row["area"] == "job"]
ASKED = [row for row in ROWS if row not in OVER_SOCKETS and row not in JOBS]
NAMES = [row for row in ASKED if row["area"] == "text.any_name_field" and row["expected"]["status"] == [201]]


@pytest.fixture(autouse=True)
def worlds(settings):
    settings.SIGN_IN_TRIES_PER_MINUTE = 3
    build(THEIRS)
    return build(OURS)


def named(row):
    return f"{row['area']}: {row['name']}"[:80]


@pytest.mark.parametrize("row", ASKED, ids=named)
def test_hostile_input_is_refused_as_its_row_says(row):
    ours, theirs = (membership(owner).account for owner in (OURS, THEIRS))
    before = belongings(theirs), belongings(ours)
    begun = time.monotonic()

    answers = ask(row)

    expected = row["expected"]
    assert time.monotonic() - begun < SLOWEST * len(answers)
    assert {answer.status_code for answer in answers} <= set(expected["status"]), answers[-1].content[:500]
    if row["input"]["kind"] != "http-seq":  # Where the neighbour asks too.
        assert belongings(theirs) == before[0]
    # These make what they ask about, and look after it themselves.
    making = {"transition", "event", "case"} & set(row["input"]) or row["input"]["kind"] == "redeem"
    if all(answer.status_code >= 400 for answer in answers) and not making:
        assert belongings(ours) == before[1]
    for answer in answers:
        if answer.status_code >= 400 and row["area"] != "auth.pages":
            told = answer.json()
            assert (told["error"], told["code"]) == (told["code"], expected.get("code", told["code"]))
        assert "evil" not in answer.headers.get("Location", "")


@pytest.mark.parametrize("row", NAMES, ids=named)
def test_a_hostile_name_reads_back_equal_and_is_shown_inert(row, worlds):
    answer = ask(row)[0]
    page = Client()
    page.force_login(worlds.user)

    given = unicodedata.normalize("NFC", built(row["input"]["json"])["name"])
    shown = page.get(f"/templates/{answer.json()['id']}").content.decode()
    assert answer.json()["name"] == given
    assert escape(given) in shown
    assert "<img src=x" not in shown


def test_of_a_file_with_one_poisonous_row_all_others_are_taken_in():
    poisonous = next(row for row in ASKED if row["name"] == "row 5000 of 10000 poisonous")

    ask(poisonous)
    while jobs.run_due():
        pass
    job = Job.objects.get(kind="lead_import")

    assert (job.status, job.done, job.failed) == ("done", 9_999, 1)
    assert CampaignLead.objects.filter(campaign=OURS).count() == 10_000


@pytest.mark.parametrize(
    ("name", "done", "variables"), [("header only", 0, None), ("UTF-8 BOM", 1, {"zip": "1"}), ("file name path", 1, {})]
)
def test_what_a_file_of_leads_comes_to(name, done, variables):
    ask(next(row for row in ASKED if row["name"] == name))
    jobs.run_due()
    lead = CampaignLead.objects.filter(conversation_user__phone="+15550000001").first()

    job = Job.objects.get(kind="lead_import")
    assert (job.status, job.done, job.failed) == ("done", done, 0)
    assert (lead and lead.custom_variables) == variables
    assert job.input_file == f"jobs/{job.public_id}-input"


@pytest.mark.parametrize("later", [{}, {"missing": None, "nul": "\0"}], ids=["same", "other"])
def test_a_task_of_another_release_is_handled_and_two_clocks_do_no_harm(later):
    app.loader.import_default_modules()
    ours = [task for name, task in app.tasks.items() if not name.startswith("celery.")]

    for task in ours:
        # The one that starts real programs: tests/dispatch and tests/crash.
        if not task.name.endswith("keep_senders"):
            task.run(**later)
            task.run(**later)

    assert len(ours) >= len(JOBS)
    assert set(MessageAttempt.objects.values_list("pk", flat=True)) == {OURS, THEIRS}
