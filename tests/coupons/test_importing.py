import csv

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from campaigns_project import jobs
from campaigns_project.refusals import Invalid
from coupons import importing, terms
from tests.coupons.factories import CouponCampaignFactory, CouponFactory
from tests.coupons.test_making import done

pytestmark = pytest.mark.django_db


def sheet(text):
    return SimpleUploadedFile("ours.csv", text.encode())


def errors_of(job):
    with jobs.errors_of(job).open() as file:
        return list(csv.reader(file))


def kept(campaign):
    return dict(campaign.coupons.values_list("code", "notes"))


def test_codes_keep_their_spelling_and_get_no_prefix():
    campaign = CouponCampaignFactory(prefix="camp-")
    given = ["Summer-7", 'say "10"', "a,b", "=1+1", "back\\slash", "né", "\N{PARTY POPPER}"]

    job = done(importing.import_codes(campaign, given, by=None))

    campaign.refresh_from_db()
    assert (job.status, job.done, job.failed, campaign.coupon_count) == ("done", 7, 0, 7)
    assert set(kept(campaign)) == set(given)
    assert set(campaign.coupons.values_list("max_count", "discount_value")) == {(1, 10)}


def test_a_file_may_bring_notes_and_columns_of_others():
    campaign = CouponCampaignFactory()

    done(importing.import_csv(campaign, sheet("Voucher Code;Shop;Notes\nA1;North;for Ann\nB2;South\n"), by=None))

    assert kept(campaign) == {"A1": "for Ann", "B2": None}


def test_rows_that_cannot_be_taken_in_are_told_and_the_others_are(monkeypatch):
    monkeypatch.setattr(importing, "SLICE", 3)
    campaign = CouponCampaignFactory()
    CouponFactory(account=campaign.account, campaign=campaign, code="Taken")
    long, seen = "x" * 65, "see\x07n"
    lines = ["code,notes", "NEW", "new", "TAKEN", long, f"A,{seen}", "B,c,d", "", "LAST", f"C,{'n' * 501}"]
    # The first two hundred are looked at when the file comes.
    lines += [*[""] * 200, '"open']

    job = done(importing.import_csv(campaign, sheet("\n".join(lines)), by=None))

    assert set(kept(campaign)) == {"Taken", "NEW", "LAST"}
    assert (job.status, job.done, job.failed) == ("done", 2, 7)
    assert [row[:3] for row in errors_of(job)] == [
        ["line", "reason", "code"],
        ["3", "code: The file has this code twice.", "new"],
        ["4", "code: There is a coupon of this code already.", "TAKEN"],
        ["5", "code: A code has 1 to 64 characters.", long],
        ["6", "notes: Control characters are not allowed.", f"A,{seen}"],
        ["7", "row: There are 3 cells under 2 columns.", "B,c,d"],
        ["10", "notes: Notes have at most 500 characters.", f"C,{'n' * 501}"],
        ["211", "The line cannot be read: unexpected end of data.", '"open'],
    ]


@pytest.mark.parametrize("head", ["shop\nA", "code,coupon code\nA,B", "code,note,notes\nA"])
def test_a_file_without_one_column_of_codes_is_refused(head):
    with pytest.raises(Invalid) as refusal:
        importing.import_csv(CouponCampaignFactory(), sheet(head), by=None)

    assert list(refusal.value.details) == ["file"]


@pytest.mark.parametrize("code", ["", "x" * 65, " A", "A ", "a\nb", "\tx", "a\x00", "a\u2028b"])
def test_a_code_that_is_none_is_refused_before_anything_is_taken_in(code):
    campaign = CouponCampaignFactory()

    with pytest.raises(Invalid) as refusal:
        importing.import_codes(campaign, ["fine", code], by=None)

    assert list(refusal.value.details) == ["codes.1"]
    assert not jobs.due().exists()


def test_an_archived_campaign_takes_in_no_codes():
    with pytest.raises(terms.CampaignArchived):
        importing.import_codes(CouponCampaignFactory(status="archived"), ["A"], by=None)
