"""Codes that a merchant has already, from a file or from JSON: kept as they are spelt, each once in the account.

A row is refused by itself, into the job's file of errors; the others are taken in. A slice is one transaction with its
progress and its place in the file.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from django.core.files.uploadedfile import SimpleUploadedFile

from campaigns_project import jobs, sheets
from campaigns_project.refusals import Invalid
from coupons import codes, making, terms
from coupons.models.coupon import LONGEST_CODE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.files.uploadedfile import UploadedFile

    from campaigns_project.models import Job
    from coupons.models import CouponCampaign

KIND = "coupon_import"
SLICE = 20_000
CODE, NOTES = "code", "notes"
LONGEST_NOTES = 500
THERE = "code: There is a coupon of this code already."
# How sheets call a column of codes otherwise.
_CALLED = {"code": CODE, "codes": CODE, "coupon": CODE, "coupon_code": CODE, "voucher": CODE, "voucher_code": CODE}
_NAMES = {**_CALLED, "notes": NOTES, "note": NOTES}


class _Row(NamedTuple):
    line: int
    cells: list[str]
    code: str
    notes: str | None


def import_codes(campaign: CouponCampaign, given: Sequence[str], *, by: Any) -> Job:
    """Take in codes as a job. Raises Invalid (`details["codes.<index>"]`) and CampaignArchived."""
    faults = {f"codes.{index}": [fault] for index, code in enumerate(given) if (fault := code_fault(code))}
    if faults:
        raise Invalid(details=faults)
    lines = b"".join(_csv_line(code) for code in (CODE, *given))
    return _start(campaign, SimpleUploadedFile("codes.csv", lines), total=len(given), by=by)


def import_csv(campaign: CouponCampaign, upload: UploadedFile[bytes], *, by: Any) -> Job:
    """Take in a CSV file with a column `code`, and `notes` beside it if wanted, as a job.

    Raises Invalid (`details["file"]`) and CampaignArchived.
    """
    total = sheets.checked(upload)
    _targets(sheets.head_of(upload))
    upload.seek(0)
    return _start(campaign, upload, total=total, by=by)


def _start(campaign: CouponCampaign, upload: UploadedFile[Any], *, total: int, by: Any) -> Job:
    terms.still_open(campaign)
    params = {"campaign": str(campaign.pk)}
    return jobs.create(KIND, account=campaign.account, by=by, total=total, params=params, upload=upload)


def code_fault(code: str) -> str | None:
    """Why this cannot be a code, or None: 1 to 64 characters that can be seen, none of them white space at an end."""
    if not 1 <= len(code) <= LONGEST_CODE:
        return f"A code has 1 to {LONGEST_CODE} characters."
    if code != code.strip():
        return "A code neither begins nor ends with a space."
    return _unseen_fault(code)


def _unseen_fault(text: str) -> str | None:
    # Control characters and what is no character; line and paragraph separators.
    unseen = any(unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in text)
    return "Control characters are not allowed." if unseen else None


@jobs.runs(KIND)
def import_slice(job: Job) -> bool:
    """Take in the next rows; True when the file is at its end."""
    with jobs.input_of(job).open("rb") as file:
        head = sheets.head_of(file)
        offset, first = job.params.get("offset", head.size), job.params.get("line", 2)
        file.seek(offset)
        lines = list(islice(iter(file.readline, b""), SLICE))
        ended = not file.read(1)
    rows, refused = _read(lines, head, first)
    there: set[str] = set()
    if rows:
        making.put(job, lambda _, shared: len(rows) - len(_written(rows, shared, there)))
    refused += [[row.line, THERE, *row.cells] for row in rows if row.code in there]
    if refused:
        jobs.add_errors(job, ["line", "reason", *head.written], sorted(refused))
    jobs.progress(job, done=len(rows) - len(there))
    job.params |= {"offset": offset + sum(map(len, lines)), "line": first + len(lines)}
    job.save(update_fields=["params"])
    return ended


def _written(rows: Sequence[_Row], shared: dict[str, Any], there: set[str]) -> set[str]:
    """Write the rows' coupons; the codes that were there already are told and put into `there`."""
    ordered = sorted(rows, key=lambda row: row.code.upper())
    notes = [row.notes for row in ordered] if any(row.notes for row in ordered) else []
    there.clear()
    there |= codes.write([row.code for row in ordered], shared, notes)
    return there


def _read(lines: Sequence[bytes], head: sheets.Head, first: int) -> tuple[list[_Row], list[list[Any]]]:
    """The rows of a slice that can be taken in, and the others as they come into the file of errors."""
    targets = _targets(head)
    rows: list[_Row] = []
    refused: list[list[Any]] = []
    known: set[str] = set()
    for number, line in enumerate(lines, start=first):
        try:
            cells = sheets.cells_of(line, head.separator)
            row = _row(number, cells, targets) if cells else None
        except (Invalid, csv.Error) as fault:
            refused.append([number, sheets.reason_of(fault), line.decode().rstrip("\r\n")])
            continue
        if row and row.code.upper() in known:
            refused.append([number, "code: The file has this code twice.", *cells])
        elif row:
            known.add(row.code.upper())
            rows.append(row)
    return rows, refused


def _row(number: int, cells: list[str], targets: Sequence[str]) -> _Row:
    """What a line says. Raises Invalid for one that cannot be taken in."""
    if len(cells) > len(targets):
        raise Invalid(details={"row": [f"There are {len(cells)} cells under {len(targets)} columns."]})
    named = {target: unicodedata.normalize("NFC", cell) for target, cell in zip(targets, cells, strict=False)}
    code, notes = named.get(CODE, ""), named.get(NOTES) or None
    if fault := code_fault(code):
        raise Invalid(details={CODE: [fault]})
    if notes and (fault := _notes_fault(notes)):
        raise Invalid(details={NOTES: [fault]})
    return _Row(number, cells, code, notes)


def _notes_fault(notes: str) -> str | None:
    return f"Notes have at most {LONGEST_NOTES} characters." if len(notes) > LONGEST_NOTES else _unseen_fault(notes)


def _targets(head: sheets.Head) -> list[str]:
    """What each column is to us; "" is ignored. Raises Invalid (`details["file"]`)."""
    targets = [_NAMES.get(sheets.plain(name), "") for name in head.written]
    if targets.count(CODE) != 1 or targets.count(NOTES) > 1:
        raise sheets.refused("The first line must name one column of codes, called code.")
    return targets


def _csv_line(code: str) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow([code])
    return line.getvalue().encode()
