from django.apps import AppConfig


class CampaignsProjectConfig(AppConfig):
    name = "campaigns_project"
    verbose_name = "Trails and jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # After every app's own admin, some of which it replaces.
        from campaigns_project.admin import schedules  # noqa: F401 (registers)
