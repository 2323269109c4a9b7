"""Pages in a real Chromium: `merchant_page(path)` and `strangers_page(path)` open one and watch it for trouble."""

import os

import pytest
from django.conf import settings

from launch.browser import find
from tests.browser.checks import LOOKS, Watched

# Playwright's event loop is in this thread; the tests' own database calls are not asynchronous.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
QUIET = ["--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update"]


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(os.path.dirname(__file__)):  # noqa: PTH120 (compared as a string)
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    arguments = [*browser_type_launch_args.get("args", []), *QUIET]
    return {**browser_type_launch_args, "executable_path": find(), "args": arguments}


@pytest.fixture(scope="session")
def base_url():
    """Each page goes to its own live server; the plugin's fixture of this name warns under our pytest."""


@pytest.fixture
def strangers_page(new_context, live_server):
    """`strangers_page("/login")`: the page, opened by nobody; keywords go to the browser's context."""
    scheme, width = LOOKS[0]
    watched = []

    def open_page(path, *, cookies=(), **options):
        context = new_context(
            color_scheme=scheme, viewport={"width": width, "height": 900}, base_url=live_server.url, **options
        )
        context.add_cookies([{**cookie, "url": live_server.url} for cookie in cookies])
        page = context.new_page()
        watched.append(Watched(page, live_server.url))
        page.goto(path)
        return page

    yield open_page
    assert [trouble for one in watched for trouble in one.troubles] == []


@pytest.fixture
def merchant_page(strangers_page, page_of, api):
    """`merchant_page("/kit")`: the page, opened by `api.user` of `api.account`."""
    return page_of(api.user)


@pytest.fixture
def page_of(strangers_page, client):
    """`page_of(user)(path)`: the page as somebody else sees it."""

    def signed_in(user):
        client.force_login(user)
        session = {"name": settings.SESSION_COOKIE_NAME, "value": client.cookies[settings.SESSION_COOKIE_NAME].value}
        return lambda path, **options: strangers_page(path, cookies=[session], **options)

    return signed_in
