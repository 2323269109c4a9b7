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
    from crm import delivering, launching, posting, trying
    from crm.models import MarketingChannel
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
    from crm import exporting, importing, refreshing, segment_import, undoing  # noqa: F401


def _receive() -> None:
    """What providers post here."""
    from crm import feedback, ingestion, responding, trials

    ingestion.listen()
    feedback.listens(responding.hear)
    feedback.sets_aside(trials.heard)


def _follow() -> None:
    """Who reads the one stream of events, and who uses a segment."""
    from crm import attributing, events, first_touch, launching, outgoing, promos, responding, segments, timeline

    events.listens(attributing.hear)
    events.listens(first_touch.touch)
    events.listens(outgoing.queue)
    timeline.tells(responding.TOLD)
    segments.used_by("campaign", launching.uses_of)
    segments.used_by("promo", promos.codes_for)


def _forget() -> None:
    """Who holds something of a person that an erasure blanks."""
    from crm import erasing, exporting, forgetting, ingestion, outgoing, segments, texting, trials

    for holder in (outgoing, forgetting, exporting, ingestion, segments, texting, trials):
        erasing.also(holder.forget)
