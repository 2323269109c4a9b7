"""Small pages that use the shared parts, for their tests: `@pytest.mark.urls("tests.sample_pages")`."""

from django.contrib.auth import get_user_model
from django.http import HttpResponse
from django.template import engines, loader
from django.urls import path

from campaigns_project import refusals, urls
from campaigns_project.pages import Page, fragment, keyed, paged, safe_next
from campaigns_project.tones import segments

REFUSALS = {
    "403": refusals.Forbidden(),
    "404": refusals.NotFound(),
    "409": refusals.Conflict("It moved meanwhile."),
    "429": refusals.TooManyRequests(retry_after=7),
}
HOME = """
{% extends "base.html" %}
{% block heading %}Sample{% endblock %}
{% block content %}
<section class="card" data-live="/sample/live">{% include "parts/progress.html" %}</section>
<form method="post" action="/sample/save" data-preview="/sample/preview" data-preview-into="#preview">{% csrf_token %}
  <label for="body">Body</label><textarea class="input" id="body" name="body"></textarea>
  <button type="button" data-insert="{{ placeholder }}" data-into="#body" hidden>Name</button><button>Save</button>
</form>
<div id="preview">nothing</div>
<form data-pick>
  <div class="bulk" hidden><b data-picked></b></div>
  <input type="checkbox" data-pick-all aria-label="All">
  <input type="checkbox" name="id" value="1" aria-label="One">
  <input type="checkbox" name="id" value="2" aria-label="Two">
</form>
{% endblock %}
"""
# What was asked of the live piece (its If-None-Match) and what was saved.
seen: dict[str, list] = {"live": [], "saved": []}


class Home(Page):
    needs = {"GET": None}

    def get(self, request):
        return HttpResponse(template(HOME).render({"placeholder": "{{ lead_name }}", **progress(0)}, request))


class Listed(Page):
    def get(self, request):
        rows = get_user_model().objects.order_by("-id")
        cut = keyed(rows, request, size=2) if "keyed" in request.GET else paged(rows, request, size=2)
        words = "{% for row in page.rows %}{{ row.id }} {% endfor %}{% pagination page %}"
        return HttpResponse(template(words).render({"page": cut}, request))


class Guarded(Page):
    needs = {"GET": "settings"}

    def get(self, request):
        return self.show("kit_confirm.html", back=safe_next(request, "/otherwise"))

    def post(self, request):
        return HttpResponse("nobody may")


class Refusing(Page):
    def get(self, request, status):
        raise REFUSALS[status]


def login(request, state):
    """The sign-in page as the view shows it after a wrong pair or too many tries."""
    context = {"email": "dana@example.test", "next": "/kit", state: 30}
    return HttpResponse(loader.get_template("accounts/login.html").render(context, request))


class Live(Page):
    def get(self, request):
        seen["live"].append(request.headers.get("If-None-Match"))
        return fragment(request, "parts/progress.html", progress(len(seen["live"])))


class Preview(Page):
    needs = {"POST": None}

    def post(self, request):
        return HttpResponse(template("<p>Hello {{ body }}</p>").render({"body": request.POST["body"]}, request))


class Save(Page):
    needs = {"POST": None}

    def post(self, request):
        seen["saved"].append(request.POST["body"])
        return HttpResponse(status=204)


def template(words):
    return engines["django"].from_string(words)


def progress(turn):
    """Half way at the first and second turn, done from the third on."""
    sent = min(10, 5 * max(1, turn - 1))
    return {
        "title": "10 people",
        "pace": f"{sent} sent",
        "done": sent == 10,
        "segments": segments("message", {"sent": sent}),
    }


urlpatterns = [
    path("sample", Home.as_view()),
    path("sample/listed", Listed.as_view()),
    path("sample/guarded", Guarded.as_view()),
    path("sample/refusing/<status>", Refusing.as_view()),
    path("sample/login/<state>", login),
    path("sample/live", Live.as_view()),
    path("sample/preview", Preview.as_view()),
    path("sample/save", Save.as_view()),
    *urls.urlpatterns,
]
handler400, handler403, handler404, handler500 = urls.handler400, urls.handler403, urls.handler404, urls.handler500
