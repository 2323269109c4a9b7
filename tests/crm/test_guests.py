"""What somebody used as a guest counts when they are a customer."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from campaigns_project import jobs
from crm.customers import importing, people
from crm.models import PromoShare, PromoUse
from crm.offers import redeeming
from crm.offers.redeeming import Basket, Refused
from tests.factories import PromoFactory

pytestmark = pytest.mark.django_db


def use(promo, order, **who):
    person = redeeming.person_of(promo.account, **who)
    return redeeming.redeem(promo.account, promo.code, Basket(person, 10_000, order))


def shares():
    return list(PromoShare.objects.order_by("promo").values_list("person", "used", "most"))


@pytest.mark.parametrize("how", ["create", "import"])
@pytest.mark.parametrize("who", [{"email": "Anna@example.test"}, {"customer_id": "c-1"}])
def test_a_guests_uses_are_the_customers_once_they_are_known(how, who):
    promo = PromoFactory(per_customer_limit=1)
    taken = use(promo, "o1", **who)
    fields = {"email": "anna@example.test", "external_id": "c-1"}
    if how == "create":
        public_id = people.create(promo.account, fields).public_id
    else:
        raw = b"email,id\nanna@example.test,c-1\n"
        importing.import_csv(promo.account, SimpleUploadedFile("a.csv", raw), by=None)
        jobs.run_due()
        public_id = promo.account.pk and redeeming.person_of(promo.account, customer_id="c-1")

    with pytest.raises(Refused) as refusal:
        use(promo, "o2", **who)

    assert refusal.value.code == "customer_limit_reached"
    assert shares() == [(public_id, 1, 1)]
    redeeming.rollback(promo.account, taken.public_id)
    assert PromoShare.objects.get().used == 0
    use(promo, "o3", **who)


def test_two_guests_and_a_customer_beyond_a_limit_are_one_and_get_no_more():
    promo, other = PromoFactory(per_customer_limit=1), PromoFactory()
    customer = people.create(promo.account, {"phone": "+15550000001"})
    use(promo, "o1", email="anna@example.test")
    use(promo, "o2", customer_id="c-1")
    use(promo, "o3", customer_id=customer.public_id)

    people.change(customer, {"email": "anna@example.test", "external_id": "c-1"})

    assert shares() == [(customer.public_id, 3, 3)]
    assert set(PromoUse.objects.values_list("person", flat=True)) == {customer.public_id}
    assert other.used == 0
    with pytest.raises(Refused):
        use(promo, "o4", email="anna@example.test")


def test_nobody_elses_uses_move():
    promo = PromoFactory()
    use(promo, "o1", email="bea@example.test")

    people.create(promo.account, {"email": "anna@example.test"})
    people.create(PromoFactory().account, {"email": "bea@example.test"})

    assert shares() == [(redeeming.guest(promo.account, email="bea@example.test"), 1, None)]
