"""Leads from files: what is a file of rows, what becomes of each line, and what a kill costs."""

import codecs
import csv
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.db import transaction

from campaigns import authoring, importing
from campaigns.models import CampaignLead
from campaigns_project import jobs
from campaigns_project.models import Job
from campaigns_project.refusals import Invalid
from tests.factories import CampaignFactory, UserFactory

pytestmark = pytest.mark.django_db
ANNA, BEA = "+15550000001", "+15550000002"


def phones(count):
    return [f"+1555{number:07d}" for number in range(count)]


def upload(raw, name="leads.csv"):
    return SimpleUploadedFile(name, raw if isinstance(raw, bytes) else raw.encode(), "text/csv")


def take_in(raw, campaign=None, **options):
    """Import a file to its end; returns the job."""
    job = importing.import_csv(campaign or CampaignFactory(), upload(raw, **options), by=UserFactory())
    while jobs.run_due():
        pass
    job.refresh_from_db()
    return job


def leads_of(job):
    found = CampaignLead.objects.filter(campaign=job.params["campaign"]).order_by("conversation_user__phone")
    return dict(found.values_list("conversation_user__phone", "custom_variables"))


def errors(job):
    return list(csv.reader(io.StringIO(jobs.errors_of(job).read_text())))


@pytest.mark.parametrize(
    "raw",
    [
        f"phone,table\n{ANNA},7\n{BEA},8\n",
        f"table;Phone Number\r\n7;{ANNA}\r\n8;{BEA}",
        f"mobile\ttable\t\n{ANNA}\t7\t\n\n{BEA}\t8\n",
        f'\ufeffphone,"table"\n"{ANNA}","7"\n{BEA}, 8 \n',
        f"Number,Tablé,名前\n{ANNA},7,x\n{BEA},8,y\n",
    ],
)
def test_a_sheet_is_read_as_people_save_it(raw):
    job = take_in(raw.replace("Tablé", "Table"))

    assert leads_of(job) == {ANNA: {"table": "7"}, BEA: {"table": "8"}}
    assert (job.status, job.done, job.failed) == ("done", 2, 0)
    counted = {"created": 2, "reactivated": 0, "unchanged": 0}
    assert job.result == counted | {"ignored_columns": ["名前"] if "名前" in raw else []}


def test_columns_are_named_as_variables_are():
    job = take_in(f"phone,E-Mail,Größe,1,9,\n{ANNA},a@example.test,42,Anna,x\n{BEA}\n")

    assert leads_of(job) == {ANNA: {"lead_name": "Anna", "e_mail": "a@example.test", "groe": "42"}, BEA: {}}
    assert job.result["ignored_columns"] == ["9"]


def test_a_column_called_name_is_the_name_of_the_person():
    assert leads_of(take_in(f"Name,phone\nAnna,{ANNA}\n")) == {ANNA: {"lead_name": "Anna"}}


@pytest.mark.parametrize("empty", ["phone\n", "phone", "phone\r\n\r\n"])
def test_a_file_with_a_header_only_has_no_rows(empty):
    job = take_in(empty)

    assert (job.status, job.done, job.failed, leads_of(job)) == ("done", 0, 0, {})


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"first_name,last_name\n",
        b"phone,phone\n",
        b"phone,table,Table\n",
        b"phone,name,1\n",
        b"phone," + b",".join(b"c%d" % number for number in range(101)) + b"\n",
        b"phone\x00,b\n",
        b"PK\x03\x04 a sheet",
        b"MZ\x90 a program",
        codecs.BOM_UTF16_LE + "phone\n".encode("utf-16-le"),
        "phone,näme\n".encode("cp1252"),
        "phone\né".encode()[:-1],
        b"phone,b\r1,2\r",
        b'"phone,b\n',
        b'phone,b\n"+15550000001,b\n' + b"+15550000002,b\n" * 10,
        b'phone,b\n"' + b"x" * 70_000,
        b"phone,b\n" + b"+15550000001,b\n" * 6_000 + b"x" * 70_000 + b"\n",
    ],
)
def test_what_is_no_list_of_numbers_is_refused_at_once(raw, private_files):
    with pytest.raises(Invalid) as refusal:
        importing.import_csv(CampaignFactory(), upload(raw), by=None)

    assert list(refusal.value.details) == ["file"]
    assert (Job.objects.count(), list(private_files.iterdir())) == (0, [])


def test_a_row_that_cannot_be_is_told_with_its_line_and_the_others_are_taken():
    rows = [f"{phone},ok" for phone in phones(300)]
    rows[3], rows[5], rows[7] = "=1+1,x", f"{ANNA},a,b", f"{ANNA},\x07"
    rows[250] = '"' + rows[250]

    job = take_in("\n".join(["phone,table", *rows]))

    assert (job.total, job.done, job.failed, len(leads_of(job))) == (300, 296, 4, 296)
    header, *told = errors(job)
    assert header == ["line", "reason", "phone", "table"]
    assert [row[0] for row in told] == ["5", "7", "9", "252"]
    assert told[0][2] == "'=1+1"
    assert [row[1].partition(" ")[0] for row in told] == ["phone_number:", "row:", "custom_variables.table:", "The"]


def test_the_same_number_twice_is_one_lead_as_said_last():
    job = take_in(f"phone,table\n{ANNA},1\n1 555 000 0001,2\n")

    assert leads_of(job) == {ANNA: {"table": "2"}}
    assert (job.result["created"], job.result["unchanged"]) == (1, 1)


@pytest.mark.parametrize("name", ["../../etc/cron.d/x", "a\u202e" + "b" * 1000])
def test_the_clients_name_for_a_file_is_not_used_on_disk(name, private_files):
    job = take_in(f"phone\n{ANNA}\n", name=name)

    assert [path.name for path in private_files.rglob("*") if path.is_file()] == [f"{job.public_id}-input"]


def test_a_file_on_disk_is_read_in_pieces_as_one_in_memory_is():
    temporary = TemporaryUploadedFile("x.csv", "text/csv", 0, "utf-8")
    temporary.write(("phone,table\n" + "".join(f"{phone},é\n" for phone in phones(8_000))).encode())
    temporary.size = temporary.tell()
    temporary.seek(0)

    job = importing.import_csv(CampaignFactory(), temporary, by=None)
    temporary.close()
    while jobs.run_due():
        pass

    job.refresh_from_db()
    assert (job.total, job.done, len(leads_of(job))) == (8_000, 8_000, 8_000)


def test_a_killed_slice_is_done_again_and_nothing_is_counted_or_told_twice(monkeypatch):
    monkeypatch.setattr(importing, "SLICE", 4)
    rows = [*phones(9)]
    rows[2] = rows[6] = "nobody"
    job = importing.import_csv(CampaignFactory(), upload("\n".join(["phone", *rows])), by=None)
    turns = 0

    while jobs.due().exists():
        # A kill: what the slice did is rolled back, but for what it wrote to the file.
        with transaction.atomic():
            importing.run_slice(Job.objects.get(pk=job.pk))
            transaction.set_rollback(True)
        jobs.run_slice(job.pk)
        turns += 1

    job.refresh_from_db()
    assert (turns, job.total, job.done, job.failed) == (3, 9, 7, 2)
    assert [row[0] for row in errors(job)] == ["line", "4", "8"]
    assert job.result["created"] == len(leads_of(job)) == 7


def test_an_old_version_takes_no_file_and_one_under_way_stops():
    campaign = CampaignFactory()
    job = importing.import_csv(campaign, upload(f"phone\n{ANNA}\n"), by=None)
    authoring.new_version(campaign, by=None)

    jobs.run_slice(job.pk)

    job.refresh_from_db()
    assert (job.status, job.message) == ("failed", authoring.NotTheNewestVersion.message)
    with pytest.raises(authoring.NotTheNewestVersion):
        importing.import_csv(campaign, upload("phone\n"), by=None)
