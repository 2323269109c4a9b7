import asyncio
import uuid

import pytest

from accounts.models import Connection
from accounts.secrets import seal
from campaigns.sending import Caller
from dispatch import keeping
from dispatch.database import in_thread
from dispatch.lane import Call
from providers.base import Accepted, Refused
from tests.factories import ConnectionFactory

pytestmark = pytest.mark.django_db(transaction=True)


class Listener:
    """A messenger that takes everything and keeps with which credentials it was sent."""

    def __init__(self):
        self.used = []

    async def send(self, _outgoing, credentials):
        self.used.append(credentials.secret)
        return Accepted("SM1", "queued")


def a_call(connection_id):
    payload = {"to": "+1", "sender": "+2", "content_sid": "HX1", "variables": None, "connection": connection_id}
    return Call(1, uuid.uuid4(), 1, payload)


def test_new_credentials_are_used_soon_and_no_call_waits_for_them(monkeypatch):
    monkeypatch.setattr(keeping, "KEPT_SECONDS", 1.0)
    link = ConnectionFactory()
    listener = Listener()

    def change_to_new():
        Connection.objects.filter(pk=link.pk).update(sealed=seal({"auth_token": "new"}))

    async def send_thrice():
        caller = Caller(listener)
        await caller.prepare(a_call(link.pk))
        await in_thread(change_to_new)
        await caller.call(a_call(link.pk))
        await asyncio.sleep(1.05)
        await caller.call(a_call(link.pk))
        await asyncio.sleep(0.5)
        await caller.call(a_call(link.pk))

    asyncio.run(send_thrice())

    assert listener.used == [link.secret["auth_token"]] * 2 + ["new"]


def test_without_credentials_nothing_leaves_and_the_call_may_be_made_again(monkeypatch):
    link = ConnectionFactory()
    gone = link.pk
    link.delete()
    listener = Listener()

    async def send():
        return await Caller(listener).call(a_call(gone))

    outcome = asyncio.run(send())

    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.retry, listener.used) == ("credentials", True, [])
