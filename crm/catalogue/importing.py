"""Products from a CSV file: a line is a product, or a variant of one. A slice commits with its place in the file."""

from __future__ import annotations

import csv
import re
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from campaigns_project import currencies, jobs, sheets
from campaigns_project.refusals import Invalid
from crm.catalogue import products
from crm.catalogue.products import Item
from crm.models.catalogue import LONGEST_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from django.core.files.uploadedfile import UploadedFile

    from accounts.models import Account
    from campaigns_project.models import Job

KIND = "product_import"
SLICE = 2_000
# What a column is taken for, by its name.
COLUMNS = {
    "product_id": ("product_id", "external_id", "id", "sku", "handle"),
    "name": ("name", "title", "product_name"),
    "variant_id": ("variant_id", "variant_sku"),
    "variant_name": ("variant_name", "variant_title"),
    "price": ("price", "variant_price"),
    "currency": ("currency",),
    "stock": ("stock", "quantity", "inventory", "variant_inventory_qty"),
}
_PRICE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?")
_STOCK = re.compile(r"[0-9]{1,9}")
LONGEST_NAME = 200


def import_csv(account: Account, upload: UploadedFile[bytes], *, by: Any) -> Job:
    """Take in a CSV file as a job: UTF-8, separated by commas, semicolons or tabs; its columns stand in COLUMNS.

    Others are ignored. Raises Invalid (`details["file"]`).
    """
    total = sheets.checked(upload)
    _places(sheets.head_of(upload))
    upload.seek(0)
    return jobs.create(KIND, account=account, by=by, total=total, upload=upload)


@jobs.runs(KIND)
def run_slice(job: Job) -> bool:
    """Take in the next lines; True at the end of the file."""
    with jobs.input_of(job).open("rb") as file:
        head = sheets.head_of(file)
        file.seek(job.params.get("offset", head.size))
        lines = list(islice(iter(file.readline, b""), SLICE))
        job.params["offset"] = file.tell()
    first = job.params.get("line", 2)
    items, refused = _read(enumerate(lines, start=first), head, job.account.currency)
    done = products.put(job.account, list(items.values()))
    jobs.progress(job, done=sum(1 for line in lines if line.strip()) - len(refused))
    if refused:
        jobs.add_errors(job, ["line", "reason", *head.written], refused)
    job.params["line"] = first + len(lines)
    job.result = {name: job.result.get(name, 0) + n for name, n in done._asdict().items()}
    job.save(update_fields=["params", "result"])
    return len(lines) < SLICE


def _read(
    lines: Iterable[tuple[int, bytes]], head: sheets.Head, currency: str
) -> tuple[dict[str, Item], list[list[Any]]]:
    """The products that lines tell of, by their ids, and the lines that tell of none. A later line goes on top."""
    places, refused = _places(head), []
    items: dict[str, Item] = {}
    # Under which product each variant stood last.
    owners: dict[str, str] = {}
    for number, line in lines:
        cells: list[str] = []
        try:
            cells = sheets.cells_of(line, head.separator)
            if cells:
                named = {name: cells[place] for name, place in places.items() if place < len(cells) and cells[place]}
                _add(items, owners, _item(named, currency))
        except (Invalid, csv.Error) as fault:
            told = cells or [line.decode().rstrip("\r\n")]
            refused.append([number, sheets.reason_of(fault), *told])
    return items, refused


def _add(items: dict[str, Item], owners: dict[str, str], item: Item) -> None:
    known = items.setdefault(item.id, Item({}))
    known.said |= item.said
    for variant in item.variants:
        if (before := owners.get(variant.id)) is not None:
            holder = items[before]
            holder.variants = [each for each in holder.variants if each.id != variant.id]
        owners[variant.id] = item.id
        known.variants.append(variant)


def _item(named: Mapping[str, str], currency: str) -> Item:
    """What a line says. Raises Invalid."""
    said = {"external_id": _text(named, "product_id", LONGEST_ID), "name": _text(named, "name", LONGEST_NAME)}
    worth = dict(_worth(named, currency))
    if "variant_id" not in named:
        return Item(said | worth)
    called = _text(named, "variant_name" if "variant_name" in named else "name", LONGEST_NAME)
    variant = {"external_id": _text(named, "variant_id", LONGEST_ID), "name": called}
    return Item(said, [Item(variant | worth)])


def _text(named: Mapping[str, str], name: str, longest: int) -> str:
    cell = named.get(name, "")
    if not cell or len(cell) > longest or not cell.isprintable():
        raise Invalid(details={name: [f"Give 1 to {longest} letters."]})
    return cell


def _worth(named: Mapping[str, str], currency: str) -> Iterable[tuple[str, Any]]:
    said = named.get("currency", "").upper()
    if said and not re.fullmatch("[A-Z]{3}", said):
        raise Invalid(details={"currency": ["Three letters, such as EUR."]})
    if "price" in named:
        yield from (("price_minor", _price(named["price"], said or currency)), ("currency", said))
    if "stock" in named:
        if not _STOCK.fullmatch(named["stock"]):
            raise Invalid(details={"stock": ["Write a whole number."]})
        yield "stock", int(named["stock"])


def _price(cell: str, currency: str) -> int:
    minor = currencies.minor(Decimal(cell), currency) if _PRICE.fullmatch(cell) else None
    if minor is None or minor > products.DEAREST:
        raise Invalid(details={"price": ["Write a price such as 12.50."]})
    return minor


def _places(head: sheets.Head) -> dict[str, int]:
    """Where each column stands. Raises Invalid when ids or names are missing."""
    names = [sheets.plain(name) for name in head.written]
    found = {
        column: names.index(name)
        for column, spelt in COLUMNS.items()
        if (name := next((each for each in spelt if each in names), None)) is not None
    }
    if missing := {"product_id", "name"} - found.keys():
        raise sheets.refused(f"The first line must name a column {min(missing)}.")
    return found
