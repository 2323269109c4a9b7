import asyncio
import time

import pytest
from django.conf import settings
from django.db import connection, connections

from campaigns import broadcasting, sending
from campaigns.models import CampaignLeadMessage, MessageAttempt
from dispatch import lane, process
from tests.factories import BroadcastFactory, CampaignFactory, CampaignLeadFactory, ConnectionFactory

QUIET = 2.0


@pytest.fixture
def twilio(sandbox, settings):
    """The sandbox, and a lane that sends to it with short patience. No callbacks: nobody listens."""
    settings.TWILIO_API_URL = settings.TWILIO_CONTENT_URL = sandbox.url
    settings.TWILIO_TIMEOUT_SECONDS, settings.TWILIO_SLOWEST_SECONDS = 1, 0.5
    settings.TWILIO_QUIET_SECONDS = QUIET
    sandbox.settings(strict_content=False, callback_loss=1.0)
    lane.register("whatsapp", sending.whatsapp_lane)
    yield sandbox
    lane.register("whatsapp", sending.whatsapp_lane)


class Started:
    """A broadcast that has started, and what became of it."""

    def __init__(self, people, **fields):
        fields.setdefault("campaign", CampaignFactory(status="approved", content_sid=f"HX{0:032x}"))
        self.broadcast = BroadcastFactory(**fields)
        self.connection = ConnectionFactory(account=self.broadcast.account, rate_per_second=0)
        CampaignLeadFactory.create_batch(people, campaign=self.broadcast.campaign)
        broadcasting.start(self.broadcast, by=None)

    def counts(self):
        return {status: n for status, n in broadcasting.counts(self.broadcast).items() if n}

    def messages(self):
        return CampaignLeadMessage.objects.of(self.broadcast)

    def attempts(self):
        return sorted(MessageAttempt.objects.values_list("state", flat=True))

    def status(self):
        self.broadcast.refresh_from_db()
        return self.broadcast.status


@pytest.fixture
def started(twilio):
    return Started


def send_until(done, *, seconds=20, meanwhile=None, provider="twilio"):
    """Run a sender in this process until `done()`; `meanwhile` runs once, a moment after the start."""
    worker = process.Process(provider)

    def asked(question):
        try:
            return question()
        finally:
            connections.close_all()

    async def watch():
        running = asyncio.create_task(worker.run())
        deadline = time.monotonic() + seconds
        if meanwhile:
            await asyncio.sleep(0.3)
            await asyncio.to_thread(asked, meanwhile)
        while time.monotonic() < deadline and not running.done():
            if await asyncio.to_thread(asked, done):
                break
            await asyncio.sleep(0.05)
        worker.stop.set()
        await running

    asyncio.run(watch())
    assert done(), list(MessageAttempt.objects.values_list("state", "code", "detail")[:3])


def own_environment(folder, twilio):
    """What a process of its own needs to work on this test's database and sandbox."""
    at = connection.settings_dict
    url = f"postgres://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT']}/{at['NAME']}"
    kept = {"DATA_DIR": str(folder), "DATA_KEY": settings.DATA_KEY, "SECRET_KEY": settings.SECRET_KEY}
    return {"DATABASE_URL": url, "TWILIO_API_URL": twilio.url, "TWILIO_CONTENT_URL": twilio.url} | kept


def wait_for(found, seconds=15):
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.1)
