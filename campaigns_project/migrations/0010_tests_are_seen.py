"""Every group of operators sees the test messages of marketing campaigns."""

from django.db import migrations

RIGHTS = {"view": ("viewer", "support", "campaign ops", "finance", "admin")}


def permit(apps, schema_editor):
    kinds = apps.get_model("contenttypes", "ContentType").objects
    permissions = apps.get_model("auth", "Permission").objects
    groups = apps.get_model("auth", "Group").objects
    kind, _ = kinds.get_or_create(app_label="crm", model="trial")
    right, _ = permissions.get_or_create(
        content_type=kind, codename="view_trial", defaults={"name": "Can view test message"}
    )
    for group in groups.filter(name__in=RIGHTS["view"]):
        group.permissions.add(right)


class Migration(migrations.Migration):
    dependencies = [("campaigns_project", "0009_webhook_connections_are_seen")]

    operations = [migrations.RunPython(permit, migrations.RunPython.noop)]
