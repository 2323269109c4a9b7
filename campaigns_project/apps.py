from django.apps import AppConfig


class CampaignsProjectConfig(AppConfig):
    name = "campaigns_project"
    default_auto_field = "django.db.models.BigAutoField"
