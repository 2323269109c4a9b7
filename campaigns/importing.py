"""Leads from a CSV file: checked when it arrives, then taken in slices that survive a kill.

A line is a row: values with line breaks cannot be sent anyway, so one unclosed quote spoils one row and no more.
"""

from __future__ import annotations

import codecs
import csv
import re
import unicodedata
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from campaigns import leads
from campaigns.authoring import check_newest
from campaigns.models import Campaign
from campaigns.values import MOST_VALUES, check_values
from campaigns.variables import NAME
from campaigns_project import jobs
from campaigns_project.refusals import Invalid
from crm.phones import normalise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.files.uploadedfile import UploadedFile

    from campaigns_project.models import Job
    from lifecycle.transition import Actor

KIND = "lead_import"
SLICE = 5_000
LONGEST_LINE = 65_536
CHECKED_LINES = 200
PHONE_COLUMNS = ("phone_number", "phone", "mobile", "number", "whatsapp", "lead_phone")

# Spreadsheets, archives, programs, documents, and text in another encoding.
_OTHER_FILES = (
    *(b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"MZ", b"\x7fELF", b"%PDF"),
    *(codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
)


class Header(NamedTuple):
    """The first line: each column's name as written and as we use it ("" is ignored), the separator, its length."""

    written: list[str]
    columns: list[str]
    separator: str
    size: int


def import_csv(campaign: Campaign, upload: UploadedFile[bytes], *, by: Actor | None) -> Job:
    """Take in a CSV file as a job. Raises Invalid (`details["file"]`) for anything that is not one.

    UTF-8, separated by commas, semicolons or tabs. The first line names the columns: one of PHONE_COLUMNS; the rest
    are custom variables (`name` is `lead_name`), and columns that no variable can be called are ignored. Raises
    NotTheNewestVersion as `leads.add`.
    """
    check_newest(campaign)
    total = _checked(upload)
    upload.seek(0)
    header = _header(upload, campaign)
    for number, line in enumerate(islice(iter(upload.readline, b""), CHECKED_LINES), start=2):
        try:
            _cells(line, header.separator)
        except csv.Error as error:
            raise _refused(f"Line {number} cannot be read: {error}.") from None
    upload.seek(0)
    params = {"campaign": campaign.pk}
    return jobs.create(KIND, account=campaign.account, by=by, total=total, params=params, upload=upload)


@jobs.runs(KIND)
def run_slice(job: Job) -> bool:
    """Take in the next rows; True when the file is at its end. Rows, progress and place commit together."""
    campaign = Campaign.objects.for_account(job.account_id).select_related("account").get(pk=job.params["campaign"])
    check_newest(campaign)
    with jobs.input_of(job).open("rb") as file:
        header = _header(file, campaign)
        file.seek(job.params.get("offset", header.size))
        lines = list(islice(iter(file.readline, b""), SLICE))
        place = file.tell()
    first = job.params.get("line", 2)
    counted = _take_in(job, campaign, header, list(enumerate(lines, start=first)))
    job.params |= {"offset": place, "line": first + len(lines)}
    ignored = [name for name, used in zip(header.written, header.columns, strict=True) if name and not used]
    job.result = {name: job.result.get(name, 0) + n for name, n in counted.items()} | {"ignored_columns": ignored}
    job.save(update_fields=["params", "result"])
    return len(lines) < SLICE


def _take_in(job: Job, campaign: Campaign, header: Header, lines: Sequence[tuple[int, bytes]]) -> dict[str, int]:
    valid: dict[str, dict[str, str]] = {}
    refused: list[list[Any]] = []
    taken = 0
    for number, line in lines:
        cells: list[str] = []
        try:
            cells = _cells(line, header.separator)
            if not cells:
                continue
            phone, valid_values = _row(campaign, header.columns, cells)
        except (Invalid, csv.Error) as fault:
            refused.append([number, _reason(fault), *(cells or [line.decode().rstrip("\r\n")])])
        else:
            valid[phone] = valid_values
            taken += 1
    created, changed = leads.upsert(campaign, valid)
    jobs.progress(job, done=taken)
    if refused:
        jobs.add_errors(job, ["line", "reason", *header.written], refused)
    return {"created": created, "reactivated": changed, "unchanged": taken - created - changed}


def _row(campaign: Campaign, columns: list[str], cells: list[str]) -> tuple[str, dict[str, str]]:
    if len(cells) > len(columns):
        raise Invalid(details={"row": [f"There are {len(cells)} cells under {len(columns)} columns."]})
    named = {name: cell for name, cell in zip(columns, cells, strict=False) if name and cell}
    phone = normalise(named.pop("phone_number", ""))
    return phone, check_values(named, variables=campaign.variables)


def _reason(fault: Invalid | csv.Error) -> str:
    if isinstance(fault, csv.Error):
        return f"The line cannot be read: {fault}."
    path, sentences = next(iter(fault.details.items()))
    return f"{path}: {sentences[0]}"


def _cells(line: bytes, separator: str) -> list[str]:
    """The line's cells without the empty ones at its end; nothing for a blank line. Raises csv.Error."""
    cells = [cell.strip() for cell in next(csv.reader([line.decode()], delimiter=separator, strict=True), [])]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _checked(upload: UploadedFile[bytes]) -> int:
    """Refuse what is no UTF-8 text in lines; returns the number of lines below the header."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, open_line = 0, 0
    for number, chunk in enumerate(upload.chunks()):
        if number == 0 and chunk.startswith(_OTHER_FILES):
            raise _not_utf_8()
        if b"\x00" in chunk:
            raise _refused("The file holds bytes that are no text.")
        _decode(decoder, chunk)
        *ended, rest = chunk.split(b"\n")
        lengths = [open_line + len(ended[0]), *map(len, ended[1:])] if ended else []
        open_line = len(rest) + (0 if ended else open_line)
        if max([*lengths, open_line]) > LONGEST_LINE:
            raise _refused(f"A line has more than {LONGEST_LINE:,} bytes. Is a quote not closed?")
        lines += len(ended)
    _decode(decoder, b"", final=True)
    return max(0, lines + bool(open_line) - 1)


def _decode(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> None:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        raise _not_utf_8() from None


def _header(file: IO[bytes] | UploadedFile[bytes], campaign: Campaign) -> Header:
    """Read the first line; the file then stands where the rows begin."""
    line = file.readline()
    text = line.decode("utf-8-sig").rstrip("\r\n")
    if "\r" in text:
        raise _refused("End the lines as usual: the file uses carriage returns alone.")
    separator = max(",;\t", key=text.count)
    try:
        written = _cells(text.encode(), separator)
    except csv.Error as error:
        raise _refused(f"Line 1 cannot be read: {error}.") from None
    return Header(written, _columns(written, campaign), separator, len(line))


def _columns(written: list[str], campaign: Campaign) -> list[str]:
    names = [_plain(name) for name in written]
    phone = next((name for name in PHONE_COLUMNS if name in names), None)
    if phone is None:
        raise _refused(f"The first line must name a column with the phone number: {', '.join(PHONE_COLUMNS)}.")
    renamed = {**campaign.variables, phone: "phone_number", "name": "lead_name"}
    columns = [_variable(renamed.get(name, name)) for name in names]
    used = list(filter(None, columns))
    if len(set(used)) < len(used):
        raise _refused("Two columns have the same name.")
    if len(used) > MOST_VALUES + 1:
        raise _refused(f"There are more than {MOST_VALUES} columns beside the phone number.")
    return columns


def _variable(name: str) -> str:
    return name if NAME.fullmatch(name) else ""


def _plain(name: str) -> str:
    """A column's name as a variable could be called: `E-Mail` is `e_mail`."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", letters).strip("_")


def _not_utf_8() -> Invalid:
    return _refused("The file is not text in UTF-8. Save the sheet as “CSV UTF-8” and try again.")


def _refused(sentence: str) -> Invalid:
    return Invalid(details={"file": [sentence]})
