"""Exports kept as files: written by a job into the storage, fetched by links that hold for a quarter of an hour.

The storage is a folder of ours, or a bucket (EXPORTS_BUCKET) whose links S3 signs and answers itself.
"""

from __future__ import annotations

import errno
import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from django.conf import settings
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.core.signing import BadSignature, TimestampSigner
from django.db import transaction
from django.utils import timezone

from campaigns_project import jobs
from campaigns_project.models import AuditEntry, Job
from campaigns_project.refusals import NotFound, Refusal
from coupons.exporting import MOST, RETRY_S, CouponFile, TooManyExports, file_name
from coupons.models import CouponCampaign

if TYPE_CHECKING:
    from typing import BinaryIO

    from django.db.models import QuerySet

KIND = "coupon_export"
LINK_SECONDS = 15 * 60
KEPT = timedelta(days=7)
DOWNLOAD = "/api/platform/v1/coupon_campaigns/exports/"
_SIGNER = TimestampSigner(salt="coupons.filing", sep=".")


class NoRoom(Refusal):
    status = 507
    code = "INSUFFICIENT_STORAGE"
    message = "There is no room left for the file. Try again later."


class Link(NamedTuple):
    """Where a file may be fetched, without a token, until `expires_at`."""

    url: str
    expires_at: datetime


def begin(campaign: CouponCampaign, *, by: Any) -> Job:
    """Begin to write the coupons of a campaign into a file; the audit trail says who asked. Raises TooManyExports."""
    with transaction.atomic():
        if of_account(campaign.account_id).filter(status__in=jobs.OPEN).count() >= MOST:
            raise TooManyExports(retry_after=RETRY_S)
        _noted(campaign, by, "coupons.export_file")
        params = {"campaign": str(campaign.pk), "file": file_name(campaign)}
        return jobs.create(KIND, account=campaign.account, by=by, total=campaign.coupon_count, params=params)


@jobs.runs(KIND)
def run(job: Job) -> bool:
    """Write the file; `result` tells its rows, its bytes and their SHA-256."""
    found = CouponCampaign.objects.for_account(job.account_id).select_related("account")
    campaign = found.filter(pk=job.params["campaign"]).first()
    if campaign is None:
        raise NotFound
    try:
        result = _write(campaign, _name(job))
    except OSError as trouble:
        if trouble.errno == errno.ENOSPC:
            raise NoRoom from trouble
        raise
    jobs.progress(job, done=result["rows"])
    jobs.finish(job, result=result)
    return True


def of_account(account: int) -> QuerySet[Job]:
    """The account's exports to files."""
    return Job.objects.filter(account=account, kind=KIND)


def written(campaign: CouponCampaign) -> QuerySet[Job]:
    """The campaign's exports to files, the newest first."""
    return of_account(campaign.account_id).filter(params__campaign=str(campaign.pk)).order_by("-pk")


def link(campaign: CouponCampaign, job: Job, *, by: Any) -> Link:
    """A new link to a file of the campaign. Raises NotFound when there is no such file, or none any more."""
    if job.status != Job.Status.DONE or not _storage().exists(_name(job)):
        raise NotFound
    _noted(campaign, by, "coupons.export_link")
    expires = timezone.now() + timedelta(seconds=LINK_SECONDS)
    if not settings.EXPORTS_BUCKET:
        return Link(f"{settings.PUBLIC_BASE_URL}{DOWNLOAD}{_SIGNER.sign(str(job.pk))}", expires)
    shown = {"ResponseContentDisposition": f'attachment; filename="{job.params["file"]}"'}
    shown["ResponseContentType"] = "text/csv; charset=utf-8"
    bucket: Any = _storage()
    return Link(bucket.url(_name(job), parameters=shown, expire=LINK_SECONDS), expires)


def download(token: str) -> tuple[str, BinaryIO]:
    """Name and bytes of a file of ours. Raises NotFound for a link that is none or too old, or when it is gone."""
    try:
        pk = int(_SIGNER.unsign(token, max_age=LINK_SECONDS))
    except BadSignature:
        raise NotFound from None
    job = Job.objects.filter(pk=pk, kind=KIND, status=Job.Status.DONE).first()
    if job is None or not _storage().exists(_name(job)):
        raise NotFound
    file: Any = _storage().open(_name(job), "rb")
    return job.params["file"], file


def forget_old() -> int:
    """Remove files after a week; returns how many."""
    gone = 0
    for job in Job.objects.filter(kind=KIND, status=Job.Status.DONE, finished_at__lt=timezone.now() - KEPT):
        if _storage().exists(_name(job)):
            _storage().delete(_name(job))
            gone += 1
    return gone


def _write(campaign: CouponCampaign, name: str) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    file, storage = CouponFile(campaign, counted=False), _storage()
    try:
        with storage.open(name, "wb") as target:
            for piece in file:
                target.write(piece)
                digest.update(piece)
                size += len(piece)
    except BaseException:
        # What is half a file is none.
        storage.delete(name)
        raise
    finally:
        file.close()
    return {"rows": file.rows, "bytes": size, "sha256": digest.hexdigest()}


def _storage() -> Storage:
    if settings.EXPORTS_BUCKET:
        return storages["exports"]
    folder = Path(settings.PRIVATE_FILES_DIR) / "coupons"
    folder.mkdir(parents=True, exist_ok=True)
    return FileSystemStorage(location=folder)


def _name(job: Job) -> str:
    return f"{job.public_id}.csv"


def _noted(campaign: CouponCampaign, by: Any, action: str) -> None:
    AuditEntry.objects.create(account=campaign.account, actor=by, action=action, target=str(campaign.pk))
