import re

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template.loader import render_to_string
from django.test import Client

from accounts.roles import Role
from campaigns_project.pages import POLICY, shell
from tests.factories import AccountFactory, MembershipFactory, UserFactory
from tests.fixtures_http import caller


@pytest.mark.parametrize(
    "query, words, links",
    [
        ("", "1–2 of 5", ["?page=2"]),
        ("?page=2&q=a", "3–4 of 5", ["?q=a&amp;page=1", "?q=a&amp;page=3"]),
        ("?page=3", "5–5 of 5", ["?page=2"]),
        ("?page=99", "5–5 of 5", ["?page=2"]),
        ("?page=٣", "1–2 of 5", ["?page=2"]),
        ("?page=-1", "1–2 of 5", ["?page=2"]),
    ],
)
@pytest.mark.urls("tests.sample_pages")
def test_a_list_is_cut_into_pages(page, query, words, links):
    UserFactory.create_batch(4)

    html = page.get(f"/sample/listed{query}").content.decode()

    assert f"<span>{words}</span>" in html
    assert re.findall(r'href="(.*?)"', html) == links


@pytest.mark.urls("tests.sample_pages")
def test_a_long_list_stops_counting(page, monkeypatch):
    monkeypatch.setattr("campaigns_project.pages.COUNTED", 3)
    UserFactory.create_batch(4)

    assert "<span>1–2 of 3+</span>" in page.get("/sample/listed").content.decode()


@pytest.mark.urls("tests.sample_pages")
def test_a_list_by_keys_walks_over_everything_once(page):
    UserFactory.create_batch(4)
    found, query = [], "?keyed=1"
    while query:
        html = page.get(f"/sample/listed{query}").content.decode()
        found += re.findall(r"(\d+) ", html.split("<nav")[0])
        query = (re.findall(r'href="(.*?)" rel="next"', html) or [""])[0].replace("&amp;", "&")

    assert len(found) == len(set(found)) == 5
    assert 'href="?keyed=1" rel="prev">Start' in html


def test_nothing_is_said_so(page, settings):
    settings.ROOT_URLCONF = "tests.sample_pages"
    html = page.get("/sample/listed?keyed=1&after=999999999").content.decode()

    assert "0 shown" in html


@pytest.mark.parametrize(
    "role, method, status",
    [
        (Role.TENANT_ADMIN, "get", 200),
        (Role.TENANT_ADMIN, "head", 200),
        (Role.TENANT_ADMIN, "post", 403),
        (Role.TENANT_ADMIN, "put", 405),
        (Role.MARKETING, "get", 403),
    ],
)
@pytest.mark.urls("tests.sample_pages")
@pytest.mark.django_db
def test_a_page_is_for_those_who_may(role, method, status):
    client = Client()
    client.force_login(caller(role).user)

    assert getattr(client, method)("/sample/guarded").status_code == status


def test_a_stranger_is_asked_to_sign_in_and_led_back(client, settings):
    settings.LOGIN_URL = "/login"

    assert client.get("/kit?x=1").headers["Location"] == "/login?next=/kit%3Fx%3D1"


@pytest.mark.urls("tests.sample_pages")
def test_a_person_without_an_account_may_nothing(page, api):
    api.membership.delete()

    assert page.get("/sample/guarded").status_code == 403


@pytest.mark.parametrize("status", ["403", "404", "409", "429"])
@pytest.mark.urls("tests.sample_pages")
def test_a_refusal_becomes_a_page(page, status):
    answer = page.get(f"/sample/refusing/{status}")

    assert answer.status_code == int(status)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers.get("Retry-After") == ("7" if status == "429" else None)


@pytest.mark.parametrize(
    "wanted, way",
    [
        ("/kit?x=1", "/kit?x=1"),
        ("//evil.test", "/otherwise"),
        ("https://evil.test", "/otherwise"),
        ("kit", "/otherwise"),
    ],
)
@pytest.mark.urls("tests.sample_pages")
def test_only_our_own_addresses_are_gone_on_to(page, wanted, way):
    assert f'href="{way}" data-close' in page.get("/sample/guarded", {"next": wanted}).content.decode()


@pytest.mark.urls("tests.sample_pages")
def test_a_polled_piece_is_sent_once(page):
    first = page.get("/sample/live")
    again = page.get("/sample/live", headers={"If-None-Match": f'"x", W/{first.headers["ETag"]}'})

    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


def test_a_method_a_page_does_not_answer_gets_a_page_that_says_so(page):
    answer = page.post("/kit")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert b"<h1>This address cannot do that</h1>" in answer.content


def test_pages_are_private_and_load_nothing_foreign(page):
    headers = page.get("/kit").headers

    assert headers["Cache-Control"] == "private, no-cache"
    assert headers["Content-Security-Policy"] == POLICY
    assert "unsafe" not in POLICY


def test_only_pages_carry_the_policy(api):
    assert "Content-Security-Policy" not in api.get("/api/v1/jobs/1").headers


def test_the_confirm_page_does_what_it_says_and_goes_back(page):
    answer = page.post("/kit/confirm", follow=True)

    assert answer.redirect_chain == [("/kit", 303)]
    assert "Nothing was archived: this is the design kit." in answer.content.decode()


@pytest.mark.parametrize("chosen, kept", [("dark", "dark"), ("light", "light"), ("pink", "auto")])
def test_the_theme_is_kept(page, chosen, kept):
    page.post("/theme", {"theme": chosen, "next": "/kit"})

    assert f'data-theme="{kept}"' in page.get("/kit").content.decode()


def test_the_switcher_offers_the_persons_own_accounts(page, api):
    other = MembershipFactory(user=api.user).account
    AccountFactory(name="Somebody else's")
    MembershipFactory(user=api.user, account=AccountFactory(status="closed"))

    html = page.get("/kit").content.decode()

    assert set(re.findall(r'name="account" value="(.*?)"', html)) == {str(api.account.uuid), str(other.uuid)}
    assert "Somebody else" not in html


def test_the_frame_marks_where_one_is(page):
    assert re.findall(r'href="(.*?)" aria-current="page"', page.get("/kit/confirm").content.decode()) == ["/kit"]


def test_a_stranger_has_no_accounts_to_switch_to(rf):
    request = rf.get("/")
    request.user = AnonymousUser()

    assert list(shell(request)["memberships"]) == []


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "405", "429", "500"])
def test_an_error_page_needs_nothing_from_anybody(name):
    html = render_to_string(f"{name}.html")

    assert html.count("<h1>") == 1
    assert f"<span>{name[:3]}</span>" in html
