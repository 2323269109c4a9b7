"""The diagrams in the docs are the models', and the house rules of machines are checked."""

import pytest
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.test.utils import isolate_apps

from accounts.models import Account
from campaigns.models import Broadcast
from lifecycle import checks
from lifecycle.admin import TransitionAdminMixin
from lifecycle.diagram import picture
from lifecycle.transition import Lifecycle


def test_a_picture_draws_births_edges_and_ends():
    assert picture(Account).splitlines() == [
        "stateDiagram-v2",
        "    [*] --> active",
        "    active --> suspended: suspend",
        "    suspended --> active: reinstate",
        "    suspended --> closed: close",
        "    closed --> [*]",
    ]


def test_the_page_in_the_docs_is_not_behind():
    call_command("diagrams", check=True)


def test_a_page_that_is_behind_fails_the_check_until_it_is_drawn(tmp_path, settings):
    settings.BASE_DIR = tmp_path
    (tmp_path / "docs").mkdir()

    with pytest.raises(CommandError, match="behind the models"):
        call_command("diagrams", check=True)

    call_command("diagrams")
    call_command("diagrams", check=True)


@isolate_apps("accounts")
def test_a_model_without_a_guard_is_an_error():
    class Loose(Lifecycle):
        class Meta:
            app_label = "accounts"

    assert [(found.obj, found.id) for found in checks.unguarded([Loose, Account])] == [(Loose, "lifecycle.E001")]


class Editable(TransitionAdminMixin, admin.ModelAdmin):
    list_editable = ("status",)


class Sound(TransitionAdminMixin, admin.ModelAdmin):
    pass


@pytest.mark.parametrize(("by", "wrong"), [(admin.ModelAdmin, 1), (Editable, 1), (Sound, 0)])
def test_an_admin_that_does_not_move_by_verbs_is_an_error(by, wrong):
    site = admin.AdminSite()
    site.register(Broadcast, by)

    assert [found.id for found in checks.moved_otherwise([Broadcast], site)] == ["lifecycle.E002"] * wrong
