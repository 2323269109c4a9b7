"""Coupon campaigns for operators: found when low or ending, moved with a reason, limited; the large by two people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join

from accounts.roles import Permission
from campaigns_project.admin import Tile, tile
from campaigns_project.admin.acts import Act, Said, act
from campaigns_project.admin.lists import chosen
from campaigns_project.admin.shown import Happening, chip_of, readable
from campaigns_project.admin.walls import may_look, within
from campaigns_project.templatetags import look
from coupons import approving, campaigning, opening, standing, terms
from coupons.models import CouponCampaign, CouponCampaignStatus, DiscountType
from dispatch.moving_admin import MovingAdmin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from django.http import HttpRequest
    from django.utils.safestring import SafeString

_ACTIVE = Q(status=CouponCampaignStatus.ACTIVE)
ENDS_SOON = _ACTIVE & Q(ends_at__lt=Now() + standing.SOON)
_UNCHANGED, _SHOWN, _HIDDEN = ("", "As it is"), ("yes", "Shown"), ("no", "Hidden")


def _locked(campaign: Any) -> CouponCampaign:
    rows = CouponCampaign.objects.select_for_update(of=("self",)).select_related("account", "segment")
    return rows.get(pk=campaign.pk)


def _mover(verb: str) -> Callable[..., Any]:
    def move(campaign: CouponCampaign, *, by: Any, reason: str) -> None:
        opening.move(_locked(campaign), verb, by=by, reason=reason)

    return move


def _can(verb: str) -> Callable[[Any], bool]:
    return lambda campaign: verb in campaign.allowed_verbs()


def _asked(campaign: Any) -> bool:
    return approving.open_question(campaign) is not None


def _end() -> Mapping[str, forms.Field]:
    return {"ends_at": forms.DateTimeField(label="New end", help_text="UTC, such as 2026-12-24 18:00")}


def _limits() -> Mapping[str, forms.Field]:
    return {
        name: forms.IntegerField(required=False, min_value=1, max_value=most, help_text="As it is when empty")
        for name, most in (
            ("max_count", terms.BIGGEST_COUNT),
            ("per_customer_limit", terms.BIGGEST_COUNT),
            ("budget", 10**12),
        )
    }


def _settings() -> Mapping[str, forms.Field]:
    types = [_UNCHANGED, *DiscountType.choices]
    return {
        "discount_type": forms.ChoiceField(required=False, choices=types),
        "discount_value": forms.IntegerField(required=False, min_value=1, help_text="Percent, or minor units"),
        "low_coupons_threshold": forms.IntegerField(required=False, min_value=0, max_value=terms.BIGGEST_COUNT),
        "display_code_on_listing": forms.ChoiceField(required=False, choices=[_UNCHANGED, _SHOWN, _HIDDEN]),
    }


def _setting(name: str) -> Callable[[Any, Any], str]:
    @admin.display(description=name.replace("_", " "))
    def shown(_admin: Any, campaign: CouponCampaign) -> str:
        return str(campaign.settings.get(name, "—"))

    return shown


@tile(85)
def low_coupons(request: HttpRequest) -> Tile | None:
    """Active campaigns that run out of coupons."""
    if not may_look(request, CouponCampaign):
        return None
    number = within(request, CouponCampaign.objects.filter(standing.LOW)).count()
    href = f"{reverse('admin:coupons_couponcampaign_changelist')}?low=yes"
    return Tile("Low coupon pools", f"{number:,}", "active campaigns at their threshold", href)


@admin.register(CouponCampaign)
class CouponCampaignAdmin(MovingAdmin):
    processes: ClassVar = {verb: _mover(verb) for verb in (opening.DEACTIVATE, opening.ARCHIVE)}
    list_display = ("name", "account", "kind", "chip", "low", "redeemed", "ends_at")
    list_filter = ("status", "kind", chosen("low", "low", {"yes": ("Running low", standing.LOW)}),
                   chosen("ends", "ends", {"soon": ("In 24 hours", ENDS_SOON)}))  # fmt: skip
    list_select_related = ("account",)
    ordering = ("-created_at",)
    search_fields = ("=id", "name", "prefix")
    fieldsets = (
        (None, {"fields": ("id", "name", "account", "kind", "prefix", "chip", "since", "redeemed", "spent", "low",
                           "coupon_count")}),
        ("When", {"fields": ("starts_at", "ends_at", "created_at", "updated_at")}),
        ("Settings", {"fields": terms.SETTINGS}),
        ("Limits", {"fields": ("max_count", "per_customer_limit", "budget", "currency", "segment", "stake")}),
        ("Data of the shop", {"fields": ("data",)}),
    )  # fmt: skip

    chip = chip_of("coupon")

    @admin.display(description="redeemed")
    def redeemed(self, campaign: CouponCampaign) -> str:
        most = standing.most(campaign)
        return f"{campaign.used:,}" if most is None else f"{campaign.used:,} of {most:,}"

    @admin.display(description="beside")
    def low(self, campaign: CouponCampaign) -> Any:
        badges = [look.badge(*each) for each in standing.notes(campaign, timezone.now())]
        return format_html_join(" ", "{}", ((each,) for each in badges)) if badges else "—"

    @admin.display(description="may cost")
    def stake(self, campaign: CouponCampaign) -> SafeString:
        return readable(approving.at_stake(campaign))

    @admin.display(description="extradata")
    def data(self, campaign: CouponCampaign) -> SafeString:
        return readable(campaign.extradata)

    def happenings(self, row: Any) -> Iterable[Happening]:
        asked = approving.open_question(row)
        if asked is not None:
            yield Happening(asked.asked_at, "A second person is asked", f"by {asked.asked_by}", "amber")

    @act("Activate", "Its coupons count from its start on. What may cost much waits for a second person.",
         asks=Permission.SEND, fits=_can(opening.ACTIVATE), many=False)  # fmt: skip
    def activate(self, campaign: CouponCampaign, said: Said) -> str | None:
        asked = opening.move(_locked(campaign), opening.ACTIVATE, by=said.by, reason=said.reason)
        return "Asked: a second person decides." if asked else None

    @act("Extend and activate", "It is active until its new end. What may cost much waits for a second person.",
         asks=Permission.SEND, fits=_can(opening.EXTEND), many=False, fields=_end)  # fmt: skip
    def extend(self, campaign: CouponCampaign, said: Said) -> str | None:
        asked = opening.move(_locked(campaign), opening.EXTEND, by=said.by, reason=said.reason, **said.answers)
        return "Asked: a second person decides." if asked else None

    @act("Agree", "The second person's yes: what was asked for is done.", asks=Permission.SEND, fits=_asked, many=False)
    def agree(self, campaign: CouponCampaign, said: Said) -> None:
        opening.decide(_locked(campaign), by=said.by, granted=True, reason=said.reason)

    @act("Refuse", "The second person's no: nothing changes.", asks=Permission.SEND, fits=_asked, many=False)
    def refuse(self, campaign: CouponCampaign, said: Said) -> None:
        opening.decide(_locked(campaign), by=said.by, granted=False, reason=said.reason)

    @act("Change limits", "Uses so far stay. An active campaign does not grow over what one person decides.",
         asks=Permission.MONEY, fits=lambda one: one.status in CouponCampaignStatus.OPEN, many=False,
         fields=_limits)  # fmt: skip
    def limit(self, campaign: CouponCampaign, said: Said) -> None:
        campaigning.limit(_locked(campaign), **said.answers)

    @act("Change settings", "Its coupons follow at once.", asks=Permission.SEND,
         fits=lambda one: one.status in CouponCampaignStatus.OPEN, many=False, fields=_settings)  # fmt: skip
    def change(self, campaign: CouponCampaign, said: Said) -> None:
        settings = dict(said.answers)
        if "display_code_on_listing" in settings:
            settings["display_code_on_listing"] = settings["display_code_on_listing"] == _SHOWN[0]
        campaigning.change(_locked(campaign), by=said.by, settings=settings)

    acts: ClassVar[list[Act]] = [activate, extend, agree, refuse, limit, change]


for _name in terms.SETTINGS:
    setattr(CouponCampaignAdmin, _name, _setting(_name))
