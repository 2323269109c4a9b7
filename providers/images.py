"""Pictures from outside, judged by their headers alone: nothing is decoded, so nothing can explode."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from campaigns_project.refusals import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.ImageFile import ImageFile

MOST_PIXELS = 50_000_000
MOST_FRAMES = 200

# WhatsApp shows JPEG and PNG and sends GIF as a file. SVG can carry scripts, so it is never a picture here.
_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
# Called directly: `Image.open` would try every format it knows, and judge the size by a global setting.
_READERS: dict[str, Callable[[io.BytesIO], ImageFile]] = {
    "image/png": PngImageFile,
    "image/jpeg": JpegImageFile,
    "image/gif": GifImageFile,
}
_ALIASES = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}

_GIF_HEADER = 13
_GIF_IMAGE, _GIF_EXTENSION = 0x2C, 0x21


def check_image(data: bytes, declared_type: str, *, field: str = "media") -> str:
    """Return the media type of a picture (`image/png`, `image/jpeg` or `image/gif`).

    `declared_type` is what its server or uploader said, and must be true. Raises `Invalid`, the reason in
    `details[field]`: another format, a lie, more than 50 megapixels, more than 200 frames, a broken header.
    """
    media_type = next((name for magic, name in _MAGIC.items() if data.startswith(magic)), None)
    declared = declared_type.partition(";")[0].strip().lower()
    if media_type is None:
        raise _refused(field, "Give a JPEG, PNG or GIF picture.")
    if _ALIASES.get(declared, declared) != media_type:
        raise _refused(field, f"The picture says it is {declared[:100] or 'nothing'} but is {media_type}.")
    try:
        with _READERS[media_type](io.BytesIO(data)) as picture:
            width, height = picture.size
    except (SyntaxError, OSError, ValueError, EOFError) as error:
        raise _refused(field, "The picture is broken.") from error
    if width * height > MOST_PIXELS:
        raise _refused(field, f"The picture has {width} × {height} pixels; the most is {MOST_PIXELS:,} in all.")
    if media_type == "image/gif" and _has_too_many_frames(data):
        raise _refused(field, f"The picture has more than {MOST_FRAMES} frames.")
    return media_type


def _has_too_many_frames(data: bytes) -> bool:
    """Count the frames of a GIF by walking its blocks (GIF89a specification, § 18-26)."""
    position = _GIF_HEADER + _colour_table(data[10])
    frames = 0
    while frames <= MOST_FRAMES and position < len(data) and data[position] in {_GIF_IMAGE, _GIF_EXTENSION}:
        if data[position] == _GIF_IMAGE:
            frames += 1
            flags = data[position + 9] if position + 9 < len(data) else 0
            position += 11 + _colour_table(flags)
        else:
            position += 2
        position = _after_blocks(data, position)
    return frames > MOST_FRAMES


def _colour_table(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(data: bytes, position: int) -> int:
    while position < len(data) and data[position]:
        position += data[position] + 1
    return position + 1


def _refused(field: str, sentence: str) -> Invalid:
    return Invalid(details={field: [sentence]})
