import re

import pytest

from providers.sandbox.twilio.content import Approval
from tests.providers.sandbox_box import until
from tests.sandbox_process import ACCOUNT, TOKEN

TEXT = {"twilio/text": {"body": "Your order is ready."}}
CARD = {
    "title": "Back in stock",
    "subtitle": "{{1}} is here.",
    "media": ["https://example.com/a.png"],
    "actions": [{"type": "URL", "title": "Order", "url": "https://example.com/{{1}}"}],
}
CATEGORY = {"name": "order_ready", "category": "UTILITY"}


def test_a_template_is_answered_with_twilios_resource(box):
    document = {"friendly_name": "order", "language": "en", "variables": {"1": "Ann"}, "types": TEXT}
    # The official library sends every other type as null.
    answer = box.call("POST", "/v1/Content", json=document | {"types": TEXT | {"twilio/media": None}})

    made = answer.json()
    url = f"{box.url}/v1/Content/{made['sid']}"
    assert answer.status_code == 201
    assert re.fullmatch(r"HX[0-9a-f]{32}", made["sid"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["date_created"])
    assert made == document | {
        "sid": made["sid"],
        "account_sid": ACCOUNT,
        "date_created": made["date_created"],
        "date_updated": made["date_created"],
        "url": url,
        "links": {"approval_create": f"{url}/ApprovalRequests/whatsapp", "approval_fetch": f"{url}/ApprovalRequests"},
    }
    assert box.call("GET", f"/v1/Content/{made['sid']}").json() == made


@pytest.mark.parametrize(
    "document",
    [
        b"{",
        b"[]",
        b"[" * 100_000,
        {"types": TEXT},
        {"language": 1, "types": TEXT},
        {"language": "en", "friendly_name": "a" * 513, "types": TEXT},
        {"language": "en"},
        {"language": "en", "types": {"twilio/text": None}},
        {"language": "en", "types": {"twilio/fax": {"body": "x"}}},
        {"language": "en", "types": {"twilio/text": "x"}},
        {"language": "en", "types": {"twilio/text": {"body": ""}}},
        {"language": "en", "types": {"twilio/text": {"body": 1}}},
        {"language": "en", "types": {"twilio/text": {"body": "x", "title": "x"}}},
        {"language": "en", "types": {"twilio/media": {"media": [1]}}},
        {"language": "en", "types": {"twilio/card": {"actions": ["x"]}}},
        {"language": "en", "types": TEXT, "variables": {"1": 2}},
    ],
)
def test_what_is_no_template_is_refused(box, document):
    body = {"data": document} if isinstance(document, bytes) else {"json": document}
    answer = box.call("POST", "/v1/Content", **body)

    assert (answer.status_code, answer.json()["code"]) == (400, 20001)
    assert box.summary()["contents"] == 0


def test_a_body_too_large_is_refused(box):
    answer = box.call("POST", "/v1/Content", data=b" " * 2_000_000)

    assert (answer.status_code, answer.json()["code"]) == (413, 20413)


@pytest.mark.parametrize(
    "types",
    [
        TEXT,
        {"twilio/card": CARD, "twilio/text": {"body": "Plain"}},
        {"twilio/location": {"latitude": 1.5, "longitude": 2, "label": None}},
        {"twilio/quick-reply": {"body": "x", "actions": [{"type": "QUICK_REPLY", "title": "Yes", "id": "1"}]}},
    ],
)
def test_approval_is_asked_for_and_fetched(box, types):
    sid = box.template(types, submit=False)
    facts = {
        "name": "order_ready",
        "category": "UTILITY",
        "content_type": next(iter(types)),
        "rejection_reason": "",
        "allow_category_change": True,
    }
    unsubmitted = box.call("GET", f"/v1/Content/{sid}/ApprovalRequests").json()
    asked = box.submit(sid)

    assert (asked.status_code, asked.json()) == (201, facts | {"status": "received"})
    fetched = {
        "sid": sid,
        "account_sid": ACCOUNT,
        "url": f"{box.url}/v1/Content/{sid}/ApprovalRequests",
        "whatsapp": {"type": "whatsapp", "status": "approved"} | facts,
    }
    assert box.call("GET", f"/v1/Content/{sid}/ApprovalRequests").json() == fetched
    nothing = {"type": "whatsapp", "status": "unsubmitted", "name": "", "category": ""}
    assert unsubmitted == fetched | {"whatsapp": facts | nothing}


def test_approval_walks_from_received_over_pending():
    ways = [Approval("n", "UTILITY", at=100.0, after=30.0, reason=reason) for reason in ("", "Too loud.")]

    walks = [[way.status(now) for now in (100, 109, 110, 129, 130)] for way in ways]

    assert walks[0] == ["received", "received", "pending", "pending", "approved"]
    assert walks[1] == ["received", "received", "pending", "pending", "rejected"]


@pytest.mark.parametrize(
    "body, variables, name, verdict",
    [
        ("Hi {{1}}, hello.", {}, "order", "approved"),
        ("{{1}}, {{2}}", {"1": "a", "2": "b"}, "order", "approved"),
        ("{{1}}, hello.", {}, "order", "rejected"),
        ("Hello {{1}} ", {}, "order", "rejected"),
        ("Hi {{1}} {{2}}.", {"1": "a"}, "order", "rejected"),
        ("a" * 1025, {}, "order", "rejected"),
        ("Hello.", {}, "please_reject_me", "rejected"),
    ],
)
def test_meta_rejects_what_breaks_its_rules(box, body, variables, name, verdict):
    sid = box.template({"twilio/text": {"body": body}}, variables=variables, submit=False)
    box.submit(sid, name=name)

    said = box.call("GET", f"/v1/Content/{sid}/ApprovalRequests").json()["whatsapp"]

    assert (said["status"], bool(said["rejection_reason"])) == (verdict, verdict == "rejected")


@pytest.mark.parametrize(
    "document",
    [{"category": "UTILITY"}, CATEGORY | {"name": "Big"}, CATEGORY | {"category": "AD"}, CATEGORY | {"name": ""}, b"{"],
)
def test_a_submission_that_makes_no_sense_is_refused(box, document):
    path = f"/v1/Content/{box.template(submit=False)}/ApprovalRequests/whatsapp"
    answer = box.call("POST", path, **({"data": document} if isinstance(document, bytes) else {"json": document}))

    assert (answer.status_code, answer.json()["code"]) == (400, 20001)


def test_a_template_is_submitted_once_and_stays_as_it_was(box):
    sid = box.template()

    assert box.submit(sid).status_code == 400
    assert box.call("PUT", f"/v1/Content/{sid}", json={"types": TEXT}).status_code == 400
    assert box.summary()["approval_requests"] == 1


def test_a_template_can_be_changed_until_it_is_submitted_and_deleted(box):
    sid = box.template(submit=False)
    changed = box.call("PUT", f"/v1/Content/{sid}", json={"types": TEXT, "friendly_name": "other"}).json()

    assert (changed["types"], changed["friendly_name"], changed["language"]) == (TEXT, "other", "en")
    assert box.call("DELETE", f"/v1/Content/{sid}").status_code == 204
    assert box.call("GET", f"/v1/Content/{sid}").status_code == 404
    assert box.call("POST", f"/v1/Content/{sid}/ApprovalRequests/whatsapp", json=CATEGORY).status_code == 404
    assert box.send({"ContentSid": sid}).json()["code"] == 21655


def test_a_neighbour_does_not_see_the_template(box):
    sid, other = box.template(), (f"AC{'b':0<32}", TOKEN)

    assert box.call("GET", f"/v1/Content/{sid}", auth=other).status_code == 404
    assert box.call("GET", "/v1/Content", auth=other).json()["contents"] == []


@pytest.mark.parametrize("path", ["/v1/Content", "/v1/ContentAndApprovals"])
def test_templates_are_listed_newest_first_in_pages(box, path):
    names = [f"template_{number}" for number in range(5)]
    for name in names:
        box.template(friendly_name=name)
    page = {"meta": {"next_page_url": f"{box.url}{path}?PageSize=2"}}
    seen = []
    while url := page["meta"]["next_page_url"]:
        page = box.call("GET", url.removeprefix(box.url)).json()
        seen += [content["friendly_name"] for content in page["contents"]]

    assert seen == names[::-1]
    assert page["meta"] == {
        "page": 2,
        "page_size": 2,
        "first_page_url": f"{box.url}{path}?PageSize=2&Page=0",
        "previous_page_url": f"{box.url}{path}?PageSize=2&Page=1",
        "url": f"{box.url}{path}?PageSize=2&Page=2",
        "next_page_url": None,
        "key": "contents",
    }
    last = page["contents"][0]
    assert ("links" in last, "approval_requests" in last) == (path.endswith("Content"), path.endswith("Approvals"))


def test_a_ruling_by_hand_stays_until_the_next(box):
    sid = box.template()

    ruled = box.rule(sid, "paused", "Low quality")

    assert (ruled["status"], ruled["rejection_reason"]) == ("paused", "Low quality")
    assert (
        until(lambda: box.call("GET", f"/v1/Content/{sid}/ApprovalRequests").json()["whatsapp"]["status"]) == "paused"
    )
    assert box.rule(sid, "unsubmitted")["status"] == "unsubmitted"
    assert box.rule(sid, "approved")["status"] == "approved"


@pytest.mark.parametrize("sid, ruling", [("HX1", {"status": "paused"}), (None, {"status": "x"}), (None, {})])
def test_a_ruling_that_makes_no_sense_is_refused(box, sid, ruling):
    answer = box.call("POST", f"/_sandbox/templates/{sid or box.template()}", json=ruling)

    assert (answer.status_code, list(answer.json())) == (400, ["error"])
