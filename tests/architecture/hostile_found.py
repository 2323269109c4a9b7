"""Hostile searches among coupon campaigns, and hostile exports of coupons."""

from __future__ import annotations

import uuid

from coupons.models import CouponCampaign
from tests.architecture.world import OURS, THEIRS
from tests.coupons.factories import CouponCampaignFactory, CouponFactory

CAMPAIGNS = "/api/platform/v1/coupon_campaigns"


def _target(given):
    return uuid.UUID(given["target"]) if "target" in given else uuid.UUID(int=OURS)


def search(who, given):
    """Over all campaigns, or within the one that is named; of what was found nothing is anybody else's, or gone."""
    body = {name: value for name, value in given.items() if name not in ("kind", "target")}
    if body.get("query") == "<deleted name>":
        removed = CouponCampaignFactory(account=who.account, name="Deleted name")
        removed.delete()
        body["query"] = removed.name
    path = f"{CAMPAIGNS}/{_target(given)}/search" if "target" in given else f"{CAMPAIGNS}/search"
    answer = who.post(path, json=body)
    if answer.status_code == 200:
        ours = set(map(str, CouponCampaign.objects.filter(account=OURS).values_list("pk", flat=True)))
        assert {one["id"] for one in answer.json()["data"]} <= ours
    return [answer]


def export(who, given):
    """How the file reads, how large it may be, and what a client that leaves ends: tests/coupons/test_exporting.py."""
    campaign = CouponCampaign.objects.filter(pk=_target(given)).first()
    if campaign.account_id != THEIRS:
        campaign.name = given.get("name", campaign.name)
        campaign.save()
        for code in given.get("codes", []):
            CouponFactory(campaign=campaign, code=code.replace("\0", ""))
    answer = who.get(f"{CAMPAIGNS}/{campaign.pk}/export_coupons")
    if answer.status_code == 200:
        assert b"".join(answer.streaming_content).startswith(b"id,account_id")
        name = answer["Content-Disposition"].removeprefix('attachment; filename="').removesuffix('"')
        assert name.isascii()
        assert '"' not in name
    return [answer]
