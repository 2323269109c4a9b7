"""For whoever runs the service: is it alive, is it ready, how is it doing."""

from __future__ import annotations

import hmac
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import F
from django.db.models.functions import Now
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Gauge, generate_latest
from rest_framework import serializers
from rest_framework.response import Response

from campaigns_project.api import OpenDoor, route
from campaigns_project.models import Job
from campaigns_project.refusals import Forbidden
from coupons import indexing
from dispatch.models import InboxEntry
from lifecycle.models import Lease

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

BROKER_TIMEOUT = 0.5
LOOPBACK = ("127.0.0.1", "::1")


class HealthShape(serializers.Serializer[Any]):
    status = serializers.CharField()

    example: ClassVar = {"status": "alive"}


class ReadinessShape(serializers.Serializer[Any]):
    status = serializers.ChoiceField(["ready", "not_ready"])
    database = serializers.BooleanField()
    migrations = serializers.BooleanField()
    broker = serializers.BooleanField(allow_null=True, help_text="Reported only: senders find their rows without it.")
    oldest_due_seconds = serializers.FloatField(allow_null=True, help_text="How long the oldest due work has waited.")

    example: ClassVar = {
        "status": "ready",
        "database": True,
        "migrations": True,
        "broker": True,
        "oldest_due_seconds": 0.4,
    }


class Health(OpenDoor):
    tag = "service"
    answers: ClassVar = {"GET": HealthShape}

    def get(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """Tell that the process is alive."""
        return Response({"status": "alive"})


class Readiness(OpenDoor):
    tag = "service"
    answers: ClassVar = {"GET": {200: ReadinessShape, 503: ReadinessShape}}

    def get(self, request: Request) -> Response:  # noqa: ARG002 (DRF's signature)
        """Tell whether requests can be served: database, migrations, broker, age of the oldest due work."""
        found = readiness()
        return Response(found, status=200 if found["status"] == "ready" else 503)


class Metrics(OpenDoor):
    tag = "service"
    answers: ClassVar = {"GET": {(200, "text/plain"): OpenApiTypes.STR}}

    def get(self, request: Request) -> HttpResponseBase:
        """Numbers for Prometheus; with METRICS_TOKEN as bearer, or from the same machine when there is none."""
        if not _may_measure(request):
            raise Forbidden
        return HttpResponse(metrics(), content_type=CONTENT_TYPE_LATEST)


def readiness() -> dict[str, Any]:
    """The state of what the service stands on; "ready" when the database answers and is migrated."""
    database = migrated = False
    oldest = None
    with suppress(DatabaseError):
        migrated = not _pending_migrations()
        database = True
        oldest = oldest_due_seconds() if migrated else None
    return {
        "status": "ready" if database and migrated else "not_ready",
        "database": database,
        "migrations": migrated,
        "broker": broker_answers(settings.BROKER_URL),
        "oldest_due_seconds": oldest,
    }


def metrics() -> bytes:
    """Prometheus text: the process, and the work that waits."""
    waiting = CollectorRegistry()
    Gauge("campaigns_oldest_due_seconds", "Age of the oldest due work", registry=waiting).set(oldest_due_seconds() or 0)
    behind = Gauge("campaigns_search_lag_seconds", "How far the search index is behind", registry=waiting)
    behind.set(indexing.lag() or 0)
    due = Gauge("campaigns_due", "Rows of due work", ["queue"], registry=waiting)
    for name, rows in _due().items():
        due.labels(name).set(rows[:10_001].count())
    return generate_latest(REGISTRY) + generate_latest(waiting)


def oldest_due_seconds() -> float | None:
    """How long the oldest lease, webhook or job that is due has waited; None when nothing is due."""
    ages = []
    for rows in _due().values():
        since = str(rows.query.order_by[0])
        ages.append(rows.annotate(age=Now() - F(since)).values_list("age", flat=True).first())
    return max((age.total_seconds() for age in ages if age is not None), default=None)


def _due() -> dict[str, QuerySet[Any]]:
    return {
        "leases": Lease.objects.filter(owner=None, due_at__lte=Now()).order_by("due_at"),
        "webhooks": InboxEntry.objects.filter(result="waiting", next_try_at__lte=Now()).order_by("next_try_at"),
        "jobs": Job.objects.filter(status__in=["queued", "running"]).order_by("created_at"),
    }


def broker_answers(url: str) -> bool | None:
    """Whether the broker answers within half a second; None for a kind of broker that is not asked."""
    if not url.startswith(("redis", "valkey", "unix")):
        return None
    address = url.replace("redis+socket://", "unix://").replace("valkey", "redis", 1)
    with suppress(redis.RedisError, OSError, ValueError):
        client = redis.Redis.from_url(address, socket_connect_timeout=BROKER_TIMEOUT, socket_timeout=BROKER_TIMEOUT)
        with client:
            return bool(client.ping())
    return False


def _pending_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _may_measure(request: Request) -> bool:
    if settings.METRICS_TOKEN:
        given = request.META.get("HTTP_AUTHORIZATION", "").encode(errors="replace")
        return hmac.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode())
    return request.META.get("REMOTE_ADDR") in LOOPBACK


urlpatterns = [
    route("healthz", Health, name="healthz"),
    route("readyz", Readiness, name="readyz"),
    route("metrics", Metrics, name="metrics"),
]
