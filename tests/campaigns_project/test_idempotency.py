import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from django.utils import timezone

from campaigns_project.api import idempotency
from campaigns_project.models import IdempotencyKey
from crm.models import Customer
from tests.fixtures_http import caller

TRY = "/api/v1/try"
pytestmark = pytest.mark.urls("tests.campaigns_project.doors")


def age(**delta):
    IdempotencyKey.objects.update(created_at=timezone.now() - dt.timedelta(**delta))


@pytest.mark.django_db
def test_a_key_is_forgotten_after_a_day(api):
    for _ in range(2):
        answer = api.post(TRY, json={"first_name": "A"}, headers={"idempotency-key": "k"})
        age(hours=24, seconds=1)

    assert "Idempotent-Replayed" not in answer
    assert Customer.objects.count() == 2


@pytest.mark.django_db
def test_old_answers_are_purged(api):
    api.post(TRY, json={"first_name": "A"}, headers={"idempotency-key": "old"})
    age(days=2)
    api.post(TRY, json={"first_name": "A"}, headers={"idempotency-key": "new"})

    assert idempotency.purge() == 1
    assert IdempotencyKey.objects.get().key == "new"


@pytest.mark.django_db(transaction=True)
def test_of_many_requests_at_once_one_has_an_effect():
    api = caller()

    def send(_):
        try:
            return api.post(f"{TRY}/fail/slow", headers={"idempotency-key": "k"}).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(send, range(8)))

    assert sorted(set(statuses)) == [200, 409]
    assert Customer.objects.count() == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = "
                       "(SELECT oid FROM pg_database WHERE datname = current_database())")  # fmt: skip
        assert cursor.fetchone() == (0,)
