"""Coupons as CSV: streamed at once, or written by a job and fetched by a link."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from drf_spectacular.types import OpenApiTypes

from coupons import exporting
from coupons.api.campaigns import CouponCampaignDoor

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request


class ExportCoupons(CouponCampaignDoor):
    answers: ClassVar = {"GET": {(200, "text/csv"): OpenApiTypes.STR}}

    def get(self, request: Request, campaign_id: str) -> HttpResponseBase:
        """Download the coupons of a campaign as CSV, as they are at this moment.

        Streamed without a length: the connection is ended when it breaks off. Cells that a spreadsheet would run have
        an apostrophe in front. At most two at once an account (429).
        """
        return exporting.as_file(self.campaign(campaign_id), request, by=request.user)
