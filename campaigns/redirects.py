"""Links that lead through us, so that a click is known: signed, because a message's number could be guessed.

Only addresses that were stored with the message are ever led to (spec: decisions › WhatsApp), so that nobody can use us
to lend a strange address our name.
"""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.db.models.functions import Now

from campaigns.models import CampaignLeadMessage, Click
from campaigns_project.refusals import Invalid, NotFound
from crm import events
from providers.urls import check_url

LONGEST_URL = 2000
LONGEST_AGENT = 300

_SIGNER = Signer(salt="campaigns.redirects", sep=".")
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_WEB = re.compile(r"https?://", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def link_for(message: CampaignLeadMessage, url: str) -> str:
    """The address that leads to `url` and counts the click; `url` is stored with the message. Raises Invalid."""
    check_url(url)
    if len(url) > LONGEST_URL:
        raise Invalid(details={"url": [f"A link has at most {LONGEST_URL} characters."]})
    with transaction.atomic():
        row = CampaignLeadMessage.objects.select_for_update().get(pk=message.pk)
        links = _links(row)
        if url not in links:
            links.append(url)
            row.context = {**(row.context or {}), "links": links}
            row.save(update_fields=["context"])
    message.context = row.context
    token = _SIGNER.sign(f"{row.pk}-{links.index(url)}")
    return f"{settings.PUBLIC_BASE_URL}/api/v1/campaign/redirect/{token}"


def follow(token: str, *, user_agent: str = "") -> str:
    """Where a link leads; the click is written down. Raises NotFound, whatever is wrong with the token.

    A bare message number leads to its first link, where the account allows it.
    """
    message, url = _found(token)
    agent = _UNPRINTABLE.sub(" ", user_agent)[:LONGEST_AGENT]
    with transaction.atomic():
        click = Click.objects.create(account_id=message.account_id, message=message, url=url, user_agent=agent)
        CampaignLeadMessage.objects.filter(pk=message.pk, clicked_at=None).update(clicked_at=Now())
        events.record(
            message.account,
            type="message.clicked",
            event_id=f"whatsapp:click:{click.pk}",
            customer_id=message.conversation_user.customer_id,
            phone=message.phone,
            properties={"message_id": message.pk, "url": url},
        )
    return url


def _found(token: str) -> tuple[CampaignLeadMessage, str]:
    numeric = bool(_NUMBER.fullmatch(token))
    row_id, index = (int(token), 0) if numeric else _opened(token)
    rows = CampaignLeadMessage.objects.select_related("account", "conversation_user")
    message = rows.filter(pk=row_id).first()
    if message is None or (numeric and not message.account.numeric_redirects):
        raise NotFound
    links = _links(message)
    if index >= len(links):
        raise NotFound
    return message, links[index]


def _opened(token: str) -> tuple[int, int]:
    try:
        row_id, _, index = _SIGNER.unsign(token).partition("-")
    except BadSignature:
        raise NotFound from None
    return int(row_id), int(index)


def _links(message: CampaignLeadMessage) -> list[str]:
    """What the message's context lists, as far as it is an address of the web."""
    context: Any = message.context if isinstance(message.context, dict) else {}
    stored = context.get("links")
    return [url for url in stored if isinstance(url, str) and _WEB.match(url)] if isinstance(stored, list) else []
