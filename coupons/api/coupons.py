"""The coupons of a campaign: made, taken in, looked at, changed, voided, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import transaction
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes

from accounts.roles import Permission
from campaigns_project.api import BULK, IMPORT, AcceptedShape, FileDoor, listed
from campaigns_project.refusals import NotFound
from coupons import importing, listing, making, pictures
from coupons.api import coupon_shapes as shapes
from coupons.api.campaigns import CouponCampaignDoor, uuid_of
from coupons.models import Coupon
from lifecycle.api import Transitions

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request
    from rest_framework.response import Response

    from coupons.models import CouponCampaign

DRAWN = (200, "image/svg+xml")


class CouponDoor(CouponCampaignDoor):
    """A door to the coupons of one campaign."""

    tag = "coupons"

    def coupons(self, campaign: CouponCampaign) -> QuerySet[Coupon]:
        return Coupon.objects.for_account(self.account).filter(campaign=campaign).select_related("account", "campaign")

    def coupon(self, campaign_id: str, coupon_id: str, *, locked: bool = False) -> Coupon:
        """The coupon of the caller's campaign, its row locked if asked. Raises NotFound."""
        rows = self.coupons(self.campaign(campaign_id))
        rows = rows.select_for_update(of=("self",)) if locked else rows
        coupon: Coupon | None = rows.filter(pk=uuid_of(coupon_id)).first()
        if coupon is None:
            raise NotFound
        return coupon


class Coupons(CouponDoor):
    needs: ClassVar = {"POST": Permission.AUTHOR}
    queries: ClassVar = {"GET": shapes.CouponsQuery}
    bodies: ClassVar = {"POST": shapes.CouponsInput}
    answers: ClassVar = {"GET": listed(shapes.CouponShape), "POST": (202, AcceptedShape)}
    max_body = BULK

    def get(self, request: Request, campaign_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """List a campaign's coupons, in the order they were made."""
        found = listing.filtered(self.coupons(self.campaign(campaign_id)), self.params)
        return self.page(found, shape=shapes.CouponShape, order=("id",), counted="capped")

    def post(self, request: Request, campaign_id: str) -> Response:
        """Make `quantity` codes, or take in your own `codes`, as a job.

        Exactly as many are made as were asked for. Of your own codes, those that another coupon of yours has are
        refused into the job's file of errors. 409 `campaign_archived`.
        """
        campaign = self.campaign(campaign_id)
        if "quantity" in self.data:
            return self.accepted(making.generate(campaign, self.data["quantity"], by=request.user))
        return self.accepted(importing.import_codes(campaign, self.data["codes"], by=request.user))


class CouponImport(FileDoor, CouponDoor):
    needs: ClassVar = {"POST": Permission.AUTHOR}
    bodies: ClassVar = {"POST": shapes.CouponImportForm}
    answers: ClassVar = {"POST": (202, AcceptedShape)}
    max_body = IMPORT

    def post(self, request: Request, campaign_id: str) -> Response:
        """Take in your own codes from a CSV file, as a job with a file of the refused rows.

        The column `code` is needed, `notes` is kept, others are left out. 409 `campaign_archived`.
        """
        campaign = self.campaign(campaign_id)
        return self.accepted(importing.import_csv(campaign, self.data["file"], by=request.user))


class OneCoupon(CouponDoor):
    needs: ClassVar = {"PATCH": Permission.AUTHOR}
    bodies: ClassVar = {"PATCH": shapes.ChangeCouponInput}
    answers: ClassVar = {"GET": shapes.CouponShape, "PATCH": shapes.CouponShape}
    editable = True

    def get(self, request: Request, campaign_id: str, coupon_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show a coupon."""
        return self.show(self.coupon(campaign_id, coupon_id), shapes.CouponShape)

    def patch(self, request: Request, campaign_id: str, coupon_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Change what is noted of a coupon. What it gives is changed in its campaign."""
        with transaction.atomic():
            coupon = self.coupon(campaign_id, coupon_id, locked=True)
            self.unchanged(coupon)
            listing.annotate(coupon, **self.data)
        return self.show(coupon, shapes.CouponShape)


class MoveCoupon(Transitions, CouponDoor):
    model = Coupon
    shape = shapes.CouponShape

    def post(self, request: Request, campaign_id: str, coupon_id: str) -> Response:  # type: ignore[override]  # in its campaign
        """Move a coupon into another state: deactivate and activate it, or void it for good."""
        return super().post(request, self.coupon(campaign_id, coupon_id).pk)

    def rows(self) -> QuerySet[Coupon]:
        return Coupon.objects.for_account(self.account)


class CouponPicture(CouponDoor):
    queries: ClassVar = {"GET": shapes.PictureQuery}
    answers: ClassVar = {"GET": {DRAWN: OpenApiTypes.BINARY}}

    def get(self, request: Request, campaign_id: str, coupon_id: str) -> HttpResponseBase:  # noqa: ARG002 (DRF's signature)
        """Draw a coupon's code for a till: a QR code or a barcode (Code 128), as SVG.

        422 `no_barcode` for a code with letters that a barcode cannot hold.
        """
        coupon = self.coupon(campaign_id, coupon_id)
        return HttpResponse(pictures.draw(coupon.code, self.params["kind"]), content_type=DRAWN[1])
