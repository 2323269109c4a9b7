"""The catalogue and orders through the API."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from campaigns_project import jobs
from campaigns_project.models import Job
from crm import events
from crm.models import Product, Variant
from tests.crm.catalogue_world import ProductFactory, VariantFactory
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db
PRODUCTS = "/api/v1/products"
COFFEE = {
    "external_id": "coffee",
    "name": "Yirgacheffe",
    "price": {"amount": 1250, "currency": "EUR"},
    "stock": 4,
    "variants": [{"external_id": "coffee-250", "name": "250 g", "price": None, "stock": 0}],
}


def test_products_are_put_in_and_read_back(api):
    put = api.send("PUT", PRODUCTS, json={"products": [COFFEE]})
    again = api.send("PUT", PRODUCTS, json={"products": [{"external_id": "coffee", "name": "Yirgacheffe"}]})

    listed = api.get(PRODUCTS).json()["data"]
    assert put.json() == {"created": 1, "updated": 0, "unchanged": 0, "invalid": []}
    assert again.json() == {"created": 0, "updated": 0, "unchanged": 1, "invalid": []}
    assert {name: listed[0][name] for name in COFFEE} == COFFEE
    assert api.get(f"{PRODUCTS}/{listed[0]['id']}").json() == listed[0]


def test_a_price_without_a_currency_is_in_the_accounts(api):
    ProductFactory(account=api.account)

    assert api.get(PRODUCTS).json()["data"][0]["price"] == {"amount": 1250, "currency": "USD"}


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ({"name": "Tea"}, "external_id"),
        ({"external_id": "tea"}, "name"),
        ({"external_id": "tea\u2028", "name": "Tea"}, "external_id"),
        ({"external_id": "tea", "name": "Tea", "stock": -1}, "stock"),
        ({"external_id": "tea", "name": "Tea", "price": 12.5}, "price"),
        ({"external_id": "tea", "name": "Tea", "price": {"amount": -1, "currency": "USD"}}, "price.amount"),
        ({"external_id": "tea", "name": "Tea", "colour": "green"}, "colour"),
        ({"external_id": "tea", "name": "Tea", "variants": [COFFEE["variants"][0]]}, "external_id"),
        ({**COFFEE, "variants": []}, "external_id"),
        ("tea", "body"),
    ],
)
def test_a_row_that_cannot_be_taken_in_is_told_and_the_others_are_kept(api, row, path):
    answer = api.send("PUT", PRODUCTS, json={"products": [COFFEE, row]}).json()

    assert (answer["created"], Product.objects.count(), Variant.objects.count()) == (1, 1, 1)
    assert [(each["index"], each["message"].split(": ")[0]) for each in answer["invalid"]] == [(1, path)]


def test_without_any_good_row_nothing_is_taken_in(api):
    answer = api.send("PUT", PRODUCTS, json={"products": [{"name": "Tea"}]})

    assert (answer.status_code, list(answer.json()["details"])) == (400, ["products.0.external_id"])


def test_products_are_found_by_how_their_name_or_id_begins(api):
    for external_id, name in (("c-1", "Coffee"), ("t-1", "Tea")):
        ProductFactory(account=api.account, external_id=external_id, name=name)

    def found(query):
        return [each["external_id"] for each in api.get(f"{PRODUCTS}?{query}").json()["data"]]

    queries = ("search=cof", "search=T-", "external_id=c-1", "external_id=C-1")
    assert list(map(found, queries)) == [["c-1"], ["t-1"], ["c-1"], []]


def imported(api, text):
    answer = api.upload(f"{PRODUCTS}/import", {"file": SimpleUploadedFile("p.csv", text.encode())})
    while jobs.run_due():
        pass
    return answer, Job.objects.filter(account=api.account).last()


SHEET = """\
Handle;Title;Variant ID;Variant Title;Price;Stock
coffee;Yirgacheffe;;;;
coffee;Yirgacheffe;coffee-250;250 g;12.50;40

coffee;Yirgacheffe;coffee-1kg;1 kg;39.9;
tea;Tea;;;4;7
tea;Tea;coffee-1kg;1 kg;;
"""


def test_a_sheet_of_products_and_variants_is_taken_in(api):
    answer, job = imported(api, SHEET)

    assert (answer.status_code, job.status, job.done, job.failed) == (202, "done", 5, 0)
    assert job.result == {"created": 2, "updated": 0, "unchanged": 0}
    assert dict(Product.objects.values_list("external_id", "price_minor")) == {"coffee": None, "tea": 400}
    told = {
        each.external_id: (each.product.external_id, each.price_minor, each.stock) for each in Variant.objects.all()
    }
    assert told == {"coffee-250": ("coffee", 1250, 40), "coffee-1kg": ("tea", None, None)}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (",Tea,,,", "product_id"),
        ("tea,,,,", "name"),
        ("tea,Tea,four,,", "price"),
        ("tea,Tea,4.999,,", "price"),
        ("tea,Tea,²,,", "price"),
        ("tea,Tea,9999999999999,,", "price"),
        ("tea,Tea,4,EURO,", "currency"),
        ("tea,Tea,4,EUR,-1", "stock"),
        ('tea,"Tea,4,EUR,1', "cannot be read"),
        (f"{'t' * 121},Tea,4,EUR,1", "product_id"),
    ],
)
def test_a_line_that_is_no_product_comes_back_with_its_reason(api, line, said):
    head = "id,name,price,currency,stock\n" + "ok,Fine,1,JPY,2\n" * 201
    _, job = imported(api, f"{head}{line}\n")

    errors = jobs.errors_of(job).read_text()
    assert (job.status, job.failed, job.done) == ("done", 1, 201)
    assert said in errors.splitlines()[1]
    assert Product.objects.get().price_minor == 1


def test_a_sheet_without_ids_is_refused(api):
    answer, _ = imported(api, "name,price\nTea,4\n")

    assert (answer.status_code, list(answer.json()["details"])) == (400, ["file"])


def test_orders_are_listed_with_their_customer_and_found(api):
    anna = CustomerFactory(account=api.account)
    for number, customer in ((1, anna), (2, None)):
        events.record(
            api.account, type="order.completed", event_id=f"e{number}", customer_id=customer and customer.pk,
            value_minor=4680, properties={"order_id": f"o{number}"},
        )  # fmt: skip

    rows = api.get("/api/v1/orders").json()["data"]
    assert [(each["external_id"], each["customer_id"]) for each in rows] == [("o2", None), ("o1", anna.public_id)]
    assert (rows[0]["amount"], rows[0]["currency"], rows[0]["status"]) == (4680, "USD", "completed")
    assert api.get(f"/api/v1/orders/{rows[0]['id']}").json() == rows[0]
    found = [
        [each["external_id"] for each in api.get(f"/api/v1/orders?{query}").json()["data"]]
        for query in ("external_id=o2", f"customer_id={anna.public_id}", "status=refunded")
    ]
    assert found == [["o2"], ["o1"], []]


def test_a_neighbours_product_is_not_there(api):
    theirs = VariantFactory().product

    assert api.get(f"{PRODUCTS}/{theirs.public_id}").status_code == 404
    assert api.get(PRODUCTS).json()["data"] == []
