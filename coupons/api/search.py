"""Coupon campaigns found by words, prefix or code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework import serializers
from rest_framework.response import Response

from campaigns_project.api import (
    ChoiceField,
    IntegerField,
    MomentField,
    StrictSerializer,
    TextField,
    listed,
)
from campaigns_project.api.lists import DEFAULT_LIMIT, MAX_LIMIT
from campaigns_project.refusals import Invalid
from coupons import indexing, search
from coupons.api.campaigns import CouponCampaignDoor
from coupons.api.shapes import CouponCampaignShape
from coupons.models import CouponCampaignStatus, CouponKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rest_framework.request import Request

LONGEST_QUERY = 200
_ORDERS = [f"{sign}{name}" for name in search.ORDERS for sign in ("", "-")]


class CouponSearchFilters(StrictSerializer):
    status = serializers.ListField(child=ChoiceField(choices=CouponCampaignStatus.choices), required=False)
    kind = serializers.ListField(child=ChoiceField(choices=CouponKind.choices), required=False)
    starts_from = MomentField(required=False)
    starts_to = MomentField(required=False)
    ends_from = MomentField(required=False)
    ends_to = MomentField(required=False)


class CouponSearchInput(StrictSerializer):
    query = TextField(
        max_length=LONGEST_QUERY,
        required=False,
        allow_blank=True,
        help_text="Beginnings of words of the name, all of them; a prefix; or a coupon's code. Empty for all.",
    )
    filters = CouponSearchFilters(required=False)
    sort = ChoiceField(choices=_ORDERS, default="-created_at")
    page = IntegerField(min_value=1, max_value=search.DEEPEST, default=1)
    limit = IntegerField(min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT)

    example: ClassVar[dict[str, Any]] = {
        "query": "summer sale",
        "filters": {"status": ["active"], "kind": ["single-use", "group"]},
        "sort": "-created_at",
        "page": 1,
        "limit": 20,
    }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["page"] * attrs["limit"] > search.DEEPEST:
            raise Invalid(details={"page": [f"A search shows {search.DEEPEST:,} campaigns at most: narrow it down."]})
        return attrs


class SearchDoor(CouponCampaignDoor):
    # It changes nothing: whoever may look may search.
    needs: ClassVar = {"POST": "view"}
    bodies: ClassVar = {"POST": CouponSearchInput}
    answers: ClassVar = {"POST": listed(CouponCampaignShape)}

    def found(self, **terms: Any) -> Response:
        page, limit = self.data["page"], self.data["limit"]
        filters = self.data.get("filters", {})
        answer = search.find(
            self.account,
            self.data.get("query", ""),
            terms={**{name: filters[name] for name in ("status", "kind") if name in filters}, **terms},
            ranges=_ranges(filters),
            order=self.data["sort"],
            offset=(page - 1) * limit,
            limit=limit,
        )
        body = {
            "data": CouponCampaignShape(answer.campaigns, many=True, context={"request": self.request}).data,
            "pagination": {
                "page": page,
                "limit": limit,
                "total": answer.total,
                "total_pages": -(-answer.total // limit),
                "next_cursor": None,
            },
        }
        return Response(body, headers=_told(answer.index))


class SearchCampaigns(SearchDoor):
    def post(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """Search coupon campaigns by the words of their names, by prefix, or by the code of a coupon.

        `Search-Index` says what found them: `opensearch`, or `postgresql` when that is not set up, silent or behind;
        `Search-Lag-Seconds` how far behind it is.
        """
        return self.found()


class SearchCampaign(SearchDoor):
    def post(self, request: Request, campaign_id: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Search as `/search` does, among this one campaign only."""
        return self.found(id=[str(self.campaign(campaign_id).pk)])


def _ranges(filters: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    bounds = {name: (filters.get(f"{name}_from"), filters.get(f"{name}_to")) for name in ("starts", "ends")}
    return {f"{name}_at": both for name, both in bounds.items() if any(both)}


def _told(index: str) -> dict[str, str]:
    behind = indexing.lag()
    return {"Search-Index": index} | ({} if behind is None else {"Search-Lag-Seconds": f"{behind:.1f}"})
