"""Segments, for operators: how large, how fresh, how long a refresh takes; refreshed or made a plain list."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib import admin

from accounts.roles import Permission
from campaigns_project.admin.acts import Act, Said, act
from campaigns_project.admin.rows import OperatorAdmin
from campaigns_project.admin.shown import chip_of, readable
from crm.audiences import refreshing, segments
from crm.models import Segment

if TYPE_CHECKING:
    from django.utils.safestring import SafeString


@admin.register(Segment)
class SegmentAdmin(OperatorAdmin):
    list_display = ("public_id", "name", "chip", "size", "refreshed_at", "refresh_ms", "account")
    list_filter = ("type",)
    list_select_related = ("account",)
    search_fields = ("^public_id", "name")
    fields = ("account", "public_id", "name", "chip", "what", "size", "version", "refreshed_at", "changes_from",
              "refresh_ms", "created_at")  # fmt: skip

    chip = chip_of("segment", "type")

    @admin.display(description="criteria")
    def what(self, segment: Segment) -> SafeString:
        return readable(segment.criteria)

    @act("Build anew", "All customers are looked through again, as a job.", asks=Permission.AUTHOR,
         fits=lambda segment: segment.is_dynamic)  # fmt: skip
    def build_anew(self, segment: Segment, said: Said) -> None:
        refreshing.rebuild_soon(segment, by=said.by)

    @act("Freeze", "Its present members stay, whatever they do; the criteria are forgotten.", asks=Permission.AUTHOR,
         fits=lambda segment: segment.is_dynamic)  # fmt: skip
    def freeze(self, segment: Segment, said: Said) -> None:  # noqa: ARG002 (the trace keeps who and why)
        segments.freeze(segment)

    acts: ClassVar[list[Act]] = [build_anew, freeze]
