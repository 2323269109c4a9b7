"""Who is written to in these tests, and what must hold at the end."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from django.db import connection

from accounts.models import Connection
from accounts.roles import Role
from accounts.tokens import issue
from campaigns import broadcasting
from campaigns.models import CampaignLead, CampaignLeadMessage, ConversationUser, MessageAttempt
from crm.customers.consent import phone_hash
from tests.factories import BroadcastFactory, CampaignFactory, ConnectionFactory, MembershipFactory

NOT_THE_STATUS_BEFORE = """
SELECT count(*) FROM campaigns_campaignleadmessage m WHERE m.broadcast_id = %s AND m.status <> coalesce((
    SELECT h.target FROM {moves} h WHERE h.row_id = m.id ORDER BY h.id DESC LIMIT 1), 'queued')
"""
NOT_A_CHAIN = """
SELECT count(*) FROM (
    SELECT h.source, lag(h.target, 1, 'queued') OVER (PARTITION BY h.row_id ORDER BY h.id) AS before
    FROM {moves} h JOIN campaigns_campaignleadmessage m ON m.id = h.row_id WHERE m.broadcast_id = %s) steps
WHERE source <> before
"""


@dataclass
class Send:
    """A merchant's broadcast to so many people, not started yet."""

    people: int
    rate: int = 0

    def __post_init__(self):
        self.member = MembershipFactory(role=Role.TENANT_ADMIN)
        self.account = self.member.account
        self.connection = ConnectionFactory(account=self.account, rate_per_second=self.rate)
        self.campaign = CampaignFactory(
            account=self.account, status="approved", content_sid=f"HX{self.account.pk:032x}"
        )
        self.phones = [f"+1{self.account.pk % 10_000:04d}{n:06d}" for n in range(self.people)]
        self._invite()
        self.broadcast = BroadcastFactory(campaign=self.campaign)

    def _invite(self):
        users = ConversationUser.objects.bulk_create(
            ConversationUser(account=self.account, phone=phone, address_hash=phone_hash(self.account.pk, phone))
            for phone in self.phones
        )
        leads = (CampaignLead(account=self.account, campaign=self.campaign, conversation_user=user) for user in users)
        CampaignLead.objects.bulk_create(leads)

    @cached_property
    def token(self):
        return issue(self.member)

    @property
    def path(self):
        return f"broadcasts/{self.broadcast.pk}"

    def start(self):
        broadcasting.start(self.broadcast, by=None)
        return self

    def repace(self, rate):
        """Calls a second from the next lease on; 0 is as many as possible."""
        Connection.objects.filter(pk=self.connection.pk).update(rate_per_second=rate)

    def status(self):
        self.broadcast.refresh_from_db()
        return self.broadcast.status

    def counts(self):
        return {status: n for status, n in broadcasting.counts(self.broadcast).items() if n}

    def is_over(self):
        return self.status() == "completed"

    def attempts(self):
        """How many attempts stand in each state."""
        rows = MessageAttempt.objects.filter(row__broadcast=self.broadcast).values_list("state", flat=True)
        return Counter(rows)

    def arrivals(self, sandbox):
        """How often each person's phone got it, by the sandbox's own log."""
        mine = set(self.phones)
        numbers = (each["to"].removeprefix("whatsapp:") for each in sandbox.log())
        return Counter(number for number in numbers if number in mine)

    def verdict(self, sandbox):
        """What is wrong, by name; empty when everybody has it once and the books agree."""
        arrivals, attempts = self.arrivals(sandbox), self.attempts()
        found = {
            "lost": self.people - len(arrivals),
            "doubled": sum(times - 1 for times in arrivals.values()),
            "unknown": attempts["unknown"],
            "calling": attempts["calling"],
            "accepted too few": self.people - attempts["accepted"],
            "still open": sum(self.counts().get(status, 0) for status in ("queued", "sending", "skipped", "failed")),
            "history": self._asked(NOT_THE_STATUS_BEFORE) + self._asked(NOT_A_CHAIN),
        }
        return {name: n for name, n in found.items() if n}

    def _asked(self, question):
        moves = CampaignLeadMessage.machine.moves._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(question.format(moves=moves), [self.broadcast.pk])
            return cursor.fetchone()[0]
