"""Rate limits in windows of a minute: per caller in this process; per try to sign in and per guess over all of them."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from campaigns_project.models import RateWindow
from campaigns_project.refusals import TooManyRequests

WINDOW = 60
GUESSES = 20


@dataclass(frozen=True)
class Spent:
    """What is left of a window: `limit` requests in all, `reset` whole seconds until the next window."""

    limit: int
    used: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        left = max(0, self.limit - self.used)
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(left),
            "RateLimit-Reset": str(self.reset),
        }

    def check(self) -> Spent:
        """Raise TooManyRequests when more was used than the limit allows."""
        if self.used > self.limit:
            raise TooManyRequests(retry_after=self.reset)
        return self


class CallerWindows:
    """Counts in memory: a process counts for itself, so a caller of n web processes has at most n times the limit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0
        self._used: Counter[str] = Counter()

    def spend(self, caller: str, *, limit: int, now: float) -> Spent:
        """Count one request of `caller` at `now` (unix seconds)."""
        minute, second = divmod(int(now), WINDOW)
        with self._lock:
            if minute != self._minute:
                self._minute = minute
                self._used.clear()
            self._used[caller] += 1
            return Spent(limit, self._used[caller], WINDOW - second)


callers = CallerWindows()


def spend_request(caller: str) -> Spent:
    """Count one request of a signed-in caller. The answer may be more than spent: call `check`."""
    return callers.spend(caller, limit=settings.RATE_LIMIT_PER_MINUTE, now=time.time())


def spend_sign_in(address: str, email: str) -> None:
    """Count one try to sign in, per address and e-mail and per address, over all processes.

    Raises TooManyRequests. The table keeps hashes only; `address` is the peer's, never a header's.
    """
    tries = settings.SIGN_IN_TRIES_PER_MINUTE
    for limit, parts in ((tries, (address, email.casefold())), (tries * 10, (address,))):
        _spend_row(_hashed(*parts), limit).check()


def check_guesses(caller: str, account: str, address: str) -> None:
    """Raise TooManyRequests for a caller, or a peer's address, that guessed wrong too often within a minute."""
    limits = {_hashed("guess", *parts): limit for limit, parts in _guessing(caller, account, address)}
    recent = RateWindow.objects.filter(key__in=limits, starts_at__gt=Now() - timedelta(seconds=WINDOW))
    if any(used >= limits[key] for key, used in recent.values_list("key", "used")):
        raise TooManyRequests(retry_after=WINDOW)


def spend_guess(caller: str, account: str, address: str) -> None:
    """Count one wrong guess: a code that is not there."""
    for limit, parts in _guessing(caller, account, address):
        _spend_row(_hashed("guess", *parts), limit)


def _guessing(caller: str, account: str, address: str) -> tuple[tuple[int, tuple[str, ...]], ...]:
    # Behind one address there may be the shops of many accounts: none may shut the door to all others.
    alone, shared = ("address", account, address), ("address", address)
    return (GUESSES, ("caller", caller)), (GUESSES, alone), (GUESSES * 10, shared)


def _hashed(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode(errors="replace")).hexdigest()


def _spend_row(key: str, limit: int) -> Spent:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO campaigns_project_ratewindow AS kept (key, starts_at, used)
            VALUES (%s, clock_timestamp(), 1)
            ON CONFLICT (key) DO UPDATE SET
                used = CASE WHEN kept.starts_at > excluded.starts_at - interval '1 minute'
                            THEN kept.used + 1 ELSE 1 END,
                starts_at = CASE WHEN kept.starts_at > excluded.starts_at - interval '1 minute'
                                 THEN kept.starts_at ELSE excluded.starts_at END
            RETURNING used, ceil(60 - extract(epoch FROM clock_timestamp() - starts_at))::int
            """,
            [key],
        )
        used, reset = cursor.fetchone()
    return Spent(limit, used, max(1, reset))


def purge() -> int:
    """Forget tries to sign in that count no longer; returns how many."""
    return RateWindow.objects.filter(starts_at__lt=Now() - timedelta(seconds=WINDOW)).delete()[0]
