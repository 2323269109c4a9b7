"""One person: of one broadcast (why they did or did not get it), and over everything we know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Q

from accounts.merchant_page import searched
from accounts.models import User
from campaigns import sending
from campaigns.forms import OptForm
from campaigns.models import CampaignLeadMessage, ConversationUser, Direction, Message, MessageStatus
from campaigns.models.conversation import ERASED
from campaigns.pages import words
from campaigns.pages.broadcast import values_of
from campaigns.pages.door import WhatsAppPage, address_of
from campaigns_project.pages import flash, keyed
from campaigns_project.tones import look_of
from crm import phones
from crm.customers import consent
from crm.models import ConsentEntry, Event
from dispatch.models import InboxEntry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.http import HttpRequest, HttpResponse

MOST_TOLD = 60
MOST_SAID = 30
CHANNEL = "whatsapp"
_CALLS = {
    "calling": "Call to Twilio under way",
    "accepted": "Twilio took it",
    "rejected": "Twilio refused it",
    "unknown": "No answer yet: we ask before trying again",
    "released": "Certainly not sent; tried again",
}
_EVENTS = {
    "message.received": "Wrote to us",
    "message.clicked": "Followed a link",
    "order.completed": "Ordered",
}
Told = dict[str, Any]


class PersonOfBroadcast(WhatsAppPage):
    """`/campaigns/wa_7/people/9`: one person's message, step by step."""

    def get(self, request: HttpRequest, pk: int, message: int) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        rows = CampaignLeadMessage.objects.select_related("broadcast", "campaign", "conversation_user", "account")
        row = self.find(rows, pk=message, broadcast=pk, broadcast__test_send=False)
        attempts = list(row.attempts.order_by("pk"))
        told = [*_moves(row), *_calls(attempts), *_callbacks(row, attempts)]
        return self.show(
            "campaigns/person_of_broadcast.html",
            row=row,
            here=address_of(row.broadcast),
            here_people=address_of(row.broadcast, "/people"),
            what=words.what_happened(row),
            free_at=sending.free_at(row) if row.status == MessageStatus.QUEUED else None,
            unknown=any(attempt.state == "unknown" for attempt in attempts),
            values=values_of(row),
            timeline=newest_first(told),
            attempts=attempts,
            suppressed=consent.is_suppressed(self.account, channel=CHANNEL, address=row.phone),
        )


def _moves(row: CampaignLeadMessage) -> list[Told]:
    history: Any = CampaignLeadMessage.machine.moves
    born = "skipped" if row.skip_reason and row.status_at == row.created_at else "queued"
    told = [
        _entry(look_of("message", born), row.created_at, words.left_out(row.skip_reason) if born == "skipped" else "")
    ]
    moves = history.objects.filter(account_id=row.account_id, row_id=row.pk).order_by("id")
    return [*told, *(_entry(look_of("message", move.target), move.at, move.reason) for move in moves)]


def _entry(look: Any, at: Any, detail: str = "") -> Told:
    return {"title": look.label, "tone": look.tone, "at": at, "detail": detail}


def _calls(attempts: Iterable[Any]) -> list[Told]:
    told = []
    for attempt in attempts:
        tone = look_of("attempt", attempt.state).tone
        detail = " · ".join(filter(None, [attempt.provider_id, words.refusal(attempt.code) if attempt.code else ""]))
        at = attempt.ended_at or attempt.called_at
        told.append({"title": _CALLS[attempt.state], "tone": tone, "at": at, "detail": detail})
    return told


def _callbacks(row: CampaignLeadMessage, attempts: Iterable[Any]) -> list[Told]:
    """What Twilio reported. Its callbacks are kept under `{message sid}:{status}:{attempt}`."""
    known = Q(pk=None)
    for attempt in attempts:
        if attempt.provider_id:
            known |= Q(dedupe_key__startswith=f"{attempt.provider_id}:")
    entries = InboxEntry.objects.filter(known, account=row.account_id, provider="twilio").order_by("pk")[:MOST_SAID]
    return [
        {
            "title": f"Twilio reported “{entry.dedupe_key.split(':')[1]}”",
            "tone": "blue",
            "at": entry.received_at,
            "detail": look_of("inbox", entry.result).label,
        }
        for entry in entries
    ]


def newest_first(told: list[Told]) -> list[Told]:
    """By time; of what happened in one moment, what was told last comes first."""
    return sorted(told, key=lambda entry: entry["at"])[::-1]


class People(WhatsAppPage):
    """`/people`: everybody we have a number of, found by how the number or the name begins."""

    def get(self, request: HttpRequest) -> HttpResponse:
        rows = ConversationUser.objects.for_account(self.account).exclude(phone__startswith=ERASED)
        asked = searched(request)
        if asked:
            rows = rows.filter(Q(phone__startswith=phones.beginning(asked)) | Q(name__istartswith=asked))
        return self.show("campaigns/people.html", page=keyed(rows, request, size=50), q=asked)


class Person(WhatsAppPage):
    """`/people/9`: messages both ways, what they did, and whether we may write."""

    needs = {"GET": "view", "POST": "blocklist"}

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        return self._page(self._person(pk), OptForm())

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        person = self._person(pk)
        form = OptForm(request.POST)
        if not form.is_valid():
            return self._page(person, form, status=400)
        out = request.POST.get("act") == "withdraw"
        (consent.withdraw if out else consent.grant)(
            self.account,
            channel=CHANNEL,
            address=person.phone,
            source="merchant",
            proof={"said": form.cleaned_data["proof"], "by": self.user.pk},
            customer=person.customer,
        )
        return flash(
            request, "Nothing is sent to them any more." if out else "They can get messages again.", request.path
        )

    def _person(self, pk: int) -> ConversationUser:
        found: ConversationUser = self.find(ConversationUser.objects.select_related("customer"), pk=pk)
        return found

    def _page(self, person: ConversationUser, form: OptForm, status: int = 200) -> HttpResponse:
        sends = CampaignLeadMessage.objects.for_account(self.account).filter(conversation_user=person)
        sent = list(sends.filter(broadcast__test_send=False).order_by("-pk")[:MOST_SAID])
        said = Message.objects.for_account(self.account).filter(conversation_user=person).order_by("-pk")[:MOST_SAID]
        return self.show(
            "campaigns/person.html",
            status,
            person=person,
            form=form,
            suppressed=consent.is_suppressed(self.account, channel=CHANNEL, address=person.phone),
            sent=[_told(row) for row in sent],
            said=list(said)[::-1],
            inbound=Direction.INBOUND,
            timeline=newest_first([*self._sent(sent), *self._events(person), *self._consent(person)])[:MOST_TOLD],
        )

    def _sent(self, rows: Iterable[CampaignLeadMessage]) -> list[Told]:
        return [
            {
                **_entry(look_of("message", row.status), row.status_at),
                "title": f"{row.campaign_name}: {words.what_happened(row).lower()}",
            }
            for row in rows
        ]

    def _events(self, person: ConversationUser) -> list[Told]:
        events = Event.objects.for_account(self.account).filter(phone=person.phone).order_by("-occurred_at")[:MOST_SAID]
        return [
            {
                "title": _EVENTS.get(event.type, event.type),
                "tone": "indigo",
                "at": event.occurred_at,
                "detail": _link(event),
            }
            for event in events
        ]

    def _consent(self, person: ConversationUser) -> list[Told]:
        hashed = consent.phone_hash(self.account.pk, person.phone)
        entries = ConsentEntry.objects.for_account(self.account).filter(address_hash=hashed).order_by("-pk")[:MOST_SAID]
        names = dict(
            User.objects.filter(pk__in=[entry.proof.get("by", 0) for entry in entries]).values_list("pk", "name")
        )
        return [
            {
                **_entry(look_of("consent", entry.act), entry.at),
                "detail": " · ".join(filter(None, [_source(entry, names), entry.proof.get("said", "")])),
            }
            for entry in entries
        ]


def _told(row: CampaignLeadMessage) -> CampaignLeadMessage:
    row.told = words.what_happened(row)  # type: ignore[attr-defined]  # for the template
    return row


def _link(event: Event) -> str:
    return str(event.properties.get("url", ""))[:120]


def _source(entry: ConsentEntry, names: dict[int, str]) -> str:
    who = names.get(entry.proof.get("by", 0), "")
    told = {
        "inbound": "They wrote it themselves",
        "twilio": "Reported by Twilio",
        "merchant": f"By {who or 'your team'}",
    }
    return told.get(entry.source, entry.source)
