from django.apps import AppConfig


class CrmConfig(AppConfig):
    name = "crm"
    verbose_name = "Customers and consent"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from crm import (
            attributing,
            erasing,
            events,
            feedback,
            first_touch,
            forgetting,
            ingestion,
            launching,
            outgoing,
            promos,
            responding,
            segments,
            texting,
            timeline,
        )
        from crm.payloads import PROVIDERS
        from dispatch import inbox
        from dispatch.receiving import UNCOUNTED

        _send()
        _work()
        for provider in PROVIDERS:
            for kind in (ingestion.KIND, UNCOUNTED):
                inbox.handles(provider, kind, ingestion.apply)
        feedback.listens(responding.hear)
        events.listens(attributing.hear)
        events.listens(first_touch.touch)
        events.listens(outgoing.queue)
        erasing.also(outgoing.forget)
        erasing.also(forgetting.forget)
        erasing.also(segments.forget)
        erasing.also(texting.forget)
        segments.used_by("campaign", launching.uses_of)
        segments.used_by("promo", promos.codes_for)
        timeline.tells(responding.TOLD)


def _send() -> None:
    """What leaves this house from here."""
    from crm import delivering, posting
    from crm.models import MarketingChannel
    from dispatch import lane

    lane.register(delivering.LANES[MarketingChannel.EMAIL], delivering.mail_lane)
    lane.register(delivering.LANES[MarketingChannel.SMS], delivering.text_lane)
    lane.register(delivering.LANES[MarketingChannel.PUSH], delivering.push_lane)
    lane.also(posting.PROVIDER, posting.WebhookSender)


def _work() -> None:
    """Each registers what its jobs run."""
    from crm import importing, refreshing, segment_import, undoing  # noqa: F401
