"""Pictures, films and documents of templates: kept below the private files, under names of ours.

The owner reads them through the API; WhatsApp reads them at a signed address, because it cannot sign in.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from django.conf import settings
from django.core.signing import Signer
from django.utils.crypto import constant_time_compare

from campaigns.models import Campaign
from campaigns_project.refusals import ContentTooLarge, Invalid, NotFound
from providers.images import check_image

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

    from accounts.models import Account

# What WhatsApp takes in a template's header (Meta: supported media), by ending.
TYPES = {"jpg": "image/jpeg", "png": "image/png", "mp4": "video/mp4", "pdf": "application/pdf"}
LARGEST_PICTURE = 5 * 1024 * 1024
LARGEST_FILE = 16 * 1024 * 1024

_ENDINGS = {media_type: ending for ending, media_type in TYPES.items()}
_NAME = re.compile(rf"[0-9a-f]{{32}}\.({'|'.join(TYPES)})")
_SIGNER = Signer(salt="campaigns.media")
# An MP4 file's first box is its type; its first four bytes are that box's length.
_MP4_BOX = slice(4, 8)


@dataclass(frozen=True)
class Media:
    """An open file and the media type to serve it with."""

    file: BinaryIO
    media_type: str


def store(account: Account, campaign_id: int, upload: UploadedFile[bytes]) -> str:
    """Keep an upload; returns its path `{merchant_id}/{campaign_id}/{name}`. The client's name is never used.

    Raises Invalid (`details["media"]`) for anything but JPEG, PNG, MP4 or PDF that says what it is, and
    ContentTooLarge above 5 MiB for pictures and 16 MiB for the rest.
    """
    if (upload.size or 0) > LARGEST_FILE:
        raise ContentTooLarge
    data = upload.read(LARGEST_FILE + 1)
    media_type = _sniffed(data, upload.content_type or "")
    if len(data) > (LARGEST_PICTURE if media_type.startswith("image/") else LARGEST_FILE):
        raise ContentTooLarge
    path = f"{account.pk}/{campaign_id}/{secrets.token_hex(16)}.{_ENDINGS[media_type]}"
    place = _place(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("xb") as kept:
        kept.write(data)
    return path


def remove(path: str) -> None:
    """Forget a stored file; one that is gone already is fine."""
    _place(path).unlink(missing_ok=True)


def address(path: str) -> str:
    """The signed address at which WhatsApp may read a stored file."""
    return f"{settings.PUBLIC_BASE_URL}/api/v1/campaign/media/{path}?signature={_SIGNER.signature(path)}"


def open_media(account: Account, merchant_id: int, campaign_id: int, file_path: str) -> Media:
    """A file of the account's own campaign. Raises NotFound, whatever is wrong."""
    owned = merchant_id == account.pk and Campaign.objects.for_account(account).filter(pk=campaign_id).exists()
    if not owned:
        raise NotFound
    return _open(merchant_id, campaign_id, file_path)


def open_signed(merchant_id: int, campaign_id: int, file_path: str, signature: str) -> Media:
    """A file for whoever holds its signed address. Raises NotFound, whatever is wrong."""
    signed = _SIGNER.signature(f"{merchant_id}/{campaign_id}/{file_path}")
    if not constant_time_compare(signed, signature):
        raise NotFound
    return _open(merchant_id, campaign_id, file_path)


def _open(merchant_id: int, campaign_id: int, file_path: str) -> Media:
    # The name's one form is what keeps the path inside: no slash, no dot but one.
    named = _NAME.fullmatch(file_path)
    if named is None:
        raise NotFound
    try:
        file = _place(f"{int(merchant_id)}/{int(campaign_id)}/{file_path}").open("rb")
    except FileNotFoundError:
        raise NotFound from None
    return Media(file, TYPES[named[1]])


def _sniffed(data: bytes, declared: str) -> str:
    """The media type, from the content; what the client declared must agree."""
    for found, is_it in (
        ("application/pdf", data.startswith(b"%PDF-")),
        ("video/mp4", data[_MP4_BOX] == b"ftyp"),
    ):
        if is_it:
            if declared.partition(";")[0].strip().lower() != found:
                raise Invalid(details={"media": [f"The file is {found}, not {declared[:100] or 'what it says'}."]})
            return found
    media_type = check_image(data, declared)
    if media_type not in _ENDINGS:
        raise Invalid(details={"media": ["WhatsApp takes JPEG and PNG pictures, MP4 films and PDF documents."]})
    return media_type


def _place(path: str) -> Path:
    return Path(settings.PRIVATE_FILES_DIR) / "media" / path
