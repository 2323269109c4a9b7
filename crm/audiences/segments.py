"""Segments written and read: made, changed, deleted, who is in one, what uses one, and how large one may be.

How a dynamic segment finds its members: `crm.audiences.refreshing`. Who asks for members joins on the segment's
version, so that everybody reads the old ones or the new ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Greatest, Now

from campaigns_project.refusals import Conflict, Invalid, NotFound, Refusal
from crm.audiences import criteria as grammar
from crm.models import AudienceLimit, Channel, Customer, Segment, SegmentMember, SegmentType

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from django.db.models import QuerySet

    from accounts.models import Account

MEMBERS = SegmentMember._meta.db_table
# People in one campaign, by channel.
MAXIMA = {Channel.EMAIL: 1_000_000, Channel.PUSH: 1_000_000, Channel.SMS: 100_000}
MOST_NAMED = 10_000
_users: list[tuple[str, Callable[[Segment], Iterable[str]]]] = []

_ADD = f"""
    INSERT INTO {MEMBERS} (account_id, segment_id, version, customer_id)
    SELECT account_id, %(segment)s, %(version)s, id FROM crm_customer
    WHERE account_id = %(account)s AND id = ANY(%(customers)s::bigint[]) AND erased_at IS NULL
    ON CONFLICT DO NOTHING"""  # noqa: S608 (our own table)


class SegmentTooLarge(Refusal):
    """`details` has, for each channel that is too small, `{"size", "max"}`."""

    status = 422
    code = "segment_too_large"
    message = "The segment has more people than this channel may reach at once."


class SegmentInUse(Conflict):
    code = "segment_in_use"
    message = "Something uses this segment."


class SegmentIsDynamic(Conflict):
    code = "segment_is_dynamic"
    message = "The criteria of this segment decide who is in it."


class SegmentIsNotDynamic(Conflict):
    code = "segment_is_not_dynamic"
    message = "Only a dynamic segment has criteria to look through customers by."


def find(account: Account, public_id: str) -> Segment:
    """The account's segment. Raises NotFound."""
    found = Segment.objects.for_account(account).filter(public_id=public_id).first()
    if found is None:
        raise NotFound
    return found


def members_sql(segment_column: str) -> str:
    """SQL that selects `customer_id` of a segment's present members; `segment_column` is SQL, never input."""
    return (
        f"SELECT member.customer_id FROM {MEMBERS} member JOIN crm_segment audience "  # noqa: S608 (names of ours)
        "ON audience.id = member.segment_id AND audience.version = member.version "
        f"WHERE member.segment_id = {segment_column}"
    )


def is_member(segment: Segment, customer_id: int) -> bool:
    sql = f"SELECT EXISTS ({members_sql('%s')} AND member.customer_id = %s)"
    with connection.cursor() as cursor:
        cursor.execute(sql, [segment.pk, customer_id])
        return bool(cursor.fetchone()[0])


def used_by(kind: str, uses: Callable[[Segment], Iterable[str]]) -> None:
    """`uses(segment)` names what of this kind uses it; while something does it is not deleted (AppConfig.ready())."""
    _users.append((kind, uses))


def uses(segment: Segment) -> list[dict[str, str]]:
    """What uses a segment: `[{"kind", "id"}]`."""
    return [{"kind": kind, "id": name} for kind, names in _users for name in names(segment)]


def create(account: Account, *, name: str, type: str, criteria: Any = None, customer_ids: Any = ()) -> Segment:  # noqa: A002 (the seed's word)
    """A new segment; a dynamic one is empty until it is refreshed.

    Raises InvalidSegmentCriteria for a dynamic one without criteria; Invalid for what its type has no use for, and for
    customers there are none of.
    """
    segment = Segment(account=account, name=name, type=type)
    _set_criteria(segment, criteria)
    if customer_ids and type != SegmentType.STATIC:
        raise Invalid(details={"customer_ids": ["Only a static segment is made of named customers."]})
    segment.version = 0 if segment.is_dynamic else 1
    with transaction.atomic():
        segment.save()
        if not segment.is_dynamic:
            add(segment, customer_ids)
    segment.refresh_from_db()
    return segment


def imported(account: Account, name: str) -> Segment:
    """A new segment that a file fills."""
    segment = Segment(account=account, name=name, type=SegmentType.IMPORTED, version=1)
    segment.save()
    return segment


def change(segment: Segment, *, name: str | None = None, criteria: Any = None) -> Segment:
    """Another name, or other criteria, under the row's lock; the members stay until the next refresh, which is a full
    one. Raises as `create` does.
    """
    segment.name = name or segment.name
    if criteria is not None:
        _set_criteria(segment, criteria)
        segment.changes_from = None
    segment.save(update_fields=["name", "criteria", "changes_from"])
    return segment


def freeze(segment: Segment) -> None:
    """Make a dynamic segment a static one with the members it has."""
    Segment.objects.filter(pk=segment.pk, type=SegmentType.DYNAMIC).update(
        type=SegmentType.STATIC, criteria={}, version=Greatest(F("version"), 1)
    )


def delete(segment: Segment) -> None:
    """Raises SegmentInUse, with what uses it in `details`."""
    if found := uses(segment):
        raise SegmentInUse(details={"used_by": found})
    with transaction.atomic():
        SegmentMember.objects.filter(segment_id=segment.pk).delete()
        segment.delete()


def add(segment: Segment, customer_ids: Collection[str]) -> int:
    """Put customers (public ids) into a static or imported segment; returns how many are new. Raises SegmentIsDynamic,
    and Invalid naming each id that is nobody's.
    """
    known = dict(
        Customer.objects.for_account(segment.account_id)
        .known()
        .filter(public_id__in=set(customer_ids))
        .values_list("public_id", "pk")
    )
    faults = [(n, each) for n, each in enumerate(customer_ids) if each not in known]
    if faults:
        raise Invalid(details={f"customer_ids.{n}": ["There is no such customer."] for n, _ in faults[:20]})
    return add_known(segment, list(known.values()))


def add_known(segment: Segment, customers: Collection[int]) -> int:
    """Put customers (primary keys) in; those of others and those who were erased are left out. As `add`."""
    named: dict[str, Any] = {"account": segment.account_id, "version": segment.version, "customers": list(customers)}
    with transaction.atomic(), connection.cursor() as cursor:
        locked(segment)
        cursor.execute(_ADD, {**named, "segment": segment.pk})
        added = int(cursor.rowcount)
        _resized(segment, added)
    return added


def remove(segment: Segment, customer_ids: Collection[str]) -> int:
    """Take customers out; whoever is not in it is passed over. Returns how many left. Raises SegmentIsDynamic."""
    people = Customer.objects.for_account(segment.account_id).filter(public_id__in=set(customer_ids))
    with transaction.atomic():
        locked(segment)
        members = SegmentMember.objects.filter(segment_id=segment.pk, version=segment.version)
        gone, _ = members.filter(customer_id__in=list(people.values_list("pk", flat=True))).delete()
        _resized(segment, -gone)
    return gone


def members(segment: Segment) -> QuerySet[Customer]:
    """The customers who are in it now."""
    inside = SegmentMember.objects.filter(
        segment_id=segment.pk, version=segment.version, customer_id=OuterRef("pk"), account_id=segment.account_id
    )
    return Customer.objects.for_account(segment.account_id).filter(Exists(inside))


def limit(account: Account, most: Mapping[str, int]) -> dict[str, int]:
    """Lower how many people one campaign may reach; a channel that is not named gets the maximum again."""
    with transaction.atomic():
        AudienceLimit.objects.for_account(account).exclude(channel__in=most).delete()
        for channel, people in most.items():
            AudienceLimit.objects.update_or_create(account=account, channel=channel, defaults={"most": people})
    return most_of(account)


def forget(customer: Customer) -> None:
    """An erased customer is in no segment any more."""
    for segment in Segment.objects.for_account(customer.account_id).order_by("pk").select_for_update(no_key=True):
        gone, _ = SegmentMember.objects.filter(
            segment_id=segment.pk, version=segment.version, customer_id=customer.pk
        ).delete()
        if gone:
            Segment.objects.filter(pk=segment.pk).update(size=segment.size - gone)


def locked(segment: Segment) -> None:
    """Hold a segment whose members are named, until the commit. Raises SegmentIsDynamic."""
    segment.refresh_from_db(from_queryset=Segment.objects.select_for_update(no_key=True))
    if segment.is_dynamic:
        raise SegmentIsDynamic


def most_of(account: Account | int) -> dict[str, int]:
    """How many people one campaign of the account may reach, by channel."""
    own = dict(AudienceLimit.objects.for_account(account).values_list("channel", "most"))
    return {str(channel): min(most, own.get(channel, most)) for channel, most in MAXIMA.items()}


def refuse_too_large(segment: Segment, channels: Collection[str] = ()) -> None:
    """Raises SegmentTooLarge when one of the channels may not reach so many; without channels, when none of all may."""
    most = most_of(segment.account_id)
    asked = {channel: most[channel] for channel in channels if channel in most}
    if not channels:
        asked = dict([max(most.items(), key=lambda each: each[1])])
    over = {channel: {"size": segment.size, "max": limit} for channel, limit in asked.items() if segment.size > limit}
    if over:
        raise SegmentTooLarge(details=over)


def _set_criteria(segment: Segment, asked: Any) -> None:
    if segment.is_dynamic:
        grammar.compiled(asked, segment.account)
        segment.criteria = asked
    elif asked:
        raise grammar.InvalidSegmentCriteria(details={"criteria": ["Only a dynamic segment has criteria."]})


def _resized(segment: Segment, by: int) -> None:
    """Count the members of a segment whose row is locked."""
    segment.size += by
    Segment.objects.filter(pk=segment.pk).update(size=segment.size, refreshed_at=Now())
