"""How the rows about webhooks of providers are asked: a genuine delivery of ours, but for what the row changes."""

import base64
import json
import time
from urllib.parse import urlencode

from django.test import Client

from dispatch import inbox
from dispatch.models import InboxEntry
from tests.architecture.world import HEARD, OURS, THEIRS, mark, webhook_token
from tests.crm.webhook_world import FORM, OPENED, PREFIX, stamped

# More would take longer than an answer may; in daily life that is the clock's work.
MOST_APPLIED = 100
MOMENTS = {
    "nan": lambda now: "nan",
    "-1abs": lambda now: "-1",
    "ms": lambda now: str(now * 1000),
    "-300": lambda now: str(now - 300),
}


def ask(given):
    answers = [post(given, body) for body in bodies(given)]
    if all(answer.status_code >= 400 for answer in answers):
        assert not came_in()
    elif given.get("method") != "GET":
        settle(given)
    return answers


def came_in():
    """What was stored beside what each account has from the beginning."""
    return list(InboxEntry.objects.exclude(pk__in=(OURS, THEIRS)))


def bodies(given):
    """What is delivered, one body after the other."""
    if "raw_b64" in given:
        return [base64.b64decode(given["raw_b64"])]
    event = {name: value for name, value in event_of(given).items() if name != given.get("drop")}
    if "batch" in given:
        same = given.get("dup")
        batch = [event | {"event_id": "e" if same else f"e{n}"} for n in range(given["batch"])]
        if "poison" in given:
            batch[given["poison"]]["timestamp"] = {"never": []}
        return [json.dumps(batch).encode()]
    said = [event | {"event_type": f"email.{word}"} for word in given.get("order", [])] or [event]
    if given.get("same_id"):
        said = [event, event | {"email": "other@example.com"}]
    times = given.get("repeat", min(given.get("parallel", 1), 20))
    return [json.dumps(each).encode() + b" " * given.get("size", 0) for each in said * times]


def event_of(given):
    event = OPENED | {"event_id": "e1"} | ({"later": {"a": 1}} if given.get("extra") else {})
    if given.get("order"):
        del event["event_id"]
    event |= {name: given[name] for name in ("email", "event_type") if name in given}
    if "event_ts" in given:
        event["timestamp"] = int(time.time()) + 86_400
    return event | ({"campaign_id": f"camp_{THEIRS:016}"} if given.get("cross_tenant") else {})


def post(given, body):
    while time.time() % 1 > 0.8:  # A second that does not end in between.
        time.sleep(0.05)
    provider, now = given["provider"], int(time.time())
    secret = mark(THEIRS if given.get("sig") == "tenantB" else OURS)
    headers = stamped(
        body, secret=secret, at=MOMENTS.get(given.get("ts"), lambda now: given.get("ts") or str(now))(now)
    )
    if given.get("ts") == ".9":
        headers["X-Webhook-Timestamp"] += ".9"
    if given.get("tamper") == "ts":
        headers["X-Webhook-Timestamp"] = str(now - 1)
    if given.get("sig", "") is None:
        headers = {}
    elif given.get("sig", "tenantB") not in ("tenantB", "reserialised"):
        headers["X-Webhook-Signature"] = given["sig"]
    if given.get("sig") == "reserialised":
        headers = stamped(urlencode(json.loads(body)).encode(), secret=secret)
    body = body[:-1] + b',"tampered":1}' if given.get("tamper") == "body" else body
    owner = THEIRS if given.get("path_tenant") == "B" else OURS
    token = f"/{webhook_token(owner, provider)}" if provider in HEARD else ""
    content_type = FORM if given.get("method") == "GET" else "application/json"
    return Client().generic(
        given.get("method", "POST"), f"{PREFIX}/{provider}{token}", body, content_type=content_type, headers=headers
    )


def settle(given):
    """What was taken in has one effect each; what cannot be read is parked, and holds up nothing."""
    if given.get("batch", 0) > MOST_APPLIED:
        assert len(came_in()) == given["batch"]
        return
    inbox.apply_all()
    stored = came_in()
    parked = [entry for entry in stored if entry.result == "waiting"]
    unreadable = given.get("poison") or ("event_type" in given and given["event_type"] is None)
    assert len(parked) == bool(unreadable)
    if {"repeat", "parallel", "same_id", "dup"} & set(given):
        assert len(stored) == 1
    if "poison" in given:
        assert [entry.result for entry in stored].count("applied") == given["batch"] - 1
