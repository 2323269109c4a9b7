"""Coupon campaigns: their list, one of them, and its way through its states."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import transaction
from rest_framework.response import Response

from accounts.roles import Permission
from campaigns_project.api import Door, MomentField, listed
from campaigns_project.refusals import CampaignNotFound, Forbidden
from coupons import campaigning, opening
from coupons.api import shapes
from coupons.models import CouponCampaign, CouponCampaignStatus
from lifecycle.api import Transitions

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request


def uuid_of(text: str) -> uuid.UUID:
    """The id an address names, spelled as we spell it. Raises CampaignNotFound: anything else is nobody's."""
    try:
        found = uuid.UUID(text)
    except ValueError:
        raise CampaignNotFound from None
    if str(found) != text.lower():
        raise CampaignNotFound
    return found


class CouponCampaignDoor(Door):
    """A door to one coupon campaign, or to what is in it."""

    tag = "coupon campaigns"

    def ours(self) -> QuerySet[CouponCampaign]:
        return CouponCampaign.objects.for_account(self.account).select_related("account", "segment")

    def campaign(self, campaign_id: str, *, locked: bool = False) -> CouponCampaign:
        """The caller's campaign, its row locked if asked. Raises CampaignNotFound."""
        rows = self.ours().select_for_update(of=("self",)) if locked else self.ours()
        found: CouponCampaign = self.find(rows, pk=uuid_of(campaign_id))
        return found

    def to_edit(self, campaign_id: str) -> CouponCampaign:
        """The campaign, locked, as the caller last saw it; one that is open to customers asks for more than a draft."""
        campaign = self.campaign(campaign_id, locked=True)
        self.unchanged(campaign)
        if campaign.status != CouponCampaignStatus.DRAFT and not self.may(Permission.SEND):
            raise Forbidden
        return campaign

    def missing(self) -> CampaignNotFound:
        return CampaignNotFound()


class CouponCampaigns(CouponCampaignDoor):
    needs: ClassVar = {"POST": Permission.AUTHOR}
    queries: ClassVar = {"GET": shapes.CouponCampaignsQuery}
    bodies: ClassVar = {"POST": shapes.CouponCampaignInput}
    answers: ClassVar = {"GET": listed(shapes.CouponCampaignShape), "POST": (201, shapes.CouponCampaignShape)}

    def get(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """List coupon campaigns, the newest first."""
        wanted = {name: self.params[name] for name in ("status", "kind") if name in self.params}
        if "search" in self.params:
            wanted["name__icontains"] = self.params["search"]
        found = self.ours().filter(**wanted)
        return self.page(found, shape=shapes.CouponCampaignShape, order=("-created_at", "-id"))

    def post(self, request: Request) -> Response:
        """Create a coupon campaign, as a draft; its `single_use_quantity` codes are made in the background.

        409 `prefix_taken` for a prefix that another of your campaigns has.
        """
        campaign = campaigning.create(self.account, by=request.user, **self.data)
        return self.show(campaign, shapes.CouponCampaignShape, status=201)


class OneCouponCampaign(CouponCampaignDoor):
    needs: ClassVar = {"PATCH": Permission.AUTHOR, "DELETE": Permission.AUTHOR}
    bodies: ClassVar = {"PATCH": shapes.ChangeCouponCampaignInput}
    answers: ClassVar = {"GET": shapes.CouponCampaignShape, "PATCH": shapes.CouponCampaignShape}
    editable = True

    def get(self, request: Request, campaign_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show a coupon campaign."""
        return self.show(self.campaign(campaign_id), shapes.CouponCampaignShape)

    def patch(self, request: Request, campaign_id: str) -> Response:
        """Change a coupon campaign; its coupons take over its window and discount.

        Settings change key by key. A higher `single_use_quantity` makes the codes that are lacking, a lower one takes
        none away. The status is changed by `/transition` only. 409 `campaign_archived`.
        """
        with transaction.atomic():
            campaign = campaigning.change(self.to_edit(campaign_id), by=request.user, **self.data)
        return self.show(campaign, shapes.CouponCampaignShape)

    def delete(self, request: Request, campaign_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Delete a coupon campaign with all its coupons.

        409 `campaign_has_redemptions` once a coupon has been redeemed: archive it instead.
        """
        with transaction.atomic():
            campaigning.remove(self.to_edit(campaign_id))
        return Response(status=204)


class CouponLimits(CouponCampaignDoor):
    needs: ClassVar = {"PUT": Permission.AUTHOR}
    bodies: ClassVar = {"PUT": shapes.CouponLimitsInput}
    answers: ClassVar = {"GET": shapes.CouponLimitsShape, "PUT": shapes.CouponLimitsShape}
    editable = True

    def get(self, request: Request, campaign_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show what limits a coupon campaign beyond its settings."""
        return self.show(self.campaign(campaign_id), shapes.CouponLimitsShape)

    def put(self, request: Request, campaign_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Set the limits of a coupon campaign; null is no limit. They are ours, beside the eight settings."""
        with transaction.atomic():
            campaign = campaigning.limit(self.to_edit(campaign_id), **self.data)
        return self.show(campaign, shapes.CouponLimitsShape)


class MoveCouponCampaign(Transitions, CouponCampaignDoor):
    model = CouponCampaign
    shape = shapes.CouponCampaignShape
    pending = shapes.PendingActivationShape
    inputs: ClassVar = {opening.EXTEND: {"ends_at": MomentField(required=False)}}

    def post(self, request: Request, campaign_id: str) -> Response:
        """Move a coupon campaign into another state: activate, deactivate, extend_expiry_and_activate, archive.

        409 `campaign_not_ready` for one without dates or a discount. `extend_expiry_and_activate` takes `ends_at`,
        later than now and than before. `archive` is ours: the drawing has no way into that state. One
        that may cost more than one person decides answers 202 with the status `approval_pending`.
        """
        return super().post(request, uuid_of(campaign_id))

    def move(self, row: CouponCampaign, verb: str, *, by: Any, reason: str, **told: Any) -> Response | None:
        asked = opening.move(row, verb, by=by, reason=reason, **told)
        if asked is None:
            return None
        stake = {name: asked.summary[name] for name in ("uses", "amount")}
        return Response({"id": str(row.pk), "status": "approval_pending", **stake}, status=HTTPStatus.ACCEPTED)
