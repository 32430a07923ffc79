"""Draws the photo that a patient of the demo sends: what a blood pressure monitor shows."""

from __future__ import annotations

from io import BytesIO

_SIZE = (900, 1200)
_WALL, _CASE, _GLASS, _INK, _BUTTON = "#8d7f6d", "#e9ecef", "#b9c4b1", "#20261f", "#2f6f7e"
_THICK = 14
# Of each digit the segments that are lit: top, upper left, upper right, middle, lower left, lower right, bottom.
_LIT = {
    "0": "1110111", "1": "0010010", "2": "1011101", "3": "1011011", "4": "0111010",
    "5": "1101011", "6": "1101111", "7": "1010010", "8": "1111111", "9": "1111011",
}  # fmt: skip


def monitor(*readings: int) -> bytes:
    """Return a JPEG of a monitor that shows numbers one below the other; the same for the same numbers."""
    from PIL import Image, ImageDraw  # only where a demo is new

    image = Image.new("RGB", _SIZE, _WALL)
    drawing = ImageDraw.Draw(image)
    drawing.rounded_rectangle((90, 110, 810, 1090), radius=90, fill=_CASE)
    drawing.rounded_rectangle((180, 200, 720, 880), radius=30, fill=_GLASS)
    drawing.ellipse((400, 930, 500, 1030), fill=_BUTTON)
    for row, reading in enumerate(readings):
        text = str(reading)
        for place, digit in enumerate(text):
            left, top = 660 - (len(text) - place) * 140, 240 + row * 215
            for lit, segment in zip(_LIT[digit], _segments(left, top), strict=True):
                if lit == "1":
                    drawing.rounded_rectangle(segment, radius=5, fill=_INK)
    written = BytesIO()
    image.save(written, "JPEG", quality=80)
    return written.getvalue()


def _segments(left: int, top: int) -> list[tuple[int, int, int, int]]:
    """Return where a digit's segments are, in the order of `_LIT`."""
    right, middle, bottom = left + 90, top + 80, top + 160
    return [
        (left, top, right, top + _THICK),
        (left, top, left + _THICK, middle),
        (right - _THICK, top, right, middle),
        (left, middle - 7, right, middle + 7),
        (left, middle, left + _THICK, bottom),
        (right - _THICK, middle, right, bottom),
        (left, bottom - _THICK, right, bottom),
    ]
