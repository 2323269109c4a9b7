"""The clock's schedule, which operators may change, and the operators' groups."""

from django.db import migrations

SCHEDULE = {
    "keep senders": ("dispatch.tasks.keep_senders", 2, "seconds"),
    "sweep": ("dispatch.tasks.sweep", 1, "seconds"),
    "apply webhooks": ("dispatch.tasks.apply_inbox", 1, "seconds"),
    "poll templates": ("campaigns.tasks.poll_templates", 5, "seconds"),
    "run jobs": ("campaigns_project.tasks.run_jobs", 2, "seconds"),
    "purge idempotency keys": ("campaigns_project.tasks.purge_idempotency_keys", 1, "hours"),
    "forget old webhooks": ("dispatch.tasks.forget_old_webhooks", 1, "days"),
}

SEEN = {
    "accounts": ["account", "user", "membership", "connection", "approval"],
    "campaigns": ["broadcast", "campaign", "campaignlead", "campaignleadmessage", "click", "conversationuser",
                  "message", "messageattempt", "submissionattempt"],
    "campaigns_project": ["auditentry", "job"],
    "crm": ["consententry", "customer", "event", "suppression"],
    "dispatch": ["inboxentry", "owner", "pace"],
    "django_celery_beat": ["crontabschedule", "intervalschedule", "periodictask"],
    "lifecycle": ["lease"],
}
VIEWER = {("view", app, model) for app, models in SEEN.items() for model in models}
SUPPORT = VIEWER | {
    ("change", "campaigns", "campaign"),
    ("change", "campaigns", "messageattempt"),
    ("change", "campaigns", "submissionattempt"),
    ("change", "dispatch", "inboxentry"),
}
CAMPAIGN_OPS = SUPPORT | {
    ("change", "campaigns", "broadcast"),
    ("change", "campaigns", "campaignlead"),
    ("add", "crm", "suppression"),
    ("change", "crm", "suppression"),
}
FINANCE = VIEWER | {("change", "accounts", "account")}
ADMIN = (
    {(verb, app, model) for _, app, model in VIEWER for verb in ("view", "add", "change")}
    | {("delete", "accounts", "membership")}
    | {(verb, "auth", "group") for verb in ("view", "add", "change")}
)
GROUPS = {"viewer": VIEWER, "support": SUPPORT, "campaign ops": CAMPAIGN_OPS, "finance": FINANCE, "admin": ADMIN}


def make_schedule(apps, schema_editor):
    task_of = apps.get_model("django_celery_beat", "PeriodicTask")
    interval_of = apps.get_model("django_celery_beat", "IntervalSchedule")
    for name, (task, every, period) in SCHEDULE.items():
        interval, _ = interval_of.objects.get_or_create(every=every, period=period)
        task_of.objects.get_or_create(name=name, defaults={"task": task, "interval": interval})


def make_groups(apps, schema_editor):
    kinds = apps.get_model("contenttypes", "ContentType").objects
    permissions = apps.get_model("auth", "Permission").objects
    for name, rights in GROUPS.items():
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=name)
        found = []
        # Django makes permissions after all migrations; those needed here are made as it would.
        for verb, app, model in sorted(rights):
            kind, _ = kinds.get_or_create(app_label=app, model=model)
            right, _ = permissions.get_or_create(
                content_type=kind, codename=f"{verb}_{model}", defaults={"name": f"Can {verb} {model}"}
            )
            found.append(right)
        group.permissions.add(*found)


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns_project", "0002_rate_window"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.RunPython(make_schedule, migrations.RunPython.noop),
        migrations.RunPython(make_groups, migrations.RunPython.noop),
    ]
