"""Nobody gets two marketing messages in 24 hours, whichever senders call at the same moment.

The lanes ask before they open a call; two that ask at once would both find nothing. So the attempt itself asks again,
under a lock of its person. Who does not get the lock, or finds a call, opens nothing and is asked again later.
"""

from django.db import migrations

ASK = """
CREATE FUNCTION crm_one_marketing_message_a_day() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    person bigint;
BEGIN
    SELECT d.customer_id INTO person FROM crm_delivery d JOIN crm_marketingcampaign c ON c.id = d.campaign_id
    WHERE d.id = NEW.row_id AND c.type <> 'transactional';
    IF person IS NULL THEN
        RETURN NEW;
    END IF;
    -- Never waits: two lanes hold people in different orders.
    IF NOT pg_try_advisory_xact_lock(7310003, hashint8(person)) THEN
        RETURN NULL;
    END IF;
    -- A statement of its own, so that it sees what was committed before we got the lock.
    PERFORM FROM crm_delivery other
    JOIN crm_delivery_attempt x ON x.row_id = other.id
    JOIN crm_marketingcampaign c ON c.id = other.campaign_id
    WHERE other.customer_id = person AND other.id <> NEW.row_id AND c.type <> 'transactional'
      AND x.state IN ('calling', 'unknown', 'accepted') AND x.called_at > now() - interval '24 hours';
    IF FOUND THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER crm_one_marketing_message_a_day BEFORE INSERT ON crm_delivery_attempt
FOR EACH ROW WHEN (NEW.state = 'calling') EXECUTE FUNCTION crm_one_marketing_message_a_day();
"""
FORGET = """
DROP TRIGGER crm_one_marketing_message_a_day ON crm_delivery_attempt;
DROP FUNCTION crm_one_marketing_message_a_day();
"""


class Migration(migrations.Migration):
    dependencies = [("crm", "0007_attribution")]

    operations = [migrations.RunSQL(ASK, FORGET)]
