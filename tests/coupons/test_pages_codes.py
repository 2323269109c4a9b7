"""A campaign's codes as merchants see, make and void them; no page needs JavaScript."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.roles import Role
from campaigns_project import jobs
from coupons.models import Coupon
from tests.coupons.factories import CouponCampaignFactory, CouponFactory
from tests.factories import CustomerFactory
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(api):
    return CouponCampaignFactory(account=api.account, name="Autumn", prefix="au-")


@pytest.fixture
def author(api):
    client = Client()
    client.force_login(caller(Role.MARKETING, account=api.account).user)
    return client


def at(campaign, rest="codes"):
    return f"/coupons/{campaign.pk}/{rest}"


def text(answer):
    return answer.content.decode()


def run_all():
    while jobs.run_due():
        pass


def test_codes_are_asked_for_and_shown_once_they_are_made(page, campaign):
    begun = page.post(at(campaign, "codes/new"), {"quantity": "3", "act": "make"})
    waiting = text(page.get(at(campaign)))
    run_all()
    made = text(page.get(at(campaign)))

    assert (begun.status_code, begun["Location"]) == (303, at(campaign))
    assert "0 of 3 codes" in waiting
    assert "data-live" in waiting
    assert "data-live=" not in made
    assert all(coupon.code in made for coupon in campaign.coupons.all())
    assert made.count(">au-") == 3


def test_the_moving_part_comes_alone(page, campaign):
    page.post(at(campaign, "codes/new"), {"quantity": "3", "act": "make"})

    moving = text(page.get(at(campaign, "codes/live")))

    assert "0 of 3 codes" in moving
    assert "<html" not in moving


def test_own_codes_are_uploaded_and_refused_rows_are_offered(page, campaign):
    file = SimpleUploadedFile("ours.csv", b"code\nMine\nmine\n", content_type="text/csv")

    begun = page.post(at(campaign, "codes/new"), {"file": file, "act": "upload"})
    run_all()
    shown = text(page.get(at(campaign)))

    assert begun.status_code == 303
    assert ">Mine</a>" in shown
    assert "1 refused." in shown
    assert "/errors" in shown


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"quantity": "0", "act": "make"}, "greater than or equal to 1"),
        ({"act": "upload"}, "This field is required."),
        ({"file": SimpleUploadedFile("a.csv", b"shop\nNorth\n"), "act": "upload"}, "one column of codes"),
    ],
)
def test_what_cannot_be_begun_is_said_beside_the_form(page, campaign, given, says):
    answer = page.post(at(campaign, "codes/new"), given)

    assert answer.status_code == 400
    assert says in text(answer)
    assert not jobs.due().exists()


def test_an_archived_campaign_offers_no_codes(page, api):
    campaign = CouponCampaignFactory(account=api.account, status="archived")

    assert "codes/new" not in text(page.get(at(campaign)))
    answer = page.post(at(campaign, "codes/new"), {"quantity": "1", "act": "make"})
    assert (answer.status_code, "history" in text(answer)) == (400, True)


def test_codes_are_found_by_how_they_begin_and_by_what_became_of_them(page, campaign):
    CouponFactory(campaign=campaign, code="AB-1", holder="somebody")
    CouponFactory(campaign=campaign, code="ab-2", status="void")
    Coupon.objects.filter(pk=CouponFactory(campaign=campaign, code="ZZ-3").pk).update(used_count=1)

    def found(query):
        shown = text(page.get(f"{at(campaign)}?{query}"))
        return [code for code in ("AB-1", "ab-2", "ZZ-3") if code in shown]

    assert found("q=ab") == ["AB-1", "ab-2"]
    assert found("show=unused") == ["AB-1"]
    assert (found("show=used"), found("show=void")) == (["ZZ-3"], ["ab-2"])
    assert (found("show=handed-out"), found("show=inactive")) == (["AB-1"], [])
    assert found("show=nonsense") == ["AB-1", "ab-2", "ZZ-3"]
    assert "No such code" in text(page.get(f"{at(campaign)}?q=nothing"))


def test_one_code_shows_who_holds_it_and_its_pictures(page, campaign):
    customer = CustomerFactory(account=campaign.account)
    coupon = CouponFactory(campaign=campaign, code="AB-1", holder=customer.public_id, handed_at="2026-01-01T10:00Z")
    here = at(campaign, f"codes/{coupon.pk}")

    shown = text(page.get(here))

    assert f"/people/{customer.public_id}" in shown
    for kind in ("qr", "barcode"):
        assert f"{here}/{kind}" in shown
        assert page.get(f"{here}/{kind}")["Content-Type"] == "image/svg+xml"
    assert page.get(f"{here}/pdf").status_code == 404


def test_a_code_that_no_barcode_holds_shows_the_qr_code_alone(page, campaign):
    here = at(campaign, f"codes/{CouponFactory(campaign=campaign, code='né').pk}")

    assert f"{here}/barcode" not in text(page.get(here))
    assert page.get(f"{here}/barcode").status_code == 404


def test_a_code_is_noted_switched_off_and_on_and_voided_after_a_question(page, campaign):
    coupon = CouponFactory(campaign=campaign)
    here = at(campaign, f"codes/{coupon.pk}")

    def state():
        return Coupon.objects.get(pk=coupon.pk).status

    page.post(here, {"notes": "for Ann"})
    assert Coupon.objects.get(pk=coupon.pk).notes == "for Ann"
    page.post(here, {"act": "deactivate"})
    assert state() == "inactive"
    page.post(here, {"act": "activate"})
    assert state() == "active"
    assert "It cannot be undone" in text(page.get(f"{here}/void"))
    assert page.post(f"{here}/void").status_code == 303
    assert state() == "void"
    assert page.post(f"{here}/void").status_code == 409


def test_notes_that_are_too_long_are_refused(page, campaign):
    answer = page.post(at(campaign, f"codes/{CouponFactory(campaign=campaign).pk}"), {"notes": "n" * 501})

    assert answer.status_code == 400


def test_an_author_makes_codes_and_does_not_move_them(author, campaign):
    coupon = CouponFactory(campaign=campaign)
    here = at(campaign, f"codes/{coupon.pk}")

    assert author.post(at(campaign, "codes/new"), {"quantity": "1", "act": "make"}).status_code == 303
    assert author.post(here, {"act": "deactivate"}).status_code == 403
    assert author.post(f"{here}/void").status_code == 403
    assert "Void…" not in text(author.get(here))


def test_a_neighbours_codes_do_not_exist(page):
    coupon = CouponFactory()

    for rest in ("codes", "codes/new", "codes/live", f"codes/{coupon.pk}", f"codes/{coupon.pk}/qr"):
        assert page.get(at(coupon.campaign, rest)).status_code == 404
