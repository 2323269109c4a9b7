"""How the sandbox calls us back: pooled, and in no hurry."""

from __future__ import annotations

import aiohttp

CONNECTIONS = 32
TIMEOUT = aiohttp.ClientTimeout(total=15, sock_connect=5)


def poster() -> aiohttp.ClientSession:
    """A session for callbacks. Needs a running event loop."""
    return aiohttp.ClientSession(
        timeout=TIMEOUT,
        connector=aiohttp.TCPConnector(limit=CONNECTIONS),
        skip_auto_headers=("Accept-Encoding",),
    )
