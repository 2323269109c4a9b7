"""A code as a picture that a till can read: QR, or Code 128 where the code is plain letters. SVG, at any size sharp."""

from __future__ import annotations

import io
import itertools

import barcode  # type: ignore[import-untyped]  # it has no types
import segno
from django.db import models

from campaigns_project.refusals import Unprocessable

# In widths of the narrowest bar; the standard asks for ten on either side.
QUIET, HEIGHT = 10, 50
_BARS = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{twice}" height="{tall}">'
    '<path fill="#fff" d="M0 0h{width}v{height}H0z"/><path d="{bars}"/></svg>'
)


class PictureKind(models.TextChoices):
    QR = "qr"
    BARCODE = "barcode"


class NoBarcode(Unprocessable):
    code = "no_barcode"
    message = "A barcode holds the letters, digits and signs of a plain keyboard only. Take the QR code."


def draw(code: str, kind: str) -> bytes:
    """The picture as an SVG file in UTF-8. Raises NoBarcode."""
    return _qr(code) if kind == PictureKind.QR else _bars(code)


def _qr(code: str) -> bytes:
    file = io.BytesIO()
    # Never a micro QR code: most readers cannot read those.
    segno.make(code, micro=False, error="m").save(
        file, kind="svg", scale=8, light="#fff", svgclass=None, lineclass=None
    )
    return file.getvalue()


def fits_barcode(code: str) -> bool:
    """Whether a barcode can hold it."""
    return code.isascii() and code.isprintable()


def _bars(code: str) -> bytes:
    if not fits_barcode(code):
        raise NoBarcode
    (modules,) = barcode.get("code128", code).build()
    place, bars = QUIET, []
    for dark, run in itertools.groupby(modules):
        wide = len(list(run))
        if dark == "1":
            bars.append(f"M{place} 0h{wide}v{HEIGHT}h-{wide}z")
        place += wide
    width = place + QUIET
    return _BARS.format(width=width, height=HEIGHT, twice=2 * width, tall=2 * HEIGHT, bars="".join(bars)).encode()
