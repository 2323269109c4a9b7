"""People, the consent ledger and what happened, for operators. Only suppressions are added and taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.validators import EmailValidator, RegexValidator

from accounts.roles import Permission
from campaigns_project.admin.acts import Act, Said, act, leave_trace
from campaigns_project.admin.reasons import ReasonForm, printable
from campaigns_project.admin.rows import OperatorAdmin
from campaigns_project.admin.shown import chip_of, readable
from campaigns_project.templatetags.look import money
from crm.customers import consent
from crm.models import Channel, ConsentEntry, Customer, Event, PushSubscription, Suppression

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest
    from django.utils.safestring import SafeString

OPERATOR = "operator"
PHONE = RegexValidator(r"^\+[1-9][0-9]{6,14}$", "A phone number is written as +15550100.")


def _confirmed() -> Mapping[str, forms.Field]:
    label = "The person asked for it, and I have seen their words"
    return {"sure": forms.BooleanField(label=label)}


class SuppressionForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """A new suppression: of the address only a keyed hash is kept."""

    address = forms.CharField(
        max_length=254, validators=[printable], help_text="A phone number as +15550100 or an e-mail address."
    )
    why = ReasonForm.base_fields["reason"]

    class Meta:
        model = Suppression
        fields = ("account", "channel")

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        address, channel = given.get("address", ""), given.get("channel")
        shape = EmailValidator() if channel == Channel.EMAIL else PHONE
        if channel in (Channel.EMAIL, Channel.SMS, Channel.WHATSAPP) and address:
            try:
                shape(address)
            except forms.ValidationError as fault:
                self.add_error("address", fault)
        return given


@admin.register(Suppression)
class SuppressionAdmin(OperatorAdmin):
    list_display = ("id", "channel", "account", "reason", "source", "at")
    list_filter = ("channel", "reason")
    list_select_related = ("account",)
    search_fields = ("=id", "^address_hash")
    fields = ("account", "channel", "address_hash", "reason", "source", "at")
    add_form_template = "admin/change_form.html"
    raw_id_fields = ("account",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        user: Any = request.user
        return bool(user.has_perm("crm.add_suppression") and self.may_act(request, Permission.BLOCKLIST))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        if obj is None:
            return super().get_form(request, obj, change, **{**options, "form": SuppressionForm, "fields": None})
        return super().get_form(request, obj, change, **options)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("account", "channel", "address", "why") if obj is None else super().get_fields(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ARG002 (Django's)
        """Through the ledger, which keeps the reason as its proof."""
        caller: Any = request
        given = form.cleaned_data
        said = Said(caller.user, given["why"], {}, caller.request_id)
        proof = {"reason": given["why"], "by": caller.user.pk}
        consent.withdraw(obj.account, channel=obj.channel, address=given["address"], source=OPERATOR, proof=proof)
        hashed = consent.address_hash(obj.account_id, obj.channel, given["address"])
        obj.pk = Suppression.objects.for_account(obj.account).get(channel=obj.channel, address_hash=hashed).pk
        leave_trace(obj, said, "suppression.add")

    @act(
        "Remove",
        "Messages may go to this address again. The ledger keeps who said so and why.",
        asks=Permission.BLOCKLIST,
        fields=_confirmed,
        many=False,
        removes=True,
    )
    def remove(self, suppression: Suppression, said: Said) -> None:
        consent.lift(suppression, source=OPERATOR, proof={"reason": said.reason, "by": said.by.pk})

    acts: ClassVar[list[Act]] = [remove]


@admin.register(Customer)
class CustomerAdmin(OperatorAdmin):
    list_display = ("public_id", "first_name", "last_name", "phone", "email", "loyalty_tier", "order_count", "spent",
                    "last_order_at", "account", "created_at")  # fmt: skip
    list_filter = ("loyalty_tier",)
    list_select_related = ("account",)
    search_fields = ("^public_id", "^phone", "^email", "=external_id")
    fields = ("account", "public_id", "external_id", "first_name", "last_name", "phone", "email", "country", "language",
              "time_zone", "loyalty_tier", "labels", "known", "spent", "order_count", "last_order_at", "erased_at",
              "created_at", "updated_at")  # fmt: skip

    @admin.display(description="tags")
    def labels(self, customer: Customer) -> str:
        return ", ".join(customer.tags)

    @admin.display(description="spent", ordering="total_spent_minor")
    def spent(self, customer: Customer) -> str:
        return money(customer.total_spent_minor, customer.account.currency)

    @admin.display(description="attributes")
    def known(self, customer: Customer) -> SafeString:
        return readable(customer.attributes)


@admin.register(ConsentEntry)
class ConsentEntryAdmin(OperatorAdmin):
    list_display = ("id", "at", "channel", "purpose", "chip", "source", "customer", "account")
    list_filter = ("channel", "act", "source")
    list_select_related = ("account", "customer")
    search_fields = ("=id", "^address_hash")
    fields = ("account", "customer", "channel", "purpose", "chip", "address_hash", "source", "proven", "at")

    chip = chip_of("consent", "act")

    @admin.display(description="proof")
    def proven(self, entry: ConsentEntry) -> SafeString:
        return readable(entry.proof)


@admin.register(PushSubscription)
class PushSubscriptionAdmin(OperatorAdmin):
    """Browsers that take pushes. Their keys are shown to nobody."""

    list_display = ("public_id", "customer", "account", "created_at")
    list_select_related = ("account", "customer")
    search_fields = ("^public_id", "^customer__public_id")
    fields = ("account", "public_id", "customer", "endpoint", "created_at")


@admin.register(Event)
class EventAdmin(OperatorAdmin):
    list_display = ("public_id", "occurred_at", "type", "customer", "phone", "account")
    list_select_related = ("account", "customer")
    search_fields = ("^public_id", "=event_id", "^phone")
    fields = ("account", "public_id", "event_id", "type", "customer", "email", "phone", "occurred_at", "received_at",
              "value_minor", "currency", "about")  # fmt: skip

    @admin.display(description="properties")
    def about(self, event: Event) -> SafeString:
        return readable(event.properties)
