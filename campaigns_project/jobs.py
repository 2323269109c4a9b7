"""Long work in slices: a job is a row, so a kill costs at most one slice, and the next runner goes on.

    @runs("lead_import")
    def import_slice(job: Job) -> bool:
        "One slice; True when nothing is left. Its effect and its progress commit together."

A runner reports with `progress`, adds refused rows with `add_errors`, and may call `finish` itself to leave a result.
A Refusal it raises fails the job with the refusal's message.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from campaigns_project.models import Job
from campaigns_project.refusals import Conflict, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from django.core.files.uploadedfile import UploadedFile

    Runner = Callable[[Job], bool]

log = structlog.get_logger(__name__)
OPEN = (Job.Status.QUEUED, Job.Status.RUNNING)
# What a spreadsheet would take for a formula, full-width forms included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_runners: dict[str, Runner] = {}
LONGEST_NAME = 100


class ImportUnderWay(Conflict):
    code = "import_running"
    message = "An import that names this person is under way. Try again when it is done."


class JobOver(Conflict):
    message = "The job is over."


def runs(kind: str) -> Callable[[Runner], Runner]:
    """Register the runner of one kind of job."""

    def register(runner: Runner) -> Runner:
        _runners[kind] = runner
        return runner

    return register


def create(
    kind: str,
    *,
    account: Any,
    by: Any = None,
    total: int | None = None,
    params: Mapping[str, Any] | None = None,
    upload: UploadedFile[Any] | None = None,
) -> Job:
    """A new job, queued; `upload` is kept below the private files under a name of ours, its own is `params["file"]`."""
    job = Job(account=account, kind=kind, total=total, params=dict(params or {}), created_by_id=getattr(by, "pk", None))
    if upload is not None:
        job.input_file = f"jobs/{job.public_id}-input"
        job.params["file"] = _plain(upload.name or "")
        with _private(job.input_file).open("wb") as kept:
            kept.writelines(upload.chunks())
    job.save()
    return job


def _plain(name: str) -> str:
    """The name of somebody's file, to be shown."""
    return "".join(letter for letter in name if letter.isprintable())[-LONGEST_NAME:]


def input_of(job: Job) -> Path:
    """Where the upload of a job lies."""
    return _private(job.input_file)


def due() -> QuerySet[Job]:
    """Jobs that somebody must go on with, the oldest first."""
    return Job.objects.filter(status__in=OPEN, kind__in=list(_runners)).order_by("id")


def run_due() -> int:
    """Run one slice of every due job that nobody else is at; returns how many ran. The sweep calls this until 0."""
    return sum(run_slice(pk) for pk in due().values_list("pk", flat=True))


def run_slice(pk: int) -> bool:
    """Run one slice of one job; False when it is over or somebody else is at it."""
    try:
        with transaction.atomic():
            job = due().select_for_update(skip_locked=True).filter(pk=pk).first()
            if job is None:
                return False
            Job.objects.filter(pk=pk, started_at=None).update(status=Job.Status.RUNNING, started_at=Now())
            if _runners[job.kind](job):
                finish(job)
    except (OperationalError, InterfaceError):
        raise  # The database was away: the job is as it was, and due.
    except Exception as error:  # noqa: BLE001 (a poisonous job must not stop the others)
        _failed(pk, error)
    return True


def _failed(pk: int, error: Exception) -> None:
    if isinstance(error, Refusal):
        message = error.message
    else:
        log.error("job failed", job=pk, exc_info=error)
        message = "Something went wrong on our side."
    _end(pk, Job.Status.FAILED, message=message)


def progress(job: Job, *, done: int = 0, failed: int = 0) -> None:
    """Add to the counts of a job."""
    Job.objects.filter(pk=job.pk).update(done=F("done") + done, failed=F("failed") + failed)


def finish(job: Job, *, result: Mapping[str, Any] | None = None) -> None:
    """The work is done. Doing so twice keeps the first result."""
    _end(job.pk, Job.Status.DONE, **({"result": dict(result)} if result is not None else {}))


def cancel(job: Job) -> None:
    """No further slice starts; what was done stays. Raises JobOver."""
    if not _end(job.pk, Job.Status.CANCELLED):
        raise JobOver
    job.refresh_from_db()


def _end(pk: int, status: str, **fields: Any) -> int:
    return Job.objects.filter(pk=pk, status__in=OPEN).update(status=status, finished_at=Now(), **fields)


def eta(job: Job, now: datetime) -> datetime | None:
    """When a running job will be done at its present speed; None while nobody can tell."""
    handled = job.done + job.failed
    if job.status != Job.Status.RUNNING or not job.total or not handled or job.started_at is None:
        return None
    return now + (now - job.started_at) * max(0, job.total - handled) / handled


def add_errors(job: Job, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Append refused rows to the job's error file and count them as failed.

    The length that was committed is kept in the row: what a killed slice wrote behind it is cut off again.
    """
    job.errors_file = job.errors_file or f"jobs/{job.public_id}-errors.csv"
    written = [csv_line(row) for row in rows]
    path = _private(job.errors_file)
    path.touch()
    with path.open("r+b") as file:
        file.truncate(job.params.get("errors_size", 0))
        file.seek(0, io.SEEK_END)
        file.writelines([csv_line(header), *written] if file.tell() == 0 else written)
        job.params["errors_size"] = file.tell()
    job.save(update_fields=["errors_file", "params"])
    progress(job, failed=len(written))


def errors_of(job: Job) -> Path:
    """Where the error file of a job lies."""
    return _private(job.errors_file)


def forget(account_id: int, words: Sequence[str]) -> None:
    """Take the lines that name a person out of the account's files; what was taken in is needed no longer.

    `words` are e-mail addresses, phone numbers (E.164) and ids. Raises ImportUnderWay while a job reads such a line.
    """
    found = Job.objects.select_for_update().filter(account=account_id).order_by("pk")
    for job in found.exclude(input_file=""):
        _forget_input(job, words)
    for job in found.exclude(errors_file=""):
        if _without(errors_of(job), words):
            job.params["errors_size"] = errors_of(job).stat().st_size
            job.save(update_fields=["params"])


def _forget_input(job: Job, words: Sequence[str]) -> None:
    if job.status not in OPEN:
        input_of(job).unlink(missing_ok=True)
    elif job.kind not in _runners:
        _without(input_of(job), words)
    elif _naming(input_of(job), words):
        raise ImportUnderWay


def _naming(path: Path, words: Sequence[str]) -> set[int]:
    """The numbers of the lines that name somebody; a phone number in any spelling."""
    if not path.is_file():
        return set()
    ends = rb"(?<![\w@.+-])(?:%s)(?![\w@-])" % b"|".join(re.escape(word.lower().encode()) for word in words)
    spelt = re.compile(ends)
    digits = [word.strip("+").encode() for word in words if re.fullmatch(r"\+\d{7,}", word)]
    with path.open("rb") as file:
        return {
            number
            for number, line in enumerate(file)
            if spelt.search(line.lower()) or any(each in re.sub(rb"\D", b"", line) for each in digits)
        }


def _without(path: Path, words: Sequence[str]) -> bool:
    """Take lines out of a file; whether there were any."""
    naming = _naming(path, words)
    if naming:
        kept = path.with_suffix(".kept")
        with path.open("rb") as file, kept.open("wb") as copy:
            copy.writelines(line for number, line in enumerate(file) if number not in naming)
        kept.replace(path)
    return bool(naming)


def csv_line(cells: Sequence[Any]) -> bytes:
    """One line of CSV in UTF-8 that no spreadsheet runs as a formula."""
    line = io.StringIO()
    csv.writer(line).writerow([safe_cell(cell) for cell in cells])
    return line.getvalue().encode()


def safe_cell(cell: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets an apostrophe in front."""
    runs = isinstance(cell, str) and (cell.startswith(_FORMULA) or cell.lstrip().startswith(_FORMULA))
    return f"'{cell}" if runs else cell


def _private(name: str) -> Path:
    path = Path(settings.PRIVATE_FILES_DIR) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
