"""Templates: written, revised, switched on and off, put away. A version is a row; only its successor replaces it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from campaigns import content, media, variables
from campaigns.library import DEFAULT_CAMPAIGNS, DEFAULT_COMMERCE_CAMPAIGNS
from campaigns.models import (
    Broadcast,
    Campaign,
    CampaignAuthorType,
    CampaignStatus,
    CampaignType,
)
from campaigns.values import check_values
from campaigns_project.refusals import Conflict, Invalid

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from django.core.files.uploadedfile import UploadedFile

    from accounts.models import Account
    from lifecycle.transition import Actor


class NameTaken(Conflict):
    code = "name_taken"
    message = "There is already a template of this name and language."


class NotTheNewestVersion(Conflict):
    code = "not_the_newest_version"
    message = "This version has a successor; change the newest one."


class TemplateNotApproved(Conflict):
    code = "template_not_approved"
    message = "Only an approved template can be switched on."


class BroadcastOpen(Conflict):
    code = "broadcast_open"
    message = "A broadcast of this template is scheduled, sending or paused."


# What a new version takes over unless it is given anew.
_INHERITED = ("content_type", "campaign_type", "variable_defaults")


def create(
    account: Account,
    *,
    by: Actor | None,
    name: str,
    content_type: str,
    content_context: Mapping[str, Any],
    campaign_type: str,
    language: str = "en",
    numbered: Mapping[str, str] | None = None,
    variable_defaults: Mapping[str, Any] | None = None,
    upload: UploadedFile[bytes] | None = None,
) -> Campaign:
    """A first version, unsubmitted. Raises Invalid, or NameTaken when the name and language have a living head.

    `content_context` may name its variables or number them with `numbered` as the map; `upload` is kept and becomes
    the content's `media`.
    """
    campaign = Campaign(
        account=account,
        name=content.clean_name(name),
        language=content.clean_language(language),
        campaign_type=_campaign_type(campaign_type),
        created_by_id=by.pk if by else None,
    )
    with _with_media(campaign, content_context, upload) as (context, trusted):
        _write(campaign, content_type, context, numbered, variable_defaults, trusted)
        try:
            with transaction.atomic():
                campaign.save(force_insert=True)
        except IntegrityError as error:
            raise _taken(error) from None
    return campaign


def new_version(
    campaign: Campaign,
    *,
    by: Actor | None,
    content_context: Mapping[str, Any] | None = None,
    numbered: Mapping[str, str] | None = None,
    upload: UploadedFile[bytes] | None = None,
    **changes: Any,
) -> Campaign:
    """The next version of a head, unsubmitted; the old one points to it and goes on sending until it is replaced.

    `changes`: content_type, campaign_type, variable_defaults. A built-in template stays a service template, whoever
    rewords it. Raises Invalid, and NotTheNewestVersion for any but the head.
    """
    with transaction.atomic():
        head = Campaign.objects.select_for_update().get(pk=campaign.pk)
        check_newest(head)
        given = {name: changes.get(name, getattr(head, name)) for name in _INHERITED}
        successor = _successor(head, given["campaign_type"], by)
        if content_context is None:
            content_context, numbered = head.content_context, head.variables
        keys = set(head.variables.values()) | custom_keys(head)
        with _with_media(successor, content_context, upload) as (context, trusted):
            # What the head shows was checked when it was written.
            known = {*trusted, *head.content_context.get("media", [])}
            _write(successor, given["content_type"], context, numbered, given["variable_defaults"], known, keys)
            # The name is free for the successor once the head points on; the reference is checked at the commit.
            successor.pk = successor.pk or _next_id()
            Campaign.objects.filter(pk=head.pk).update(next_campaign_id=successor.pk)
            successor.save(force_insert=True)
    campaign.next_campaign = successor
    return successor


def check_newest(campaign: Campaign) -> None:
    """Raise NotTheNewestVersion for a version that has a successor or was put away."""
    if not campaign.is_head or campaign.status == CampaignStatus.ARCHIVED:
        raise NotTheNewestVersion


def custom_keys(campaign: Campaign) -> set[str]:
    """The names of variables that the campaign's active leads carry."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT jsonb_object_keys(custom_variables) FROM campaigns_campaignlead "
            "WHERE campaign_id = %s AND active",
            [campaign.pk],
        )
        return {row[0] for row in cursor.fetchall()}


def onboard(account: Account) -> list[Campaign]:
    """What a new account starts with."""
    return create_default_templates(account)


def create_default_templates(account: Account, names: Collection[str] | None = None) -> list[Campaign]:
    """Create the built-in templates that are missing, or refresh the system's own; returns them by name.

    `names` picks some of them (Invalid for an unknown one). A merchant's own version is never overwritten; running it
    twice, or twice at once, leaves one of each.
    """
    offered = [*DEFAULT_CAMPAIGNS, *(DEFAULT_COMMERCE_CAMPAIGNS if account.commerce else [])]
    unknown = sorted(set(names or ()) - {each["name"] for each in offered})
    if unknown:
        raise Invalid(details={"campaign_names": [f"There is no built-in template {name}." for name in unknown]})
    wanted = [each for each in offered if names is None or each["name"] in names]
    return [_default(account, definition) for definition in wanted]


def enable(campaign: Campaign, *, by: Actor | None) -> Campaign:  # noqa: ARG001 (verbs say who asks)
    """Let an approved version send. Raises TemplateNotApproved."""
    approved = Campaign.objects.filter(pk=campaign.pk, status=CampaignStatus.APPROVED)
    moved = approved.update(enabled_at=Now(), updated_at=Now())
    campaign.refresh_from_db()
    if not moved:
        raise TemplateNotApproved(details={"status": campaign.status})
    return campaign


def disable(campaign: Campaign, *, by: Actor | None) -> Campaign:  # noqa: ARG001 (verbs say who asks)
    """Stop this version from sending, at once; what is queued waits."""
    Campaign.objects.filter(pk=campaign.pk).update(enabled_at=None, updated_at=Now())
    campaign.refresh_from_db()
    return campaign


def archive(campaign: Campaign, *, by: Actor | None, reason: str = "") -> Campaign:
    """Put a version away. Raises BroadcastOpen while it is in use."""
    with transaction.atomic():
        locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if Broadcast.objects.open().filter(campaign=locked).exists():
            raise BroadcastOpen
        locked.archive(by=by, reason=reason, enabled_at=None)
    campaign.refresh_from_db()
    return campaign


@contextlib.contextmanager
def _with_media(
    campaign: Campaign, given: Mapping[str, Any], upload: UploadedFile[bytes] | None
) -> Iterator[tuple[Mapping[str, Any], Collection[str]]]:
    """The content with the upload's address in it, and the addresses that need no check; gone if the body fails."""
    if upload is None:
        yield given, ()
        return
    campaign.pk = _next_id()
    campaign.media_file = media.store(campaign.account, campaign.pk, upload)
    address = media.address(campaign.media_file)
    try:
        yield {**given, "media": [address]}, (address,)
    except Exception:
        media.remove(campaign.media_file)
        raise


def _successor(head: Campaign, campaign_type: object, by: Actor | None) -> Campaign:
    successor = Campaign(
        account=head.account,
        name=head.name,
        language=head.language,
        campaign_type=_campaign_type(campaign_type),
        author_type=CampaignAuthorType.MERCHANT if by else head.author_type,
        created_by_id=by.pk if by else None,
        media_file=head.media_file,
    )
    built_in = Campaign.objects.versions_of(head).filter(author_type=CampaignAuthorType.SYSTEM)
    if successor.campaign_type != head.campaign_type and built_in.exists():
        raise Invalid(details={"campaign_type": ["A built-in template stays a service template."]})
    return successor


def _write(
    campaign: Campaign,
    content_type: str,
    given: Mapping[str, Any],
    numbered: Mapping[str, str] | None,
    defaults: Mapping[str, Any] | None,
    trusted: Collection[str],
    keys: Collection[str] = (),
) -> None:
    """Check a content and put it into the row: numbered as Twilio gets it, with the body as people read it."""
    cleaned = content.clean(content_type, given, trusted=trusted)
    context, names = variables.number(cleaned, numbered)
    defaults = check_values(defaults or {}, variables=names, field="variable_defaults")
    # A name that has a default can always be filled in, whatever leads carry.
    variables.validate(context, names, campaign_type=campaign.campaign_type, custom_keys={*keys, *defaults})
    campaign.content_type = content_type
    campaign.content_context = context
    campaign.variables = names
    campaign.variable_defaults = defaults
    campaign.body = content.body_of(content_type, variables.named(context, names))


def _default(account: Account, definition: Mapping[str, Any]) -> Campaign:
    named = Campaign.objects.for_account(account).filter(name=definition["name"], language=definition["language"])
    heads = named.filter(next_campaign=None).exclude(status=CampaignStatus.ARCHIVED)
    head = heads.first()
    if head is not None:
        return head if head.author_type == CampaignAuthorType.MERCHANT else _refreshed(head, definition)
    campaign = Campaign(
        account=account,
        name=definition["name"],
        language=definition["language"],
        campaign_type=definition["campaign_type"],
        author_type=CampaignAuthorType.SYSTEM,
    )
    _write(
        campaign, definition["content_type"], definition["content_context"], None, definition["variable_defaults"], ()
    )
    try:
        with transaction.atomic():
            campaign.save(force_insert=True)
    except IntegrityError:
        # Somebody else made it a moment ago.
        return heads.get()
    return campaign


def _refreshed(head: Campaign, definition: Mapping[str, Any]) -> Campaign:
    """The system's newest wording: in place while nobody has seen it, else as a new version."""
    wanted = Campaign(account=head.account, campaign_type=definition["campaign_type"])
    _write(wanted, definition["content_type"], definition["content_context"], None, definition["variable_defaults"], ())
    fields = ("content_type", "content_context", "variables", "variable_defaults", "body")
    if all(getattr(head, field) == getattr(wanted, field) for field in fields):
        return head
    if head.status == CampaignStatus.UNSUBMITTED and head.submitted_at is None:
        Campaign.objects.filter(pk=head.pk).update(**{field: getattr(wanted, field) for field in fields})
        head.refresh_from_db()
        return head
    return new_version(
        head,
        by=None,
        content_type=definition["content_type"],
        content_context=definition["content_context"],
        variable_defaults=definition["variable_defaults"],
    )


def _campaign_type(raw: object) -> str:
    if isinstance(raw, str) and raw in CampaignType.values:
        return raw
    raise Invalid(details={"campaign_type": [f"Give one of {', '.join(CampaignType.values)}."]})


def _taken(error: IntegrityError) -> Exception:
    return NameTaken() if "campaign_name_once_among_heads" in str(error) else error


def _next_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('campaigns', 'id'))")
        return int(cursor.fetchone()[0])
