"""Senders, the ledger of attempts and the webhook inbox, for operators."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl

from django import forms
from django.contrib import admin
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now
from django.urls import reverse

from accounts.roles import Permission
from campaigns_project.admin import Tile, tile
from campaigns_project.admin.acts import Act, Said, act
from campaigns_project.admin.lists import chosen, older
from campaigns_project.admin.rows import OperatorAdmin
from campaigns_project.admin.shown import chip_of, masked, provider_link, readable
from campaigns_project.admin.walls import may_look, sees_all, within
from campaigns_project.refusals import Conflict
from campaigns_project.templatetags import look
from dispatch import inbox, lane, owners, resolving, webhook_admin  # noqa: F401 (registers the rest)
from dispatch.models import Attempt, AttemptState, InboxEntry, Owner, Pace
from lifecycle.models import Lease

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.utils.safestring import SafeString

Result = InboxEntry.Result
LIST = "admin:{}_changelist"


OPEN = Q(state__in=[AttemptState.CALLING, AttemptState.UNKNOWN])


class AlreadyApplied(Conflict):
    message = "It was applied meanwhile."


def _outcome() -> dict[str, forms.Field]:
    return {
        "outcome": forms.ChoiceField(
            choices=[("", "Choose one"), ("accepted", "The provider has it"), ("not_sent", "It was not sent")],
            help_text="Not sent: it is sent again, once.",
        ),
        "provider_id": forms.CharField(
            required=False, max_length=80, label="Provider id", help_text="When the provider has it: under which id."
        ),
    }


class AttemptAdmin(OperatorAdmin):
    """The attempts of one lane; subclasses say which provider ids they hold (`console`)."""

    console: ClassVar[str] = ""
    list_display = ("id", "row", "address", "chip", "called_at", "code", "detail", "account")
    list_filter = ("state", older("called_at", "called"), chosen("open", "open", {"yes": ("Open", OPEN)}))
    list_select_related = ("row", "account")
    search_fields = ("=id", "=uuid", "^address", "^provider_id")
    fields = ("row", "account", "uuid", "sender", "address", "chip", "called_at", "ended_at", "taken_as", "code",
              "detail", "owner", "checks", "checked_at")  # fmt: skip

    chip = chip_of("attempt", "state")

    @admin.display(description="provider id")
    def taken_as(self, attempt: Attempt) -> SafeString | str:
        return provider_link(self.console, attempt.provider_id)

    @act(
        "Resolve",
        "You looked at the provider's own list and say what became of this call. It cannot be taken back.",
        fits=lambda attempt: attempt.state == "unknown",
        asks=Permission.SEND,
        fields=_outcome,
        many=False,
    )
    def resolve(self, attempt: Attempt, said: Said) -> str:
        trace: dict[str, Any] = {"by": said.by, "reason": said.reason, "request_id": said.request_id}
        if said.answers["outcome"] == "accepted":
            resolving.accepted(attempt, said.answers.get("provider_id", ""), **trace)
            return "Recorded as accepted."
        resolving.not_sent(attempt, **trace)
        return "Recorded as not sent: it is due again."

    acts: ClassVar[list[Act]] = [resolve]


@admin.register(InboxEntry)
class InboxEntryAdmin(OperatorAdmin):
    list_display = ("id", "received_at", "provider", "kind", "chip", "tries", "error", "account")
    list_filter = ("provider", "kind", "result", older("received_at", "received"))
    list_select_related = ("account",)
    search_fields = ("=id", "^dedupe_key")
    fields = ("account", "provider", "kind", "connection", "dedupe_key", "received_at", "chip", "applied_at", "tries",
              "next_try_at", "error", "said_in", "with_headers", "known")  # fmt: skip

    chip = chip_of("inbox", "result")

    @admin.display(description="payload")
    def said_in(self, entry: InboxEntry) -> SafeString:
        return readable(_payload(bytes(entry.body)))

    @admin.display(description="headers")
    def with_headers(self, entry: InboxEntry) -> SafeString:
        return readable(masked(entry.headers))

    @admin.display(description="known at the door")
    def known(self, entry: InboxEntry) -> SafeString:
        return readable(masked(entry.context))

    @act(
        "Replay",
        "The webhook is applied again, as if it came now. What it did before is not done twice.",
        fits=lambda entry: entry.result != Result.WAITING,
        asks=Permission.SEND,
    )
    def replay(self, entry: InboxEntry, said: Said) -> None:  # noqa: ARG002 (an act)
        inbox.replay(entry)

    @act(
        "Mark ignored",
        "The webhook is not applied; it stays here to be looked at and can be replayed.",
        fits=lambda entry: entry.result in {Result.WAITING, Result.FAILED},
        asks=Permission.SEND,
    )
    def ignore(self, entry: InboxEntry, said: Said) -> None:  # noqa: ARG002 (an act)
        if not inbox.ignore(entry):
            raise AlreadyApplied

    acts: ClassVar[list[Act]] = [replay, ignore]


def _payload(body: bytes) -> Any:
    """A webhook's body for reading: JSON or a form with its secrets masked, else text as it came."""
    text = body.decode(errors="replace")
    try:
        data = json.loads(text)
    except ValueError:
        data = dict(parse_qsl(text, keep_blank_values=True)) or text
    return masked(data) if isinstance(data, dict) else data


ALIVE = Q(ended_at=None, seen_at__gt=Now() - timedelta(seconds=owners.DEAD_AFTER_SECONDS))


@admin.register(Owner)
class OwnerAdmin(OperatorAdmin):
    account_path = None
    list_display = ("id", "provider", "host", "pid", "is_alive", "started_at", "seen_at", "ended_at")
    list_filter = ("provider", chosen("alive", "alive", {"yes": ("Alive", ALIVE), "no": ("Dead", ~ALIVE)}))
    fields = ("provider", "host", "pid", "is_alive", "started_at", "seen_at", "ended_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Owner]:
        alive = Case(When(ALIVE, then=Value(value=True)), default=Value(value=False))
        rows: QuerySet[Owner] = super().get_queryset(request).annotate(alive=alive)
        return rows

    @admin.display(description="state")
    def is_alive(self, owner: Any) -> SafeString:
        return look.badge("green", "dot", "Alive") if owner.alive else look.badge("grey", "dash", "Ended")


@admin.register(Pace)
class PaceAdmin(OperatorAdmin):
    account_path = None
    list_display = ("sender", "provider", "next_slot")
    list_filter = ("provider",)
    search_fields = ("^sender",)
    fields = ("provider", "sender", "next_slot")


@admin.register(Lease)
class LeaseAdmin(OperatorAdmin):
    """Hints which rows are due; no truth lives here."""

    list_display = ("id", "queue", "scope_id", "turn", "rows", "due_at", "owner_id", "account_id")
    list_filter = (
        "queue",
        older("due_at", "due"),
        chosen("taken", "taken", {"no": ("Free", Q(owner=None)), "yes": ("Taken", Q(owner__gt=0))}),
    )
    search_fields = ("=id", "=scope_id")
    fields = ("queue", "account_id", "scope_id", "turn", "rows", "due_at", "owner_id", "taken_at")

    def get_list_filter(self, request: HttpRequest) -> Any:  # noqa: ARG002 (its account is a number, no reference)
        return self.list_filter

    def rows(self, lease: Lease) -> str:
        return ", ".join(map(str, lease.ids)) if lease.ids else f"{lease.lo}–{lease.hi}"

    @admin.display(description="owner")
    def owner_id(self, lease: Lease) -> str:
        return f"sender {lease.owner}" if lease.owner else "—"


@tile(50)
def oldest_due_lease(request: HttpRequest) -> Tile | None:
    """How long the work that is due and free has waited."""
    if not may_look(request, Lease):
        return None
    due = within(request, Lease.objects.filter(owner=None, due_at__lte=Now())).order_by("due_at")
    waited = due.annotate(waited=Now() - F("due_at")).values_list("waited", flat=True).first()
    href = f"{reverse(LIST.format('lifecycle_lease'))}?taken=no&age=1m"
    return Tile("Oldest due work", f"{waited.total_seconds():,.0f} s" if waited else "—", "not taken by a sender", href)


@tile(40)
def dead_letters(request: HttpRequest) -> Tile | None:
    """Webhooks that could not be applied."""
    if not may_look(request, InboxEntry):
        return None
    failed = within(request, InboxEntry.objects.filter(result=Result.FAILED)).count()
    href = f"{reverse(LIST.format('dispatch_inboxentry'))}?result__exact=failed"
    return Tile("Dead letters", f"{failed:,}", "webhooks that failed", href)


@tile(90)
def senders_alive(request: HttpRequest) -> Tile | None:
    """Senders by provider; only for those who look after the platform."""
    if not (may_look(request, Owner) and sees_all(request)):
        return None
    alive = {provider: owners.alive(provider) for provider in lane.providers()}
    note = ", ".join(f"{provider} {number}" for provider, number in alive.items())
    return Tile("Senders alive", sum(alive.values()), note, f"{reverse(LIST.format('dispatch_owner'))}?alive=yes")
