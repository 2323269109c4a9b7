import json
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from providers.twilio import (
    OPT_IN_WORDS,
    OPT_OUT_WORDS,
    OUR_STATUS,
    RANK,
    Form,
    Inbound,
    Malformed,
    StatusUpdate,
    opt_word,
    parse_inbound,
    parse_status,
    read_form,
    verify_signature,
)

SID = f"MM{'0' * 32}"
ACCOUNT = f"AC{'1' * 32}"
VECTORS = json.loads((Path(__file__).parents[1] / "data" / "twilio" / "signature_vectors.json").read_text())
VECTOR = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["provider"])


def verified(vector, **changed):
    vector = vector | changed
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    body = vector["body"].encode()
    return verify_signature(
        vector["url"],
        read_form(body) if "form" in headers.get("content-type", "form") else body,
        changed.get("signature", headers["x-twilio-signature"]),
        vector["secret"],
        settings_header=headers.get("x-twilio-webhooks-signature-settings"),
    )


@VECTOR
def test_a_signed_request_is_twilios(vector):
    assert verified(vector) is True


@VECTOR
def test_a_request_with_anything_changed_is_not(vector):
    url, body, secret = vector["url"], vector["body"], vector["secret"]
    signature = vector["headers"]["X-Twilio-Signature"]
    changes = [
        {"url": url.replace("https", "http")},
        {"url": url.replace("app", "apq")},
        {"url": url[:-1] + "8"},
        {"url": url + "&more=1"},
        {"body": body[:5] + "y" + body[6:]},
        {"body": body + "&More=1"},
        {"secret": secret[:-1] + "3"},
        {"secret": ""},
        {"signature": signature.swapcase()},
        {"signature": signature[:-4] + "AAA="},
        {"signature": signature[:-1]},
        {"signature": signature + "="},
        {"signature": "é" + signature[1:]},
        {"signature": "\ud800"},
        {"signature": ""},
        {"signature": None},
    ]

    assert [change for change in changes if verified(vector, **change)] == []


@pytest.mark.parametrize("settings_header", ["algorithm=HMAC_SHA256", "algorithm=HMAC_MD5", "algorithm=é,,=", "key=x"])
def test_another_algorithm_is_another_signature(settings_header):
    form = read_form(VECTORS[0]["body"].encode())
    signature, secret = VECTORS[0]["headers"]["X-Twilio-Signature"], VECTORS[0]["secret"]

    said = verify_signature(VECTORS[0]["url"], form, signature, secret, settings_header=settings_header)

    # Without a named algorithm it is the old one.
    assert said == (settings_header == "key=x")


@pytest.mark.parametrize(
    "signed, called",
    [
        ("https://ours.test/a?b=1", "https://ours.test:443/a?b=1"),
        ("https://ours.test:443/a?b=1", "https://ours.test/a?b=1"),
        ("http://127.0.0.1:8000/a", "http://127.0.0.1:8000/a"),
        ("http://[::1]:8000/a", "http://[::1]:8000/a"),
    ],
)
def test_the_port_may_be_signed_or_not(signed, called):
    params = {"MessageSid": SID}

    assert verify_signature(called, params, RequestValidator("s").compute_signature(signed, params), "s")


def test_a_repeated_field_is_signed_with_all_its_values():
    form = read_form(b"MediaUrl=b&MediaUrl=a&Body=")
    signature = RequestValidator("s").compute_signature("https://ours.test/", form)

    assert verify_signature("https://ours.test/", form, signature, "s")
    assert not verify_signature("https://ours.test/", read_form(b"MediaUrl=a&Body="), signature, "s")


def test_a_body_that_is_no_form_must_be_named_by_the_url():
    signature = RequestValidator("s").compute_signature("https://ours.test/", {})

    assert not verify_signature("https://ours.test/", b"{}", signature, "s")


TEXT = st.text(max_size=30) | st.sampled_from(["https://[", "http://a:99999999/", "https://a:b/", "//", "\x00"])


@bounded(max_examples=300, deadline=None, derandomize=True)
@given(TEXT, st.dictionaries(TEXT, TEXT, max_size=3) | st.binary(max_size=20), TEXT, TEXT, st.none() | TEXT)
def test_nothing_makes_the_verifier_raise_or_accept(url, params, header, token, settings_header):
    assert verify_signature(url, params, header, token, settings_header=settings_header) is False


def status_form(**changed):
    told = {
        "SmsSid": SID, "SmsStatus": "delivered", "MessageSid": SID, "MessageStatus": "delivered",
        "ChannelPrefix": "whatsapp", "ChannelToAddress": "+1555XXXX", "To": "whatsapp:+15551234567",
        "From": "whatsapp:+14155238886", "AccountSid": ACCOUNT, "ApiVersion": "2010-04-01", "EventType": "DELIVERED",
    }  # fmt: skip
    return {name: value for name, value in (told | changed).items() if value is not None}


@pytest.mark.parametrize(
    "changed, status, code, ours",
    [
        ({}, "delivered", "", "delivered"),
        ({"MessageStatus": None}, "delivered", "", "delivered"),
        ({"MessageStatus": "undelivered", "ErrorCode": "63016"}, "undelivered", "63016", "undelivered"),
        ({"MessageStatus": "failed", "ErrorCode": ""}, "failed", "", "failed"),
        ({"MessageStatus": "failed", "ErrorCode": "'; drop"}, "failed", "", "failed"),
        ({"MessageStatus": "READ"}, "read", "", "read"),
        ({"MessageStatus": "partially_delivered"}, "partially_delivered", "", "delivered"),
        ({"MessageStatus": "canceled"}, "canceled", "", "failed"),
        ({"MessageStatus": "sending"}, "sending", "", None),
        ({"MessageStatus": "invented_later"}, "invented_later", "", None),
    ],
)
def test_a_status_callback_says_how_a_message_fares(changed, status, code, ours):
    update = parse_status(read_form(urlencode(status_form(**changed)).encode()))

    assert update == StatusUpdate(SID, status, code, ACCOUNT, "+15551234567")
    assert update.ours == ours


def test_every_status_of_ours_has_a_rank_and_twilios_words_are_all_known():
    specification = json.loads((Path(__file__).parents[1] / "data/twilio/twilio_messages_only.json").read_text())
    words = set(specification["components"]["schemas"]["message_enum_status"]["enum"])

    assert set(OUR_STATUS.values()) <= set(RANK)
    assert words - set(OUR_STATUS) == {"queued", "sending", "receiving", "received", "accepted", "scheduled"}
    assert sorted(RANK, key=RANK.get)[-2:] == ["delivered", "read"]


INBOUND = {
    "MessageSid": SID, "AccountSid": ACCOUNT, "From": "whatsapp:+15551234567", "To": "whatsapp:+14155238886",
    "Body": "Stop\x00 ", "ProfileName": "Ann", "ButtonPayload": "yes", "OptOutType": "stop", "NumMedia": "0",
}  # fmt: skip


def test_an_inbound_message_is_read():
    said = parse_inbound(read_form(urlencode(INBOUND).encode()))

    assert said == Inbound(SID, ACCOUNT, "+15551234567", "+14155238886", "Stop ", "Ann", "yes", "STOP")


@pytest.mark.parametrize(
    "parse, form",
    [
        (parse_status, {}),
        (parse_status, status_form(MessageStatus="", SmsStatus="")),
        (parse_status, status_form(MessageStatus="a b")),
        (parse_status, status_form(MessageSid="MM1", SmsSid="MM1")),
        (parse_status, status_form(MessageSid=SID + "\n")),
        (parse_inbound, INBOUND | {"MessageSid": ""}),
        (parse_inbound, INBOUND | {"From": ""}),
        (parse_inbound, INBOUND | {"To": "whatsapp:"}),
        (read_form, b"\xff=1"),
        (read_form, b"a=%ff"),
        (read_form, b"a=1&" * 501),
    ],
)
def test_a_form_without_what_it_must_have_is_malformed(parse, form):
    with pytest.raises(Malformed):
        parse(form)


def test_of_a_repeated_field_the_last_value_counts_and_all_are_kept():
    form = Form([("a", "1"), ("b", ""), ("a", "2")])

    assert (form, form.getlist("a"), form.getlist("c")) == ({"a": "2", "b": ""}, ["1", "2"], [])


@bounded(max_examples=300, deadline=None, derandomize=True)
@given(
    st.binary(max_size=60)
    | st.dictionaries(st.sampled_from([*INBOUND, *status_form()]), TEXT).map(lambda form: urlencode(form).encode())
)
def test_any_body_is_read_or_malformed(body):
    for parse in (parse_status, parse_inbound):
        try:
            assert parse(read_form(body)).message_sid
        except Malformed:
            continue


@pytest.mark.parametrize(
    "body, word",
    [
        *((word, "stop") for word in sorted(OPT_OUT_WORDS)),
        *((word.upper(), "start") for word in sorted(OPT_IN_WORDS)),
        (" Stop ", "stop"), ("STOP!", "stop"), ("stop .", "stop"), ("Help", "help"), ("info?", "help"),
        ("please stop", None), ("stop it", None), ("st op", None), ("", None), ("!", None),
        ("ok", None), ("ſtop", "stop"),
    ],
)  # fmt: skip
def test_a_single_word_opts_out_or_in(body, word):
    assert opt_word(body) == word
