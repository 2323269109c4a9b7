"""Exports kept as files: written whole or not at all, told by rows and checksum, fetched by links that run out."""

import datetime as dt
import errno
import hashlib
import io
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import time_machine
from django.core.files.storage import FileSystemStorage
from django.utils import timezone
from moto import mock_aws

from campaigns_project import jobs
from campaigns_project.models import AuditEntry, Job
from coupons import filing
from coupons.tasks import forget_exports
from tests.coupons.factories import CouponCampaignFactory, CouponFactory
from tests.fixtures_http import caller

BUCKET = "campaigns-exports"
HEAD = b"id,account_id,coupon_campaign_id,code"


@pytest.fixture
def api(transactional_db, settings, tmp_path):
    settings.PRIVATE_FILES_DIR = tmp_path
    return caller()


@pytest.fixture
def campaign(api):
    campaign = CouponCampaignFactory(account=api.account, name="Summer sale")
    CouponFactory.create_batch(3, campaign=campaign)
    return campaign


@pytest.fixture
def bucket(settings, monkeypatch):
    """A bucket of S3 (moto's)."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    options = {"bucket_name": BUCKET, "location": "exports", "region_name": "us-east-1", "signature_version": "s3v4"}
    settings.STORAGES = settings.STORAGES | {
        "exports": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    }
    settings.EXPORTS_BUCKET = BUCKET
    with mock_aws():
        bucket = boto3.resource("s3", region_name="us-east-1").create_bucket(Bucket=BUCKET)
        yield bucket


def address(campaign, rest=""):
    return f"/api/platform/v1/coupon_campaigns/{campaign.pk}/exports{rest}"


def written(api, campaign):
    """The job of an export that was asked for and run."""
    asked = api.post(address(campaign), json={})
    assert asked.status_code == 202, asked.content
    jobs.run_due()
    return Job.objects.get(public_id=asked.json()["job_id"])


def fetched(api, url):
    answer = api.client.get(urlsplit(url).path)
    return answer, b"".join(answer.streaming_content) if answer.status_code == 200 else b""


def test_a_job_writes_the_file_and_tells_its_rows_and_checksum(api, campaign):
    job = written(api, campaign)
    link = api.get(address(campaign, f"/{job.public_id}")).json()
    answer, body = fetched(api, link["url"])

    assert (job.status, job.done, job.message) == ("done", 3, "")
    assert job.result == {"rows": 3, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    assert {name: link[name] for name in job.result} == job.result
    assert (body.startswith(HEAD), body.count(b"\r\n")) == (True, 4)
    assert answer["Content-Disposition"] == 'attachment; filename="summer-sale-coupons.csv"'
    told = AuditEntry.objects.filter(target=str(campaign.pk)).values_list("action", "actor").order_by("pk")
    assert list(told) == [("coupons.export_file", api.user.pk), ("coupons.export_link", api.user.pk)]


def test_a_link_runs_out_after_fifteen_minutes_and_says_nothing_of_what_it_opens(api, campaign):
    job = written(api, campaign)
    url = api.get(address(campaign, f"/{job.public_id}")).json()["url"]

    with time_machine.travel(timezone.now() + dt.timedelta(minutes=14)):
        assert fetched(api, url)[0].status_code == 200
    with time_machine.travel(timezone.now() + dt.timedelta(minutes=16)):
        assert fetched(api, url)[0].status_code == 404
    assert fetched(api, f"{url}x")[0].status_code == 404
    assert str(campaign.pk) not in url


def test_a_file_is_only_its_own_campaigns_and_accounts(api, campaign):
    job = written(api, campaign)
    other = CouponCampaignFactory(account=api.account)

    assert api.get(address(other, f"/{job.public_id}")).status_code == 404
    assert caller().get(address(campaign, f"/{job.public_id}")).status_code == 404
    assert api.get(address(campaign, "/job_none")).status_code == 404


def test_there_is_no_link_before_the_file_and_none_after_a_week(api, campaign):
    waiting = filing.begin(campaign, by=api.user)
    before = api.get(address(campaign, f"/{waiting.public_id}"))
    jobs.run_due()
    url = api.get(address(campaign, f"/{waiting.public_id}")).json()["url"]
    forget_exports()
    kept = fetched(api, url)[0]
    Job.objects.update(finished_at=timezone.now() - dt.timedelta(days=8))

    assert (before.status_code, kept.status_code) == (404, 200)
    assert (filing.forget_old(), filing.forget_old()) == (1, 0)
    assert api.get(address(campaign, f"/{waiting.public_id}")).status_code == 404
    assert fetched(api, url)[0].status_code == 404


def test_a_third_export_at_once_is_refused(api, campaign):
    answers = [api.post(address(campaign), json={}).status_code for _ in range(3)]

    assert answers == [202, 202, 429]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "There is no room left for the file. Try again later."),
        (errno.EIO, "Something went wrong on our side."),
    ],
)
def test_what_cannot_be_written_whole_is_not_there_at_all(api, campaign, monkeypatch, number, message, tmp_path):
    class Full(FileSystemStorage):
        def open(self, name, mode="rb"):
            with super().open(name, mode) as file:
                file.write(b"some of it")
            return NoMore()

    class NoMore(io.BytesIO):
        def write(self, _piece):
            raise OSError(number, "no more")

    monkeypatch.setattr(filing, "FileSystemStorage", Full)
    job = written(api, campaign)

    assert (job.status, job.message) == ("failed", message)
    assert list((tmp_path / "coupons").iterdir()) == []


def test_the_export_of_a_campaign_that_went_meanwhile_fails(api, campaign):
    job = filing.begin(campaign, by=api.user)
    campaign.delete()
    jobs.run_due()

    job.refresh_from_db()
    assert job.status == "failed"


def test_in_a_bucket_the_link_is_the_buckets_own_and_runs_out(api, bucket, campaign):
    job = written(api, campaign)
    url = api.get(address(campaign, f"/{job.public_id}")).json()["url"]
    (kept,) = bucket.objects.all()
    body = kept.get()["Body"].read()
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}

    assert kept.key == f"exports/{job.public_id}.csv"
    assert (hashlib.sha256(body).hexdigest(), body.startswith(HEAD)) == (job.result["sha256"], True)
    assert (asked["X-Amz-Expires"], asked["X-Amz-Algorithm"]) == ("900", "AWS4-HMAC-SHA256")
    assert asked["response-content-disposition"] == 'attachment; filename="summer-sale-coupons.csv"'
    assert asked["X-Amz-Signature"]


def test_a_merchant_downloads_the_codes_or_has_a_file_written(api, campaign):
    page = api.client
    page.force_login(api.user)
    home = f"/coupons/{campaign.pk}"

    shown = page.get(home).content.decode()
    now = b"".join(page.get(f"{home}/export").streaming_content)
    nothing = page.get(f"{home}/exports").content.decode()
    page.post(f"{home}/exports")
    waiting = page.get(f"{home}/exports").content.decode()
    jobs.run_due()
    job = Job.objects.get(kind=filing.KIND)
    done = page.get(f"{home}/exports").content.decode()
    sent_to = page.get(f"{home}/exports/{job.public_id}")

    assert f'href="{home}/export"' in shown
    assert now.count(b"\r\n") == 4
    assert ("No file yet" in nothing, "Refresh" in waiting) == (True, True)
    assert job.result["sha256"][:16] in done
    assert (sent_to.status_code, filing.DOWNLOAD in sent_to["Location"]) == (303, True)
    assert page.get(f"{home}/exports/job_none").status_code == 404
