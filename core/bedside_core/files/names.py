"""Names of files: made harmless to show, and said in headers so that every browser takes them for names only."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

LONGEST = 150
"""Characters of a name that is kept."""
LONGEST_ENDING = 10

_UNSAFE = frozenset('<>:"/\\|?*')
"""What some file system gives a meaning to, and quotes, which end a header's string."""
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
"""Names of devices on Windows, with any ending."""


def clean_name(given: str, endings: tuple[str, ...] = ()) -> str:
    """Return a name to show and to save under, which says nothing but itself.

    Folders before it, control characters, line ends, and whatever turns the direction of writing or can't be seen are
    left out. It is short, begins with no dot, and ends as a file of its type does, so that `invoice.exe` which is a PDF
    is saved as `invoice.exe.pdf`.

    Args:
        given: what the client calls it.
        endings: with the dot and in lower case, the usual one first; empty leaves the name's own.
    """
    # Characters that take several code points in other forms are normalized once, so that one name is one string.
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", given[: LONGEST * 40]))[-1]
    seen = "".join(
        " " if char in _UNSAFE or unicodedata.category(char) in {"Zl", "Zp", "Zs"} else char
        for char in last
        if unicodedata.category(char)[0] != "C"
    )
    name = re.sub(r" +", " ", seen).strip(" .")
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > LONGEST_ENDING:
        stem, ending = name, ""
    ending = f".{ending}" if ending else ""
    if endings and ending.lower() not in endings:
        stem, ending = name, endings[0]
    stem = stem[: LONGEST - len(ending)].strip(" .") or "file"
    return f"_{stem}{ending}" if _RESERVED.fullmatch(stem) else f"{stem}{ending}"


def attachment(name: str) -> str:
    """Return a Content-Disposition that has a browser save under a name and never show (RFC 6266, RFC 8187)."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9 ._()+,=@!#-]", "_", plain).strip(" .") or "file"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
