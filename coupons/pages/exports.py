"""Coupons as files: downloaded at once, or written in the background and kept for a week."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponseRedirect

from accounts.roles import Permission
from campaigns_project import jobs
from campaigns_project.pages import flash
from campaigns_project.refusals import NotFound
from coupons import exporting, filing
from coupons.pages.door import CouponPage, address_of

if TYPE_CHECKING:
    import uuid

    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from coupons.models import CouponCampaign

MOST_SHOWN = 10


class Download(CouponPage):
    """`/coupons/<uuid>/export`: the file as it is at this moment."""

    def get(self, request: HttpRequest, campaign_id: uuid.UUID) -> HttpResponseBase:  # noqa: ARG002 (Django's signature)
        return exporting.as_file(self.campaign(campaign_id), by=self.user)


class Files(CouponPage):
    """`/coupons/<uuid>/exports`: what was written, and a new one."""

    needs = {"GET": Permission.AUTHOR, "POST": Permission.AUTHOR}

    def get(self, request: HttpRequest, campaign_id: uuid.UUID) -> HttpResponse:  # noqa: ARG002 (Django's signature)
        campaign = self.campaign(campaign_id)
        files = list(filing.written(campaign)[:MOST_SHOWN])
        under_way = any(one.status in jobs.OPEN for one in files)
        return self.show(
            "coupons/files.html", campaign=campaign, files=files, under_way=under_way, href=address_of(campaign)
        )

    def post(self, request: HttpRequest, campaign_id: uuid.UUID) -> HttpResponse:
        filing.begin(self.campaign(campaign_id), by=self.user)
        return flash(request, "The file is being written.", request.path)


class OneFile(CouponPage):
    """`/coupons/<uuid>/exports/job_…`: to the file, by a link that holds for 15 minutes."""

    needs = {"GET": Permission.AUTHOR}

    def get(self, request: HttpRequest, campaign_id: uuid.UUID, job_id: str) -> HttpResponse:  # noqa: ARG002 (Django's signature)
        campaign = self.campaign(campaign_id)
        job = filing.written(campaign).filter(public_id=job_id).first()
        if job is None:
            raise NotFound
        return HttpResponseRedirect(filing.link(campaign, job, by=self.user).url, status=303)


def part(page: CouponPage, campaign: CouponCampaign) -> dict[str, Any]:
    """What the campaign's page shows of it."""
    return {"template": "coupons/parts/export.html", "href": address_of(campaign), "files": page.may(Permission.AUTHOR)}
