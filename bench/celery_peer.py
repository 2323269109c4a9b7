"""The usual way: one Celery task a message, in a pool of 100 threads; each posts with requests and updates its row.

Kept as quick as this way can be: sessions and database connections are kept, results are not stored, and all tasks
wait in the broker before the worker starts. `celery -A bench.celery_peer worker --pool threads --concurrency 100`;
BROKER_URL, DATABASE_URL and TWILIO_API_URL say where everything is.
"""

from __future__ import annotations

import os
import threading

import psycopg
import requests
from celery import Celery
from requests.adapters import HTTPAdapter

ACCOUNT, TOKEN = f"AC{'fake':0<32}", "fake-token"
TABLE = "CREATE TABLE IF NOT EXISTS bench_peer (id bigint PRIMARY KEY, status text NOT NULL, provider_id text)"

app = Celery("celery_peer", broker=os.environ.get("BROKER_URL"))
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)

_kept = threading.local()


def _session():
    if not hasattr(_kept, "session"):
        _kept.session = requests.Session()
        _kept.session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=1))
        _kept.session.auth = (ACCOUNT, TOKEN)
        _kept.database = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    return _kept.session, _kept.database


@app.task
def send(row_id, form):
    session, database = _session()
    url = f"{os.environ['TWILIO_API_URL']}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    answer = session.post(url, data=form, timeout=10)
    answer.raise_for_status()
    names = {"id": row_id, "sid": answer.json()["sid"]}
    database.execute("UPDATE bench_peer SET status = 'sent', provider_id = %(sid)s WHERE id = %(id)s", names)
