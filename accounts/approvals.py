"""A second person's word: asked for once, given by somebody else, good for what it was asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from accounts.models import Approval
from campaigns_project.models import AuditEntry
from campaigns_project.refusals import Conflict, Forbidden

if TYPE_CHECKING:
    from accounts.models import Account, User


class AlreadyDecided(Conflict):
    code = "already_decided"
    message = "This was decided already."


class SamePerson(Forbidden):
    message = "Somebody else than the person who asked has to decide."


def ask(account: Account, *, kind: str, target_id: object, summary: dict[str, Any], by: User) -> Approval:
    """The open question about this object; asked again with another summary it is the same question, renewed."""
    with transaction.atomic():
        approval, created = Approval.objects.get_or_create(
            account=account,
            kind=kind,
            target_id=str(target_id),
            granted=None,
            defaults={"summary": summary, "asked_by": by},
        )
        if not created and approval.summary != summary:
            Approval.objects.filter(pk=approval.pk).update(summary=summary, asked_by=by, asked_at=Now())
            approval.refresh_from_db()
    return approval


def decide(approval: Approval, *, by: User, granted: bool, reason: str = "") -> Approval:
    """Grant or refuse, once. Raises SamePerson for whoever asked, AlreadyDecided after the first word."""
    if approval.asked_by_id == by.pk:
        raise SamePerson
    with transaction.atomic():
        open_still = Approval.objects.filter(pk=approval.pk, granted=None).exclude(asked_by=by)
        if not open_still.update(granted=granted, decided_by=by, decided_at=Now(), reason=reason):
            raise AlreadyDecided
        AuditEntry.objects.create(
            account_id=approval.account_id,
            actor=by,
            action="approval.granted" if granted else "approval.refused",
            target=f"{approval.kind} {approval.target_id}",
            reason=reason,
            details=approval.summary,
        )
    approval.refresh_from_db()
    return approval


def waiting(account: Account | int, *, kind: str, target_id: object) -> Approval | None:
    """The question that waits for a second person, if there is one."""
    asked = Approval.objects.for_account(account).filter(kind=kind, target_id=str(target_id), granted=None)
    return asked.select_related("asked_by").first()


def granted(account: Account, *, kind: str, target_id: object) -> Approval | None:
    """The newest word in favour, if there is one."""
    given = Approval.objects.for_account(account).filter(kind=kind, target_id=str(target_id), granted=True)
    return given.exclude(decided_by=F("asked_by")).order_by("-id").first()
