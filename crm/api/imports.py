"""Customers from files, how such an import is undone, and a person's own file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes

from accounts.roles import Permission
from campaigns_project.api import IMPORT, AcceptedShape, Door, FileDoor, OpenDoor
from campaigns_project.models import Job
from crm.api import inputs
from crm.api.people import CustomerDoor
from crm.customers import exporting, importing, undoing

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request
    from rest_framework.response import Response


class Import(FileDoor):
    tag = "customers"
    needs: ClassVar = {"POST": Permission.AUTHOR}
    bodies: ClassVar = {"POST": inputs.CustomerImportForm}
    answers: ClassVar = {"POST": (202, AcceptedShape)}
    max_body = IMPORT

    def post(self, request: Request) -> Response:
        """Add and change customers from a CSV file, as a job with a file of the refused rows.

        Columns, in any order: those of a customer, `attributes.<name>`, `tags` separated by `;`, consent as
        `email_consent` (`sms_`, `push_`, `whatsapp_`, `mail_`) with yes or no, and `consent_source`. A row is merged
        with the customer who has its external id, e-mail address or phone number; of two such people it is refused. An
        empty cell changes nothing, and nobody who opted out is let in again. `result` counts what became of the rows.
        """
        given: Any = self.data
        job = importing.import_csv(self.account, given["file"], by=request.user, mapping=given.get("mapping"))
        return self.accepted(job)


class Undo(Door):
    tag = "customers"
    needs: ClassVar = {"POST": Permission.AUTHOR}
    answers: ClassVar = {"POST": (202, AcceptedShape)}

    def post(self, request: Request, job_id: str) -> Response:
        """Undo an import that is over, as a job.

        Customers it added go if nothing happened to them since; fields it changed are as before unless they were
        changed again; consent it granted is withdrawn. `result` counts `removed`, `restored` and `kept` customers.
        409 `import_running` before its end, 409 `import_undone` the second time.
        """
        job = self.find(Job.objects.filter(account=self.account, kind=importing.KIND), public_id=job_id)
        return self.accepted(undoing.undo(job, by=request.user))


class Export(CustomerDoor):
    needs: ClassVar = {"POST": Permission.AUTHOR}
    answers: ClassVar = {"POST": (202, AcceptedShape)}

    def post(self, request: Request, customer_id: str) -> Response:
        """Write down everything we hold of a customer, for them.

        A job; its `result.download_url` leads to one JSON file, for an hour and without a token. It stands in the audit
        trail who asked.
        """
        request_id = getattr(request, "request_id", "")
        return self.accepted(exporting.export(self.customer(customer_id), by=request.user, request_id=request_id))


class Exported(OpenDoor):
    tag = "customers"
    answers: ClassVar = {"GET": {(200, "application/json"): OpenApiTypes.BINARY}}

    def get(self, request: Request, token: str) -> HttpResponseBase:  # noqa: ARG002 (DRF's signature)
        """Download what a job wrote down of a customer, by its signed link."""
        name, path = exporting.download(token)
        headers = {"Cache-Control": "private, no-store"}
        return FileResponse(
            path.open("rb"), as_attachment=True, filename=name, content_type="application/json", headers=headers
        )
