"""Requests made from the OpenAPI document, good and bad: the answers are what the document says."""

import json

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from campaigns_project.api.documents import document
from tests.architecture.world import OURS, build
from tests.fixtures_http import Caller

pytestmark = pytest.mark.django_db
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]


# Under the gateway's path there are the same doors again.
schema = schemathesis.openapi.from_dict(json.loads(document("json"))).exclude(path_regex="^/v1/commerce/")
schema.app = get_wsgi_application()
ours = {}


@schema.auth(retry_on=[])
class Token:
    """Ours, but in requests that are made to lack it. It never runs out: what is refused is not asked again."""

    def get(self, case, context):
        return ours

    def set(self, case, data, context):
        case.headers["Authorization"] = data.get("token", "")


@pytest.fixture
def world():
    ours["token"] = Caller(build(OURS)).headers["authorization"]
    # As Django's own test client does: the connection holds the test's transaction.
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@schema.parametrize()
@settings(
    max_examples=6,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_the_document_says(case, world):
    if "id" in case.path_parameters and isinstance(case.path_parameters["id"], int):
        case.path_parameters["id"] = OURS
    if case.media_type == "multipart/form-data" and isinstance(case.body, dict) and "" in case.body.values():
        return  # The client leaves out a field with an empty text, so that nothing wrong is sent.
    # It would end almost everything at 403.
    case.headers.pop("X-Account", None)
    with transaction.atomic():
        case.call_and_validate(checks=CHECKS)
        transaction.set_rollback(True)
