"""The catalogue and orders as merchants see them; no page needs JavaScript."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.roles import Role
from campaigns_project import jobs
from campaigns_project.models import Job
from crm.models import Product
from tests.crm.catalogue_world import OrderFactory, ProductFactory, VariantFactory
from tests.factories import CustomerFactory
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
FORM = {"external_id": "coffee", "name": "Yirgacheffe", "price": "12.50", "stock": "0"}


def shown(page, path):
    return page.get(path).content.decode()


def test_a_product_is_made_in_one_form_and_changed_by_its_id(page):
    for name in ("Yirgacheffe", "Sidamo"):
        answer = page.post("/products/new", FORM | {"name": name})

    product = Product.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/products/{product.public_id}")
    assert (product.name, product.price_minor, product.stock) == ("Sidamo", 1250, 0)
    assert all(text in shown(page, answer.headers["Location"]) for text in ("Sidamo", "$12.50", "coffee"))


@pytest.mark.parametrize(
    ("currency", "price", "box"),
    [("", 1250, 'value="12.5"'), ("USD", None, 'name="price"'), ("EUR", 5, 'name="price"')],
)
def test_the_form_begins_with_what_is_known(api, page, currency, price, box):
    product = ProductFactory(account=api.account, currency=currency, price_minor=price)

    form = shown(page, f"/products/new?change={product.public_id}")

    assert all(text in form for text in ("Change a product", product.external_id, box))
    assert ("value=" in form.partition('name="price"')[2].partition(">")[0]) == (box != 'name="price"')


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"external_id": ""}, "This field is required."), ({"price": "12.505"}, "at most 2"), ({"stock": "-1"}, "0")],
)
def test_what_is_wrong_is_said_beside_its_field(page, wrong, said):
    answer = page.post("/products/new", FORM | wrong)

    assert (answer.status_code, Product.objects.count()) == (400, 0)
    assert said in answer.content.decode()


def test_the_list_is_searched_and_says_when_there_is_nothing(api, page):
    assert "No products yet" in shown(page, "/products")
    VariantFactory(product=ProductFactory(account=api.account, name="Coffee", currency="EUR"))
    ProductFactory(account=api.account, name="Tea")

    found = shown(page, "/products?q=cof")

    assert "€12.50" in found
    assert ">Tea<" not in found
    assert "Nothing begins like that" in shown(page, "/products?q=x")


def test_a_sheet_is_imported_and_its_page_says_how_far_it_is(api, page):
    sheet = SimpleUploadedFile("p.csv", b"product_id,name\ncoffee,Coffee\n,Tea\n")
    answer = page.post("/products/import", {"file": sheet})
    address = answer.headers["Location"]
    before = shown(page, address)
    while jobs.run_due():
        pass

    assert "Waiting" in before
    assert f'data-live="{address}/live"' in before
    after = shown(page, f"{address}/live")
    assert all(text in after for text in ("data-live-done", "Some rows were refused."))
    assert Job.objects.get().public_id in shown(page, "/products/import")


@pytest.mark.parametrize(("sheet", "said"), [(b"colour\ngreen\n", "must name a column"), (b"PK\x03\x04", "not text")])
def test_a_file_that_is_no_sheet_of_products_is_refused(page, sheet, said):
    answer = page.post("/products/import", {"file": SimpleUploadedFile("p.csv", sheet)})

    assert (answer.status_code, Job.objects.count()) == (400, 0)
    assert said in answer.content.decode()


def test_orders_stand_with_their_customers_and_are_searched(api, page):
    assert "No orders yet" in shown(page, "/products/orders")
    anna = CustomerFactory(account=api.account, first_name="Anna")
    OrderFactory(account=api.account, external_id="o-1", customer=anna, refunded_minor=680)
    OrderFactory(account=api.account, external_id="x-1", status="refunded", currency="")

    every, found = shown(page, "/products/orders"), shown(page, "/products/orders?q=o-")

    assert all(text in every for text in ("Anna", "Nobody known", "$46.80", "$6.80", "Completed", "Refunded"))
    assert "x-1" not in found
    assert "No order begins like that" in shown(page, "/products/orders?q=zz")


def test_who_may_not_write_only_looks(api):
    onlooker = Client()
    onlooker.force_login(caller(Role.MARKETING, account=api.account).user)
    theirs, job = ProductFactory(), Job.objects.create(account=api.account, kind="other")

    assert onlooker.get("/products").status_code == 200
    assert onlooker.get(f"/products/{theirs.public_id}").status_code == 404
    assert onlooker.get(f"/products/import/{job.public_id}").status_code == 404
