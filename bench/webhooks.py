"""python -m bench.webhooks [--pairs 5] [--seconds 5]: receipt of webhooks a second, against pgbench writing bare rows.

Runs in a cluster of its own (fsync on) under DATA_DIR/bench; `--here` uses DATABASE_URL instead. Ours is the house's
web server, as `bin/run` starts it, with a worker for each core; DRF is a view with a serializer and the ORM on the same
server. wrk sends bodies signed beforehand over 32 connections, 2 % of them twice. A rate counts the rows that are there
afterwards, never answers. The limit writes into a table with the same key and body and no other index.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import django

from bench.lifecycle import own_cluster
from bench.measure import PAIRS, Figure, report
from bench.promos import binaries
from launch.run import ROOT, WEB

CONNECTIONS, ARRAY, ARRAY_CLIENTS = 32, 100, 2
# Requests of one event, of many: more than are answered in the time; who runs out of new ones would send known ones.
MOST_A_SECOND = {1: 16_000, ARRAY: 900}
TWICE = 50
WAIT = 30
TABLE = """
DROP TABLE IF EXISTS bench_webhook;
CREATE TABLE bench_webhook (id bigserial PRIMARY KEY, account_id bigint, provider text, dedupe_key text, body bytea,
    received_at timestamptz DEFAULT now(), UNIQUE (account_id, provider, dedupe_key))
"""
ROWS = {
    1: "INSERT INTO bench_webhook (account_id, provider, dedupe_key, body) "
    "VALUES (1, 'sendgrid', gen_random_uuid()::text, '{body}'::bytea) ON CONFLICT DO NOTHING;\n",
    ARRAY: "INSERT INTO bench_webhook (account_id, provider, dedupe_key, body) "
    "SELECT 1, 'sendgrid', gen_random_uuid()::text, '{body}'::bytea FROM generate_series(1, 100) "
    "ON CONFLICT DO NOTHING;\n",
}
SENDER = """
local lines, n = {{}}, 0
for line in io.lines("{requests}") do lines[#lines + 1] = line end
wrk.headers["Content-Type"] = "application/json"
request = function()
  n = n % #lines + 1
  local stamp, signature, body = string.match(lines[n], "^(%S+) (%S+) (.*)$")
  wrk.headers["X-Webhook-Timestamp"], wrk.headers["X-Webhook-Signature"] = stamp, signature
  return wrk.format("POST", "{path}", nil, body)
end
"""


def said(number):
    return {
        "event_type": "email.opened",
        "email": f"customer{number}@example.com",
        "campaign_id": "camp_001",
        "event_id": f"{os.getpid()}-{time.monotonic_ns()}-{number}",
        "timestamp": "2026-01-24T18:30:00Z",
    }


def reported(number):
    return {
        "email": f"customer{number}@example.com",
        "timestamp": 1795000000,
        "event": "open",
        "useragent": "UA",
        "ip": "1.2.3.4",
        "sg_event_id": f"{os.getpid()}-{time.monotonic_ns()}-{number}",
        "sg_message_id": "m1.f",
        "attempt": "0b9f2a52-6a1c-4f0e-9d0b-0f4bb6d2b1f7",
        "campaign_id": "camp_001",
    }


class Bench:
    def __init__(self, seconds, folder):
        from tests.crm.webhook_world import connected

        self.seconds, self.folder = seconds, Path(folder)
        self.secret = secrets.token_hex(16)
        self.connection = connected(secret=self.secret)
        self.path = f"/api/v1/marketing/webhooks/sendgrid/{self.connection.token}"

    def pgbench(self, rows):
        """Rows a second."""
        run("psql", "-c", TABLE)
        script = self.folder / "rows.sql"
        script.write_text(ROWS[rows].format(body=json.dumps(said(1))))
        clients = CONNECTIONS if rows == 1 else ARRAY_CLIENTS
        told = run(
            "pgbench", "-n", "-c", str(clients), "-j", "2", "-T", str(self.seconds), "-M", "prepared", "-f", script
        )
        return rows * float(re.search(r"tps = ([0-9.]+)", told)[1])

    def requests(self, size):
        """A file of signed requests."""
        from tests.crm.webhook_world import stamped

        file = self.folder / "requests"
        with file.open("w") as out:
            last = ""
            for number in range(MOST_A_SECOND[size] * self.seconds):
                if number % TWICE or not last:
                    body = json.dumps(said(number) if size == 1 else [reported(n) for n in range(size)])
                    signed = stamped(body.encode(), secret=self.secret)
                    last = f"{signed['X-Webhook-Timestamp']} {signed['X-Webhook-Signature']} {body}\n"
                out.write(last)
        return file

    def receipt(self, application, size=1):
        """Events a second that are stored, and the slowest one in a hundred (ms)."""
        from dispatch.models import InboxEntry

        script = self.folder / "sender.lua"
        script.write_text(SENDER.format(requests=self.requests(size), path=self.path))
        with server(application) as url:
            before = InboxEntry.objects.count()
            command = [
                "wrk",
                "-t",
                "1",
                "-c",
                str(CONNECTIONS),
                "-d",
                f"{self.seconds}s",
                "--latency",
                "-s",
                script,
                url,
            ]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            stored = InboxEntry.objects.count() - before
        assert "Non-2xx" not in told, told
        took = float(re.search(r"requests in ([0-9.]+)s", told)[1])
        return stored / took, re.search(r"99%\s+(\S+)", told)[1]


def run(program, *arguments):
    command = [str(binaries() / program), *map(str, arguments), os.environ["DATABASE_URL"]]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def server(application):
    """The house's web server with another application in it."""
    import requests

    from tests.sandbox_process import free_port

    port = free_port()
    command = [*WEB[:-1], application, "--port", str(port), "--workers", str(os.cpu_count())]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "LOG_LEVEL": "ERROR"}, **quiet)
    try:
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            with suppress(requests.ConnectionError):
                requests.get(f"http://127.0.0.1:{port}/", timeout=5)
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(WAIT)


def measured(bench, pairs):
    """The figures of so many rounds, each ratio within one round."""
    one, drf, arrays, slowest, rates = [], [], [], [], []
    for number in range(pairs):
        parts = {
            "row": lambda: bench.pgbench(1),
            "rows": lambda: bench.pgbench(ARRAY),
            "ours": lambda: bench.receipt(WEB[-1]),
            "drf": lambda: bench.receipt("bench.drf_peer:application"),
            "array": lambda: bench.receipt(WEB[-1], ARRAY),
        }
        order = list(parts) if number % 2 == 0 else list(reversed(parts))
        got = {name: parts[name]() for name in order}
        print({name: value if isinstance(value, tuple) else round(value) for name, value in got.items()}, flush=True)
        one.append(got["ours"][0] / got["row"])
        drf.append(got["ours"][0] / got["drf"][0])
        arrays.append(got["array"][0] / got["rows"])
        slowest.append(got["ours"][1])
        rates.append((got["ours"][0], got["array"][0]))
    best = [max(each) for each in zip(*rates, strict=True)]
    return [
        Figure(
            "receipt, one event a request ÷ pgbench's rows", one, 0.28, note=f"{best[0]:,.0f}/s, p99 {max(slowest)}"
        ),
        Figure("the same ÷ a view of DRF on the same server", drf, 4.0),
        Figure("receipt, arrays of 100 ÷ pgbench's 100 rows a statement", arrays, 0.45, note=f"{best[1]:,.0f}/s"),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--here", action="store_true")
    options = parser.parse_args()
    with nullcontext() if options.here else own_cluster(), tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campaigns_project.settings")
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        return 1 if report("Webhooks", measured(Bench(options.seconds, folder), options.pairs)) else 0


if __name__ == "__main__":
    sys.exit(main())
