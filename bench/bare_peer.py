"""The same sender without a ledger: the same client and the same Caller, rows in memory, nothing recorded.

`python -m bench.bare_peer PEOPLE CONNECTION_ID`; the environment says where Twilio and the database are.
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from collections import Counter

import django

FIRST_PERSON = 19_990_000_000
CONTENT_SID = f"HX{0:032x}"


def payload(connection, to):
    """As the lane's own statement makes it."""
    return {
        "to": to,
        "sender": connection.sender,
        "connection": connection.pk,
        "content_sid": CONTENT_SID,
        "variables": {},
        "tries": 0,
    }


async def send_all(people, connection):
    """Call every one of `people` once, on as many connections as the sender has; returns outcomes by name."""
    from django.conf import settings

    from campaigns.sending import Caller
    from dispatch.lane import Call
    from providers.twilio import Twilio

    messenger = Twilio.from_settings()
    caller = Caller(messenger)
    calls = iter([Call(n, uuid.uuid4(), n, payload(connection, f"+{FIRST_PERSON + n}")) for n in range(people)])
    outcomes = Counter()

    async def work():
        for call in calls:
            outcomes[type(await caller.call(call)).__name__] += 1

    await asyncio.gather(*(work() for _ in range(settings.TWILIO_CONNECTIONS)))
    await messenger.close()
    return outcomes


def main():
    people, connection_id = map(int, sys.argv[1:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campaigns_project.settings")
    django.setup()
    from accounts.models import Connection

    print(dict(asyncio.run(send_all(people, Connection.objects.get(pk=connection_id)))))


if __name__ == "__main__":
    main()
