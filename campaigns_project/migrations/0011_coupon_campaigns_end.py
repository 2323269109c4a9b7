"""The clock ends coupon campaigns; every group of operators sees them, their coupons and the ledger of uses."""

from django.db import migrations

GROUPS = ("viewer", "support", "campaign ops", "finance", "admin")
# Whoever moves campaigns may move these, void a coupon and give a use back.
RIGHTS = {"view": GROUPS, "change": ("campaign ops", "admin")}


def schedule(apps, schema_editor):
    task_of = apps.get_model("django_celery_beat", "PeriodicTask")
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=5, period="seconds"
    )
    task_of.objects.get_or_create(
        name="end coupon campaigns", defaults={"task": "coupons.tasks.end_coupon_campaigns", "interval": interval}
    )


def permit(apps, schema_editor):
    kinds = apps.get_model("contenttypes", "ContentType").objects
    permissions = apps.get_model("auth", "Permission").objects
    groups = apps.get_model("auth", "Group").objects
    models = ("couponcampaign", "coupon", "couponuse")
    for verb, model, names in [(verb, model, names) for verb, names in RIGHTS.items() for model in models]:
        kind, _ = kinds.get_or_create(app_label="coupons", model=model)
        right, _ = permissions.get_or_create(
            content_type=kind, codename=f"{verb}_{model}", defaults={"name": f"Can {verb} {model}"}
        )
        for group in groups.filter(name__in=names):
            group.permissions.add(right)


class Migration(migrations.Migration):
    dependencies = [("campaigns_project", "0010_tests_are_seen")]

    operations = [
        migrations.RunPython(schedule, migrations.RunPython.noop),
        migrations.RunPython(permit, migrations.RunPython.noop),
    ]
