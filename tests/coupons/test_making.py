import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.db.models.functions import Upper

from campaigns_project import jobs
from campaigns_project.models import Job
from campaigns_project.refusals import Invalid
from coupons import campaigning, codes, making, terms
from coupons.models import Coupon, CouponCampaign
from tests.coupons.factories import CouponCampaignFactory, CouponFactory
from tests.factories import AccountFactory

pytestmark = pytest.mark.django_db


def done(job):
    """The job when nothing is left of it."""
    while jobs.run_slice(job.pk):
        pass
    job.refresh_from_db()
    return job


def codes_of(campaign):
    return list(campaign.coupons.order_by("id").values_list("code", flat=True))


def test_a_code_is_the_prefix_and_ten_letters_without_look_alikes():
    campaign = CouponCampaignFactory(prefix="Camp-")

    job = done(making.generate(campaign, 40, by=None))

    assert (job.status, job.done, job.total) == ("done", 40, 40)
    assert len(set(codes_of(campaign))) == 40
    assert all(re.fullmatch(r"Camp-[ABCDEFGHJKLMNPQRSTUVWXYZ2-9]{10}", code) for code in codes_of(campaign))


@pytest.mark.parametrize(
    ("kind", "quantity", "length"),
    [("single-use", 1, 10), ("group", 1, 6), ("lightning", 1, 6), ("group", 2, 10)],
)
def test_only_a_code_that_many_share_is_short(kind, quantity, length):
    campaign = CouponCampaignFactory(kind=kind, ends_at=None)

    done(making.generate(campaign, quantity, by=None))

    assert {len(code) for code in codes_of(campaign)} == {length}


def test_every_letter_is_as_likely():
    letters = "".join(codes.fresh(32_000, prefix="", length=10))
    expected = len(letters) / 32

    # A distribution of 31 degrees of freedom is above 80 once in 300,000 times.
    assert sum((letters.count(letter) - expected) ** 2 / expected for letter in codes.ALPHABET) < 80


def test_ids_ascend_and_are_uuids_of_version_seven():
    made = list(codes.ids(9_000))

    assert made == sorted(set(made))
    assert {(uuid.UUID(each).version, uuid.UUID(each).variant) for each in made} == {(7, uuid.RFC_4122)}


def test_coupons_copy_what_the_campaign_says_when_they_are_made():
    given = {"discount_type": "flat", "discount_value": 500, "single_use_min_cart_value": "2500"}
    campaign = CouponCampaignFactory(settings=given, starts_at=None, ends_at=datetime(2030, 1, 1, tzinfo=UTC))

    done(making.generate(campaign, 1, by=None))

    coupon = campaign.coupons.get()
    assert terms.given(campaign) == {name: getattr(coupon, name) for name in terms.given(campaign)}
    assert (coupon.discount_value, coupon.min_cart_value, coupon.max_count, coupon.status) == (500, 2500, 1, "active")


@pytest.mark.django_db(transaction=True)
def test_a_campaign_that_changes_while_codes_are_made_is_copied_as_it_then_is():
    campaign = CouponCampaignFactory(prefix="old")
    job = making.generate(campaign, 3, by=None)
    ours = CouponCampaign.objects.filter(pk=campaign.pk)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            ours.update(prefix="new", ends_at=datetime(2031, 1, 1, tzinfo=UTC))
            making_it = pool.submit(lambda: (jobs.run_slice(job.pk), connection.close()))
            wait_until(somebody_waits)
        making_it.result()

    campaign.refresh_from_db()
    assert (campaign.coupon_count, campaign.coupons.count()) == (3, 3)
    assert {(code[:3], ends_at.year) for code, ends_at in campaign.coupons.values_list("code", "ends_at")} == {
        ("new", 2031)
    }


def somebody_waits():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
        return cursor.fetchone()[0]


def wait_until(ready):
    end = time.monotonic() + 10
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_code_that_is_there_already_is_made_up_for(settings):
    settings.COUPON_CODE_LENGTH = 1
    campaign = CouponCampaignFactory()
    for letter in codes.ALPHABET[:20]:
        CouponFactory(account=campaign.account, campaign=campaign, code=letter.lower())

    job = done(making.generate(campaign, 12, by=None))

    assert (job.status, job.done, job.failed) == ("done", 12, 0)
    assert set(codes_of(campaign)) == {*codes.ALPHABET[:20].lower(), *codes.ALPHABET[20:]}


def test_codes_drawn_at_once_differ():
    assert codes.fresh(32, prefix="", length=1) == sorted(codes.ALPHABET)


def test_another_account_may_have_the_same_code():
    ours, theirs = CouponFactory(code="SAME"), CouponCampaignFactory()
    columns = {"account_id": theirs.account_id, "campaign_id": theirs.pk, "status": "active"}

    with transaction.atomic():
        assert codes.write(["same"], columns) == set()
    assert Coupon.objects.annotate(plain=Upper("code")).filter(plain="SAME").count() == 2
    assert ours.account_id != theirs.account_id


def test_a_job_goes_on_in_slices_and_counts_each(monkeypatch):
    monkeypatch.setattr(making, "SLICE", 4)
    campaign = CouponCampaignFactory()
    job = making.generate(campaign, 10, by=None)

    seen = []
    while jobs.run_slice(job.pk):
        job.refresh_from_db()
        campaign.refresh_from_db()
        seen.append((job.done, campaign.coupon_count, campaign.coupons.count(), job.status))

    assert seen == [(4, 4, 4, "running"), (8, 8, 8, "running"), (10, 10, 10, "done")]


@pytest.mark.parametrize("quantity", [0, -1, terms.MOST_CODES + 1])
def test_a_quantity_that_nobody_can_want_is_refused(quantity):
    with pytest.raises(Invalid) as refusal:
        making.generate(CouponCampaignFactory(), quantity, by=None)

    assert list(refusal.value.details) == ["quantity"]


def test_a_campaign_that_is_history_gets_no_codes():
    with pytest.raises(terms.CampaignArchived):
        making.generate(CouponCampaignFactory(status="archived"), 1, by=None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda campaign: campaign.delete(), "The campaign was deleted meanwhile."),
        (lambda campaign: campaign.archive(), "An archived campaign is history: it is not changed."),
    ],
)
def test_a_job_whose_campaign_is_gone_says_so(change, message):
    campaign = CouponCampaignFactory()
    job = making.generate(campaign, 1, by=None)
    change(campaign)

    assert (done(job).status, job.message) == ("failed", message)


def test_a_single_use_campaign_is_made_up_to_its_quantity_and_counts_what_is_under_way(monkeypatch):
    monkeypatch.setattr(making, "SLICE", 2)
    campaign = CouponCampaignFactory(settings={"single_use_quantity": 5})
    first = making.make_up_to(campaign, by=None)
    jobs.run_slice(first.pk)
    campaign.refresh_from_db()
    campaign.settings = {"single_use_quantity": 9}

    more = making.make_up_to(campaign, by=None)

    assert (first.total, more.total) == (5, 4)
    assert making.make_up_to(campaign, by=None) is None
    assert making.make_up_to(CouponCampaignFactory(), by=None) is None


def test_writing_a_campaign_begins_to_make_what_it_lacks():
    account = AccountFactory()
    campaign = campaigning.create(account, name="Sale", kind="single-use", settings={"single_use_quantity": 3})
    with transaction.atomic():
        campaigning.change(campaign, settings={"single_use_quantity": 5})
        campaigning.change(campaign, settings={"single_use_quantity": 2})

    while jobs.run_due():
        pass

    assert campaign.coupons.count() == 5
    assert list(Job.objects.order_by("id").values_list("total", flat=True)) == [3, 2]
