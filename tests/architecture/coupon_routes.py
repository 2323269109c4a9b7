"""The addresses of coupons, with the permission each takes (spec: api › Roles)."""

COUPON_CAMPAIGNS = "api/platform/v1/coupon_campaigns"
COUPONS = "api/platform/v1/coupons"
ONE = f"{COUPON_CAMPAIGNS}/<str:campaign_id>"
API = {
    f"GET {COUPON_CAMPAIGNS}": "view",
    f"POST {COUPON_CAMPAIGNS}": "author",
    f"GET {ONE}": "view",
    f"PATCH {ONE}": "author",
    f"DELETE {ONE}": "author",
    f"GET {ONE}/export_coupons": "view",
    f"POST {ONE}/exports": "author",
    f"GET {ONE}/exports/<str:job_id>": "author",
    f"GET {ONE}/limits": "view",
    f"PUT {ONE}/limits": "author",
    f"POST {COUPON_CAMPAIGNS}/search": "view",
    f"POST {ONE}/search": "view",
    # Whoever may look may ask; the event itself then asks for more.
    f"POST {ONE}/transition": "view",
    f"GET {ONE}/redemptions": "view",
    **{f"POST {COUPONS}/<path:code>/{verb}": "money" for verb in ("validate", "redeem", "reserve")},
    **{f"POST {COUPONS}/reservations/<str:reservation_id>/{verb}": "money" for verb in ("commit", "release")},
    f"POST {COUPONS}/redemptions/<str:redemption_id>/rollback": "money",
    f"GET {ONE}/shopify": "view",
    f"POST {ONE}/shopify": "send",
    f"GET {ONE}/coupons": "view",
    f"POST {ONE}/coupons": "author",
    f"POST {ONE}/coupons/import": "author",
    f"GET {ONE}/coupons/<str:coupon_id>": "view",
    f"PATCH {ONE}/coupons/<str:coupon_id>": "author",
    f"POST {ONE}/coupons/<str:coupon_id>/transition": "view",
    f"GET {ONE}/coupons/<str:coupon_id>/picture": "view",
}
PAGE = "coupons/<uuid:campaign_id>"
PAGES = {
    *("coupons", "coupons/new", PAGE, f"{PAGE}/confirm/<slug:action>", f"{PAGE}/decide"),
    *(f"{PAGE}/export", f"{PAGE}/exports", f"{PAGE}/exports/<slug:job_id>", "search"),
    *(f"{PAGE}/shopify", f"{PAGE}/shopify/live"),
    *(f"{PAGE}/edit/review", f"{PAGE}/edit/<slug:step>"),
    *(f"{PAGE}/codes{rest}" for rest in ("", "/live", "/new", "/<uuid:coupon_id>")),
    *(f"{PAGE}/redemptions{rest}" for rest in ("", "/<uuid:use_id>/rollback")),
    *(f"{PAGE}/codes/<uuid:coupon_id>/{rest}" for rest in ("void", "<slug:kind>")),
}
