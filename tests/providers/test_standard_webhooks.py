import base64
import datetime as dt
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from providers.standard_webhooks import SECRET_BYTES, headers, new_secret, signature, verify

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "webhooks" / "signature_vectors.json").read_text())
VECTOR = next(each for each in VECTORS if each["provider"].startswith("standard-webhooks"))
BODY, SECRET, AT = VECTOR["body"].encode(), VECTOR["secret"], int(VECTOR["headers"]["svix-timestamp"])
OTHER = "whsec_" + base64.b64encode(b"x" * SECRET_BYTES).decode()


def verified(body=BODY, live=(SECRET,), now=AT, **changed):
    return verify(
        live, VECTOR["headers"] | {name.replace("_", "-"): value for name, value in changed.items()}, body, now=now
    )


def test_the_published_vector_verifies_and_is_what_we_sign():
    assert verified()
    assert signature(SECRET, "msg_1", AT, BODY) == VECTOR["headers"]["svix-signature"]


@pytest.mark.parametrize("body", [BODY[:n] + bytes([BODY[n] ^ 1]) + BODY[n + 1 :] for n in (0, 20, len(BODY) - 1)])
def test_one_changed_byte_is_refused(body):
    assert not verified(body)


@pytest.mark.parametrize("late, fits", [(-301, False), (-300, True), (300, True), (301, False)])
def test_a_message_is_good_for_five_minutes(late, fits):
    assert verified(now=AT + late) is fits


@pytest.mark.parametrize("live, fits", [((OTHER,), False), ((OTHER, SECRET), True), ((), False)])
def test_any_live_secret_fits_and_no_other(live, fits):
    assert verified(live=live) is fits


@pytest.mark.parametrize("name", ["svix_id", "svix_timestamp", "svix_signature"])
@pytest.mark.parametrize(
    "value", ["", "v1", "v1,", "v1,ä", "v1,=", "v2,4QYg", "1e9", "-1", "\u0661", "9" * 400, "\ud800"]
)
def test_malformed_headers_are_refused_and_nothing_else(name, value):
    assert not verified(**{name: value})


@given(st.dictionaries(st.sampled_from([f"webhook-{part}" for part in ("id", "timestamp", "signature")]), st.text()))
def test_no_header_breaks_it(given):
    assert not verify([SECRET], given, BODY, now=AT)


def test_another_version_beside_ours_does_not_hurt():
    ours = VECTOR["headers"]["svix-signature"]

    assert verified(svix_signature=f"v1a,AAAA {ours}")
    assert not verified(svix_signature=" ".join(["v1,AAAA"] * 10 + [ours]))


def test_the_official_library_accepts_what_we_sign_with_either_secret_of_a_rotation():
    now = int(dt.datetime.now(dt.UTC).timestamp())
    live = (new_secret(), new_secret())

    sent = headers(live, "msg_2", now, BODY)

    assert [Webhook(secret).verify(BODY, sent) for secret in live] == [json.loads(BODY)] * 2


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_###", "whsec_YQ"])
def test_what_is_no_secret_signs_nothing(secret):
    with pytest.raises(ValueError, match="whsec_"):
        signature(secret, "msg_1", AT, BODY)
