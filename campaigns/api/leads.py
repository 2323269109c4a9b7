"""Leads: who a template is for, and what one of them would read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework.response import Response

from accounts.roles import Permission
from campaigns import broadcasting, from_segment, importing, leads, previewing
from campaigns.api import inputs
from campaigns.api.sending_shapes import AddedShape, LeadShape, MessageShape, PreviewShape
from campaigns.models import Campaign, CampaignLead, CampaignLeadMessage
from campaigns.values import check_values
from campaigns_project.api import BULK, IMPORT, AcceptedShape, Door, FileDoor, listed
from crm.audiences import segments

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request


class LeadDoor(Door):
    tag = "leads"

    def template(self, pk: int) -> Campaign:
        found: Campaign = self.find(Campaign.objects.for_account(self.account).select_related("account"), pk=pk)
        return found

    def leads(self) -> QuerySet[CampaignLead]:
        return CampaignLead.objects.for_account(self.account).select_related("conversation_user")


class AddLeads(LeadDoor):
    needs: ClassVar = {"POST": Permission.AUTHOR}
    bodies: ClassVar = {"POST": inputs.AddLeadsInput}
    answers: ClassVar = {"POST": {200: AddedShape, 201: AddedShape}}
    max_body = BULK

    def post(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """Add up to 10,000 leads.

        Each row has `phone_number` or `conversation_user_id`. Rows that cannot be taken in are listed; when none can,
        nothing is added and the answer is 400. 201 when somebody was added who can be written to.
        """
        found = leads.add(self.template(self.data["campaign_id"]), self.data["leads"])
        return Response(AddedShape(found).data, status=201 if found["created"] > found["opted_out"] else 200)


class ImportLeads(LeadDoor, FileDoor):
    needs: ClassVar = {"POST": Permission.AUTHOR}
    bodies: ClassVar = {"POST": inputs.ImportForm}
    answers: ClassVar = {"POST": (202, AcceptedShape)}
    max_body = IMPORT

    def post(self, request: Request) -> Response:
        """Add leads from a CSV file, as a job with a file of the refused rows."""
        campaign = self.template(self.data["campaign_id"])
        return self.accepted(importing.import_csv(campaign, self.data["file"], by=request.user))


class LeadsFromSegment(LeadDoor):
    needs: ClassVar = {"POST": Permission.AUTHOR}
    bodies: ClassVar = {"POST": inputs.FromSegmentInput}
    answers: ClassVar = {"POST": (202, AcceptedShape)}

    def post(self, request: Request) -> Response:
        """Add the members of a segment as leads, as a job.

        Who is a lead already keeps their variables. `result` counts created, reactivated, unchanged and without_phone.
        """
        campaign = self.template(self.data["campaign_id"])
        segment = segments.find(self.account, self.data["segment_id"])
        return self.accepted(from_segment.add(campaign, segment, by=request.user))


class Leads(LeadDoor):
    queries: ClassVar = {"GET": inputs.LeadsQuery}
    answers: ClassVar = {"GET": listed(LeadShape)}

    def get(self, request: Request, pk: int) -> Response:  # noqa: ARG002 (DRF's signature)
        """List the leads of a template."""
        found = self.leads().filter(campaign=self.template(pk))
        active = self.params["active"]
        return self.page(found if active is None else found.filter(active=active), shape=LeadShape, counted="capped")


class OneLead(LeadDoor):
    needs: ClassVar = {"DELETE": Permission.AUTHOR}
    answers: ClassVar = {"GET": LeadShape, "DELETE": LeadShape}

    def get(self, request: Request, pk: int) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show a lead."""
        return self.show(self.find(self.leads(), pk=pk), LeadShape)

    def delete(self, request: Request, pk: int) -> Response:  # noqa: ARG002 (DRF's signature)
        """Take a lead out of the queue; it stays for the record as `active: false`."""
        lead = self.find(self.leads(), pk=pk)
        leads.remove(lead)
        return self.show(lead, LeadShape)


class Preview(LeadDoor):
    needs: ClassVar = {"POST": Permission.VIEW}
    bodies: ClassVar = {"POST": inputs.PreviewInput}
    answers: ClassVar = {"POST": PreviewShape}

    def post(self, request: Request, pk: int) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show the message as a lead would read it, or with given values; `missing` names what has no value."""
        campaign = self.template(pk)
        lead_id = self.data.get("lead_id")
        lead = self.find(self.leads(), pk=lead_id, campaign=campaign) if lead_id else None
        return Response(previewing.preview(campaign, lead=lead, values=self.data.get("values")))


class TestSend(LeadDoor):
    needs: ClassVar = {"POST": Permission.SEND}
    bodies: ClassVar = {"POST": inputs.TestSendInput}
    answers: ClassVar = {"POST": (202, MessageShape)}

    def post(self, request: Request, pk: int) -> Response:
        """Send one message to one number, outside the audience."""
        campaign = self.template(pk)
        values: Any = check_values(self.data.get("values") or {}, variables=campaign.variables, field="values")
        broadcast = broadcasting.test_send(campaign, phone=self.data["phone_number"], values=values, by=request.user)
        return self.show(CampaignLeadMessage.objects.of(broadcast).with_outcome().get(), MessageShape, status=202)
