"""Customers from a CSV file: its columns understood, its rows checked as the API checks them, merged in slices.

A slice is one transaction with its progress and its place in the file, so a kill costs at most one slice. It ends
before a row that must come after another one of it; two lines that only add to each other are one row.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.db.models.functions import Now
from rest_framework import serializers

from campaigns_project import jobs, sheets
from campaigns_project.api import TextField
from campaigns_project.models import Job
from campaigns_project.refusals import Conflict, Invalid
from crm.api.inputs import LONGEST_VALUE, MOST_ATTRIBUTES, CustomerInput
from crm.customers import merging
from crm.customers.merging import Row
from crm.models import Channel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from django.core.files.uploadedfile import UploadedFile

    from accounts.models import Account

KIND = "customer_import"
# A file that waits for somebody to say what its columns are; nothing runs it.
SHEET = "customer_sheet"
# So long.
KEPT = timedelta(days=1)
SLICE = 5_000
FEWEST = 50
SHOWN = 20
CONSENTS = {f"{channel}_consent": channel for channel in Channel.values}
SOURCE = "consent_source"
OURS = "import"
ATTRIBUTE = "attributes."
TARGETS = (*merging.TEXTS, "tags", *CONSENTS, SOURCE)
LONGEST_SOURCE = 60
# How sheets call what we call otherwise.
_CALLED = {
    "email": "e_mail mail email_address e_mail_address",
    "phone": "phone_number mobile mobile_phone telephone tel cell number",
    "external_id": "id customer_id customer_number customer_no",
    "first_name": "name firstname forename given_name",
    "last_name": "lastname surname family_name",
    "language": "lang locale",
    "time_zone": "timezone",
    "loyalty_tier": "tier loyalty",
    "country": "country_code",
    "tags": "tag labels",
    SOURCE: "source",
}
_NAMES = {name: target for target, names in _CALLED.items() for name in names.split()}
_YES = ("yes", "y", "true", "1", "granted", "opt-in")
_NO = ("no", "n", "false", "0", "withdrawn", "opt-out")
_FIELDS: dict[str, Any] = {
    **CustomerInput().fields,
    "attributes": TextField(max_length=LONGEST_VALUE, lines=True),
}


class AlreadyStarted(Conflict):
    code = "import_started"
    message = "This import has been started already."


@dataclass(frozen=True)
class Columns:
    """The file's first line: each column as written, and what it is to us ("" is ignored)."""

    head: sheets.Head
    targets: list[str]

    @property
    def ignored(self) -> list[str]:
        return [name for name, target in zip(self.head.written, self.targets, strict=True) if name and not target]


def import_csv(
    account: Account, upload: UploadedFile[bytes], *, by: Any, mapping: Mapping[str, str] | None = None
) -> Job:
    """Take in a CSV file as a job; `mapping` says what some columns are, by their names in the file.

    UTF-8, separated by commas, semicolons or tabs; the first line names the columns, in any order: those of TARGETS,
    and `attributes.<name>`. Columns we do not know are ignored. Raises Invalid (`details["file"]`, `["mapping"]`).
    """
    total = sheets.checked(upload)
    _columns(sheets.head_of(upload), mapping)
    upload.seek(0)
    params = {"mapping": dict(mapping or {})}
    return jobs.create(KIND, account=account, by=by, total=total, params=params, upload=upload)


def keep(account: Account, upload: UploadedFile[bytes], *, by: Any) -> Job:
    """Keep a file until `start` says what its columns are. Raises Invalid (`details["file"]`)."""
    total = sheets.checked(upload)
    head = sheets.head_of(upload)
    if not head.written:
        raise sheets.refused("The first line must name the columns.")
    upload.seek(0)
    return jobs.create(SHEET, account=account, by=by, total=total, upload=upload)


def forget_unstarted() -> int:
    """Throw away files that nobody said the columns of within a day. Returns how many."""
    old = Job.objects.filter(kind=SHEET, status=Job.Status.QUEUED, created_at__lt=Now() - KEPT)
    gone = 0
    for job in old.exclude(input_file=""):
        # Whoever starts it at this moment was first, or finds it over.
        if Job.objects.filter(pk=job.pk, kind=SHEET, status=Job.Status.QUEUED).update(
            status=Job.Status.CANCELLED, finished_at=Now(), message="Nobody started it within a day.", input_file=""
        ):
            jobs.input_of(job).unlink(missing_ok=True)
            gone += 1
    return gone


def start(job: Job, mapping: Mapping[str, str]) -> None:
    """Begin with a file that was kept. Raises Invalid (`details["mapping"]`), AlreadyStarted."""
    if job.status != Job.Status.QUEUED:
        raise AlreadyStarted
    with jobs.input_of(job).open("rb") as file:
        _columns(sheets.head_of(file), mapping)
    waiting = Job.objects.filter(pk=job.pk, kind=SHEET, status=Job.Status.QUEUED)
    if not waiting.update(kind=KIND, params=job.params | {"mapping": dict(mapping)}):
        raise AlreadyStarted


def preview(job: Job) -> tuple[list[str], list[str], list[list[str]]]:
    """The columns of a kept file as written, what we take them for, and its first rows."""
    with jobs.input_of(job).open("rb") as file:
        head = sheets.head_of(file)
        rows = [sheets.cells_of(line, head.separator) for line in islice(file, SHOWN)]
    guessed = [_guessed(name) for name in head.written]
    once = [target if target not in guessed[:place] else "" for place, target in enumerate(guessed)]
    return head.written, once, [row for row in rows if row]


@jobs.runs(KIND)
def run_slice(job: Job) -> bool:
    """Take in the next rows; True when the file is at its end. Rows, progress and place commit together."""
    with jobs.input_of(job).open("rb") as file:
        columns = _columns(sheets.head_of(file), job.params["mapping"])
        taken = _read(job, columns, file)
    merged = merging.merge(job, taken.rows)
    refused = taken.refused + [
        [number, reason, *cells] for row, reason in merged.refused for number, cells in row.lines
    ]
    done = sum(len(row.lines) for row in taken.rows) - (len(refused) - len(taken.refused))
    jobs.progress(job, done=done)
    if refused:
        jobs.add_errors(job, ["line", "reason", *columns.head.written], sorted(refused))
    lines = taken.line - job.params.get("line", 2)
    job.params |= {"offset": taken.offset, "line": taken.line, "most": min(SLICE, 2 * lines + FEWEST)}
    unchanged = done - merged.created - merged.changed
    counted = {"created": merged.created, "updated": merged.changed, "unchanged": unchanged}
    counted["still_opted_out"] = merged.still_opted_out
    job.result = {name: job.result.get(name, 0) + n for name, n in counted.items()} | {
        "ignored_columns": columns.ignored
    }
    job.save(update_fields=["params", "result"])
    return taken.ended


def _read(job: Job, columns: Columns, file: Any) -> _Slice:
    """The next lines that fit into one slice. Where many depend on each other, the next slice reads fewer ahead."""
    offset, first = job.params.get("offset", columns.head.size), job.params.get("line", 2)
    most = job.params.get("most", SLICE)
    while True:
        file.seek(offset)
        taken = _Slice(columns)
        taken.read(file, first, most)
        waiting = merging.stage(job, taken.rows)
        if waiting is None:
            return taken
        most = waiting - first


class _Slice:
    """The next rows of a file that do not depend on each other, and where the following slice begins."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.rows: list[Row] = []
        self.refused: list[list[Any]] = []
        self.offset, self.line, self.ended = 0, 0, False
        self._known: dict[tuple[str, str], Row] = {}

    def read(self, file: Any, first: int, most: int) -> None:
        """Read on from where the file stands: at most so many lines."""
        self.offset, self.line = file.tell(), first
        for line in islice(iter(file.readline, b""), most):
            if not self._take(line):
                return
            self.offset, self.line = self.offset + len(line), self.line + 1
        self.ended = not file.read(1)

    def _take(self, line: bytes) -> bool:
        cells: list[str] = []
        try:
            cells = sheets.cells_of(line, self.columns.head.separator)
            row = _row(self.columns.targets, cells) if cells else None
        except (Invalid, csv.Error) as fault:
            told = cells or [line.decode().rstrip("\r\n")]
            self.refused.append([self.line, sheets.reason_of(fault), *told])
            return True
        if row is None:
            return True
        row.lines = [(self.line, cells)]
        return self._place(row)

    def _place(self, row: Row) -> bool:
        """Beside the others, or into the one it only adds to; False when it must come after them."""
        keys = row.addresses
        others = {id(other): other for key in keys.items() if (other := self._known.get(key))}
        same = next(iter(others.values()), row)
        if len(others) > 1 or any(same.addresses.get(name, value) != value for name, value in keys.items()):
            return False
        if same is row:
            self.rows.append(row)
        else:
            same.follow(row)
        self._known |= dict.fromkeys(keys.items(), same)
        return True


def _columns(head: sheets.Head, mapping: Mapping[str, str] | None) -> Columns:
    told = dict(mapping or {})
    _check_mapping(head, told)
    targets = [told.get(name, _guessed(name)) for name in head.written]
    used = [target for target in targets if target]
    if twice := next((target for target in used if used.count(target) > 1), None):
        raise sheets.refused(f"Two columns are {twice}.")
    if not set(merging.ADDRESSES) & set(used):
        raise sheets.refused("The first line must name a column of e-mail addresses, phone numbers or external ids.")
    if sum(map(is_attribute, used)) > MOST_ATTRIBUTES:
        raise sheets.refused(f"There are more than {MOST_ATTRIBUTES} columns of attributes.")
    return Columns(head, targets)


def _check_mapping(head: sheets.Head, told: Mapping[str, str]) -> None:
    for name, target in told.items():
        if name not in head.written:
            raise Invalid(details={f"mapping.{name}": ["The file has no such column."]})
        if target and target not in TARGETS and not is_attribute(target):
            raise Invalid(details={f"mapping.{name}": ["Nothing of a customer is called that."]})


def _guessed(written: str) -> str:
    if is_attribute(written):
        return written
    name = sheets.plain(written)
    return name if name in TARGETS else _NAMES.get(name, "")


def is_attribute(target: str) -> bool:
    return bool(re.fullmatch(rf"{ATTRIBUTE}[A-Za-z0-9_][A-Za-z0-9_ .-]{{0,59}}", target))


def _row(targets: Sequence[str], cells: Sequence[str]) -> Row:
    """What a line says of a person. Raises Invalid for a line that cannot be taken in."""
    if len(cells) > len(targets):
        raise Invalid(details={"row": [f"There are {len(cells)} cells under {len(targets)} columns."]})
    named = {target: cell for target, cell in zip(targets, cells, strict=False) if target and cell}
    source = _checked_source(named.get(SOURCE, OURS))
    fields, consents = dict(_fields(named)), {}
    for name in CONSENTS.keys() & named.keys():
        consents[CONSENTS[name]] = (_agreed(name, named[name]), source)
    if not fields.keys() & set(merging.ADDRESSES):
        raise Invalid(details={"row": ["Give an e-mail address, a phone number or an external id."]})
    return Row([], fields, consents)


def _fields(named: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for name, cell in named.items():
        if name == "tags":
            yield name, list(_tags(cell))
        elif name in merging.TEXTS:
            yield name, (_valid if name in merging.ADDRESSES else _text)(name, _SPELT.get(name, str)(cell))
    names = [name for name in named if name.startswith(ATTRIBUTE)]
    if names:
        yield "attributes", {name.removeprefix(ATTRIBUTE): _text("attributes", named[name]) for name in names}


# How people write what we know by a code.
_SPELT = {"country": str.upper, "loyalty_tier": str.lower}


# People live in few countries and have few names: most have been read before.
@lru_cache(maxsize=16_384)
def _text(name: str, cell: str) -> str:
    return str(_valid(name, cell))


@lru_cache(maxsize=4_096)
def _tags(cell: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_valid("tags", [tag.strip() for tag in cell.split(";") if tag.strip()])))


def _valid(name: str, value: Any) -> Any:
    try:
        return _FIELDS[name].run_validation(value)
    except serializers.ValidationError as fault:
        raise Invalid(details={name: _sentences(fault.detail)}) from None


def _sentences(detail: Any) -> list[str]:
    while not isinstance(detail, str):
        detail = next(iter(detail.values() if isinstance(detail, dict) else detail))
    return [str(detail)]


def _agreed(name: str, cell: str) -> bool:
    said = cell.lower()
    if said not in (*_YES, *_NO):
        raise Invalid(details={name: ["Write yes or no."]})
    return said in _YES


def _checked_source(cell: str) -> str:
    if len(cell) > LONGEST_SOURCE or not cell.isprintable():
        raise Invalid(details={SOURCE: [f"A source has at most {LONGEST_SOURCE} letters."]})
    return cell
