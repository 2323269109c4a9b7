"""What a campaign says on each channel."""

import pytest

from campaigns_project.refusals import Invalid
from crm.marketing import wording

FLASH = {
    "subject": "Flash Sale",
    "body": "Dear {{first_name|friend}},\n\nuse {{promo_code}} <today>.",
    "cta_text": "Shop Now",
    "cta_url": "https://order.example.com?promo=FLASH25",
    "channels": {"sms": {"body": "Sale, {{first_name}}!", "cta_text": ""}},
}
VALUES = {"first_name": "", "promo_code": "FLASH25", "merchant_name": "Harbor & Co"}


def test_an_email_has_text_and_html_with_the_same_words():
    said = wording.written(FLASH, "email", VALUES, unsubscribe="https://example.com/u/1")

    assert said.subject == "Flash Sale"
    assert said.text == (
        "Dear friend,\n\nuse FLASH25 <today>.\n\nShop Now: https://order.example.com?promo=FLASH25\n\n"
        "Unsubscribe: https://example.com/u/1"
    )
    for piece in ("use FLASH25 &lt;today&gt;.", "Shop Now</a>", "Harbor &amp; Co", "https://example.com/u/1"):
        assert piece in said.html


def test_an_sms_says_its_own_words_and_how_to_stop():
    said = wording.written(FLASH, "sms", VALUES | {"first_name": "Ann"})
    plain = wording.written(FLASH, "sms", VALUES, opt_out=False)

    assert said.text == "Sale, Ann!\nhttps://order.example.com?promo=FLASH25\nReply STOP to opt out."
    assert plain.text == "Sale, !\nhttps://order.example.com?promo=FLASH25"


def test_a_push_is_a_title_a_text_and_an_address():
    said = wording.written(FLASH, "push", VALUES)

    assert (said.subject, said.url, said.html) == ("Flash Sale", FLASH["cta_url"], "")


@pytest.mark.parametrize(
    ("changed", "channel", "path"),
    [
        ({"subject": " "}, "email", "content.subject"),
        ({"subject": ""}, "push", "content.subject"),
        ({"body": ""}, "email", "content.body"),
        ({"body": "{{password}}"}, "email", "content.body"),
        ({"cta_url": ""}, "email", "content.cta_url"),
        ({"channels": {"sms": {"body": "x" * 1500}}}, "sms", "content.channels.sms.body"),
        ({"channels": {"sms": {"body": ""}}}, "sms", "content.body"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_path(changed, channel, path):
    wording.check(FLASH, ["email", "sms", "push"])

    with pytest.raises(Invalid) as refusal:
        wording.check(FLASH | changed, [channel])

    assert list(refusal.value.details) == [path]
