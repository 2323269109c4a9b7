"""A push service, and the browsers behind it: what arrives is decrypted with the browser's keys and kept.

POST    /_sandbox/browsers          a new browser: {"endpoint", "keys": {"p256dh", "auth"}}, as it would subscribe
DELETE  /_sandbox/browsers/{id}     it is gone: from now on 410
POST    /push/{id}                  RFC 8030, with VAPID (RFC 8292) and aes128gcm (RFC 8188)
"""

from __future__ import annotations

import json
import os
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import http_ece
import jwt
from aiohttp import web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from providers.sandbox.exchange import Answer, Entry, Exchange
from providers.sandbox.wire import RefusedError, perform

if TYPE_CHECKING:
    from providers.sandbox.journal import Journal

LARGEST = 4096
LONGEST_SIGNED = 24 * 3600
_VAPID = re.compile(r"vapid t=([\w.-]+), ?k=([\w-]+)")


class NotTaken(Exception):  # noqa: N818  (the push service's answer)
    """A refusal: its HTTP status and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status

    def answer(self) -> Answer:
        return Answer.of(self.status, {"code": self.status, "message": str(self)})


@dataclass(slots=True)
class Browser:
    """Its keys as base64url; `private` as a whole number."""

    id: str
    private: str
    p256dh: str
    auth: str
    gone: bool = False


@dataclass(slots=True)
class Notice:
    """One push that was taken and could be read. `said` is what the page's worker gets."""

    id: str
    to: str
    at: float
    ttl: int
    said: dict[str, Any]
    key: str | None
    signed_by: str
    outcome: str = "accepted"


class Push:
    """One provider of the sandbox."""

    name = "push"

    def __init__(self, journal: Journal) -> None:
        self.exchange = Exchange(self.name, journal)
        self.browsers: dict[str, Browser] = {}
        self.notices: list[Notice] = []

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/_sandbox/browsers", self.subscribe),
            web.delete("/_sandbox/browsers/{id}", self.leave),
            web.post("/push/{id}", self.send),
        ]

    async def subscribe(self, request: web.Request) -> web.Response:
        key = ec.generate_private_key(ec.SECP256R1())
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        private = str(key.private_numbers().private_value)
        browser = Browser(os.urandom(11).hex(), private, _text(point), _text(os.urandom(16)))
        self._keep(browser)
        endpoint = f"{request.scheme}://{request.host}/push/{browser.id}"
        return web.json_response(
            {"endpoint": endpoint, "expirationTime": None, "keys": {"p256dh": browser.p256dh, "auth": browser.auth}}
        )

    async def leave(self, request: web.Request) -> web.Response:
        browser = self.browsers.get(request.match_info["id"])
        if not browser:
            raise RefusedError("there is no such browser")
        browser.gone = True
        self._keep(browser)
        return web.json_response({"gone": True})

    async def send(self, request: web.Request) -> web.Response:
        to, raw = request.match_info["id"], await request.read()
        try:
            notice, wrong = self._read(request, raw), None
        except NotTaken as refusal:
            notice, wrong = None, refusal

        def act(entry: Entry) -> Answer:
            if notice is None:
                assert wrong
                return wrong.answer()
            notice.outcome, entry.sid = entry.outcome, notice.id
            self.notices.append(notice)
            self.exchange.journal.append({"p": self.name, "k": "notice", **asdict(notice)})
            return Answer(201, b"", headers=(("Location", f"/m/{notice.id}"),))

        key = notice.key if notice else None
        call = self.exchange.arrive("push", now=time.time(), to=to, key=key, name=to, act=act, refuse=_busy)
        return await perform(request, self.exchange, call)

    def _read(self, request: web.Request, raw: bytes) -> Notice:
        browser = self.browsers.get(request.match_info["id"])
        if not browser:
            raise NotTaken(404, "no such subscription")
        if browser.gone:
            raise NotTaken(410, "the subscription is gone")
        if len(raw) > LARGEST:
            raise NotTaken(413, "more than 4096 bytes")
        ttl = request.headers.get("TTL", "")
        if not (ttl.isascii() and ttl.isdigit()) or request.headers.get("Content-Encoding") != "aes128gcm":
            raise NotTaken(400, "TTL and Content-Encoding: aes128gcm are required")
        signed_by = _signer(request.headers.get("Authorization", ""), f"{request.scheme}://{request.host}")
        said = _opened(browser, raw)
        return Notice(os.urandom(11).hex(), browser.id, time.time(), int(ttl), said, said.get("key"), signed_by)

    def _keep(self, browser: Browser) -> None:
        self.browsers[browser.id] = browser
        self.exchange.journal.append({"p": self.name, "k": "browser", **asdict(browser)})
        self.exchange.journal.flush()

    # Being part of the server.

    def replay(self, record: dict[str, Any]) -> None:
        known = {name: value for name, value in record.items() if name not in {"p", "k"}}
        match record["k"]:
            case "browser":
                self.browsers[record["id"]] = Browser(**known)
            case "notice":
                self.notices.append(Notice(**known))
            case _:
                self.exchange.remember(record)

    async def start(self) -> None:
        self.exchange.sort()

    async def stop(self) -> None:
        """Nothing runs."""

    def forget(self) -> None:
        self.exchange.forget()
        self.browsers.clear()
        self.notices.clear()

    def log(self, *, since: float, to: str, key: str) -> list[dict[str, Any]]:
        found = (notice for notice in self.notices if notice.at >= since and to in ("", notice.to))
        return [asdict(notice) for notice in found if key in ("", notice.key)]

    def summary(self) -> dict[str, Any]:
        said = {(notice.to, notice.said.get("title"), notice.said.get("body")) for notice in self.notices}
        return {
            "accepted": len(self.notices),
            "people": len({notice.to for notice in self.notices}),
            "doubled": len(self.notices) - len(said),
            "keys": len({notice.key for notice in self.notices if notice.key}),
            "calls": len(self.exchange.entries),
            "outcomes": dict(Counter(f"{entry.kind}:{entry.outcome}" for entry in self.exchange.entries)),
        }


def _busy(status: int) -> Answer:
    return NotTaken(status, "not now").answer()


def _signer(authorization: str, origin: str) -> str:
    """The public key that signed for this origin."""
    found = _VAPID.fullmatch(authorization)
    if not found:
        raise NotTaken(401, "no VAPID signature")
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _raw(found[2]))
        claims = jwt.decode(found[1], key, algorithms=["ES256"], audience=origin, options={"require": ["exp", "sub"]})
    except (jwt.InvalidTokenError, ValueError) as wrong:
        raise NotTaken(403, f"the VAPID signature does not count: {wrong}") from None
    if claims["exp"] > time.time() + LONGEST_SIGNED:
        raise NotTaken(403, "signed for more than a day")
    return found[2]


decrypt: Any = http_ece.decrypt  # untyped


def _opened(browser: Browser, raw: bytes) -> dict[str, Any]:
    private = ec.derive_private_key(int(browser.private), ec.SECP256R1())
    try:
        said = json.loads(decrypt(raw, private_key=private, auth_secret=_raw(browser.auth), version="aes128gcm"))
    except (http_ece.ECEException, InvalidTag, ValueError):
        said = None
    if not isinstance(said, dict):
        raise NotTaken(400, "the browser could not read it")
    return said


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
