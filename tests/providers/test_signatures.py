import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import signatures
from providers.twilio import read_form, verify_signature

VECTORS = {
    vector["provider"]: vector
    for vector in json.loads((Path(__file__).parents[1] / "data/webhooks/signature_vectors.json").read_text())
}
# When each was signed, in unix seconds; the others say nothing of the time.
SIGNED_AT = {"sendgrid": 1795000000} | dict.fromkeys(("hubspot-v3", "stripe", "lob", "postgrid"), 1795228974)


def twilio(v, h, body, now):
    fields = body if v["provider"] == "twilio-json" else read_form(body)
    chosen = h.get("X-Twilio-Webhooks-Signature-Settings")
    return verify_signature(v["url"], fields, h["X-Twilio-Signature"], v["secret"], settings_header=chosen)


def sendgrid(v, h, body, now):
    stamp, signature = (h[f"X-Twilio-Email-Event-Webhook-{name}"] for name in ("Timestamp", "Signature"))
    return signatures.is_sendgrids(v["secret"], timestamp=stamp, signature=signature, body=body, now=now)


def hubspot(v, h, body, now):
    said = {"timestamp": h["X-HubSpot-Request-Timestamp"], "signature": h["X-HubSpot-Signature-v3"]}
    return signatures.is_hubspots(v["secret"], method="POST", url=v["url"], body=body, now=now, **said)


def lob(v, h, body, now):
    said = {"timestamp": h["Lob-Signature-Timestamp"], "signature": h["Lob-Signature"]}
    return signatures.is_stamped(v["secret"], body=body, now=now, unit=signatures.MILLISECONDS, **said)


def listed(v, h, body, now):
    return signatures.is_listed(v["secret"], next(iter(h.values())), body, now)


def plain(v, h, body, now):
    encoding = "base64" if v["provider"] == "shopify" else "hex"
    return signatures.is_signed_body(v["secret"], next(iter(h.values())), body, encoding=encoding)


VERIFIERS = {
    **dict.fromkeys(("twilio", "twilio-sharedkey", "twilio-json"), twilio),
    "sendgrid": sendgrid,
    "hubspot-v3": hubspot,
    "lob": lob,
    "stripe": listed,
    "postgrid": listed,
    "stannp": plain,
    "shopify": plain,
}
EACH = pytest.mark.parametrize("name", VERIFIERS)


def verified(name, *, headers=None, body=None, now=None, **changed):
    vector = VECTORS[name] | changed
    body = vector["body"].encode() if body is None else body
    now = SIGNED_AT.get(name, 0) if now is None else now
    return VERIFIERS[name](vector, headers or vector["headers"], body, now)


def altered(text, at=-3):
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at:][1:]


def test_every_vector_has_its_verifier():
    # Standard Webhooks has a module of its own; Mailchimp signs nothing.
    elsewhere = {"standard-webhooks / svix (intelliprint)", "mailchimp-marketing"}

    assert set(VECTORS) == set(VERIFIERS) | elsewhere


@EACH
def test_what_the_provider_signed_is_genuine(name):
    assert verified(name) is True


@EACH
def test_one_changed_byte_is_refused_wherever_it_is(name):
    body = VECTORS[name]["body"].encode()
    places = range(len(body)) if name != "twilio-json" else (0, 5)

    assert not any(verified(name, body=body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]) for at in places)
    assert not any(verified(name, body=other) for other in (body + b"\n", body[:-3], b""))


@EACH
def test_another_secret_is_refused(name):
    other = base64.b64encode(base64.b64decode(VECTORS[name]["secret"])[::-1]).decode() if name == "sendgrid" else "no"

    assert verified(name, secret=other) is False


@EACH
def test_a_changed_signature_is_refused(name):
    for header, value in VECTORS[name]["headers"].items():
        if "ignature" in header and "Settings" not in header and "Timestamp" not in header:
            for wrong in (altered(value), "", value[:-1], "v1", "v1,a,b", "é\xff", "a" * 100_000, "\udc80"):
                assert verified(name, headers=VECTORS[name]["headers"] | {header: wrong}) is False


@pytest.mark.parametrize("name", SIGNED_AT)
def test_three_hundred_seconds_are_the_tolerance(name):
    at = SIGNED_AT[name]

    assert [verified(name, now=at + shift) for shift in (-301, -300, 300.9, 301)] == [False, True, True, False]


@pytest.mark.parametrize("name", SIGNED_AT)
def test_the_time_is_part_of_what_is_signed(name):
    later = str(SIGNED_AT[name] + 1)
    headers = {header: value.replace(str(SIGNED_AT[name]), later) for header, value in VECTORS[name]["headers"].items()}

    assert headers != VECTORS[name]["headers"]
    assert verified(name, headers=headers) is False


SECRET, BODY, NOW = "a secret of the sender's", b'{"event_type":"email.opened"}', 1_795_000_000.7


def stamped(timestamp, *, signature=None, body=BODY):
    import hmac

    made = hmac.digest(SECRET.encode(), timestamp.encode(errors="replace") + b"." + BODY, "sha256").hex()
    given = made if signature is None else signature.format(made)
    return signatures.is_stamped(SECRET, timestamp=timestamp, signature=given, body=body, now=NOW)


@pytest.mark.parametrize(
    "timestamp", ["1795000000", "1794999700", "2026-11-18T11:06:40Z", "2026-11-18T12:06:40.5+01:00"]
)
@pytest.mark.parametrize("signature", ["{}", "sha256={}"])
def test_the_header_pair_takes_seconds_or_iso_and_a_prefix(timestamp, signature):
    assert stamped(timestamp, signature=signature) is True


@pytest.mark.parametrize(
    "timestamp",
    ["", "nan", "1795000000.9", "1795000000000", "-1795000000", "٠١٢", "1" * 400, "1795000000 ", "+1795000000",
     "١٧٩٥٠٠٠٠٠٠", "2026-11-18", "2026-11-18T11:06:40",
     "2026-13-18T11:06:40Z", "2026-11-18T11:00:40Z", "2026-11-18 11:06:40Z", "é",
     "2026-11-18T11:06:40+25:00"],
)  # fmt: skip
def test_a_time_that_is_none_or_another_is_refused_however_it_is_signed(timestamp):
    assert stamped(timestamp) is False


@pytest.mark.parametrize("signature", ["", "sha256=", "sha1={}", "sha256=sha256={}", "{0}{0}", "{} "])
def test_a_signature_of_another_shape_is_refused(signature):
    assert stamped("1795000000", signature=signature) is False


def test_of_several_listed_signatures_one_is_enough():
    vector = VECTORS["stripe"]
    several = {"Stripe-Signature": vector["headers"]["Stripe-Signature"].replace(",v1=", ",v0=x,v1=00,v1=")}

    assert verified("stripe", headers=several) is True


def test_hubspot_signs_the_decoded_address():
    import hmac

    body, stamp = b"[]", "1795000000000"
    made = hmac.digest(b"s", f"POSThttps://a.test/w?to=a@b:c%20d[]{stamp}".encode(), "sha256")
    said = {"timestamp": stamp, "signature": base64.b64encode(made).decode(), "body": body, "now": NOW}

    assert signatures.is_hubspots("s", method="POST", url="https://a.test/w?to=a%40b%3ac%20d", **said) is True


PEM = "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n"


def test_a_key_may_be_given_in_pem():
    assert verified("sendgrid", secret=PEM.format(VECTORS["sendgrid"]["secret"])) is True


@pytest.mark.parametrize(
    "text", ["", "nonsense!", "é", "AAAA", PEM.format("AAAA"), base64.b64encode(b"x" * 90).decode()]
)
def test_a_key_that_is_none_verifies_nothing(text):
    assert signatures.sendgrid_key(text) is None
    assert verified("sendgrid", secret=text) is False


def test_the_secret_in_an_address_is_compared_whole():
    assert [signatures.is_secret("abc", given) for given in ("abc", "ab", "abcd", "", "é")] == [True] + [False] * 4


@given(header=st.text(), stamp=st.text(), body=st.binary())
def test_no_header_at_all_makes_a_verifier_raise(header, stamp, body):
    said = {"timestamp": stamp, "signature": header, "body": body, "now": NOW}

    assert not signatures.is_stamped(SECRET, **said)
    assert not signatures.is_sendgrids(VECTORS["sendgrid"]["secret"], **said)
    assert not signatures.is_hubspots(SECRET, method="POST", url=header, **said)
    assert not signatures.is_listed(SECRET, header, body, NOW)
    assert not signatures.is_signed_body(SECRET, header, body)
