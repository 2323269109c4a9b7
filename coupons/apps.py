from django.apps import AppConfig


class CouponsConfig(AppConfig):
    name = "coupons"
    verbose_name = "Coupons"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Each registers what its jobs run.
        from coupons import importing, making  # noqa: F401
        from coupons.pools import Pools
        from crm import codes

        codes.register(Pools())
