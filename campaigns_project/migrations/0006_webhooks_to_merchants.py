"""The clock forgets old webhooks to merchants; every group of operators sees them, support sends them again."""

from django.db import migrations

GROUPS = ("viewer", "support", "campaign ops", "finance", "admin")
RIGHTS = {"view": GROUPS, "change": ("support", "campaign ops", "admin")}


def schedule(apps, schema_editor):
    task_of = apps.get_model("django_celery_beat", "PeriodicTask")
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=1, period="days"
    )
    task_of.objects.get_or_create(
        name="forget old webhooks to merchants",
        defaults={"task": "crm.tasks.forget_old_webhooks_out", "interval": interval},
    )


def permit(apps, schema_editor):
    kinds = apps.get_model("contenttypes", "ContentType").objects
    permissions = apps.get_model("auth", "Permission").objects
    groups = apps.get_model("auth", "Group").objects
    rights = [(verb, model, names) for verb, names in RIGHTS.items() for model in ("webhookendpoint", "webhookdelivery")]
    for verb, model, names in rights:
        kind, _ = kinds.get_or_create(app_label="crm", model=model)
        right, _ = permissions.get_or_create(
            content_type=kind, codename=f"{verb}_{model}", defaults={"name": f"Can {verb} {model}"}
        )
        for group in groups.filter(name__in=names):
            group.permissions.add(right)


class Migration(migrations.Migration):
    dependencies = [("campaigns_project", "0005_funnels_are_folded")]

    operations = [
        migrations.RunPython(schedule, migrations.RunPython.noop),
        migrations.RunPython(permit, migrations.RunPython.noop),
    ]
