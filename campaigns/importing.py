"""Leads from a CSV file: checked when it arrives, then taken in slices that survive a kill."""

from __future__ import annotations

import codecs
import csv
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from django.db import transaction

from campaigns import leads
from campaigns.models import Campaign
from campaigns.phones import normalise
from campaigns.values import check_values
from campaigns_project import jobs
from campaigns_project.refusals import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.files.uploadedfile import UploadedFile

    from campaigns_project.models import Job
    from lifecycle.transition import Actor

KIND = "lead_import"
SLICE = 5_000
PHONE_COLUMNS = ("phone_number", "phone", "mobile", "number", "whatsapp", "lead_phone")
_BINARY = (b"PK\x03\x04", b"MZ", b"\x7fELF", b"%PDF", b"\xd0\xcf\x11\xe0")
_OTHER_UNICODE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CHECKED_ROWS = 200


def import_csv(campaign: Campaign, upload: UploadedFile[Any], *, by: Actor | None) -> Job:
    """Take in a CSV file as a job. Raises Invalid for anything that is not one, before a row is read.

    The first row names the columns: one of PHONE_COLUMNS, the rest are custom variables (`name` is `lead_name`).
    """
    total = _checked(upload)
    upload.seek(0)
    header, separator, _ = _header(upload)
    _columns(header)
    _try_some(upload, separator)
    upload.seek(0)
    return jobs.create(
        KIND,
        account=campaign.account,
        by=by,
        total=total,
        params={"campaign": campaign.pk, "separator": separator},
        upload=upload,
    )


@jobs.runs(KIND)
def run_slice(job: Job) -> bool:
    """Take in the next rows; True when the file is at its end. Rows, progress and place commit together."""
    campaign = Campaign.objects.for_account(job.account_id).select_related("account").get(pk=job.params["campaign"])
    with jobs.input_of(job).open("rb") as file:
        header, separator, start = _header(file)
        columns = _columns(header)
        file.seek(job.params.get("offset", start))
        rows = list(islice(csv.reader(_lines(file), delimiter=separator), SLICE))
        ended = len(rows) < SLICE
        place = file.tell()
    _take_in(job, campaign, columns, rows)
    job.params |= {"offset": place, "line": job.params.get("line", 1) + len(rows)}
    job.save(update_fields=["params"])
    return ended


def _take_in(job: Job, campaign: Campaign, columns: list[str], rows: list[list[str]]) -> None:
    valid: dict[str, dict[str, str]] = {}
    refused: list[list[str]] = []
    first = job.params.get("line", 1) + 1
    taken = 0
    for number, cells in enumerate(rows, start=first):
        if not any(cell.strip() for cell in cells):
            continue
        try:
            phone, values = _row(campaign, columns, cells)
        except Invalid as refusal:
            path, why = next(iter(refusal.details.items()))
            refused.append([str(number), f"{path}: {why[0]}", *cells])
        else:
            valid[phone] = values
            taken += 1
    with transaction.atomic():
        created, changed = leads.upsert(campaign, valid)
        jobs.progress(job, done=taken)
        if refused:
            jobs.add_errors(job, ["line", "reason", *columns], refused)
    _add_up(job, created=created, reactivated=changed, unchanged=taken - created - changed)


def _add_up(job: Job, **counted: int) -> None:
    job.result = {name: job.result.get(name, 0) + n for name, n in counted.items()}
    job.save(update_fields=["result"])


def _row(campaign: Campaign, columns: list[str], cells: list[str]) -> tuple[str, dict[str, str]]:
    if len(cells) > len(columns):
        raise Invalid(details={"row": [f"There are {len(cells)} cells under {len(columns)} columns."]})
    named = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
    phone = normalise(named.pop("phone_number", ""))
    return phone, check_values({name: value for name, value in named.items() if value}, variables=campaign.variables)


def _checked(upload: UploadedFile[Any]) -> int:
    """Refuse what is no UTF-8 text with lines; returns the number of lines below the header."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, last, start = 0, b"\n", True
    for chunk in upload.chunks():
        if start and chunk.startswith((*_BINARY, *_OTHER_UNICODE)):
            raise _refused("This is not a CSV file in UTF-8. Save the sheet as “CSV UTF-8” and try again.")
        start = False
        if b"\x00" in chunk:
            raise _refused("The file holds bytes that are no text.")
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError:
            raise _refused("The file is not in UTF-8. Save the sheet as “CSV UTF-8” and try again.") from None
        lines, last = lines + chunk.count(b"\n"), chunk[-1:]
    return max(0, lines - (1 if last == b"\n" else 0))


def _header(file: IO[bytes] | UploadedFile[Any]) -> tuple[list[str], str, int]:
    """The columns' names, what separates them, and where the rows start."""
    file.seek(0)
    line = file.readline(65_536)
    text = line.decode("utf-8-sig").strip("\r\n")
    if "\r" in text:
        raise _refused("The lines end in a way that nothing but old Macintoshes writes.")
    separator = max(",;\t", key=text.count)
    try:
        names = next(csv.reader([text], delimiter=separator), [])
    except csv.Error:
        raise _refused("The first line cannot be read.") from None
    return [name.strip().lower().replace(" ", "_") for name in names], separator, len(line)


def _columns(header: list[str]) -> list[str]:
    phone = next((name for name in PHONE_COLUMNS if name in header), None)
    if phone is None:
        raise _refused(f"One column must be the phone number, named {', '.join(PHONE_COLUMNS)}.")
    renamed = {phone: "phone_number", "name": "lead_name"}
    columns = [renamed.get(name, name) for name in header]
    if len(set(columns)) < len(columns):
        raise _refused("Two columns have the same name.")
    return columns


def _try_some(upload: UploadedFile[Any], separator: str) -> None:
    """Read the first rows as the job will, so that an unclosed quote is refused at once."""
    upload.seek(0)
    try:
        for _ in islice(csv.reader(_lines(upload), delimiter=separator), _CHECKED_ROWS):
            pass
    except csv.Error as error:
        raise _refused(f"The rows cannot be read: {error}.") from None


def _lines(file: Any) -> Iterator[str]:
    # Line by line, so that the place in the file is known after every row.
    while line := file.readline():
        yield line.decode("utf-8", errors="replace")


def _refused(sentence: str) -> Invalid:
    return Invalid(details={"file": [sentence]})
