from django.apps import AppConfig


class CrmConfig(AppConfig):
    name = "crm"
    verbose_name = "Customers and consent"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        _send()
        _receive()
        _work()
        _follow()
        _forget()


def _send() -> None:
    """What leaves this house from here."""
    from accounts import connections
    from crm.marketing import delivering, launching, trying
    from crm.models import MarketingChannel
    from crm.webhooks_out import posting
    from dispatch import lane

    lane.register(delivering.LANES[MarketingChannel.EMAIL], delivering.mail_lane)
    lane.register(delivering.LANES[MarketingChannel.SMS], delivering.text_lane)
    lane.register(delivering.LANES[MarketingChannel.PUSH], delivering.push_lane)
    lane.also(posting.PROVIDER, posting.WebhookSender)
    connections.on_disconnect(launching.cut_off)
    # Tests by any channel leave with the e-mail.
    lane.also("email", trying.TrialSender)


def _work() -> None:
    """Each registers what its jobs run."""
    from crm.audiences import refreshing  # noqa: F401


def _receive() -> None:
    """What providers post here."""
    from crm.customers import feedback
    from crm.marketing import responding, trials
    from crm.webhooks_in import ingestion

    ingestion.listen()
    feedback.listens(responding.hear)
    feedback.sets_aside(trials.heard)


def _follow() -> None:
    """Who reads the one stream of events, and who uses a segment."""
    from crm import events
    from crm.audiences import segments
    from crm.catalogue import orders
    from crm.customers import timeline
    from crm.funnels import first_touch
    from crm.marketing import attributing, launching, responding
    from crm.offers import promos
    from crm.webhooks_out import outgoing

    events.listens(attributing.hear)
    events.listens(first_touch.touch)
    events.listens(orders.hear)
    events.listens(outgoing.queue)
    timeline.tells(responding.TOLD)
    segments.used_by("campaign", launching.uses_of)
    segments.used_by("promo", promos.codes_for)


def _forget() -> None:
    """Who holds something of a person that an erasure blanks."""
    from crm.audiences import segments
    from crm.customers import erasing, exporting, texting
    from crm.marketing import forgetting, trials
    from crm.webhooks_in import ingestion
    from crm.webhooks_out import outgoing

    for holder in (outgoing, forgetting, exporting, ingestion, segments, texting, trials):
        erasing.also(holder.forget)
