"""What the forms of a coupon campaign take, step by step, in the words of `coupons.campaigning`."""

from __future__ import annotations

import zoneinfo
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from campaigns_project import currencies
from coupons import terms
from coupons.models import CouponKind, DiscountType
from coupons.pages.door import currency_of
from crm.models import Segment
from crm.pages.promo_forms import AmountField, CountField, DecimalField

if TYPE_CHECKING:
    from accounts.models import Account
    from campaigns_project.refusals import Refusal
    from coupons.models import CouponCampaign

# The rules' words for the forms' fields, where they differ.
_NAMES = {
    "customer_segment_id": "segment",
    "prefix": "begins",
    "single_use_min_cart_value": "min_cart",
    "single_use_product_id": "product",
    "single_use_variant_id": "variant",
    "single_use_quantity": "quantity",
}
KINDS = [
    (CouponKind.SINGLE_USE, "Single use: many codes, each good for one order"),
    (CouponKind.GROUP, "Group: codes that many people share"),
    (CouponKind.LIGHTNING, "Lightning: shared codes for at most 24 hours, with a limit"),
]


class StepForm(forms.Form):
    """One step: `said` is what `campaigning.change` is told, `limits` what `campaigning.limit` is."""

    @property
    def said(self) -> dict[str, Any]:
        return dict(self.cleaned_data)

    @property
    def limits(self) -> dict[str, Any]:
        return {}

    def refuse(self, refusal: Refusal) -> None:
        """Show a refusal beside the fields it names, the rest above them."""
        told = False
        for path, sentences in refusal.details.items():
            plain = path.removeprefix("settings.")
            name = _NAMES.get(plain, plain)
            if isinstance(sentences, list):
                self.add_error(name if name in self.fields else None, sentences)
                told = True
        if not told:
            self.add_error(None, refusal.message)


class AudienceForm(StepForm):
    """Step 1: what it is called, and whom it is for."""

    name = forms.CharField(max_length=200)
    segment = forms.ModelChoiceField(
        Segment.objects.none(), required=False, label="For", empty_label="Everybody", to_field_name="public_id"
    )

    def __init__(self, *args: Any, account: Account, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["segment"].queryset = Segment.objects.for_account(account).order_by("name")  # type: ignore[attr-defined]

    @classmethod
    def of(cls, campaign: CouponCampaign, data: Any = None) -> StepForm:
        known = {"name": campaign.name, "segment": campaign.segment and campaign.segment.public_id}
        return cls(data, account=campaign.account, initial=known)

    @property
    def said(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name != "segment"}

    @property
    def limits(self) -> dict[str, Any]:
        segment = self.cleaned_data["segment"]
        return {"customer_segment_id": segment.public_id if segment else None}


class StartForm(AudienceForm):
    """A new campaign; its kind stays."""

    kind = forms.ChoiceField(choices=KINDS, widget=forms.RadioSelect, initial=CouponKind.SINGLE_USE)
    field_order = ("name", "kind", "segment")


class DiscountForm(StepForm):
    """Step 2: what a coupon gives, for what, and how often."""

    discount_type = forms.ChoiceField(
        label="It gives", choices=[(DiscountType.PERCENTAGE, "Percent off"), (DiscountType.FLAT, "An amount off")]
    )
    discount_value = DecimalField(label="How much", help_text="Whole percent, or an amount")
    min_cart = AmountField(label="From a cart of")
    product = forms.CharField(required=False, max_length=120, label="Only for the product", help_text="Its id")
    variant = forms.CharField(required=False, max_length=120, label="Only for the variant", help_text="Its id")
    max_count = CountField(label="Uses in all", help_text="Of all its codes together; no limit when empty")
    per_customer_limit = CountField(label="Uses per customer")
    budget = AmountField(label="Budget", help_text="What all discounts together may come to")

    def __init__(self, *args: Any, campaign: CouponCampaign, **options: Any) -> None:
        super().__init__(*args, **options)
        self.campaign, self.currency = campaign, currency_of(campaign)
        if campaign.kind != CouponKind.SINGLE_USE:
            for name in ("min_cart", "product", "variant"):
                del self.fields[name]
        for field in self.fields.values():
            if isinstance(field, AmountField):
                field.currency = self.currency

    @classmethod
    def of(cls, campaign: CouponCampaign, data: Any = None) -> StepForm:
        settings, currency = campaign.settings, currency_of(campaign)

        def major(minor: int | None) -> Any:
            return None if minor is None else currencies.major(minor, currency)

        flat = settings.get("discount_type") == DiscountType.FLAT
        value, cart = settings.get("discount_value"), settings.get("single_use_min_cart_value")
        known = {
            "discount_type": settings.get("discount_type"),
            "discount_value": major(value) if flat else value,
            "min_cart": major(cart and int(cart)),
            "product": settings.get("single_use_product_id"),
            "variant": settings.get("single_use_variant_id"),
            "max_count": campaign.max_count,
            "per_customer_limit": campaign.per_customer_limit,
            "budget": major(campaign.budget),
        }
        return cls(data, campaign=campaign, initial=known)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        value = given.get("discount_value")
        if value is not None:
            flat = given.get("discount_type") == DiscountType.FLAT
            whole = currencies.minor(value, self.currency) if flat else int(value) if value == int(value) else None
            if whole is None:
                wrong = currencies.too_fine(self.currency) if flat else "A percentage is a whole number."
                raise ValidationError({"discount_value": wrong})
            given["discount_value"] = whole
        return given

    @property
    def said(self) -> dict[str, Any]:
        given = self.cleaned_data
        settings = {name: given[name] for name in ("discount_type", "discount_value")}
        if "min_cart" in given:
            settings["single_use_min_cart_value"] = None if given["min_cart"] is None else str(given["min_cart"])
            settings["single_use_product_id"] = given["product"] or None
            settings["single_use_variant_id"] = given["variant"] or None
        return {"settings": settings}

    @property
    def limits(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("max_count", "per_customer_limit", "budget")}


class CodesForm(StepForm):
    """Step 3: how its codes look, and how many there are."""

    begins = forms.CharField(
        required=False, max_length=20, label="Prefix", help_text="Begins every code; letters, digits, - or _"
    )
    quantity = CountField(label="How many codes", help_text="They are made in the background as soon as you save")
    low_coupons_threshold = forms.IntegerField(
        required=False, min_value=0, max_value=terms.BIGGEST_COUNT, label="Running low at",
        help_text="You are told when no more than this are left",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )  # fmt: skip
    display_code_on_listing = forms.BooleanField(required=False, label="Show the code in lists of your shop")

    def __init__(self, *args: Any, campaign: CouponCampaign, **options: Any) -> None:
        super().__init__(*args, **options)
        if campaign.kind != CouponKind.SINGLE_USE:
            del self.fields["quantity"]
        if campaign.coupon_count:
            self.fields["begins"].disabled = True
            self.fields["begins"].help_text = "It stays, because there are codes"

    @classmethod
    def of(cls, campaign: CouponCampaign, data: Any = None) -> StepForm:
        settings = campaign.settings
        known = {name: settings.get(name) for name in ("low_coupons_threshold", "display_code_on_listing")}
        known |= {"begins": campaign.prefix, "quantity": settings.get("single_use_quantity")}
        return cls(data, campaign=campaign, initial=known)

    @property
    def said(self) -> dict[str, Any]:
        given = self.cleaned_data
        settings = {name: given[name] for name in ("low_coupons_threshold", "display_code_on_listing")}
        if "quantity" in given:
            settings["single_use_quantity"] = given["quantity"]
        return {"prefix": given["begins"], "settings": settings}


def _moment(label: str, *, required: bool = False) -> forms.DateTimeField:
    box = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(required=required, label=label, widget=box)


class ZonedForm(StepForm):
    """A form whose times are typed in the account's zone."""

    def __init__(self, *args: Any, account: Account, **options: Any) -> None:
        super().__init__(*args, **options)
        self.zone = zoneinfo.ZoneInfo(account.time_zone)
        for field in self.fields.values():
            if isinstance(field, forms.DateTimeField):
                field.help_text = f"In your account's time zone, {account.time_zone}"

    def full_clean(self) -> None:
        with timezone.override(self.zone):
            super().full_clean()


class WindowForm(ZonedForm):
    """Step 4: from when until when, and what was seen."""

    starts_at = _moment("Starts")
    ends_at = _moment("Ends")
    seen = forms.CharField(max_length=80, required=False, widget=forms.HiddenInput)

    @classmethod
    def of(cls, campaign: CouponCampaign, data: Any = None, *, seen: str = "") -> WindowForm:
        zone = zoneinfo.ZoneInfo(campaign.account.time_zone)
        known: dict[str, Any] = {"seen": seen}
        for name in ("starts_at", "ends_at"):
            at = getattr(campaign, name)
            known[name] = at.astimezone(zone).replace(tzinfo=None) if at else None
        return cls(data, account=campaign.account, initial=known)

    @property
    def said(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in ("starts_at", "ends_at") if name in self.changed_data}


class ReasonForm(ZonedForm):
    """Why, if one likes; with the new end, or the name typed, where the action takes it."""

    ends_at = _moment("New end", required=True)
    typed = forms.CharField(max_length=200, label="Type the name of the campaign")
    reason = forms.CharField(required=False, max_length=200)

    def __init__(self, *args: Any, takes: tuple[str, ...], name: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.name = name
        for field in ("ends_at", "typed"):
            if field not in takes:
                del self.fields[field]
        if "typed" in takes:
            self.fields["typed"].help_text = f"{name}, because this can’t be undone"

    def clean_typed(self) -> str:
        if self.cleaned_data["typed"].strip() != self.name:
            raise ValidationError(f"Type {self.name} to go on.")
        return self.name
