"""The codes of a campaign: found, made, uploaded; and one of them with its pictures, its notes and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.http import Http404, HttpResponse
from django.utils import timezone

from accounts.merchant_page import searched
from accounts.roles import Permission
from campaigns_project import jobs
from campaigns_project.models import Job
from campaigns_project.pages import flash, fragment, paged
from campaigns_project.refusals import Forbidden, Refusal
from coupons import importing, listing, making, pictures
from coupons.models import Coupon, CouponCampaignStatus
from coupons.pages.code_forms import MakeForm, NotesForm, UploadForm, narrowed
from coupons.pages.door import CouponPage, address_of

if TYPE_CHECKING:
    import uuid

    from django.db.models import QuerySet
    from django.http import HttpRequest

    from coupons.models import CouponCampaign

# On the campaign's own page.
FEW = 8
JOBS = 5
# Which coupon verb a button means, and what is said when it is done.
SWITCHES = {"deactivate": "It does not count for now.", "activate": "It counts again."}


class CodesPage(CouponPage):
    """A page about the codes of one campaign."""

    def coupon(self, campaign: CouponCampaign, coupon_id: uuid.UUID, *, locked: bool = False) -> Coupon:
        rows = Coupon.objects.select_for_update() if locked else Coupon.objects.all()
        found: Coupon = self.find(rows, campaign=campaign, pk=coupon_id)
        return found


class Codes(CodesPage):
    """`/coupons/<uuid>/codes`: all of them, in the order they were made."""

    def get(self, request: HttpRequest, campaign_id: uuid.UUID) -> HttpResponse:
        campaign, asked, kind = self.campaign(campaign_id), searched(request), request.GET.get("show", "")
        found = listing.filtered(_codes(campaign), narrowed(kind) | {"search": asked})
        page = paged(found.order_by("pk"), request)
        return self.show("coupons/codes.html", **_shown(campaign), page=page, q=asked, narrow=kind)


class CodesLive(CodesPage):
    """The moving part: how far the making is."""

    def get(self, request: HttpRequest, campaign_id: uuid.UUID) -> HttpResponse:
        return fragment(request, "coupons/parts/making.html", _shown(self.campaign(campaign_id)))


class NewCodes(CodesPage):
    """`/coupons/<uuid>/codes/new`: make some, or upload one's own."""

    needs = {"GET": Permission.AUTHOR, "POST": Permission.AUTHOR}

    def get(self, request: HttpRequest, campaign_id: uuid.UUID) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        return self._page(self.campaign(campaign_id), MakeForm(), UploadForm())

    def post(self, request: HttpRequest, campaign_id: uuid.UUID) -> HttpResponse:
        campaign = self.campaign(campaign_id)
        uploading = "file" in request.FILES or request.POST.get("act") == "upload"
        make = MakeForm() if uploading else MakeForm(request.POST)
        upload = UploadForm(request.POST, request.FILES) if uploading else UploadForm()
        form = upload if uploading else make
        if form.is_valid():
            try:
                self._begin(campaign, form.cleaned_data)
            except Refusal as refusal:
                form.add_error(None, _sentence(refusal))
            else:
                said = "Your codes are being read." if uploading else "The codes are being made."
                return flash(request, said, f"/coupons/{campaign.pk}/codes")
        return self._page(campaign, make, upload, 400)

    def _begin(self, campaign: CouponCampaign, given: dict[str, Any]) -> None:
        if "file" in given:
            importing.import_csv(campaign, given["file"], by=self.user)
        else:
            making.generate(campaign, given["quantity"], by=self.user)

    def _page(self, campaign: CouponCampaign, make: MakeForm, upload: UploadForm, status: int = 200) -> HttpResponse:
        return self.show("coupons/codes_new.html", status, **_shown(campaign), make=make, upload=upload)


class OneCode(CodesPage):
    """`/coupons/<uuid>/codes/<uuid>`: one code, as a till reads it too."""

    needs = {"GET": Permission.VIEW, "POST": Permission.AUTHOR}

    def get(self, request: HttpRequest, campaign_id: uuid.UUID, coupon_id: uuid.UUID) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        campaign = self.campaign(campaign_id)
        coupon = self.coupon(campaign, coupon_id)
        return self._page(campaign, coupon, NotesForm({"notes": coupon.notes or ""}))

    def post(self, request: HttpRequest, campaign_id: uuid.UUID, coupon_id: uuid.UUID) -> HttpResponse:
        campaign, verb = self.campaign(campaign_id), request.POST.get("act", "")
        if verb in SWITCHES:
            if not self.may(Permission.MONEY):
                raise Forbidden
            self.coupon(campaign, coupon_id).perform(verb, by=self.user)
            return flash(request, SWITCHES[verb], request.path)
        form = NotesForm(request.POST)
        if not form.is_valid():
            return self._page(campaign, self.coupon(campaign, coupon_id), form, 400)
        with transaction.atomic():
            coupon = self.coupon(campaign, coupon_id, locked=True)
            listing.annotate(coupon, notes=form.cleaned_data["notes"] or None)
        return flash(request, "Noted.", request.path)

    def _page(self, campaign: CouponCampaign, coupon: Coupon, form: NotesForm, status: int = 200) -> HttpResponse:
        limit = coupon.max_count or campaign.max_count
        shown = {"coupon": coupon, "form": form, "limit": limit, "verbs": coupon.allowed_verbs()}
        shown |= {"barcode": pictures.fits_barcode(coupon.code), "customer": _customer(coupon)}
        return self.show("coupons/code.html", status, **_shown(campaign), **shown)


class VoidCode(CodesPage):
    """`/coupons/<uuid>/codes/<uuid>/void`: what that means, before it is done."""

    needs = {"GET": Permission.MONEY, "POST": Permission.MONEY}

    def get(self, request: HttpRequest, campaign_id: uuid.UUID, coupon_id: uuid.UUID) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        campaign = self.campaign(campaign_id)
        coupon = self.coupon(campaign, coupon_id)
        back = f"/coupons/{campaign.pk}/codes/{coupon.pk}"
        return self.show("coupons/code_void.html", **_shown(campaign), coupon=coupon, back=back, danger=True)

    def post(self, request: HttpRequest, campaign_id: uuid.UUID, coupon_id: uuid.UUID) -> HttpResponse:
        campaign = self.campaign(campaign_id)
        coupon = self.coupon(campaign, coupon_id)
        coupon.void(by=self.user, reason=request.POST.get("reason", "")[:500])
        return flash(request, f"{coupon.code} never counts again.", f"/coupons/{campaign.pk}/codes/{coupon.pk}")


class CodePicture(CodesPage):
    """`/coupons/<uuid>/codes/<uuid>/qr`: the picture itself."""

    def get(self, request: HttpRequest, campaign_id: uuid.UUID, coupon_id: uuid.UUID, kind: str) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        coupon = self.coupon(self.campaign(campaign_id), coupon_id)
        if kind not in pictures.PictureKind.values:
            raise Http404
        try:
            return HttpResponse(pictures.draw(coupon.code, kind), content_type="image/svg+xml")
        except pictures.NoBarcode:
            raise Http404 from None


def part(page: CouponPage, campaign: CouponCampaign) -> dict[str, Any]:
    """The codes on the campaign's own page: the first few, and how far the making is."""
    few = list(_codes(campaign).order_by("pk")[:FEW])
    return {"template": "coupons/parts/codes.html", **_shown(campaign), "coupons": few, "account": page.account}


def _codes(campaign: CouponCampaign) -> QuerySet[Coupon]:
    return Coupon.objects.for_account(campaign.account_id).filter(campaign=campaign)


def _shown(campaign: CouponCampaign) -> dict[str, Any]:
    kinds = (making.KIND, importing.KIND)
    found = Job.objects.filter(account=campaign.account_id, kind__in=kinds, params__campaign=str(campaign.pk))
    begun = [_progress(job) for job in found.order_by("-pk")[:JOBS]]
    return {
        "campaign": campaign,
        "here": address_of(campaign),
        "codes": address_of(campaign, "/codes"),
        "jobs": [each for each in begun if not each["over"] or each["job"].failed or each["job"].message],
        "making": any(not job["over"] for job in begun),
        "open": campaign.status in CouponCampaignStatus.OPEN,
    }


def _progress(job: Job) -> dict[str, Any]:
    return {
        "job": job,
        "own": job.kind == importing.KIND,
        "handled": job.done + job.failed,
        "eta": jobs.eta(job, timezone.now()),
        "over": job.status not in jobs.OPEN,
    }


def _customer(coupon: Coupon) -> str:
    """The public id of the customer who holds it, or ""."""
    holder = coupon.holder or ""
    return holder if holder.startswith("cust_") else ""


def _sentence(refusal: Refusal) -> str:
    sentences = next(iter(refusal.details.values()), None)
    return str(sentences[0]) if isinstance(sentences, list) else refusal.message
