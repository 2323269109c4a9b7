"""Leads from a CSV file: checked when it arrives, then taken in slices that survive a kill."""

from __future__ import annotations

import csv
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from campaigns import leads
from campaigns.authoring import check_newest
from campaigns.models import Campaign
from campaigns.values import MOST_VALUES, check_values
from campaigns.variables import NAME
from campaigns_project import jobs, sheets
from campaigns_project.refusals import Invalid
from crm.phones import normalise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.files.uploadedfile import UploadedFile

    from campaigns_project.models import Job
    from lifecycle.transition import Actor

KIND = "lead_import"
SLICE = 5_000
PHONE_COLUMNS = ("phone_number", "phone", "mobile", "number", "whatsapp", "lead_phone")


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
    total = sheets.checked(upload)
    _header(upload, campaign)
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
            cells = sheets.cells_of(line, header.separator)
            if not cells:
                continue
            phone, valid_values = _row(campaign, header.columns, cells)
        except (Invalid, csv.Error) as fault:
            refused.append([number, sheets.reason_of(fault), *(cells or [line.decode().rstrip("\r\n")])])
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


def _header(file: IO[bytes] | UploadedFile[bytes], campaign: Campaign) -> Header:
    """Read the first line; the file then stands where the rows begin."""
    head = sheets.head_of(file)
    return Header(head.written, _columns(head.written, campaign), head.separator, head.size)


def _columns(written: list[str], campaign: Campaign) -> list[str]:
    names = [sheets.plain(name) for name in written]
    phone = next((name for name in PHONE_COLUMNS if name in names), None)
    if phone is None:
        raise sheets.refused(f"The first line must name a column with the phone number: {', '.join(PHONE_COLUMNS)}.")
    renamed = {**campaign.variables, phone: "phone_number", "name": "lead_name"}
    columns = [_variable(renamed.get(name, name)) for name in names]
    used = list(filter(None, columns))
    if len(set(used)) < len(used):
        raise sheets.refused("Two columns have the same name.")
    if len(used) > MOST_VALUES + 1:
        raise sheets.refused(f"There are more than {MOST_VALUES} columns beside the phone number.")
    return columns


def _variable(name: str) -> str:
    return name if NAME.fullmatch(name) else ""
