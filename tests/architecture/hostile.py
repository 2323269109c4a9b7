"""The rows of `tests/data/bad_inputs.jsonl`: how to read them, and how each kind is asked.

Kinds `http`, `http-seq` and `http-parallel` are literal; the others name a surface: a valid request is made and only
what the row gives is changed. `<A:x>` is an object of ours, `<B:x>` one of the neighbour's.
"""

from __future__ import annotations

import base64
import io
import json
import re
import time
import zipfile
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import jwt
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from PIL import Image
from twilio.request_validator import RequestValidator

from accounts.models import Membership
from accounts.roles import Role
from accounts.tokens import _key, issue
from campaigns.models import Campaign
from campaigns.sending import callback_mac
from campaigns_project.api.limits import GUESSES
from tests.architecture import hostile_coupons, hostile_found, hostile_redeeming, hostile_webhooks
from tests.architecture.coupon_world import coupon_uuid
from tests.architecture.world import OURS, THEIRS, mark, phone, segment_id
from tests.factories import CampaignFactory, PromoFactory
from tests.fixtures_http import Caller

ROOT = Path(__file__).resolve().parents[1]
BASE = "/api/v1/campaign"
ATTEMPT = "00000000-0000-4000-8000-000000000001"
SLOWEST = 5.0
MOMENT = timedelta(milliseconds=1)
SOME_GUESSES = 60


def rows():
    lines = (ROOT / "data" / "bad_inputs.jsonl").read_text().splitlines()
    return [row for line in lines if "area" in (row := json.loads(line))]


def built(value):
    """A value with its `$repeat`, `$range`, `$cat` and `$nest` carried out and its objects put in."""
    if isinstance(value, list):
        return [built(each) for each in value]
    if isinstance(value, str):
        known: dict[str, object] = {"<A:segment>": segment_id(OURS), "<B:segment>": segment_id(THEIRS)}
        known |= {"<A:template_name>": mark(OURS), "<A:blocked_phone>": phone(OURS), "<self>": OURS, "<cycle>": OURS}
        if value in known:
            return known[value]
        return re.sub(r"<([AB]):(\w+)>", _object, value)
    if not isinstance(value, dict):
        return value
    for name, build in _BUILDERS.items():
        if name in value:
            return build(*value[name])
    return {key: built(each) for key, each in value.items()}


def _object(found):
    owner = {"A": OURS, "B": THEIRS}[found[1]]
    return coupon_uuid(owner) if found[2] == "coupon_campaign" else str(owner)


_BUILDERS = {
    "$repeat": lambda text, times: text * times,
    "$range": lambda count, pattern: "".join(pattern % n if "%" in pattern else pattern for n in range(count)),
    "$cat": lambda *parts: "".join(map(built, parts)),
    "$nest": lambda before, after, times, inner: before * times + built(inner) + after * times,
}


def membership(owner=OURS):
    return Membership.objects.get(account=owner)


def ask(row):
    """The answers to one row, in order; none for a row without HTTP."""
    given = row["input"]
    kind = given["kind"].replace("-", "_")
    return globals()[f"ask_{kind}"](Caller(membership()), {name: built(value) for name, value in given.items()}, row)


def ask_http(who, given, _row):
    headers = {name: text for name, text in given.get("headers", {}).items() if name != "Content-Type"}
    if headers.get("Authorization", "").startswith("<tok:B"):
        headers["Authorization"] = Caller(membership(THEIRS)).headers["authorization"]
    body = given["raw"].encode(errors="surrogatepass") if "raw" in given else None
    content_type = given.get("headers", {}).get("Content-Type", "application/json")
    headers = {name.lower(): text for name, text in headers.items()}
    return [
        who.send(
            given["method"], given["path"], raw=body, json=given.get("json"), content_type=content_type, headers=headers
        )
    ]


def ask_http_seq(who, given, row):
    return [answer for step in given["steps"] for answer in ask_http(who, step, row)]


def ask_http_parallel(who, given, row):
    # One after the other here; at once, over real connections: tests/campaigns_project/test_idempotency.py.
    return [answer for _ in range(given["n"]) for answer in ask_http(who, given["step"], row)]


def ask_template(who, given, row):
    if "transition" in given:
        campaign = CampaignFactory(account=who.account, status=given.get("from", "unsubmitted"))
        address = {"send": "test-send", "submit": "submit"}[given["transition"]]
        body = {"phone_number": "+15550000001"} if address == "test-send" else {}
        return [who.post(f"{BASE}/{address}/{campaign.pk}", json=body) for _ in range(given.get("parallel", 1))]
    valid = {"name": row["name"], "content_type": "twilio/text", "content_context": {"body": "Hello there"}}
    return [who.post(f"{BASE}/create", json=valid | {key: value for key, value in given.items() if key != "kind"})]


def ask_lead(who, given, _row):
    campaign = Campaign.objects.get(pk=OURS)
    if "phone_number" not in given["lead"]:
        given["lead"]["phone_number"] = "+15550000009"
    if given["lead"]["phone_number"] == "+1-555-000-0001":
        who.post(f"{BASE}/add-leads", json={"campaign_id": campaign.pk, "leads": [{"phone_number": "+15550000001"}]})
    return [who.post(f"{BASE}/add-leads", json={"campaign_id": campaign.pk, "leads": [given["lead"]]})]


def ask_upload(who, given, _row):
    file = SimpleUploadedFile("a.png", _MADE[given["make"]](), "image/png")
    form = {"name": "upload", "content_type": given["content_type"], "content_context_json": '{"body": "Look here"}'}
    return [who.upload(f"{BASE}/create", form | {"media": file})]


def _gif():
    made = io.BytesIO()
    Image.new("P", (1, 1)).save(
        made, "GIF", save_all=True, append_images=[Image.new("P", (1, 1), n) for n in range(99)]
    )
    return made.getvalue()


def _flood():
    made = io.BytesIO()
    Image.new("1", (1, 1)).save(made, "PNG")
    return made.getvalue().replace(b"\x00\x00\x00\x01\x00\x00\x00\x01", b"\x00\x00\xc3\x50\x00\x00\xc3\x50", 1)


def _xlsx(sheet):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/worksheets/sheet1.xml", sheet)
    return made.getvalue()


_XXE = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg">&b;</svg>'
_MADE = {
    "svg-xxe": lambda: _XXE,
    "pixel-flood": _flood,
    "mime-lie": lambda: b"<html><script>alert(1)</script>",
    "gif": _gif,
    "sparse": lambda: _xlsx(b"<row/>" * 1_000_000),
    "exe": lambda: b"MZ" + bytes(200),
    "xxe": lambda: _xlsx(_XXE),
    "poison": lambda: b"phone\n" + b"".join(
        b"nobody\n" if n == 5_000 else b"+1555%07d\n" % n for n in range(1, 10_001)
    ),
    "unclosed": lambda: b'phone\n"+15550000001' + b"\nx" * 1_000_000,
    "utf-16": lambda: "phone,name\n+15550000001,Zoë\n".encode("utf-16"),
    "cp1252": lambda: "phone,name\n+15550000001,Zoë\n".encode("cp1252"),
}  # fmt: skip


def ask_redeem(who, given, _row):
    at = timezone.now()
    window = {"valid_until+1ms": {"valid_until": at - MOMENT}, "valid_from-1ms": {"valid_from": at + 1000 * MOMENT}}
    promo = PromoFactory(
        account=who.account,
        min_order=25_00,
        usage_limit=given.get("limit"),
        per_customer_limit=given.get("per_customer"),
        **window.get(given.get("at"), {}),
    )
    code = "WRONG" if given.get("n", 0) > SOME_GUESSES else given.get("code", promo.code)
    body = {"customer_id": "c1", "order_amount": float(given.get("cart_total", 46.80))}
    asked = range(min(given.get("n", 1), SOME_GUESSES))
    answers = [who.post(f"/api/v1/marketing/promos/{code}/redeem", json=body | {"order_id": f"o{n}"}) for n in asked]
    promo.refresh_from_db()
    assert promo.used == sum(answer.status_code == 201 for answer in answers)
    answers += hostile_redeeming.ask(who, given, len(asked))
    # The first guesses are answered as wrong ones.
    return answers[GUESSES:] if code == "WRONG" else answers


def ask_search(who, given, _row):
    return hostile_found.search(who, given)


def ask_export(who, given, _row):
    return hostile_found.export(who, given)


def ask_transition(who, given, _row):
    return hostile_coupons.ask(who, given)


def ask_csv(who, given, _row):
    made = given.get("gen") or given.get("raw_b64_of")
    data = _MADE[made]() if made else given.get("raw", "phone\n+15550000001\n").encode()
    form = {"campaign_id": str(OURS)}
    name = given.get("filename", "a.csv").replace("\0", "") or "a.csv"
    times = given.get("parallel", 1)
    return [
        who.upload(f"{BASE}/add-leads/import", form | {"file": SimpleUploadedFile(name, data, "text/csv")})
        for _ in range(times)
    ]


def ask_jwt(who, given, _row):
    case = given["case"]
    if case == "demoted":
        Membership.objects.filter(pk=OURS).update(role=Role.MARKETING)
        return [who.post(f"{BASE}/test-send/{OURS}", json={"phone_number": "+15550000001"})]
    headers = {"X-Role": "super_admin"} if case == "X-Role: super_admin" else {}
    token = None if case is None or headers else case if case.startswith(("Basic", "Bearer")) else _forged(case)
    return [Client().get(BASE, headers=headers | ({"authorization": token} if token else {}))]


def _forged(case):
    own = jwt.decode(issue(membership()), options={"verify_signature": False})
    head, body, signature = issue(membership()).split(".")
    if case == "flip":
        return f"Bearer {head}.{body}.{signature[:-1]}{'A' if signature[-1] != 'A' else 'Q'}"
    if case == "alg=none":
        return f"Bearer {jwt.encode(own, '', algorithm='none')}"
    if case == "alg-confusion":
        return f"Bearer {jwt.encode(own, 'public key of thirty-two bytes !!', algorithm='HS256')}"
    head, _, named = case.partition("=")
    headers = {"jku": "https://evil.example", "jwk": {"kty": "oct", "k": "AAAA"}} if head in ("jku", "jwk") else {}
    now = int(time.time())
    claims = {
        "tenant=[A,B]": {"tenant_id": [str(membership(owner).account.uuid) for owner in (OURS, THEIRS)]},
        "tenant missing": {"tenant_id": None},
        "exp missing": {"exp": None},
        "exp='9999999999'": {"exp": "9999999999"},
        "exp=1e300": {"exp": 1e300},
        "nbf=+60": {"nbf": now + 60},
        "aud=other": {"aud": "other"},
    }
    changed = {name: value for name, value in (own | claims.get(case, {})).items() if value is not None}
    chosen = {name: value for name, value in headers.items() if name == head}
    assert chosen or case in claims, (case, named)
    encoder = jwt.PyJWT() if "exp" not in claims.get(case, {}) else None
    encode = encoder.encode if encoder else _encode
    return f"Bearer {encode(changed, _key(), algorithm='HS256', headers=chosen)}"


def _encode(claims, key, *, algorithm, headers):
    # PyJWT itself refuses to write an expiry that is no number.
    return jwt.PyJWS().encode(json.dumps(claims).encode(), key, algorithm=algorithm, headers=headers)


def ask_page(who, given, row):
    page = Client(enforce_csrf_checks="path" in given, raise_request_exception=False)
    person = membership().user
    if "next" in given:
        person.set_password("correct horse")
        person.save()
        return [page.post(f"/login?next={given['next']}", {"email": person.email, "password": "correct horse"})]
    if "path" in given:
        return [page.post("/admin/login/", {"username": person.email, "password": "x"})]
    if "n" in given:
        return [page.post("/login", {"email": person.email, "password": "x"}) for _ in range(given["n"])][10:]
    if "fields" in given:
        return [page.post("/login", {f"field{n}": "x" for n in range(given["fields"])})]
    person.is_staff = "ids" in given
    person.save()
    person.user_permissions.set(Permission.objects.all())
    page.force_login(person)
    if "ids" in given:
        form = {"action": "delete_selected", "_selected_action": given["ids"]}
        return [page.post("/admin/campaigns/campaign/", form)]
    return [page.post("/campaigns/new", {"template": given["hidden"]})]


def ask_webhook(_who, given, _row):
    if given["provider"] != "twilio":
        return hostile_webhooks.ask(given)
    form = {"MessageSid": "SM" + "1" * 32, "MessageStatus": "delivered", "To": "whatsapp:+1555"}
    form |= {"AccountSid": f"ACfake{OURS:028d}"} | ({"Later": "x"} if given.get("extra") else {})
    if "email" in given:
        form["To"] = given["email"]
    return [
        _called_back(given, form | {"MessageStatus": status})
        for status in given.get("order", ["delivered"] * given.get("repeat", given.get("parallel", 1)))
    ]


def _called_back(given, form):
    key = f"00000000-0000-0000-0000-{THEIRS:012x}" if given.get("cross_tenant") else ATTEMPT
    path = f"{BASE}/webhooks/{given['provider']}/status/{key}?m={callback_mac(key)}"
    token = "fake-token" if given.get("path_tenant") != "B" else "another token"
    signature = RequestValidator(token).compute_signature(f"http://127.0.0.1:8000{path}", form)
    body = urlencode(form).encode()
    if given.get("sig", "") != "" and given["sig"] not in ("tenantB", "reserialised"):
        signature = given["sig"]
    if given.get("sig") == "reserialised":
        signature = RequestValidator(token).compute_signature(f"http://127.0.0.1:8000{path}", {json.dumps(form): ""})
    body = b"Tampered=1&" + body if given.get("tamper") == "body" else body
    body = base64.b64decode(given["raw_b64"]) if "raw_b64" in given else body + b"a" * given.get("size", 0)
    method = given.get("method", "POST")
    headers = {"X-Twilio-Signature": signature}
    return Client().generic(method, path, body, content_type="application/x-www-form-urlencoded", headers=headers)
