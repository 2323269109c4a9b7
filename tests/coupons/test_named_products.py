"""What the settings of a coupon campaign name is in the catalogue."""

import pytest

from coupons.models import CouponCampaign
from tests.crm.catalogue_world import VariantFactory

pytestmark = pytest.mark.django_db
CAMPAIGNS = "/api/platform/v1/coupon_campaigns"


@pytest.mark.parametrize("what", ["product", "variant"])
def test_codes_are_bound_to_what_the_catalogue_has(api, what):
    ours, theirs = VariantFactory(product__account=api.account), VariantFactory()
    ids = [(each if what == "variant" else each.product).external_id for each in (ours, theirs)]
    field = f"single_use_{what}_id"

    answers = [
        api.post(CAMPAIGNS, json={"name": "Autumn", "kind": "single-use", "settings": {field: each}})
        for each in (*ids, "nobodys")
    ]

    assert [answer.status_code for answer in answers] == [201, 400, 400]
    said = {f"settings.{field}": [f"There is no such {what} in your catalogue."]}
    assert [answer.json()["details"] for answer in answers[1:]] == [said, said]
    assert CouponCampaign.objects.get().settings == {field: ids[0]}


def test_a_campaign_whose_product_has_gone_is_still_changed(api):
    variant = VariantFactory(product__account=api.account)
    settings = {"single_use_variant_id": variant.external_id}
    made = api.post(CAMPAIGNS, json={"name": "Autumn", "kind": "single-use", "settings": settings}).json()
    variant.delete()

    assert api.send("PATCH", f"{CAMPAIGNS}/{made['id']}", json={"name": "Winter"}).status_code == 200
