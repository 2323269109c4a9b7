"""The clock gives back coupons that were held too long, and holds the counters to their ledger."""

from django.db import migrations

TASKS = (
    ("give back coupons", "coupons.tasks.give_back_coupons", 5, "seconds"),
    ("hold coupons to their ledger", "coupons.tasks.check_coupon_books", 1, "hours"),
)


def schedule(apps, schema_editor):
    task_of = apps.get_model("django_celery_beat", "PeriodicTask")
    interval_of = apps.get_model("django_celery_beat", "IntervalSchedule")
    for name, task, every, period in TASKS:
        interval, _ = interval_of.objects.get_or_create(every=every, period=period)
        task_of.objects.get_or_create(name=name, defaults={"task": task, "interval": interval})


class Migration(migrations.Migration):
    dependencies = [("campaigns_project", "0011_coupon_campaigns_end")]

    operations = [migrations.RunPython(schedule, migrations.RunPython.noop)]
