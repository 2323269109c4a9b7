"""Everything we hold of a person, as one JSON file for them: asked for, written by a job, fetched by a signed link.

Rows of every table that points at customers are told by themselves; what knows the person by an address, or stands on
a floor above, is told by a source.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.core.signing import BadSignature, TimestampSigner
from django.db import transaction
from django.db.models import Q

from campaigns_project import jobs
from campaigns_project.models import AuditEntry, Job
from campaigns_project.refusals import NotFound
from crm.customers import consent
from crm.models import ConsentEntry, Customer, Event, ImportedCustomer, PromoShare, PromoUse, Suppression

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Rows = Iterable[dict[str, Any]]

KIND = "customer_export"
LINK_SECONDS = 3_600
DOWNLOAD = "/api/v1/customers/exports/"
_SIGNER = TimestampSigner(salt="crm.exporting", sep=".")
# Whose it is goes without saying, and hashes are ours.
_OURS = frozenset({"account_id", "customer_id", "address_hash", *Customer.HASHES})
_sources: dict[str, Callable[[Customer], Rows]] = {}


def also(name: str, told: Callable[[Customer], Rows]) -> None:
    """`told(customer)` is what another table or domain holds of the person, as `name`. Call it in AppConfig.ready()."""
    _sources[name] = told


def export(customer: Customer, *, by: Any, request_id: str = "") -> Job:
    """Begin to write down everything of a person; returns the job that does, and says so in the audit trail."""
    with transaction.atomic():
        AuditEntry.objects.create(
            account=customer.account,
            actor=by,
            action="customer.export",
            target=customer.public_id,
            request_id=request_id,
        )
        return jobs.create(KIND, account=customer.account, by=by, total=1, params={"customer": customer.pk})


@jobs.runs(KIND)
def run(job: Job) -> bool:
    """Write the file; `result` has the link to it, which holds for an hour."""
    customer = Customer.objects.for_account(job.account_id).known().filter(pk=job.params["customer"]).first()
    if customer is None:
        raise NotFound
    path = _path(job)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_text(customer))
    jobs.progress(job, done=1)
    jobs.finish(job, result={"download_url": f"{DOWNLOAD}{_SIGNER.sign(str(job.pk))}"})
    return True


def download(token: str) -> tuple[str, Path]:
    """The name and the place of an export. Raises NotFound for a link that is none or too old, or when it is gone."""
    try:
        pk = int(_SIGNER.unsign(token, max_age=LINK_SECONDS))
    except BadSignature:
        raise NotFound from None
    job = Job.objects.filter(pk=pk, kind=KIND, status=Job.Status.DONE).first()
    if job is None or not _path(job).is_file():
        raise NotFound
    return f"{job.public_id}.json", _path(job)


def forget(customer: Customer) -> None:
    """Exports of the person go with the person."""
    for job in Job.objects.filter(account=customer.account_id, kind=KIND, params__customer=customer.pk):
        _path(job).unlink(missing_ok=True)


def _text(customer: Customer) -> Iterator[str]:
    """The file in pieces, so that a long history does not have to fit into memory."""
    person = next(_told(Customer.objects.filter(pk=customer.pk)))
    yield f'{{"customer": {_json(person)}'
    for name, rows in _everything(customer):
        yield f", {_json(name)}: ["
        for number, row in enumerate(rows):
            yield f"{', ' * bool(number)}{_json(row)}"
        yield "]"
    yield "}\n"


def _everything(customer: Customer) -> Iterator[tuple[str, Rows]]:
    named = {relation.related_model: relation.field.attname for relation in _relations()}
    for model, column in named.items():
        if model not in (Event, ConsentEntry):
            yield (
                model._meta.verbose_name_plural.replace(" ", "_"),
                _told(model.objects.filter(**{column: customer.pk})),
            )
    yield from ((name, told(customer)) for name, told in _sources.items())


def _relations() -> Iterator[Any]:
    for relation in Customer._meta.get_fields(include_hidden=True):
        if relation.one_to_many and relation.related_model is not ImportedCustomer:
            yield relation


def _told(rows: Any) -> Iterator[dict[str, Any]]:
    for row in rows.order_by("pk").values().iterator():
        yield {name: value for name, value in row.items() if name not in _OURS}


def _events(customer: Customer) -> Rows:
    theirs = Q(customer=customer)
    if customer.phone:
        theirs |= Q(customer=None, phone=customer.phone)
    return _told(Event.objects.for_account(customer.account_id).filter(theirs))


def _consents(customer: Customer) -> Rows:
    said = Q(customer=customer) | Q(address_hash__in=consent.hashes_of(customer).values())
    return _told(ConsentEntry.objects.for_account(customer.account_id).filter(said))


def _suppressions(customer: Customer) -> Rows:
    hashes = consent.hashes_of(customer).values()
    return _told(Suppression.objects.for_account(customer.account_id).filter(address_hash__in=hashes))


def _promo_uses(customer: Customer) -> Rows:
    return _told(PromoUse.objects.for_account(customer.account_id).filter(person=customer.public_id))


def _promo_shares(customer: Customer) -> Rows:
    return _told(PromoShare.objects.for_account(customer.account_id).filter(person=customer.public_id))


def _json(value: Any) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)


def _path(job: Job) -> Path:
    path = Path(settings.PRIVATE_FILES_DIR) / "exports" / f"{job.public_id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


also("events", _events)
also("consent", _consents)
also("suppressions", _suppressions)
also("promo_uses", _promo_uses)
also("promo_shares", _promo_shares)
