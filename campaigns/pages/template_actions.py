"""What is done to a template beside writing it: submit, switch on and off, archive; and the people on its list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import FileResponse, Http404
from django.utils import timezone

from accounts.merchant_page import searched
from accounts.merchant_progress import people
from accounts.roles import Permission
from campaigns import approval, authoring, leads
from campaigns.forms import NameTypedForm, PeopleForm, ReasonForm
from campaigns.models import Campaign, CampaignLead, CampaignStatus
from campaigns.pages import checks
from campaigns.pages.door import WhatsAppPage
from campaigns.pages.wizard import taken_in
from campaigns_project import jobs
from campaigns_project.models import Job
from campaigns_project.pages import flash, fragment, keyed, safe_next
from campaigns_project.refusals import Invalid
from crm import phones
from lifecycle.transition import TransitionNotAllowed

if TYPE_CHECKING:
    from django import forms
    from django.http import HttpRequest, HttpResponse

VERBS = {"submit": "Submit for review", "enable": "Switch on", "disable": "Switch off", "archive": "Archive"}
DONE = {
    "submit": "Handed in. WhatsApp usually answers within a day.",
    "enable": "Switched on.",
    "disable": "Switched off. Nothing more is sent with it.",
    "archive": "Archived. Its history stays.",
}
# Switching decides whether messages go out; the rest is writing.
ASKS = {
    "submit": Permission.AUTHOR,
    "enable": Permission.SEND,
    "disable": Permission.SEND,
    "archive": Permission.AUTHOR,
}


class ConfirmTemplate(WhatsAppPage):
    """`/templates/7/confirm/submit`: what will happen, once more."""

    needs = {"GET": "author", "POST": "author"}

    def get(self, request: HttpRequest, pk: int, action: str) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        campaign = self._asked(pk, action)
        return self._page(campaign, action, _form(campaign, action, None))

    def post(self, request: HttpRequest, pk: int, action: str) -> HttpResponse:
        campaign = self._asked(pk, action)
        form = _form(campaign, action, request.POST)
        if not form.is_valid():
            return self._page(campaign, action, form, 400)
        if action == "archive":
            authoring.archive(campaign, by=self.user, reason=form.cleaned_data["reason"])
        else:
            verbs: dict[str, Any] = {
                "submit": approval.submit,
                "enable": authoring.enable,
                "disable": authoring.disable,
            }
            verbs[action](campaign, by=self.user)
        return flash(request, DONE[action], f"/templates/{campaign.pk}")

    def _asked(self, pk: int, action: str) -> Campaign:
        if action not in VERBS:
            raise Http404
        if not self.may(ASKS[action]):
            raise PermissionDenied
        campaign = self.template(pk)
        if action == "archive" and campaign.status == CampaignStatus.ARCHIVED:
            raise TransitionNotAllowed("It is archived already.")
        return campaign

    def _page(self, campaign: Campaign, action: str, form: forms.Form, status: int = 200) -> HttpResponse:
        return self.show(
            "campaigns/confirm_template.html",
            status,
            campaign=campaign,
            action=action,
            form=form,
            verb=VERBS[action],
            danger=action == "archive",
            back=f"/templates/{campaign.pk}",
            people=CampaignLead.objects.of(campaign).active().count(),
        )


def _form(campaign: Campaign, action: str, data: Any) -> forms.Form:
    return NameTypedForm(campaign.name, data) if action == "archive" else ReasonForm(data)


class TemplatePeople(WhatsAppPage):
    """`/templates/7/people`: the list of a template, more by hand or by file, and taking somebody off."""

    needs = {"GET": "view", "POST": "author"}

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        return self._page(self.template(pk), PeopleForm())

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        campaign = self.template(pk)
        form = PeopleForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._page(campaign, form, 400)
        try:
            added, job = taken_in(campaign, form.cleaned_data, by=self.user)
        except Invalid as refusal:
            form.add_error("file", [sentence for found in refusal.details.values() for sentence in found])
            return self._page(campaign, form, 400)
        if job:
            return flash(request, "The file is being read.", f"/jobs/{job.public_id}?next={request.path}")
        return flash(request, f"{people(added)} added.", request.path)

    def _page(self, campaign: Campaign, form: PeopleForm, status: int = 200) -> HttpResponse:
        rows: Any = CampaignLead.objects.of(campaign).with_phone()
        active, asked, removed = rows.active().count(), searched(self.request), "removed" in self.request.GET
        rows = rows.filter(active=not removed)
        if asked:
            like = Q(conversation_user__phone__startswith=phones.beginning(asked))
            rows = rows.filter(like | Q(conversation_user__name__istartswith=asked))
        return self.show(
            "campaigns/template_people.html",
            status,
            campaign=campaign,
            back=f"/templates/{campaign.pk}",
            form=form,
            page=keyed(rows, self.request, size=50),
            q=asked,
            active=active,
            removed=removed,
            open=campaign.is_head and campaign.status != CampaignStatus.ARCHIVED,
            sendable=checks.sendable(campaign),
        )


class RemoveLead(WhatsAppPage):
    """`POST /templates/7/people/9/remove`: off the list, and back with the next upload."""

    needs = {"POST": "author"}

    def post(self, request: HttpRequest, pk: int, lead: int) -> HttpResponse:
        found = self.find(CampaignLead.objects.with_phone(), pk=lead, campaign=pk)
        leads.remove(found)
        return flash(request, f"{found} is off the list.", f"/templates/{pk}/people")


class JobPage(WhatsAppPage):
    """`/jobs/job_…`: how far an upload is, what was refused, and where to go on."""

    def job(self, public_id: str) -> Job:
        found = Job.objects.filter(account=self.account, public_id=public_id).first()
        if found is None:
            raise Http404
        return found

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        return self.show("campaigns/job.html", **_standing(self.job(public_id)), next=safe_next(request, "/templates"))


class JobLive(JobPage):
    """The moving part of a job's page."""

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        return fragment(request, "campaigns/parts/job.html", _standing(self.job(public_id)))


class JobErrors(JobPage):
    """The refused rows with their reasons."""

    def get(self, request: HttpRequest, public_id: str) -> Any:  # noqa: ARG002 (Django's view signature)
        job = self.job(public_id)
        if not job.errors_file:
            raise Http404
        name = f"{job.public_id}-errors.csv"
        return FileResponse(jobs.errors_of(job).open("rb"), as_attachment=True, filename=name, content_type="text/csv")


def _standing(job: Job) -> dict[str, Any]:
    return {
        "job": job,
        "handled": job.done + job.failed,
        "eta": jobs.eta(job, timezone.now()),
        "over": job.status not in jobs.OPEN,
    }
