"""The criteria of dynamic segments: read strictly, turned into SQL over an allow-list (spec: api › grammar).

    {"total_spent": {"gte": 500}, "loyalty_tier": {"in": ["gold", "platinum"]}, "not": {"tags": "staff"}}

Keys are AND-ed; `{"any": […]}`, `{"all": […]}` and `{"not": {…}}` nest up to 5 deep. A field has a value, which it must
equal (tags: contain), or an object of operators. Money is in decimal major units. `…_days_ago` counts whole periods of
24 hours by the database's clock.

Every condition is true or false. What a customer does not have (no order yet, no tier, no such attribute) is in no
comparison: "last order at least 30 days ago" leaves out who never ordered; `exists` asks for them. `ne`, `nin` and
`not` are the exact opposite of `eq`, `in` and what they hold, so those take them in.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from campaigns_project import currencies
from campaigns_project.refusals import Refusal
from crm.models import LoyaltyTier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from accounts.models import Account

DEEPEST, MOST_CONDITIONS, MOST_VALUES = 5, 50, 200
MOST_COUNT, MOST_MONEY, MOST_DAYS = 2**31 - 1, 10**10, 36_500
LONGEST_VALUE = 500
HOURS_A_DAY = 24
PAIR = 2
FINEST = "CLF"
ATTRIBUTE = re.compile(r"attributes\.([A-Za-z0-9_][A-Za-z0-9_ .-]{0,59})")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
SIGNS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
OPPOSITE = {"ne": "eq", "nin": "in"}

Condition = tuple[str, list[Any]]
# (column, days): whoever's time in that column becomes this old moves in or out without a change of their row.
Boundary = tuple[str, int]


class InvalidSegmentCriteria(Refusal):
    """`details` names the path of what is wrong: `{"criteria.total_spent.gte": ["…"]}`."""

    code = "invalid_segment_criteria"
    message = "The segment's criteria are malformed."


def compiled(criteria: Any, account: Account) -> Condition:
    """A boolean over customers `c` and its parameters. Raises InvalidSegmentCriteria."""
    made = _Reading(account.currency)
    return made.group(criteria, "criteria", 0), made.params


def boundaries(criteria: Any) -> frozenset[Boundary]:
    """The ages at which these criteria change their mind about somebody."""
    # Amounts have no age: a currency that knows every decimal will do.
    made = _Reading(FINEST)
    made.group(criteria, "criteria", 0)
    return frozenset(made.boundaries)


def _refuse(path: str, sentence: str) -> InvalidSegmentCriteria:
    return InvalidSegmentCriteria(details={path: [sentence]})


@dataclass
class _Reading:
    """One pass over some criteria; parameters stand in the order of their marks."""

    currency: str
    params: list[Any] = field(default_factory=list)
    boundaries: set[Boundary] = field(default_factory=set)
    conditions: int = 0

    def group(self, node: Any, path: str, depth: int) -> str:
        if not isinstance(node, dict) or not node:
            raise _refuse(path, "Give an object with at least one condition.")
        if depth > DEEPEST:
            raise _refuse(path, f"Conditions nest at most {DEEPEST} deep.")
        return "(" + " AND ".join(self.one(key, value, f"{path}.{key}", depth) for key, value in node.items()) + ")"

    def one(self, key: str, value: Any, path: str, depth: int) -> str:
        if key == "not":
            return f"NOT {self.group(value, path, depth + 1)}"
        if key in ("any", "all"):
            return self.groups(key, value, path, depth + 1)
        asked = value if isinstance(value, dict) else {"eq": value}
        if not asked:
            raise _refuse(path, "Give a value or an operator.")
        kind = _kind(key, path, self.currency)
        return " AND ".join(self.operator(kind, op, operand, f"{path}.{op}") for op, operand in asked.items())

    def groups(self, key: str, value: Any, path: str, depth: int) -> str:
        if not isinstance(value, list) or not value:
            raise _refuse(path, "Give a list with at least one object.")
        found = [self.group(each, f"{path}.{n}", depth) for n, each in enumerate(value)]
        return "(" + (" OR " if key == "any" else " AND ").join(found) + ")"

    def operator(self, kind: _Kind, op: str, operand: Any, path: str) -> str:
        self.conditions += 1
        if self.conditions > MOST_CONDITIONS:
            raise _refuse(path, f"At most {MOST_CONDITIONS} conditions.")
        if op not in kind.ops:
            raise _refuse(path, f"This field knows {', '.join(kind.ops)}.")
        try:
            sql, params = kind.condition(OPPOSITE.get(op, op), operand)
        except _Misfit as fault:
            raise _refuse(path, str(fault)) from None
        self.params += params
        self.boundaries |= set(kind.boundaries(OPPOSITE.get(op, op), operand))
        return f"NOT ({sql})" if op in OPPOSITE else f"({sql})"


@dataclass(frozen=True)
class _Kind:
    """One kind of field: how its values are read (_Misfit says why not) and what each operator asks."""

    column: str
    read: Callable[[Any], Any]
    ops: tuple[str, ...]
    array: str = "text[]"

    def condition(self, op: str, operand: Any) -> Condition:
        if op == "exists":
            return (self.there() if _boolean(operand) else f"NOT ({self.there()})"), []
        if op == "in":
            return f"{self.column} = ANY(%s::{self.array})", [_several(operand, self.read)]
        if op == "between":
            return f"{self.column} BETWEEN %s AND %s", list(_two(operand, self.read))
        if op == "contains":
            return f"strpos(lower({self.column}), lower(%s)) > 0", [self.read(operand)]
        return f"{self.column} {SIGNS[op]} %s", [self.read(operand)]

    def there(self) -> str:
        return f"{self.column} <> ''"

    def boundaries(self, op: str, operand: Any) -> Iterable[Boundary]:  # noqa: ARG002 (times have some)
        return ()


class _Tags(_Kind):
    def condition(self, op: str, operand: Any) -> Condition:
        if op == "exists":
            return ("cardinality(c.tags) > 0" if _boolean(operand) else "cardinality(c.tags) = 0"), []
        if op == "in":
            return "c.tags && %s::varchar[]", [_several(operand, self.read)]
        wanted = _several(operand, self.read) if isinstance(operand, list) else [self.read(operand)]
        return "c.tags @> %s::varchar[]", [wanted]


class _Age(_Kind):
    """How many whole days ago something was: ages from `first` up to, and without, `end`."""

    def condition(self, op: str, operand: Any) -> Condition:
        if op == "exists":
            return (f"{self.column} IS {'NOT ' * _boolean(operand)}NULL"), []
        ages = [self.age(first, end) for first, end in self.spans(op, operand)]
        return f"{self.column} IS NOT NULL AND ({' OR '.join(sql for sql, _ in ages)})", [
            param for _, params in ages for param in params
        ]

    def age(self, first: int | None, end: int | None) -> Condition:
        bounds = [(sign, days) for sign, days in (("<=", first), (">", end)) if days is not None]
        sql = " AND ".join(f"{self.column} {sign} now() - make_interval(hours => %s)" for sign, _ in bounds)
        return sql, [days * HOURS_A_DAY for _, days in bounds]

    def spans(self, op: str, operand: Any) -> list[tuple[int | None, int | None]]:
        if op == "in":
            return [(days, days + 1) for days in _several(operand, self.read)]
        if op == "between":
            first, last = _two(operand, self.read)
            return [(first, last + 1)]
        days = self.read(operand)
        return [
            {
                "eq": (days, days + 1),
                "gt": (days + 1, None),
                "gte": (days, None),
                "lt": (None, days),
                "lte": (None, days + 1),
            }[op]
        ]

    def boundaries(self, op: str, operand: Any) -> Iterable[Boundary]:
        spans = [] if op == "exists" else self.spans(op, operand)
        return {(self.column.removeprefix("c."), days) for span in spans for days in span if days is not None}


class _Attribute(_Kind):
    """A fact of the merchant's own; `column` is its name. Only alike is compared with alike."""

    def condition(self, op: str, operand: Any) -> Condition:
        value, kind = "c.attributes -> %s", "coalesce(jsonb_typeof(c.attributes -> %s), 'null')"
        if op == "exists":
            return f"{kind} {'<>' if _boolean(operand) else '='} 'null'", [self.column]
        if op == "in":
            wanted = [json.dumps(each) for each in _several(operand, self.read)]
            return f"coalesce({value} = ANY(%s::text[]::jsonb[]), false)", [self.column, wanted]
        if op == "contains":
            inside = "strpos(lower(c.attributes ->> %s), lower(%s)) > 0"
            return f"{kind} = 'string' AND {inside}", [self.column, self.column, _text(operand)]
        if op == "eq":
            return f"coalesce({value} = %s::jsonb, false)", [self.column, json.dumps(self.read(operand))]
        bounds = zip(("gte", "lte"), _two(operand, _number), strict=True) if op == "between" else [(op, operand)]
        sql, params = f"{kind} = 'number'", [self.column]
        for sign, bound in bounds:
            sql += f" AND {value} {SIGNS[sign]} %s::jsonb"
            params += [self.column, json.dumps(_number(bound))]
        return sql, params


def _kind(name: str, path: str, currency: str) -> _Kind:
    if found := ATTRIBUTE.fullmatch(name):
        return _Attribute(found[1], _scalar, (*COMPARED, "exists", "contains"))
    if name not in FIELDS:
        raise _refuse(path, f"There is no such field. There are {', '.join(FIELDS)} and attributes.<name>.")
    return replace(FIELDS[name], read=_money(currency)) if name == "total_spent" else FIELDS[name]


class _Misfit(Exception):  # noqa: N818 (as refusals)
    """A value that is none for its field."""


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Misfit("This must be true or false.")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_VALUE or CONTROL.search(value):
        raise _Misfit(f"This must be a text of 1 to {LONGEST_VALUE} characters on one line.")
    return value


def _tier(value: Any) -> str:
    if value not in LoyaltyTier.values:
        raise _Misfit(f"This must be one of {', '.join(LoyaltyTier.values)}.")
    return str(value)


def _whole(most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            raise _Misfit(f"This must be a whole number from 0 to {most}.")
        return value

    return read


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 10**15:
        raise _Misfit("This must be a number.")
    return value


def _money(currency: str) -> Callable[[Any], int]:
    """Decimal major units of the account's currency, to minor units."""

    def read(value: Any) -> int:
        minor = currencies.minor(_number(value), currency)
        if minor is None:
            raise _Misfit(currencies.too_fine(currency))
        if abs(value) > MOST_MONEY:
            raise _Misfit(f"This must be an amount up to {MOST_MONEY}.")
        return minor

    return read


def _scalar(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    return value if isinstance(value, bool) else _number(value)


def _several(value: Any, read: Callable[[Any], Any]) -> list[Any]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_VALUES:
        raise _Misfit(f"This must be a list of 1 to {MOST_VALUES} values.")
    return [read(each) for each in value]


def _two(value: Any, read: Callable[[Any], Any]) -> tuple[Any, Any]:
    least, most = map(read, value) if isinstance(value, list) and len(value) == PAIR else (1, 0)
    if least > most:
        raise _Misfit("This must be a list of the least and the most.")
    return least, most


COMPARED = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "between")
LISTED = ("eq", "ne", "in", "nin", "exists")
_DAYS = _whole(MOST_DAYS)
FIELDS: dict[str, _Kind] = {
    "loyalty_tier": _Kind("c.loyalty_tier", _tier, LISTED),
    "total_spent": _Kind("c.total_spent_minor", _number, COMPARED, "bigint[]"),
    "order_count": _Kind("c.order_count", _whole(MOST_COUNT), COMPARED, "bigint[]"),
    "last_order_days_ago": _Age("c.last_order_at", _DAYS, (*COMPARED, "exists")),
    "created_days_ago": _Age("c.created_at", _DAYS, COMPARED),
    "tags": _Tags("c.tags", _text, (*LISTED, "contains")),
    **{
        f"{channel}_opt_in": _Kind(f"c.{channel}_opt_in", _boolean, ("eq", "ne"))
        for channel in ("email", "sms", "push", "whatsapp")
    },
    "country": _Kind("c.country", _text, (*LISTED, "contains")),
    "language": _Kind("c.language", _text, (*LISTED, "contains")),
}
