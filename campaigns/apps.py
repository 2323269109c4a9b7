from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = "WhatsApp"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts import connections, onboarding
        from campaigns import (  # noqa: F401 (each registers what its jobs run)
            approval,
            authoring,
            broadcasting,
            conversations,
            forgetting,
            from_segment,
            importing,
            sending,
            telling,
        )
        from crm.customers import erasing, exporting, timeline
        from dispatch import inbox, lane

        onboarding.on_opening(authoring.onboard)
        connections.on_disconnect(broadcasting.cut_off)
        erasing.also(forgetting.forget)
        exporting.also("whatsapp", telling.told)
        timeline.tells(conversations.TOLD)
        lane.register(sending.LANE, sending.whatsapp_lane)
        lane.register(approval.LANE, approval.template_lane)
        inbox.handles("twilio", "status", conversations.apply_statuses)
        inbox.handles("twilio", "inbound", conversations.receive_all)
