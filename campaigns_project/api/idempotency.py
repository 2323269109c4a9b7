"""Idempotency-Key: the first answer to a POST is kept in the transaction of its effect, and replayed for 24 hours."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import connection, transaction
from django.db.models.functions import Now
from django.http import HttpResponse, QueryDict

from campaigns_project.models import IdempotencyKey
from campaigns_project.refusals import Conflict, Invalid, Unprocessable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

KEPT = timedelta(hours=24)
KEPT_HEADERS = ("Content-Type", "Location", "ETag")
# Refusals that the same request would meet again; the others depend on the moment or on who asks.
KEPT_REFUSALS = frozenset({400, 404, 422})
_BLANK = f"""
UPDATE {IdempotencyKey._meta.db_table} SET body = '{{}}' WHERE account_id = %s
AND EXISTS (SELECT FROM unnest(%s::bytea[]) AS word WHERE position(word IN body) > 0)"""  # noqa: S608 (our own table)
_KEY = re.compile(r"[\x20-\x7e]{1,255}")


class KeyReused(Unprocessable):
    code = "idempotency_key_reused"
    message = "This Idempotency-Key came with another request before."


class StillRunning(Conflict):
    message = "A request with this Idempotency-Key is still running."


@dataclass(frozen=True)
class Keyed:
    """One POST with its key: whose it is, to which path, and the digest of what it says."""

    account_id: int
    path: str
    key: str
    digest: str

    @property
    def lock(self) -> int:
        """A 64-bit number for PostgreSQL's advisory lock."""
        name = "\x1f".join((str(self.account_id), self.path, self.key))
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


def keyed(request: Request, account: Any) -> Keyed | None:
    """The key of a POST, None without one. Raises Invalid for a key that is empty, long, or not printable ASCII."""
    given = {request.META[name] for name in ("HTTP_IDEMPOTENCY_KEY", "HTTP_X_IDEMPOTENCY_KEY") if name in request.META}
    if request.method != "POST" or not given or account is None:
        return None
    key = given.pop()
    if given or not _KEY.fullmatch(key) or not key.strip():
        raise Invalid("The Idempotency-Key must be one text of 1 to 255 printable characters.")
    return Keyed(account.pk, request.path.rstrip("/")[:300], key, _digest(request))


def once(keyed: Keyed, answer: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """The kept answer to `keyed`, or what `answer` gives now, kept together with its effect.

    `answer` runs in a savepoint of this transaction, turns its own refusals into rendered responses and rolls its
    effect back when it does. Raises StillRunning while another request holds the key, KeyReused for another body.
    """
    with transaction.atomic():
        if not _try_lock(keyed.lock):
            raise StillRunning
        kept = _kept(keyed)
        if kept is not None:
            return _replay(kept, keyed)
        response = answer()
        if _is_final(response):
            _keep(keyed, response)
        return response


def purge() -> int:
    """Delete answers older than a day; returns how many."""
    return IdempotencyKey.objects.filter(created_at__lt=Now() - KEPT).delete()[0]


def forget(account_id: int, words: Sequence[str]) -> None:
    """Blank the kept answers of an account that name somebody; they are still not carried out again."""
    with connection.cursor() as cursor:
        cursor.execute(_BLANK, [account_id, [word.encode() for word in {*words, *map(str.lower, words)}]])


def _try_lock(number: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        return bool(cursor.fetchone()[0])


def _kept(keyed: Keyed) -> IdempotencyKey | None:
    rows = IdempotencyKey.objects.filter(account=keyed.account_id, path=keyed.path, key=keyed.key)
    rows.filter(created_at__lt=Now() - KEPT).delete()
    return rows.first()


def _replay(kept: IdempotencyKey, keyed: Keyed) -> HttpResponse:
    if kept.body_hash != keyed.digest:
        raise KeyReused
    body = _sealing().decrypt(bytes(kept.body))
    return HttpResponse(body, status=kept.status_code, headers={**kept.headers, "Idempotent-Replayed": "true"})


def _is_final(response: HttpResponseBase) -> bool:
    final = 200 <= response.status_code < 300 or response.status_code in KEPT_REFUSALS  # noqa: PLR2004 (HTTP)
    return final and not response.streaming


def _keep(keyed: Keyed, response: Any) -> None:
    IdempotencyKey.objects.create(
        account_id=keyed.account_id,
        path=keyed.path,
        key=keyed.key,
        body_hash=keyed.digest,
        status_code=response.status_code,
        headers={name: response[name] for name in KEPT_HEADERS if name in response},
        # An answer may show a secret, once.
        body=_sealing().encrypt(response.content),
    )


def _sealing() -> Fernet:
    return Fernet(settings.DATA_KEY)


def _digest(request: Request) -> str:
    said: Any = request.data
    if isinstance(said, QueryDict):
        said = [[name, [_said(value) for value in values]] for name, values in sorted(said.lists())]
    text = json.dumps([request.META.get("QUERY_STRING", ""), said], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _said(value: Any) -> Any:
    # Not the raw multipart body: its boundary differs from try to try.
    if not isinstance(value, UploadedFile):
        return value
    digest = hashlib.sha256()
    for chunk in value.chunks():
        digest.update(chunk)
    value.seek(0)
    return digest.hexdigest()
