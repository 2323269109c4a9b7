"""Signing in and out, and which account a session works in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth import login as start_session
from django.contrib.auth import logout as end_session
from django.http import Http404, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts.api import sign_in
from accounts.middleware import CHOSEN_ACCOUNT, memberships_of
from campaigns_project.api.limits import spend_sign_in
from campaigns_project.pages import refused, safe_next
from campaigns_project.refusals import TooManyRequests, Unauthorized

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


class SignInForm(forms.Form):
    email = forms.CharField(max_length=254)
    password = forms.CharField(max_length=1000, strip=False)


class AccountForm(forms.Form):
    account = forms.UUIDField()


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """The sign-in page. `next` is followed only within this site; too many tries answer 429."""
    if request.method != "POST":
        return _page(request)
    form = SignInForm(request.POST)
    if not form.is_valid():
        return _page(request, status=400, error=True)
    try:
        user = sign_in(request, form.cleaned_data["email"], form.cleaned_data["password"])
    except TooManyRequests as refusal:
        answer = _page(request, status=429, retry_after=refusal.retry_after)
        answer["Retry-After"] = str(refusal.retry_after)
        return answer
    except Unauthorized:
        # 200, as browsers expect of a form that is shown again; the API says 401.
        return _page(request, error=True)
    start_session(request, user)
    return redirect(safe_next(request))


def _page(request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
    typed = {"email": request.POST.get("email", ""), "next": safe_next(request, otherwise="")}
    return render(request, "accounts/login.html", {**typed, **context}, status=status)


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    """End the session."""
    end_session(request)
    return redirect("login")


@require_POST
def switch_account(request: HttpRequest) -> HttpResponse:
    """Work in another of one's own accounts; any other does not exist."""
    form = AccountForm(request.POST)
    if not request.user.is_authenticated or not form.is_valid():
        raise Http404
    membership = memberships_of(request.user).filter(account__uuid=form.cleaned_data["account"]).first()
    if membership is None:
        raise Http404
    request.session[CHOSEN_ACCOUNT] = membership.account_id
    return HttpResponseRedirect("/")


def admin_login(request: HttpRequest) -> HttpResponse:
    """The operators' sign-in page, under the same limit."""
    try:
        if request.method == "POST":
            spend_sign_in(request.META.get("REMOTE_ADDR", ""), request.POST.get("username", ""))
    except TooManyRequests as refusal:
        return refused(request, refusal)
    return admin.site.login(request)


urlpatterns = [
    path("login", login, name="login"),
    path("logout", logout, name="logout"),
    path("switch-account", switch_account, name="switch-account"),
    path("admin/login/", admin_login),
]
