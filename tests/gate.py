"""What a lane says of rows in the instant before their calls: the statements of a sender, without the sender."""

from django.db import connection, transaction

from dispatch.lane import lane
from dispatch.statements import statements


def asked(name, rows):
    """The verdict on each row, in the order of their ids; `opened` where a call's attempt was written."""
    ids = sorted(row.pk for row in rows)
    sql = statements(lane(name))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO dispatch_owner (provider, pid, host) VALUES ('twilio', 1, 'here') RETURNING id")
        owner = cursor.fetchone()[0]
        keys = [f"00000000-0000-4000-8000-{pk:012d}" for pk in ids]
        if sql.claim:
            cursor.execute(sql.claim, {"ids": ids})
        cursor.execute(sql.open, {"ids": ids, "keys": keys, "owner": owner})
        said = cursor.fetchall()
    opened = {row for row, verdict, *_ in said if verdict == "opened"}
    return [
        "opened" if row in opened else verdict.partition(".")[0]
        for row, verdict, *_ in sorted(said)
        if verdict != "opened"
    ]
