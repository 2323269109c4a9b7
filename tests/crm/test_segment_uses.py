"""What segments are for: promo codes, leads of WhatsApp templates; and segments that come from a file."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from campaigns.models import CampaignLead, ConversationUser
from campaigns_project import jobs
from crm.audiences import refreshing, segments
from crm.models import Customer, Segment
from tests.factories import (
    CampaignFactory,
    CampaignLeadFactory,
    ConversationUserFactory,
    CustomerFactory,
    PromoFactory,
    SegmentFactory,
)

pytestmark = pytest.mark.django_db
MARKETING = "/api/v1/marketing"
LEADS = "/api/v1/campaign/add-leads/from-segment"
ORDER = {"order_id": "o1", "order_amount": 50.00}


@pytest.fixture
def friends(api):
    return SegmentFactory(account=api.account, name="Friends")


def member(segment, **fields):
    customer = CustomerFactory(account=segment.account, **fields)
    segments.add_known(segment, [customer.pk])
    return customer


def run():
    while jobs.run_due():
        pass


def test_a_promo_for_a_segment_says_so_and_reads_back(api, friends):
    body = {"code": "FRIENDS", "type": "percentage", "value": 20, "customer_segment_id": friends.public_id}

    shown = api.post(f"{MARKETING}/promos", json=body).json()

    assert shown["customer_segment_id"] == friends.public_id
    assert api.get(f"{MARKETING}/promos").json()["data"] == [shown]
    changed = api.patch(f"{MARKETING}/promos/FRIENDS", json={"customer_segment_id": None}).json()
    assert changed["customer_segment_id"] is None


@pytest.mark.parametrize("whose", ["nobody's", "theirs"])
def test_a_promo_for_a_segment_there_is_none_of_is_refused(api, whose):
    known_as = SegmentFactory().public_id if whose == "theirs" else "seg_nope"

    body = {"code": "FRIENDS", "type": "percentage", "value": 20, "customer_segment_id": known_as}
    answer = api.post(f"{MARKETING}/promos", json=body)

    assert (answer.status_code, list(answer.json()["details"])) == (400, ["customer_segment_id"])


@pytest.mark.parametrize("verb", ["validate", "redeem", "reserve"])
def test_only_who_is_in_the_segment_may_use_its_code(api, friends, verb):
    promo = PromoFactory(account=api.account, segment=friends)
    inside, outside = member(friends, external_id="c-1"), CustomerFactory(account=api.account, external_id="c-2")
    answers = {}

    for who in (inside.public_id, "c-1", outside.public_id, "c-2", "a stranger"):
        body = {**ORDER, "order_id": f"o-{who}", "customer_id": who} | (
            {"ttl_seconds": 60} if verb == "reserve" else {}
        )
        told = api.post(f"{MARKETING}/promos/{promo.code}/{verb}", json=body)
        answers[who] = told.json().get("code") if told.status_code == 409 else told.status_code

    fine = 200 if verb == "validate" else 201
    assert list(answers.values()) == [fine, fine, *["not_in_segment"] * 3]


def test_who_left_the_segment_may_use_its_code_no_more(api):
    gold = SegmentFactory(account=api.account, type="dynamic")
    anna = CustomerFactory(account=api.account, loyalty_tier="gold")
    promo = PromoFactory(account=api.account, segment=gold)
    ask = lambda: api.post(f"{MARKETING}/promos/{promo.code}/validate", json={**ORDER, "customer_id": anna.public_id})  # noqa: E731
    refreshing.refresh(gold)
    assert ask().status_code == 200

    Customer.objects.filter(pk=anna.pk).update(loyalty_tier="")
    refreshing.refresh(gold)

    assert ask().json()["code"] == "not_in_segment"


def test_a_segment_whose_code_is_there_is_not_deleted(api, friends):
    PromoFactory(account=api.account, code="FRIENDS", segment=friends)

    answer = api.delete(f"{MARKETING}/segments/{friends.public_id}")

    used = {"used_by": [{"kind": "promo", "id": "FRIENDS"}]}
    assert (answer.status_code, answer.json()["code"], answer.json()["details"]) == (409, "segment_in_use", used)
    assert api.get(f"{MARKETING}/segments/{friends.public_id}").json()["used_by"] == used["used_by"]


def test_members_become_leads_once_and_keep_what_they_have(api, friends):
    campaign = CampaignFactory(account=api.account)
    new, lead, sleeping, silent = (member(friends) for _ in range(4))
    Customer.objects.filter(pk=silent.pk).update(phone="", phone_hash="")
    for customer, active in ((lead, True), (sleeping, False)):
        person = ConversationUserFactory(account=api.account, phone=customer.phone)
        CampaignLeadFactory(campaign=campaign, conversation_user=person, active=active, custom_variables={"table": "7"})

    body = {"campaign_id": campaign.pk, "segment_id": friends.public_id}
    answer = api.post(LEADS, json=body)
    run()

    told = api.get(answer["Location"]).json()
    assert (answer.status_code, told["status"], told["done"]) == (202, "done", 4)
    assert told["result"] == {"created": 1, "reactivated": 1, "unchanged": 1, "without_phone": 1}
    leads = CampaignLead.objects.filter(campaign=campaign, active=True)
    assert [each.custom_variables for each in leads.order_by("id")] == [{"table": "7"}, {"table": "7"}, {}]
    assert ConversationUser.objects.get(phone=new.phone).address_hash == new.phone_hash
    assert set(ConversationUser.objects.values_list("customer_id", flat=True)) == {new.pk, lead.pk, sleeping.pk}


def test_leads_of_a_segment_there_is_none_of(api):
    body = {"campaign_id": CampaignFactory(account=api.account).pk, "segment_id": SegmentFactory().public_id}

    assert api.post(LEADS, json=body).status_code == 404


def sent(api, text, **more):
    file = SimpleUploadedFile("a.csv", text.encode(), "text/csv")
    return api.upload(f"{MARKETING}/segments/import", {"name": "From the till", "file": file} | more)


@pytest.mark.parametrize(
    ("head", "cell"),
    [
        ("customer_id", "{public_id}"), ("id", "{external_id}"), ("External ID", "{external_id}"),
        ("E-Mail", "ANNA@example.test"), ("Mobile", "+1 (444) 555-0001"), ("name;phone", "Anna;+14445550001"),
    ],
)  # fmt: skip
def test_a_file_names_people_by_what_it_knows_of_them(api, head, cell):
    anna = CustomerFactory(account=api.account, external_id="c-1", email="Anna@example.test", phone="+14445550001")
    CustomerFactory(external_id="c-1", email="anna@example.test", phone="+14445550001")

    answer = sent(api, f"{head}\n{cell.format(**vars(anna))}\n")
    run()

    told = api.get(answer["Location"]).json()
    segment = Segment.objects.get()
    assert (answer.status_code, told["status"], told["done"], told["failed"]) == (202, "done", 1, 0)
    assert told["result"] == {"segment_id": segment.public_id, "added": 1}
    assert (segment.type, segment.size, list(segments.members(segment))) == ("imported", 1, [anna])


def test_lines_that_name_nobody_are_kept_with_their_reason(api):
    CustomerFactory(account=api.account, phone="+14445550001")

    answer = sent(api, "phone,name\n+14445550001,Anna\n\n+14445550002,Ben\n12,Cy\n,Dee\n")
    run()

    told = api.get(answer["Location"]).json()
    errors = api.get(told["errors_url"])
    text = b"".join(errors.streaming_content).decode() if errors.streaming else errors.content.decode()
    assert (told["done"], told["failed"]) == (1, 3)
    assert [line.split(",")[0] for line in text.splitlines()] == ["line", "4", "5", "6"]
    assert "There is no such customer." in text


@pytest.mark.parametrize("text", ["name\nAnna\n", "PK\x03\x04", ""])
def test_a_file_that_names_nobody_is_refused(api, text):
    answer = sent(api, text)

    assert (answer.status_code, list(answer.json()["details"])) == (400, ["file"])
    assert not Segment.objects.exists()


def test_an_import_into_a_segment_that_is_gone_ends(api):
    answer = sent(api, "phone\n+14445550001\n")
    segments.delete(Segment.objects.get())
    run()

    assert api.get(answer["Location"]).json()["status"] == "done"


def test_whoever_is_deleted_leaves_every_segment(friends):
    gold = SegmentFactory(account=friends.account, type="dynamic")
    anna, ben = member(friends, loyalty_tier="gold"), member(friends, loyalty_tier="gold")
    refreshing.refresh(gold)

    Customer.objects.filter(pk=anna.pk)._raw_delete("default")

    for segment in (friends, gold):
        segment.refresh_from_db()
        assert (segment.size, list(segments.members(segment))) == (1, [ben])
    assert refreshing.refresh(gold) == (0, 0)
