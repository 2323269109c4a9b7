"""The clock gives back promo codes that were held too long; every group of operators sees promos and their ledger."""

from django.db import migrations

GROUPS = ("viewer", "support", "campaign ops", "finance", "admin")
# Whoever moves campaigns may disable a promo and void a use.
RIGHTS = {"view": GROUPS, "change": ("campaign ops", "admin")}


def schedule(apps, schema_editor):
    task_of = apps.get_model("django_celery_beat", "PeriodicTask")
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=5, period="seconds"
    )
    task_of.objects.get_or_create(
        name="give back promos", defaults={"task": "crm.tasks.give_back_promos", "interval": interval}
    )


def permit(apps, schema_editor):
    kinds = apps.get_model("contenttypes", "ContentType").objects
    permissions = apps.get_model("auth", "Permission").objects
    groups = apps.get_model("auth", "Group").objects
    rights = [(verb, model, names) for verb, names in RIGHTS.items() for model in ("promo", "promouse")]
    for verb, model, names in rights:
        kind, _ = kinds.get_or_create(app_label="crm", model=model)
        right, _ = permissions.get_or_create(
            content_type=kind, codename=f"{verb}_{model}", defaults={"name": f"Can {verb} {model}"}
        )
        for group in groups.filter(name__in=names):
            group.permissions.add(right)


class Migration(migrations.Migration):
    dependencies = [("campaigns_project", "0003_schedule_and_groups")]

    operations = [
        migrations.RunPython(schedule, migrations.RunPython.noop),
        migrations.RunPython(permit, migrations.RunPython.noop),
    ]
