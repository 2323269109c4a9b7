"""The clock refreshes dynamic segments; every group of operators sees segments."""

from django.db import migrations

GROUPS = ("viewer", "support", "campaign ops", "finance", "admin")
RIGHTS = {"view": GROUPS, "change": ("campaign ops", "admin")}


def schedule(apps, schema_editor):
    task_of = apps.get_model("django_celery_beat", "PeriodicTask")
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=15, period="seconds"
    )
    task_of.objects.get_or_create(
        name="refresh segments", defaults={"task": "crm.tasks.refresh_segments", "interval": interval}
    )


def permit(apps, schema_editor):
    kinds = apps.get_model("contenttypes", "ContentType").objects
    permissions = apps.get_model("auth", "Permission").objects
    groups = apps.get_model("auth", "Group").objects
    kind, _ = kinds.get_or_create(app_label="crm", model="segment")
    for verb, names in RIGHTS.items():
        right, _ = permissions.get_or_create(
            content_type=kind, codename=f"{verb}_segment", defaults={"name": f"Can {verb} segment"}
        )
        for group in groups.filter(name__in=names):
            group.permissions.add(right)


class Migration(migrations.Migration):
    dependencies = [("campaigns_project", "0006_webhooks_to_merchants")]

    operations = [
        migrations.RunPython(schedule, migrations.RunPython.noop),
        migrations.RunPython(permit, migrations.RunPython.noop),
    ]
