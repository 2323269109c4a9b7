"""One live attempt a row, again.

Altering the foreign key `row` in 0002 dropped the unique index on its column, which was not the key's own: Django takes
every index of the column for it, except those in `Meta.indexes`. `IF NOT EXISTS`, because databases that were made
differently may have it still.
"""

from django.db import migrations

LIVE = """
CREATE UNIQUE INDEX IF NOT EXISTS one_live_attempt ON campaigns_message_attempt (row_id)
WHERE state IN ('calling', 'unknown', 'accepted');
"""


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0004_codes_of_a_pool")]

    operations = [migrations.RunSQL(LIVE, migrations.RunSQL.noop)]
