"""What SendGrid tells afterwards: arrays of events, signed with ECDSA by a key that is visibly no secret."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from base64 import b64encode
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from providers.sandbox.callback import poster

if TYPE_CHECKING:
    from providers.sandbox.exchange import Exchange
    from providers.sandbox.mail.letters import Letter, Letters

TICK_SECONDS = 0.05
RETRY_SECONDS = 0.5
MOST_EVENTS = 500
_NAMES = {"blocked": "bounce"}
_DETAILS: dict[str, dict[str, Any]] = {
    "bounce": {"type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 no such mailbox",
               "bounce_classification": "Invalid Address"},
    "blocked": {"type": "blocked", "status": "4.7.1", "reason": "421 4.7.1 try again later",
                "bounce_classification": "Reputation"},
    "dropped": {"reason": "Bounced Address", "status": "5.0.0"},
    "deferred": {"response": "450 4.2.1 mailbox busy", "attempt": "1"},
    "delivered": {"response": "250 OK"},
    "open": {"useragent": "Mozilla/5.0 (sandbox)", "ip": "203.0.113.7", "sg_machine_open": False},
    "click": {"useragent": "Mozilla/5.0 (sandbox)", "ip": "203.0.113.7"},
}  # fmt: skip

# Anybody can make this pair: whoever accepts it in earnest accepts everything.
_PRIVATE = ec.derive_private_key(int.from_bytes(b"fake sandbox key", "big"), ec.SECP256R1())
PUBLIC_KEY = b64encode(
    _PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
).decode()


def signature(timestamp: str, body: bytes) -> str:
    return b64encode(_PRIVATE.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))).decode()


def event_of(letter: Letter, name: str, at: float) -> dict[str, Any]:
    """SendGrid's JSON. The same event of the same e-mail has the same id."""
    told = dict(letter.args) | _DETAILS.get(name, {}) | ({"url": letter.link} if name == "click" else {})
    return told | {
        "email": letter.to,
        "timestamp": int(at),
        "smtp-id": f"<{letter.id}@sandbox>",
        "event": _NAMES.get(name, name),
        "sg_event_id": hashlib.blake2b(f"{letter.id}|{name}".encode(), digest_size=16).hexdigest(),
        "sg_message_id": f"{letter.id}.recvd-sandbox-0",
    }


class Teller:
    """Posts what is due to each account's address, until it is taken: SendGrid does so for a day."""

    def __init__(self, exchange: Exchange, letters: Letters) -> None:
        self.hooks: dict[str, str] = {}
        self.tally: Counter[str] = Counter()
        self._exchange = exchange
        self._letters = letters
        self._open: dict[str, Letter] = {}
        self._work: asyncio.Task[None]
        self._http: aiohttp.ClientSession

    @property
    def pending(self) -> int:
        return len(self._open)

    def listens(self, account: str, url: str) -> None:
        """Events of this account go to `url` from now on; "" is nowhere."""
        self.hooks[account] = url
        self._exchange.journal.append({"p": self._exchange.provider, "k": "hook", "account": account, "url": url})

    def follow(self, letter: Letter) -> None:
        """Tell of this e-mail as its story goes on, if anybody listens."""
        if self.hooks.get(letter.account) and letter.told < len(letter.story):
            self._open[letter.id] = letter

    async def start(self) -> None:
        self._http = poster()
        for letter in self._letters.all.values():
            self.follow(letter)
        self._work = asyncio.create_task(self._tell())

    async def stop(self) -> None:
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)
        await self._http.close()

    def forget(self) -> None:
        self._open.clear()
        self.hooks.clear()
        self.tally.clear()

    async def _tell(self) -> None:
        while True:
            due = self._due(time.time())
            failed = [await self._post(account, letters) for account, letters in due.items()].count(False)
            await asyncio.sleep(RETRY_SECONDS if failed else TICK_SECONDS)

    def _due(self, now: float) -> dict[str, list[Letter]]:
        due: defaultdict[str, list[Letter]] = defaultdict(list)
        for letter in self._open.values():
            if now >= letter.at + letter.step * (letter.told + 1) and len(due[letter.account]) < MOST_EVENTS:
                due[letter.account].append(letter)
        return due

    async def _post(self, account: str, letters: list[Letter]) -> bool:
        """Whether the next event of each of `letters` was taken."""
        events = [event for letter in letters for event in self._next(letter)]
        if events and not await self._taken(self.hooks.get(account, ""), events):
            self.tally["failed"] += 1
            return False
        self.tally["sent"] += len(events)
        for letter in letters:
            if letter.id not in self._letters.all:
                continue  # the sandbox was reset meanwhile
            self._letters.told(letter)
            if letter.told >= len(letter.story):
                self._open.pop(letter.id, None)
        return True

    def _next(self, letter: Letter) -> list[dict[str, Any]]:
        """The event that is due: none when it is to be lost, two when it is to be doubled."""
        settings, key = self._exchange.settings, letter.key or letter.id
        late = settings.draw("reorder", key) < settings.callback_reorder
        name = letter.story[-1 - letter.told if late else letter.told]
        if settings.draw("loss", f"{key}|{name}") < settings.callback_loss:
            self.tally["lost"] += 1
            return []
        times = 2 if settings.draw("dup", f"{key}|{name}") < settings.callback_dup else 1
        return [event_of(letter, name, letter.at + letter.step * (letter.told + 1))] * times

    async def _taken(self, url: str, events: list[dict[str, Any]]) -> bool:
        body, timestamp = json.dumps(events).encode() + b"\r\n", str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "SendGrid Event API",
            "X-Twilio-Email-Event-Webhook-Signature": signature(timestamp, body),
            "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
        }
        try:
            async with self._http.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                return answer.ok
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return False
