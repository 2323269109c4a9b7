"""The catalogue: its list, one product with its variants, a new one, a file of them; and the orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.http import Http404

from accounts.merchant_page import MerchantPage, searched
from accounts.roles import Permission
from campaigns_project import currencies
from campaigns_project.models import Job
from campaigns_project.pages import flash, fragment, paged
from campaigns_project.refusals import Invalid
from crm.catalogue import importing, products
from crm.models import Order, Product
from crm.models.catalogue import LONGEST_ID
from crm.pages.imports import standing
from crm.pages.promo_forms import AmountField, CountField

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from accounts.models import Account


class ProductForm(forms.Form):
    """A product, or new terms of one whose id is known."""

    external_id = forms.CharField(
        label="Your id", max_length=LONGEST_ID, help_text="As your shop calls it; coupons name it by this"
    )
    name = forms.CharField(max_length=200)
    price = AmountField()
    stock = CountField(least=0, help_text="How many there are; empty when you do not count")

    def __init__(self, *args: Any, account: Account, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["price"].currency = account.currency  # type: ignore[attr-defined]  # an AmountField
        self.fields["price"].help_text = f"In {account.currency}"

    @property
    def item(self) -> products.Item:
        given = dict(self.cleaned_data)
        return products.Item({"price_minor": given.pop("price"), "currency": "", **given})


class SheetForm(forms.Form):
    file = forms.FileField(
        label="CSV file",
        allow_empty_file=True,
        help_text="In UTF-8. The first line names the columns: product_id, name, price, currency, stock; for a variant "
        "also variant_id and variant_name.",
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )


class Products(MerchantPage):
    """`/products`: what there is to sell, newest first."""

    def get(self, request: HttpRequest) -> HttpResponse:
        asked = searched(request)
        ours = Product.objects.for_account(self.account).filter(products.beginning(asked)).prefetch_related("variants")
        return self.show("crm/products.html", page=paged(ours.order_by("-pk"), request), q=asked)


class NewProduct(MerchantPage):
    """`/products/new`: one form; a product whose id is there is changed."""

    needs = {"GET": Permission.AUTHOR, "POST": Permission.AUTHOR}

    def get(self, request: HttpRequest) -> HttpResponse:
        known = Product.objects.for_account(self.account).filter(public_id=request.GET.get("change", "")[:40]).first()
        return self.show("crm/product_new.html", form=self._form(initial=_shown(known, self.account) if known else {}))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = self._form(request.POST)
        if not form.is_valid():
            return self.show("crm/product_new.html", 400, form=form)
        done = products.put(self.account, [form.item])
        saved = Product.objects.for_account(self.account).get(external_id=form.item.id)
        said = "is in your catalogue." if done.created else "is saved."
        return flash(request, f"{saved.name} {said}", f"/products/{saved.public_id}")

    def _form(self, *args: Any, **options: Any) -> ProductForm:
        return ProductForm(*args, account=self.account, **options)


class OneProduct(MerchantPage):
    """`/products/prod_…`: its price, its stock and its variants."""

    def get(self, request: HttpRequest, product_id: str) -> HttpResponse:
        product = self.find(Product.objects.all(), public_id=product_id)
        variants = paged(product.variants.order_by("external_id"), request)
        return self.show("crm/product.html", product=product, page=variants)


class ImportProducts(MerchantPage):
    """`/products/import`: a file of them, and those before."""

    needs = {"GET": Permission.AUTHOR, "POST": Permission.AUTHOR}

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        return self._page(SheetForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = SheetForm(request.POST, request.FILES)
        if form.is_valid():
            try:
                job = importing.import_csv(self.account, form.cleaned_data["file"], by=self.user)
            except Invalid as refusal:
                form.add_error("file", refusal.details["file"])
            else:
                return flash(request, "Your products are being read.", f"/products/import/{job.public_id}")
        return self._page(form, 400)

    def _page(self, form: SheetForm, status: int = 200) -> HttpResponse:
        before = Job.objects.filter(account=self.account, kind=importing.KIND).order_by("-pk")[:10]
        return self.show("crm/product_import_new.html", status, form=form, before=list(before))


class OneImport(MerchantPage):
    """`/products/import/job_…`: how far it is."""

    def get(self, request: HttpRequest, job_id: str) -> HttpResponse:  # noqa: ARG002 (Django's view signature)
        return self.show("crm/product_import.html", **standing(self.job(job_id)))

    def job(self, job_id: str) -> Job:
        found = Job.objects.filter(account=self.account, public_id=job_id, kind=importing.KIND).first()
        if found is None:
            raise Http404
        return found


class ImportLive(OneImport):
    """The moving part of an import's page."""

    def get(self, request: HttpRequest, job_id: str) -> HttpResponse:
        return fragment(request, "crm/parts/import.html", standing(self.job(job_id)))


class Orders(MerchantPage):
    """`/products/orders`: what was ordered, as events told, newest first."""

    def get(self, request: HttpRequest) -> HttpResponse:
        asked = searched(request)
        ours = Order.objects.for_account(self.account).filter(external_id__startswith=asked).select_related("customer")
        return self.show("crm/orders.html", page=paged(ours.order_by("-pk"), request), q=asked)


def _shown(product: Product, account: Account) -> dict[str, Any]:
    """What the form begins with; a price in another currency is left to be typed."""
    ours = product.price_minor is not None and product.currency in ("", account.currency)
    price = currencies.major(product.price_minor, account.currency) if ours and product.price_minor else None
    return {"external_id": product.external_id, "name": product.name, "price": price, "stock": product.stock}
