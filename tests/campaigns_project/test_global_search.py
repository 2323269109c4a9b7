"""The one search box finds campaigns of every kind and any code, and nothing of anybody else's."""

import pytest

from tests.coupons.factories import CouponCampaignFactory, CouponFactory
from tests.factories import MarketingCampaignFactory, PromoFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def found(api, page):
    """The page of a search, with one of everything there is to find."""
    campaign = CouponCampaignFactory(account=api.account, name="Harbour night", prefix="HN-")
    CouponFactory(campaign=campaign, code="HN-7Q4K <b>")
    CouponFactory(campaign=CouponCampaignFactory(name="Harbour theirs"), code="HN-THEIRS")
    MarketingCampaignFactory(account=api.account, name="Harbour letter")
    PromoFactory(account=api.account, code="HARBOUR20")
    PromoFactory(code="HARBOURTHEIRS")

    def search(words):
        answer = page.get("/search", {"q": words})
        assert answer.status_code == 200
        return answer.content.decode(), campaign

    return search


def test_a_name_finds_campaigns_of_every_kind_and_promo_codes(found):
    shown, campaign = found("harbour")

    assert f'href="/coupons/{campaign.pk}"' in shown
    assert all(name in shown for name in ("Harbour night", "Harbour letter", "HARBOUR20"))
    assert "theirs" not in shown.lower()


@pytest.mark.parametrize("words", ["hn-7q4k <b>", "HN-7", "hn-"])
def test_any_code_is_found_by_how_it_begins_in_any_case(found, words):
    shown, campaign = found(words)

    assert "HN-7Q4K &lt;b&gt;" in shown
    assert f'href="/coupons/{campaign.pk}/codes/{campaign.coupons.get().pk}"' in shown
    assert "HN-THEIRS" not in shown


def test_what_is_nowhere_is_said_to_be_nowhere(found):
    assert "Nothing found" in found("nowhere to be seen")[0]
    assert "Nothing found" not in found("")[0]
    assert "Nothing found" in found("%_\\")[0]


def test_the_box_stands_on_every_page(page):
    assert 'action="/search"' in page.get("/coupons").content.decode()
