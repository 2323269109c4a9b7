"""Operators disable a promo and void a use, each with a reason that stays."""

import pytest

from campaigns_project.models import AuditEntry
from crm.offers import redeeming
from tests.factories import PromoFactory
from tests.operators_world import address, operator, said

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    return operator(client)


def test_a_promo_is_disabled_with_a_reason(staff):
    promo = PromoFactory()

    answer = staff.post(address(promo, "act", "disable"), {"reason": "leaked"}, follow=True)

    promo.refresh_from_db()
    assert (said(answer), promo.enabled) == (["Disable: done."], False)
    assert (AuditEntry.objects.get().action, AuditEntry.objects.get().reason) == ("promo.disable", "leaked")


def test_a_use_is_voided_with_a_reason_and_counts_no_longer(staff):
    promo = PromoFactory(usage_limit=1)
    use = redeeming.redeem(promo.account, promo.code, redeeming.Basket("anna", 100_00, "o-1"))

    answer = staff.post(address(use, "act", "void"), {"reason": "order cancelled"}, follow=True)

    promo.refresh_from_db()
    assert (said(answer), promo.used, use.reversal.reason) == (["Void: done."], 0, "order cancelled")
    again = staff.post(address(use, "act", "void"), {"reason": "again"}, follow=True)
    assert said(again) == ["“Void” is not possible here now."]


@pytest.mark.parametrize("sought", ["WELCOME20", "o-1"])
def test_promos_and_uses_are_found_by_code_and_order(staff, sought):
    promo = PromoFactory(code="WELCOME20")
    use = redeeming.redeem(promo.account, promo.code, redeeming.Basket("anna", 100_00, "o-1"))

    found = staff.get(address(promo if sought == promo.code else use), {"q": sought}).content.decode()

    assert "1 " in found
    assert sought in found
