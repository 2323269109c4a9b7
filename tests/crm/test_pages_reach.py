"""How many people a campaign may reach, and the key browsers subscribe with."""

import pytest
from django.test import Client

from accounts.roles import Role
from crm.audiences import segments
from tests.factories import CustomerFactory, PushSubscriptionFactory
from tests.fixtures_http import caller

pytestmark = pytest.mark.django_db
HERE = "/audiences/limits"


@pytest.fixture
def onlooker(api):
    """Somebody of the same account who may not change its settings."""
    client = Client()
    client.force_login(caller(Role.MARKETING, account=api.account).user)
    return client


def test_the_form_shows_the_limits_and_keeps_new_ones(api, page):
    answer = page.post(HERE, {"email": "500", "sms": "", "push": "0"})

    assert (answer.status_code, answer.headers["Location"]) == (303, HERE)
    assert segments.most_of(api.account) == {"email": 500, "push": 0, "sms": 100_000}
    assert 'value="500"' in page.get(HERE).content.decode()


@pytest.mark.parametrize("wrong", ["-1", "1000001", "many"])
def test_a_limit_nobody_can_have_is_refused_and_changes_nothing(api, page, wrong):
    answer = page.post(HERE, {"email": wrong})

    assert (answer.status_code, segments.most_of(api.account)["email"]) == (400, 1_000_000)


def test_who_may_not_change_settings_only_looks(onlooker):
    assert "Save" not in onlooker.get(HERE).content.decode()
    assert onlooker.post(HERE, {"email": "1"}).status_code == 403


def test_the_push_page_shows_the_key_and_counts_ones_own_browsers(api, page):
    PushSubscriptionFactory(customer=CustomerFactory(account=api.account))
    PushSubscriptionFactory()

    shown = page.get("/settings/push").content.decode()

    assert api.get("/api/v1/push/public-key").json()["public_key"] in shown
    assert ">1<" in shown
