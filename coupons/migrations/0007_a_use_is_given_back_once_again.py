"""A use of a coupon is given back once, again.

Altering the foreign key `reversal_of` in 0003 dropped the unique index on its column, which was not the key's own (see
campaigns 0005).
"""

from django.db import migrations

ONCE = """
CREATE UNIQUE INDEX IF NOT EXISTS coupon_use_is_given_back_once ON coupons_couponuse (reversal_of_id)
WHERE quantity = -1;
"""


class Migration(migrations.Migration):
    dependencies = [("coupons", "0006_shopify_shelf")]

    operations = [migrations.RunSQL(ONCE, migrations.RunSQL.noop)]
