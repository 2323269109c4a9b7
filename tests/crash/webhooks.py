"""Providers that deliver while the web process is killed: what was acknowledged is stored, and nothing twice."""

import json
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import requests

from dispatch.models import InboxEntry, WebhookConnection
from tests.crash.world import answers, kill
from tests.crm.webhook_world import OPENED, connected, path_of, stamped

SENDERS = 16
ALIVE_SECONDS = (0.5, 1.5)


@dataclass
class Deliveries:
    """Events at so many a second, each delivered once; whoever was not answered with 200 may deliver it again later."""

    world: object
    seed: int
    kills: int
    rate: int = 200
    acknowledged: set = field(default_factory=set)
    unanswered: set = field(default_factory=set)

    def run(self):
        self.random, self.over, self.number = random.Random(self.seed), threading.Event(), 0
        self.connection, self.lock = connected(secret=f"a secret of seed {self.seed}"), threading.Lock()
        self.address = f"{self.world.web}{path_of(self.connection)}"
        with ThreadPoolExecutor(SENDERS) as pool:
            senders = [pool.submit(self._deliver) for _ in range(SENDERS)]
            try:
                for _ in range(self.kills):
                    self.world.wait(self.random.uniform(*ALIVE_SECONDS))
                    for process in self.world.members("web"):
                        kill(process)
                    self.world.until(lambda: answers(f"{self.world.web}/healthz"), what="the web process")
            finally:
                self.over.set()
            for sender in senders:
                sender.result()
        return self

    def stored(self):
        """Event ids as the inbox has them."""
        return list(InboxEntry.objects.filter(account=self.connection.account).values_list("dedupe_key", flat=True))

    def verdict(self):
        """What is wrong, by name; then everybody who was not answered delivers again, and what is wrong after that."""
        stored = self.stored()
        found = {
            "acknowledged and lost": len(self.acknowledged - set(stored)),
            "stored twice": len(stored) - len(set(stored)),
            # Each sender may have lost the answer to one delivery at each kill.
            "stored and never delivered": max(0, len(set(stored) - self.acknowledged) - SENDERS * self.kills),
        }
        for event_id in sorted(self.unanswered):
            assert self._post(requests, event_id) == 200
        after = self.stored()
        delivered = self.acknowledged | self.unanswered
        counted = WebhookConnection.objects.get(pk=self.connection.pk).events_received
        found |= {"not as delivered": len(delivered ^ set(after)), "stored twice later": len(after) - len(set(after))}
        found["counted otherwise"] = counted - len(delivered)
        return {name: number for name, number in found.items() if number}

    def __str__(self):
        told, missed = len(self.acknowledged), len(self.unanswered)
        return f"seed {self.seed}: {self.kills} kills, {told} acknowledged, {missed} delivered again"

    def _deliver(self):
        with requests.Session() as session:
            while not self.over.is_set():
                with self.lock:
                    self.number += 1
                    event_id = f"event-{self.number}"
                acknowledged = self._post(session, event_id) == 200
                (self.acknowledged if acknowledged else self.unanswered).add(event_id)
                # Nobody hammers a server that is down.
                time.sleep(SENDERS / self.rate if acknowledged else 1)

    def _post(self, session, event_id):
        body = json.dumps(OPENED | {"event_id": event_id}).encode()
        headers = stamped(body, secret=f"a secret of seed {self.seed}") | {"Content-Type": "application/json"}
        try:
            return session.post(self.address, data=body, headers=headers, timeout=10).status_code
        except requests.RequestException:
            return 0
