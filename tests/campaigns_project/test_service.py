import datetime as dt
import socket
import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from campaigns_project import service
from campaigns_project.api.documents import document
from lifecycle.models import Lease
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def broker():
    """The address of something that answers PING."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        client, _ = server.accept()
        with client:
            while data := client.recv(1000):
                client.sendall(b"+PONG\r\n" if b"PING" in data else b"+OK\r\n" * data.count(b"*"))

    threading.Thread(target=serve, daemon=True).start()
    yield f"redis://127.0.0.1:{server.getsockname()[1]}/0?protocol=2"
    server.close()


def test_the_service_says_that_it_is_alive(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert client.get("/healthz").json() == {"status": "alive"}


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:1/0", "redis+socket:///nowhere", "valkey://127.0.0.1:1", "redis://:x:y"]
)
def test_the_service_is_ready_without_its_broker_and_says_so(client, settings, url):
    settings.BROKER_URL = url
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ready", "database": True, "migrations": True, "broker": False, "oldest_due_seconds": None},
    )


def test_a_broker_that_answers_is_reported(broker):
    assert service.broker_answers(broker) is True
    assert service.broker_answers("sqs://") is None


def test_the_age_of_the_oldest_due_work_is_told(client):
    for minutes in (1, 5, -5):
        due = timezone.now() - dt.timedelta(minutes=minutes)
        Lease.objects.create(account_id=AccountFactory().pk, queue="q", scope_id=1, ids=[1], due_at=due)

    assert 299 < client.get("/readyz").json()["oldest_due_seconds"] < 330
    metrics = client.get("/metrics").content.decode()
    assert 'campaigns_due{queue="leases"} 2.0' in metrics
    assert "process_" in metrics


def test_the_service_is_not_ready_while_migrations_are_missing(client):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'crm'")

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["migrations"], answer.json()["database"]) == (503, False, True)


def test_the_service_is_not_ready_without_its_database(client):
    with connection.execute_wrapper(_gone):
        answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["database"]) == (503, False)


def _gone(*args):
    from django.db import OperationalError

    raise OperationalError


@pytest.mark.parametrize(
    ("token", "headers", "address", "status"),
    [
        ("", {}, "127.0.0.1", 200),
        ("", {}, "10.0.0.1", 403),
        ("", {"x-forwarded-for": "127.0.0.1"}, "10.0.0.1", 403),
        ("secret", {"authorization": "Bearer secret"}, "10.0.0.1", 200),
        ("secret", {}, "127.0.0.1", 403),
        ("secret", {"authorization": "Bearer ü"}, "127.0.0.1", 403),
    ],
)
def test_numbers_are_for_the_machine_itself_or_a_token(client, settings, token, headers, address, status):
    settings.METRICS_TOKEN = token

    assert client.get("/metrics", headers=headers, REMOTE_ADDR=address).status_code == status


def test_the_document_is_served_to_everybody(client):
    assert client.get("/api/schema/").json()["openapi"].startswith("3.1")
    assert client.get("/api/schema?format=yaml").content.startswith(b"openapi: 3.1")
    assert client.get("/api/schema?format=xml").status_code == 400


def test_every_operation_is_named_once_and_says_how_it_refuses(client):
    paths = client.get("/api/schema").json()["paths"]
    operations = [
        (path, operation)
        for path, methods in paths.items()
        for name, operation in methods.items()
        if name != "parameters"
    ]

    assert len({operation["operationId"] for _, operation in operations}) == len(operations)
    for path, operation in operations:
        assert operation["summary"], path
        assert {"400", "404", "429", "503"} <= set(operation["responses"]), path
        asks_who = any(parameter["name"] == "X-Account" for parameter in operation["parameters"])
        assert (operation.get("security") == [{"bearer": []}]) is asks_who, path


def test_the_document_passes_validation(tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "openapi.yaml"))


def test_a_document_that_fell_behind_is_found(settings, tmp_path):
    settings.BASE_DIR = tmp_path
    with pytest.raises(CommandError):
        call_command("openapi", "--check")

    call_command("openapi")
    call_command("openapi", "--check")

    assert (tmp_path / "docs" / "openapi.yaml").read_bytes() == document("yaml")


def test_the_docs_page_loads_nothing_from_outside(client):
    page = client.get("/api/docs/").content.decode()

    assert 'data-schema="/api/schema"' in page
    assert "//" not in page.replace("<!--", "")


def test_a_door_shows_in_the_document_what_it_declares():
    document = SchemaGenerator(urlconf="tests.campaigns_project.doors").get_schema(public=True)
    made = document["paths"]
    create, change, upload = made["/api/v1/try"]["post"], made["/api/v1/try/{id}"]["patch"], made["/api/v1/try/upload"]

    def names(operation):
        return {parameter["name"] for parameter in operation["parameters"]}

    for closed in ("CustomerInputRequest", "TagInputRequest"):
        assert document["components"]["schemas"][closed]["additionalProperties"] is False
    assert (min(create["responses"]), min(change["responses"])) == ("201", "204")
    assert names(made["/api/v1/try"]["get"]) >= {"cursor", "first_name", "ids", "limit", "page", "X-Account"}
    assert "Idempotency-Key" in names(create) - names(change)
    assert "If-Match" in names(change) - names(create)
    assert (upload["post"]["summary"], upload["post"]["description"]) == ("Upload", "For the signed in.")
    assert list(upload["post"]["requestBody"]["content"]) == ["multipart/form-data"]
