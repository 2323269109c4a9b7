"""Walks every URL as the neighbour: what is not yours looks as if it were not there."""

import copy
import re

import pytest
from django.contrib.auth.models import Permission
from django.db import transaction
from django.test import Client

from tests.architecture.routes import operations, routes
from tests.architecture.world import NOBODYS, OURS, THEIRS, belongings, build, job_id, mark, marks, picture_of
from tests.fixtures_http import Caller, dumps

pytestmark = pytest.mark.django_db
# Names that an id may have in a form or a query of a page.
NAMES = (
    *("template", "from", "account", "campaign", "campaign_id", "lead", "lead_id", "message", "person", "broadcast"),
    *("id", "pk", "q", "after", "chosen", "_selected_action", "object_id"),
)
CHANGING = (
    r'"(request_id|timestamp)":"[^"]*"',
    r'csrfmiddlewaretoken" value="[^"]*"',
    r"\d+ms",
    r"20\d\d-\d\d-\d\d[T ][\d:.]+",
)


@pytest.fixture
def victim():
    membership = build(THEIRS)
    yield membership.account
    # Rolled back with the test; nothing of it may have changed until then.
    assert belongings(membership.account) == membership.account.as_built


@pytest.fixture(autouse=True)
def worlds(victim):
    """Ours and theirs."""
    victim.as_built = belongings(victim)
    return build(OURS)


def told(answer):
    """Status, body and address to go on to, without what differs from request to request and without the ids sent."""
    texts = [answer.getvalue().decode(errors="replace"), answer.headers.get("Location", "")]
    for pattern in CHANGING:
        texts[0] = re.sub(pattern, "", texts[0])
    return answer.status_code, *(re.sub(rf"{THEIRS}|{NOBODYS}", "ID", text) for text in texts)


def compared(ask):
    """The status `ask` answers to their id with, and what is wrong with that: it breaks, leaks, or is told apart."""
    answers = []
    for owner in (THEIRS, NOBODYS):
        with transaction.atomic():
            answers.append(told(ask(owner)))
            transaction.set_rollback(True)
    theirs, nobodys = answers
    leaked = [each for each in marks(THEIRS) if each in theirs[1].replace("ID", str(THEIRS))]
    problems = {"breaks": theirs[0] >= 500, f"leaks {leaked}": leaked, f"not as {nobodys[0]}": theirs != nobodys}
    return theirs[0], ", ".join(problem for problem, found in problems.items() if found)


def _with_ids(value, owner):
    """A copy of an example in which every id is the owner's."""
    if isinstance(value, dict):
        return {key: owner if key.endswith("_id") else _with_ids(inner, owner) for key, inner in value.items()}
    return [_with_ids(inner, owner) for inner in value] if isinstance(value, list) else value


def _bodies(view, method, owner):
    """The door's example with each of its ids in turn replaced by the owner's, the others ours."""
    kind = view.bodies.get(method)
    kind = kind.get("application/json") if isinstance(kind, dict) else kind
    example = copy.deepcopy(getattr(kind, "example", {}))
    names = [name for name in getattr(kind(), "fields", {}) if name.endswith("_id")] if kind else []
    for name in names:
        yield {**_with_ids(example, OURS), name: owner}
    if "leads" in example:
        yield {"campaign_id": OURS, "leads": [{"conversation_user_id": owner}]}


def test_the_api_leads_to_nothing_of_a_neighbours(worlds):
    who = Caller(worlds)
    wrong = {}
    for route, method in operations():
        # The name of a provider leads to nobody in particular.
        if "<" not in route.address.replace("<str:provider>", ""):
            continue
        status, problem = compared(lambda owner, r=route, m=method: who.send(m, r.path(owner), json=_valid(r, m)))
        if problem or status < 400:
            wrong[f"{method} {route}"] = (status, problem)

    assert wrong == {}


def test_the_same_requests_lead_to_what_is_ours(worlds):
    who = Caller(worlds)

    found = {
        str(route) for route, method in operations() if method == "GET" and who.get(route.path(OURS)).status_code == 200
    }

    assert len(found) >= 8
    assert mark(OURS) in who.get(f"/api/v1/campaign/{OURS}").content.decode()


def test_ids_in_bodies_lead_to_nothing_of_a_neighbours(worlds):
    who = Caller(worlds)
    walked, wrong = 0, {}
    for route, method in operations():
        for number, _ in enumerate(_bodies(route.view, method, 0)):

            def ask(owner, route=route, method=method, number=number):
                body = list(_bodies(route.view, method, owner))[number]
                options = {"json": body}
                if route.address.endswith("import"):
                    form = {"campaign_id": str(owner), "file": "phone\n+15550000001\n"}
                    return who.upload(route.path(OURS), form)
                return who.send(method, route.path(OURS), **options)

            status, problem = compared(ask)
            walked += 1
            if problem or status < 400:
                wrong[f"{method} {route} {number}"] = (status, problem)

    assert walked >= 5
    assert wrong == {}


def test_ids_in_queries_lead_to_nothing_of_a_neighbours(worlds):
    who = Caller(worlds)
    walked, wrong = 0, {}
    for route, method in operations():
        query = route.view.queries.get(method)
        for name in [name for name in (query().fields if query else ()) if re.search(r"_ids?$|search", name)]:
            path = route.path(OURS)
            status, problem = compared(lambda owner, m=method, p=path, n=name: who.send(m, f"{p}?{n}={owner}"))
            walked += 1
            if problem or status != 200:
                wrong[f"{method} {route} {name}"] = (status, problem)

    assert walked >= 2
    assert wrong == {}


def test_media_are_only_their_owners(worlds):
    who = Caller(worlds)
    theirs = picture_of(type(worlds)(account_id=THEIRS))

    answers = [
        who.get(f"/api/v1/campaign/media/{path}") for path in (theirs, theirs.replace(str(THEIRS), str(NOBODYS)))
    ]

    assert told(answers[0]) == told(answers[1])
    assert answers[0].status_code == 404


def _form(owner):
    return dict.fromkeys(NAMES, str(owner)) | {"next": "/", "public_id": job_id(owner), "action": "delete_selected"}


def walked(client, chosen, own):
    """What is wrong for a session: with their id in the path, and with their ids in the forms of our own pages."""
    wrong = {}
    for route in chosen:
        for method in route.methods:
            paths = {
                "path": lambda owner, r=route: (r.path(owner), {}),
                "form": lambda owner, r=route: (r.path(own), _form(owner)),
            }
            for name, place in paths.items():

                def ask(owner, method=method, place=place):
                    path, form = place(owner)
                    # What is said once is said in a cookie: each request starts with none but the session's.
                    for cookie in set(client.cookies) - {"sessionid"}:
                        del client.cookies[cookie]
                    return (client.get if method == "GET" else client.post)(path, form)

                status, problem = compared(ask)
                led = "<" in route.address.replace("<slug:provider>", "")
                if problem or (name == "path" and led and status < 300):
                    wrong[f"{method} {route} {name}"] = (status, problem)
    return wrong


def test_pages_lead_to_nothing_of_a_neighbours(worlds):
    client = Client(raise_request_exception=False)
    client.force_login(worlds.user)

    assert walked(client, routes("page"), OURS) == {}


def test_the_operators_door_keeps_an_accounts_staff_to_their_account(worlds):
    worlds.user.is_staff = True
    worlds.user.save()
    worlds.user.user_permissions.set(Permission.objects.all())
    client = Client(raise_request_exception=False)
    client.force_login(worlds.user)

    assert walked(client, routes("staff"), OURS) == {}


def _valid(route, method):
    """A body that only the id is wrong with."""
    kind = route.view.bodies.get(method)
    kind = kind.get("application/json") if isinstance(kind, dict) else kind
    if route.address.endswith("transition"):
        return {"event": "cancel" if "broadcasts" in route.address else "archive"}
    return _with_ids(getattr(kind, "example", {}), OURS)


def test_the_walker_would_see_a_leak():
    class Answer:
        status_code, headers = 200, {}

        def getvalue(self):
            return dumps({"name": marks(THEIRS)[0]})

    assert "leaks" in compared(lambda _: Answer())[1]
