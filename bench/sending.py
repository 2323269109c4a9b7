"""python -m bench.sending [--people 8000] [--rounds 3] [--only WHAT]: what sending costs, against the stub's capacity.

Everything runs as real processes on loopback, in a cluster of its own. Every rate is by the sandbox's own record of
arrivals: (calls - connections) / (last arrival - first), which for n connections that are never idle is exactly
connections / latency. The parts of a round are run in alternating order; a ratio is of two parts of one round.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campaigns_project.settings")
os.environ.setdefault("LOG_LEVEL", "ERROR")

CONNECTIONS = 100
PARTS = ("50 ms", "20 ms", "celery", "pace 80", "pace 1000")
AT_LEAST = {50: 0.90, 20: 0.70}
FLOOD_SECONDS = 4
CELERY_TASKS = 1_500
PACE_SECONDS = {80: 15, 1000: 8}
# The bars are about a provider that answers: nothing is to be given up on because the machine was busy.
ENVIRONMENT = {"TWILIO_TIMEOUT_SECONDS": "10", "TWILIO_SLOWEST_SECONDS": "60", "TWILIO_QUIET_SECONDS": "900"}

FLOOD = """
local n = 0
local form = "{form}"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
wrk.headers["Authorization"] = "{authorization}"
request = function() n = n + 1; return wrk.format("POST", "{path}", nil, string.format(form, n)) end
"""


@dataclass
class Rates:
    """What one round measured, calls a second."""

    capacity: float = 0.0
    ours: float = 0.0
    bare: float = 0.0
    celery: float = 0.0


class Bench:
    """The parts of a round; each leaves nothing running."""

    def __init__(self, world, people):
        self.world = world
        self.people = people
        self.waited = 0.0

    def stub(self, latency_ms):
        """Empty, answering after so long, and calling nobody back."""
        self.world.reset(latency_ms=latency_ms, strict_content=False, callback_loss=1.0)

    def arrivals(self):
        return [call["arrived_at"] for call in self.world.calls() if call["kind"] == "message"]

    def rate(self):
        arrived = self.arrivals()
        return (len(arrived) - CONNECTIONS) / (arrived[-1] - arrived[0])

    def capacity(self, latency_ms):
        """What 100 connections of a load generator in C reach with the same form."""
        self.stub(latency_ms)
        script = self.world.folder / "flood.lua"
        script.write_text(FLOOD.format(**flood()))
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{FLOOD_SECONDS}", "-s", str(script), self.world.url]
        subprocess.run(command, check=True, capture_output=True, timeout=FLOOD_SECONDS + 30)
        assert self.world.summary()["outcomes"].keys() == {"message:accepted"}
        return self.rate()

    def ours(self, latency_ms):
        """One sender process, unpaced; everybody is reached once and the books agree."""
        send = self.broadcast(self.people)
        self.stub(latency_ms)
        self.run(send, senders=1)
        return self.rate()

    def bare(self, latency_ms):
        send = self.broadcast(0)
        self.stub(latency_ms)
        self.finish(self.program("bare", sys.executable, "-m", "bench.bare_peer", str(self.people), str(send.link)))
        assert len(self.arrivals()) == self.people
        return self.rate()

    def celery(self, latency_ms):
        """All tasks wait in the broker before the worker starts."""
        from django.db import connection

        from bench import celery_peer

        self.stub(latency_ms)
        with connection.cursor() as cursor:
            cursor.execute(celery_peer.TABLE)
            cursor.execute("TRUNCATE bench_peer")
            cursor.execute("INSERT INTO bench_peer SELECT n, 'queued' FROM generate_series(1, %s) n", [CELERY_TASKS])
        celery_peer.app.conf.broker_url = self.world.broker.url
        for n in range(1, CELERY_TASKS + 1):
            celery_peer.send.delay(n, fields(f"+{19_990_000_000 + n}"))
        pool = ["--pool", "threads", "--concurrency", str(CONNECTIONS), "--loglevel", "ERROR"]
        worker = self.program(
            "peer", sys.executable, "-m", "celery", "-A", "bench.celery_peer", "worker", *pool,
            "--without-gossip", "--without-mingle", "--without-heartbeat",
        )  # fmt: skip
        self.world.until(lambda: sent_by_the_peer() == CELERY_TASKS, within=120, what="the peer")
        self.end(worker)
        return self.rate()

    def paced(self, per_second):
        """Two senders, one rate: (share of it that was reached, the most in any sliding second)."""
        send = self.broadcast(per_second * PACE_SECONDS[per_second], rate=per_second)
        self.stub(20)
        self.run(send, senders=2, leases=4)
        arrived = self.arrivals()
        reached = (len(arrived) - 1) / (arrived[-1] - arrived[0])
        return reached / per_second, worst_second(arrived), shares(send)

    # How a part is run.

    def broadcast(self, people, rate=0):
        from tests.crash.people import Send

        send = Send(people, rate=rate)
        send.link = send.connection.pk
        return send

    def run(self, send, *, senders, leases=None):
        """`leases`: so many of them, so that one sender does not take them all."""
        from dispatch import owners

        started = [self.program(f"sender-{n}", sys.executable, "manage.py", "send", "twilio") for n in range(senders)]
        self.world.until(lambda: owners.alive("twilio") == senders, what="the senders")
        start(send, leases)
        self.world.until(send.is_over, within=120, what="the broadcast")
        self.waited = max(waited_for_a_core(program.pid) for program in started)
        for program in started:
            self.end(program)
        assert send.verdict(self.world) == {}, send.verdict(self.world)

    def program(self, name, *command):
        child = self.world.child(name, list(command))
        child.start()
        return child

    def finish(self, child):
        self.world.until(lambda: not child.alive(), within=120, what=child.name)

    def end(self, child):
        from launch import processes

        processes.end(processes.session(child.record))
        self.finish(child)


def start(send, number):
    from django.db import transaction

    from campaigns.models import CampaignLeadMessage
    from campaigns.sending import LANE
    from lifecycle import leases
    from lifecycle.models import Lease

    with transaction.atomic():
        send.start()
        if number:
            Lease.objects.filter(queue=LANE, scope_id=send.broadcast.pk).delete()
            leases.make(
                LANE,
                account_id=send.account.pk,
                scope_id=send.broadcast.pk,
                table=CampaignLeadMessage._meta.db_table,
                where_sql="broadcast_id = %(broadcast)s",
                params={"broadcast": send.broadcast.pk},
                size=send.people // number,
            )


def fields(to):
    """A message's form, as long as ours."""
    from bench.bare_peer import CONTENT_SID

    callback = f"http://127.0.0.1:8000/api/v1/campaign/webhooks/twilio/status/{uuid.UUID(int=0)}?m={'0' * 32}"
    return {
        "To": f"whatsapp:{to}",
        "StatusCallback": callback,
        "From": "whatsapp:+15550001111",
        "ContentSid": CONTENT_SID,
    }


def flood():
    from bench.celery_peer import ACCOUNT, TOKEN
    from providers.base import Credentials
    from providers.twilio.messages import basic

    form = urlencode(fields("+19990000000")).replace("%", "%%").replace("19990000000", "1999%07d")
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    return {"form": form, "authorization": basic(Credentials(ACCOUNT, TOKEN)), "path": path}


def sent_by_the_peer():
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM bench_peer WHERE status = 'sent'")
        return cursor.fetchone()[0]


def waited_for_a_core(pid):
    """Of the time in which a process could have run, the share in which no core was free for it."""
    ran, waited, _ = map(int, Path(f"/proc/{pid}/schedstat").read_text().split())
    return waited / (ran + waited)


def shares(send):
    """How many calls each sender made."""
    from django.db.models import Count

    from campaigns.models import MessageAttempt

    mine = MessageAttempt.objects.filter(row__broadcast=send.broadcast)
    return sorted(mine.values("owner").annotate(n=Count("id")).values_list("n", flat=True))


def worst_second(arrived):
    """The most arrivals in any second, its end left out."""
    most = first = 0
    for number, at in enumerate(arrived):
        while arrived[first] <= at - 1:
            first += 1
        most = max(most, number - first + 1)
    return most


def rounds_of(bench, latency_ms, names, number):
    """The parts of all rounds, each round in the other order than the one before."""
    found = []
    for turn in range(number):
        rates = Rates()
        for name in names[:: -1 if turn % 2 else 1]:
            setattr(rates, name, getattr(bench, name)(latency_ms))
        said = ", ".join(f"{name} {getattr(rates, name):,.0f}/s" for name in names)
        print(
            f"  {latency_ms} ms: {said} (load {os.getloadavg()[0]:.1f}, "
            f"our sender waited for a core {bench.waited:.0%} of its time)",
            flush=True,
        )
        found.append(rates)
    return found


def against_the_stub(bench, rounds, latency_ms):
    from bench.measure import Figure

    found = rounds_of(bench, latency_ms, ["capacity", "ours", "bare"], rounds)
    where = f"{latency_ms} ms, {CONNECTIONS} connections"
    note = f"{statistics.median(each.ours for each in found):,.0f}/s"
    yield Figure(f"sender ÷ capacity, {where}", [r.ours / r.capacity for r in found], AT_LEAST[latency_ms], note=note)
    yield Figure(f"sender ÷ the same without ledger, {where}", [r.ours / r.bare for r in found], 0.90)
    yield Figure(f"without ledger ÷ capacity, {where}", [r.bare / r.capacity for r in found])


def against_celery(bench, rounds):
    from bench.measure import Figure

    found = rounds_of(bench, 50, ["ours", "celery"], rounds)
    note = f"{statistics.median(each.celery for each in found):,.0f}/s"
    yield Figure("sender ÷ one Celery task a message, 50 ms", [r.ours / r.celery for r in found], 5.0, note=note)


def paced(bench, rounds, per_second):
    from bench.measure import Figure

    found = [bench.paced(per_second) for _ in range(rounds)]
    note = f"calls of each sender: {', '.join(map(str, found[-1][2]))}"
    most = per_second + max(1, per_second // 100)
    yield Figure(f"pace {per_second}/s, two senders, share reached", [each[0] for each in found], 0.98, 1.00, note)
    worst = [float(max(each[1] for each in found))]
    yield Figure(f"pace {per_second}/s, two senders, worst sliding second", worst, at_most=most)


def measure(options):
    from bench.measure import report
    from tests.crash.world import World

    found = []
    begun, load = time.monotonic(), os.getloadavg()[0]
    with World(**ENVIRONMENT) as world:
        bench = Bench(world, options.people)
        parts = {
            "50 ms": partial(against_the_stub, bench, options.rounds, 50),
            "20 ms": partial(against_the_stub, bench, options.rounds, 20),
            "celery": partial(against_celery, bench, options.rounds),
            "pace 80": partial(paced, bench, options.rounds, 80),
            "pace 1000": partial(paced, bench, options.rounds, 1000),
        }
        for name in options.only or PARTS:
            for figure in parts[name]():
                found.append(figure)
                print(figure, flush=True)
    title = f"{options.people:,} people, median of {options.rounds} rounds, {os.cpu_count()} cores, "
    title += f"load {load:.1f} before and {os.getloadavg()[0]:.1f} after, {time.monotonic() - begun:.0f} s"
    return report(title, found)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=8_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=PARTS)
    options = parser.parse_args()
    if not shutil.which("wrk"):
        parser.error("the stub's capacity is measured with wrk; install it (Debian: apt-get install wrk)")

    # However it is ended, everything it started ends too.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(1))

    import django

    django.setup()
    return measure(options)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
