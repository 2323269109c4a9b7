"""The discounts and codes of all shops, and how much each shop's bucket holds."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from providers.sandbox.exchange import Exchange

# Points, and points a second, of a Standard shop.
BUCKET, RESTORES = 2000.0, 100.0
MOST_CODES = 250
# A code with this in it is refused, as Shopify refuses words of its own.
REFUSED = "REFUSE"
INVALID = "Code is invalid."
TAKEN = "Code must be unique. Please try a different code."


@dataclass(slots=True)
class Bucket:
    """The leaky bucket of one shop."""

    holds: float = BUCKET
    at: float = field(default_factory=time.monotonic)

    def take(self, points: float) -> bool:
        """Take the points if they are there."""
        now = time.monotonic()
        self.holds, self.at = min(BUCKET, self.holds + (now - self.at) * RESTORES), now
        if self.holds < points:
            return False
        self.holds -= points
        return True

    def told(self, points: float) -> dict[str, Any]:
        status = {"maximumAvailable": BUCKET, "currentlyAvailable": int(self.holds), "restoreRate": RESTORES}
        return {"cost": {"requestedQueryCost": points, "actualQueryCost": points, "throttleStatus": status}}


class Store:
    """What was made. Each change is written to the journal before it is answered."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.forget()

    def forget(self) -> None:
        self.numbers = count(1)
        # By shop and upper-cased code: the discount it belongs to.
        self.codes: dict[tuple[str, str], str] = {}
        self.discounts: dict[str, dict[str, Any]] = {}
        self.creations: dict[str, dict[str, Any]] = {}
        self.log: list[dict[str, Any]] = []
        self.buckets: dict[str, Bucket] = {}
        self.repeated = 0

    def bucket(self, shop: str) -> Bucket:
        return self.buckets.setdefault(shop, Bucket())

    def discount(self, shop: str, terms: dict[str, Any]) -> str | None:
        """Make a discount with its first code; None when that code is taken."""
        if (shop, terms["code"].upper()) in self.codes:
            self.repeated += 1
            return None
        gid = f"gid://shopify/DiscountCodeNode/{next(self.numbers)}"
        self._keep({"k": "discount", "id": gid, "shop": shop, "terms": terms, "at": time.time()})
        return gid

    def creation(self, shop: str, discount: str, codes: list[str]) -> str:
        """Begin to add codes; done `approve_after_ms` later."""
        gid = f"gid://shopify/DiscountRedeemCodeBulkCreation/{next(self.numbers)}"
        self._keep({"k": "creation", "id": gid, "shop": shop, "discount": discount, "codes": codes, "at": time.time()})
        return gid

    def progress(self, gid: str) -> dict[str, Any] | None:
        """What Shopify says of a creation."""
        made = self.creations.get(gid)
        if made is None:
            return None
        done = time.time() >= made["at"] + self.exchange.settings.approve_after_ms / 1000
        errors = made["errors"] if done else {}
        nodes = [
            {"code": code, "errors": [{"message": errors[code], "code": "TAKEN"}] if code in errors else []}
            for code in made["codes"]
        ]
        imported = len(nodes) - len(errors) if done else 0
        counts = {"codesCount": len(nodes), "importedCount": imported, "failedCount": len(errors)}
        return {"done": done, **counts, "codes": {"nodes": nodes}}

    def holder(self, shop: str, code: str) -> dict[str, Any] | None:
        gid = self.codes.get((shop, code.upper()))
        return {"id": gid, "codeDiscount": {"title": self.discounts[gid]["terms"]["title"]}} if gid else None

    def replay(self, record: dict[str, Any]) -> None:
        """Do what a record says; also when it is first made."""
        number = int(record["id"].rpartition("/")[2])
        self.numbers = count(number + 1)
        if record["k"] == "discount":
            self.discounts[record["id"]] = record
            self._add(record, record["id"], record["terms"]["code"])
            return
        errors = {code: fault for code in record["codes"] if (fault := self._add(record, record["discount"], code))}
        self.creations[record["id"]] = {**record, "errors": errors}

    def _add(self, record: dict[str, Any], discount: str, code: str) -> str:
        """Take a code in; why not, or ""."""
        if REFUSED in code.upper():
            return INVALID
        if (record["shop"], code.upper()) in self.codes:
            self.repeated += 1
            return TAKEN
        self.codes[record["shop"], code.upper()] = discount
        self.log.append({"to": code, "key": discount, "sid": record["id"], "shop": record["shop"], "at": record["at"]})
        return ""

    def _keep(self, record: dict[str, Any]) -> None:
        self.replay(record)
        self.exchange.journal.append({"p": self.exchange.provider, **record})
