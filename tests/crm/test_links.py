"""Links of messages: where they lead, what they count, and what a machine's look is."""

import datetime as dt
import re
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from crm.marketing import calling, links
from crm.models import Delivery, Event
from dispatch.lane import Call
from tests.factories import DeliveryAttemptFactory, DeliveryFactory, MarketingCampaignFactory, PromoFactory

pytestmark = pytest.mark.django_db
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15"
CONTENT = {
    "subject": "News",
    "body": "See https://shop.example.com/menu, or http://old.example.com (https://shop.example.com/a?n={{first_name}}).",
    "cta_text": "Shop",
    "cta_url": "https://shop.example.com/cart?code={{promo_code}}",
}
AGO = dt.timedelta(minutes=5)


def sent(content=CONTENT, ago=AGO, **fields):
    """An e-mail that left `ago`."""
    campaign = MarketingCampaignFactory(content=content, **fields)
    row = DeliveryFactory(campaign=campaign, status="sent")
    DeliveryAttemptFactory(row=row, state="accepted")
    left(row, ago)
    return row


def left(row, ago):
    row.attempts.update(called_at=timezone.now() - ago)


def paths(row, channel="email"):
    """The paths of our links in the order of the content's."""
    tracked = links.tracker(row.pk, row.campaign.content, channel)
    return [tracked(url).removeprefix("http://127.0.0.1:8000") for url in links.urls_of(row.campaign.content, channel)]


def follow(path, method="get", agent=PHONE):
    return getattr(Client(), method)(path, headers={"user-agent": agent})


def clicks():
    return list(
        Event.objects.filter(type="email.clicked").order_by("pk").values_list("properties__url", "properties__bot")
    )


def test_each_https_address_leads_through_us_and_nothing_else_changes():
    row = sent()
    payload = {"delivery": row.pk, "values": {"first_name": "Anna"}, "to": row.address, "sender": "a@example.test"}
    call = Call(attempt_id=1, key=uuid4(), row_id=row.pk, payload=payload | {"sender_name": ""})

    email = calling.email_of(call, calling.words_of(row.campaign_id), counted=True)

    ours = re.findall(r"http://127\.0\.0\.1:8000/l/[\w.-]+[\w]", email.text)
    assert len(set(ours)) == 3
    assert "https://" not in email.text
    assert "(http://127" in email.text
    assert "http://old.example.com" in email.text
    assert [follow(path.removeprefix("http://127.0.0.1:8000"))["Location"] for path in ours] == [
        "https://shop.example.com/menu",
        f"https://shop.example.com/a?n={row.customer.first_name.replace(' ', '%20')}",
        "https://shop.example.com/cart?code=",
    ]
    out = links.out_url(row.pk)
    assert email.headers == {"List-Unsubscribe": f"<{out}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    assert out in email.text
    assert links.pixel_url(row.pk) in email.html
    assert links.pixel_url(row.pk) not in calling.email_of(call, calling.words_of(row.campaign_id)).html


def test_what_is_filled_in_cannot_lead_elsewhere():
    promo = PromoFactory(code="A-B")
    row = sent({**CONTENT, "cta_url": "https://shop{{first_name}}.example.com/"}, account=promo.account, promo=promo)
    row.customer.first_name = "evil.test/?"
    row.customer.save()

    assert follow(paths(row)[-1]).status_code == 404


def test_a_click_is_told_once_and_moves_the_delivery():
    row = sent()
    path = paths(row)[0]

    first, again = follow(path), follow(path)

    row.refresh_from_db()
    event = Event.objects.get(type="email.clicked")
    assert [answer.status_code for answer in (first, again)] == [302, 302]
    assert first["Cache-Control"] == "no-store"
    assert (row.status, row.clicked_at, event.customer_id) == ("read", event.occurred_at, row.customer_id)
    assert event.properties == {
        "campaign_id": row.campaign.public_id, "delivery_id": row.pk, "url": "https://shop.example.com/menu",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "agent", "ago"),
    [("head", PHONE, AGO), ("get", "", AGO), ("get", "Mozilla/5.0 (compatible; bingbot/2.0)", AGO),
     ("get", "Barracuda Sentinel", AGO), ("get", PHONE, dt.timedelta(seconds=1))],
)  # fmt: skip
def test_a_machines_look_is_told_as_such_and_counts_for_nothing_until_a_person_comes(method, agent, ago):
    row = sent(ago=ago)
    path = paths(row)[0]

    assert follow(path, method, agent).status_code == 302
    row.refresh_from_db()
    assert (row.clicked_at, clicks()) == (None, [("https://shop.example.com/menu", True)])
    left(row, AGO)
    follow(path)
    row.refresh_from_db()
    assert row.clicked_at
    assert clicks()[1] == ("https://shop.example.com/menu", None)


def test_who_follows_two_links_at_once_is_no_person():
    row = sent()

    for path in paths(row):
        follow(path)

    row.refresh_from_db()
    assert (row.clicked_at, row.opened_at) == (None, None)
    assert [bot for _, bot in clicks()] == [True, True, True]


def test_a_click_settles_a_call_of_which_nobody_knew():
    row = sent()
    row = DeliveryFactory(campaign=row.campaign, status="sending")
    attempt = DeliveryAttemptFactory(row=row)
    left(row, AGO)

    follow(paths(row)[0])

    attempt.refresh_from_db()
    row.refresh_from_db()
    assert (attempt.state, row.status) == ("accepted", "read")


def test_a_push_and_an_sms_lead_through_us_too():
    for channel in ("sms", "push"):
        row = sent(channels=[channel])

        assert follow(paths(row, channel)[0]).status_code == 302

        row.refresh_from_db()
        assert row.clicked_at
        assert Event.objects.get(type=f"{channel}.clicked").customer_id == row.customer_id


@pytest.mark.parametrize("agent", [PHONE, "SomeScanner/1.0"])
def test_the_pixel_says_that_a_message_was_opened(agent):
    row = sent()
    path = links.pixel_url(row.pk).removeprefix("http://127.0.0.1:8000")

    answers = [follow(path, agent=agent), follow(path, agent=agent), follow(path, "head")]

    row.refresh_from_db()
    assert [(answer.status_code, answer["Content-Type"]) for answer in answers] == [(200, "image/gif")] * 3
    assert answers[0].content.startswith(b"GIF89a")
    assert bool(row.opened_at) == (agent == PHONE)
    assert Event.objects.filter(type="email.opened").count() == 1


def spoilt(row):
    token = links.out_url(row.pk).rpartition("/")[2]
    link = paths(row)[0].rpartition("/")[2]
    yield from ("x", "..", link[:-1], f"{link}x", token, "l_1-0.x", link.replace("-0.", "-1."), "%00", "a" * 5000)


def test_a_bad_link_is_one_answer_and_writes_nothing():
    row = sent()
    gone = sent()
    path = paths(gone)[0]
    Delivery.objects.filter(pk=gone.pk).update(address="")

    answers = [follow(f"/l/{token}") for token in spoilt(row)] + [follow(path)]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert follow("/o/x.gif").status_code == 200
    assert Event.objects.filter(type__in=["email.clicked", "email.opened"]).count() == 0
    assert follow(paths(row)[0], "post").status_code == 405


def test_a_link_that_the_content_does_not_have_is_none():
    row = sent()
    path = paths(row)[2]
    row.campaign.content = {"subject": "News", "body": "Nothing"}
    row.campaign.save()

    assert follow(path).status_code == 404
