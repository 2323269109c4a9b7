"""Audiences: the list, the builder, one with its members, and one from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from accounts.merchant_page import MerchantPage, searched
from accounts.roles import Permission
from campaigns_project.pages import flash, fragment, keyed, paged
from campaigns_project.refusals import Invalid, Refusal
from crm.audiences import importing as segment_import
from crm.audiences import refreshing, segments
from crm.audiences.criteria import InvalidSegmentCriteria
from crm.models import Segment, SegmentType
from crm.pages import segment_forms as forms

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

HERE = "/audiences"
WRITING = {"GET": Permission.AUTHOR, "POST": Permission.AUTHOR}


class AudiencePage(MerchantPage):
    def segment(self, segment_id: str, *, locked: bool = False) -> Segment:
        rows = Segment.objects.select_related("account")
        rows = rows.select_for_update(no_key=True, of=("self",)) if locked else rows
        found: Segment = self.find(rows, public_id=segment_id)
        return found

    def saved(self, form: forms.SegmentForm, save: Any) -> Segment | None:
        """What `save(name, criteria)` makes of a form; None when it is refused, which the form then says."""
        if not form.is_valid():
            return None
        try:
            made: Segment = save(form.cleaned_data["name"], form.criteria)
        except InvalidSegmentCriteria as refusal:
            form.refuse(refusal)
        except Refusal as refusal:
            form.add_error(None, refusal.message)
        else:
            return made
        return None

    def previewed(self, form: forms.SegmentForm) -> dict[str, Any]:
        """Whom the form finds now, or why nobody can be found."""
        try:
            return {"found": refreshing.counted(self.account, form.criteria, by=self.user)}
        except InvalidSegmentCriteria as refusal:
            return {"wrong": [sentence for each in refusal.details.values() for sentence in each]}


class Audiences(AudiencePage):
    """`/audiences`: every segment, the newest first."""

    def get(self, request: HttpRequest) -> HttpResponse:
        asked = searched(request)
        rows = Segment.objects.for_account(self.account).filter(name__icontains=asked).order_by("-pk")
        return self.show("crm/audiences.html", page=paged(rows, request), q=asked)


class NewAudience(AudiencePage):
    """`/audiences/new`: criteria in rows, counted while they are typed; `?by=hand` for a list of one's own."""

    needs = WRITING

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._form(request, forms.SegmentForm(by_hand=self._by_hand(request)))

    def post(self, request: HttpRequest) -> HttpResponse:
        by_hand = self._by_hand(request)
        form = forms.SegmentForm(request.POST, by_hand=by_hand)
        if request.POST.get("act") == "count":
            return self._form(request, form, **self.previewed(form))
        kind = SegmentType.STATIC if by_hand else SegmentType.DYNAMIC
        made = self.saved(
            form, lambda name, asked: refreshing.create(self.account, name=name, type=kind, criteria=asked)
        )
        if made is None:
            return self._form(request, form, 400)
        return flash(request, f"{made.name} has {made.size:,} people.", f"{HERE}/{made.public_id}")

    def _by_hand(self, request: HttpRequest) -> bool:
        return "hand" in (request.GET.get("by"), request.POST.get("by"))

    def _form(self, request: HttpRequest, form: forms.SegmentForm, status: int = 200, **more: Any) -> HttpResponse:
        return self.show("crm/audience_form.html", status, form=form, by_hand=self._by_hand(request), **more)


class EditAudience(AudiencePage):
    """`/audiences/seg_…/edit`: another name or other criteria."""

    needs = WRITING

    def get(self, request: HttpRequest, segment_id: str) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        segment = self.segment(segment_id)
        return self._form(segment, self._filled(segment))

    def post(self, request: HttpRequest, segment_id: str) -> HttpResponse:
        with transaction.atomic():
            segment = self.segment(segment_id, locked=True)
            form = self._filled(segment, request.POST)
            if request.POST.get("act") == "count":
                return self._form(segment, form, **self.previewed(form))

            def save(name: str, asked: Any) -> Segment:
                with transaction.atomic():
                    return refreshing.change(segment, name=name, criteria=asked if segment.is_dynamic else None)

            if self.saved(form, save) is None:
                return self._form(segment, form, 400)
        return flash(request, f"{segment.name} has {segment.size:,} people.", f"{HERE}/{segment.public_id}")

    def _filled(self, segment: Segment, data: Any = None) -> forms.SegmentForm:
        return forms.SegmentForm(data, name=segment.name, asked=segment.criteria, by_hand=not segment.is_dynamic)

    def _form(self, segment: Segment, form: forms.SegmentForm, status: int = 200, **more: Any) -> HttpResponse:
        return self.show(
            "crm/audience_form.html", status, form=form, segment=segment, by_hand=not segment.is_dynamic, **more
        )


class AudiencePreview(AudiencePage):
    """`POST /audiences/preview`: whom the builder's criteria find, while they are typed."""

    needs = {"POST": Permission.AUTHOR}

    def post(self, request: HttpRequest) -> HttpResponse:
        told = self.previewed(forms.SegmentForm(request.POST))
        return fragment(request, "crm/parts/found.html", {**told, "account": self.account})


class ImportAudience(AudiencePage):
    """`/audiences/import`: a segment from a CSV file, as a job."""

    needs = WRITING

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        return self.show("crm/audience_import.html", form=forms.FileForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = forms.FileForm(request.POST, request.FILES)
        if form.is_valid():
            given = form.cleaned_data
            try:
                _, job = segment_import.import_csv(self.account, given["file"], name=given["name"], by=self.user)
            except Invalid as refusal:
                form.add_error("file", [sentence for each in refusal.details.values() for sentence in each])
            else:
                return flash(request, "We are reading your file.", f"/jobs/{job.public_id}")
        return self.show("crm/audience_import.html", 400, form=form)


class OneAudience(AudiencePage):
    """`/audiences/seg_…`: what it asks, who is in it, how fresh that is, and what uses it."""

    needs = {"GET": Permission.VIEW, "POST": Permission.AUTHOR}

    def get(self, request: HttpRequest, segment_id: str) -> HttpResponse:
        return self._page(request, self.segment(segment_id), forms.ByHandForm())

    def post(self, request: HttpRequest, segment_id: str) -> HttpResponse:
        segment, act = self.segment(segment_id), request.POST.get("act", "")
        if act == "refresh":
            refreshing.refresh_soon(segment, by=self.user)
            return flash(request, "We are looking through your customers.", request.path)
        if act == "delete":
            segments.delete(segment)
            return flash(request, f"{segment.name} is gone. Its people are still your customers.", HERE)
        if act.startswith("remove:"):
            segments.remove(segment, [act.removeprefix("remove:")])
            return flash(request, "They are not in it any more.", request.path)
        form = forms.ByHandForm(request.POST)
        if not form.is_valid():
            return self._page(request, segment, form, 400)
        added, unknown = segment_import.add_lines(segment, form.cleaned_data["people"].splitlines())
        missed = f" Nobody is called {', '.join(unknown[:3])}." if unknown else ""
        return flash(request, f"{added} added.{missed}", request.path)

    def _page(self, request: HttpRequest, segment: Segment, form: Any, status: int = 200) -> HttpResponse:
        page = keyed(segments.members(segment), request, size=50)
        asked = list(forms.told(segment.criteria)) if segment.is_dynamic else []
        return self.show(
            "crm/audience.html",
            status,
            segment=segment,
            page=page,
            asked=asked,
            form=form,
            used_by=[
                {**use, "href": _HREFS.get(use["kind"], "{}").format(use["id"])} for use in segments.uses(segment)
            ],
        )


_HREFS = {"promo": "/promos/{}", "campaign": "/campaigns/{}"}
