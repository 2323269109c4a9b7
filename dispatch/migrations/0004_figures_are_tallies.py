from django.db import migrations

COUNTED_BEFORE = """
INSERT INTO dispatch_webhooktally (account_id, webhook_id, stripe, events, last_event_at)
SELECT account_id, id, 0, events_received, last_event_at FROM dispatch_webhookconnection WHERE events_received > 0;
-- What is still to be checked would hold up the change of the table.
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED
"""
COUNTED_SINCE = """
UPDATE dispatch_webhookconnection SET events_received = t.n, last_event_at = t.last
FROM (SELECT webhook_id, sum(events) AS n, max(last_event_at) AS last FROM dispatch_webhooktally GROUP BY 1) t
WHERE id = t.webhook_id
"""


class Migration(migrations.Migration):

    dependencies = [
        ('dispatch', '0003_tallies'),
    ]

    operations = [
        migrations.RunSQL(COUNTED_BEFORE, reverse_sql=COUNTED_SINCE),
        migrations.RemoveField(
            model_name='webhookconnection',
            name='events_received',
        ),
        migrations.RemoveField(
            model_name='webhookconnection',
            name='last_event_at',
        ),
    ]
