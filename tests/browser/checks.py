"""What every page must be: without axe's violations, narrow enough, small, quiet and at home."""

import gzip

from axe_playwright_python.base import AXE_SCRIPT

# (scheme, width): what a page is looked at in. Scripts and addresses know nothing of them, style sheets do.
LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (1360, 390)]
HTML_BUDGET = 14 * 1024
REQUEST_BUDGET = 6
NODE_BUDGET = 800
NARROWEST = 320
# preload off: axe would fetch style sheets anew and put them inline, which our policy forbids.
VIOLATIONS = """axe.run({preload: false, resultTypes: ["violations"]}).then(({violations}) =>
    violations.map(({id, nodes}) => `${id}: ${nodes.map(node => node.html).join(", ")}`))"""
# Otherwise axe would read the colour that a link has half way from light to dark.
SETTLE = """() => {
    const moving = () => document.getAnimations().filter(one => one instanceof CSSTransition);
    for (let some = moving(); some.length; some = moving()) some.forEach(one => one.finish());
}"""


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
    """Everything that is asked of every page, in every look."""
    assert_small(page)
    loaded = len(page.watched.requests)
    assert_sound(page)
    # What is fetched is a live piece; a file would be one that some looks load and others do not.
    assert {request.resource_type for request in page.watched.requests[loaded:]} <= {"fetch"}


def assert_sound(page, looks=LOOKS):
    """`page` without violations and narrow enough in each of `looks`; a failure names the look."""
    faults = {f"{scheme} {width}": faults_of(page, scheme, width) for scheme, width in looks}
    assert {look: found for look, found in faults.items() if found} == {}


def faults_of(page, scheme, width):
    page.emulate_media(color_scheme=scheme)
    # The look's own width comes last, for axe.
    return [*overflow(page, NARROWEST), *overflow(page, width), *violations(page)]


def overflow(page, width):
    """Sideways scrolling in a window of `width`."""
    page.set_viewport_size({"width": width, "height": 900})
    wide = page.evaluate("document.documentElement.scrollWidth")
    return [f"{wide} px in {width}"] if wide > width else []


def violations(page):
    """What axe finds: a line for each rule, with the elements that break it."""
    page.evaluate(SETTLE)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return page.evaluate(VIOLATIONS)


def assert_small(page):
    document, *files = page.watched.requests
    failed = [request.url for request in files if request.response().status >= 400]
    assert failed == []
    assert len(page.watched.requests) <= REQUEST_BUDGET
    assert len(gzip.compress(document.response().body())) <= HTML_BUDGET
    assert page.evaluate("document.querySelectorAll('*').length") <= NODE_BUDGET
