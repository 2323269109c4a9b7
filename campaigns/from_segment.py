"""A segment's members as leads, in slices by id: who is one already stays as they are, or becomes active again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection

from campaigns.authoring import check_newest
from campaigns.models import Campaign
from campaigns_project import jobs
from crm.audiences.segments import members_sql

if TYPE_CHECKING:
    from campaigns_project.models import Job
    from crm.models import Segment

KIND = "lead_segment"
SLICE = 5_000

_NEXT = f"""
SELECT customer.id, customer.phone <> '' FROM crm_customer customer
WHERE customer.id IN ({members_sql("%(segment)s")}) AND customer.id > %(after)s AND customer.account_id = %(account)s
    AND customer.erased_at IS NULL
ORDER BY customer.id LIMIT {SLICE}"""  # noqa: S608 (names of ours)

# The hash of a phone number is the same on every channel (crm.customers.consent).
_PEOPLE = """
INSERT INTO campaigns_conversationuser AS person (account_id, phone, address_hash, name, customer_id)
SELECT account_id, phone, phone_hash, '', id FROM crm_customer
WHERE id = ANY(%(people)s::bigint[]) AND NOT (phone = '')
ORDER BY phone
ON CONFLICT (account_id, phone) DO UPDATE SET customer_id = excluded.customer_id WHERE person.customer_id IS NULL"""

_LEADS = """
INSERT INTO campaigns_campaignlead AS lead (account_id, campaign_id, conversation_user_id, active, custom_variables)
SELECT person.account_id, %(campaign)s, person.id, true, '{}'
FROM crm_customer customer JOIN campaigns_conversationuser person
    ON person.account_id = customer.account_id AND person.phone = customer.phone
WHERE customer.id = ANY(%(people)s::bigint[]) AND NOT (customer.phone = '')
ORDER BY person.id
ON CONFLICT (account_id, campaign_id, conversation_user_id) DO UPDATE SET active = true WHERE NOT lead.active
RETURNING lead.xmax = 0"""


def add(campaign: Campaign, segment: Segment, *, by: Any) -> Job:
    """Make the members leads, as a job; `result` counts created, reactivated, unchanged and without_phone.

    Raises NotTheNewestVersion as `leads.add`.
    """
    check_newest(campaign)
    params = {"campaign": campaign.pk, "segment": segment.pk}
    return jobs.create(KIND, account=campaign.account, by=by, total=segment.size, params=params)


@jobs.runs(KIND)
def run_slice(job: Job) -> bool:
    """The next members; True when there are no more. Leads, progress and place commit together."""
    campaign = Campaign.objects.for_account(job.account_id).get(pk=job.params["campaign"])
    check_newest(campaign)
    asked = {"account": job.account_id, "segment": job.params["segment"], "after": job.params.get("after", 0)}
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, asked)
        found = cursor.fetchall()
        named: dict[str, Any] = {"campaign": campaign.pk, "people": [pk for pk, reachable in found if reachable]}
        cursor.execute(_PEOPLE, named)
        cursor.execute(_LEADS, named)
        born = [row[0] for row in cursor.fetchall()]
    created, changed, reachable = sum(born), len(born) - sum(born), len(named["people"])
    counted = {"created": created, "reactivated": changed, "unchanged": reachable - created - changed}
    counted["without_phone"] = len(found) - reachable
    jobs.progress(job, done=len(found))
    job.params["after"] = found[-1][0] if found else 0
    job.result = {name: job.result.get(name, 0) + count for name, count in counted.items()}
    job.save(update_fields=["params", "result"])
    return len(found) < SLICE
