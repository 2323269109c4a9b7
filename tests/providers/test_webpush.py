import asyncio
from dataclasses import replace

import pytest
import requests

from campaigns_project.refusals import Invalid
from providers.base import Accepted, Push, Refused, Subscription, Unknown
from providers.webpush import LARGEST, MOST_ORIGINS, WebPush, check_subscription, public_key
from tests.canned import Canned, http
from tests.providers.sandbox_box import Box
from tests.sandbox_process import free_port

KEY = "6f6b2a34-95a4-4be2-9a4e-1f0d6c0f7a11"
PRIVATE = "ZmFrZSBwcml2YXRlIGtleSBvZiB0aGUgdGVzdHMuLi4"
P256DH = "BNNL5ZaTfK81qhXOx23-wewhigUeFb632jN6LvRWCFH1ubQr77FE_9qV1FuojuRmHP42zmf34rXgW80OvUVDgTk"
AUTH = "zqbxT6JKstKSY9JKibZLSQ"


def subscription(endpoint="https://push.example.com/s/1", p256dh=P256DH, auth=AUTH):
    return Subscription(endpoint, p256dh, auth)


def push(to=None, **changed):
    said = {"title": "Fresh ☕", "body": "Until six.", "url": "https://ours.test/l/t", "key": KEY, "ttl": 60}
    return Push(subscription=to or subscription(), **(said | changed))


def browser(box):
    """A browser that subscribed, and its id."""
    said = requests.post(f"{box.url}/_sandbox/browsers", timeout=5).json()
    return Subscription(said["endpoint"], **said["keys"]), said["endpoint"].rpartition("/")[2]


def sent(*pushes, timeout=2.0, **more):
    async def send():
        pusher = WebPush(key=PRIVATE, contact="mailto:a@example.com", timeout=timeout, connections=2, **more)
        try:
            return [await pusher.send(each) for each in pushes]
        finally:
            await pusher.close()

    return asyncio.run(send())


def answered(answer, **more):
    with Canned(answer).open() as canned:
        to = subscription(f"{canned.url}/s/1")
        return sent(push(to), trusted=[canned.url], **more)[0], canned.asked


def test_a_push_arrives_encrypted_and_signed_and_the_browser_can_read_it(box):
    to, known = browser(box)
    said = sent(push(to), push(to, key="k2"), trusted=[box.url])
    first, _ = box.log("push")

    assert [type(each) for each in said] == [Accepted, Accepted]
    assert said[0].provider_id == f"/m/{first['id']}"
    assert first["said"] == {"title": "Fresh ☕", "body": "Until six.", "url": "https://ours.test/l/t", "key": KEY}
    assert (first["to"], first["key"], first["ttl"]) == (known, KEY, 60)
    assert first["signed_by"] == public_key(PRIVATE)
    assert (box.summary("push")["accepted"], box.summary("push")["doubled"]) == (2, 1)
    assert box.log("push", key="k3") == []


def test_a_subscription_that_is_gone_is_to_be_forgotten(box):
    to, known = browser(box)
    requests.delete(f"{box.url}/_sandbox/browsers/{known}", timeout=5)
    unknown = replace(to, endpoint=f"{box.url}/push/unknown")

    gone, missing = sent(push(to), push(unknown), trusted=[box.url])

    assert [(each.code, each.retry, each.effect) for each in (gone, missing)] == [
        ("410", False, "suppress"),
        ("404", False, "suppress"),
    ]
    assert requests.delete(f"{box.url}/_sandbox/browsers/x", timeout=5).status_code == 400


@pytest.mark.parametrize(
    "fault, expected, kept",
    [
        ("status_429", Refused, 0),
        ("status_500", Unknown, 0),
        ("status_500_accepted", Unknown, 1),
        ("lose_response", Unknown, 1),
        ("garbage", Unknown, 1),
    ],
)
def test_what_went_wrong_is_told_as_what_is_known_and_never_asked_again(box, fault, expected, kept):
    box.settings("push", **{fault: 1.0}, retry_after_s=9)
    (said,) = sent(push(browser(box)[0]), trusted=[box.url])

    assert (type(said), len(box.log("push")), box.summary("push")["calls"]) == (expected, kept, 1)
    assert getattr(said, "retry_after", 9.0) == 9.0


@pytest.mark.parametrize(
    "answer, expected",
    [
        (http(202), Accepted(KEY, "queued")),
        (http(400, b"no"), Refused("400", "no")),
        (http(403, b"no"), Refused("403", "no")),
        (http(413, b"no"), Refused("413", "no")),
        (http(429, b"", Retry_After="3"), Refused("429", "", retry=True, retry_after=3.0)),
    ],
)
def test_an_answer_means_what_rfc_8030_says(answer, expected):
    assert answered(answer)[0] == expected


@pytest.mark.parametrize("answer", [http(200), http(302, b"", Location="/"), http(408), http(503), None])
def test_an_answer_that_proves_nothing_leaves_it_unknown_and_is_asked_once(answer):
    said, asked = answered(answer)

    assert (isinstance(said, Unknown), len(asked)) == (True, 1)


def test_a_call_that_never_left_may_be_repeated():
    origin = f"http://127.0.0.1:{free_port()}"

    (said,) = sent(push(subscription(f"{origin}/s/1")), trusted=[origin])

    assert (said.code, said.retry) == ("connect", True)


def test_a_push_that_no_service_takes_is_not_sent():
    fits = LARGEST - len('{"title": "", "body": "", "url": "", "key": ""}')
    with Canned(http(201)).open() as canned:
        small, large = (
            push(subscription(f"{canned.url}/s"), title="", body="x" * size, url="", key="")
            for size in (fits, fits + 1)
        )
        said = sent(small, large, trusted=[canned.url])

    assert ([type(each) for each in said], said[1].code) == ([Accepted, Refused], "too_large")
    assert [len(asked.body) for asked in canned.asked] == [4096]


BAD = [
    {"endpoint": "http://push.example.com/s"},
    {"endpoint": "https://127.0.0.1/s"},
    {"endpoint": "https://10.0.0.1/s"},
    {"endpoint": "https://[::1]/s"},
    {"endpoint": "https://localhost/s"},
    {"endpoint": "https://metadata.google.internal/s"},
    {"endpoint": "https://push.example.com:8100/s"},
    {"endpoint": "https://a:b@push.example.com/s"},
    {"endpoint": "https://push.example.com/s\r\nX: y"},
    {"endpoint": "https://[x/s"},
    {"endpoint": ""},
    {"p256dh": ""},
    {"p256dh": P256DH[:-1]},
    {"p256dh": "ü"},
    {"p256dh": "A" * 87},
    {"auth": ""},
    {"auth": AUTH + "AAAA"},
]


@pytest.mark.parametrize("changed", BAD, ids=str)
def test_what_is_no_browsers_subscription_is_refused_and_never_called(changed):
    with pytest.raises(Invalid):
        check_subscription(subscription(**changed))
    (said,) = sent(push(subscription(**changed)), resolver=None)

    assert (said.code, said.retry, said.effect) == ("endpoint", False, "suppress")


def test_an_address_that_cannot_be_signed_for_is_refused():
    (said,) = sent(push(subscription("https://[2606:4700::1111]/s")), resolver=None)

    assert (said.code, said.effect) == ("endpoint", "suppress")


@pytest.mark.parametrize("found", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], []])
def test_a_name_that_leads_into_our_own_network_is_not_followed(found):
    (said,) = sent(push(), resolver=lambda _host, _port: found)

    assert (said.code, said.retry, "not a public one" in said.message) == ("connect", True, True)


def test_a_public_host_is_called_at_the_address_that_was_checked():
    asked = []

    def resolver(host, port):
        asked.append((host, port))
        return ["93.184.216.34"]

    (said,) = sent(push(), resolver=resolver, timeout=0.2)

    assert (said.code, asked) == ("connect", [("push.example.com", 443)])


def test_the_number_of_services_is_bounded():
    trusted = [f"http://127.0.0.1:{port}" for port in range(1, MOST_ORIGINS + 3)]

    said = sent(*[push(subscription(f"{origin}/s")) for origin in trusted], trusted=trusted)

    assert {each.code for each in said} == {"connect"}


def test_the_house_has_one_key_of_its_own(settings):
    settings.VAPID_PRIVATE_KEY, settings.PUSH_TIMEOUT_SECONDS = PRIVATE, 7
    pusher = WebPush.from_settings()

    assert (pusher.name, pusher.timeout) == ("push", 7)
    check_subscription(subscription(p256dh=public_key(PRIVATE)))


SIGNED = {"TTL": "60", "Content-Encoding": "aes128gcm"}


@pytest.mark.parametrize(
    "headers, body, status",
    [
        ({"TTL": ""}, b"", 400),
        ({"Content-Encoding": "aesgcm"}, b"", 400),
        ({"Authorization": "Bearer x"}, b"", 401),
        ({"Authorization": f"vapid t=a.b.c, k={P256DH}"}, b"", 403),
        ({"Authorization": "vapid t=a.b.c, k=AAAA"}, b"", 403),
        ({}, b"x" * 4097, 413),
    ],
)
def test_the_sandbox_refuses_what_a_push_service_refuses(box, headers, body, status):
    to, _ = browser(box)

    assert requests.post(to.endpoint, data=body, headers=SIGNED | headers, timeout=5).status_code == status


def test_what_a_browser_cannot_read_is_refused(box):
    to, _ = browser(box)
    other, _ = browser(box)

    (said,) = sent(push(replace(to, p256dh=other.p256dh)), trusted=[box.url])

    assert (said.code, box.log("push")) == ("400", [])


def test_browsers_and_what_they_got_survive_a_restart(tmp_path):
    with Box(tmp_path).open() as box:
        to, known = browser(box)
        sent(push(to), trusted=[box.url])
        kept = box.log("push")
    with Box(tmp_path).open() as again:
        moved = replace(to, endpoint=f"{again.url}/push/{known}")
        assert (again.log("push"), again.summary("push")["calls"]) == (kept, 1)
        assert isinstance(sent(push(moved, key="k2"), trusted=[again.url])[0], Accepted)
        again.reset()
        assert sent(push(moved, key="k2"), trusted=[again.url])[0].code == "404"
