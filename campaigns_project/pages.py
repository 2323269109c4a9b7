"""The shared parts of the merchants' pages.

`Page` is the base of every page: it asks for a sign-in, an account and a permission, and turns refusals into pages.
`paged` and `keyed` cut lists; `fragment` answers a polled piece with an ETag; `flash` says what was done and goes on.
`shell` is what the frame shows, `ContentSecurityPolicy` keeps foreign code out.

    class Broadcasts(Page):
        needs = {"GET": "view", "POST": "send"}

        def get(self, request):
            page = paged(Broadcast.objects.for_account(request.account).order_by("-id"), request)
            return self.show("campaigns/broadcasts.html", page=page)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers
from django.utils.functional import SimpleLazyObject
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import View
from django.views.decorators.http import require_POST

from campaigns_project.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from django.db.models import QuerySet

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
THEMES = ("auto", "light", "dark")
# Above this a list says "10,000+" and stops counting.
COUNTED = 10_000

# Label, address, icon; the group's name stands before its links.
NAVIGATION = (
    (
        "",
        (
            ("Home", "/", "home"),
            ("Campaigns", "/campaigns", "megaphone"),
            ("Templates", "/templates", "chat"),
            ("People", "/people", "people"),
            ("Audiences", "/audiences", "search"),
            ("Promos", "/promos", "tag"),
            ("Coupons", "/coupons", "ticket"),
            ("Products", "/products", "box"),
            ("Funnels", "/funnels", "funnel"),
        ),
    ),
    (
        "Settings",
        (
            ("WhatsApp and SMS", "/settings/whatsapp", "phone"),
            ("E-mail", "/settings/email", "mail"),
            ("Push", "/settings/push", "megaphone"),
            ("Shopify", "/settings/shopify", "tag"),
            ("Integrations", "/integrations", "reply"),
            ("Webhooks", "/settings/webhooks", "link"),
        ),
    ),
    ("Developers", (("API docs", "/api/docs/", "code"), ("Design kit", "/kit", "swatch"))),
)


class ContentSecurityPolicy:
    """Middleware: pages run and load only our own files. A view that needs another policy sets the header itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault("Content-Security-Policy", POLICY)
        return response


def shell(request: HttpRequest) -> dict[str, Any]:
    """What every page's frame shows: theme, account, the switcher's choices, navigation. No frame, no query."""
    chosen = request.COOKIES.get("theme", "auto")
    return {
        "theme": chosen if chosen in THEMES else "auto",
        "account": getattr(request, "account", None),
        "memberships": SimpleLazyObject(lambda: _memberships(request)),
        "navigation": _navigation(request.path),
    }


def _memberships(request: HttpRequest) -> list[Any]:
    if not request.user.is_authenticated:
        return []
    own: Any = request.user
    mine = own.memberships.select_related("account").exclude(account__status="closed")
    return list(mine.order_by("account__name"))


def _navigation(path: str) -> list[tuple[str, list[dict[str, Any]]]]:
    def here(href: str) -> bool:
        return path == href or (href != "/" and path.startswith(f"{href.rstrip('/')}/"))

    return [
        (group, [{"label": label, "href": href, "icon": icon, "here": here(href)} for label, href, icon in links])
        for group, links in NAVIGATION
    ]


class Page(View):
    """A merchant's page. `needs` names the permission each method asks for (accounts.roles.Permission), None for none.

    No sign-in: to the login page and back. No account, or a role that lacks the permission: 403. A Refusal that the
    view does not handle becomes the error page of its status.
    """

    needs: ClassVar[Mapping[str, str | None]] = {"GET": "view"}
    http_method_names = ["get", "head", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        method = "GET" if request.method == "HEAD" else str(request.method)
        if hasattr(self, method.lower()) and not self._allows(method):
            raise PermissionDenied
        try:
            return super().dispatch(request, *args, **kwargs)
        except Refusal as refusal:
            return refused(request, refusal)

    def _allows(self, method: str) -> bool:
        caller: Any = self.request
        # A method that `needs` forgot is closed to everybody.
        needed = self.needs.get(method, "nobody")
        return needed is None or bool(caller.account and caller.may(needed))

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        allowed = super().http_method_not_allowed(request, *args, **kwargs)
        response = render(request, "405.html", status=405)
        response.headers["Allow"] = allowed.headers["Allow"]
        return response

    def show(self, template: str, status: int = 200, **context: Any) -> HttpResponse:
        """The page, never kept by a cache that others share."""
        response = render(self.request, template, context, status=status)
        response.headers["Cache-Control"] = "private, no-cache"
        patch_vary_headers(response, ["Cookie"])
        return response


def refused(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    """A refusal as a page: what was refused, why, and a way back. 404 and 403 raise, so that all of them look alike."""
    if refusal.status == 404:  # noqa: PLR2004 (the HTTP status)
        raise Http404
    if refusal.status == 403:  # noqa: PLR2004 (the HTTP status)
        raise PermissionDenied
    response = render(request, "refused.html", {"refusal": refusal}, status=refusal.status)
    if hasattr(refusal, "retry_after"):
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


@dataclass(frozen=True)
class Cut:
    """One page of a list. `previous` and `next` are the query parameters that lead there, None when there is none."""

    rows: Sequence[Any]
    label: str
    previous: dict[str, str] | None = None
    next: dict[str, str] | None = None
    total: int | None = field(default=None)


def paged(rows: QuerySet[Any], request: HttpRequest, *, size: int = 20) -> Cut:
    """Page `?page=` of `rows`, counted up to 10,000. A page beyond the end, or no number, is the nearest one."""
    total = rows.order_by()[: COUNTED + 1].count()
    last = max(1, -(-min(total, COUNTED) // size))
    asked = request.GET.get("page", "1")
    number = min(max(int(asked), 1), last) if asked.isascii() and asked.isdigit() and len(asked) < 7 else 1  # noqa: PLR2004 (beyond any page)
    start = (number - 1) * size
    shown = list(rows[start : start + size])
    counted = f"{COUNTED:,}+" if total > COUNTED else f"{total:,}"
    return Cut(
        rows=shown,
        label=f"{start + 1:,}–{start + len(shown):,} of {counted}" if shown else "Nothing here",
        previous={"page": str(number - 1)} if number > 1 else None,
        next={"page": str(number + 1)} if number < last else None,
        total=total,
    )


def keyed(rows: QuerySet[Any], request: HttpRequest, *, size: int = 100) -> Cut:
    """`size` rows in the order of their ids, from `?after=` on: as quick on the last page as on the first."""
    asked = request.GET.get("after", "")
    after = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 19 else 0  # noqa: PLR2004 (fits a bigint)
    found = list(islice(rows.filter(pk__gt=after).order_by("pk")[: size + 1], size + 1))
    shown = found[:size]
    return Cut(
        rows=shown,
        label=f"{len(shown):,} shown",
        previous={} if after else None,
        next={"after": str(shown[-1].pk)} if len(found) > size else None,
    )


def fragment(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """A polled piece of a page: 304 when the caller has it. No form in it: its token always differs."""
    body = render_to_string(template, context, request=request)
    tag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    known = {entry.strip().removeprefix("W/") for entry in request.headers.get("If-None-Match", "").split(",")}
    response = HttpResponse(status=304) if tag in known else HttpResponse(body)
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def flash(request: HttpRequest, sentence: str, to: str, *, level: int = messages.SUCCESS) -> HttpResponseRedirect:
    """Say what was done and go to `to` with GET."""
    messages.add_message(request, level, sentence)
    response = HttpResponseRedirect(to)
    response.status_code = 303
    return response


def safe_next(request: HttpRequest, otherwise: str = "/") -> str:
    """The address to go on to from the form's `next`, when it is one of ours."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) and wanted.startswith("/")
    return wanted if ours else otherwise


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep the reader's choice of light, dark or the system's for a year."""
    chosen = request.POST.get("theme", "")
    response = HttpResponseRedirect(safe_next(request))
    if chosen in THEMES:
        response.set_cookie("theme", chosen, max_age=365 * 86_400, samesite="Lax", secure=request.is_secure())
    return response
