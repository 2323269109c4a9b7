"""What every page must be: without axe's violations, narrow enough, small, quiet and at home."""

import gzip

from axe_playwright_python.sync_playwright import Axe

AXE = Axe()
HTML_BUDGET = 14 * 1024
REQUEST_BUDGET = 6
NODE_BUDGET = 800
NARROWEST = 320


class Watched:
    """Keeps what went wrong on a page: console noise, script errors, failed files, foreign addresses."""

    def __init__(self, page, home):
        self.home, self.troubles, self.requests = home, [], []
        page.on("console", self.heard)
        page.on("pageerror", lambda error: self.troubles.append(f"script: {error}"))
        page.on("request", self.asked)
        page.watched = self

    def heard(self, message):
        # The browser complains of any answer from 400 on; a page that is meant to answer so is no trouble.
        if message.type in ("error", "warning") and "the server responded with a status" not in message.text:
            self.troubles.append(f"console: {message.text}")

    def asked(self, request):
        self.requests.append(request)
        if not request.url.startswith((self.home, "data:")):
            self.troubles.append(f"foreign: {request.url}")


def assert_well_made(page):
    """Everything that is asked of every page in every look."""
    assert_small(page)
    assert_accessible(page)
    assert_narrow(page)


def assert_accessible(page):
    # preload off: axe would fetch style sheets anew and put them inline, which our policy forbids.
    found = AXE.run(page, options={"preload": False, "resultTypes": ["violations"]}).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


def assert_narrow(page):
    """No sideways scrolling at 320 px."""
    before = page.viewport_size
    page.set_viewport_size({"width": NARROWEST, "height": 800})
    wide = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size(before)
    assert wide <= NARROWEST


def assert_small(page):
    document, *files = page.watched.requests
    failed = [request.url for request in files if request.response().status >= 400]
    assert failed == []
    assert len(page.watched.requests) <= REQUEST_BUDGET
    assert len(gzip.compress(document.response().body())) <= HTML_BUDGET
    assert page.evaluate("document.querySelectorAll('*').length") <= NODE_BUDGET
