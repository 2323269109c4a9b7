"""What happened to people, as integrators tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from accounts.roles import Permission
from campaigns_project.api import BULK, Door
from campaigns_project.api.errors import flat
from campaigns_project.refusals import Invalid
from crm import events
from crm.api import inputs
from crm.api.shapes import EventsShape
from crm.models import Customer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rest_framework.request import Request

Faults = dict[int, dict[str, list[str]]]


class Events(Door):
    needs: ClassVar = {"POST": Permission.AUTHOR}
    bodies: ClassVar = {"POST": inputs.EventsInput}
    answers: ClassVar = {"POST": (202, EventsShape)}
    max_body = BULK
    tag = "events"

    def post(self, request: Request) -> Response:
        """Tell what happened: one event, or up to 1,000.

        Its person is the customer with that `customer_id`, else `external_id`, else `phone`, else `email`; an address
        that nobody has yet is kept until somebody does. Rows that cannot be taken in are listed; when none can, the
        answer is 400.
        """
        rows = self.data.get("events", [request.data])
        read, faults = _read(rows)
        known = self._known(read)
        taken = {index: row for index, row in read.items() if _fits(index, row, known, faults)}
        if not taken:
            raise Invalid(
                details={
                    f"events.{index}.{path}" if "events" in self.data else path: why
                    for index, found in sorted(faults.items())
                    for path, why in found.items()
                }
            )
        accepted = events.store(self.account, [_happened(row, known) for row in taken.values()])
        told = [_told(index, found) for index, found in sorted(faults.items())]
        return Response({"accepted": accepted, "duplicates": len(taken) - accepted, "invalid": told}, status=202)

    def _known(self, read: Mapping[int, Mapping[str, Any]]) -> dict[tuple[str, str], int]:
        """Customers by what rows call them."""
        found: dict[tuple[str, str], int] = {}
        for name, column in (("customer_id", "public_id"), ("external_id", "external_id")):
            said = {row[name] for row in read.values() if row.get(name)}
            people = Customer.objects.for_account(self.account).known().filter(**{f"{column}__in": said})
            pairs = people.values_list(column, "pk") if said else []
            found |= {(name, called): pk for called, pk in pairs}
        return found


def _read(rows: Sequence[Any]) -> tuple[dict[int, dict[str, Any]], Faults]:
    """The rows that are events, and what is wrong with the others, by index."""
    serializer, read, faults = inputs.EventInput(), {}, {}
    for index, row in enumerate(rows):
        try:
            read[index] = serializer.run_validation(row)
        except ValidationError as error:
            faults[index] = flat(error.detail)
    return read, faults


def _fits(index: int, row: Mapping[str, Any], known: Mapping[tuple[str, str], int], faults: Faults) -> bool:
    """Whether the customer that a row names is there; if not, that is a fault."""
    for name in ("customer_id", "external_id"):
        if row.get(name) and (name, row[name]) not in known:
            faults[index] = {name: ["There is no such customer."]}
            return False
    return True


def _happened(row: Mapping[str, Any], known: Mapping[tuple[str, str], int]) -> events.Happened:
    value = row.get("value") or {}
    named = [known[name, row[name]] for name in ("customer_id", "external_id") if row.get(name)]
    when = {"occurred_at": row["occurred_at"]} if "occurred_at" in row else {}
    return events.Happened(
        event_id=row["event_id"],
        type=row["type"],
        customer_id=next(iter(named), None),
        email=row.get("email") or "",
        phone=row.get("phone") or "",
        value_minor=value.get("amount"),
        currency=value.get("currency", ""),
        properties=row.get("properties", {}),
        **when,
    )


def _told(index: int, faults: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    path, sentences = next(iter(faults.items()))
    return {"index": index, "code": "invalid", "message": f"{path}: {sentences[0]}"}
