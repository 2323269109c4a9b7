"""Whoever resolves open questions of messages resolves those of codes on their way to a shop."""

from django.db import migrations

RIGHTS = {"change": ("support", "campaign ops", "admin")}


def permit(apps, schema_editor):
    kinds = apps.get_model("contenttypes", "ContentType").objects
    kind, _ = kinds.get_or_create(app_label="coupons", model="shopifyattempt")
    right, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=kind, codename="change_shopifyattempt", defaults={"name": "Can change shopify attempt"}
    )
    for group in apps.get_model("auth", "Group").objects.filter(name__in=RIGHTS["change"]):
        group.permissions.add(right)


class Migration(migrations.Migration):
    dependencies = [("campaigns_project", "0013_the_catalogue_is_seen")]

    operations = [migrations.RunPython(permit, migrations.RunPython.noop)]
