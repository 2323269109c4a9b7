"""Segments from a CSV file: each line names a customer there is, by our id, their own id, e-mail address or phone."""

from __future__ import annotations

import csv
from itertools import islice
from typing import TYPE_CHECKING, Any

from campaigns_project import jobs, sheets
from campaigns_project.refusals import Invalid
from crm.audiences import segments
from crm.models import Customer, Segment, SegmentType
from crm.phones import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from django.core.files.uploadedfile import UploadedFile

    from accounts.models import Account
    from campaigns_project.models import Job

KIND = "segment_import"
SLICE = 5_000
OURS = "cust_"
NOBODY = "There is no such customer."
# What a column is taken for, by its name; the first one there is counts.
COLUMNS = {
    "customer_id": ("customer_id", "id"),
    "external_id": ("external_id", "customer_number", "customer_no"),
    "email": ("email", "e_mail", "mail", "email_address"),
    "phone": ("phone", "phone_number", "mobile", "number", "telephone"),
}


def import_csv(account: Account, upload: UploadedFile[bytes], *, name: str, by: Any) -> tuple[Segment, Job]:
    """A new segment, and the job that fills it. UTF-8, separated by commas, semicolons or tabs; the first line names
    the columns, of which one in COLUMNS says who it is. Raises Invalid (`details["file"]`).
    """
    total = sheets.checked(upload)
    _place(sheets.head_of(upload))
    upload.seek(0)
    segment = segments.imported(account, name)
    params = {"segment": segment.pk}
    return segment, jobs.create(KIND, account=account, by=by, total=total, params=params, upload=upload)


@jobs.runs(KIND)
def run_slice(job: Job) -> bool:
    """Take in the next lines; True at the end of the file. Members, progress and place commit together."""
    segment = Segment.objects.for_account(job.account_id).filter(pk=job.params["segment"]).first()
    if segment is None or segment.type != SegmentType.IMPORTED:
        return True
    with jobs.input_of(job).open("rb") as file:
        head = sheets.head_of(file)
        column, place = _place(head)
        file.seek(job.params.get("offset", head.size))
        lines = list(islice(iter(file.readline, b""), SLICE))
        job.params["offset"] = file.tell()
    first = job.params.get("line", 2)
    said, refused = _said(enumerate(lines, start=first), head, column, place)
    known = _known(segment.account_id, {key for key, _ in said.values()})
    added = segments.add_known(segment, list(known.values()))
    nobody = [[number, NOBODY, *cells] for number, (key, cells) in said.items() if key not in known]
    refused += nobody
    jobs.progress(job, done=len(said) - len(nobody))
    if refused:
        jobs.add_errors(job, ["line", "reason", *head.written], sorted(refused, key=lambda row: row[0]))
    job.params["line"] = first + len(lines)
    job.result = {"segment_id": segment.public_id, "added": job.result.get("added", 0) + added}
    job.save(update_fields=["params", "result"])
    return len(lines) < SLICE


def add_lines(segment: Segment, lines: Iterable[str]) -> tuple[int, list[str]]:
    """Put in whom lines name, each in its own way; returns how many are new, and the lines that name nobody.

    Raises SegmentIsDynamic.
    """
    named: dict[str, Key | None] = {}
    for line in filter(None, map(str.strip, lines)):
        column = "email" if "@" in line else "phone" if line.startswith("+") else "customer_id"
        try:
            named[line] = _key(column, line)
        except Invalid:
            named[line] = None
    known = _known(segment.account_id, {key for key in named.values() if key})
    return segments.add_known(segment, list(known.values())), [line for line, key in named.items() if key not in known]


Key = tuple[str, str]


def _said(
    lines: Iterable[tuple[int, bytes]], head: sheets.Head, column: str, place: int
) -> tuple[dict[int, tuple[Key, list[str]]], list[list[Any]]]:
    """Whom each line names, by its number, and the lines that cannot be read."""
    said: dict[int, tuple[Key, list[str]]] = {}
    refused: list[list[Any]] = []
    for number, line in lines:
        cells: list[str] = []
        try:
            cells = sheets.cells_of(line, head.separator)
            if cells:
                said[number] = _key(column, cells[place] if place < len(cells) else ""), cells
        except (Invalid, csv.Error) as fault:
            refused.append([number, sheets.reason_of(fault), *(cells or [line.decode().rstrip("\r\n")])])
    return said, refused


def _key(column: str, cell: str) -> Key:
    if not cell:
        raise Invalid(details={column: ["This is empty."]})
    if column == "phone":
        return column, normalise(cell, field=column)
    if column == "email":
        return "low", cell.lower()
    return ("public_id" if column == "customer_id" and cell.startswith(OURS) else "external_id"), cell


def _known(account_id: int, keys: Iterable[Key]) -> Mapping[Key, int]:
    """Customers by how a line names them."""
    named: dict[str, list[str]] = {}
    for column, value in keys:
        named.setdefault(column, []).append(value)
    found: dict[Key, int] = {}
    people = Customer.objects.for_account(account_id).known()
    for column, values in named.items():
        rows = people.by_lower_email() if column == "low" else people
        pairs = rows.filter(**{f"{column}__in": values}).values_list(column, "pk")
        found |= {(column, value): pk for value, pk in pairs}
    return found


def _place(head: sheets.Head) -> tuple[str, int]:
    """Which column says who it is, and where it stands."""
    names = [sheets.plain(name) for name in head.written]
    for column, spelt in COLUMNS.items():
        for name in spelt:
            if name in names:
                return column, names.index(name)
    raise sheets.refused(f"The first line must name a column of {', '.join(COLUMNS)}.")
