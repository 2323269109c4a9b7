"""Every address is declared with its door, and answers in that door's manner."""

import pytest

from tests.architecture.routes import API, OPEN, PAGES, operations, routes
from tests.architecture.world import NOBODYS
from tests.fixtures_http import caller

# The seed's eight, and what each may do (spec: api › Roles).
AUTHOR = {"view", "author"}
MANAGER = AUTHOR | {"send", "money"}
MAY = {
    "marketing": AUTHOR,
    **dict.fromkeys(("marketing_manager", "restaurant_manager"), MANAGER),
    "manager": MANAGER | {"blocklist"},
    **dict.fromkeys(
        ("tenant_admin", "platform_admin", "system_admin", "super_admin"), MANAGER | {"blocklist", "settings"}
    ),
}
REFUSED = (401, 403)


def test_every_route_is_declared_and_every_declared_route_is_there():
    found = {route.address for route in routes() if route.door != "staff"}

    declared = {each.partition(" ")[2] for each in (*API, *OPEN)} | PAGES

    assert found == declared


def test_the_api_answers_exactly_the_declared_methods():
    implemented = {
        f"{method.upper()} {route.address}"
        for route in routes("api")
        for method in ("get", "post", "put", "patch", "delete")
        if hasattr(route.view, method)
    }

    assert implemented == set(API)


@pytest.mark.django_db
@pytest.mark.parametrize("role", MAY)
def test_a_role_may_do_what_the_matrix_says(role):
    who = caller(role)

    wrong = {
        f"{method} {route}": status
        for route, method in operations()
        if (status := who.send(method, route.path(NOBODYS)).status_code)
        and ((status in REFUSED) != (API[f"{method} {route.address}"] not in MAY[role]) or status >= 500)
    }

    assert wrong == {}


@pytest.mark.django_db
def test_nobody_gets_in_without_a_token(client):
    statuses = {client.generic(method, route.path(NOBODYS)).status_code for route, method in operations()}

    assert statuses == {401}


@pytest.mark.django_db
def test_pages_and_the_operators_door_ask_who_is_there(client):
    asked = {
        f"{method} {route}": answer.status_code
        for route in routes("page", "staff")
        for method in route.methods
        if (answer := client.generic(method, route.path(NOBODYS))).status_code not in (302, 404, 405)
        and not route.address.startswith("admin/log")
    }

    assert asked == {}
