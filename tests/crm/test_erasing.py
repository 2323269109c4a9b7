"""Nothing personal of an erased person stays, in any table."""

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.scoping import Owned
from campaigns import leads
from campaigns.models import CampaignLead, CampaignLeadMessage, Click, Message, MessageAttempt
from campaigns_project import jobs
from campaigns_project.models import AuditEntry, IdempotencyKey
from campaigns_project.refusals import Conflict, Invalid
from crm import events
from crm.customers import consent, erasing, importing
from crm.models import Customer, Event, Suppression
from dispatch.models import InboxEntry
from tests.factories import (
    BroadcastFactory,
    CampaignLeadFactory,
    CampaignLeadMessageFactory,
    ConversationUserFactory,
    CustomerFactory,
    MessageAttemptFactory,
)

pytestmark = pytest.mark.django_db
PHONE, MARK = "+15550004711", "Annabella"
EVERYTHING = [model for model in apps.get_models() if issubclass(model, Owned)]
EVERYTHING += [AuditEntry, IdempotencyKey, InboxEntry, MessageAttempt, CampaignLeadMessage.machine.moves]


@pytest.fixture
def anna():
    return CustomerFactory(
        first_name=MARK, last_name=MARK, phone=PHONE, email=f"{MARK}@example.test", external_id=MARK,
        tags=[MARK], attributes={"name": MARK}, country="GB", time_zone="Europe/London",
    )  # fmt: skip


def person_of(customer, known_as=None):
    return ConversationUserFactory(account=customer.account, phone=PHONE, name=MARK, customer=known_as)


def told(customer, row):
    """Everything WhatsApp can hold of somebody who got a message and answered."""
    inbound = Message.objects.create(
        account=customer.account, conversation_user=row.conversation_user, direction="inbound", body=MARK,
        content={"button": MARK}, provider_id="SMfake-in",
    )  # fmt: skip
    MessageAttemptFactory(row=row, state="accepted", provider_id="SMfake-out", address=PHONE, detail=f"{PHONE} took it")
    Click.objects.create(account=customer.account, message=row, url=f"https://shop.test/{MARK}", user_agent=MARK)
    for kind, key in (("inbound", inbound.provider_id), ("status", "SMfake-out:delivered:1")):
        InboxEntry.objects.create(
            account=customer.account, provider="twilio", kind=kind, dedupe_key=key, result="applied",
            body=f"From={PHONE}&ProfileName={MARK}".encode(), headers={"x": MARK},
        )  # fmt: skip


def found():
    """Where the person can still be read."""
    return {
        f"{model.__name__}.{name}"
        for model in EVERYTHING
        for row in model.objects.values()
        for name, value in row.items()
        if any(word in str(bytes(value) if isinstance(value, memoryview) else value) for word in (PHONE[1:], MARK))
    }


def test_nothing_personal_stays_and_what_was_counted_does(anna):
    other = CustomerFactory(account=anna.account, email="ben@example.test")
    row = CampaignLeadMessageFactory(
        broadcast=BroadcastFactory(account=anna.account), status="delivered", context={"body": MARK},
        campaign_lead=CampaignLeadFactory(
            account=anna.account, conversation_user=person_of(anna), custom_variables={"lead_name": MARK}
        ),
    )  # fmt: skip
    told(anna, row)
    consent.withdraw(anna.account, channel="whatsapp", address=PHONE, source="inbound", proof={"body": f"STOP {MARK}"})
    for number, who in enumerate(({"customer_id": anna.pk}, {"phone": PHONE}, {"email": anna.email.upper()})):
        events.record(anna.account, type="page.viewed", event_id=f"e{number}", properties={"at": MARK}, **who)
    events.record(anna.account, type="page.viewed", event_id="other", customer_id=other.pk, properties={"at": "shop"})

    erasing.erase(anna, by=None)

    assert found() == set()
    blank = Customer.objects.get(pk=anna.pk)
    assert (blank.tags, blank.attributes, blank.country, str(blank)) == ([], {}, "", blank.public_id)
    assert consent.is_suppressed(anna.account, channel="whatsapp", address=PHONE)
    assert "@" not in str(Suppression.objects.values())
    assert (Event.objects.count(), Event.objects.get(event_id="other").properties) == (4, {"at": "shop"})
    assert CampaignLeadMessage.objects.get().status == "delivered"


def test_an_erased_person_is_sent_nothing_more_and_cannot_be_added_again(anna):
    person = person_of(anna, known_as=anna)
    broadcast = BroadcastFactory(account=anna.account, status="sending")
    lead = CampaignLeadFactory(campaign=broadcast.campaign, conversation_user=person)
    CampaignLeadMessageFactory(broadcast=broadcast, campaign_lead=lead)

    erasing.erase(anna, by=None)

    row = CampaignLeadMessage.objects.get()
    assert (row.status, row.skip_reason, CampaignLead.objects.get().active) == ("skipped", "cancelled", False)
    with pytest.raises(Invalid):
        leads.add(broadcast.campaign, [{"conversation_user_id": person.pk}])


@pytest.mark.parametrize("state", ["sending", "unknown", "waiting"])
def test_while_a_message_is_on_its_way_nobody_is_erased(anna, state):
    row = CampaignLeadMessageFactory(
        broadcast=BroadcastFactory(account=anna.account), status="delivered" if state == "waiting" else "sending",
        campaign_lead=CampaignLeadFactory(account=anna.account, conversation_user=person_of(anna)),
    )  # fmt: skip
    if state == "unknown":
        MessageAttemptFactory(row=row)
    if state == "waiting":
        CampaignLeadMessage.objects.filter(pk=row.pk).update(provider_id="SMfake")
        InboxEntry.objects.create(
            account=anna.account, provider="twilio", kind="status", dedupe_key="SMfake:read:1", body=b""
        )

    with pytest.raises(Conflict) as refused:
        erasing.erase(anna, by=None)

    assert refused.value.code == "message_on_its_way"
    assert Customer.objects.get().first_name == MARK


def test_somebody_whatsapp_never_heard_of_is_erased_too():
    customer = CustomerFactory(phone="", external_id="x")

    erasing.erase(customer, by=None)

    assert Customer.objects.get().erased_at


def test_files_and_kept_answers_forget_the_person(anna, private_files):
    other = CustomerFactory(account=anna.account, email="ben@example.test")
    raw = f"email,phone,id\n{anna.email.upper()},,\n,1 555 000 4711,\n,,{MARK}\nben@example.test,,\nnobody,,{MARK}\n"
    uploaded = [importing.import_csv(anna.account, SimpleUploadedFile("a.csv", raw.encode()), by=None)]
    while jobs.run_due():
        pass
    uploaded.append(importing.keep(anna.account, SimpleUploadedFile("a.csv", raw.encode()), by=None))
    for number, about in enumerate([anna, other]):
        IdempotencyKey.objects.create(
            account=anna.account, path="/", key=str(number), body_hash="", status_code=201,
            body=f'{{"id": "{about.public_id}", "first_name": "{about.first_name}"}}'.encode(),
        )  # fmt: skip

    erasing.erase(anna, by=None)

    said = b"".join(path.read_bytes() for path in private_files.rglob("*") if path.is_file())
    assert not any(word.encode() in said.lower() for word in (MARK.lower(), "4711", "annabella"))
    assert b"ben@example.test" in said
    assert not jobs.input_of(uploaded[0]).exists()
    assert found() == set()
    assert [bytes(row.body) == b"{}" for row in IdempotencyKey.objects.order_by("key")] == [True, False]


def test_while_an_import_reads_their_line_nobody_is_erased(anna):
    others = importing.import_csv(anna.account, SimpleUploadedFile("a.csv", b"email\nben@example.test\n"), by=None)
    job = importing.import_csv(anna.account, SimpleUploadedFile("a.csv", f"email\n{anna.email}\n".encode()), by=None)

    with pytest.raises(jobs.ImportUnderWay):
        erasing.erase(anna, by=None)
    jobs.cancel(job)
    erasing.erase(anna, by=None)

    assert (jobs.input_of(job).exists(), jobs.input_of(others).exists()) == (False, True)
