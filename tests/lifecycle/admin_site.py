"""An operators' site with one kind of row, as an admin is written."""

from django.contrib import admin
from django.urls import path

from campaigns.models import Broadcast
from campaigns_project.refusals import Conflict
from lifecycle.admin import TransitionAdminMixin


class BroadcastAdmin(TransitionAdminMixin, admin.ModelAdmin):
    transition_inputs = {"schedule": ["scheduled_at"]}

    def move_rows(self, rows, verb, *, by, reason, **told):
        if reason == "not today":
            raise Conflict("The process refuses.")
        return super().move_rows(rows, verb, by=by, reason=reason, **told)


site = admin.AdminSite(name="admin")
site.register(Broadcast, BroadcastAdmin)
urlpatterns = [path("admin/", site.urls)]
