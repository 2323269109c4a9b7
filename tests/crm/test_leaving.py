"""The way out of messages: by one click of a mail program, by the page's button, and by choice."""

import pytest
from django.test import Client

from crm.customers import consent
from crm.marketing import links
from crm.models import ConsentEntry, Delivery, Event, Suppression
from tests.factories import CustomerFactory, DeliveryFactory, MarketingCampaignFactory

pytestmark = pytest.mark.django_db
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
CHANNELS = ("email", "sms", "push", "whatsapp")


@pytest.fixture
def row():
    """An e-mail to somebody who agreed to everything."""
    anna = CustomerFactory(email="anna@example.test", first_name="<b>Anna")
    for channel in CHANNELS:
        address = consent.address_of(anna, channel)
        consent.grant(anna.account, channel=channel, address=address, source="till", customer=anna)
    campaign = MarketingCampaignFactory(account=anna.account, name="<i>News")
    return DeliveryFactory(campaign=campaign, customer=anna, status="sent")


def path(row):
    return links.out_url(row.pk).removeprefix("http://127.0.0.1:8000")


def opt_ins(row):
    row.customer.refresh_from_db()
    return {channel for channel in CHANNELS if getattr(row.customer, f"{channel}_opt_in")}


def strict():
    return Client(enforce_csrf_checks=True)


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_changes_nothing(row, method):
    answer = getattr(strict(), method)(path(row))

    assert (answer.status_code, opt_ins(row)) == (200, set(CHANNELS))
    assert answer["Cache-Control"] == "no-store"
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["X-Robots-Tag"].startswith("noindex")
    assert not answer.cookies


@pytest.mark.parametrize(("form", "how"), [(ONE_CLICK, "one-click"), ({"act": "stop"}, "button"), ({}, "button")])
def test_one_press_stops_marketing_on_every_channel_once_with_its_proof(row, form, how):
    answers = [strict().post(path(row), form) for _ in range(2)]

    row.refresh_from_db()
    assert [answer.status_code for answer in answers] == [200, 200]
    assert "You are unsubscribed" in answers[0].content.decode()
    assert opt_ins(row) == set()
    said = ConsentEntry.objects.filter(act="withdrawn")
    assert sorted(said.values_list("channel", flat=True)) == sorted([*CHANNELS, "mail"])
    assert {entry.source for entry in said} == {"unsubscribe link"}
    assert said[0].proof == {"campaign_id": row.campaign.public_id, "delivery_id": row.pk, "how": how}
    assert row.unsubscribed_at
    assert Event.objects.get(type="email.unsubscribed").customer_id == row.customer_id


def test_the_page_lists_what_there_is_and_keeps_what_is_chosen(row):
    consent.grant(row.account, channel="email", address=row.address, source="till", purpose="receipts")
    shown = strict().get(path(row)).content.decode()

    answer = strict().post(path(row), {"act": "choose", "allow": ["sms:marketing", "email:receipts", "x:y", "sms"]})

    assert "E-mail: receipts" in shown
    assert shown.count(" checked") == 5
    assert "Saved" in answer.content.decode()
    assert answer.content.decode().count(" checked") == 2
    assert opt_ins(row) == {"sms"}
    strict().post(path(row), {"act": "choose", "allow": ["email:marketing"]})
    assert opt_ins(row) == {"email"}
    assert ConsentEntry.objects.filter(purpose="receipts").latest("pk").act == "withdrawn"


def test_somebody_who_has_another_address_by_now_gets_nothing_at_either(row):
    old = row.address
    row.customer.email = "new@example.test"
    row.customer.save()

    strict().post(path(row), ONE_CLICK)

    assert consent.is_suppressed(row.account, channel="email", address=old)
    assert consent.is_suppressed(row.account, channel="email", address="new@example.test")


def test_what_is_not_marketing_stays_as_it_was(row):
    consent.grant(row.account, channel="email", address=row.address, source="till", purpose="receipts")

    strict().post(path(row), ONE_CLICK)

    assert ConsentEntry.objects.filter(purpose="receipts").count() == 1


def test_a_bad_token_is_one_answer_whatever_is_asked(row):
    gone = DeliveryFactory(status="sent")
    gone_path = path(gone)
    Delivery.objects.filter(pk=gone.pk).update(address="")
    other = links.pixel_url(row.pk).rpartition("/")[2].removesuffix(".gif")
    bad = [gone_path, "/u/x", f"/u/{other}", f"{path(row)}x", path(row)[:-1], "/u/u_1.x"]

    answers = [getattr(strict(), method)(each) for each in bad for method in ("get", "post")]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert (Suppression.objects.count(), opt_ins(row)) == (0, set(CHANNELS))


def test_nothing_a_merchant_wrote_runs_on_the_page(row):
    row.account.name = "<script>alert(1)</script>"
    row.account.save()

    html = strict().get(path(row)).content.decode()

    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html
