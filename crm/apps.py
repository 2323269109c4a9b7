from django.apps import AppConfig


class CrmConfig(AppConfig):
    name = "crm"
    verbose_name = "Customers and consent"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from crm import (
            attributing,
            delivering,
            erasing,
            events,
            feedback,
            first_touch,
            outgoing,
            posting,
            responding,
        )
        from crm.models import MarketingChannel
        from dispatch import lane

        lane.register(delivering.LANES[MarketingChannel.EMAIL], delivering.mail_lane)
        lane.register(delivering.LANES[MarketingChannel.SMS], delivering.text_lane)
        lane.also(posting.PROVIDER, posting.WebhookSender)
        feedback.listens(responding.hear)
        events.listens(attributing.hear)
        events.listens(first_touch.touch)
        events.listens(outgoing.queue)
        erasing.also(outgoing.forget)
