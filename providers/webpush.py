"""Web Push (RFC 8030), encrypted by pywebpush (RFC 8291) and signed with our VAPID key (RFC 8292).

The address is one that a stranger's browser gave: https, a public host, and connected to exactly as it was looked up.
pywebpush's own ways out are not taken: they follow wherever the name leads and open a connection a call.
"""

from __future__ import annotations

import asyncio
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from py_vapid import Vapid02, VapidException
from pywebpush import WebPusher

from campaigns_project.refusals import Invalid
from providers.answers import garbled, not_sent, plain
from providers.base import Accepted, Outcome, Refused, Unknown
from providers.http import NoAnswer, NotSent, Pool
from providers.urls import Resolver, check_url, is_public, resolve, target_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from providers.base import Push, Subscription
    from providers.http import Answer

# What every push service takes (RFC 8030, 7.2), less what encryption adds.
LARGEST = 4096 - 103
POINT, SECRET = 65, 16
# A signature is good for a day at most; ours is made anew long before.
SIGNED_SECONDS, RENEWED_SECONDS = 12 * 3600, 3600
MOST_ORIGINS = 64
LOOK_UPS = 8
_GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_TAKEN = frozenset({HTTPStatus.CREATED, HTTPStatus.ACCEPTED})
_REFUSING = frozenset(range(400, 500)) - {HTTPStatus.REQUEST_TIMEOUT}


def check_subscription(subscription: Subscription, trusted: Collection[str] = ()) -> None:
    """Raise Invalid, the field in `details`, unless a push could be encrypted and sent to it.

    `trusted` names origins that may be anywhere and without TLS: for tests and development.
    """
    if _origin(subscription.endpoint) not in trusted:
        check_url(subscription.endpoint, schemes=("https",), field="endpoint")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _bytes(subscription.p256dh, POINT))
    except ValueError:
        raise Invalid(details={"keys": ["p256dh is no public key of a browser."]}) from None
    try:
        _bytes(subscription.auth, SECRET)
    except ValueError:
        raise Invalid(details={"keys": ["auth has 16 bytes."]}) from None


def public_key(private: str) -> str:
    """What a browser wants as `applicationServerKey`, of our private key."""
    point = _vapid(private).public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return urlsafe_b64encode(point).rstrip(b"=").decode()


class WebPush:
    """A Pusher; see `providers.base`. `key` is our private one, `contact` who a push service may turn to."""

    name = "push"

    def __init__(
        self,
        *,
        key: str,
        contact: str,
        timeout: float,
        connections: int,
        trusted: Collection[str] = (),
        resolver: Resolver = resolve,
    ) -> None:
        self.timeout = timeout
        self._vapid = _vapid(key)
        self._contact = contact
        self._connections = connections
        self._trusted = frozenset(trusted)
        self._resolver = resolver
        self._pools: dict[str, Pool] = {}
        self._signed: dict[str, tuple[float, str]] = {}
        self._threads = ThreadPoolExecutor(LOOK_UPS, thread_name_prefix="push-look-up")

    @classmethod
    def from_settings(cls) -> WebPush:
        return cls(
            key=settings.VAPID_PRIVATE_KEY,
            contact=settings.VAPID_CONTACT,
            timeout=settings.PUSH_TIMEOUT_SECONDS,
            connections=settings.PUSH_CONNECTIONS,
            trusted=settings.PUSH_TRUSTED,
        )

    async def send(self, push: Push) -> Outcome:
        """Encrypt and send once. A push service says 201 (or 202, RFC 8030) when it has it."""
        subscription = push.subscription
        said = {"title": push.title, "body": push.body, "url": push.url, "key": push.key}
        text = json.dumps(said, ensure_ascii=False).encode(errors="replace")
        if len(text) > LARGEST:
            return Refused("too_large", f"a push has at most {LARGEST} bytes")
        origin = _origin(subscription.endpoint)
        try:
            check_subscription(subscription, self._trusted)
            authorization = self._authorization(origin)
        except (Invalid, VapidException) as refusal:
            return Refused("endpoint", plain(getattr(refusal, "details", refusal)), effect="suppress")
        headers = {
            "TTL": str(push.ttl),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "Authorization": authorization,
        }
        target = target_of(urlsplit(subscription.endpoint))
        try:
            answer = await self._pool(origin).request("POST", target, headers=headers, body=_sealed(subscription, text))
        except NotSent as error:
            return not_sent(error)
        except NoAnswer as error:
            return Unknown(plain(error))
        return _outcome(answer, push.key)

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            await pool.close()

    def _pool(self, origin: str) -> Pool:
        """Browsers have a handful of push services; should there be many, the one that came first makes room."""
        if origin not in self._pools:
            if len(self._pools) >= MOST_ORIGINS:
                # Its calls under way end in peace; nobody finds it any more.
                del self._pools[next(iter(self._pools))]
            look_up = None if origin in self._trusted else self._public
            headers = {"User-Agent": "campaigns"}
            self._pools[origin] = Pool(
                origin, limit=self._connections, timeout=self.timeout, headers=headers, look_up=look_up
            )
        return self._pools[origin]

    async def _public(self, host: str, port: int) -> str:
        """The address to connect to. Raises OSError for a host within our own network."""
        found = await asyncio.get_running_loop().run_in_executor(self._threads, self._resolver, host, port)
        if not found or not all(map(is_public, found)):
            raise OSError("the host is not a public one")
        return found[0]

    def _authorization(self, origin: str) -> str:
        made, header = self._signed.get(origin, (0.0, ""))
        now = time.time()
        if now - made > RENEWED_SECONDS:
            claims = {"aud": origin, "sub": self._contact, "exp": int(now) + SIGNED_SECONDS}
            header = str(self._vapid.sign(claims)["Authorization"])
            if len(self._signed) >= MOST_ORIGINS:
                self._signed.clear()
            self._signed[origin] = now, header
        return header


def _vapid(private: str) -> Any:
    return Vapid02.from_string(private)  # type: ignore[no-untyped-call]


def _origin(endpoint: str) -> str:
    try:
        parts = urlsplit(endpoint)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"


def _bytes(text: str, length: int) -> bytes:
    """Base64url, with or without its padding. Raises ValueError."""
    found = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    if len(found) != length:
        raise ValueError(f"{len(found)} bytes")
    return found


def _sealed(subscription: Subscription, text: bytes) -> bytes:
    keys = {"p256dh": subscription.p256dh, "auth": subscription.auth}
    sealed: bytes = WebPusher({"endpoint": subscription.endpoint, "keys": keys}).encode(text)["body"]
    return sealed


def _outcome(answer: Answer, key: str) -> Outcome:
    if answer.status in _TAKEN:
        return Accepted(provider_id=plain(answer.headers.get("Location") or key), status="queued")
    code, message = str(answer.status), plain(answer.body[:300].decode(errors="replace"))
    if answer.status in _GONE:
        return Refused(code, message, effect="suppress")
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        # One push service of several: the others need not wait.
        return Refused(code, message, retry=True, retry_after=answer.retry_after)
    if answer.status in _REFUSING:
        return Refused(code, message)
    return garbled(answer)
