"""Long work, as integrators see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.http import FileResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns_project import jobs
from campaigns_project.api.doors import JOBS, Door
from campaigns_project.api.routes import route, routes
from campaigns_project.models import Job

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request
    from rest_framework.response import Response


class JobShape(serializers.ModelSerializer[Job]):
    id = serializers.CharField(source="public_id")
    eta = serializers.SerializerMethodField(help_text="When it will be done at its present speed.")
    errors_url = serializers.SerializerMethodField(help_text="A CSV file with the reason of each refused row.")

    class Meta:
        model = Job
        fields = (
            "id",
            "kind",
            "status",
            "total",
            "done",
            "failed",
            "eta",
            "errors_url",
            "message",
            "result",
            "created_at",
            "started_at",
            "finished_at",
        )

    example: ClassVar = {
        "id": "job_7k2m0000000000ab",
        "kind": "lead_import",
        "status": "running",
        "total": 10000,
        "done": 4000,
        "failed": 1,
        "eta": "2026-11-21T09:31:00Z",
        "errors_url": "/api/v1/jobs/job_7k2m0000000000ab/errors",
        "message": "",
        "result": {"created": 4000},
        "created_at": "2026-11-21T09:30:00Z",
        "started_at": "2026-11-21T09:30:01Z",
        "finished_at": None,
    }

    @extend_schema_field({"type": ["string", "null"], "format": "date-time"})
    def get_eta(self, job: Job) -> Any:
        moment = jobs.eta(job, timezone.now())
        return moment and moment.replace(microsecond=0)

    @extend_schema_field({"type": ["string", "null"]})
    def get_errors_url(self, job: Job) -> str | None:
        return f"{JOBS}{job.public_id}/errors" if job.errors_file else None


class JobDoor(Door):
    tag = "jobs"

    def job(self, job_id: str) -> Job:
        found: Job = self.find(Job.objects.filter(account=self.account), public_id=job_id)
        return found


class OneJob(JobDoor):
    answers: ClassVar = {"GET": JobShape}

    def get(self, request: Request, job_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show a job with its progress."""
        return self.show(self.job(job_id), JobShape)


class CancelJob(JobDoor):
    needs: ClassVar = {"POST": "author"}
    answers: ClassVar = {"POST": JobShape}

    def post(self, request: Request, job_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Cancel a job.

        What was done stays done. A job that is over answers 409.
        """
        job = self.job(job_id)
        jobs.cancel(job)
        return self.show(job, JobShape)


class JobErrors(JobDoor):
    answers: ClassVar = {"GET": {(200, "text/csv"): OpenApiTypes.STR}}

    def get(self, request: Request, job_id: str) -> HttpResponseBase:  # noqa: ARG002 (DRF's signature)
        """Download the refused rows with their reasons, as CSV."""
        job = self.job(job_id)
        if not job.errors_file or not jobs.errors_of(job).is_file():
            raise self.missing()
        return FileResponse(
            jobs.errors_of(job).open("rb"),
            as_attachment=True,
            filename=f"{job.public_id}-errors.csv",
            content_type="text/csv; charset=utf-8",
        )


urlpatterns = routes(
    JOBS.strip("/"),
    route("<str:job_id>", OneJob, name="job"),
    route("<str:job_id>/cancel", CancelJob, name="job-cancel"),
    route("<str:job_id>/errors", JobErrors, name="job-errors"),
)
