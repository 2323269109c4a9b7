"""Where a campaign begins: which kind, and from what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import Http404, HttpResponseRedirect

from campaigns import drafting
from campaigns.models import Broadcast, Campaign, CampaignStatus
from campaigns.pages import checks
from campaigns.pages.door import WhatsAppPage, address_of, row_number

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

MOST_OFFERED = 40
LAST_SENT = 5


class New(WhatsAppPage):
    """`/campaigns/new`: WhatsApp, from a template or as a past send once more. Posting starts the draft."""

    needs = {"GET": "author", "POST": "author"}

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        rows = Campaign.objects.for_account(self.account).exclude(status=CampaignStatus.ARCHIVED).order_by("-pk")
        ready = [one for one in rows.filter(status=CampaignStatus.APPROVED) if checks.sendable(one)][:MOST_OFFERED]
        sent = Broadcast.objects.for_account(self.account).filter(test_send=False, started_at__isnull=False)
        return self.show(
            "campaigns/new.html",
            ready=ready,
            others=rows.exclude(status=CampaignStatus.APPROVED).filter(next_campaign=None).exists(),
            past=list(sent.select_related("campaign").order_by("-pk")[:LAST_SENT]),
            prices=settings.MESSAGE_PRICE_MINOR,
        )

    def post(self, request: HttpRequest) -> HttpResponse:
        chosen = row_number(request.POST.get("template", ""))
        if chosen is None:
            raise Http404
        broadcast = drafting.begin(self.template(chosen), by=self.user)
        return HttpResponseRedirect(address_of(broadcast, "/edit/audience"), status=303)
