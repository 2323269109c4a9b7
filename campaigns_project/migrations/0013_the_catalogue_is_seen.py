"""Every group of operators sees products, their variants, orders, and what of coupons is at Shopify."""

from django.db import migrations

MODELS = {
    "crm": ("product", "variant", "order"),
    "coupons": ("shopifydiscount", "shopifybatch", "shopifyattempt"),
}
RIGHTS = {"view": ("viewer", "support", "campaign ops", "finance", "admin")}


def permit(apps, schema_editor):
    kinds = apps.get_model("contenttypes", "ContentType").objects
    permissions = apps.get_model("auth", "Permission").objects
    groups = apps.get_model("auth", "Group").objects
    for app, model in [(app, model) for app, models in MODELS.items() for model in models]:
        kind, _ = kinds.get_or_create(app_label=app, model=model)
        right, _ = permissions.get_or_create(
            content_type=kind, codename=f"view_{model}", defaults={"name": f"Can view {model}"}
        )
        for group in groups.filter(name__in=RIGHTS["view"]):
            group.permissions.add(right)


class Migration(migrations.Migration):
    dependencies = [("campaigns_project", "0012_coupons_are_given_back")]

    operations = [migrations.RunPython(permit, migrations.RunPython.noop)]
