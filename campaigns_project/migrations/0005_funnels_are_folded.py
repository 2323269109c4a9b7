"""The clock keeps the counts of funnels short."""

from django.db import migrations


def schedule(apps, schema_editor):
    task_of = apps.get_model("django_celery_beat", "PeriodicTask")
    interval, _ = apps.get_model("django_celery_beat", "IntervalSchedule").objects.get_or_create(
        every=30, period="seconds"
    )
    task_of.objects.get_or_create(name="fold funnels", defaults={"task": "crm.tasks.fold_funnels", "interval": interval})


class Migration(migrations.Migration):
    dependencies = [("campaigns_project", "0004_promos_are_given_back")]

    operations = [migrations.RunPython(schedule, migrations.RunPython.noop)]
