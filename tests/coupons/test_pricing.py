"""What a coupon takes off: whole minor units, rounded once, and the lines share exactly that."""

import json
from fractions import Fraction

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coupons import pricing

pytestmark = pytest.mark.django_db
QUOTE = f"""
SELECT eligible.amount, worth.discount, {pricing.LINES}
FROM (SELECT %s::text AS discount_type, %s::bigint AS discount_value, %s::text AS product_id, %s::text AS variant_id)
    AS coupon
CROSS JOIN (SELECT %s::bigint AS cart_value, %s::jsonb AS basket) AS asked
CROSS JOIN LATERAL (SELECT {pricing.ELIGIBLE} AS amount) AS eligible
CROSS JOIN LATERAL (SELECT {pricing.DISCOUNT} AS discount) AS worth"""
LINES = st.lists(st.tuples(st.sampled_from(["tea", "cake"]), st.integers(0, 10**12 // 20)), min_size=1, max_size=12)


def quote(kind, value, cart, *, product=None, variant=None, **basket):
    with connection.cursor() as cursor:
        cursor.execute(QUOTE, [kind, value, product, variant, cart, json.dumps(basket)])
        eligible, discount, lines = cursor.fetchone()
    return eligible, discount, lines and json.loads(lines)


def told(lines):
    return [{"product_id": product, "variant_id": f"{product}-1", "amount": amount} for product, amount in lines]


@pytest.mark.parametrize(
    ("kind", "value", "cart", "discount"),
    [
        ("percentage", 20, 46_80, 9_36),
        ("percentage", 10, 5, 1),  # 0.5 is rounded up,
        ("percentage", 10, 4, 0),  # 0.4 down
        ("percentage", 33, 99_99, 33_00),
        ("percentage", 100, 10**12, 10**12),
        ("flat", 15_00, 100_00, 15_00),
        ("flat", 15_00, 9_00, 9_00),
        ("flat", 15_00, 0, 0),
        ("bogo", 50, 100_00, None),
        (None, 50, 100_00, None),
        ("percentage", None, 100_00, 100_00),
    ],
)
def test_a_discount_is_reckoned_in_minor_units_and_never_more_than_the_cart(kind, value, cart, discount):
    assert quote(kind, value, cart)[:2] == (cart, discount)


@pytest.mark.parametrize(
    ("coupon", "basket", "eligible"),
    [
        ({"product": "tea"}, {"product_ids": ["cake", "tea"]}, 90),
        ({"product": "tea"}, {"product_ids": ["cake"]}, None),
        ({"product": "tea"}, {}, None),
        ({"variant": "tea-1"}, {"product_ids": ["tea"]}, None),
        ({"variant": "tea-1"}, {"variant_ids": ["tea-1"]}, 90),
        ({"product": "tea"}, {"lines": told([("tea", 20), ("cake", 60), ("tea", 10)])}, 30),
        ({"variant": "cake-1"}, {"lines": told([("tea", 20), ("cake", 70)])}, 70),
        ({"product": "tea"}, {"lines": told([("cake", 90)]), "product_ids": ["tea"]}, None),
        ({}, {"lines": told([("tea", 20), ("cake", 70)])}, 90),
    ],
)
def test_only_what_the_coupon_is_for_counts(coupon, basket, eligible):
    assert quote("percentage", 50, 90, **coupon, **basket)[0] == eligible


def test_what_is_left_over_goes_to_the_largest_remainders_and_the_first_line_first():
    shares = [
        [
            line["discount"]
            for line in quote("flat", discount, sum(amounts), lines=told([("tea", n) for n in amounts]))[2]
        ]
        for discount, amounts in ((100, [1, 1, 1][:3]), (10, [100, 100, 100]), (10, [50, 149, 101]))
    ]

    assert shares == [[1, 1, 1], [4, 3, 3], [2, 5, 3]]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["percentage", "flat"]), st.integers(1, 100), LINES, st.sampled_from([None, "tea"]))
def test_the_lines_share_exactly_the_discount(kind, value, lines, product):
    eligible, discount, shared = quote(kind, value, sum(n for _, n in lines), product=product, lines=told(lines))

    mine = [(amount if product in (None, name) else 0) for name, amount in lines]
    assert (eligible or 0) == sum(mine)
    if not eligible:
        assert shared is None
        return
    shares = [line["discount"] for line in shared]
    assert sum(shares) == discount
    for amount, share in zip(mine, shares, strict=True):
        assert 0 <= share <= amount
        assert abs(share - Fraction(discount * amount, eligible)) < 1
