"""Customers from files: what columns are, what becomes of each line, what a kill costs, and how it is undone."""

import csv
import datetime as dt
import io
import random

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction

from campaigns_project import jobs
from campaigns_project.models import Job
from campaigns_project.refusals import Invalid
from crm import events
from crm.customers import consent, importing, merging, people, undoing
from crm.models import ConsentEntry, Customer, ImportedCustomer
from crm.models.addressing import address_hashes
from tests.factories import AccountFactory, ConversationUserFactory, CustomerFactory

pytestmark = pytest.mark.django_db
ANNA, BEA = "+15550000001", "+15550000002"
NOTHING = {"removed": 0, "restored": 0, "kept": 0, "consents_withdrawn": 0}


def upload(raw, name="people.csv"):
    return SimpleUploadedFile(name, raw if isinstance(raw, bytes) else raw.encode(), "text/csv")


def run(job):
    while jobs.run_due():
        pass
    job.refresh_from_db()
    return job


def take_in(raw, account=None, **options):
    """Import a file to its end; returns the job."""
    return run(importing.import_csv(account or AccountFactory(), upload(raw), by=None, **options))


def undone(job):
    return run(undoing.undo(job, by=None))


def known(account, *names):
    return list(Customer.objects.for_account(account).order_by("pk").values_list(*names))


def counted(job):
    return tuple(job.result[name] for name in ("created", "updated", "unchanged"))


def errors(job):
    return list(csv.reader(io.StringIO(jobs.errors_of(job).read_text())))


def hashes_of(customer):
    return address_hashes(customer.account_id, customer.public_id, customer.email, customer.phone)


def hashed_right():
    """Whether each row's hashes are those of its addresses."""
    return {
        hashes_of(each) == {name: getattr(each, name) for name in Customer.HASHES} for each in Customer.objects.all()
    }


@pytest.fixture
def account():
    return AccountFactory()


def test_every_column_of_a_customer_is_read_in_any_order(account):
    job = take_in(
        "\ufefftags;Country;E-Mail;phone;id;First Name;surname;language;time_zone;Tier;attributes.favourite table;x\r\n"
        f'" a ;; b ;a";gb;Anna@example.test;{ANNA};c-1;Anna;B;pt-BR;Europe/London;Gold;7;y\r\n',
        account,
    )  # fmt: skip

    anna = Customer.objects.get()
    assert (job.status, job.done, job.failed, job.result["ignored_columns"]) == ("done", 1, 0, ["x"])
    assert (anna.email, anna.phone, anna.external_id, anna.first_name, anna.last_name) == (
        "Anna@example.test", ANNA, "c-1", "Anna", "B",
    )  # fmt: skip
    assert (anna.country, anna.language, anna.time_zone, anna.loyalty_tier) == ("GB", "pt-BR", "Europe/London", "gold")
    assert (anna.tags, anna.attributes) == (["a", "b"], {"favourite table": "7"})
    assert anna.public_id.startswith("cust_")
    assert hashed_right() == {True}


def test_a_mapping_names_columns_that_do_not_say_what_they_are(account):
    mapping = {"Nr": "external_id", "email": "", "Tisch": "attributes.table"}
    job = take_in(f"Nr,email,Tisch\nc-1,nobody,7\n{ANNA},x,8\n", account, mapping=mapping)

    assert known(account, "external_id", "email", "attributes") == [
        ("c-1", "", {"table": "7"}), (ANNA, "", {"table": "8"}),
    ]  # fmt: skip
    assert job.result["ignored_columns"] == ["email"]


@pytest.mark.parametrize(
    ("raw", "mapping", "path"),
    [
        ("", None, "file"), ("first_name\nAnna\n", None, "file"), ("email,e-mail\n", None, "file"),
        ("email," + ",".join(f"attributes.a{n}" for n in range(101)) + "\n", None, "file"),
        ("email\n", {"phone": "phone"}, "mapping.phone"), ("email\n", {"email": "password"}, "mapping.email"),
        ("email\n", {"email": "attributes.<b>"}, "mapping.email"), ("email,x\n", {"x": "email"}, "file"),
        (b"PK\x03\x04", None, "file"), ("email\n".encode("utf-16"), None, "file"), (b"email\n\xe9", None, "file"),
    ],
)  # fmt: skip
def test_what_is_no_list_of_people_is_refused_at_once(raw, mapping, path, private_files):
    with pytest.raises(Invalid) as refusal:
        importing.import_csv(AccountFactory(), upload(raw), by=None, mapping=mapping)

    assert list(refusal.value.details) == [path]
    assert (Job.objects.count(), list(private_files.iterdir())) == (0, [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nobody", "email: "), (",12", "phone: "), (",,xx" + "x" * 120, "external_id: "), (",,,nix", "country: "),
        ("a@example.test,,,,Mars/Base", "time_zone: "), ("a@example.test,,,,,tin", "loyalty_tier: "),
        ("a@example.test,,,,,," + "x" * 51, "tags: "), ("a@example.test,,,,,,,maybe", "email_consent: Write"),
        ("a@example.test,,,,,,,," + "x" * 61, "consent_source: "), (",,,GB", "row: Give an e-mail"),
        (",,c-9,,,,,yes", merging.NO_ADDRESS), ("a@example.test,,,,,,,,,7,8", "row: There are 11 cells"),
        ('"a@example.test', "The line cannot be read"), ("=cmd|' /C calc'!A0", "email: "),
        (f"a@example.test,,,,,,,,,{'x' * 501}", "attributes: "), ("\u202ea\x07@example.test", "email: "),
        (f"old@example.test,{BEA}", merging.TWO_PEOPLE), ("old@example.test,,c-2", merging.OTHER_ID),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_is_told_with_its_line_and_the_others_are_taken(account, line, reason):
    CustomerFactory(account=account, phone="", email="old@example.test", external_id="c-1")
    CustomerFactory(account=account, phone=BEA)
    head = "email,phone,external_id,country,time_zone,tier,tags,email_consent,source,attributes.table"

    rows = [line, "", "ok@example.test"] if "cannot be read" not in reason else ["", "ok@example.test"] * 100 + [line]
    job = take_in("\n".join([head, *rows]), account)

    named, told = errors(job)
    assert (named[:3], job.failed) == (["line", "reason", "email"], 1)
    assert told[1].startswith(reason)
    assert not told[2].startswith("=")
    assert Customer.objects.for_account(account).filter(email="ok@example.test").count() == 1
    assert Customer.objects.count() == 3


def test_an_attribute_too_many_is_an_error_of_its_row(account):
    CustomerFactory(account=account, phone=ANNA, attributes={f"a{n}": n for n in range(100)})

    job = take_in(f"phone,attributes.a0,attributes.b\n{ANNA},1,2\n", account)

    assert errors(job)[1][1] == merging.TOO_MANY


@pytest.mark.parametrize("by", ["external_id", "email", "phone"])
def test_a_row_is_merged_with_whom_it_names_and_empty_cells_change_nothing(account, by):
    anna = CustomerFactory(
        account=account, external_id="c-1", email="anna@example.test", phone=ANNA, first_name="Anna", country="GB",
        tags=["old"], attributes={"table": 7, "x": None},
    )  # fmt: skip
    theirs = CustomerFactory(external_id="c-1", email="anna@example.test", phone=ANNA)
    named = {"external_id": "c-1", "email": "ANNA@example.test", "phone": "1 555 000 0001"}[by]

    job = take_in(f"{by},first_name,country,tags,attributes.seat\n{named},Anne,,new,9\n", account)

    fresh = Customer.objects.for_account(account).get()
    assert (fresh.pk, fresh.first_name, fresh.country, fresh.phone) == (anna.pk, "Anne", "GB", ANNA)
    assert (fresh.tags, fresh.attributes) == (["new"], {"table": 7, "x": None, "seat": "9"})
    assert counted(job) == (0, 1, 0)
    assert Customer.objects.get(pk=theirs.pk).first_name == theirs.first_name


def test_the_same_file_again_changes_nothing(account):
    raw = f"email,phone,first_name\nanna@example.test,{ANNA},Anna\n,{BEA},Bea\n"
    take_in(raw, account)

    assert counted(take_in(raw, account)) == (0, 0, 2)
    assert ImportedCustomer.objects.count() == 2


def test_lines_of_one_person_come_to_what_they_would_one_after_the_other(account):
    lines = ["c-1,a@example.test,A", "c-1,,B", ",A@example.test,", "c-2,b@example.test,C", "c-2,c@example.test,D",
             ",b@example.test,E", "c-1,c@example.test,X"]  # fmt: skip

    job = take_in("external_id,email,first_name\n" + "\n".join(lines), account)

    assert known(account, "external_id", "email", "first_name") == [
        ("c-1", "A@example.test", "B"), ("c-2", "c@example.test", "D"), ("", "b@example.test", "E"),
    ]  # fmt: skip
    assert [row[:2] for row in errors(job)[1:]] == [["8", merging.TWO_PEOPLE]]
    assert (job.done, job.failed) == (6, 1)


def test_what_happened_before_is_theirs(account):
    for number, who in enumerate([{"phone": ANNA}, {"email": "BEA@example.test"}, {"phone": "+15559999999"}]):
        events.record(
            account, type="order.completed", event_id=str(number), value_minor=500, currency=account.currency, **who
        )

    take_in(f"phone,email\n{ANNA},\n,bea@example.test\n", account)

    assert known(account, "order_count", "total_spent_minor") == [(1, 500), (1, 500)]


def test_consent_is_entered_once_with_its_source_and_nobody_who_opted_out_is_let_in_again(account):
    consent.withdraw(account, channel="sms", address=ANNA, source="inbound")
    raw = (
        "phone,email,email_consent,sms_consent,whatsapp_consent,consent_source\n"
        f"{ANNA},anna@example.test,yes,yes,no,till\n{BEA},,,1,\n"
    )

    first, again = take_in(raw, account), take_in(raw, account)

    said = set(
        ConsentEntry.objects.exclude(source="inbound").values_list("channel", "act", "source", "customer__phone")
    )
    assert said == {
        ("email", "granted", "till", ANNA), ("whatsapp", "withdrawn", "till", ANNA), ("sms", "granted", "import", BEA),
    }  # fmt: skip
    assert ConsentEntry.objects.count() == 4
    assert (first.result["still_opted_out"], again.result["still_opted_out"]) == (1, 1)
    assert consent.is_suppressed(account, channel="sms", address=ANNA)
    assert consent.is_suppressed(account, channel="whatsapp", address=ANNA)
    assert ConsentEntry.objects.first().proof in ({}, {"job": first.public_id})


def test_a_killed_slice_is_done_again_and_nothing_is_counted_or_told_twice(account, monkeypatch):
    monkeypatch.setattr(importing, "SLICE", 4)
    rows = [f"p{n}@example.test" for n in range(9)]
    rows[2] = rows[6] = "nobody"
    job = importing.import_csv(account, upload("\n".join(["email", *rows])), by=None)
    turns = 0

    while jobs.due().exists():
        # A kill: what the slice did is rolled back, but for what it wrote to the file.
        with transaction.atomic():
            importing.run_slice(Job.objects.get(pk=job.pk))
            transaction.set_rollback(True)
        jobs.run_slice(job.pk)
        turns += 1

    job.refresh_from_db()
    assert (turns, job.total, job.done, job.failed, counted(job)) == (3, 9, 7, 2, (7, 0, 0))
    assert [row[0] for row in errors(job)] == ["line", "4", "8"]
    assert Customer.objects.count() == ImportedCustomer.objects.count() == 7


def test_an_import_undone_leaves_what_was_before(account):
    anna = CustomerFactory(account=account, phone=ANNA, first_name="Anna", tags=["a"], attributes={"x": 1})
    before = Customer.objects.filter(pk=anna.pk).values(*merging.TEXTS, "tags", "attributes").get()
    raw = f"phone,email,first_name,tags,attributes.x,email_consent\n{ANNA},a@example.test,Anne,b,2,yes\n{BEA},,Bea\n"

    job = undone(take_in(raw, account))

    assert Customer.objects.values(*merging.TEXTS, "tags", "attributes").get() == before
    assert job.result == NOTHING | {"removed": 1, "restored": 1, "consents_withdrawn": 1}
    assert hashed_right() == {True}
    assert [entry.act for entry in ConsentEntry.objects.order_by("pk")] == ["granted", "withdrawn"]
    assert (job.status, job.done, job.total) == ("done", 2, 2)


@pytest.mark.parametrize("since", ["event", "changed", "consent", "conversation"])
def test_whom_something_happened_to_since_is_kept(account, since):
    job = take_in(f"phone,sms_consent\n{ANNA},yes\n", account)
    anna = Customer.objects.get()
    if since == "event":
        events.record(account, type="page.viewed", event_id="e", phone=ANNA)
    if since == "changed":
        people.change(anna, {"first_name": "Anna"})
    if since == "consent":
        consent.grant(account, channel="sms", address=ANNA, source="till", customer=anna)
    if since == "conversation":
        ConversationUserFactory(account=account, customer=anna)

    job = undone(job)

    assert job.result == NOTHING | {"kept": 1, "consents_withdrawn": int(since != "consent")}
    assert Customer.objects.count() == 1


def test_a_field_that_was_changed_again_stays_and_an_address_somebody_else_has_by_now(account):
    anna = CustomerFactory(account=account, phone="", external_id="c-1", email="old@example.test", first_name="Anna")
    job = take_in("id,email,first_name,last_name\nc-1,new@example.test,Anne,B\n", account)
    people.change(Customer.objects.get(), {"first_name": "Annie"})
    CustomerFactory(account=account, email="OLD@example.test")

    undone(job)

    anna.refresh_from_db()
    assert (anna.email, anna.first_name, anna.last_name) == ("new@example.test", "Annie", "")


def test_an_import_is_undone_once_and_only_when_it_is_over(account):
    job = importing.import_csv(account, upload(f"phone\n{ANNA}\n"), by=None)
    with pytest.raises(undoing.NotOver):
        undoing.undo(job, by=None)
    run(job)
    undone(job)

    with pytest.raises(undoing.UndoneBefore):
        undoing.undo(job, by=None)


def test_undoing_survives_kills_and_frees_addresses_first(account, monkeypatch):
    monkeypatch.setattr(undoing, "SLICE", 2)
    moved = [
        CustomerFactory(account=account, phone="", external_id=f"m{n}", email=f"m{n}@example.test") for n in range(3)
    ]
    raw = ["id,email", *(f"m{n},n{n}@example.test" for n in range(3)), *(f"x{n},m{n}@example.test" for n in range(3))]
    job = undoing.undo(take_in("\n".join(raw), account), by=None)

    while jobs.due().exists():
        with transaction.atomic():
            undoing.run_slice(Job.objects.get(pk=job.pk))
            transaction.set_rollback(True)
        jobs.run_slice(job.pk)

    job.refresh_from_db()
    assert job.result == NOTHING | {"removed": 3, "restored": 3}
    assert known(account, "email") == [(each.email,) for each in moved]
    assert hashed_right() == {True}


def test_random_files_come_to_what_one_line_after_the_other_would(account, monkeypatch):
    dice, other = random.Random(7), AccountFactory()
    for owner in (account, other):
        for n in range(3):
            CustomerFactory(account=owner, phone="", external_id=f"c{n}", email=f"e{n}@example.test")
    cell = {"id": lambda: f"c{dice.randrange(6)}", "email": lambda: f"e{dice.randrange(6)}@example.test",
            "phone": lambda: f"+1555000000{dice.randrange(6)}", "first_name": lambda: dice.choice("ABC")}  # fmt: skip
    lines = [",".join(make() if dice.random() < 0.5 else "" for make in cell.values()) for _ in range(120)]

    whole = take_in("\n".join([",".join(cell), *lines]), account)
    with monkeypatch.context() as patch:
        patch.setattr(importing, "SLICE", 1)
        single = take_in("\n".join([",".join(cell), *lines]), other)

    shown = ("external_id", "email", "phone", "first_name")
    assert known(account, *shown) == known(other, *shown)
    assert hashed_right() == {True}
    assert (whole.done, whole.failed) == (single.done, single.failed)
    assert errors(whole)[1:] == errors(single)[1:]
    assert dt.datetime.now(dt.UTC) > whole.finished_at
