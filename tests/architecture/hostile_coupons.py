"""How rows about coupon campaigns are asked: each event of a campaign of its own, in the state the row names."""

from __future__ import annotations

from datetime import timedelta

from coupons.models import CouponCampaign
from tests.coupons.factories import CouponCampaignFactory

BASE = "/api/platform/v1/coupon_campaigns"


def ask(who, given):
    campaign = CouponCampaignFactory(account=who.account, status=given.get("from", "draft"))
    before, born = CouponCampaign.machine.moves.objects.count(), campaign.status
    body = {"ends_at": (campaign.ends_at - timedelta(days=1)).isoformat()} if "ends_at" in given else {}
    events = [given["event"]] if isinstance(given["event"], str) else given["event"] * given["parallel"]
    address = f"{BASE}/{given.get('target', campaign.pk)}/transition"
    # One after the other here; at once, over real connections: tests/lifecycle/test_races.py.
    answers = [who.post(address, json={"event": event} | body) for event in events]
    accepted = sum(answer.status_code == 200 for answer in answers)
    history = CouponCampaign.machine.moves.objects.filter(row_id=campaign.pk).order_by("id")
    assert CouponCampaign.machine.moves.objects.count() - before == accepted
    assert CouponCampaign.objects.get(pk=campaign.pk).status == (history.last().target if accepted else born)
    return answers
