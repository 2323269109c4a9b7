"""Shopify's one address for each shop, and what is asked there."""

from __future__ import annotations

import json
import re
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from providers.sandbox.exchange import Answer, Entry, Exchange
from providers.sandbox.shopify.store import INVALID, MOST_CODES, REFUSED, TAKEN, Store
from providers.sandbox.wire import perform

if TYPE_CHECKING:
    from collections.abc import Callable

    from providers.sandbox.journal import Journal

# Which variables stand for which arguments, and under which name an answer goes.
_FIELD = re.compile(r"(?:(\w+)\s*:\s*)?(\w+)\(((?:\s*\w+\s*:\s*\$\w+\s*,?)+)\)\s*\{")
_ARGUMENT = re.compile(r"(\w+)\s*:\s*\$(\w+)")
_MUTATION, _QUERY = 10.0, 1.0


class NotTaken(Exception):  # noqa: N818  (Shopify's answer)
    """A refusal on top of GraphQL, in HTTP 200 like most of Shopify's."""

    def __init__(self, code: str, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


class Shopify:
    """One provider of the sandbox."""

    name = "shopify"

    def __init__(self, journal: Journal) -> None:
        self.exchange = Exchange(self.name, journal)
        self.store = Store(self.exchange)

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/shopify/{shop}/admin/api/2026-10/graphql.json", self.graphql)]

    async def graphql(self, request: web.Request) -> web.Response:
        shop, token = request.match_info["shop"], request.headers.get("X-Shopify-Access-Token", "")
        text = (await request.read()).decode(errors="replace")

        def act(entry: Entry) -> Answer:
            try:
                return self._answer(entry, shop, token, text)
            except NotTaken as refusal:
                entry.outcome = f"refused:{refusal.code}"
                return self._refused(shop, refusal)

        def refuse(status: int) -> Answer:
            if status == HTTPStatus.TOO_MANY_REQUESTS:
                return self._refused(shop, NotTaken("THROTTLED", "Throttled"))
            return Answer.of(status, {"errors": "Internal Server Error"})

        call = self.exchange.arrive(
            "graphql", now=time.time(), to=shop, key=None, name=f"{shop}|{text}", act=act, refuse=refuse
        )
        return await perform(request, self.exchange, call)

    def _answer(self, entry: Entry, shop: str, token: str, text: str) -> Answer:
        if not token.startswith("shpat_"):
            raise NotTaken("401", "[API] Invalid API key or access token", 401)
        fields, points = _asked(text)
        bucket = self.store.bucket(shop)
        if not bucket.take(points):
            raise NotTaken("THROTTLED", "Throttled")
        data = {alias: self._does(name)(shop, given) for alias, name, given in fields}
        entry.sid = next((str(each.get("id")) for each in data.values() if each), None)
        return Answer.of(200, {"data": data, "extensions": bucket.told(points)})

    def _does(self, name: str) -> Callable[[str, dict[str, Any]], dict[str, Any] | None]:
        known: dict[str, Callable[[str, dict[str, Any]], dict[str, Any] | None]] = {
            "discountCodeBasicCreate": self._create,
            "discountRedeemCodeBulkAdd": self._add,
            "discountRedeemCodeBulkCreation": lambda _, given: self.store.progress(given["id"]),
            "codeDiscountNodeByCode": lambda shop, given: self.store.holder(shop, given["code"]),
        }
        if name not in known:
            raise NotTaken("undefinedField", f"Field '{name}' doesn't exist on type 'QueryRoot'")
        return known[name]

    def _create(self, shop: str, given: dict[str, Any]) -> dict[str, Any]:
        terms = given["basicCodeDiscount"]
        missing = [name for name in ("code", "title", "context", "startsAt", "customerGets") if not terms.get(name)]
        if missing:
            return _wrong("codeDiscountNode", missing[0], "BLANK", f"{missing[0]} can't be blank")
        if REFUSED in terms["code"].upper():
            return _wrong("codeDiscountNode", "code", "INVALID", INVALID)
        gid = self.store.discount(shop, terms)
        if gid is None:
            return _wrong("codeDiscountNode", "code", "TAKEN", TAKEN)
        return {"codeDiscountNode": {"id": gid}, "userErrors": []}

    def _add(self, shop: str, given: dict[str, Any]) -> dict[str, Any]:
        codes = [each["code"] for each in given["codes"]]
        if given["discountId"] not in self.store.discounts:
            return _wrong("bulkCreation", "discountId", "INVALID", "Code discount does not exist.")
        if not 1 <= len(codes) <= MOST_CODES:
            return _wrong("bulkCreation", "codes", "MAX_COST_EXCEEDED", "The input array size is greater than 250.")
        return {"bulkCreation": {"id": self.store.creation(shop, given["discountId"], codes)}, "userErrors": []}

    def _refused(self, shop: str, refusal: NotTaken) -> Answer:
        if refusal.status != HTTPStatus.OK:
            return Answer.of(refusal.status, {"errors": refusal.message})
        error = {"message": refusal.message, "extensions": {"code": refusal.code}}
        return Answer.of(200, {"errors": [error], "extensions": self.store.bucket(shop).told(_MUTATION)})

    def replay(self, record: dict[str, Any]) -> None:
        if record["k"] in {"call", "settings"}:
            self.exchange.remember(record)
        else:
            self.store.replay(record)

    async def start(self) -> None:
        self.exchange.sort()

    async def stop(self) -> None:
        """Nothing runs by itself."""

    def forget(self) -> None:
        self.exchange.forget()
        self.store.forget()

    def log(self, *, since: float, to: str, key: str) -> list[dict[str, Any]]:
        """Every code that is in a shop, once; `key` is its discount."""
        wanted = {name: value for name, value in (("to", to), ("key", key)) if value}
        return [
            each
            for each in self.store.log
            if each["at"] >= since and all(each[name] == value for name, value in wanted.items())
        ]

    def summary(self) -> dict[str, Any]:
        """`repeated`: codes that were sent again though they were there."""
        outcomes: dict[str, int] = {}
        for entry in self.exchange.entries:
            outcomes[entry.outcome] = outcomes.get(entry.outcome, 0) + 1
        counts = {"accepted": len(self.store.log), "discounts": len(self.store.discounts)}
        return {**counts, "repeated": self.store.repeated, "calls": outcomes}


def _asked(text: str) -> tuple[list[tuple[str, str, dict[str, Any]]], float]:
    """What a document asks for: (name in the answer, field, arguments), and what it costs."""
    try:
        document = json.loads(text)
        query, variables = str(document["query"]), dict(document.get("variables") or {})
        found = [
            (alias or name, name, {key: variables[value] for key, value in _ARGUMENT.findall(arguments)})
            for alias, name, arguments in _FIELD.findall(query)
        ]
    except (ValueError, KeyError, TypeError):
        raise NotTaken("parse", "Bad request", 400) from None
    if not found:
        raise NotTaken("parse", "Nothing is asked")
    mutation = query.lstrip().startswith("mutation")
    return found, _MUTATION if mutation else _QUERY * len(found)


def _wrong(what: str, field: str, code: str, message: str) -> dict[str, Any]:
    return {what: None, "userErrors": [{"field": [field], "code": code, "message": message}]}
