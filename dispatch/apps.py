from django.apps import AppConfig


class DispatchConfig(AppConfig):
    name = "dispatch"
    verbose_name = "Sending"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts import connections
        from dispatch import keyring

        connections.on_disconnect(keyring.disconnect)
