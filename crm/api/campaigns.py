"""Marketing campaigns: their list, one of them, and what is done to it."""

from __future__ import annotations

from datetime import datetime, time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from django.db import transaction
from drf_spectacular.types import OpenApiTypes
from rest_framework.response import Response

from accounts.roles import Permission
from campaigns_project.api import ChoiceField, Door, Query, listed, page_of
from campaigns_project.refusals import CampaignNotFound
from crm.api import campaign_shapes as shapes
from crm.marketing import campaigning, launching, listing, metrics
from crm.models import Delivery, DeliveryStatus, LeftOut, MarketingCampaign, MarketingChannel

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request


class CampaignDoor(Door):
    tag = "marketing campaigns"

    def ours(self) -> QuerySet[MarketingCampaign]:
        return MarketingCampaign.objects.for_account(self.account).select_related("account", "segment", "promo")

    def campaign(self, campaign_id: str, *, locked: bool = False) -> MarketingCampaign:
        rows = self.ours().select_for_update(of=("self",)) if locked else self.ours()
        found: MarketingCampaign = self.find(rows, public_id=campaign_id.rstrip("/"))
        return found

    def missing(self) -> CampaignNotFound:
        return CampaignNotFound()

    def shown(self, campaign: Any, **how: Any) -> Response:
        campaign.sums = metrics.sums([campaign])[campaign.pk]
        return self.show(campaign, shapes.MarketingCampaignShape, **how)


class Campaigns(CampaignDoor):
    needs: ClassVar = {"POST": Permission.AUTHOR}
    queries: ClassVar = {"GET": shapes.CampaignsQuery}
    bodies: ClassVar = {"POST": shapes.MarketingCampaignInput}
    answers: ClassVar = {"GET": listed(shapes.MarketingLineShape), "POST": (201, shapes.MarketingCampaignShape)}

    def get(self, request: Request) -> Response:
        """List marketing campaigns, the newest first."""
        wanted = {name: self.params[name] for name in ("status", "type") if name in self.params}
        if "start_date" in self.params:
            zone = ZoneInfo(self.account.time_zone)
            wanted["starts_at__gte"] = datetime.combine(self.params["start_date"], time.min, tzinfo=zone)
        scope = f"{self.account.pk} {request.path.rstrip('/')}"
        page = page_of(self.ours().filter(**wanted), self.params, shape=lambda row: row, scope=scope)
        sums = metrics.sums(page["data"])
        for row in page["data"]:
            row.sums = sums[row.pk]
        page["data"] = shapes.MarketingLineShape(page["data"], many=True, context={"request": request}).data
        return Response(page)

    def post(self, request: Request) -> Response:
        """Create a marketing campaign, as a draft.

        400 `invalid_promo_code` for a code that is none, 422 `segment_too_large` for more people than a channel takes.
        """
        made = campaigning.create(
            self.account, by=request.user, may_make_promos=self.may(Permission.MONEY), **self.data
        )
        return self.shown(made, status=201)


class OneCampaign(CampaignDoor):
    needs: ClassVar = {"PATCH": Permission.AUTHOR, "DELETE": Permission.AUTHOR}
    bodies: ClassVar = {"PATCH": shapes.ChangeMarketingCampaignInput}
    answers: ClassVar = {"GET": shapes.MarketingCampaignShape, "PATCH": shapes.MarketingCampaignShape}
    editable = True

    def get(self, request: Request, campaign_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show a marketing campaign with all its metrics."""
        return self.shown(self.campaign(campaign_id))

    def patch(self, request: Request, campaign_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Change a draft or a scheduled campaign."""
        with transaction.atomic():
            campaign = self.campaign(campaign_id, locked=True)
            self.unchanged(campaign)
            return self.shown(campaigning.change(campaign, may_make_promos=self.may(Permission.MONEY), **self.data))

    def delete(self, request: Request, campaign_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Delete a draft."""
        with transaction.atomic():
            campaign = self.campaign(campaign_id, locked=True)
            self.unchanged(campaign)
            campaigning.remove(campaign)
        return Response(status=HTTPStatus.NO_CONTENT)


class CampaignStatus(CampaignDoor):
    needs: ClassVar = {"PATCH": Permission.SEND}
    bodies: ClassVar = {"PATCH": shapes.StatusInput}
    answers: ClassVar = {"PATCH": {200: shapes.MarketingCampaignShape, 202: shapes.PendingLaunchShape}}
    editable = True

    def patch(self, request: Request, campaign_id: str) -> Response:
        """Schedule, launch, pause, resume or complete a campaign, by the status it shall have.

        A launch that is large answers 202 with the status `approval_pending`: a second person decides.
        """
        with transaction.atomic():
            campaign = self.campaign(campaign_id, locked=True)
            self.unchanged(campaign)
            told = {"by": request.user, "reason": self.data.get("reason", "")}
            asked = launching.move(campaign, self.data["status"], **told)
        if asked is not None:
            pending = {
                "id": campaign.public_id,
                "status": launching.APPROVAL_PENDING,
                "people": asked.summary["people"],
            }
            return Response(pending, status=HTTPStatus.ACCEPTED)
        return self.shown(self.campaign(campaign_id))


class ExportQuery(Query):
    status = ChoiceField(choices=DeliveryStatus.choices, required=False)
    channel = ChoiceField(choices=MarketingChannel.choices, required=False)
    skip_reason = ChoiceField(choices=LeftOut.choices, required=False)


class Export(CampaignDoor):
    queries: ClassVar = {"GET": ExportQuery}
    answers: ClassVar = {"GET": {(200, "text/csv"): OpenApiTypes.STR}}

    def get(self, request: Request, campaign_id: str) -> HttpResponseBase:
        """Download what became of everybody, as CSV: who got it, why not, opened, clicked, ordered, revenue.

        Streamed without a length: a body that breaks off was not whole. Text that a spreadsheet would take for a
        formula has an apostrophe in front.
        """
        return listing.as_file(self.campaign(campaign_id), by=request.user, **self.params)


class Deliveries(CampaignDoor):
    queries: ClassVar = {"GET": shapes.DeliveriesQuery}
    answers: ClassVar = {"GET": listed(shapes.MarketingDeliveryShape)}

    def get(self, request: Request, campaign_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """List what became of everybody."""
        found = Delivery.objects.of(self.campaign(campaign_id)).with_outcome().select_related("customer", "account")
        wanted = {name: self.params[name] for name in ("status", "channel", "skip_reason") if name in self.params}
        return self.page(found.filter(**wanted), shape=shapes.MarketingDeliveryShape, order=("id",), counted="capped")
