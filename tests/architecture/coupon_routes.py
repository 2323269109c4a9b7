"""The addresses of coupons, with the permission each takes (spec: api › Roles)."""

COUPON_CAMPAIGNS = "api/platform/v1/coupon_campaigns"
ONE = f"{COUPON_CAMPAIGNS}/<str:campaign_id>"
API = {
    f"GET {COUPON_CAMPAIGNS}": "view",
    f"POST {COUPON_CAMPAIGNS}": "author",
    f"GET {ONE}": "view",
    f"PATCH {ONE}": "author",
    f"DELETE {ONE}": "author",
    f"GET {ONE}/limits": "view",
    f"PUT {ONE}/limits": "author",
    # Whoever may look may ask; the event itself then asks for more.
    f"POST {ONE}/transition": "view",
}
PAGES: set[str] = set()
