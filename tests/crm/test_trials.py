"""Test messages: to the merchant's own people, marked, once, counted nowhere, and never to who opted out."""

import pytest
from django.test import Client

from accounts.models import Connection
from accounts.roles import Role
from crm.customers import consent, erasing, feedback
from crm.customers.feedback import Feedback
from crm.marketing import metrics, trials, trying
from crm.models import Event, Suppression, Trial
from providers.base import Unknown
from tests.crm.marketing_world import connected, draft
from tests.crm.sending import Sent
from tests.dispatch.conftest import send_until
from tests.factories import CustomerFactory, PushSubscriptionFactory, TrialFactory, in_state
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+15550000077"


def refusal(answer):
    return answer.status_code, answer.json()["code"]


def address(campaign):
    return f"/api/v1/marketing/campaigns/{campaign.public_id}/test"


@pytest.fixture
def ready(api):
    """A campaign by every channel of an account that may send; its asker is called Dana Sample."""
    api.user.name = "Dana Miller"
    api.user.save()
    return draft(connected(api.account), channels=["email", "sms", "push"])


def settled():
    return not Trial.objects.filter(status__in=["waiting", "calling"]).exists()


def told():
    return list(Trial.objects.order_by("pk").values_list("status", "code"))


def test_a_test_goes_to_oneself_in_the_campaigns_words_and_is_marked(api, ready, mail):
    answer = api.post(address(ready), json={"channel": "email"})
    send_until(settled, provider="email")

    (sent,) = mail.log(provider="sendgrid")
    assert answer.status_code == 202
    assert [each["address"] for each in answer.json()["data"]] == [sent["to"]] == [api.user.email]
    assert sent["subject"] == "[Test] 25% off, Dana"
    shown = api.get(address(ready)).json()["data"]
    assert [(each["channel"], each["status"], each["code"]) for each in shown] == [("email", "sent", "")]


def test_an_sms_and_a_push_are_tested_alike(api, ready, twilio, push, mail):
    customer = CustomerFactory(account=api.account, email=api.user.email.upper())
    PushSubscriptionFactory(customer=customer, endpoint=f"{push.url}/push/ok")

    api.post(address(ready), json={"channel": "sms", "to": [PHONE]})
    api.post(address(ready), json={"channel": "push"})
    send_until(settled, provider="email")

    assert [each["body"].splitlines()[0] for each in twilio.log() if each["to"] == PHONE] == [
        "[Test] Today only, Dana, with no code."
    ]
    assert told()[0] == ("sent", "")
    assert Trial.objects.get(channel="push").called_at


def test_a_test_counts_nowhere_and_uses_up_nobodys_day(api, twilio, mail):
    one = Sent(1, account=connected(api.account))
    who = one.customers[0]

    api.post(address(one.campaign), json={"channel": "sms", "to": [who.phone]})
    send_until(settled, provider="email")
    assert metrics.sums([one.campaign])[one.campaign.pk]["sent"] == 0
    send_until(lambda: one.statuses() == [("sent", "")])

    assert Event.objects.filter(type="sms.sent").count() == 1


def test_what_is_reported_of_a_test_is_no_event_but_opts_out(api, ready):
    trial = TrialFactory(campaign=ready, account=api.account, status="sent")
    CustomerFactory(account=api.account, email=trial.address)
    said = [("opened", "a"), ("bounced", "b"), ("delivered", "c")]
    reports = [
        Feedback("email", event, trial.address, trial.created_at, key, trial.key, code="550") for event, key in said
    ]
    other = Feedback("email", "opened", "x@example.test", trial.created_at, "d")

    assert feedback.take(api.account, [*reports, other]) == [True] * 4

    assert list(Event.objects.values_list("email", flat=True)) == ["x@example.test"]
    assert (told(), Suppression.objects.count()) == ([("refused", "550")], 1)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"channel": "email", "to": ["stranger@example.com"]}, (400, "VALIDATION_ERROR")),
        ({"channel": "email", "to": []}, (400, "VALIDATION_ERROR")),
        ({"channel": "sms", "to": ["nobody"]}, (400, "VALIDATION_ERROR")),
        ({"channel": "push"}, (400, "VALIDATION_ERROR")),
        ({"channel": "mail"}, (400, "VALIDATION_ERROR")),
        ({"channel": "sms", "to": [f"+1555000000{n}" for n in range(6)]}, (400, "VALIDATION_ERROR")),
    ],
)
def test_nonsense_is_refused_and_nothing_is_sent(api, ready, body, code):
    assert refusal(api.post(address(ready), json=body)) == code
    assert told() == []


def test_who_opted_out_gets_no_test_neither_now_nor_in_line(api, ready, mail):
    mine = {"channel": "email", "address": api.user.email, "source": "test"}
    api.post(address(ready), json={"channel": "email"})
    consent.withdraw(api.account, **mine)

    refused = api.post(address(ready), json={"channel": "email"})
    send_until(settled, provider="email")

    assert refusal(refused) == (409, "address_suppressed")
    assert (told(), mail.log(provider="sendgrid")) == ([("refused", "suppressed")], [])


def test_a_test_in_line_of_a_suspended_account_stays_here(api, ready, mail):
    api.post(address(ready), json={"channel": "email"})
    in_state(api.account, "suspended")

    send_until(settled, provider="email")

    assert told() == [("refused", "suspended")]


def test_a_channel_that_is_not_the_campaigns_or_not_connected_is_refused(api):
    by_sms = draft(api.account, channels=["sms"])

    assert refusal(api.post(address(by_sms), json={"channel": "email"})) == (400, "VALIDATION_ERROR")
    assert refusal(api.post(address(by_sms), json={"channel": "sms", "to": [PHONE]})) == (409, "campaign_not_ready")


def test_there_are_twenty_an_hour_and_five_phone_numbers_a_day(api, ready):
    numbers = [f"+1555000000{n}" for n in range(5)]
    assert api.post(address(ready), json={"channel": "sms", "to": numbers}).status_code == 202
    assert refusal(api.post(address(ready), json={"channel": "sms", "to": [PHONE]}))[0] == 429
    for _ in range(15):
        TrialFactory(campaign=ready, account=api.account)

    refused = api.post(address(ready), json={"channel": "email"})

    assert (refusal(refused)[0], refused.headers["Retry-After"]) == (429, "3600")
    assert Trial.objects.count() == 20


def test_a_refusal_is_told_and_obeyed(api, ready, twilio, mail):
    api.post(address(ready), json={"channel": "sms", "to": ["+15005021610"]})
    api.post(address(ready), json={"channel": "sms", "to": ["+15005020003"]})
    send_until(settled, provider="email")

    assert told() == [("refused", "21610"), ("refused", "20003")]
    assert Suppression.objects.filter(account=api.account, channel="sms").count() == 1
    assert Connection.objects.get(account=api.account, provider="twilio").refused_at


def test_what_cannot_be_made_says_so_and_a_lost_call_is_never_made_again(api, ready, mail, monkeypatch):
    gone = CustomerFactory(account=api.account, email=api.user.email)
    browser = PushSubscriptionFactory(customer=gone)
    api.post(address(ready), json={"channel": "push"})
    browser.delete()
    TrialFactory(campaign=ready, account=api.account, channel="email")
    Connection.objects.filter(account=api.account, provider="sendgrid").update(sealed=b"?")
    lost = TrialFactory(campaign=ready, account=api.account, status="calling")
    monkeypatch.setattr(trying, "LOST_SECONDS", 1)
    Trial.objects.filter(pk=lost.pk).update(called_at="2026-01-01T00:00:00Z")

    send_until(settled, provider="email")

    assert told() == [("refused", "not_ready"), ("refused", "not_ready"), ("unknown", "")]


def test_an_outcome_that_nobody_knows_is_told_as_such(ready):
    trial = TrialFactory(campaign=ready, account=ready.account, status="calling")

    trying.record(trial.pk, Unknown("gone"))

    assert told() == [("unknown", "")]


def test_an_erased_person_is_blanked_in_tests_and_nothing_waits_for_them(api, ready):
    customer = CustomerFactory(account=api.account, email=api.user.email)
    api.post(address(ready), json={"channel": "email"})
    held = list(trials._held(customer))

    erasing.erase(customer, by=None)

    assert [each["address"] for each in held] == [api.user.email]
    assert list(Trial.objects.values_list("address", "status", "code")) == [("", "refused", "erased")]


def test_tests_are_forgotten_after_a_month(ready):
    old = TrialFactory(campaign=ready, account=ready.account)
    TrialFactory(campaign=ready, account=ready.account)
    Trial.objects.filter(pk=old.pk).update(created_at="2026-01-01T00:00:00Z")

    assert (trials.forget_old(), Trial.objects.count()) == (1, 1)


def test_the_review_sends_a_test_and_shows_what_became_of_it(api, ready, page):
    review = f"/campaigns/{ready.public_id}/edit/review"
    send = lambda **form: page.get(page.post(review.replace("review", "test"), form).headers["Location"])  # noqa: E731

    assert f"On its way to {api.user.email}." in send(channel="email", to=api.user.email).content.decode()
    assert "Select a valid choice" in send(channel="mail", to=api.user.email).content.decode()
    assert "A test goes to people of" in send(channel="email", to="x@example.com").content.decode()
    assert "Waiting" in page.get(review).content.decode()


def test_who_only_writes_drafts_sends_no_tests(api, ready):
    writer = Client()
    writer.force_login(caller(Role.MARKETING, account=api.account).user)

    assert "Send a test" not in writer.get(f"/campaigns/{ready.public_id}/edit/review").content.decode()
