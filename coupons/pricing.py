"""What a coupon takes off a cart, in whole minor units, as SQL over a row of `coupons` and a row of what is `asked`.

`asked.basket` is JSON: `lines` ([{product_id, variant_id, amount}], together the cart), or just `product_ids` and
`variant_ids`. Half a minor unit and more is rounded up, once, for the whole discount; the lines share exactly that.
"""

from __future__ import annotations

_IS_FOR = "(coupon.{0} IS NULL OR line.{0} = coupon.{0})"
_NAMES = "(coupon.{0} IS NULL OR asked.basket -> '{0}s' ? coupon.{0})"
_LINE = "AS line(product_id text, variant_id text, amount bigint)"
_FITS, _NAMED = (" AND ".join(each.format(name) for name in ("product_id", "variant_id")) for each in (_IS_FOR, _NAMES))

# What the discount is taken from; NULL when nothing in the cart is what the coupon is for. Where only ids are told, a
# cart that has one of them counts whole.
ELIGIBLE = f"""
    CASE WHEN asked.basket ? 'lines' THEN (
        SELECT sum(line.amount)::bigint FROM jsonb_to_recordset(asked.basket -> 'lines') {_LINE} WHERE {_FITS})
    WHEN {_NAMED} THEN asked.cart_value END"""  # noqa: S608 (names of our own)

# LEAST passes over NULL, so the kind is asked first: an unknown one gives nothing.
DISCOUNT = """
    CASE coupon.discount_type
        WHEN 'percentage' THEN least(eligible.amount, (eligible.amount * coupon.discount_value + 50) / 100)
        WHEN 'flat' THEN least(eligible.amount, coupon.discount_value) END"""

# The lines as they were told, each with its share: rounded down, and what is left goes one by one to the largest
# remainders, the first line first. A share is never more than its line.
LINES = f"""
    CASE WHEN asked.basket ? 'lines' THEN (
        SELECT jsonb_agg(share.told || jsonb_build_object('discount',
            share.whole + (share.place <= worth.discount - share.given)::int) ORDER BY share.n)
        FROM (
            SELECT part.told, part.n, div(part.due, eligible.amount)::bigint AS whole,
                sum(div(part.due, eligible.amount)) OVER () AS given,
                row_number() OVER (ORDER BY mod(part.due, eligible.amount) DESC, part.n) AS place
            FROM (
                SELECT element.told, element.n,
                    CASE WHEN {_FITS} THEN line.amount ELSE 0 END * worth.discount::numeric AS due
                FROM jsonb_array_elements(asked.basket -> 'lines') WITH ORDINALITY AS element(told, n)
                CROSS JOIN LATERAL jsonb_to_record(element.told) {_LINE}
            ) AS part
        ) AS share
        WHERE eligible.amount > 0) END"""  # noqa: S608 (names of our own)
