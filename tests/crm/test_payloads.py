import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from crm.customers.feedback import Feedback
from crm.events import Happened
from crm.webhooks_in import payloads
from crm.webhooks_in.payloads import Unreadable, identity_of, is_counted, name_of

SAMPLES = json.loads((Path(__file__).parents[1] / "data/webhooks/webhook_samples.json").read_text())
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SENDGRID = {"email": "a@b.test", "timestamp": 1513299569, "sg_event_id": "ev", "sg_message_id": "m"}


def read(provider, item, **said):
    return payloads.read(provider, item, received_at=NOW, **said)


def told(provider, item):
    found = read(provider, item)
    if isinstance(found, Feedback):
        return f"{found.channel}.{found.event}", found.address
    return (found.type, found.email) if found else None


def test_the_published_samples_are_read():
    mail = SAMPLES["sendgrid (JSON array)"]
    mail[3]["type"] = "bounce"
    twilio = SAMPLES["twilio_status_callback (form)"] | {"MessageStatus": "undelivered", "To": "+15551234567"}
    lists = [each for name, each in SAMPLES.items() if name.startswith("mailchimp")]
    for each in lists[1:]:
        each["fired_at"] = "2026-04-25 14:30:00"

    assert [told("sendgrid", each) for each in mail] == [
        ("email.delivered", "example@test.com"),
        *((f"email.{event}", "e@t.c") for event in ("opened", "clicked", "bounced", "unsubscribed", "unsubscribed")),
    ]
    assert told("twilio", twilio) == ("sms.failed", "+15551234567")
    assert [told("mailchimp", each) for each in lists] == [
        ("email.subscribed", "customer@example.com"),
        ("email.unsubscribed", "c@e.com"),
        ("mailchimp.campaign_sent", ""),
    ]
    assert told("hubspot", SAMPLES["hubspot (JSON array) = seed's contact_created"][0]) == (
        "hubspot.contact_created",
        "",
    )


@pytest.mark.parametrize(
    ("provider", "event", "channel"),
    [
        *(("sendgrid", event, "email") for event in ("delivered", "opened", "clicked", "bounced", "unsubscribed")),
        *(("twilio", event, "sms") for event in ("delivered", "failed")),
        *(("mailchimp", event, "email") for event in ("subscribed", "unsubscribed")),
    ],
)
def test_the_generic_payload_names_the_seeds_events(provider, event, channel):
    item = {"event_type": f"{channel}.{event}", "email": "a@b.test", "phone": "+15550001111", "campaign_id": "camp_001"}
    found = read(provider, item | {"timestamp": "2026-01-24T18:30:00Z"})

    assert is_counted(provider, item)
    assert (found.channel, found.event, found.campaign) == (channel, event, "camp_001")
    assert found.at == datetime(2026, 1, 24, 18, 30, tzinfo=UTC)


@pytest.mark.parametrize(("provider", "event"), [("mailchimp", "campaign_sent"), ("hubspot", "form_submitted")])
def test_what_is_about_no_message_is_an_event_of_its_own(provider, event):
    item = {"event_type": f"x.{event}", "email": "a@b.test", "event_id": "7"}

    assert is_counted(provider, item)
    assert read(provider, item) == Happened(f"{provider}:7", f"{provider}.{event}", email="a@b.test", occurred_at=NOW)


@pytest.mark.parametrize(
    ("provider", "item", "name"),
    [
        ("sendgrid", {"event": "processed"}, "processed"),
        ("sendgrid", {"event": "deferred"}, "deferred"),
        ("twilio", {"MessageStatus": "queued"}, "queued"),
        ("mailchimp", {"type": "profile"}, "profile"),
        ("hubspot", {"subscriptionType": "deal.creation"}, "deal.creation"),
        ("sendgrid", {"event_type": "email.read"}, "read"),
    ],
)
def test_what_is_in_no_table_is_not_counted_and_means_nothing(provider, item, name):
    assert (name_of(provider, item), is_counted(provider, item), read(provider, item)) == (name, False, None)


@pytest.mark.parametrize(
    ("item", "event"),
    [
        ({"event": "bounce", "type": "bounce"}, "bounced"),
        ({"event": "bounce", "type": "blocked"}, "dropped"),
        ({"event": "dropped", "reason": "Bounced Address"}, "dropped"),
        ({"event": "spamreport"}, "spam"),
    ],
)
def test_only_a_bounce_for_good_says_something_of_the_address(item, event):
    assert read("sendgrid", SENDGRID | item).event == event


def test_a_report_keeps_what_it_is_about():
    attempt = uuid4()
    item = SENDGRID | {"event": "open", "sg_machine_open": True, "attempt": str(attempt), "campaign_id": "camp_1"}
    click = SENDGRID | {"event": "click", "url": "https://a.test/", "attempt": "none of ours", "status": "5.0.0"}
    sms = {"MessageSid": "SM1", "MessageStatus": "sent", "To": "+15550001111", "ErrorCode": "30005"}

    opened, clicked, sent = read("sendgrid", item), read("sendgrid", click), read("twilio", sms, attempt=str(attempt))

    assert (opened.bot, opened.attempt, opened.campaign, opened.provider_id) == (True, attempt, "camp_1", "m")
    assert (clicked.bot, clicked.attempt, clicked.url, clicked.code) == (False, None, "https://a.test/", "5.0.0")
    assert (sent.event, sent.attempt, sent.provider_id, sent.code) == ("sent", attempt, "SM1", "30005")
    assert sent.key == f"twilio:SM1:sent:{attempt}"


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ({}, NOW),
        ({"timestamp": ""}, NOW),
        ({"timestamp": 1513299569}, datetime(2017, 12, 15, 0, 59, 29, tzinfo=UTC)),
        ({"timestamp": "1513299569"}, datetime(2017, 12, 15, 0, 59, 29, tzinfo=UTC)),
        ({"timestamp": "2026-04-25 14:30:00"}, datetime(2026, 4, 25, 14, 30, tzinfo=UTC)),
        ({"timestamp": "2026-11-22T12:00:00Z"}, NOW),
    ],
)
def test_it_happened_when_the_provider_says_but_never_later_than_we_heard(said, at):
    assert read("sendgrid", {"event": "open", "email": "a@b.test"} | said).at == at


def test_hubspots_clock_counts_milliseconds():
    item = {"eventId": 100, "subscriptionType": "contact.creation", "occurredAt": 1711234567890}

    assert read("hubspot", item).occurred_at == datetime(2024, 3, 23, 22, 56, 7, 890000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("provider", "item"),
    [
        *(("sendgrid", item) for item in (5, None, [], "open", {}, {"event": None}, {"event": 7}, {"event": "é"})),
        *(
            ("sendgrid", {"event": "open", "email": "a@b.test"} | said)
            for said in (
                {"email": ""}, {"email": None}, {"email": {"a": 1}}, {"email": "nobody"}, {"timestamp": "yesterday"},
                {"timestamp": 1e300}, {"timestamp": -1}, {"timestamp": "9" * 20}, {"timestamp": {}},
            )
        ),
        ("twilio", {"MessageStatus": "delivered"}),
        ("hubspot", {"event_type": "form_submitted", "email": "nobody"}),
    ],
)  # fmt: skip
def test_what_does_not_say_what_it_must_is_unreadable(provider, item):
    with pytest.raises(Unreadable):
        read(provider, item)


@pytest.mark.parametrize("own", ["x" * 101, "a\x00b", "é"])
def test_an_identity_is_always_short_and_plain(own):
    found = identity_of("sendgrid", {"sg_event_id": own})

    assert len(found) == 64
    assert found != identity_of("sendgrid", {"sg_event_id": own + "y"})


def test_without_an_id_all_that_is_said_is_the_identity():
    assert identity_of("mailchimp", {"a": 1, "b": 2}) == identity_of("mailchimp", {"b": 2, "a": 1})
    assert identity_of("mailchimp", {"a": 1}) != identity_of("mailchimp", {"a": 2})
    assert identity_of("sendgrid", 5) != identity_of("sendgrid", "5")
    assert identity_of("sendgrid", {"event_id": "e1"}) == identity_of("hubspot", {"eventId": "e1"}) == "e1"


CONTACT = {
    "vid": 123,
    "properties": {"email": {"value": "anna@example.test"}, "firstname": {"value": "Anna"}},
    "form-submissions": [
        {"conversion-id": "c-1", "timestamp": 1711234560000, "form-id": "f-1", "title": "Old"},
        {"conversion-id": "c-2", "timestamp": 1711234567890, "form-id": "f-2", "title": "Table for two", "page-url": 5},
        "x",
    ],
}


def test_a_contact_that_a_workflow_sends_tells_of_its_latest_form():
    told = read("hubspot", CONTACT)

    assert (told.event_id, told.type, told.email) == ("hubspot:c-2", "hubspot.form_submitted", "anna@example.test")
    assert told.occurred_at == datetime(2024, 3, 23, 22, 56, 7, tzinfo=UTC)
    assert told.properties == {"form_id": "f-2", "form": "Table for two"}
    assert is_counted("hubspot", CONTACT)
    assert identity_of("hubspot", CONTACT) == identity_of("hubspot", CONTACT | {"vid": 5}) == "c-2"


@pytest.mark.parametrize(
    "odd", [{"properties": {}}, {"properties": None}, {"properties": {"email": "x"}}, {"properties": {"email": {}}}]
)
def test_a_form_of_nobody_is_kept_without_an_address(odd):
    assert read("hubspot", CONTACT | odd).email == ""


@pytest.mark.parametrize("forms", [[], None, [{"timestamp": "soon"}], "x"])
def test_a_contact_without_a_form_names_no_event(forms):
    assert name_of("hubspot", CONTACT | {"form-submissions": forms}) == ""
    assert name_of("sendgrid", CONTACT) == ""
