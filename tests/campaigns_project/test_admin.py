"""Every list and page that operators have: there, quick, walled, and changed by acts with a reason only."""

import importlib

import pytest
from celery import Celery
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from accounts.roles import Role
from campaigns_project.admin import lists, schedules
from campaigns_project.models import AuditEntry, Job
from tests.factories import AccountFactory, CampaignLeadMessageFactory, CustomerFactory
from tests.operators_world import IDS, MODELS, OF_THE_PLATFORM, address, inbox_entry, operator, rows_of, said

pytestmark = pytest.mark.django_db
listening, deaf = (Celery(broker=broker, set_as_current=False) for broker in ("memory://", "redis://127.0.0.1:1/0"))
deaf.conf.broker_transport_options = {"max_retries": 0}
every_model = pytest.mark.parametrize("model", MODELS, ids=IDS)
shipped = importlib.import_module("campaigns_project.migrations.0003_schedule_and_groups")
# Each gives rights to so many models.
LATER = [
    (importlib.import_module(f"campaigns_project.migrations.{name}"), models)
    for name, models in (
        ("0004_promos_are_given_back", 2), ("0006_webhooks_to_merchants", 2), ("0007_segments_are_refreshed", 1),
        ("0008_marketing_campaigns_are_seen", 4), ("0009_webhook_connections_are_seen", 1), ("0010_tests_are_seen", 1),
        ("0011_coupon_campaigns_end", 3), ("0013_the_catalogue_is_seen", 6),
        ("0014_calls_to_shopify_are_resolved", 1),
    )
]  # fmt: skip
CLOCK = {
    "give back promos",
    "fold funnels",
    "forget old webhooks to merchants",
    "refresh segments",
    "end coupon campaigns",
    "give back coupons",
    "hold coupons to their ledger",
    "feed the search index",
    "count the search index",
    "forget old exports",
}


@pytest.fixture
def staff(client):
    return operator(client)


def cost_of(client, path):
    with CaptureQueriesContext(connection) as asked:
        assert client.get(path).status_code == 200
    return len(asked)


@every_model
def test_every_list_and_page_opens_at_a_cost_that_does_not_grow(staff, model):
    account = staff.user.membership.account
    first = rows_of(model, account)[0]
    costs = [cost_of(staff, address(model))]
    assert staff.get(address(first, "change")).status_code == 200
    rows_of(model, account, numbers=(1, 2))
    costs.append(cost_of(staff, address(model)))

    assert costs[0] == costs[1] <= 12


@every_model
def test_other_staff_see_their_own_account_only(client, model):
    theirs = rows_of(model, AccountFactory())[0]
    limited = operator(client, "admin", role=Role.TENANT_ADMIN)
    own = [] if model in OF_THE_PLATFORM else [row.pk for row in rows_of(model, limited.user.membership.account)]

    answer = limited.get(address(model))
    shown = [] if answer.status_code == 403 else [row.pk for row in answer.context["cl"].queryset]

    assert shown == own
    assert limited.get(address(theirs, "change")).status_code in {302, 403}


def test_a_member_of_no_account_sees_no_rows(client):
    row = CustomerFactory()
    nobody = operator(client, "viewer", role=Role.MARKETING)
    nobody.user.memberships.all().delete()

    assert list(nobody.get(address(row)).context["cl"].queryset) == []


def test_the_filter_by_account_names_no_neighbour(client):
    AccountFactory(name="Secret Neighbour")
    CustomerFactory(account=(limited := operator(client, "viewer", role=Role.MARKETING)).user.membership.account)

    assert "Secret Neighbour" not in limited.get("/admin/crm/customer/").content.decode()


@pytest.mark.parametrize(("value", "found"), [("{}", 1), ("", 2), ("x", 0), ("²", 0)])
def test_a_list_is_filtered_by_account(staff, value, found):
    customer, _ = CustomerFactory(), CustomerFactory()

    answer = staff.get("/admin/crm/customer/", {"account": value.format(customer.account_id)})

    assert answer.context["cl"].queryset.count() == found


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("+15550001, +15550002", {"+15550001", "+15550002"}),
        ("+1555", {"+15550001", "+15550002"}),
        ("0001", set()),
        (" , ", {"+15550001", "+15550002", "+44"}),
        ("pAUL@", {"+44"}),
        ("a\x00b", {"+15550001", "+15550002", "+44"}),
    ],
)
def test_a_search_takes_many_terms_and_their_beginnings(staff, typed, found):
    for phone, email in (("+15550001", ""), ("+15550002", ""), ("+44", "pAUL@example.test")):
        CustomerFactory(phone=phone, email=email)

    answer = staff.get("/admin/crm/customer/", {"q": typed})

    assert {row.phone for row in answer.context["cl"].queryset} == found


@pytest.mark.parametrize(("typed", "found"), [("{}", 1), ("x", 0), ("9" * 30, 0), ("", 2)])
def test_an_id_is_searched_whole(staff, typed, found):
    entry, _ = inbox_entry(AccountFactory(), 1), inbox_entry(AccountFactory(), 2)

    answer = staff.get("/admin/dispatch/inboxentry/", {"q": typed.format(entry.pk)})

    assert answer.context["cl"].queryset.count() == found


@pytest.mark.parametrize(
    ("cap", "query", "told"),
    [(10, "", "3 customers"), (2, "?q=%2B", "2+ customers"), (2, "", "about 2 customers"), (10, "?q=%2B", "3 found")],
)
def test_a_list_stops_counting(staff, monkeypatch, cap, query, told):
    monkeypatch.setattr(lists, "CAP", cap)
    CustomerFactory.create_batch(3)

    assert told in staff.get(f"/admin/crm/customer/{query}").content.decode().replace("\n", " ")


def test_ages_and_named_conditions_filter(staff):
    old, new = inbox_entry(AccountFactory(), 1, received_at="2020-01-01T00:00Z"), inbox_entry(AccountFactory(), 2)

    for query, found in (("age=1h", [old.pk]), ("age=x", [new.pk, old.pk]), ("", [new.pk, old.pk])):
        answer = staff.get(f"/admin/dispatch/inboxentry/?{query}")
        assert [row.pk for row in answer.context["cl"].queryset] == found
    for query in ("alive=yes", "alive=no", "alive=x"):
        assert staff.get(f"/admin/dispatch/owner/?{query}").status_code == 200


# Acts.


def replay(client, entry, reason="asked to", **options):
    return client.post(address(entry, "act", "replay"), {"reason": reason}, follow=True, **options)


def in_bulk(client, verb, rows, **fields):
    data = {"action": f"act_{verb}", "_selected_action": [row.pk for row in rows], **fields}
    return client.post(address(rows[0]), data, follow=True)


@pytest.fixture
def entry():
    return inbox_entry(AccountFactory(), result="failed", tries=5)


def test_an_act_is_offered_where_it_fits(staff, entry):
    waiting = inbox_entry(entry.account, 2)

    assert "/act/replay/" in staff.get(address(entry, "change")).content.decode()
    assert "/act/replay/" not in staff.get(address(waiting, "change")).content.decode()
    assert said(replay(staff, waiting)) == ["“Replay” is not possible here now."]


def test_an_act_is_done_once_a_reason_is_given_and_leaves_a_trace(staff, entry):
    assert b"applied again" in staff.get(address(entry, "act", "replay")).content
    assert replay(staff, entry, reason="").context["form"].errors.keys() == {"reason"}

    answer = replay(staff, entry, headers={"x-request-id": "r-1"})
    entry.refresh_from_db()

    trace = AuditEntry.objects.get()
    assert (entry.result, said(answer)) == ("waiting", ["Replay: done."])
    assert (trace.action, trace.actor, trace.reason, trace.request_id) == (
        "inboxentry.replay", staff.user, "asked to", "r-1",
    )  # fmt: skip
    assert "Replay: asked to" in answer.content.decode()


@pytest.mark.parametrize(
    ("groups", "role", "status"),
    [
        (["support"], Role.PLATFORM_ADMIN, 200),
        (["viewer"], Role.PLATFORM_ADMIN, 403),
        (["support"], Role.MARKETING, 302),
    ],
)
def test_an_act_asks_for_a_group_and_a_role(client, entry, groups, role, status):
    somebody = operator(client, *groups, role=role)

    assert somebody.get(address(entry, "act", "replay")).status_code == status
    assert ("act_replay" in somebody.get(address(entry)).content.decode()) is (status == 200)


def test_a_role_that_may_not_is_refused_in_its_own_account(client, entry):
    somebody = operator(client, "support", role=Role.MARKETING, account=entry.account)

    assert replay(somebody, entry).status_code == 403


@pytest.mark.parametrize(("path", "status"), [("act/explode", 404), ("act/replay", 302)])
def test_an_act_or_a_row_that_is_not_there(staff, entry, path, status):
    row = address(entry, "act", "replay").replace(f"/{entry.pk}/", "/999999/") if status == 302 else None

    assert staff.get(row or f"{address(entry)}{entry.pk}/{path}/").status_code == status


def test_an_act_on_many_shows_them_first_and_reports(staff, entry):
    rows = [entry, inbox_entry(entry.account, 2), inbox_entry(entry.account, 3, result="applied")]

    asked = in_bulk(staff, "replay", rows)
    wrong = in_bulk(staff, "replay", rows, chosen=asked.context["ids"], reason="")
    done = in_bulk(staff, "replay", rows, chosen=",".join(map(str, asked.context["ids"])), reason="asked to")

    assert (asked.context["able"], len(asked.context["ids"])) == (2, 3)
    assert wrong.context["form"].errors.keys() == {"reason"}
    assert said(done) == ["2 done, 1 refused."]


def test_an_act_on_many_tells_why_some_were_refused(staff, entry, monkeypatch):
    from dispatch import inbox

    monkeypatch.setattr(inbox, "ignore", lambda _entry: False)  # somebody else was first

    refused = in_bulk(staff, "ignore", [entry], chosen=str(entry.pk), reason="asked to")
    monkeypatch.undo()
    done = in_bulk(staff, "ignore", [entry], chosen=str(entry.pk), reason="asked to")

    assert said(refused) == ["0 done, 1 refused: It was applied meanwhile."]
    assert (said(done), AuditEntry.objects.count()) == (["1 done, 0 refused."], 1)


# The front page.


def tiles_of(client):
    return {tile.label: tile for tile in client.get("/admin/").context["tiles"]}


def test_the_front_page_counts_what_needs_somebody_and_links_there(staff):
    for model in MODELS:
        rows_of(model, staff.user.membership.account)
    message = CampaignLeadMessageFactory(account=staff.user.membership.account)
    message.attempts.create(
        account=message.account, owner=1, state="rejected", sender="+1", address="+2", called_at="2020-01-01T00:00Z"
    )

    tiles = tiles_of(staff)

    assert len(tiles) == 11
    assert all(staff.get(tile.href).status_code == 200 and "?" in tile.href for tile in tiles.values())
    assert [tiles[label].value for label in ("Errors in the last hour", "Unknown outcomes")] == ["100.0 %", "1"]


def test_the_front_page_shows_nobody_what_they_may_not_see(client):
    stranger = operator(client, "campaign ops", role=Role.MARKETING)
    stranger.user.groups.clear()

    assert tiles_of(stranger) == {}


def test_other_staff_count_their_own_account_only(client, entry):
    limited = operator(client, "viewer", role=Role.MARKETING)

    tiles = tiles_of(limited)

    assert tiles["Dead letters"].value == "0"
    assert "Senders alive" not in tiles


# The clock and the groups.


def test_every_scheduled_task_exists():
    assert {task for task, _, _ in shipped.SCHEDULE.values()} <= set(schedules.task_names())


def test_the_schedule_and_the_groups_are_shipped_and_may_be_edited():
    from django.apps import apps

    PeriodicTask.objects.filter(name="sweep").update(interval=IntervalSchedule.objects.create(every=9))
    shipped.make_schedule(apps, None)
    shipped.make_groups(apps, None)

    names = set(PeriodicTask.objects.values_list("name", flat=True))
    assert names == {*shipped.SCHEDULE, *CLOCK}
    assert PeriodicTask.objects.get(name="sweep").interval.every == 9
    assert {group.name: group.permissions.count() for group in Group.objects.all()} == {
        name: len(rights) + sum(models for later, models in LATER for names in later.RIGHTS.values() if name in names)
        for name, rights in shipped.GROUPS.items()
    }


def test_a_schedule_is_changed(staff):
    sweep = PeriodicTask.objects.get(name="sweep")
    every = IntervalSchedule.objects.create(every=7)
    data = {"name": "sweep", "task": sweep.task, "interval": every.pk}

    assert staff.post(address(sweep, "change"), data).status_code == 302
    sweep.refresh_from_db()
    assert (sweep.interval, sweep.enabled) == (every, False)


@pytest.mark.parametrize(
    ("clock", "told"), [("listening", "Run now: done."), ("deaf", "The broker does not answer, so no worker was told.")]
)
def test_a_task_is_run_now(staff, settings, clock, told):
    settings.CLOCK = f"{__name__}.{clock}"
    sweep = PeriodicTask.objects.get(name="sweep")

    answer = staff.post(address(sweep, "act", "run_now"), {"reason": "asked to"}, follow=True)

    assert told in answer.content.decode()


def test_the_clocks_tasks_do_their_work(monkeypatch):
    from campaigns_project import tasks

    job = Job.objects.create(account=AccountFactory(), kind="lead_import", params={"campaign": 0})
    monkeypatch.setattr(tasks, "ROUNDS", 1)

    tasks.run_jobs()
    tasks.run_jobs()
    tasks.purge_idempotency_keys()
    job.refresh_from_db()

    assert job.status == "failed"


def test_a_group_is_given_rights_by_ticking_boxes(staff):
    group = Group.objects.create(name="readers")
    field = staff.get(address(group, "change")).context["adminform"].form.fields["permissions"]
    right = field.queryset.get(codename="view_campaign")

    assert staff.post(address(group, "change"), {"name": "readers", "permissions": [right.pk]}).status_code == 302
    assert list(group.permissions.all()) == [right]
