"""Customers from a file: upload it, say what its columns are, see how far it is, and take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.http import Http404
from django.utils import timezone

from accounts.merchant_page import MerchantPage
from accounts.roles import Permission
from campaigns_project import jobs
from campaigns_project.models import Job
from campaigns_project.pages import flash, fragment
from campaigns_project.refusals import Invalid
from crm.customers import exporting, importing, undoing
from crm.models import Customer

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from campaigns_project.refusals import Refusal

# What a merchant calls what a column can be.
NAMES = {
    "external_id": "Your own id",
    "email": "E-mail address",
    "phone": "Phone number",
    "first_name": "First name",
    "last_name": "Last name",
    "country": "Country, such as GB",
    "language": "Language, such as en",
    "time_zone": "Time zone",
    "loyalty_tier": "Loyalty tier",
    "tags": "Tags, with ; between them",
    "email_consent": "May get e-mail",
    "sms_consent": "May get SMS",
    "push_consent": "May get notifications",
    "whatsapp_consent": "May get WhatsApp",
    "mail_consent": "May get post",
    "consent_source": "Where they agreed",
}


class UploadForm(forms.Form):
    file = forms.FileField(
        label="CSV file",
        allow_empty_file=True,
        help_text="In UTF-8. The first line names the columns; a row needs an e-mail address, a number or your id.",
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )


class NewImport(MerchantPage):
    """`/people/import`: the file."""

    needs = {"GET": Permission.AUTHOR, "POST": Permission.AUTHOR}

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        return self._page(UploadForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = UploadForm(request.POST, request.FILES)
        if form.is_valid():
            try:
                job = importing.keep(self.account, form.cleaned_data["file"], by=self.user)
            except Invalid as refusal:
                form.add_error("file", _sentence(refusal))
            else:
                return flash(request, "Now say what the columns are.", f"/people/import/{job.public_id}")
        return self._page(form, 400)

    def _page(self, form: UploadForm, status: int = 200) -> HttpResponse:
        ours = Job.objects.filter(account=self.account, kind__in=(importing.SHEET, importing.KIND))
        return self.show("crm/import_new.html", status, form=form, before=list(ours.order_by("-pk")[:10]))


class OneImport(MerchantPage):
    """`/people/import/job_…`: its columns, and once they are said, how far it is."""

    needs = {"GET": Permission.AUTHOR, "POST": Permission.AUTHOR}
    template = "crm/import.html"

    def get(self, request: HttpRequest, job_id: str) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        return self._page(self.job(job_id))

    def post(self, request: HttpRequest, job_id: str) -> HttpResponse:
        job = self.job(job_id)
        if request.POST.get("act") == "undo":
            begun = undoing.undo(job, by=self.user)
            return flash(request, "It is being undone.", f"/people/import/{begun.public_id}")
        if _is_gone(job):
            return flash(request, job.message, "/people/import", level=messages.WARNING)
        names, _, _ = importing.preview(job)
        try:
            importing.start(job, {name: request.POST.get(f"column{n}", "") for n, name in enumerate(names)})
        except Invalid as refusal:
            return self._page(job, 400, fault=_sentence(refusal))
        return flash(request, "Your customers are being read.", request.path)

    def job(self, job_id: str) -> Job:
        kinds = (importing.SHEET, importing.KIND, undoing.KIND)
        found = Job.objects.filter(account=self.account, public_id=job_id, kind__in=kinds).first()
        if found is None:
            raise Http404
        return found

    def _page(self, job: Job, status: int = 200, fault: str = "") -> HttpResponse:
        if job.kind != importing.SHEET or _is_gone(job):
            return self.show("crm/import.html", status, **standing(job))
        names, guessed, rows = importing.preview(job)
        columns = [
            {"name": name, "field": f"column{n}", "choices": _choices(name, chosen)}
            for n, (name, chosen) in enumerate(zip(names, guessed, strict=True))
        ]
        return self.show("crm/import_columns.html", status, job=job, columns=columns, rows=rows, fault=fault)


class ImportLive(OneImport):
    """The moving part of an import's page."""

    needs = {"GET": Permission.AUTHOR}

    def get(self, request: HttpRequest, job_id: str) -> HttpResponse:
        return fragment(request, "crm/parts/import.html", standing(self.job(job_id)))


class ExportPage(MerchantPage):
    """`/people/cust_…/export`: everything we hold of a person, for them."""

    needs = {"GET": Permission.AUTHOR, "POST": Permission.AUTHOR}

    def get(self, request: HttpRequest, customer_id: str) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        customer = self._customer(customer_id)
        asked = Job.objects.filter(account=self.account, kind=exporting.KIND, params__customer=customer.pk)
        return self.show("crm/export.html", customer=customer, job=asked.order_by("-pk").first())

    def post(self, request: HttpRequest, customer_id: str) -> HttpResponse:
        exporting.export(self._customer(customer_id), by=self.user)
        return flash(request, "Their file is being written.", request.path)

    def _customer(self, customer_id: str) -> Customer:
        found: Customer = self.find(Customer.objects.select_related("account"), public_id=customer_id, erased_at=None)
        return found


def standing(job: Job) -> dict[str, Any]:
    """What the page of an import or of its undoing shows."""
    over = job.status not in jobs.OPEN
    return {
        "job": job,
        "undo": job.kind == undoing.KIND,
        "may_undo": over and job.kind == importing.KIND and "undone_by" not in job.params,
        "undone_by": job.params.get("undone_by", ""),
        "handled": job.done + job.failed,
        "eta": jobs.eta(job, timezone.now()),
        "over": over,
    }


def _choices(name: str, chosen: str) -> list[tuple[str, str, bool]]:
    """Value, label, and whether it is what we take the column for."""
    own = f"{importing.ATTRIBUTE}{name}"[:60] if not name.startswith(importing.ATTRIBUTE) else name
    known = [("", "Leave it out"), *NAMES.items()]
    if importing.is_attribute(own):
        known.append((own, f"Your own: {own.removeprefix(importing.ATTRIBUTE)}"))
    return [(value, label, value == chosen) for value, label in known]


def _sentence(refusal: Refusal) -> str:
    return str(next(iter(refusal.details.values()))[0])


def _is_gone(job: Job) -> bool:
    """A file that was kept for somebody to say its columns, too long."""
    return job.kind == importing.SHEET and job.status != Job.Status.QUEUED
