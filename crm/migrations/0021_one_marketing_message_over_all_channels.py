"""The cap of one marketing message in 24 hours holds over what floors above send, too.

They replace `crm_reached_elsewhere` and ask `crm_last_marketing`. Who sends to a phone number's owner holds the lock
7310004 on the number; a customer has the lock 7310003 besides, for channels that know them by something else.
"""

from django.db import migrations

LAST = """
CREATE FUNCTION crm_reached_elsewhere(account bigint, number text) RETURNS timestamptz LANGUAGE sql
AS 'SELECT NULL::timestamptz';
CREATE FUNCTION crm_last_marketing(account bigint, hashed text) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    latest timestamptz;
    known record;
BEGIN
    -- Step by step, by their indexes: while the tables are young, a join would be planned to read all of them.
    FOR known IN SELECT id FROM crm_customer c
        WHERE c.account_id = account AND c.phone_hash = hashed AND NOT (c.phone_hash = '')
    LOOP
        latest := greatest(latest, (
            SELECT max((SELECT max(x.called_at) FROM crm_delivery_attempt x WHERE x.row_id = d.id
                AND x.state IN ('calling', 'unknown', 'accepted') AND x.called_at > now() - interval '24 hours'))
            FROM crm_delivery d WHERE d.customer_id = known.id
                AND (SELECT c.type FROM crm_marketingcampaign c WHERE c.id = d.campaign_id) <> 'transactional'));
    END LOOP;
    RETURN latest;
END
$$;
"""
ASK = """
CREATE OR REPLACE FUNCTION crm_one_marketing_message_a_day() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    person bigint;
    number text;
BEGIN
    SELECT d.customer_id, p.phone INTO person, number FROM crm_delivery d
    JOIN crm_marketingcampaign c ON c.id = d.campaign_id JOIN crm_customer p ON p.id = d.customer_id
    WHERE d.id = NEW.row_id AND c.type <> 'transactional';
    IF person IS NULL THEN
        RETURN NEW;
    END IF;
    -- Never waits: two lanes hold people in different orders.
    IF NOT pg_try_advisory_xact_lock(7310003, hashint8(person)) THEN
        RETURN NULL;
    END IF;
    IF number <> '' AND NOT pg_try_advisory_xact_lock(7310004, hashtext(NEW.account_id || number)) THEN
        RETURN NULL;
    END IF;
    -- A statement of its own, so that it sees what was committed before we got the locks.
    PERFORM FROM crm_delivery other
    JOIN crm_delivery_attempt x ON x.row_id = other.id
    JOIN crm_marketingcampaign c ON c.id = other.campaign_id
    WHERE other.customer_id = person AND other.id <> NEW.row_id AND c.type <> 'transactional'
      AND x.state IN ('calling', 'unknown', 'accepted') AND x.called_at > now() - interval '24 hours';
    IF FOUND OR (number <> '' AND crm_reached_elsewhere(NEW.account_id, number) IS NOT NULL) THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$$;
"""
FORGET = """
DROP FUNCTION crm_last_marketing(bigint, text);
"""


class Migration(migrations.Migration):
    dependencies = [("crm", "0020_a_trial_has_a_known_status")]

    operations = [migrations.RunSQL(LAST, FORGET), migrations.RunSQL(ASK, migrations.RunSQL.noop)]
