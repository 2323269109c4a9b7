"""A door for one machine, as a domain writes it."""

from rest_framework import serializers

from campaigns.models import Broadcast
from campaigns_project.api import MomentField, route, routes
from lifecycle.api import Transitions


class BroadcastShape(serializers.ModelSerializer):
    class Meta:
        model = Broadcast
        fields = ["id", "status", "scheduled_at"]


class MoveBroadcast(Transitions):
    model = Broadcast
    shape = BroadcastShape
    inputs = {"schedule": {"scheduled_at": MomentField(required=False)}}


urlpatterns = routes("api/v1", route("broadcasts/<int:pk>/transition", MoveBroadcast, name="move"))
