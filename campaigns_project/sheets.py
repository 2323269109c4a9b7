"""CSV files as people save them: checked when they arrive, then read line by line from any place.

A line is a row: values with line breaks are not taken in anyway, so one unclosed quote spoils one row and no more.
"""

from __future__ import annotations

import codecs
import csv
import re
import unicodedata
from itertools import islice
from typing import IO, TYPE_CHECKING, NamedTuple

from campaigns_project.refusals import Invalid

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

LONGEST_LINE = 65_536
CHECKED_LINES = 200

# Spreadsheets, archives, programs, documents, and text in another encoding.
_OTHER_FILES = (
    *(b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"MZ", b"\x7fELF", b"%PDF"),
    *(codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
)


class Head(NamedTuple):
    """The first line: each column's name as written, the separator, and the line's length in bytes."""

    written: list[str]
    separator: str
    size: int


def checked(upload: UploadedFile[bytes]) -> int:
    """Refuse what is no CSV in UTF-8; returns the number of lines below the head. The file then stands at its start.

    Values are separated by commas, semicolons or tabs; a byte order mark is fine. Raises Invalid (`details["file"]`).
    """
    upload.seek(0)
    total = _lines_of(upload)
    upload.seek(0)
    head = head_of(upload)
    for number, line in enumerate(islice(iter(upload.readline, b""), CHECKED_LINES), start=2):
        try:
            cells_of(line, head.separator)
        except csv.Error as error:
            raise refused(f"Line {number} cannot be read: {error}.") from None
    upload.seek(0)
    return total


def head_of(file: IO[bytes] | UploadedFile[bytes]) -> Head:
    """Read the first line; the file then stands where the rows begin. Raises Invalid (`details["file"]`)."""
    line = file.readline()
    text = line.decode("utf-8-sig").rstrip("\r\n")
    if "\r" in text:
        raise refused("End the lines as usual: the file uses carriage returns alone.")
    separator = max(",;\t", key=text.count)
    try:
        written = cells_of(text.encode(), separator)
    except csv.Error as error:
        raise refused(f"Line 1 cannot be read: {error}.") from None
    return Head(written, separator, len(line))


def cells_of(line: bytes, separator: str) -> list[str]:
    """The line's cells without the empty ones at its end; nothing for a blank line. Raises csv.Error."""
    cells = [cell.strip() for cell in next(csv.reader([line.decode()], delimiter=separator, strict=True), [])]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def plain(name: str) -> str:
    """A column's name as a variable could be called: `E-Mail` is `e_mail`."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", letters).strip("_")


def reason_of(fault: Invalid | csv.Error) -> str:
    """Why a line is not taken in, in one sentence for the file of errors."""
    if isinstance(fault, csv.Error):
        return f"The line cannot be read: {fault}."
    path, sentences = next(iter(fault.details.items()))
    return f"{path}: {sentences[0]}"


def refused(sentence: str) -> Invalid:
    return Invalid(details={"file": [sentence]})


def _lines_of(upload: UploadedFile[bytes]) -> int:
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, open_line = 0, 0
    for number, chunk in enumerate(upload.chunks()):
        if number == 0 and chunk.startswith(_OTHER_FILES):
            raise _not_utf_8()
        if b"\x00" in chunk:
            raise refused("The file holds bytes that are no text.")
        _decode(decoder, chunk)
        *ended, rest = chunk.split(b"\n")
        lengths = [open_line + len(ended[0]), *map(len, ended[1:])] if ended else []
        open_line = len(rest) + (0 if ended else open_line)
        if max([*lengths, open_line]) > LONGEST_LINE:
            raise refused(f"A line has more than {LONGEST_LINE:,} bytes. Is a quote not closed?")
        lines += len(ended)
    _decode(decoder, b"", final=True)
    return max(0, lines + bool(open_line) - 1)


def _decode(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> None:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        raise _not_utf_8() from None


def _not_utf_8() -> Invalid:
    return refused("The file is not text in UTF-8. Save the sheet as “CSV UTF-8” and try again.")
