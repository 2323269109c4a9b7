"""The catalogue: products and their variants, added and changed many at a time, and whether there is one of an id."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection, transaction
from django.db.models import F, Q

from crm.models import Product, Variant
from crm.models.catalogue import new_product_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from accounts.models import Account

# Minor units.
DEAREST = 10**12
# Of products and of variants; what a row does not say stays as it is.
OPTIONAL = ("price_minor", "currency", "stock")
COLUMNS = ("external_id", "name", *OPTIONAL)
Row = dict[str, Any]
_EMPTY: Row = {"price_minor": None, "currency": "", "stock": None}

# In the order of their ids, so that two who write the same products wait for each other.
PUT_PRODUCTS = """
INSERT INTO crm_product (account_id, external_id, name, price_minor, currency, stock, public_id)
SELECT %(account)s, * FROM unnest(%(external_id)s::text[], %(name)s::text[], %(price_minor)s::bigint[],
    %(currency)s::text[], %(stock)s::int[], %(public_id)s::text[]) AS g(external_id) ORDER BY g.external_id
ON CONFLICT (account_id, external_id) DO UPDATE SET name = excluded.name, price_minor = excluded.price_minor,
    currency = excluded.currency, stock = excluded.stock, updated_at = now()
"""

PUT_VARIANTS = """
INSERT INTO crm_variant (account_id, external_id, name, price_minor, currency, stock, product_id)
SELECT %(account)s, g.external_id, g.name, g.price_minor, g.currency, g.stock, product.id
FROM unnest(%(external_id)s::text[], %(name)s::text[], %(price_minor)s::bigint[], %(currency)s::text[],
    %(stock)s::int[], %(under)s::text[]) AS g(external_id, name, price_minor, currency, stock, under)
JOIN crm_product product ON product.account_id = %(account)s AND product.external_id = g.under
ORDER BY g.external_id
ON CONFLICT (account_id, external_id) DO UPDATE SET name = excluded.name, price_minor = excluded.price_minor,
    currency = excluded.currency, stock = excluded.stock, product_id = excluded.product_id
"""


@dataclass
class Item:
    """What is said of a product, or of a variant in `product`: its columns by name, those of OPTIONAL perhaps."""

    said: dict[str, Any]
    variants: list[Item] = field(default_factory=list)

    @property
    def id(self) -> str:
        return str(self.said["external_id"])


class Put(NamedTuple):
    """How many products are new, changed (also where only a variant is), and as they were."""

    created: int
    updated: int
    unchanged: int


def put(account: Account, items: Sequence[Item]) -> Put:
    """Add and change products with their variants; no id may stand in `items` twice.

    Variants that are not named stay. One that stood under another product moves to the one that names it now.
    """
    said = [item.said for item in items]
    under = [{**variant.said, "under": item.id} for item in items for variant in item.variants]
    with transaction.atomic():
        products, fresh = _new_or_changed(Product, account, said)
        variants, moved = _new_or_changed(Variant, account, under)
        _write(PUT_PRODUCTS, account, [_merged(row, products) for row in fresh])
        _write(PUT_VARIANTS, account, [_merged(row, variants) for row in moved])
    created = len(items) - len(products)
    changed = {row["external_id"] for row in fresh} | {row["under"] for row in moved}
    return Put(created, len(changed) - created, len(items) - len(changed))


def beginning(words: str) -> Q:
    """The products whose name or id begins so, in any case."""
    return Q(name__istartswith=words) | Q(external_id__istartswith=words) if words else Q()


def has_product(account: Account, external_id: str) -> bool:
    """Whether the catalogue has a product of this id; case counts."""
    return Product.objects.for_account(account).filter(external_id=external_id).exists()


def has_variant(account: Account, external_id: str) -> bool:
    """Whether the catalogue has a variant of this id; case counts."""
    return Variant.objects.for_account(account).filter(external_id=external_id).exists()


def names(account: Account, *, products: Iterable[str] = (), variants: Iterable[str] = ()) -> dict[str, str]:
    """How what is named is called, by its id; ids that are not there are left out."""
    found: dict[str, str] = {}
    kinds: tuple[tuple[Any, Iterable[str]], ...] = ((Product, products), (Variant, variants))
    for model, ids in kinds:
        wanted = list(ids)
        rows = model.objects.for_account(account).filter(external_id__in=wanted) if wanted else model.objects.none()
        found |= dict(rows.values_list("external_id", "name"))
    return found


def _new_or_changed(model: Any, account: Account, said: Sequence[Row]) -> tuple[dict[str, Row], list[Row]]:
    """The rows there are by their ids, locked in one order by everybody, and what of `said` they do not say yet."""
    if not said:
        return {}, []
    ids = [row["external_id"] for row in said]
    rows = model.objects.for_account(account).filter(external_id__in=ids).order_by("external_id")
    more = {"under": F("product__external_id")} if model is Variant else {}
    held = rows.select_for_update(of=("self",)).values(*COLUMNS, **more)
    known = {row["external_id"]: row for row in held}
    return known, [row for row in said if _differs(row, known.get(row["external_id"]))]


def _differs(said: Row, known: Row | None) -> bool:
    return known is None or any(known[name] != value for name, value in said.items())


def _merged(said: Row, known: Mapping[str, Row]) -> Row:
    return {**_EMPTY, **known.get(said["external_id"], {}), **said}


def _write(statement: str, account: Account, rows: Sequence[Row]) -> None:
    if not rows:
        return
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in COLUMNS}
    columns |= {"account": account.pk, "public_id": [new_product_id() for _ in rows]}
    columns["under"] = [row.get("under", "") for row in rows]
    with connection.cursor() as cursor:
        cursor.execute(statement, columns)
