"""What leaves for Twilio, against its SDK and its OpenAPI; and what the sandbox answers, against the same."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from jsonschema import Draft202012Validator
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from providers.base import Accepted, Credentials, Outgoing, Refused, Unknown
from providers.twilio import Twilio, meaning_of
from providers.twilio.codes import MEANINGS
from providers.twilio.templates import TwilioTemplates
from tests.canned import Canned, http

# Twilio's own pattern of an AccountSid is hexadecimal.
CREDENTIALS = Credentials(f"AC{'fa4e':0<32}", "fake-token", "+14155238886")
CONTENT = f"HX{'0f' * 16}"
SERVICE = f"MG{'0f' * 16}"
CALLBACK = "https://ours.test/api/v1/campaign/webhooks/twilio/status/6f6b2a34-95a4-4be2-9a4e-1f0d6c0f7a11?m=a_b-c"
MADE = http(201, {"sid": f"MM{'0' * 32}", "status": "queued"})
TYPES = {
    "twilio/text": {"body": "Hi {{1}}, welcome."},
    "twilio/media": {"body": "Look, {{1}}.", "media": ["https://ours.test/a.png"]},
    "twilio/quick-reply": {
        "body": "Is {{1}} right?",
        "actions": [{"type": "QUICK_REPLY", "title": "Yes", "id": "yes"}, {"type": "QUICK_REPLY", "title": "No"}],
    },
    "twilio/call-to-action": {
        "body": "See {{1}}.",
        "actions": [
            {"type": "URL", "title": "Open", "url": "https://ours.test/{{1}}"},
            {"type": "PHONE_NUMBER", "title": "Call", "phone": "+14155238886"},
        ],
    },
    "twilio/card": {
        "title": "Hi {{1}}",
        "subtitle": "Today",
        "media": ["https://ours.test/a.png"],
        "actions": [{"type": "URL", "title": "Open", "url": "https://ours.test/"}],
    },
}  # fmt: skip


def specification(name):
    """Twilio's OpenAPI 3.0 file, with `nullable` said as JSON Schema says it."""
    return _null_allowed(json.loads((Path(__file__).parents[1] / f"data/twilio/{name}.json").read_text()))


def _null_allowed(node):
    if isinstance(node, list):
        return [_null_allowed(each) for each in node]
    if not isinstance(node, dict):
        return node
    node = {name: _null_allowed(each) for name, each in node.items()}
    return {"anyOf": [node, {"type": "null"}]} if node.pop("nullable", False) is True else node


MESSAGES, CONTENTS = specification("twilio_messages_only"), specification("twilio_content_v1")
LIST = "/2010-04-01/Accounts/{AccountSid}/Messages.json"


def check(document, whole, path, method, status=None):
    """`document` against the request (no status) or the answer of this operation."""
    operation = whole["paths"][path][method]
    content = (operation["responses"][status] if status else operation["requestBody"])["content"]
    (media,) = content.values()
    Draft202012Validator({**media["schema"], "components": whole["components"]}).validate(document)


def outgoing(**changed):
    return Outgoing(
        **({"to": "+12025550143", "sender": CREDENTIALS.sender, "content_sid": CONTENT, "key": "k"}
        | {"variables": {"1": "Zoë & Co +1 %", "2": 'a"b\n☕'}, "callback_url": CALLBACK} | changed)
    )  # fmt: skip


def sent(message, url):
    async def send():
        twilio = Twilio(url, timeout=5, slowest=1, quiet=5, connections=1)
        try:
            return await twilio.send(message, CREDENTIALS)
        finally:
            await twilio.close()

    return asyncio.run(send())


class Recorder(HttpClient):
    """In the SDK's place of a network: keeps the request as `requests` would have put it on the wire."""

    def __init__(self):
        pass

    def request(self, method, url, params=None, data=None, headers=None, auth=None, **_):
        self.request = requests.Request(method, url, params=params, data=data, headers=headers, auth=auth).prepare()
        return Response(201, "{}")


def by_the_sdk(message, **origin):
    recorder = Recorder()
    variables = {"content_variables": json.dumps(dict(message.variables))} if message.variables else {}
    Client(CREDENTIALS.account_id, CREDENTIALS.secret, http_client=recorder).messages.create(
        to=f"whatsapp:{message.to}", content_sid=message.content_sid, status_callback=message.callback_url,
        **variables, **origin,
    )  # fmt: skip
    return recorder.request


@pytest.mark.parametrize(
    "message, origin",
    [
        (outgoing(), {"from_": f"whatsapp:{CREDENTIALS.sender}"}),
        (outgoing(variables={}), {"from_": f"whatsapp:{CREDENTIALS.sender}"}),
        (outgoing(sender=SERVICE), {"messaging_service_sid": SERVICE}),
    ],
    ids=["from a number", "without variables", "from a service"],
)
def test_a_message_leaves_as_the_sdk_would_send_it(message, origin):
    with Canned(MADE).open() as canned:
        assert isinstance(sent(message, canned.url), Accepted)
    (ours,), sdk = canned.asked, by_the_sdk(message, **origin)

    assert (ours.method, ours.target) == (sdk.method, urlsplit(sdk.url).path)
    assert ours.body == sdk.body.encode()
    for name in ("Authorization", "Content-Type", "Accept", "Accept-Charset", "Content-Length"):
        assert ours.headers[name] == sdk.headers[name]
    check(dict(parse_qsl(ours.body.decode())), MESSAGES, LIST, "post")
    assert "Body" not in dict(parse_qsl(ours.body.decode()))


@pytest.mark.parametrize("content_type", TYPES)
def test_a_template_leaves_as_exactly_what_was_given(content_type):
    types = {content_type: TYPES[content_type]}
    with Canned(http(201, {"sid": CONTENT})).open() as canned:
        templates = TwilioTemplates(CREDENTIALS, content_url=canned.url, timeout=5)
        assert templates.create_content("welcome_7", "pt_BR", {"1": "Ann"}, types) == Accepted(CONTENT, "unsubmitted")
    (asked,) = canned.asked

    document = {"friendly_name": "welcome_7", "language": "pt_BR", "variables": {"1": "Ann"}, "types": types}
    assert (asked.method, asked.target, json.loads(asked.body)) == ("POST", "/v1/Content", document)
    assert asked.headers["Content-Type"] == "application/json"
    check(document, CONTENTS, "/v1/Content", "post")


def test_a_request_for_approval_leaves_with_name_and_category_alone():
    with Canned(http(201, {"name": "welcome_7", "status": "received"})).open() as canned:
        templates = TwilioTemplates(CREDENTIALS, content_url=canned.url, timeout=5)
        templates.request_approval(CONTENT, "welcome_7", "MARKETING")
    (asked,) = canned.asked

    path = "/v1/Content/{ContentSid}/ApprovalRequests/whatsapp"
    assert asked.target == path.format(ContentSid=CONTENT)
    assert json.loads(asked.body) == {"name": "welcome_7", "category": "MARKETING"}
    check(json.loads(asked.body), CONTENTS, path, "post")


def answer(box, method, path, **more):
    said = requests.request(
        method, box.url + path, auth=(CREDENTIALS.account_id, CREDENTIALS.secret), timeout=5, **more
    )
    return said.status_code, said.json()


@pytest.mark.parametrize("content_type", TYPES)
def test_the_sandbox_answers_about_templates_as_twilio_describes(box, content_type):
    document = {"language": "en", "types": {content_type: TYPES[content_type]}, "variables": {"1": "Ann"}}
    status, made = answer(box, "POST", "/v1/Content", json=document)
    check(made, CONTENTS, "/v1/Content", "post", str(status))
    path = "/v1/Content/{ContentSid}/ApprovalRequests/whatsapp"
    status, review = answer(
        box, "POST", path.format(ContentSid=made["sid"]), json={"name": "welcome", "category": "UTILITY"}
    )
    check(review, CONTENTS, path, "post", str(status))

    for path in ("/v1/Content", "/v1/Content/{Sid}", "/v1/Content/{Sid}/ApprovalRequests", "/v1/ContentAndApprovals"):
        status, told = answer(box, "GET", path.format(Sid=made["sid"]))
        check(told, CONTENTS, path, "get", str(status))


def test_the_sandbox_answers_about_messages_as_twilio_describes(box):
    box.settings(strict_content=False)
    form = {
        "To": "whatsapp:+12025550143", "From": f"whatsapp:{CREDENTIALS.sender}", "ContentSid": CONTENT,
    }  # fmt: skip
    status, made = answer(box, "POST", LIST.format(AccountSid=CREDENTIALS.account_id), data=form)
    check(made, MESSAGES, LIST, "post", str(status))

    status, listed = answer(box, "GET", LIST.format(AccountSid=CREDENTIALS.account_id))
    assert [each["sid"] for each in listed["messages"]] == [made["sid"]]
    check(listed, MESSAGES, LIST, "get", str(status))


def test_a_message_through_the_sandbox_is_accepted_kept_and_found(box):
    box.settings(strict_content=False)
    since = datetime.now(UTC)

    async def send_and_find():
        twilio = Twilio(box.url, timeout=5, slowest=1, quiet=5, connections=1)
        message = outgoing(callback_url=CALLBACK.replace("https://ours.test", "http://127.0.0.1:1"))
        said = await twilio.send(message, CREDENTIALS)
        found = await twilio.find(message.to, message.sender, since, CREDENTIALS)
        strangers = await twilio.find("+12025550199", message.sender, since, CREDENTIALS)
        await twilio.close()
        return said, found, strangers

    said, found, strangers = asyncio.run(send_and_find())

    assert isinstance(said, Accepted)
    assert ([each.provider_id for each in found], strangers) == ([said.provider_id], [])
    (kept,) = box.log()
    assert (kept["key"], kept["sid"]) == ("6f6b2a34-95a4-4be2-9a4e-1f0d6c0f7a11", said.provider_id)


def test_what_the_sandbox_refuses_with_a_code_means_what_the_code_means(box):
    box.settings(strict_content=False)
    said = {code: sent(outgoing(to=f"+150050{code}"), box.url) for code in MEANINGS}

    # Of an error within, it is not known what it did.
    assert {code for code, each in said.items() if isinstance(each, Unknown)} == {63009, 63010, 63012}
    refused = {code: each for code, each in said.items() if isinstance(each, Refused)}
    assert {code: each.effect for code, each in refused.items()} == {code: meaning_of(code).effect for code in refused}


def test_a_template_goes_through_the_sandbox_from_its_making_to_its_end(box):
    templates = TwilioTemplates(CREDENTIALS, content_url=box.url, timeout=5)
    made = templates.create_content("welcome_7", "en", {"1": "Ann"}, {"twilio/text": TYPES["twilio/text"]})
    sid = made.provider_id

    assert (templates.find_content("welcome_7"), templates.find_content("other")) == (sid, None)
    assert templates.approval(sid).status == "unsubmitted"
    assert isinstance(templates.request_approval(sid, "welcome_7", "UTILITY"), Accepted)
    assert templates.approval(sid).status == "approved"
    assert [templates.delete_content(sid), templates.find_content("welcome_7")] == [Accepted(sid, "deleted"), None]
