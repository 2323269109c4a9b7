"""The library of WhatsApp templates, and the editor of one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from accounts.merchant_page import searched
from campaigns import authoring
from campaigns.content_types import ContentType
from campaigns.forms import TemplateForm
from campaigns.models import Broadcast, Campaign, CampaignAuthorType, CampaignLead, CampaignStatus, CampaignType
from campaigns.pages import checks, editor, words
from campaigns.pages.door import WhatsAppPage, row_number
from campaigns.variables import CampaignVariableType
from campaigns_project.pages import flash, fragment, paged
from campaigns_project.refusals import Conflict, ContentTooLarge, Invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from campaigns.models.campaign import CampaignQuerySet

TABS: dict[str, tuple[str, tuple[str, ...]]] = {
    "": ("All", ("unsubmitted", "received", "pending", "approved", "rejected", "paused", "disabled")),
    "attention": ("Needs you", ("rejected", "paused", "disabled")),
    "draft": ("Not submitted", ("unsubmitted",)),
    "review": ("In review", ("received", "pending")),
    "approved": ("Approved", ("approved",)),
    "archived": ("Archived", ("archived",)),
}
AUTHORED = {"GET": "author", "POST": "author"}
# Written first; the others wait behind "More buttons".
FIRST_BUTTONS = 3


class Library(WhatsAppPage):
    """`/templates`: the newest version of each, by state."""

    def get(self, request: HttpRequest) -> HttpResponse:
        heads = Campaign.objects.for_account(self.account).filter(next_campaign=None)
        asked, chosen = searched(request), request.GET.get("status", "")
        chosen = chosen if chosen in TABS else ""
        if asked:
            heads = heads.filter(name__icontains=asked)
        counts = dict(heads.order_by().values_list("status").annotate(Count("id")))
        rows = _with_numbers(heads.filter(status__in=TABS[chosen][1]).order_by("-status_at", "-pk"))
        return self.show(
            "campaigns/templates.html",
            page=paged(rows, request),
            q=asked,
            chosen=chosen,
            tabs=[
                {"key": key, "label": label, "count": sum(counts.get(one, 0) for one in states), "here": key == chosen}
                for key, (label, states) in TABS.items()
            ],
        )


def _with_numbers(rows: Any) -> CampaignQuerySet:
    """Each version with its number, the people on its list and how often it was sent."""

    def counted(model: Any, **where: Any) -> Coalesce:
        found = model.objects.filter(**where).order_by().values("account").annotate(n=Count("id")).values("n")
        return Coalesce(Subquery(found), 0)

    same = {field: OuterRef(field) for field in ("account", "name", "language")}
    annotated: CampaignQuerySet = rows.annotate(
        number=counted(Campaign, **same, pk__lte=OuterRef("pk")),
        people=counted(CampaignLead, campaign=OuterRef("pk"), active=True),
        sends=counted(Broadcast, campaign=OuterRef("pk"), test_send=False, started_at__isnull=False),
    )
    return annotated


class Editing(WhatsAppPage):
    """The form of a template, with the bubble beside it."""

    needs = AUTHORED

    def form_page(self, form: TemplateForm, status: int = 200, **context: Any) -> HttpResponse:
        typed = shown_of(form)
        buttons = form.buttons
        filled = sum(bool(form[f"button_{row}_title"].value()) for row in range(1, len(buttons) + 1))
        cut = max(FIRST_BUTTONS, filled)
        return self.show(
            "campaigns/template_form.html",
            status,
            form=form,
            buttons=buttons[:cut],
            more_buttons=buttons[cut:],
            palette=CampaignVariableType.choices,
            **editor.looked_over(typed, merchant=self.account.name, known=context.pop("known", ())),
            **context,
        )

    def save(self, form: TemplateForm, write: Callable[[dict[str, Any]], Campaign]) -> Campaign | None:
        """Write it, or say at the fields why not."""
        if not form.is_valid():
            return None
        data = form.cleaned_data
        context, fields = editor.content_of(data)
        given = {
            "content_type": data["content_type"],
            "content_context": context,
            "campaign_type": data["campaign_type"],
            "variable_defaults": data["fallbacks"],
            "upload": data["upload"],
        }
        try:
            return write(given)
        except Invalid as refusal:
            form.refuse(refusal.details, fields)
        except ContentTooLarge:
            form.add_error("upload", "The file is too large for WhatsApp.")
        except Conflict as refusal:
            form.add_error("name" if "name" in form.fields else None, refusal.message)
        return None


class NewTemplate(Editing):
    """`/templates/new`, empty or from another (`?from=`)."""

    def get(self, request: HttpRequest) -> HttpResponse:
        asked = row_number(request.GET.get("from", ""))
        model = self.template(asked) if asked else None
        initial = {**editor.initial_of(model), "name": f"{model.name}_copy"} if model else None
        return self.form_page(TemplateForm(initial=initial))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = TemplateForm(request.POST, request.FILES)

        def write(given: dict[str, Any]) -> Campaign:
            name, language = form.cleaned_data["name"], form.cleaned_data["language"]
            return authoring.create(self.account, by=self.user, name=name, language=language, **given)

        made = self.save(form, write)
        if made is None:
            return self.form_page(form, 400)
        return flash(request, "Saved. Submit it when you are happy with it.", f"/templates/{made.pk}")


class TemplatePage(Editing):
    """`/templates/7`: one version, read by everybody and rewritten as a new version by authors."""

    needs = {"GET": "view", "POST": "author"}

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        campaign = self.template(pk)
        return self._page(campaign, TemplateForm(initial=editor.initial_of(campaign), fixed=True))

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        campaign = self.template(pk)
        form = TemplateForm(request.POST, request.FILES, fixed=True)
        made = self.save(form, lambda given: authoring.new_version(campaign, by=self.user, **given))
        if made is None:
            return self._page(campaign, form, 400)
        return flash(
            request,
            "Saved as a new version. The old one keeps sending until this is approved.",
            f"/templates/{made.pk}",
        )

    def _page(self, campaign: Campaign, form: TemplateForm, status: int = 200) -> HttpResponse:
        versions = list(Campaign.objects.versions_of(campaign))
        number = next(index for index, one in enumerate(versions, start=1) if one.pk == campaign.pk)
        sends = Broadcast.objects.for_account(self.account).filter(campaign=campaign, test_send=False)
        return self.form_page(
            form,
            status,
            campaign=campaign,
            versions=[{"row": one, "number": index} for index, one in enumerate(versions, start=1)][::-1],
            number=number,
            editable=campaign.is_head and campaign.status != CampaignStatus.ARCHIVED,
            sendable=checks.sendable(campaign),
            waits=campaign.status == CampaignStatus.UNSUBMITTED and campaign.submitted_at is not None,
            people=CampaignLead.objects.of(campaign).active().count(),
            sends=sends.filter(started_at__isnull=False).count(),
            language=words.language(campaign.language),
            known=authoring.custom_keys(campaign),
            built_in=campaign.author_type == CampaignAuthorType.SYSTEM,
        )


class TemplatePreview(WhatsAppPage):
    """`POST /templates/preview`: bubble, faults and warnings for what is being typed."""

    needs = {"POST": "view"}

    def post(self, request: HttpRequest) -> HttpResponse:
        form = TemplateForm(request.POST, fixed="name" not in request.POST)
        form.is_valid()
        shown = editor.looked_over(shown_of(form), merchant=self.account.name, known=_known(self, request))
        return fragment(request, "campaigns/parts/draft.html", {**shown, "account": self.account})


def _known(page: WhatsAppPage, request: HttpRequest) -> set[str]:
    """The custom variables of the template that is being rewritten."""
    asked = row_number(request.POST.get("template", ""))
    own: Any = Campaign.objects.for_account(page.account).filter(pk=asked) if asked else []
    return set().union(*(authoring.custom_keys(one) for one in own))


def shown_of(form: TemplateForm) -> dict[str, Any]:
    """The form's fields as they stand: cleaned where they can be, else as typed or as they began."""
    # What was refused after cleaning is no longer among the cleaned: it is shown as typed.
    cleaned: dict[str, Any] = getattr(form, "cleaned_data", {})
    whole = {**{name: form[name].value() for name in form.fields if name not in cleaned}, **cleaned}
    fallbacks = whole.get("fallbacks")
    if isinstance(fallbacks, str):
        with suppress(ValidationError):
            fallbacks = form.fields["fallbacks"].clean(fallbacks)
    return {
        **whole,
        "content_type": whole.get("content_type") or ContentType.TEXT,
        "campaign_type": whole.get("campaign_type") or CampaignType.MARKETING,
        "fallbacks": fallbacks if isinstance(fallbacks, dict) else {},
    }


class StartFrom(WhatsAppPage):
    """`POST /templates/defaults`: the built-in templates that are missing."""

    needs = {"POST": "author"}

    def post(self, request: HttpRequest) -> HttpResponse:
        made = authoring.create_default_templates(self.account)
        return flash(request, f"{len(made)} built-in templates are in your library.", "/templates")
