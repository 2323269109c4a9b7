"""How the sandbox misbehaves, and how fast it walks: the settings of `/_sandbox/faults`."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

LONGEST_MS = 3_600_000


class Fate(StrEnum):
    """What becomes of one call. All but ACCEPTED are shares of the settings with the same name."""

    ACCEPTED = "accepted"
    STATUS_429 = "status_429"
    STATUS_500 = "status_500"
    STATUS_500_ACCEPTED = "status_500_accepted"
    LOSE_RESPONSE = "lose_response"
    GARBAGE = "garbage"


SHARES_OF_A_CALL = tuple(fate for fate in Fate if fate is not Fate.ACCEPTED)


class SettingError(ValueError):
    """A setting that does not exist, or a value it cannot have."""


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise SettingError("must be a share between 0 and 1")
    return float(value)


def _milliseconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_MS:
        raise SettingError(f"must be milliseconds between 0 and {LONGEST_MS}")
    return float(value)


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise SettingError("must be a whole number, 0 or more")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise SettingError("must be true or false")
    return value


def _url(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith(("http://", "https://")):
        raise SettingError("must be an http or https URL")
    return value


def _inbound_url() -> str:
    public = os.environ.get("PUBLIC_BASE_URL", "http://127.0.0.1:8000")
    return f"{public.rstrip('/')}/api/v1/campaign/webhooks/twilio/inbound"


def _setting(check: Any, default: Any) -> Any:
    return field(default=default, metadata={"check": check})


@dataclass(frozen=True, slots=True)
class Settings:
    """Shares of all calls (or callbacks) are drawn by hash of (seed, key), so that a run can be repeated."""

    # Calls: accepted on arrival, answered latency_ms later.
    latency_ms: float = _setting(_milliseconds, 0.0)
    slow_share: float = _setting(_share, 1.0)  # this share of the calls …
    slow_after_ms: float = _setting(_milliseconds, 0.0)  # … is answered this much later, though accepted at once
    accept_after_ms: float = _setting(_milliseconds, 0.0)  # … is accepted (and answered) this much later
    lose_response: float = _setting(_share, 0.0)  # accepted, then the connection is reset
    status_500: float = _setting(_share, 0.0)  # not accepted
    status_500_accepted: float = _setting(_share, 0.0)  # accepted all the same
    status_429: float = _setting(_share, 0.0)  # not accepted, with Retry-After
    retry_after_s: int = _setting(_integer, 1)
    garbage: float = _setting(_share, 0.0)  # accepted, answered with HTML
    # Callbacks.
    callback_loss: float = _setting(_share, 0.0)
    callback_dup: float = _setting(_share, 0.0)
    callback_reorder: float = _setting(_share, 0.0)  # this share of the messages calls back last status first
    callback_delay_ms: float = _setting(_milliseconds, 300.0)  # between two statuses of a message
    read_share: float = _setting(_share, 0.4)
    click_share: float = _setting(_share, 0.5)  # of the e-mails that are read and have a link
    # The rest of the provider.
    approve_after_ms: float = _setting(_milliseconds, 3000.0)
    list_lag_ms: float = _setting(_milliseconds, 0.0)  # a new message is in the list only after this
    strict_content: bool = _setting(_flag, True)  # refuse unknown ContentSids
    inbound_url: str = field(default_factory=_inbound_url, metadata={"check": _url})
    seed: int = _setting(_integer, 1)

    def changed(self, wanted: dict[str, Any]) -> Settings:
        """A copy with the settings in `wanted`; SettingError names the first that is wrong."""
        checks = {each.name: each.metadata["check"] for each in dataclasses.fields(self)}
        clean = {}
        for name, value in wanted.items():
            if name not in checks:
                raise SettingError(f"{name}: there is no such setting")
            try:
                clean[name] = checks[name](value)
            except SettingError as bad:
                raise SettingError(f"{name} {bad}") from None
        new = dataclasses.replace(self, **clean)
        if new.share_of_faulty_calls > 1:
            raise SettingError(f"{', '.join(SHARES_OF_A_CALL)} add up to more than 1")
        return new

    @property
    def share_of_faulty_calls(self) -> float:
        return self.status_429 + self.status_500 + self.status_500_accepted + self.lose_response + self.garbage

    def fate_of(self, key: str) -> Fate:
        if not self.share_of_faulty_calls:
            return Fate.ACCEPTED
        left = self.draw("fate", key)
        for fate in SHARES_OF_A_CALL:
            left -= getattr(self, fate)
            if left < 0:
                return fate
        return Fate.ACCEPTED

    def is_slow(self, key: str) -> bool:
        return bool(self.slow_after_ms or self.accept_after_ms) and self.draw("slow", key) < self.slow_share

    def draw(self, *names: str) -> float:
        """A number in [0, 1) that depends on the seed and these names alone."""
        digest = hashlib.blake2b("|".join((str(self.seed), *names)).encode(), digest_size=6).digest()
        return int.from_bytes(digest, "big") / (1 << 48)
