"""Segments: the list, one of them, who is in it, and whom criteria would find."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import transaction
from rest_framework.response import Response

from accounts.roles import Permission
from campaigns_project.api import IMPORT, AcceptedShape, Door, FileDoor, ListQuery, NothingInput, listed
from campaigns_project.refusals import InvalidJSON
from crm.api import segment_shapes as shapes
from crm.audiences import criteria, refreshing, segments
from crm.audiences import importing as segment_import
from crm.models import Customer, Segment

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request


class SegmentDoor(Door):
    tag = "segments"

    def ours(self) -> QuerySet[Segment]:
        return Segment.objects.for_account(self.account).select_related("account")

    def segment(self, segment_id: str, *, locked: bool = False) -> Segment:
        rows = self.ours().select_for_update(no_key=True, of=("self",)) if locked else self.ours()
        found: Segment = self.find(rows, public_id=segment_id)
        return found

    def shown(self, segment: Segment, **how: Any) -> Response:
        told: Any = segment
        told.used_by = segments.uses(segment)
        return self.show(told, shapes.OneSegmentShape, **how)

    def handle_exception(self, exc: Exception) -> Response:
        # What cannot be stored is no criteria either.
        if isinstance(exc, InvalidJSON) and any(path.startswith("criteria") for path in exc.details):
            exc = criteria.InvalidSegmentCriteria(details=exc.details)
        return super().handle_exception(exc)


class Segments(SegmentDoor):
    needs: ClassVar = {"POST": Permission.AUTHOR}
    queries: ClassVar = {"GET": shapes.SegmentsQuery}
    bodies: ClassVar = {"POST": shapes.SegmentInput}
    answers: ClassVar = {"GET": listed(shapes.SegmentShape), "POST": (201, shapes.OneSegmentShape)}

    def get(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """List the segments, the newest first."""
        found = self.ours().filter(name__icontains=self.params.get("search", ""))
        if "type" in self.params:
            found = found.filter(type=self.params["type"])
        return self.page(found, shape=shapes.SegmentShape)

    def post(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """Create a segment: a dynamic one from criteria, a static one from customers.

        Criteria are `{field: value}` or `{field: {operator: value}}`, all of which must hold; `{"any": […]}`,
        `{"all": […]}` and `{"not": {…}}` nest up to 5 deep. Operators: eq ne in nin exists contains, and for numbers gt
        gte lt lte between. Fields: loyalty_tier, total_spent (such as 25.00), order_count, last_order_days_ago,
        created_days_ago, tags, email_opt_in, sms_opt_in, push_opt_in, whatsapp_opt_in, country, language and
        attributes.<name>. Who has no value is in no comparison, only in ne, nin, not and `exists: false`.

        400 `invalid_segment_criteria` names the path of what is wrong; 422 `segment_too_large` for more people than any
        channel may reach.
        """
        return self.shown(refreshing.create(self.account, **self.data), status=201)


class Import(SegmentDoor, FileDoor):
    needs: ClassVar = {"POST": Permission.AUTHOR}
    bodies: ClassVar = {"POST": shapes.SegmentImportForm}
    answers: ClassVar = {"POST": (202, AcceptedShape)}
    max_body = IMPORT

    def post(self, request: Request) -> Response:
        """Create a segment from a CSV file of customers, as a job with a file of the lines that name nobody.

        The first line names the columns; one is `customer_id`, `external_id`, `email` or `phone`. `result` has
        `segment_id` and how many were `added`.
        """
        given: Any = self.data
        _, job = segment_import.import_csv(self.account, given["file"], name=given["name"], by=request.user)
        return self.accepted(job)


class OneSegment(SegmentDoor):
    needs: ClassVar = {"PATCH": Permission.AUTHOR, "DELETE": Permission.AUTHOR}
    bodies: ClassVar = {"PATCH": shapes.ChangeSegmentInput}
    answers: ClassVar = {"GET": shapes.OneSegmentShape, "PATCH": shapes.OneSegmentShape}
    editable = True

    def get(self, request: Request, segment_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show a segment and what uses it."""
        return self.shown(self.segment(segment_id))

    def patch(self, request: Request, segment_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Change the name or the criteria; members follow as soon as they are found."""
        with transaction.atomic():
            segment = self.segment(segment_id, locked=True)
            self.unchanged(segment)
            return self.shown(refreshing.change(segment, **self.data))

    def delete(self, request: Request, segment_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Delete a segment. 409 `segment_in_use` while something uses it."""
        with transaction.atomic():
            segment = self.segment(segment_id, locked=True)
            self.unchanged(segment)
            segments.delete(segment)
        return Response(status=204)


class Members(SegmentDoor):
    needs: ClassVar = {"POST": Permission.AUTHOR}
    queries: ClassVar = {"GET": ListQuery}
    bodies: ClassVar = {"POST": shapes.MembersInput}
    answers: ClassVar = {"GET": listed(shapes.MemberShape), "POST": shapes.MovedShape}

    def get(self, request: Request, segment_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """List who is in a segment, the newest customers first."""
        return self.page(segments.members(self.segment(segment_id)), shape=shapes.MemberShape, counted="capped")

    def post(self, request: Request, segment_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Put customers into a static or imported segment. 409 `segment_is_dynamic` for another."""
        segment = self.segment(segment_id)
        added = segments.add(segment, self.data["customer_ids"])
        return Response({"added": added, "size": segment.size})


class OneMember(SegmentDoor):
    needs: ClassVar = {"DELETE": Permission.AUTHOR}
    answers: ClassVar = {"GET": shapes.MemberShape}

    def get(self, request: Request, segment_id: str, customer_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show a member; 404 for somebody who is not in the segment."""
        return self.show(self._member(self.segment(segment_id), customer_id), shapes.MemberShape)

    def delete(self, request: Request, segment_id: str, customer_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Take somebody out of a static or imported segment."""
        segment = self.segment(segment_id)
        segments.remove(segment, [self._member(segment, customer_id).public_id])
        return Response(status=204)

    def _member(self, segment: Segment, customer_id: str) -> Customer:
        found: Customer = self.find(segments.members(segment), public_id=customer_id)
        return found


class PreviewCriteria(SegmentDoor):
    # Counting is looking; whoever may not write segments may still ask.
    needs: ClassVar = {"POST": Permission.VIEW, "DELETE": Permission.VIEW}
    bodies: ClassVar = {"POST": shapes.PreviewSegmentInput}
    answers: ClassVar = {"POST": shapes.SegmentPreviewShape, "DELETE": shapes.CancelledShape}

    def post(self, request: Request) -> Response:
        """Count whom criteria would find now, and show a few of them.

        After a second the planner's estimate is told instead. Another count by the same person ends this one: 409
        `count_cancelled`.
        """
        return previewed(refreshing.counted(self.account, self.data["criteria"], by=request.user))

    def delete(self, request: Request) -> Response:
        """End the counts one has running."""
        return Response({"cancelled": refreshing.cancel(request.user)})


class Preview(SegmentDoor):
    answers: ClassVar = {"GET": shapes.SegmentPreviewShape}

    def get(self, request: Request, segment_id: str) -> Response:
        """Count whom a segment would hold now; of one without criteria, whom it holds."""
        segment = self.segment(segment_id)
        if segment.is_dynamic:
            return previewed(refreshing.counted(self.account, segment.criteria, by=request.user))
        sample = segments.members(segment).order_by("-id")[: refreshing.SAMPLE]
        return previewed(refreshing.Counted(segment.size, True, list(sample)))


class Refresh(SegmentDoor):
    needs: ClassVar = {"POST": Permission.AUTHOR}
    bodies: ClassVar = {"POST": NothingInput}
    answers: ClassVar = {"POST": (202, AcceptedShape)}

    def post(self, request: Request, segment_id: str) -> Response:
        """Bring a dynamic segment up to date, as a job. 409 `segment_is_not_dynamic` for another."""
        return self.accepted(refreshing.refresh_soon(self.segment(segment_id), by=request.user))


class Limits(SegmentDoor):
    needs: ClassVar = {"PUT": Permission.SETTINGS}
    bodies: ClassVar = {"PUT": shapes.LimitsInput}
    answers: ClassVar = {"GET": shapes.LimitsShape, "PUT": shapes.LimitsShape}

    def get(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """Show how many people one campaign may reach, by channel."""
        return Response(segments.most_of(self.account))

    def put(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """Lower how many people one campaign may reach; a channel that is left out gets the maximum again."""
        return Response(segments.limit(self.account, self.data))


def previewed(found: refreshing.Counted) -> Response:
    told = {"size": found.size, "size_is_estimate": not found.exact, "sample": found.sample}
    return Response(shapes.SegmentPreviewShape(told).data)
