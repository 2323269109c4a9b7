import re

import pytest
import requests

from tests.providers.sandbox_box import PERSON, SENDER
from tests.sandbox_process import ACCOUNT

QUICK_REPLY = {
    "body": "Hi {{1}} <b>, *now*",
    "actions": [{"type": "QUICK_REPLY", "title": "Yes & no", "id": "yes"}, {"title": "No"}],
}
CARD = {
    "title": "Sale",
    "media": ["https://example.com/{{1}}.png"],
    "actions": [
        {"type": "URL", "title": "Order", "url": "https://example.com/{{1}}"},
        {"type": "URL", "title": "Bad", "url": "javascript:alert(1)"},
        {"type": "PHONE_NUMBER", "title": "Call", "phone": "+1"},
    ],
}


def page(box, path="/phone"):
    answer = requests.get(f"{box.url}{path}", timeout=10)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    return answer.text


def answered(box, origin=None, **form):
    headers = {"Origin": origin} if origin else None
    return requests.post(f"{box.url}/phone/reply", data=form, headers=headers, timeout=10, allow_redirects=False)


def test_an_empty_phone_says_what_to_do(box):
    assert "Nothing here yet" in page(box, "/")
    assert "Nothing here yet" in page(box, "/phone?with=%2B1%3Cb%3E&q=%3Cb%3E")


def test_a_message_is_shown_as_the_person_reads_it(box):
    sid = box.template({"twilio/quick-reply": QUICK_REPLY})
    box.send({"Body": None, "ContentSid": sid, "ContentVariables": '{"1": "<i>Ann"}'})
    text = page(box)

    assert "<p>Hi &lt;i&gt;Ann &lt;b&gt;, <b>now</b></p>" in text
    assert "<button class=button>Yes &amp; no</button>" in text
    assert 'name=payload value="yes"' in text
    assert re.search(r"✓✓ (delivered|read)", text)
    assert "seen on the phone of +12025550143" in text


def test_a_card_shows_its_picture_and_its_buttons(box):
    sid = box.template({"twilio/card": CARD})
    box.send({"Body": None, "ContentSid": sid, "ContentVariables": '{"1": "42"}'})
    text = page(box)

    assert "<p class=media>https://example.com/42.png</p>" in text
    assert '<a class=button href="https://example.com/42" rel=noreferrer>Order</a>' in text
    assert "<span class=button>Bad</span>" in text
    assert "<span class=button>Call</span>" in text


@pytest.mark.parametrize(
    "form, settings, shown",
    [
        ({}, {}, "A message was failed with error 63016"),
        (
            {"From": "+14155238886", "To": "+12025550143", "MediaUrl": "https://example.com/x"},
            {},
            "https://example.com/x",
        ),
        ({}, {"callback_delay_ms": 60_000}, "… queued"),
    ],
)
def test_where_a_message_stands_is_shown(box, form, settings, shown):
    box.settings(**settings)
    box.send(form)

    assert shown in page(box)


def test_a_cancelled_or_scheduled_message_never_arrives(box):
    service = {"From": None, "MessagingServiceSid": f"MG{'0a':0<32}", "ScheduleType": "fixed", "Body": "Later"}
    later = box.send(service | {"SendAt": "2099-01-01T00:00:00+00:00"}).json()["sid"]
    assert "<p>Later</p>" not in page(box)

    box.messages("POST", f"/{later}", data={"Status": "canceled"})
    assert "A message was canceled." in page(box)


def test_the_latest_conversation_comes_first_and_numbers_are_searched(box):
    for last in (1, 2, 3):
        box.send({"To": f"whatsapp:+1202555010{last}", "Body": ""} | {"MediaUrl": "https://example.com/x"})
    numbers = re.compile(r"<b>\+1202555010(\d)</b>")

    assert numbers.findall(page(box)) == ["3", "2", "1"]
    assert numbers.findall(page(box, "/phone?q=0102")) == ["2"]
    assert 'Conversations <span data-live="count">3</span>' in page(box)
    assert "phone of +12025550101" in page(box, "/phone?with=%2B12025550101")


def test_only_the_latest_bubbles_of_a_long_conversation_are_shown(box):
    for number in range(103):
        box.send({"From": "+14155238886", "To": "+12025550143", "Body": f"Number {number}"})

    assert "3 earlier messages" in page(box)
    assert "Number 2<" not in page(box)


def test_an_answer_is_an_inbound_message(box, receiver):
    box.settings(inbound_url=f"{receiver.url}/inbound")
    box.send()
    form = {"from": "+12025550143", "to": SENDER, "account": ACCOUNT}
    said = answered(box, origin=box.url, body="STOP", **form)
    answered(box, body="Yes", payload="yes", **form)

    assert (said.status_code, said.headers["Location"]) == (303, "/phone?with=%2B12025550143")
    assert [(form["From"], form["Body"]) for form in receiver.forms] == [(PERSON, "STOP"), (PERSON, "Yes")]
    assert (receiver.forms[1]["ButtonText"], receiver.forms[1]["ButtonPayload"]) == ("Yes", "yes")
    assert "<li class=mine>" in page(box)
    assert "on the phone of +12025550143" in page(box)


def test_an_answer_needs_words_and_our_own_page(box):
    assert answered(box, body=" ").status_code == 400
    assert answered(box, origin="https://example.com", body="STOP").status_code == 403


@pytest.mark.parametrize("name, kind", [("phone.css", "text/css"), ("phone.js", "text/javascript")])
def test_the_page_brings_all_it_needs(box, name, kind):
    answer = requests.get(f"{box.url}/phone/{name}", timeout=10)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
    assert not re.search(r"(src|href)=.https?:", page(box))
    assert requests.get(f"{box.url}/phone/phone.py", timeout=10).status_code == 404
