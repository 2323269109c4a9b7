import csv
import datetime as dt
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connections, transaction

from accounts.roles import Role
from campaigns_project import jobs
from campaigns_project.models import Job
from campaigns_project.refusals import Unprocessable
from tests.factories import AccountFactory
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def private_files(settings, tmp_path):
    settings.PRIVATE_FILES_DIR = tmp_path


@jobs.runs("test_count")
def count(job):
    """Two rows a slice; row 3 is bad."""
    first = job.done + job.failed
    for row in range(first, min(first + 2, job.total)):
        if row == job.params.get("bad"):
            jobs.add_errors(job, ["row", "why"], [[row, "=cmd()"]])
        else:
            jobs.progress(job, done=1)
    return first + 2 >= job.total


@jobs.runs("test_fail")
def fail(job):
    jobs.progress(job, done=1)
    raise {"refusal": Unprocessable("Not a CSV file."), "bug": KeyError("x"), "away": OperationalError("gone")}[
        job.params["how"]
    ]


@jobs.runs("test_result")
def with_result(job):
    jobs.finish(job, result={"rows": 3})
    return True


def make(kind="test_count", account=None, **options):
    return jobs.create(kind, account=account or AccountFactory(), **options)


def test_a_job_runs_in_slices_until_it_is_done(api):
    job = make(account=api.account, total=5, params={"bad": 3}, by=api.user)
    address = f"/api/v1/jobs/{job.public_id}"
    seen = [api.get(address).json()]
    while jobs.run_due():
        seen.append(api.get(address).json())

    assert [(each["status"], each["done"], each["failed"]) for each in seen] == [
        ("queued", 0, 0),
        ("running", 2, 0),
        ("running", 3, 1),
        ("done", 4, 1),
    ]
    assert [bool(each["eta"]) for each in seen] == [False, True, True, False]
    assert (seen[0]["errors_url"], seen[3]["errors_url"]) == (None, f"{address}/errors")
    assert seen[3]["finished_at"]
    errors = api.get(seen[3]["errors_url"])
    assert list(csv.reader(io.StringIO(b"".join(errors.streaming_content).decode()))) == [
        ["row", "why"],
        ["3", "'=cmd()"],
    ]
    assert errors["Content-Disposition"] == f'attachment; filename="{job.public_id}-errors.csv"'
    errors.close()


def test_a_result_given_by_the_runner_is_kept():
    job = make("test_result")

    assert jobs.run_slice(job.pk)
    job.refresh_from_db()
    assert (job.status, job.result) == ("done", {"rows": 3})


@pytest.mark.parametrize(
    ("how", "message"), [("refusal", "Not a CSV file."), ("bug", "Something went wrong on our side.")]
)
def test_a_job_that_fails_says_why_and_leaves_nothing_of_its_slice(how, message):
    job = make("test_fail", params={"how": how})

    assert jobs.run_due() == 1
    job.refresh_from_db()
    assert (job.status, job.message, job.done) == ("failed", message, 0)
    assert jobs.run_due() == 0


def test_a_job_survives_an_absent_database():
    job = make("test_fail", params={"how": "away"})

    with pytest.raises(OperationalError):
        jobs.run_slice(job.pk)

    assert jobs.due().get() == job


def test_what_a_killed_slice_wrote_into_the_error_file_is_cut_off():
    job = make()
    jobs.add_errors(job, ["row"], [[1]])
    with jobs.errors_of(job).open("ab") as file:
        file.write(b"torn")

    jobs.add_errors(job, ["row"], [[2], [3]])

    assert jobs.errors_of(job).read_bytes() == b"row\r\n1\r\n2\r\n3\r\n"
    job.refresh_from_db()
    assert job.failed == 3


def test_an_upload_is_kept_under_a_name_of_ours():
    job = make(upload=SimpleUploadedFile("../../etc/cron.d/x", b"a,b\n"))

    assert jobs.input_of(job).read_bytes() == b"a,b\n"
    assert job.input_file == f"jobs/{job.public_id}-input"


def test_a_job_is_cancelled_once(api):
    job = make(account=api.account, total=9)
    address = f"/api/v1/jobs/{job.public_id}/cancel"

    assert api.post(address).json()["status"] == "cancelled"
    assert api.post(address).json()["code"] == "CONFLICT"
    assert not jobs.run_slice(job.pk)


@pytest.mark.django_db(transaction=True)
def test_a_job_that_somebody_is_at_is_left_alone():
    job = make(total=1)
    other = connections.create_connection("default")
    with transaction.atomic():
        Job.objects.select_for_update().get(pk=job.pk)
        connections["default"], mine = other, connections["default"]
        try:
            assert not jobs.run_slice(job.pk)
        finally:
            connections["default"] = mine
            other.close()


@pytest.mark.parametrize("path", ["", "/cancel", "/errors"])
def test_jobs_are_the_accounts_own(api, neighbour, path):
    job = make(account=neighbour.account)
    method = "POST" if path == "/cancel" else "GET"

    for who, job_id in ((api, job.public_id), (api, "job_none"), (neighbour, "\u202e")):
        assert who.send(method, f"/api/v1/jobs/{job_id}{path}").status_code == 404


def test_a_job_without_errors_has_no_error_file(api):
    job = make(account=api.account)

    assert api.get(f"/api/v1/jobs/{job.public_id}/errors").status_code == 404
    assert caller(Role.MARKETING, account=api.account).post(f"/api/v1/jobs/{job.public_id}/cancel").status_code == 200


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": "running", "total": 10, "done": 4, "failed": 1}, NOW + dt.timedelta(seconds=10)),
        ({"status": "running", "total": 10}, None),
        ({"status": "running", "done": 5}, None),
        ({"status": "done", "total": 10, "done": 5}, None),
    ],
)
def test_the_end_is_foretold_from_the_speed_so_far(fields, expected):
    assert jobs.eta(Job(started_at=NOW - dt.timedelta(seconds=10), **fields), NOW) == expected


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\t=1", "\tx", "\r=1", " =1", "＝1"])
def test_a_formula_is_made_inert(text):
    assert jobs.safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("cell", ["a=1", "", 5, None, -2])
def test_other_cells_are_left_alone(cell):
    assert jobs.safe_cell(cell) is cell
