"""Operators add and remove suppressions through the ledger, with a reason; all else about people is read only."""

import pytest

from accounts.roles import Role
from campaigns_project.models import AuditEntry
from crm.customers import consent
from crm.models import ConsentEntry, Suppression
from tests.factories import AccountFactory, CustomerFactory
from tests.operators_world import address, operator, said

pytestmark = pytest.mark.django_db
ADD = "/admin/crm/suppression/add/"


@pytest.fixture
def staff(client):
    return operator(client)


def add(client, account, **fields):
    data = {"account": account.pk, "channel": "whatsapp", "address": "+15550100", "why": "wrote to us", **fields}
    return client.post(ADD, data, follow=True)


def suppress(account):
    consent.withdraw(account, channel="whatsapp", address="+15550100", source="test")
    return Suppression.objects.get()


def test_a_suppression_is_added_through_the_ledger(staff):
    account = AccountFactory()

    answer = add(staff, account)

    entry = ConsentEntry.objects.get()
    assert answer.status_code == 200
    assert consent.is_suppressed(account, channel="whatsapp", address="+15550100")
    assert (entry.act, entry.source, entry.proof) == (
        "withdrawn", "operator", {"reason": "wrote to us", "by": staff.user.pk},
    )  # fmt: skip
    assert AuditEntry.objects.get().action == "suppression.add"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"why": ""}, {"why"}),
        ({"address": "555"}, {"address"}),
        ({"channel": "email"}, {"address"}),
        ({"address": "+1555\x000100"}, {"address"}),
        ({"channel": "x", "address": ""}, {"channel", "address"}),
    ],
)
def test_what_is_no_address_or_has_no_reason_is_refused(staff, fields, wrong):
    answer = add(staff, AccountFactory(), **fields)

    assert answer.context["adminform"].form.errors.keys() == wrong
    assert not Suppression.objects.exists()


@pytest.mark.parametrize(
    ("groups", "role", "status"),
    [
        (["viewer"], Role.TENANT_ADMIN, 403),
        (["campaign ops"], Role.MARKETING, 403),
        (["campaign ops"], Role.TENANT_ADMIN, 200),
    ],
)
def test_adding_asks_for_a_group_and_a_role_and_stays_in_the_account(client, groups, role, status):
    somebody = operator(client, *groups, role=role)

    assert somebody.get(ADD).status_code == status
    add(somebody, AccountFactory())
    assert not Suppression.objects.exists()


def test_a_suppression_is_removed_only_when_somebody_is_sure(staff):
    suppression = suppress(AccountFactory())
    path = address(suppression, "act", "remove")

    assert staff.post(path, {"reason": "asked to"}).context["form"].errors.keys() == {"sure"}
    answer = staff.post(path, {"reason": "asked to", "sure": "on"}, follow=True)

    assert (said(answer), Suppression.objects.exists()) == (["Remove: done."], False)
    assert ConsentEntry.objects.order_by("id").last().act == "granted"


def test_people_are_not_changed_here(staff):
    customer = CustomerFactory()

    assert staff.post(address(customer, "change"), {"first_name": "Eve"}).status_code == 403
