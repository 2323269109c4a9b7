"""The providers an account hears from: which are connected, what came, the secrets, and what may be applied again."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from accounts import connections
from accounts.models import Connection
from campaigns_project.refusals import NotFound, Refusal
from crm.webhooks_in import ingestion, payloads
from crm.webhooks_in.door import address_of
from crm.webhooks_in.payloads import PROVIDERS
from dispatch import inbox, keyring
from dispatch.models import InboxEntry, WebhookConnection, WebhookSecret
from dispatch.receiving import UNCOUNTED
from providers.signatures import sendgrid_key

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import Account

KINDS = (ingestion.KIND, UNCOUNTED)
EVENT_PREFIX = "whk_"


@dataclass(frozen=True)
class Standing:
    """One provider as it stands for an account; `connection` is None while it is not connected."""

    id: str
    name: str
    events: tuple[str, ...]
    connection: WebhookConnection | None
    # Whether it is also sent through.
    carries: bool = False

    @property
    def is_known(self) -> bool:
        """Whether anything of it could be forgotten."""
        return self.carries or self.connection is not None

    @property
    def url(self) -> str:
        return address_of(self.connection) if self.connection else ""


@dataclass(frozen=True)
class Secret:
    """A new secret with where it goes: shown once."""

    provider: str
    url: str
    secret: str
    valid_until_of_the_old: Any


def standings(account: Account) -> list[Standing]:
    """Every provider we can hear from, connected or not."""
    connections = WebhookConnection.objects.for_account(account).prefetch_related("tallies")
    known = {each.provider: each for each in connections}
    carry = set(Connection.objects.for_account(account).values_list("provider", flat=True))
    return [Standing(each, it.name, it.events, known.get(each), each in carry) for each, it in PROVIDERS.items()]


def standing(account: Account, provider: str) -> Standing:
    """One of them. Raises NotFound."""
    found = next((each for each in standings(account) if each.id == provider), None)
    if found is None:
        raise NotFound
    return found


def change_secret(account: Account, provider: str, given: str, *, by: Any) -> Secret:
    """Connect the provider, or rotate its secret; one is made when none is given. SendGrid may be given its public key.

    Raises NotFound, Invalid and SecretTaken.
    """
    standing(account, provider)
    is_key = provider == "sendgrid" and sendgrid_key(given) is not None
    kind = WebhookSecret.Kind.PUBLIC_KEY if is_key else WebhookSecret.Kind.SHARED
    done = keyring.rotate(account, provider, given=given, kind=kind, by=by)
    return Secret(provider, address_of(done.connection, secret=done.secret), done.secret, done.old_until)


def disconnect(account: Account, provider: str, *, by: Any) -> None:
    """Let a provider go: its credentials and secrets are forgotten, what needs it pauses, and its webhooks are refused.

    What came before stays. Raises NotFound.
    """
    standing(account, provider)
    connections.disconnect(account, provider, by=by)


def came_in(account: Account, provider: str) -> QuerySet[InboxEntry]:
    """What came from a provider by these webhooks. Raises NotFound."""
    standing(account, provider)
    return InboxEntry.objects.filter(account=account, provider=provider, kind__in=KINDS)


def one_that_came(account: Account, provider: str, event_id: str) -> InboxEntry:
    """Raises NotFound."""
    digits = event_id.removeprefix(EVENT_PREFIX)
    if event_id.startswith(EVENT_PREFIX) and digits.isascii() and digits.isdigit() and len(digits) < 19:  # noqa: PLR2004 (fits a bigint)
        found = came_in(account, provider).filter(pk=int(digits)).first()
        if found is not None:
            return found
    raise NotFound


def replay(entry: InboxEntry) -> None:
    """Apply it again, now if nothing is in the way; what it did before is not done twice."""
    inbox.replay(entry)
    inbox.apply(1, only=[entry.pk])
    entry.refresh_from_db()


def payload_of(entry: InboxEntry) -> dict[str, Any]:
    """What came, as an object; empty for what is none any more (a person was erased) or never was."""
    with suppress(Refusal, ValueError):
        item = ingestion.item_of(entry)
        return item if isinstance(item, dict) else {"": item}
    return {}


def event_of(entry: InboxEntry) -> str:
    """`email.opened`; "" for what does not name its event."""
    item = payload_of(entry)
    name = payloads.name_of(entry.provider, item)
    return f"{payloads.channel_of(entry.provider, item)}.{name}" if name else ""


def address_in(entry: InboxEntry) -> str:
    """Whom it is about, as the provider names them; "" when it names nobody."""
    said = payloads.said_by(entry.provider, payload_of(entry))
    found = next((said[name] for name in ("email", "data[email]", "To", "phone") if said.get(name)), "")
    return found if isinstance(found, str) else ""
