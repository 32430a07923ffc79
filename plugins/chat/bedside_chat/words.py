"""Words as search compares them, and the piece of a text that shows why it was found (C14)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

BEFORE = 40
"""Characters shown before the first word that was found."""
LONGEST = 160
"""Characters of a snippet."""

_SPELLED = str.maketrans("øłđıħŧς", "oldihtσ", "'’‘`") | {ord("ß"): "ss", ord("æ"): "ae", ord("œ"): "oe"}
_BETWEEN = re.compile(
    "[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u2000-\u206f\u2190-\u2bff\u3000-\u303f"
    "\ufe00-\ufe0f\U0001f000-\U0001faff]"
)
"""What stands between words; the same as in the function `chat_words`, which fills the index."""
_INSIDE = "'’‘`"


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A piece of a snippet.

    Args:
        text: as it was written.
        found: whether it is one of the words that were looked for.
    """

    text: str
    found: bool


def folded(text: str) -> str:
    """Return a text without case and accents."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).lower()).lower()
    return "".join(each for each in plain if not "\u0300" <= each <= "\u036f").translate(_SPELLED)


def words_of(text: str) -> list[str]:
    """Return the words of a text as they are compared, each once."""
    return list(dict.fromkeys(word for word in _BETWEEN.sub(" ", folded(text)).split(" ") if word))


def snippet(body: str, wanted: Sequence[str]) -> list[Piece]:
    """Return the piece of a text around the first word that begins with one of those wanted, with all such marked.

    Args:
        body: the text.
        wanted: words as `words_of` returns them.

    Returns:
        Pieces in order; what was left out before or after is `…`. Where no word is found, the text's beginning.
    """
    found = [(start, end) for start, end in _spans(body) if folded(body[start:end]).startswith(tuple(wanted))]
    first = found[0][0] if found and wanted else 0
    begin = _border(body, first - BEFORE) if first > BEFORE else 0
    end = len(body) if begin + LONGEST >= len(body) else begin + LONGEST
    pieces = [Piece(text="…", found=False)] if begin else []
    place = begin
    for start, stop in found if wanted else ():
        if start >= end:
            break
        stop = min(stop, end)
        pieces += [Piece(text=body[place:start], found=False)] if start > place else []
        pieces.append(Piece(text=body[start:stop], found=True))
        place = stop
    if place < end:
        pieces.append(Piece(text=body[place:end], found=False))
    return [*pieces, Piece(text="…", found=False)] if end < len(body) else pieces


def _spans(body: str) -> Iterator[tuple[int, int]]:
    """Yield where each word of a text begins and ends."""
    start = None
    for place, each in enumerate(body):
        between = _BETWEEN.match(each) is not None and each not in _INSIDE
        if between and start is not None:
            yield start, place
            start = None
        elif not between and start is None:
            start = place
    if start is not None:
        yield start, len(body)


def _border(body: str, place: int) -> int:
    """Return where the next word begins after a place, unless that is far."""
    blank = body.find(" ", place, place + BEFORE // 2)
    return place if blank < 0 else blank + 1
