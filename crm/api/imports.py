"""Customers from files, and how such an import is undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from accounts.roles import Permission
from campaigns_project.api import IMPORT, AcceptedShape, Door, FileDoor
from campaigns_project.models import Job
from crm import importing, undoing
from crm.api import inputs

if TYPE_CHECKING:
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
