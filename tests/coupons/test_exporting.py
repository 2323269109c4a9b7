"""Coupons as CSV: exact and harmless cells, one snapshot, few at once, and what broke off is seen to."""

import csv
import io
import socket
import threading
import time

import pytest
import requests
from django.db import connection

from campaigns_project import cutting
from campaigns_project.models import AuditEntry
from coupons import exporting
from coupons.models import Coupon
from tests.coupons.factories import CouponCampaignFactory, CouponFactory
from tests.fixtures_http import caller

ADDRESS = "/api/platform/v1/coupon_campaigns/{}/export_coupons"
CODES = ["=1+1", 'a"b', "a\nb", "a,b", "a;b", "+1", "-1", "@x", "\tx", "\rx", " =x", "＝1", "Zoë", "x-1"]
MANY = """
INSERT INTO coupons_coupon (id, account_id, campaign_id, code, status, max_count, created_at, updated_at, status_at)
SELECT gen_random_uuid(), %s, %s, 'MANY-' || n, 'active', 1, now(), now(), now() FROM generate_series(1, %s) AS n
"""
UNDER_WAY = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY (SELECT%' AND state = 'active'"


def rows_of(answer):
    assert answer.status_code == 200, answer.content
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode(), newline="")))


def asked(sql, given=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        return cursor.fetchall() if cursor.description else []


def eventually(holds, seconds=5.0):
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    assert holds()


@pytest.fixture
def api(transactional_db):
    return caller()


@pytest.fixture
def campaign(api):
    return CouponCampaignFactory(account=api.account, name='a"; filename="b.exe\u202e')


@pytest.fixture
def big(campaign):
    asked(MANY, [campaign.account_id, campaign.pk, 120_000])
    return campaign


def test_each_column_stands_in_the_file_as_the_list_shows_it(api, campaign):
    coupon = CouponFactory(campaign=campaign, code="SAVE10", min_cart_value=2_500, notes="", extradata={"a": 1})
    Coupon.objects.filter(pk=coupon.pk).update(ends_at=campaign.starts_at)

    answer = api.get(ADDRESS.format(campaign.pk))
    (row,) = rows_of(answer)

    assert tuple(row) == exporting.COLUMNS
    wanted = {"id": coupon.pk, "account_id": api.account.uuid, "coupon_campaign_id": campaign.pk, "code": "SAVE10"}
    wanted |= {"status": "active", "max_count": 1, "used_count": 0, "min_cart_value": 2_500, "notes": ""}
    wanted |= {"discount_type": "percentage", "discount_value": 10, "product_id": "", "extradata": '{"a": 1}'}
    assert {name: row[name] for name in wanted} == {name: str(value) for name, value in wanted.items()}
    starts = f"{campaign.starts_at:%Y-%m-%dT%H:%M:%S}.{campaign.starts_at.microsecond // 1000:03}Z"
    assert (row["starts_at"], row["ends_at"]) == (starts, starts)
    assert answer["Content-Disposition"] == 'attachment; filename="a-filenamebexe-coupons.csv"'
    assert not answer.has_header("Content-Length")
    entry = AuditEntry.objects.get(action="coupons.export")
    assert (entry.target, entry.actor) == (str(campaign.pk), api.user)


def test_no_cell_is_a_formula_and_each_is_whole_again_without_its_apostrophe(api, campaign):
    for code in CODES:
        CouponFactory(campaign=campaign, code=code, notes=code, max_count=None)

    answer = api.get(ADDRESS.format(campaign.pk))
    rows = rows_of(answer)

    assert sorted(row["code"].removeprefix("'") for row in rows) == sorted(CODES)
    assert {row["code"] for row in rows if row["code"].startswith("'")} == {
        f"'{code}" for code in [*CODES[:1], *CODES[5:12]]
    }
    assert [row["notes"] for row in rows] == [row["code"] for row in rows]


def test_lines_end_as_rfc_4180_has_it_and_a_campaign_without_coupons_is_its_head(api, campaign):
    empty = b"".join(api.get(ADDRESS.format(campaign.pk)).streaming_content)
    campaign.max_count, campaign.starts_at, campaign.ends_at = 50, None, None
    campaign.save()
    for code in ("ONE", "TWO\nLINES"):
        CouponFactory(campaign=campaign, code=code, max_count=None)

    written = b"".join(api.get(ADDRESS.format(campaign.pk)).streaming_content)

    assert empty == ",".join(exporting.COLUMNS).encode() + b"\r\n"
    assert (written.count(b"\r\n"), written.count(b"\n")) == (3, 4)
    assert written.count(b",50,0,") == 2


def test_the_file_is_one_snapshot_in_which_later_changes_do_not_show(big):
    file = exporting.CouponFile(big)
    pieces = iter(file)
    written = [next(pieces)]

    asked("UPDATE coupons_coupon SET notes = 'changed'")
    asked("DELETE FROM coupons_coupon WHERE code > 'MANY-2'")
    written.extend(pieces)
    file.close()

    assert (file.rows, b"changed" in b"".join(written)) == (120_000, False)


def test_above_two_at_once_an_account_the_answer_is_429_and_others_are_not_touched(api, campaign):
    other = CouponCampaignFactory(account=caller().account)
    first, second = exporting.CouponFile(campaign), exporting.CouponFile(campaign)

    refused = api.get(ADDRESS.format(campaign.pk))
    beside = exporting.CouponFile(other)
    first.close()
    again = exporting.CouponFile(campaign)

    assert (refused.status_code, refused.json()["code"], refused["Retry-After"]) == (429, "TOO_MANY_REQUESTS", "10")
    for file in (second, beside, again):
        file.close()


def test_another_accounts_campaign_is_not_there(api):
    theirs = CouponCampaignFactory()

    assert api.get(ADDRESS.format(theirs.pk)).status_code == 404


def test_memory_does_not_grow_with_the_file(big):
    file = exporting.CouponFile(big)
    longest = max(len(piece) for piece in file)
    file.close()

    assert file.rows == 120_000
    assert longest < 2 * exporting.PIECE


def test_a_client_that_leaves_ends_the_statement(house, big):
    who = caller(account=big.account)
    with requests.get(house.url + ADDRESS.format(big.pk), headers=who.headers, stream=True, timeout=20) as answer:
        next(answer.iter_content(100_000))
        assert asked(UNDER_WAY)

    eventually(lambda: not asked(UNDER_WAY))


def test_a_file_that_breaks_off_ends_in_a_broken_connection(house, big):
    who = caller(account=big.account)
    held = [requests.get(f"{house.url}/healthz", timeout=5, stream=True) for _ in range(2)]
    with requests.get(house.url + ADDRESS.format(big.pk), headers=who.headers, stream=True, timeout=20) as answer:
        pieces = answer.iter_content(100_000)
        next(pieces)
        asked(UNDER_WAY.replace("SELECT pid", "SELECT pg_terminate_backend(pid)"))

        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            for _ in pieces:
                pass
    assert [one.json() for one in held]


class Ours:
    """Two connections to a port of ours."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.clients, self.ends = [], []
        for _ in range(2):
            self.clients.append(socket.create_connection(self.server.getsockname()))
            self.ends.append(self.server.accept()[0])

    def close(self):
        for each in (self.server, *self.clients, *self.ends):
            each.close()


@pytest.fixture
def links():
    ours = Ours()
    yield ours
    ours.close()


def test_only_the_connection_that_carries_the_answer_is_ended(links):
    def carry():
        for piece in cutting.cut(links.port):
            threading.Thread(target=links.ends[0].sendall, args=[piece]).start()

    carry()
    while links.clients[0].recv(65_536):
        pass
    links.ends[1].sendall(b"still here")
    assert links.clients[1].recv(100) == b"still here"


def test_where_the_connection_is_not_found_none_is_ended(links, monkeypatch):
    monkeypatch.setattr(cutting, "PATIENCE_S", 0.1)

    assert len(list(cutting.cut(links.port))) == cutting.TRIES
    links.ends[0].sendall(b"still here")
    assert links.clients[0].recv(100) == b"still here"
