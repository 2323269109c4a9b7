"""A provider that delivers a burst: at so many a second, whatever we answer; what was acknowledged is stored, once."""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from dispatch.models import InboxEntry, WebhookConnection
from tests.crm.webhook_world import OPENED, connected, path_of, stamped

LINES = 64
SECRET = "a secret of the burst"
# A provider that gets no answer for so long gives a delivery up and makes it again later.
PATIENCE = 30


@dataclass
class Burst:
    """`rate` events a second for `seconds`, one a request; whoever gets no 200 is delivered again after it."""

    world: object
    rate: int = 5000
    seconds: int = 10
    statuses: Counter = field(default_factory=Counter)
    acknowledged: set = field(default_factory=set)
    # Answers of 5xx that say no time to come back.
    dishonest: int = 0
    slowest: float = 0.0
    took: float = 0.0

    def run(self):
        self.connection = connected(secret=SECRET)
        self.number = self.rate * self.seconds
        requests = {name: self._request(name) for name in (f"burst-{number}" for number in range(self.number))}
        began = time.monotonic()
        asyncio.run(self._deliver(requests, paced=True))
        self.took = time.monotonic() - began
        return self

    def verdict(self):
        """What is wrong, by name; then what was not acknowledged is delivered again, and what is wrong after that."""
        stored = self._stored()
        found = {
            "acknowledged and lost": len(self.acknowledged - set(stored)),
            "stored twice": len(stored) - len(set(stored)),
            "answers that are neither 200 nor an honest 503": self.dishonest,
        }
        missed = {f"burst-{number}" for number in range(self.number)} - self.acknowledged
        again = {name: self._request(name) for name in missed}
        asyncio.run(self._deliver(again, paced=False))
        counted = WebhookConnection.objects.get(pk=self.connection.pk).events_received
        found |= {"not there in the end": self.number - len(self._stored()), "counted otherwise": counted - self.number}
        return {name: number for name, number in found.items() if number}

    def __str__(self):
        told = ", ".join(f"{number} × {status or 'no answer'}" for status, number in sorted(self.statuses.items()))
        rate = len(self.acknowledged) / self.took
        return f"{self.number} events offered in {self.seconds} s: {told}; {rate:,.0f}/s, slowest {self.slowest:.1f} s"

    def _stored(self):
        return list(InboxEntry.objects.filter(account=self.connection.account).values_list("dedupe_key", flat=True))

    def _request(self, name):
        body = json.dumps(OPENED | {"event_id": name}).encode()
        headers = stamped(body, secret=SECRET) | {"Content-Type": "application/json", "Content-Length": len(body)}
        lines = [f"POST {path_of(self.connection)} HTTP/1.1", "Host: 127.0.0.1"]
        return "\r\n".join([*lines, *(f"{key}: {value}" for key, value in headers.items()), "", ""]).encode() + body

    async def _deliver(self, requests, *, paced):
        due = asyncio.Queue()
        lines = [asyncio.create_task(self._line(due)) for _ in range(LINES)]
        began = time.monotonic()
        for number, (name, request) in enumerate(requests.items()):
            if paced and number % 50 == 0:
                await asyncio.sleep(max(0.0, began + number / self.rate - time.monotonic()))
            due.put_nowait((name, request, time.monotonic()))
        for _ in lines:
            due.put_nowait(None)
        await asyncio.gather(*lines)

    async def _line(self, due):
        port, streams = urlsplit(self.world.web).port, None
        while (given := await due.get()) is not None:
            name, request, since = given
            try:
                streams = streams or await asyncio.open_connection("127.0.0.1", port)
                status, head = await asyncio.wait_for(self._asked(streams, request), PATIENCE)
            except (OSError, EOFError, TimeoutError):
                status, head, streams = 0, b"", None
            self.statuses[status] += 1
            self.slowest = max(self.slowest, time.monotonic() - since)
            if status == 200:
                self.acknowledged.add(name)
            elif status and not (status == 503 and b"\r\nretry-after: " in head):
                self.dishonest += 1
        if streams:
            streams[1].close()

    @staticmethod
    async def _asked(streams, request):
        reader, writer = streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0] or 0)
        await reader.readexactly(length)
        return int(head.split(None, 2)[1]), head
