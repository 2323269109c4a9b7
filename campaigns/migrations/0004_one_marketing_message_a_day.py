"""Nobody gets two marketing messages in 24 hours, by WhatsApp or anything else, whichever senders call at once.

The lane asks before it opens a call; two that ask at one moment would both find nothing. So the attempt itself asks
again, under a lock of its number. Who does not get the lock, or finds a call, opens nothing and is asked again later.
"""

from django.db import migrations

LAST = """
CREATE FUNCTION campaigns_last_marketing(account bigint, number text, but bigint) RETURNS timestamptz
LANGUAGE plpgsql AS $$
DECLARE
    person bigint;
BEGIN
    SELECT id INTO person FROM campaigns_conversationuser u WHERE u.account_id = account AND u.phone = number;
    -- By their indexes: while the tables are young, a join would be planned to read all of them.
    RETURN (
        SELECT max((SELECT max(x.called_at) FROM campaigns_message_attempt x WHERE x.row_id = other.id
            AND x.state IN ('calling', 'unknown', 'accepted') AND x.called_at > now() - interval '24 hours'))
        FROM campaigns_campaignleadmessage other
        WHERE other.conversation_user_id = person AND other.id <> but
            AND (SELECT t.campaign_type FROM campaigns t WHERE t.id = other.campaign_id) = 'marketing'
            AND NOT (SELECT b.test_send FROM campaigns_broadcast b WHERE b.id = other.broadcast_id));
END
$$;
CREATE OR REPLACE FUNCTION crm_reached_elsewhere(account bigint, number text) RETURNS timestamptz LANGUAGE sql
AS 'SELECT campaigns_last_marketing(account, number, 0)';
"""
ASK = """
CREATE FUNCTION campaigns_one_marketing_message_a_day() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    hashed text;
BEGIN
    SELECT m.address_hash INTO hashed FROM campaigns_campaignleadmessage m
    JOIN campaigns t ON t.id = m.campaign_id JOIN campaigns_broadcast b ON b.id = m.broadcast_id
    WHERE m.id = NEW.row_id AND t.campaign_type = 'marketing' AND NOT b.test_send;
    IF hashed IS NULL THEN
        RETURN NEW;
    END IF;
    -- Never waits: two senders hold people in different orders.
    IF NOT pg_try_advisory_xact_lock(7310004, hashtext(NEW.account_id || NEW.address)) THEN
        RETURN NULL;
    END IF;
    -- Statements of their own, so that they see what was committed before we got the lock.
    IF campaigns_last_marketing(NEW.account_id, NEW.address, NEW.row_id) IS NOT NULL
        OR crm_last_marketing(NEW.account_id, hashed) IS NOT NULL THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER campaigns_one_marketing_message_a_day BEFORE INSERT ON campaigns_message_attempt
FOR EACH ROW WHEN (NEW.state = 'calling') EXECUTE FUNCTION campaigns_one_marketing_message_a_day();
"""
FORGET = """
DROP TRIGGER campaigns_one_marketing_message_a_day ON campaigns_message_attempt;
DROP FUNCTION campaigns_one_marketing_message_a_day();
"""
UNLEARN = """
CREATE OR REPLACE FUNCTION crm_reached_elsewhere(account bigint, number text) RETURNS timestamptz LANGUAGE sql
AS 'SELECT NULL::timestamptz';
DROP FUNCTION campaigns_last_marketing(bigint, text, bigint);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0003_leaner_indexes"),
        ("crm", "0021_one_marketing_message_over_all_channels"),
    ]

    operations = [migrations.RunSQL(LAST, UNLEARN), migrations.RunSQL(ASK, FORGET)]
