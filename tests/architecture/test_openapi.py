"""One document says everything about the API, and it is true."""

import json
import re

import pytest
from django.core.management import call_command

from campaigns_project.api.documents import document
from tests.architecture.routes import API, OPEN

# Not of the API: pages, and the page that shows the document.
PAGES = ("api/docs", "login", "logout", "kit", "theme", "u/", "l/", "o/")


@pytest.fixture(scope="module")
def written():
    return json.loads(document("json"))


def described(written):
    return {
        (method, path.strip("/")): operation
        for path, item in written["paths"].items()
        for method, operation in item.items()
        if method in {"get", "post", "put", "patch", "delete"}
    }


def plain(address):
    """An address as the document writes it: `{id}` for `<int:pk>`."""
    return re.sub(r"<[^>]*?(\w+)>", lambda found: f"{{{found[1]}}}".replace("{pk}", "{id}"), address)


def test_every_operation_is_described_and_nothing_else(written):
    declared = [each.partition(" ") for each in (*API, *OPEN)]

    expected = {(method.lower(), plain(path)) for method, _, path in declared if not path.startswith(PAGES)}

    assert set(described(written)) == expected


def test_every_operation_has_a_name_a_summary_examples_and_says_how_it_refuses(written):
    operations = described(written)
    lacking = {
        key: lacks
        for key, operation in operations.items()
        if (
            lacks := [
                name
                for name, found in {
                    "summary": operation.get("summary"),
                    "4xx": any(status.startswith("4") for status in operation["responses"]),
                    "examples": all(_examples(content) for content in _contents(operation)),
                }.items()
                if not found
            ]
        )
    }

    names = [operation["operationId"] for operation in operations.values()]
    assert lacking == {}
    assert len(set(names)) == len(names)


def _contents(operation):
    """What is sent and answered as JSON."""
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    return [body["content"]["application/json"] for body in bodies if "application/json" in body.get("content", {})]


def _examples(content):
    free = content["schema"].get("$ref") is None
    return free or "examples" in content or "example" in content


def test_the_document_is_valid_without_a_warning(tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "openapi.yaml"))
