"""A broadcast whose people get coupon codes of their own."""

import pytest

from campaigns import broadcasting
from campaigns.models import Broadcast, CampaignLeadMessage
from campaigns_project.refusals import Invalid
from coupons.models import Coupon
from tests.coupons.factories import CouponCampaignFactory, CouponFactory
from tests.factories import CampaignFactory, CampaignLeadFactory, ConnectionFactory, CustomerFactory

pytestmark = pytest.mark.django_db


class Shop:
    """An approved template that names a code, and a pool of so many."""

    def __init__(self, codes, account=None, **pool):
        self.campaign = CampaignFactory(
            **({"account": account} if account else {}),
            status="approved",
            content_context={"body": "Hi, {{1}} is yours."},
            variables={"1": "coupon_code"},
            variable_defaults={},
        )
        self.account = self.campaign.account
        ConnectionFactory(account=self.account)
        self.pool = CouponCampaignFactory(account=self.account, **({"status": "active"} | pool))
        self.codes = {CouponFactory(campaign=self.pool).code for _ in range(codes)}

    def leads(self, number=1, **fields):
        return [CampaignLeadFactory(campaign=self.campaign, **fields) for _ in range(number)]

    def draft(self, **said):
        return broadcasting.draft(self.campaign, by=None, coupon_campaign_id=str(self.pool.pk), **said)

    def start(self):
        return broadcasting.start(self.draft(force=True), by=None)

    def read(self, broadcast):
        """By person, what they read; None for who was left out."""
        rows = CampaignLeadMessage.objects.filter(broadcast=broadcast).order_by("conversation_user_id")
        return [None if row.status == "skipped" else row.context["content_variables"]["1"] for row in rows]

    def held(self):
        return dict(Coupon.objects.filter(campaign=self.pool, holder__isnull=False).values_list("holder", "code"))

    def awake(self):
        self.campaign.leads.update(active=True)


def test_each_person_reads_a_code_of_their_own():
    shop = Shop(codes=5)
    shop.leads(3)

    broadcast = shop.start()

    read = shop.read(broadcast)
    assert len(set(read)) == 3
    assert set(read) <= shop.codes
    message = CampaignLeadMessage.objects.filter(broadcast=broadcast).first()
    assert message.context["body"] == f"Hi, {read[0]} is yours."


def test_a_person_reads_the_same_code_again_and_a_used_one_never():
    shop = Shop(codes=4)
    shop.leads(2)
    first = shop.read(shop.start())
    CampaignLeadMessage.objects.all().delete()
    shop.awake()
    Coupon.objects.filter(code=first[1]).update(used_count=1)

    assert shop.read(shop.start()) == [first[0], None]


def test_a_start_that_fails_hands_out_nothing():
    shop = Shop(codes=2)
    shop.leads(1)
    broadcast = shop.draft()
    shop.pool.deactivate()

    with pytest.raises(broadcasting.CampaignNotReady) as refusal:
        broadcasting.start(broadcast, by=None)

    assert list(refusal.value.details) == ["coupon_campaign_id"]
    assert shop.held() == {}


def test_people_who_get_no_code_are_counted_before_and_left_out():
    shop = Shop(codes=2)
    shop.leads(3)
    broadcast = shop.draft()

    assert (broadcast.preflight["audience"], broadcast.preflight["skips"]) == (2, {"missing_variable": 1})
    assert broadcast.preflight["missing_variables"] == ["coupon_code"]
    assert shop.read(broadcasting.start(broadcast, by=None)).count(None) == 1


def test_words_for_all_stand_in_for_codes_that_are_lacking():
    shop = Shop(codes=1)
    shop.campaign.variable_defaults = {"coupon_code": "WELCOME"}
    shop.campaign.save()
    shop.leads(2)

    assert shop.draft().preflight["audience"] == 2
    assert sorted(shop.read(shop.start())) == sorted([*shop.codes, "WELCOME"])


def test_who_has_a_code_of_their_own_already_needs_none():
    shop = Shop(codes=1)
    shop.leads(1, custom_variables={"coupon_code": "VIP"})

    assert shop.read(shop.start()) == ["VIP"]
    assert shop.held() == {}


def test_a_customer_holds_a_code_by_who_they_are_and_others_by_the_hash_of_their_number():
    shop = Shop(codes=2)
    known, stranger = (lead.conversation_user for lead in shop.leads(2))
    known.customer = CustomerFactory(account=shop.account)
    known.save()

    shop.start()

    assert set(shop.held()) == {known.customer.public_id, stranger.address_hash}


def test_codes_of_people_who_were_left_out_after_all_are_free_again():
    shop = Shop(codes=3)
    shop.leads(2)
    broadcast = shop.start()
    CampaignLeadMessage.objects.filter(pk=CampaignLeadMessage.objects.first().pk).transition("begin")

    broadcasting.cancel(broadcast, by=None)

    assert len(shop.held()) == 1


def test_a_test_message_shows_a_sample_and_takes_no_code():
    shop = Shop(codes=1)

    broadcast = broadcasting.test_send(shop.campaign, phone="+15550001234", values={}, by=None)

    assert shop.read(broadcast) == ["SAVE-K7M2QX4WPD"]
    assert shop.held() == {}


@pytest.mark.parametrize("facts", [{"kind": "group"}, {}])
def test_only_single_use_campaigns_of_the_account_are_pools(facts):
    shop, other = Shop(codes=0), CouponCampaignFactory(**facts)
    pool = CouponCampaignFactory(account=shop.account, kind="group") if facts else other

    with pytest.raises(Invalid) as refusal:
        broadcasting.draft(shop.campaign, by=None, coupon_campaign_id=str(pool.pk))

    assert list(refusal.value.details) == ["coupon_campaign_id"]
    assert not Broadcast.objects.exists()


def test_a_pool_that_was_deleted_stands_in_the_way():
    shop = Shop(codes=1)
    shop.leads(1)
    broadcast = shop.draft()
    Coupon.objects.all().delete()
    shop.pool.delete()

    assert broadcasting.preflight(broadcast)["can_start"] is False


@pytest.fixture
def shop(api):
    """A shop of the account whose pages are looked at, with a draft to three people."""
    shop = Shop(codes=2, account=api.account, name="Autumn letters", prefix="AU-")
    shop.leads(3)
    shop.broadcast = broadcasting.draft(shop.campaign, by=None)
    shop.step = f"/campaigns/wa_{shop.broadcast.pk}/edit/personalise"
    return shop


def test_a_pool_is_chosen_where_the_words_are(page, shop):
    before = page.get(shop.step).content.decode()

    answer = page.post(shop.step, {"pool": str(shop.pool.pk), "value_coupon_code": ""})

    assert "Autumn letters" in before
    assert answer.status_code == 303
    shop.broadcast.refresh_from_db()
    assert (shop.broadcast.code_pool, shop.broadcast.preflight["audience"]) == (str(shop.pool.pk), 2)
    assert "AU-K7M2QX4WPD" in page.get(shop.step.replace("personalise", "review")).content.decode()


def test_a_pool_that_is_none_is_refused_on_the_page(page, shop):
    answer = page.post(shop.step, {"pool": str(CouponCampaignFactory().pk)})

    assert answer.status_code == 400


def test_a_template_without_a_code_offers_no_pool(api, page):
    template = CampaignFactory(account=api.account, status="approved")
    broadcast = broadcasting.draft(template, by=None)

    assert "Coupon codes from" not in page.get(f"/campaigns/wa_{broadcast.pk}/edit/personalise").content.decode()


def test_a_broadcast_is_drafted_with_a_pool_through_the_api(api, shop):
    said = {"campaign_id": shop.campaign.pk, "coupon_campaign_id": str(shop.pool.pk)}

    answer = api.post("/api/v1/campaign/broadcasts", json=said)
    refused = api.post("/api/v1/campaign/broadcasts", json=said | {"coupon_campaign_id": "none"})

    assert (answer.status_code, answer.json()["coupon_campaign_id"]) == (201, str(shop.pool.pk))
    assert (refused.status_code, list(refused.json()["details"])) == (400, ["coupon_campaign_id"])
