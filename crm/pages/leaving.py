"""What the links of a message open: no sign-in, no session; the signed token says who asks."""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from campaigns_project.refusals import NotFound
from crm.marketing import leaving, links
from crm.models import Channel

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
QUIET = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}


# Mail programs post here without a cookie; the token is what a form's token would be.
@method_decorator(csrf_exempt, name="dispatch")
class OpenPage(View):
    http_method_names = ["get", "head", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = super().dispatch(request, *args, **kwargs)
        except NotFound:
            # One answer for every token that opens nothing.
            response = render(request, "crm/no_such_link.html", status=404)
        for name, value in QUIET.items():
            response.headers[name] = value
        return response


class Leave(OpenPage):
    """`/u/{token}`: looking changes nothing, since machines look at links too."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        delivery, _ = links.delivery_of(token, links.OUT)
        return self._page(request, delivery)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        delivery, _ = links.delivery_of(token, links.OUT)
        if request.POST.get("List-Unsubscribe") == "One-Click":
            leaving.stop(delivery, how=leaving.ONE_CLICK)
        elif request.POST.get("act") == "choose":
            allowed = {(channel, purpose) for channel, _, purpose in map(_parted, request.POST.getlist("allow"))}
            leaving.choose(delivery, allowed, how=leaving.CHOICES)
        else:
            leaving.stop(delivery, how=leaving.BUTTON)
        return self._page(request, delivery, done=True)

    def _page(self, request: HttpRequest, delivery: Any, *, done: bool = False) -> HttpResponse:
        rows = [
            {
                "value": f"{channel}:{purpose}",
                "name": leaving.NAMES[Channel(channel)],
                "purpose": "" if purpose == "marketing" else purpose.replace("_", " "),
                "allowed": allowed,
            }
            for (channel, purpose), allowed in leaving.choices(delivery).items()
        ]
        context = {"merchant": delivery.account.name, "rows": rows, "done": done}
        context["open"] = any(row["allowed"] for row in rows if not row["purpose"])
        return render(request, "crm/leave.html", context)


class Follow(OpenPage):
    """`/l/{token}`: on to where the message leads."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        looked_at = request.method == "HEAD"
        return HttpResponseRedirect(links.follow(token, agent=_agent(request), looked_at=looked_at))


class Opened(OpenPage):
    """`/o/{token}.gif`: one pixel, also for a token that opens nothing."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        if request.method == "GET":
            with contextlib.suppress(NotFound):
                links.opened(token, agent=_agent(request))
        return HttpResponse(PIXEL, content_type="image/gif")


def _agent(request: HttpRequest) -> str:
    return request.headers.get("User-Agent", "")


def _parted(value: str) -> tuple[str, str, str]:
    return value.partition(":")
