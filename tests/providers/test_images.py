import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from campaigns_project.refusals import Invalid
from providers.images import check_image


def picture(kind, **options):
    data = BytesIO()
    Image.new("P" if kind == "GIF" else "RGB", (2, 2)).save(data, kind, **options)
    return data.getvalue()


def png_of(width, height):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rest = b"\x00\x00\x00\x00IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + rest


def gif_of(frames, local_colours=b""):
    flags = bytes([0x80 if local_colours else 0])
    frame = b"\x2c" + struct.pack("<HHHH", 0, 0, 1, 1) + flags + local_colours + b"\x02\x02D\x01\x00"
    head = b"GIF89a" + struct.pack("<HH", 1, 1) + b"\x80\x00\x00" + bytes(6)
    return head + b"\x21\xf9\x04\x00\x00\x00\x00\x00" + frame * frames + b"\x3b"


@pytest.mark.parametrize(
    "data, declared, media_type",
    [
        (picture("PNG"), "image/png", "image/png"),
        (picture("JPEG"), "Image/JPG; charset=x", "image/jpeg"),
        (picture("GIF"), "image/gif", "image/gif"),
        (gif_of(200, bytes(6)), "image/gif", "image/gif"),
        (png_of(10_000, 5_000), "image/png", "image/png"),
    ],
)
def test_a_picture_is_what_its_first_bytes_say(data, declared, media_type):
    assert check_image(data, declared) == media_type


@pytest.mark.parametrize(
    "data, declared, reason",
    [
        (b"", "image/png", "Give a JPEG"),
        (b"<html>hello</html>", "image/png", "Give a JPEG"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml", "Give a JPEG"),
        (picture("PNG"), "image/jpeg", "says it is image/jpeg but is image/png"),
        (picture("PNG"), "", "says it is nothing"),
        (picture("PNG")[:20], "image/png", "broken"),
        (picture("JPEG")[:20], "image/jpeg", "broken"),
        (b"GIF89a", "image/gif", "broken"),
        (png_of(50_000, 50_000), "image/png", "50000 × 50000"),
        (gif_of(10_000), "image/gif", "more than 200 frames"),
        (gif_of(201)[:-7], "image/gif", "more than 200 frames"),
    ],
)
def test_any_other_file_is_refused(data, declared, reason):
    with pytest.raises(Invalid) as no:
        check_image(data, declared, field="content_context.media.0")

    assert reason in no.value.details["content_context.media.0"][0]
