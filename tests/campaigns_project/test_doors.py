"""What every door does, whatever stands behind it."""

import datetime as dt
import io
import json

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings

from accounts.roles import Role
from campaigns_project.api import IMPORT
from campaigns_project.api.limits import callers
from crm.models import Customer
from tests.factories import CustomerFactory
from tests.fixtures_http import caller

TRY = "/api/v1/try"
PART = b'--b\r\nContent-Disposition: form-data; name="n"\r\n\r\n1\r\n'
pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.campaigns_project.doors")]


class Slow:
    """A body that never comes, as the deadline shows it."""

    def read(self, *size):
        raise TimeoutError

    readline = read


def is_refusal(answer, status, code):
    body = answer.json()
    assert (answer.status_code, body["code"], body["error"]) == (status, code, code)
    assert set(body) == {"error", "code", "message", "details", "request_id", "timestamp"}
    assert body["request_id"] == answer["X-Request-ID"]
    assert answer["Content-Type"] == "application/json"
    return body["details"]


@pytest.mark.parametrize("path", [TRY, f"{TRY}/"])
def test_every_address_answers_with_and_without_a_slash(api, path):
    CustomerFactory(account=api.account, first_name="Ada")

    assert [row["first_name"] for row in api.get(path).json()["data"]] == ["Ada"]


@pytest.mark.parametrize(
    "path", ["-1", "%00", "a%2fb", "99999999999999999999999999", "1//", "%E2%80%AE", "../../admin"]
)
def test_an_address_that_is_none_answers_404(api, path):
    is_refusal(api.get(f"{TRY}/{path}"), 404, "NOT_FOUND")


def test_the_neighbours_object_looks_like_none(api, neighbour):
    theirs = CustomerFactory(account=neighbour.account)

    there, nowhere = api.get(f"{TRY}/{theirs.pk}"), api.get(f"{TRY}/0")

    assert is_refusal(there, 404, "NOT_FOUND") == is_refusal(nowhere, 404, "NOT_FOUND")
    assert there.json()["message"] == nowhere.json()["message"]


def test_another_method_is_405_and_says_which_there_are(api):
    answer = api.put(TRY)

    is_refusal(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer["Allow"] == "GET, POST, HEAD"


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "FROBNICATE"])
def test_odd_methods_are_405(api, method):
    is_refusal(api.send(method, TRY), 405, "METHOD_NOT_ALLOWED")


def test_head_is_a_get_without_a_body(api):
    answer = api.send("HEAD", TRY)

    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("role", "path", "method", "status"),
    [
        (Role.MARKETING, TRY, "GET", 200),
        (Role.MARKETING, TRY, "POST", 201),
        (Role.MARKETING, f"{TRY}/bulk", "POST", 403),
        (Role.MANAGER, f"{TRY}/bulk", "POST", 400),
        (Role.SUPER_ADMIN, f"{TRY}/1", "DELETE", 403),
    ],
)
def test_a_role_may_do_what_the_door_needs_and_nothing_that_it_forgot(role, path, method, status):
    assert caller(role).send(method, path, json={"first_name": "Ada"}).status_code == status


@pytest.mark.parametrize(
    ("body", "details"),
    [
        ({}, {"first_name": ["This field is required."]}),
        ({"first_name": "A", "x": 1}, {"x": ["This field is not known."]}),
        ({"first_name": "A", "First_name": "B"}, {"First_name": ["This field is not known."]}),
        ({"first_name": "A", "__proto__": {}}, {"__proto__": ["This field is not known."]}),
        ({"first_name": "A", "tags": [{"label": "a"}, {"z": 1}]}, {"tags.1.z": ["This field is not known."]}),
        ({"first_name": "A", "tags": {}}, {"tags": ['Expected a list of items but got type "dict".']}),
    ],
)
def test_a_body_with_unknown_or_missing_fields_names_their_paths(api, body, details):
    assert is_refusal(api.post(TRY, json=body), 400, "VALIDATION_ERROR") == details


def test_an_unknown_parameter_is_refused_also_where_none_is_documented(api):
    assert is_refusal(api.post(f"{TRY}?dry=1", json={"first_name": "A"}), 400, "VALIDATION_ERROR") == {
        "dry": ["This field is not known."]
    }


def test_a_door_without_a_body_refuses_one(api):
    is_refusal(api.post(f"{TRY}/fail/none", json={"a": 1}), 400, "VALIDATION_ERROR")
    assert api.post(f"{TRY}/fail/none").status_code == 200


@pytest.mark.parametrize("raw", [b"null", b"[]", b"{", b'{"first_name":"a","first_name":"b"}'])
def test_a_body_that_is_no_json_object_is_invalid_json(api, raw):
    is_refusal(api.post(TRY, raw=raw), 400, "INVALID_JSON")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/xml",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/json; charset=latin-1",
        "application/json; x=" + "a" * 8000,
        "",
    ],
)
def test_another_content_type_is_415(api, content_type):
    is_refusal(api.post(TRY, raw=b'{"first_name":"a"}', content_type=content_type), 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("content_type", ["application/json; charset=UTF-8", "Application/JSON"])
def test_json_in_utf8_is_read(api, content_type):
    assert api.post(TRY, raw=b'{"first_name":"a"}', content_type=content_type).status_code == 201


@pytest.mark.parametrize(
    ("variables", "status", "code"),
    [
        ({"CONTENT_LENGTH": "5, 6"}, 400, "VALIDATION_ERROR"),
        ({"CONTENT_LENGTH": "٣"}, 400, "VALIDATION_ERROR"),
        ({"CONTENT_LENGTH": "999", "wsgi.input": io.BytesIO(b"{}")}, 400, "VALIDATION_ERROR"),
        ({"wsgi.input": Slow()}, 408, "REQUEST_TIMEOUT"),
        ({"CONTENT_LENGTH": str(2**20 + 1)}, 413, "CONTENT_TOO_LARGE"),
        ({"CONTENT_LENGTH": "9" * 5000}, 413, "CONTENT_TOO_LARGE"),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, 400, "VALIDATION_ERROR"),
    ],
)
def test_a_length_that_is_none_or_too_much_is_refused(api, variables, status, code):
    is_refusal(api.post(TRY, json={"first_name": "a"}, **variables), status, code)


def test_a_bulk_door_takes_more(api):
    answer = api.post(f"{TRY}/bulk", raw=b'{"rows":["' + b"a" * 2**20 + b'"]}')

    assert (answer.status_code, answer["Location"]) == (202, answer.json()["href"])


def test_accept_is_not_negotiated(api):
    assert api.get(TRY, headers={"accept": "////;;"}).status_code == 200


def test_a_form_is_read_with_its_file(api):
    answer = api.upload(f"{TRY}/upload", {"n": "7", "file": SimpleUploadedFile("../../x", b"Ada")})

    assert (answer.status_code, answer.json()["id"]) == (201, 7)


@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        (b"{}", "multipart/form-data"),
        (b"{}", "multipart/form-data; boundary=" + "a" * 100),
        (b"--b\r\nContent-Disposition: form-data", "multipart/form-data; boundary=b"),
        (PART * 600 + b"--b--", "multipart/form-data; boundary=b"),
        (PART * 2 + b"--b--", "multipart/form-data; boundary=b"),
    ],
)
def test_a_broken_form_is_refused(api, raw, content_type):
    is_refusal(api.post(f"{TRY}/upload", raw=raw, content_type=content_type), 400, "VALIDATION_ERROR")


def test_a_form_above_djangos_own_limit_is_too_large(api):
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=10):
        is_refusal(api.upload(f"{TRY}/upload", {"n": "7" * 20}), 413, "CONTENT_TOO_LARGE")


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ("race", 409, "CONFLICT"),
        ("away", 503, "SERVICE_UNAVAILABLE"),
        ("bug", 500, "INTERNAL_SERVER_ERROR"),
        ("signed-out", 401, "UNAUTHORIZED"),
        ("drf", 400, "VALIDATION_ERROR"),
        ("clean", 400, "VALIDATION_ERROR"),
        ("said", 400, "VALIDATION_ERROR"),
    ],
)
def test_every_exception_becomes_the_one_body_and_tells_no_secret(api, how, status, code):
    answer = api.post(f"{TRY}/fail/{how}")

    is_refusal(answer, status, code)
    assert "secret" not in answer.content.decode()
    assert ("Retry-After" in answer, "WWW-Authenticate" in answer) == (status == 503, status == 401)


def test_a_lost_update_is_refused(api):
    customer = CustomerFactory(account=api.account, attributes={"b": 1, "a": 2})
    path = f"{TRY}/{customer.pk}"
    read = api.get(path)["ETag"]

    first = api.patch(path, json={"first_name": "Ada"}, headers={"if-match": read})
    second = api.patch(path, json={"first_name": "Bob"}, headers={"if-match": read})

    assert (first.status_code, api.get(path).json()["first_name"]) == (200, "Ada")
    is_refusal(second, 412, "PRECONDITION_FAILED")


@pytest.mark.parametrize("known", ["*", "{}", "W/{}", '"x", {}'])
def test_an_update_of_the_version_that_was_read_goes_through(api, known):
    path = f"{TRY}/{CustomerFactory(account=api.account).pk}"
    header = known.format(api.get(path)["ETag"])

    assert api.patch(path, json={"first_name": "Ada"}, headers={"if-match": header}).status_code == 200


@pytest.mark.parametrize(
    ("known", "status"), [("{}", 304), ("W/{}", 304), ('"a", {}', 304), ("*", 304), ('"a"', 200), ("", 200)]
)
def test_a_version_that_is_known_is_not_sent_again(api, known, status):
    path = f"{TRY}/{CustomerFactory(account=api.account).pk}"
    etag = api.get(path)["ETag"]

    answer = api.get(path, headers={"if-none-match": known.format(etag)})

    assert (answer.status_code, answer["ETag"]) == (status, etag)


def test_a_caller_who_asks_too_often_is_told_when_to_come_back(api, settings):
    settings.RATE_LIMIT_PER_MINUTE = 2
    callers.spend("", limit=1, now=0)

    with time_machine.travel(dt.datetime.now(dt.UTC), tick=False):
        answers = [api.get(TRY, headers={"x-forwarded-for": f"1.2.3.{n}"}) for n in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer["RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert 1 <= int(answers[2]["Retry-After"]) <= 60
    is_refusal(answers[2], 429, "TOO_MANY_REQUESTS")


def test_windows_begin_anew_each_minute():
    assert [callers.spend("a", limit=9, now=now).used for now in (60, 61, 120)] == [1, 2, 1]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("my-Request_1.2", True), ("a" * 65, False), ("", False), ("a b", False), ("a\nb", False), ("ü", False)],
)
def test_a_well_formed_request_id_comes_back(api, given, kept):
    answer = api.get(TRY, headers={"x-request-id": given})

    assert (answer["X-Request-ID"] == given) is kept
    assert answer["X-Request-ID"]


# Idempotency-Key


def test_the_same_key_and_body_replays_the_first_answer(api):
    first, second = (api.post(TRY, json={"first_name": "A"}, headers={"idempotency-key": "k"}) for _ in range(2))
    other_spelling = api.post(f"{TRY}/", raw=b'{ "first_name":"A"}', headers={"x-idempotency-key": "k"})

    assert [second.content, other_spelling.content] == [first.content] * 2
    assert ("Idempotent-Replayed" in first, second["Idempotent-Replayed"]) == (False, "true")
    assert second.status_code == 201
    assert second["ETag"] == first["ETag"]
    assert Customer.objects.count() == 1


@pytest.mark.parametrize(("path", "body"), [(TRY, {"first_name": "B"}), (f"{TRY}?a=1", {"first_name": "A"})])
def test_the_same_key_with_another_request_is_refused(api, path, body):
    api.post(TRY, json={"first_name": "A"}, headers={"idempotency-key": "k"})

    answer = api.post(path, json=body, headers={"idempotency-key": "k"})

    assert answer.json()["code"] == ("idempotency_key_reused" if path == TRY else "VALIDATION_ERROR")
    assert Customer.objects.count() == 1


def test_keys_belong_to_an_account_and_a_path(api, neighbour):
    for who, path in ((api, TRY), (neighbour, TRY), (api, f"{TRY}/fail/none")):
        answer = who.post(path, json={} if "fail" in path else {"first_name": "A"}, headers={"idempotency-key": "k"})
        assert "Idempotent-Replayed" not in answer

    assert Customer.objects.count() == 3


@pytest.mark.parametrize("key", ["", " ", "a" * 256, "a\x01", "é"])
def test_a_key_that_is_none_is_refused(api, key):
    is_refusal(api.post(TRY, json={"first_name": "A"}, headers={"idempotency-key": key}), 400, "VALIDATION_ERROR")


def test_two_different_keys_are_refused(api):
    headers = {"idempotency-key": "a", "x-idempotency-key": "b"}

    is_refusal(api.post(TRY, json={"first_name": "A"}, headers=headers), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("path", "body", "status", "replayed"),
    [
        (TRY, {}, 400, True),
        (f"{TRY}/fail/race", {}, 409, False),
        (f"{TRY}/fail/bug", {}, 500, False),
        (f"{TRY}/fail/away", {}, 503, False),
        (f"{TRY}/fail/stream", {}, 200, False),
    ],
)
def test_a_refusal_is_kept_when_the_same_request_would_meet_it_again(api, path, body, status, replayed):
    answers = [api.post(path, json=body, headers={"idempotency-key": "k"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [status] * 2
    assert ("Idempotent-Replayed" in answers[1]) is replayed


def test_a_keyed_request_that_fails_leaves_no_effect(api):
    api.post(f"{TRY}/fail/race", headers={"idempotency-key": "k"})

    assert not Customer.objects.exists()


def test_the_same_upload_in_another_envelope_is_the_same_request(api):
    def send(content, boundary):
        part = f'--{boundary}\r\nContent-Disposition: form-data; name="{{}}"{{}}\r\n\r\n{{}}\r\n'
        body = part.format("n", "", 1) + part.format("file", '; filename="f"', content) + f"--{boundary}--\r\n"
        content_type = f"multipart/form-data; boundary={boundary}"
        headers = {"idempotency-key": "k"}
        return api.post(f"{TRY}/upload", raw=body.encode(), content_type=content_type, headers=headers)

    first, again, other = send("Ada", "b1"), send("Ada", "b2"), send("Bob", "b3")

    assert [first.status_code, again.get("Idempotent-Replayed"), other.status_code] == [201, "true", 422]
    assert Customer.objects.get().first_name == "Ada"


def test_an_import_may_be_a_hundred_times_as_large():
    assert IMPORT == 100 * 2**20


def test_a_body_is_kept_as_json_of_utf8(api):
    answer = api.post(TRY, json={"first_name": "Zoë"})

    assert json.loads(answer.content)["first_name"] == "Zoë"
    assert "Zoë".encode() in answer.content
