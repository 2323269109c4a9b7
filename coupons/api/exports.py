"""Coupons as CSV: streamed at once, or written by a job and fetched by a link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers

from accounts.roles import Permission
from campaigns_project.api import AcceptedShape, OpenDoor
from campaigns_project.refusals import NotFound
from coupons import exporting, filing
from coupons.api.campaigns import CouponCampaignDoor
from coupons.api.shapes import MillisecondsField

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request
    from rest_framework.response import Response


class ExportCoupons(CouponCampaignDoor):
    answers: ClassVar = {"GET": {(200, "text/csv"): OpenApiTypes.STR}}

    def get(self, request: Request, campaign_id: str) -> HttpResponseBase:
        """Download the coupons of a campaign as CSV, as they are at this moment.

        Streamed without a length: the connection is ended when it breaks off. Cells that a spreadsheet would run have
        an apostrophe in front. At most two at once an account (429).
        """
        return exporting.as_file(self.campaign(campaign_id), by=request.user)


class ExportLinkShape(serializers.Serializer[Any]):
    url = serializers.CharField(help_text="Needs no token.")
    expires_at = MillisecondsField()
    file = serializers.CharField()
    rows = serializers.IntegerField()
    bytes = serializers.IntegerField()
    sha256 = serializers.CharField(help_text="Of the file's bytes, in hexadecimal digits.")

    example: ClassVar[dict[str, Any]] = {
        "url": "https://example.com/api/platform/v1/coupon_campaigns/exports/7.1vM2aB.x",
        "expires_at": "2026-11-21T09:45:00.000Z",
        "file": "summer-sale-coupons.csv",
        "rows": 1_000_000,
        "bytes": 212_000_318,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    }


class WriteExport(CouponCampaignDoor):
    needs: ClassVar = {"POST": Permission.AUTHOR}
    answers: ClassVar = {"POST": (202, AcceptedShape)}

    def post(self, request: Request, campaign_id: str) -> Response:
        """Write the coupons of a campaign into a file.

        A job; its `result` tells `rows`, `bytes` and `sha256`. `GET …/exports/{job_id}` gives a link to the file, which
        is kept for a week. At most two under way an account (429).
        """
        return self.accepted(filing.begin(self.campaign(campaign_id), by=request.user))


class OneExport(CouponCampaignDoor):
    needs: ClassVar = {"GET": Permission.AUTHOR}
    answers: ClassVar = {"GET": ExportLinkShape}

    def get(self, request: Request, campaign_id: str, job_id: str) -> Response:
        """Get a link to a file that was written, which holds for 15 minutes; the audit trail says who asked."""
        campaign = self.campaign(campaign_id)
        job = filing.written(campaign).filter(public_id=job_id).first()
        if job is None:
            raise NotFound
        link = filing.link(campaign, job, by=request.user)
        told = {"url": link.url, "expires_at": link.expires_at, "file": job.params["file"], **job.result}
        return self.show(told, ExportLinkShape, headers={"Cache-Control": "private, no-store"})


class Exported(OpenDoor):
    tag = "coupon campaigns"
    answers: ClassVar = {"GET": {(200, "text/csv"): OpenApiTypes.BINARY}}

    def get(self, request: Request, token: str) -> HttpResponseBase:  # noqa: ARG002 (DRF's signature)
        """Download a file of coupons, by its signed link."""
        name, file = filing.download(token)
        headers = {"Cache-Control": "private, no-store"}
        return FileResponse(
            file, as_attachment=True, filename=name, content_type="text/csv; charset=utf-8", headers=headers
        )
