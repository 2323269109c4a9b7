"""Customers' files over HTTP."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from campaigns_project import jobs
from crm.customers import importing
from crm.models import Customer
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db
BASE = "/api/v1/customers/import"


def send(who, raw="Mail;id\nanna@example.test;c-1\n", **form):
    return who.upload(BASE, form | {"file": SimpleUploadedFile("a.csv", raw.encode(), "text/csv")})


def finished(who, answer):
    while jobs.run_due():
        pass
    return who.get(answer["Location"]).json()


def test_a_file_is_taken_in_as_a_job_and_undone_as_another(api):
    answer = send(api, "Mail;Nr\nanna@example.test;c-1\nnobody;c-2\n", mapping='{"Nr": "external_id"}')
    told = finished(api, answer)
    there = Customer.objects.for_account(api.account).count()
    undone = api.post(f"{BASE}/{told['id']}/undo")

    assert (answer.status_code, told["status"], told["kind"], told["done"], told["failed"]) == (
        202, "done", "customer_import", 1, 1,
    )  # fmt: skip
    assert told["result"] == {
        "created": 1, "updated": 0, "unchanged": 0, "still_opted_out": 0, "ignored_columns": [],
    }  # fmt: skip
    assert b"nobody" in b"".join(api.get(told["errors_url"]).streaming_content)
    assert (undone.status_code, there) == (202, 1)
    assert finished(api, undone)["result"]["removed"] == 1
    assert Customer.objects.count() == 0
    assert api.post(f"{BASE}/{told['id']}/undo").json()["code"] == "import_undone"


def test_a_running_import_is_not_undone(api):
    job_id = send(api).json()["job_id"]

    assert api.post(f"{BASE}/{job_id}/undo").json()["code"] == "import_running"


@pytest.mark.parametrize("mapping", ["[", "[]", '{"Mail": 7}', '{"Mail": "password"}', '{"Mail": "", "Mail": ""}'])
def test_a_mapping_that_is_none_is_refused(api, mapping):
    answer = send(api, mapping=mapping)

    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert next(iter(answer.json()["details"])).startswith("mapping")


def test_a_neighbours_import_is_not_there_and_nobody_of_theirs_is_touched(api, neighbour):
    theirs = CustomerFactory(account=neighbour.account, email="anna@example.test", external_id="c-1")
    told = finished(api, send(api))

    assert told["result"]["created"] == 1
    assert neighbour.post(f"{BASE}/{told['id']}/undo").status_code == 404
    assert Customer.objects.get(pk=theirs.pk).email == "anna@example.test"


def test_the_same_key_is_one_import(api, monkeypatch):
    monkeypatch.setattr(importing, "SLICE", 1)
    headers = {"Idempotency-Key": "k"}
    file = SimpleUploadedFile("a.csv", b"email\nanna@example.test\n", "text/csv")
    answers = []
    for _ in range(2):
        file.seek(0)
        answers.append(api.upload(BASE, {"file": file}, headers=headers))

    assert answers[0].json() == answers[1].json()
