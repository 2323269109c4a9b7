"""Whom WhatsApp reached with marketing, by their number, whatever it was sent from."""

from django.db import migrations, models

# For the gates of other channels. Step by step, by their indexes: a join that was planned while the tables were young
# would read all of them.
LAST = """
CREATE OR REPLACE FUNCTION crm_reached_elsewhere(account bigint, number text) RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
    RETURN (
        SELECT max(x.called_at) FROM campaigns_message_attempt x
        WHERE x.address = number AND x.called_at > now() - interval '24 hours' AND x.account_id = account
          AND x.state IN ('calling', 'unknown', 'accepted') AND (
            SELECT (SELECT t.campaign_type FROM campaigns t WHERE t.id = theirs.campaign_id) = 'marketing'
               AND NOT (SELECT b.test_send FROM campaigns_broadcast b WHERE b.id = theirs.broadcast_id)
            FROM campaigns_campaignleadmessage theirs WHERE theirs.id = x.row_id));
END
$$;
"""
UNLEARN = """
DROP FUNCTION crm_reached_elsewhere(bigint, text);
CREATE FUNCTION crm_reached_elsewhere(account bigint, number text) RETURNS timestamptz LANGUAGE sql
AS 'SELECT NULL::timestamptz';
"""


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0005_one_live_attempt_again"),
        ("crm", "0024_one_marketing_message_over_all_channels"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="messageattempt", name="message_attempt_pair"),
        migrations.AddIndex(
            model_name="messageattempt",
            index=models.Index(fields=["address", "called_at"], name="message_attempt_to"),
        ),
        migrations.RunSQL(LAST, UNLEARN),
    ]
