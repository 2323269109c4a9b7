"""Every group of operators sees where providers deliver webhooks; admins end secrets that became known."""

from django.db import migrations

GROUPS = ("viewer", "support", "campaign ops", "finance", "admin")
RIGHTS = {"view": GROUPS, "change": ("admin",)}


def permit(apps, schema_editor):
    kinds = apps.get_model("contenttypes", "ContentType").objects
    permissions = apps.get_model("auth", "Permission").objects
    groups = apps.get_model("auth", "Group").objects
    kind, _ = kinds.get_or_create(app_label="dispatch", model="webhookconnection")
    for verb, names in RIGHTS.items():
        right, _ = permissions.get_or_create(
            content_type=kind,
            codename=f"{verb}_webhookconnection",
            defaults={"name": f"Can {verb} webhook connection"},
        )
        for group in groups.filter(name__in=names):
            group.permissions.add(right)


class Migration(migrations.Migration):
    dependencies = [("campaigns_project", "0008_marketing_campaigns_are_seen")]

    operations = [migrations.RunPython(permit, migrations.RunPython.noop)]
