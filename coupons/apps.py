from django.apps import AppConfig


class CouponsConfig(AppConfig):
    name = "coupons"
    verbose_name = "Coupons"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from coupons import shopify_codes, shopify_sending
        from dispatch import lane

        lane.register(shopify_codes.LANE, shopify_sending.shopify_lane)
        # Each registers what its jobs run.
        from coupons import filing, importing, making  # noqa: F401
        from coupons.pools import Pools
        from crm import codes

        codes.register(Pools())
        _follow()


def _follow() -> None:
    """Who is counted here is one person with who they become, and may ask for what is known of them."""
    from coupons import telling
    from coupons.models import CouponCampaign, CouponShare, CouponUse
    from crm.customers import exporting, guests

    guests.also(guests.Ledger.of(CouponCampaign, CouponShare, CouponUse, "campaign_id"))
    exporting.also("coupon_uses", telling.uses)
    exporting.also("coupon_shares", telling.shares)
