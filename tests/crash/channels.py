"""Marketing campaigns while their senders are killed: who got what, by the sandbox's own record."""

import random
from collections import Counter
from dataclasses import dataclass, field

import requests

from crm.models import Delivery, DeliveryAttempt
from launch.run import PYTHON, ROOT
from tests.crash.chaos import asked
from tests.crash.world import kill
from tests.crm.sending import Sent, connect_twilio
from tests.factories import AccountFactory, ConnectionFactory, PushSubscriptionFactory

# By channel: the sandbox's provider, and the program that sends.
SANDBOXED = {"sms": "twilio", "email": "sendgrid", "push": "push"}
SENDING = {"sms": "twilio", "email": "email", "push": "push"}
BY_THE_DEAD = """
SELECT array_agg(a.uuid::text) FROM crm_delivery_attempt a JOIN dispatch_owner o ON o.id = a.owner
WHERE o.pid = %(pid)s AND a.state = 'calling'
"""


def sender_of(channel):
    return [*PYTHON, str(ROOT / "manage.py"), "send", SENDING[channel]]


def connected(channel, rate=0):
    """An account that can send by this channel."""
    account = AccountFactory()
    if channel == "sms":
        connection = connect_twilio(account)
    elif channel == "email":
        key = f"SG.fake-{account.pk}"
        secret = {"api_key": f"{key}.not-a-secret", "webhook_public_key": ""}
        connection = ConnectionFactory(
            account=account,
            provider="sendgrid",
            external_id=key,
            sender=f"shop-{account.pk}@example.com",
            secret=secret,
        )
    else:
        return account
    connection.rate_per_second = rate
    connection.save()
    return account


def subscribe(world, customers):
    """A browser of the sandbox for each of them."""
    for customer in customers:
        said = requests.post(f"{world.url}/_sandbox/browsers", timeout=5).json()
        PushSubscriptionFactory(customer=customer, endpoint=said["endpoint"], **said["keys"])


@dataclass
class Killing:
    """A campaign to so many people, whose sender is killed `kills` times, spread over its progress."""

    world: object
    channel: str
    people: int
    kills: int
    seed: int = 1
    rate: int = 0
    in_flight: set = field(default_factory=set)
    verdict: dict = field(default_factory=dict)

    def run(self):
        drawn = random.Random(self.seed)
        self.sent = Sent(self.people, channel=self.channel, account=connected(self.channel, self.rate))
        if self.channel == "push":
            subscribe(self.world, self.sent.customers)
        self.world.keep(f"send {self.channel}", sender_of(self.channel))
        for moment in sorted(drawn.sample(range(1, int(self.people * 0.7)), self.kills)):
            self.world.until(lambda moment=moment: self.reached() >= moment, what=f"person {moment}")
            self._kill()
        self.world.until(self._settled, within=120, what="the end")
        # A call that somebody still holds back would come now.
        self.world.wait(2)
        self.verdict = self._verdict()
        return self

    def __str__(self):
        return (
            f"seed {self.seed}: {self.channel} to {self.people} people, its sender killed {self.kills} times, "
            f"{len(self.in_flight)} calls in flight; {self.verdict or 'as it should be'}"
        )

    def _verdict(self):
        """What is wrong, by name. An SMS is settled by the list; e-mail and push stay unknown, and are not repeated."""
        arrivals, unknown, attempts = self.arrivals(), self.unknown(), self.attempts().values()
        expected = set() if self.channel == "sms" else self.in_flight
        found = {
            "doubled": sum(times - 1 for times in arrivals.values()),
            "lost": self.people - len(expected) - sum("accepted" in states for states in attempts),
            "never arrived": max(0, self.people - len(expected) - len(arrivals)),
            "unknown without a kill": len(unknown - expected),
            "in flight and not shown": len(expected - unknown),
            "sent again": sum("unknown" in states[:-1] for states in attempts) if expected else 0,
            "not waiting": len(expected) - self.statuses()["sending"],
        }
        return {name: n for name, n in found.items() if n}

    def reached(self):
        return self.world.summary(SANDBOXED[self.channel])["people"]

    def attempts(self):
        """By row, the states of its attempts."""
        found = {}
        rows = DeliveryAttempt.objects.filter(row__campaign=self.sent.campaign).order_by("id")
        for row, state in rows.values_list("row_id", "state"):
            found.setdefault(row, []).append(state)
        return found

    def unknown(self):
        rows = DeliveryAttempt.objects.filter(row__campaign=self.sent.campaign, state="unknown")
        return {str(uuid) for uuid in rows.values_list("uuid", flat=True)}

    def statuses(self):
        return Counter(Delivery.objects.of(self.sent.campaign).values_list("status", flat=True))

    def arrivals(self):
        """How often each attempt's person got it."""
        return Counter(each["to"] for each in self.world.log(SANDBOXED[self.channel]))

    def _kill(self):
        (sender,) = self.world.until(
            lambda: [each for each in self.world.members(f"send {self.channel}") if "manage.py" in str(each.cmdline())],
            what="the sender",
        )[-1:]
        kill(sender)
        self.in_flight |= self._left_open(sender.pid)

    def _left_open(self, pid):
        """The calls that nobody will record: what it had sent to PostgreSQL before its end is still carried out."""
        before, now = None, self._open(pid)
        while now != before:
            self.world.wait(0.25)
            before, now = now, self._open(pid)
        return now

    def _open(self, pid):
        return set(self.world.until(lambda: [asked(BY_THE_DEAD, pid=pid) or []], what="the database")[0])

    def _settled(self):
        states = Counter(state for states in self.attempts().values() for state in states)
        waits = self.statuses()["queued"] or states["calling"]
        return not waits and (self.channel != "sms" or not states["unknown"])
