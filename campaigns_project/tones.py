"""What a status looks like: one tone, one glyph and one word for the merchant (source: the seeds' statuses).

Tones: grey not started or out of play, blue waiting, indigo we are working, amber on hold, orange needs the merchant,
green live or done well, red stopped, violet set aside on purpose. The glyph says the same without colour: ring not
started, half under way, dot live or done, bars on hold, x stopped, dash left out, diamond set aside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TONES = ("grey", "blue", "indigo", "amber", "orange", "green", "red", "violet")
GLYPHS = ("ring", "half", "dot", "bars", "x", "dash", "diamond")


@dataclass(frozen=True)
class Look:
    """How one status is shown: `tone` of TONES, `glyph` of GLYPHS, and the merchant's word for it."""

    tone: str
    glyph: str
    label: str


@dataclass(frozen=True)
class Segment:
    """One part of a stacked bar: `fill` is `c1`–`c9`, `value` a count, `href` the list of these rows or empty."""

    label: str
    value: int
    fill: str
    href: str = ""


_DOMAINS = """
template     unsubmitted grey ring Not submitted | received blue half Submitted | pending blue half In review
             | approved green dot Approved | rejected red x Rejected | paused orange bars Paused by WhatsApp
             | disabled red x Disabled by WhatsApp | archived grey dash Archived
broadcast    draft grey ring Draft | scheduled blue ring Scheduled | sending green half Sending
             | paused amber bars Paused | completed green dot Completed | cancelled grey x Cancelled
message      queued blue ring Queued | sending indigo half Sending | skipped grey dash Left out | sent green half Sent
             | delivered green dot Delivered | read green dot Read | failed red x Failed
             | undelivered red x Not delivered
recipient    Pending blue ring Pending | AddressEnrichable amber bars Needs address
             | AddressEnriching amber half Finding address | ProofingStaged indigo ring Queued for proof
             | Proofing indigo half Making proof | Proofed indigo dot Proof ready | Scheduled blue ring Scheduled
             | SendingStaged indigo ring Queued to send | Sending indigo half Sending | Sent green half With printer
             | Received green dot Delivered | Holdout violet diamond Holdout | Skipped grey dash Skipped
             | Error red x Failed | Archived grey dash Archived | Blacklisted grey x Blocklisted
campaign     draft grey ring Draft | scheduled blue ring Scheduled | active green half Active | paused amber bars Paused
             | completed green dot Completed
segment      static blue ring By hand | dynamic green half Kept up to date | imported indigo dot From a file
connection   connected green dot Connected | disconnected grey dash Disconnected
coupon       draft grey ring Draft | active green half Active | inactive amber bars Inactive
             | archived grey dash Archived
coupon_code  active green dot Active | inactive amber bars Inactive | void red x Void
account      active green dot Active | suspended red bars Suspended | closed grey dash Closed
job          queued blue ring Waiting | running indigo half Running | done green dot Done | failed red x Failed
             | cancelled grey x Cancelled
attempt      calling indigo half Calling | accepted green dot Accepted | rejected red x Refused
             | unknown orange ring Not known yet | released grey dash Released
inbox        waiting blue ring Waiting | applied green dot Applied | no_effect grey dash No effect | failed red x Failed
trial        waiting blue ring Waiting | calling indigo half Sending | sent green dot Sent
             | refused red x Not sent | unknown orange ring Not known yet
order        completed green dot Completed | refunded amber dash Refunded | cancelled red x Cancelled
shopify      none grey ring Not in the shop | publishing indigo half On its way | published green dot In the shop
             | failed red x Not taken
shopify_batch waiting blue ring Waiting | queued blue ring Queued | sending indigo half Sending
             | importing indigo half Importing | done green dot Done | failed red x Failed
promo        active green dot Active | scheduled blue ring Scheduled | expired grey dash Expired
             | exhausted amber bars Used up | disabled red x Disabled
promo_use    reserved indigo half Held | redeemed green dot Redeemed | given_back grey dash Given back
webhook      pending blue ring Waiting | delivered green dot Delivered | failed red x Failed
endpoint     on green dot On | struggling orange bars Failing | off grey dash Off | gone red x Turned off
             | failing red x Turned off
consent      granted green dot Agreed | withdrawn grey x Opted out
"""


def _read(table: str) -> dict[str, dict[str, Look]]:
    looks: dict[str, dict[str, Look]] = {}
    machine = ""
    for line in table.strip().splitlines():
        if not line.startswith(" "):
            machine, line = line.split(maxsplit=1)  # noqa: PLW2901 (the rest of the machine's first line)
            looks[machine] = {}
        for entry in filter(None, map(str.strip, line.split("|"))):
            status, tone, glyph, label = entry.split(maxsplit=3)
            looks[machine][status] = Look(tone, glyph, label)
    return looks


LOOKS: Mapping[str, Mapping[str, Look]] = _read(_DOMAINS)

# Bar colours in the order people move: what is furthest comes first.
_FILLS = {
    "message": {
        "read": "c1",
        "delivered": "c2",
        "sent": "c3",
        "sending": "c4",
        "queued": "c8",
        "skipped": "c6",
        "undelivered": "c5",
        "failed": "c7",
    },
    "recipient": {
        "Received": "c1",
        "Sent": "c2",
        "Sending": "c3",
        "Proofing": "c4",
        "AddressEnriching": "c8",
        "Holdout": "c5",
        "Skipped": "c6",
        "Blacklisted": "c9",
        "Error": "c7",
    },
}


def look_of(machine: str, status: str) -> Look:
    """The look of a status. A status that the table does not know is shown as it is, in grey."""
    known = LOOKS.get(machine, {}).get(status)
    return known or Look("grey", "ring", status.replace("_", " ").capitalize())


def segments(machine: str, counts: Mapping[str, int], link: str = "") -> list[Segment]:
    """The stacked bar of `counts` by status; zeros are left out. `link` ends where the status is appended."""
    return [
        Segment(look_of(machine, status).label, counts[status], fill, f"{link}{status}" if link else "")
        for status, fill in _FILLS[machine].items()
        if counts.get(status)
    ]
