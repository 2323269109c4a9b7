"""Who may give power to whom in the operators' admin."""

import pytest

from accounts.roles import Role
from tests.factories import ConnectionFactory, MembershipFactory, UserFactory
from tests.operators_world import address, operator, said

pytestmark = pytest.mark.django_db
NONE = {f"memberships-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS")}


def test_nobody_makes_themselves_more_than_they_are(client):
    someone = operator(client, "admin")

    answer = someone.post(
        address(someone.user, "change"), {"email": someone.user.email, "is_superuser": "on", "is_staff": "on", **NONE}
    )
    someone.user.refresh_from_db()

    assert (answer.status_code, someone.user.is_superuser, someone.user.is_staff) == (302, False, True)


def test_nobody_signs_in_as_their_superior(client):
    someone, above = operator(client, "admin"), UserFactory(is_superuser=True, is_staff=True)
    passwords = {"password1": "correct horse", "password2": "correct horse", "usable_password": "true"}

    assert someone.post(f"/admin/accounts/user/{above.pk}/password/", passwords).status_code == 403
    assert someone.post(address(above, "change"), {"email": "x@example.test"}).status_code == 403


@pytest.mark.parametrize(("role", "offered"), [(Role.PLATFORM_ADMIN, True), (Role.TENANT_ADMIN, False)])
def test_roles_are_given_by_platform_operators_only(client, role, offered):
    someone = operator(client, "admin", role=role)
    MembershipFactory(account=someone.user.membership.account)

    page = someone.get(address(someone.user.membership.account, "change")).content.decode()

    assert ('name="memberships-0-role"' in page) is offered


def test_credentials_that_were_refused_are_tried_again(client):
    connection = ConnectionFactory(refused_at="2026-01-01T00:00Z")

    answer = operator(client).post(address(connection, "act", "try_again"), {"reason": "renewed"}, follow=True)
    connection.refresh_from_db()

    assert (said(answer), connection.refused_at) == (["Try again: done."], None)
