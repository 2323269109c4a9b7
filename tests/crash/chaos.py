"""Chaos: a broadcast during which processes are killed, stopped and continued, all drawn from one seed."""

import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field

from django.db import connection

from tests.crash.people import Send
from tests.crash.world import kill

FAULTS = {"latency_ms": 20, "lose_response": 0.01, "callback_loss": 0.2, "callback_dup": 0.1, "strict_content": False}
VICTIMS = {"sender": 5, "worker": 2, "beat": 1, "web": 2}
# Calls a second of the next sender; 0 is as fast as it can. Slow ones stretch the run, fast ones have much in flight.
RATES = (0, 0, 150, 400)
BACK_SECONDS = 5
HELD = """
SELECT (SELECT count(*) FROM lifecycle_lease l JOIN dispatch_owner o ON o.id = l.owner WHERE o.pid = %(pid)s)
     + (SELECT count(*) FROM campaigns_message_attempt a JOIN dispatch_owner o ON o.id = a.owner
        WHERE o.pid = %(pid)s AND a.state = 'calling')
"""
OPEN = """
SELECT count(*) FROM campaigns_message_attempt a JOIN dispatch_owner o ON o.id = a.owner
WHERE o.pid = %(pid)s AND a.state = 'calling'
"""


@dataclass
class Chaos:
    """One run. `kills`, `stops` and `crashes` (of PostgreSQL) come at moments spread over its progress."""

    world: object
    seed: int
    people: int
    kills: int
    stops: int
    crashes: int
    killed: Counter = field(default_factory=Counter)
    open_at_kill: list = field(default_factory=list)
    back: list = field(default_factory=list)
    struck: list = field(default_factory=list)
    late: list = field(default_factory=list)
    seconds: float = 0.0
    verdict: dict = field(default_factory=dict)

    def run(self):
        self.random, begun = random.Random(self.seed), time.monotonic()
        self.world.reset(**FAULTS, seed=self.seed)
        self.send = Send(self.people, rate=self.random.choice(RATES)).start()
        for moment, strike in self._plan():
            self.world.until(lambda moment=moment: self._progress() >= moment, within=90, what=f"person {moment}")
            strike()
        self.world.until(self._settled, within=180, what="the end")
        # A call that somebody still holds back would come now.
        self.world.wait(3)
        self.verdict, self.seconds = self.send.verdict(self.world), time.monotonic() - begun
        return self

    def __str__(self):
        killed = ", ".join(f"{n} × {name}" for name, n in sorted(self.killed.items()))
        return (
            f"seed {self.seed}: {self.people} people in {self.seconds:.0f} s, killed {killed}; "
            f"open at a kill ≤ {max(self.open_at_kill, default=0)}, "
            f"back after {sorted(self.back)[len(self.back) // 2]:.1f} s, at most {max(self.back):.1f} s; "
            f"{self.verdict or 'nothing lost, doubled or unknown'}" + "".join(self.late)
        )

    def _plan(self):
        strikes = [self._kill] * self.kills + [self._stop] * self.stops + [self._crash] * self.crashes
        self.random.shuffle(strikes)
        moments = sorted(self.random.randrange(1, int(self.people * 0.95)) for _ in strikes)
        return zip(moments, strikes, strict=True)

    def _progress(self):
        return self.world.summary()["people"]

    def _settled(self):
        attempts = self.send.attempts()
        return self.send.is_over() and not attempts["calling"] and not attempts["unknown"]

    def _kill(self):
        name = self.random.choices(list(VICTIMS), list(VICTIMS.values()))[0]
        self._note(name)
        if name == "sender":
            self._kill_sender()
        else:
            kill(self.random.choice(self.world.until(lambda: self.world.members(name), what=name)))

    def _kill_sender(self):
        sender = self._sender()
        self.send.repace(self.random.choice(RATES))
        kill(sender)
        # Nothing is held by anybody, and nobody can be asked, while there is no database.
        self.open_at_kill += self.world.until(lambda: [asked(OPEN, pid=sender.pid)], what="the database")
        at = time.monotonic()
        self.world.until(lambda: asked(HELD, pid=sender.pid) == 0, within=30, what="what it held")
        self.back.append(time.monotonic() - at)
        if self.back[-1] > BACK_SECONDS:
            before = [f"{name} {at - moment:.1f} s before" for moment, name in self.struck[:-1] if at - moment < 15]
            self.late.append(f"\n    back after {self.back[-1]:.1f} s: {', '.join(before)}")

    def _note(self, name):
        self.killed[name] += 1
        self.struck.append((time.monotonic(), name))

    def _stop(self):
        sender = self._sender()
        self._note("stopped sender")
        os.kill(sender.pid, signal.SIGSTOP)
        self.world.wait(self.random.uniform(2, 8))
        os.kill(sender.pid, signal.SIGCONT)

    def _crash(self):
        self._note("PostgreSQL")
        connection.close()
        self.world.server.stop("immediate")

    def _sender(self):
        return self.random.choice(self.world.until(self.world.senders, what="a sender"))


def asked(question, **names):
    with connection.cursor() as cursor:
        cursor.execute(question, names)
        return cursor.fetchone()[0]
