"""Every group of operators sees marketing campaigns and browsers; whoever moves campaigns stops them and looks their calls up."""

from django.db import migrations

GROUPS = ("viewer", "support", "campaign ops", "finance", "admin")
RIGHTS = {"view": GROUPS, "change": ("campaign ops", "admin")}
MODELS = ("marketingcampaign", "delivery", "deliveryattempt", "pushsubscription")


def permit(apps, schema_editor):
    kinds = apps.get_model("contenttypes", "ContentType").objects
    permissions = apps.get_model("auth", "Permission").objects
    groups = apps.get_model("auth", "Group").objects
    for verb, model, names in [(verb, model, names) for verb, names in RIGHTS.items() for model in MODELS]:
        kind, _ = kinds.get_or_create(app_label="crm", model=model)
        right, _ = permissions.get_or_create(
            content_type=kind, codename=f"{verb}_{model}", defaults={"name": f"Can {verb} {model}"}
        )
        for group in groups.filter(name__in=names):
            group.permissions.add(right)


class Migration(migrations.Migration):
    dependencies = [("campaigns_project", "0007_segments_are_refreshed")]

    operations = [migrations.RunPython(permit, migrations.RunPython.noop)]
