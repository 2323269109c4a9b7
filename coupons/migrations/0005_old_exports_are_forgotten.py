"""The clock removes exports that are a week old."""

from django.db import migrations


def schedule(apps, schema_editor):
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=3_600, period="seconds"
    )
    apps.get_model("django_celery_beat", "PeriodicTask").objects.get_or_create(
        name="forget old exports", defaults={"task": "coupons.tasks.forget_exports", "interval": interval}
    )


class Migration(migrations.Migration):
    dependencies = [("coupons", "0004_finding")]

    operations = [migrations.RunPython(schedule, migrations.RunPython.noop)]
