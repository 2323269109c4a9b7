"""The cap of one marketing message in 24 hours holds over what floors above send, too.

They replace `crm_reached_elsewhere`. Whoever sends to a phone number's owner holds the lock 7310007 on the number
(`dispatch.statements.PERSON_LOCK`); a customer has the lock 7310003 besides, for channels that know them by something
else.
"""

from django.db import migrations

LAST = """
CREATE FUNCTION crm_reached_elsewhere(account bigint, number text) RETURNS timestamptz LANGUAGE sql
AS 'SELECT NULL::timestamptz';
"""
FORGET = "DROP FUNCTION crm_reached_elsewhere(bigint, text);"
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
    IF number <> '' AND NOT pg_try_advisory_xact_lock(7310007, hashtext(NEW.account_id || number)) THEN
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


class Migration(migrations.Migration):
    dependencies = [("crm", "0023_suppressions_by_address")]

    operations = [migrations.RunSQL(LAST, FORGET), migrations.RunSQL(ASK, migrations.RunSQL.noop)]
