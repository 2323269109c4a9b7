"""What the form of a promo takes: amounts with decimals, and times in the account's zone."""

from __future__ import annotations

import zoneinfo
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils import timezone

from campaigns_project import currencies
from crm.models import PromoType, Segment
from crm.models.promo import BIGGEST_COUNT, all_items

if TYPE_CHECKING:
    from accounts.models import Account
    from campaigns_project.refusals import Refusal

# The promo's words for the form's fields, where they differ.
_NAMES = {"applies_to": "items", "applies_to.items": "items"}


class DecimalField(forms.DecimalField):
    """A number from 0 on, with as many decimals as any currency has; None when it may be left out and is."""

    def __init__(self, **options: Any) -> None:
        box = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(min_value=0, max_digits=14, decimal_places=4, required=False, widget=box, **options)


class AmountField(DecimalField):
    """Decimal major units of `currency`, which the form sets, cleaned to minor units."""

    currency = ""

    def clean(self, value: Any) -> Any:
        amount = super().clean(value)
        minor = None if amount is None else currencies.minor(amount, self.currency)
        if minor is None and amount is not None:
            raise forms.ValidationError(currencies.too_fine(self.currency))
        return minor


class CountField(forms.IntegerField):
    def __init__(self, *, least: int = 1, **options: Any) -> None:
        box = forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"})
        super().__init__(min_value=least, max_value=BIGGEST_COUNT, required=False, widget=box, **options)


def _moment(**options: Any) -> forms.DateTimeField:
    return forms.DateTimeField(required=False, widget=forms.DateTimeInput(attrs={"type": "datetime-local"}), **options)


class PromoForm(forms.Form):
    """A new promo."""

    code = forms.CharField(max_length=32, help_text="3 to 32 letters, digits, - or _", strip=True)
    type = forms.ChoiceField(label="It gives", choices=PromoType.choices)
    value = DecimalField(help_text="Percent, or an amount; nothing for free shipping")
    min_order = AmountField(label="From an order of")
    max_discount = AmountField(label="At most")
    usage_limit = CountField(label="Uses in all")
    per_customer_limit = CountField(label="Uses per customer")
    budget = AmountField(help_text="What all discounts together may come to")
    valid_from = _moment(label="From")
    valid_until = _moment(label="Until")
    segment = forms.ModelChoiceField(
        Segment.objects.none(), required=False, label="For", empty_label="Everybody", to_field_name="public_id"
    )
    items = forms.CharField(
        required=False, max_length=20_000, help_text="SKUs, one a line; everything when empty", widget=forms.Textarea
    )

    def __init__(self, *args: Any, account: Account, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["segment"].queryset = Segment.objects.for_account(account).order_by("name")  # type: ignore[attr-defined]
        for field in self.fields.values():
            if isinstance(field, AmountField):
                field.currency = account.currency
        self.zone = zoneinfo.ZoneInfo(account.time_zone)
        self.fields["valid_from"].help_text = f"Now when empty; in your account's time zone, {account.time_zone}"
        self.fields["items"].widget.attrs["rows"] = 3

    def full_clean(self) -> None:
        with timezone.override(self.zone):
            super().full_clean()

    @property
    def terms(self) -> dict[str, Any]:
        """What was typed, as `promos.create` takes it."""
        given = dict(self.cleaned_data)
        items = [line.strip() for line in given.pop("items").splitlines() if line.strip()]
        given["worth"] = given.pop("value")
        terms = {name: value for name, value in given.items() if value is not None}
        return terms | {"applies_to": {"items": items} if items else all_items()}

    def refuse(self, refusal: Refusal) -> None:
        """Show a refusal beside the fields it names."""
        for name, sentences in (refusal.details or {"code": [refusal.message]}).items():
            self.add_error(_NAMES.get(name, name), sentences)
