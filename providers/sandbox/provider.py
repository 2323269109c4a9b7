"""What the server and the control routes need of any provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from aiohttp import web

    from providers.sandbox.exchange import Exchange


class Provider(Protocol):
    """One provider of the sandbox. It writes to the journal under its name, and reads back what it wrote."""

    name: str
    exchange: Exchange

    def routes(self) -> list[web.RouteDef]:
        """Its addresses."""
        ...

    def replay(self, record: dict[str, Any]) -> None:
        """Take one record of the journal back; before `start`."""
        ...

    async def start(self) -> None:
        """Begin; the event loop runs."""
        ...

    async def stop(self) -> None:
        """End."""
        ...

    def forget(self) -> None:
        """Be as new."""
        ...

    def log(self, *, since: float, to: str, key: str) -> list[dict[str, Any]]:
        """What was accepted at `since` (epoch seconds) or later, oldest first; narrowed by `to` and `key`."""
        ...

    def summary(self) -> dict[str, Any]:
        """Counts since the last reset."""
        ...
