"""Customers from a file, and a person's own file, as merchants see them; no page needs JavaScript."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from campaigns_project import jobs
from campaigns_project.models import AuditEntry, Job
from crm import tasks
from crm.customers import importing
from crm.models import Customer
from tests.factories import CustomerFactory
from tests.fixtures_http import caller
from tests.operators_world import address, operator

pytestmark = pytest.mark.django_db
RAW = "Mail;Nr;seat;x\nanna@example.test;c-1;<b>7;y\nnobody;c-2;8;\n"


def upload(page, raw=RAW):
    return page.post("/people/import", {"file": SimpleUploadedFile("a.csv", raw.encode(), "text/csv")})


def run():
    while jobs.run_due():
        pass


def test_a_file_is_uploaded_its_columns_said_taken_in_and_taken_back(page, api):
    where = upload(page)["Location"]
    shown = page.get(where).content.decode()
    run()
    assert Customer.objects.count() == 0

    begun = page.post(
        where, {"act": "start", "column0": "email", "column1": "external_id", "column2": "attributes.seat"}
    )
    running = page.get(where).content.decode()
    run()
    done = page.get(where).content.decode()
    anna = Customer.objects.get()

    assert '<option value="email" selected>' in shown
    assert "&lt;b&gt;7" in shown
    assert (begun.status_code, begun["Location"]) == (303, where)
    assert f'data-live="{where}/live"' in running
    assert (anna.email, anna.external_id, anna.attributes) == ("anna@example.test", "c-1", {"seat": "<b>7"})
    assert "Some rows were refused." in done
    assert "Undo this import" in done
    assert page.get(f"{where}/live").status_code == 200
    undo = page.post(where, {"act": "undo"})["Location"]
    run()
    assert "Removed" in page.get(undo).content.decode()
    assert Customer.objects.count() == 0
    assert "It was undone." in page.get(where).content.decode()
    assert page.post(where, {"act": "undo"}).status_code == 409
    assert where in page.get("/people/import").content.decode()


@pytest.mark.parametrize("raw", ["", "PK\x03\x04", "a\x00b\n"])
def test_what_is_no_list_is_said_beside_the_file(page, raw):
    answer = upload(page, raw)

    assert answer.status_code == 400
    assert 'id="id_file_error"' in answer.content.decode()


def test_columns_that_name_nobody_are_asked_again(page):
    where = upload(page)["Location"]

    answer = page.post(where, {"act": "start", "column2": "first_name"})

    assert answer.status_code == 400
    assert "must name a column of e-mail addresses" in answer.content.decode()
    assert page.post(where, {"act": "start", "column0": "email"}).status_code == 303
    run()
    assert page.post(where, {"act": "start", "column0": "email"}).status_code == 409


def test_a_file_that_nobody_starts_is_thrown_away_after_a_day(page, api):
    where, later = upload(page)["Location"], upload(page)["Location"]
    old = Job.objects.get(public_id=where.rpartition("/")[2])
    Job.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(hours=25))
    kept = jobs.input_of(old)

    tasks.forget_old_webhooks_out()

    old.refresh_from_db()
    assert (old.status, old.input_file, kept.exists()) == ("cancelled", "", False)
    assert "Nobody started it within a day." in page.get(where).content.decode()
    assert page.post(where, {"act": "start", "column0": "email"})["Location"] == "/people/import"
    assert page.post(later, {"act": "start", "column0": "email"})["Location"] == later
    with pytest.raises(importing.AlreadyStarted):
        importing.start(old, {})


def test_an_operator_sees_what_was_uploaded_and_takes_the_refused_rows(page, api, client):
    where = upload(page)["Location"]
    page.post(where, {"act": "start", "column0": "email"})
    run()
    job, staff = Job.objects.get(), operator(Client())

    shown = staff.get(address(job, "change")).content.decode()
    file = staff.get(f"/admin/{job._meta.app_label}/job/{job.pk}/errors/")

    assert ("a.csv" in shown, api.user.email in shown, "1 as CSV" in shown) == (True, True, True)
    assert b"nobody" in b"".join(file.streaming_content)
    assert AuditEntry.objects.filter(action="job.errors", target=job.public_id).exists()
    assert client.get(file.request["PATH_INFO"]).status_code == 302
    jobs.errors_of(job).unlink()
    assert staff.get(file.request["PATH_INFO"]).status_code == 404


def test_an_import_is_the_accounts_own(page, neighbour):
    theirs = importing.keep(neighbour.account, SimpleUploadedFile("a.csv", RAW.encode()), by=None)

    assert page.get(f"/people/import/{theirs.public_id}").status_code == 404
    assert page.post(f"/people/import/{theirs.public_id}", {"act": "start"}).status_code == 404


def test_a_person_gets_their_file(page, api):
    anna = CustomerFactory(account=api.account)
    path = f"/people/{anna.public_id}/export"

    before = page.get(path).content.decode()
    asked = page.post(path)
    waiting = page.get(path).content.decode()
    run()
    done = page.get(path).content.decode()

    assert path in page.get(f"/people/{anna.public_id}").content.decode()
    assert "Nobody asked yet." in before
    assert asked.status_code == 303
    assert "Refresh" in waiting
    assert "/api/v1/customers/exports/" in done
    assert page.get("/people/cust_nobody/export").status_code == 404


def test_whoever_may_author_may_import(api):
    client = Client()
    client.force_login(caller(Role.MARKETING, account=api.account).user)

    assert client.get("/people/import").status_code == 200
