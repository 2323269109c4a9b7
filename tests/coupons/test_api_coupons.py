"""The coupons of a campaign as integrators make, find and change them."""

import csv
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.roles import Role
from campaigns_project import jobs
from coupons.models import Coupon
from tests.coupons.factories import CouponCampaignFactory, CouponFactory
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
BASE = "/api/platform/v1/coupon_campaigns"
SHOWN = [
    *("id", "account_id", "coupon_campaign_id", "code", "status", "starts_at", "ends_at", "max_count", "used_count"),
    *("min_cart_value", "discount_type", "discount_value", "product_id", "variant_id", "notes", "extradata"),
    *("created_at", "updated_at"),
]


@pytest.fixture
def campaign(api):
    return CouponCampaignFactory(account=api.account, prefix="camp-")


@pytest.fixture
def path(campaign):
    return f"{BASE}/{campaign.pk}/coupons"


def run_all():
    while jobs.run_due():
        pass


def codes_in(answer):
    return [coupon["code"] for coupon in answer.json()["data"]]


def test_codes_are_made_by_a_job_and_shown_with_every_field(api, campaign, path):
    asked = api.post(path, json={"quantity": 3})
    run_all()

    assert (asked.status_code, asked.headers["Location"]) == (202, asked.json()["href"])
    assert api.get(asked.json()["href"]).json()["done"] == 3
    coupons = api.get(path).json()["data"]
    assert [list(coupon) for coupon in coupons] == [SHOWN] * 3
    assert [coupon["id"] for coupon in coupons] == sorted(coupon["id"] for coupon in coupons)
    first = coupons[0]
    assert (first["code"][:5], first["status"], first["max_count"], first["used_count"]) == ("camp-", "active", 1, 0)
    assert (first["coupon_campaign_id"], first["account_id"]) == (str(campaign.pk), str(api.account.uuid))
    assert first["ends_at"].endswith("Z")
    assert api.get(f"{path}/{first['id']}").json() == first


def test_own_codes_are_taken_in_and_refused_ones_are_told_in_a_file(api, path):
    asked = api.post(path, json={"codes": ["Mine-1", "mine-1", "Mine 2"]})
    run_all()

    job = api.get(asked.json()["href"]).json()
    assert (asked.status_code, job["done"], job["failed"]) == (202, 2, 1)
    assert codes_in(api.get(path)) == ["Mine 2", "Mine-1"]
    errors = b"".join(api.get(job["errors_url"]).streaming_content).decode()
    assert [row[0] for row in csv.reader(io.StringIO(errors))] == ["line", "3"]


def test_a_file_of_codes_is_taken_in(api, path):
    file = SimpleUploadedFile("codes.csv", b"code,notes\nA-1,for Ann\n", content_type="text/csv")

    answer = api.upload(f"{path}/import", {"file": file})
    run_all()

    assert answer.status_code == 202
    assert [(each["code"], each["notes"]) for each in api.get(path).json()["data"]] == [("A-1", "for Ann")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "quantity"),
        ({"quantity": 1, "codes": ["A"]}, "quantity"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": "5"}, "quantity"),
        ({"quantity": 10**9}, "quantity"),
        ({"codes": []}, "codes"),
        ({"codes": "A"}, "codes"),
        ({"codes": ["A", 1]}, "codes.1"),
        ({"codes": ["A", "b\nc"]}, "codes.1"),
        ({"codes": [" A"]}, "codes.0"),
        ({"number": 5}, "number"),
    ],
)
def test_what_asks_for_no_codes_is_refused(api, path, body, field):
    answer = api.post(path, json=body)

    assert (answer.status_code, list(answer.json()["details"])) == (400, [field])
    assert not jobs.due().exists()


def test_an_archived_campaign_gets_no_codes(api):
    path = f"{BASE}/{CouponCampaignFactory(account=api.account, status='archived').pk}/coupons"

    for body in ({"quantity": 1}, {"codes": ["A"]}):
        assert (answer := api.post(path, json=body)).status_code == 409
        assert answer.json()["code"] == "campaign_archived"


def test_a_list_is_narrowed_by_state_use_and_how_a_code_begins(api, campaign, path):
    CouponFactory(campaign=campaign, code="AA-1", holder="ann")
    CouponFactory(campaign=campaign, code="aa_2", status="void")
    Coupon.objects.filter(pk=CouponFactory(campaign=campaign, code="BB-3").pk).update(used_count=1)

    def found(query):
        return sorted(codes_in(api.get(f"{path}?{query}")))

    assert found("search=aa") == ["AA-1", "aa_2"]
    assert found("search=aa_") == ["aa_2"]
    assert found("status=void") == ["aa_2"]
    assert (found("used=true"), found("used=false")) == (["BB-3"], ["AA-1", "aa_2"])
    assert (found("handed_out=true"), found("handed_out=false")) == (["AA-1"], ["BB-3", "aa_2"])
    assert api.get(f"{path}?status=gone").status_code == 400


def test_a_list_goes_on_by_cursor(api, campaign, path):
    for number in range(5):
        CouponFactory(campaign=campaign, code=f"C{number}")

    first = api.get(f"{path}?limit=3").json()
    rest = api.get(f"{path}?limit=3&cursor={first['pagination']['next_cursor']}").json()

    ids = [coupon["id"] for page in (first, rest) for coupon in page["data"]]
    assert (len(ids), ids) == (5, sorted(ids))


def test_a_shared_coupon_shows_what_its_campaign_allows(api):
    campaign = CouponCampaignFactory(account=api.account, kind="group", max_count=500)
    CouponFactory(campaign=campaign)

    assert api.get(f"{BASE}/{campaign.pk}/coupons").json()["data"][0]["max_count"] == 500


def test_notes_are_changed_and_a_lost_update_is_refused(api, campaign, path):
    coupon = CouponFactory(campaign=campaign)
    seen = api.get(f"{path}/{coupon.pk}")

    changed = api.patch(f"{path}/{coupon.pk}", json={"notes": "for Ann", "extradata": {"till": 4}})
    late = api.patch(f"{path}/{coupon.pk}", json={"notes": ""}, headers={"If-Match": seen.headers["ETag"]})

    assert (changed.json()["notes"], changed.json()["extradata"]) == ("for Ann", {"till": 4})
    assert late.status_code == 412
    assert api.patch(f"{path}/{coupon.pk}", json={"notes": ""}).json()["notes"] is None
    assert api.patch(f"{path}/{coupon.pk}", json={"code": "OTHER"}).status_code == 400


def test_a_coupon_is_switched_off_and_on_and_voided_for_good(api, campaign, path):
    move = f"{path}/{CouponFactory(campaign=campaign).pk}/transition"

    def states(*events):
        return [api.post(move, json={"event": event}).json().get("status") for event in events]

    assert states("deactivate", "activate", "void") == ["inactive", "active", "void"]
    late = api.post(move, json={"event": "activate"})
    assert (late.status_code, late.json()["details"]["allowed"]) == (409, [])
    assert api.post(move, json={"event": "burn"}).status_code == 400


def test_moving_a_coupon_asks_for_the_right_to_money(api, campaign, path):
    author = caller(Role.MARKETING, account=api.account)
    move = f"{path}/{CouponFactory(campaign=campaign).pk}/transition"

    assert author.post(move, json={"event": "void"}).status_code == 403


@pytest.mark.parametrize(
    ("kind", "code"), [("qr", "camp-ABC"), ("qr", "héé\N{PARTY POPPER}"), ("barcode", "a <b>&\"'~")]
)
def test_a_code_is_drawn_for_a_till(api, campaign, path, kind, code):
    coupon = CouponFactory(campaign=campaign, code=code)

    answer = api.get(f"{path}/{coupon.pk}/picture?kind={kind}")

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/svg+xml")
    assert b"<svg" in answer.content
    assert b"<b>" not in answer.content


def test_a_code_that_no_barcode_holds_is_told_so(api, campaign, path):
    coupon = CouponFactory(campaign=campaign, code="né")

    answer = api.get(f"{path}/{coupon.pk}/picture?kind=barcode")
    assert (answer.status_code, answer.json()["code"]) == (422, "no_barcode")
    assert api.get(f"{path}/{coupon.pk}/picture?kind=pdf").status_code == 400


def test_coupons_are_found_in_their_own_campaign_and_account_only(api, neighbour, campaign, path):
    coupon, other = CouponFactory(campaign=campaign), CouponCampaignFactory(account=api.account)

    assert api.get(f"{BASE}/{other.pk}/coupons/{coupon.pk}").status_code == 404
    assert neighbour.get(f"{path}/{coupon.pk}").status_code == 404
    assert neighbour.post(f"{path}/{coupon.pk}/transition", json={"event": "void"}).status_code == 404
    assert api.get(f"{path}/not-an-id").status_code == 404
