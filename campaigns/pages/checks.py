"""The list before a send: what is in order, what is worth a look, what stands in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accounts.merchant_progress import people
from accounts.models import Connection
from campaigns.models import Broadcast, Campaign, CampaignStatus
from campaigns.pages import words
from campaigns.pages.progress import left

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accounts.models import Account

Check = dict[str, Any]
WHY_NOT = {
    CampaignStatus.UNSUBMITTED: "Send it to WhatsApp for review first",
    CampaignStatus.RECEIVED: "Waits for WhatsApp's review",
    CampaignStatus.PENDING: "WhatsApp is looking at it",
    CampaignStatus.REJECTED: "WhatsApp refused it; write a new version",
    CampaignStatus.PAUSED: "WhatsApp paused it",
    CampaignStatus.DISABLED: "WhatsApp switched it off",
    CampaignStatus.ARCHIVED: "Archived",
}


def sendable(campaign: Campaign) -> bool:
    """Approved by WhatsApp and switched on."""
    return campaign.status == CampaignStatus.APPROVED and campaign.enabled_at is not None


def why_not(campaign: Campaign) -> str:
    """Why a template cannot be chosen; empty when it can."""
    return WHY_NOT.get(campaign.status, "" if sendable(campaign) else "Switched off")


def before_sending(broadcast: Broadcast, link: Connection | None) -> list[Check]:
    """The checks of step 4, from the draft's own preflight and the account's connection."""
    return [_template(broadcast), *_audience(broadcast), _variables(broadcast), *_connection(broadcast, link)]


def connection_of(account: Account) -> Connection | None:
    """What the account sends through."""
    return Connection.objects.for_account(account).filter(provider="twilio").first()


def _template(broadcast: Broadcast) -> Check:
    campaign = broadcast.campaign
    reason = why_not(campaign)
    detail = f"{campaign.get_campaign_type_display()}, {words.language(campaign.language)}."
    if reason:
        change = f"/campaigns/wa_{broadcast.pk}/edit/template"
        return {
            "ok": False,
            "title": "The template can’t be sent",
            "detail": f"{reason}.",
            "href": change,
            "action": "Change",
        }
    return {"ok": True, "title": "Template approved by WhatsApp", "detail": detail}


def _audience(broadcast: Broadcast) -> Iterator[Check]:
    found = broadcast.preflight
    net, out = found["audience"], sum(found["skips"].values())
    add = {"href": f"/campaigns/wa_{broadcast.pk}/edit/audience", "action": "Add people"}
    if not net:
        yield {"ok": False, "title": "Nobody will get it", "detail": "Add people first.", **add}
    else:
        yield {"ok": True, "title": f"{people(net)} will get it", "detail": f"Of {net + out:,} on the list."}
    if out:
        reasons = [f"{number:,} × {words.left_out(reason).lower()}" for reason, number in found["skips"].items()]
        where = {"href": f"/templates/{broadcast.campaign_id}/people", "action": "See list"}
        is_are = "is" if out == 1 else "are"
        yield {
            "ok": None,
            "title": f"{people(out)} {is_are} left out",
            "detail": f"{', '.join(reasons)}.",
            **where,
        }


def _variables(broadcast: Broadcast) -> Check:
    missing = broadcast.preflight["missing_variables"]
    number = len(broadcast.campaign.variables)
    if missing:
        fix = {"href": f"/campaigns/wa_{broadcast.pk}/edit/personalise", "action": "Fill in"}
        return {"ok": None, "title": "Some people have no value", "detail": f"For {', '.join(missing)}.", **fix}
    title = "Every variable has a value" if number else "The template has no variables"
    return {
        "ok": True,
        "title": title,
        "detail": f"{number} {'variable' if number == 1 else 'variables'}." if number else "",
    }


def _connection(broadcast: Broadcast, found: Connection | None) -> Iterator[Check]:
    account = broadcast.account
    if found is None or found.refused_at:
        why = "Twilio refused our credentials." if found else "Connect a WhatsApp number before you send."
        yield {"ok": False, "title": "No working WhatsApp number", "detail": why}
    else:
        yield {"ok": True, "title": "WhatsApp number connected", "detail": f"Sends from {found.sender}."}
    if account.status != "active":
        yield {
            "ok": False,
            "title": f"The account is {account.status}",
            "detail": "No message leaves until that is settled.",
        }


def how_long(broadcast: Broadcast, link: Connection | None) -> str:
    """How long it takes at the speed of the sender, or of the broadcast where that is slower."""
    rates = [rate for rate in (broadcast.rate_per_second, link and link.rate_per_second) if rate]
    return left(broadcast.preflight["audience"] / min(rates)) if rates else "a moment"
