"""A program of its own: takes out of a photo everything but the picture, and makes a small one of it.

Run as `python -I photos.py <in> <out> <preview>`, with limits on memory and time, for what it reads was sent by others.
It imports nothing of the platform. The picture itself is not encoded anew: a photo loses position, camera, time, the
thumbnail and everything that hangs on its end, and no quality. Its orientation stays.

Formats: JPEG ISO/IEC 10918-1 and Exif 2.32; PNG (third edition); WebP RFC 9649.
"""

from __future__ import annotations

import json
import resource
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

MOST_PIXELS = 50_000_000
"""What the largest cameras of telephones give; a bomb has more."""
PREVIEW_PIXELS = 512
MEMORY_BYTES = 900 << 20
"""Address space, most of which is libraries that are mapped and not used."""
SECONDS = 20
_ORIENTATION = 0x0112


class Refused(Exception):
    """The photo is not taken; its argument is the reason."""


def jpeg(data: bytes, orientation: int) -> bytes:
    """Return a JPEG with nothing but what its decoding needs, colours and orientation included."""
    kept = [b"\xff\xd8", *([_app1(orientation)] if orientation != 1 else [])]
    position = 2
    while True:
        if data[position : position + 1] != b"\xff":
            raise Refused("damaged")
        while data[position : position + 1] == b"\xff":
            position += 1
        marker = data[position]
        position += 1
        if marker == 0xD9:  # the end; what hangs on it is left out
            return b"".join([*kept, b"\xff\xd9"])
        if marker == 0x00 or marker == 0x01 or 0xD0 <= marker <= 0xD8:
            raise Refused("damaged")
        (length,) = struct.unpack_from(">H", data, position)
        segment = data[position : position + length]
        if length < 2 or len(segment) != length:
            raise Refused("damaged")
        position += length
        if _kept(marker, segment[2:]):
            kept.append(bytes((0xFF, marker)) + (_jfif(segment) if marker == 0xE0 else segment))
        if marker == 0xDA:
            end = _scan_end(data, position)
            kept.append(data[position:end])
            position = end


def _kept(marker: int, content: bytes) -> bool:
    if marker == 0xFE:
        return False
    if not 0xE0 <= marker <= 0xEF:
        return True
    return (
        (marker == 0xE0 and content.startswith(b"JFIF\0") and len(content) >= 14)
        or (marker == 0xE2 and content.startswith(b"ICC_PROFILE\0"))
        or (marker == 0xEE and content.startswith(b"Adobe"))
    )


def _jfif(segment: bytes) -> bytes:
    return struct.pack(">H", 16) + segment[2:14] + b"\0\0"  # without its thumbnail


def _scan_end(data: bytes, position: int) -> int:
    while True:
        position = data.find(b"\xff", position)
        if position < 0 or position + 1 >= len(data):
            raise Refused("damaged")
        if data[position + 1] not in (0x00, *range(0xD0, 0xD8)):
            return position
        position += 2


def _tiff(orientation: int) -> bytes:
    """Return the shortest Exif: one directory with the one entry."""
    return b"MM\0*" + struct.pack(">LHHHLHHL", 8, 1, _ORIENTATION, 3, 1, orientation, 0, 0)


def _app1(orientation: int) -> bytes:
    content = b"Exif\0\0" + _tiff(orientation)
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


_PNG_KEPT = {b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"pHYs", b"cICP"}


def png(data: bytes, orientation: int) -> bytes:
    """Return a PNG with the chunks of its first picture only."""
    kept = [data[:8]]
    position = 8
    while True:
        if position + 12 > len(data):
            raise Refused("damaged")
        (length,) = struct.unpack_from(">L", data, position)
        name = data[position + 4 : position + 8]
        chunk = data[position : position + 12 + length]
        if len(chunk) != 12 + length:
            raise Refused("damaged")
        position += len(chunk)
        if name == b"IEND":
            return b"".join([*kept, b"\0\0\0\0IEND\xaeB`\x82"])
        if name in _PNG_KEPT:
            kept.append(chunk)
        if name == b"IHDR" and orientation != 1:
            content = b"eXIf" + _tiff(orientation)
            kept.append(struct.pack(">L", len(content) - 4) + content + struct.pack(">L", zlib.crc32(content)))


_WEBP_KEPT = {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ICCP", b"ANIM", b"ANMF"}
_WEBP_EXIF, _WEBP_XMP = 0x08, 0x04


def webp(data: bytes, orientation: int) -> bytes:
    """Return a WebP without Exif, XMP and chunks that nobody knows."""
    (length,) = struct.unpack_from("<L", data, 4)
    end = 8 + length
    if end > len(data):
        raise Refused("damaged")
    kept: list[bytes] = []
    position = 12
    while position + 8 <= end:
        name, size = struct.unpack_from("<4sL", data, position)
        chunk = data[position : position + 8 + size + size % 2]
        if len(chunk) < 8 + size:
            raise Refused("damaged")
        position += len(chunk)
        if name == b"VP8X":
            flags = chunk[8] & ~(_WEBP_EXIF | _WEBP_XMP) | (_WEBP_EXIF if orientation != 1 else 0)
            chunk = chunk[:8] + bytes((flags,)) + chunk[9:]
        if name in _WEBP_KEPT:
            kept.append(chunk)
    if orientation != 1:
        content = _tiff(orientation)
        kept.append(struct.pack("<4sL", b"EXIF", len(content)) + content + b"\0" * (len(content) % 2))
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<L", len(body)) + body


_STRIP = {"JPEG": jpeg, "PNG": png, "WEBP": webp}


def _opened(path: Path) -> Image.Image:
    image = Image.open(path, formats=tuple(_STRIP))
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise Refused("bomb")
    return image


def prepare(given: Path, out: Path, preview: Path) -> dict[str, Any]:
    """Write the bare photo and its preview.

    Returns:
        Width and height as it is shown.

    Raises:
        Refused: it is damaged or has too many pixels.
    """
    with _opened(given) as image:
        orientation = image.getexif().get(_ORIENTATION, 1)
        strip = _STRIP[image.format or ""]
    out.write_bytes(strip(given.read_bytes(), orientation if orientation in range(1, 9) else 1))
    with _opened(out) as image:
        width, height = image.size
        image.draft("RGB", (PREVIEW_PIXELS, PREVIEW_PIXELS))  # JPEG decodes to an eighth at once
        image.load()
        image.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS))
        _on_white(ImageOps.exif_transpose(image)).save(preview, "JPEG", quality=80)
    turned = orientation in range(5, 9)
    return {"width": height if turned else width, "height": width if turned else height}


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode in {"RGB", "L"}:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    ground = Image.new("RGBA", seen.size, "white")
    return Image.alpha_composite(ground, seen).convert("RGB")


def _confine() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Image.MAX_IMAGE_PIXELS = None  # ours is told by a reason, not by a warning


def main(arguments: Iterator[str]) -> dict[str, Any]:
    """Do the work; the answer tells `reason` where the photo is refused."""
    _confine()
    given, out, preview = (Path(argument) for argument in arguments)
    try:
        return prepare(given, out, preview)
    except Refused as refused:
        return {"reason": str(refused)}
    except MemoryError:
        return {"reason": "bomb"}
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, IndexError, struct.error, zlib.error):
        return {"reason": "damaged"}  # Pillow raises all of these at files that lie


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(iter(sys.argv[1:]))))
