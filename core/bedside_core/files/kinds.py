"""What a file is, found from its content alone, and whether it is nothing else besides.

A type is believed when the whole file has its structure: an image that is also an archive, or a document with something
hung on, is refused. Photos are read through by `photos`, in a process of their own.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import puremagic

from bedside_core.files.facts import FileKind
from bedside_core.files.packages import archive_hung_on, package_type
from bedside_core.files.problems import FileTypeNotAllowed, FileUnsafe

_HEAD = 4096
_PIECE = 1 << 20
_PDF_TAIL = 1024
"""Bytes at a PDF's end among which its end mark has to be (ISO 32000-1, annex H, note 18)."""


@dataclass(frozen=True, kw_only=True)
class FileType:
    """A type of file.

    Args:
        media_type: as it is sent.
        kind: whether a practice takes it is decided by kind.
        endings: of names, the usual one first.
    """

    media_type: str
    kind: FileKind
    endings: tuple[str, ...]


def _photo(media_type: str, *endings: str) -> FileType:
    return FileType(media_type=media_type, kind=FileKind.PHOTO, endings=endings)


def _office(media_type: str, ending: str) -> FileType:
    return FileType(media_type=media_type, kind=FileKind.OFFICE, endings=(ending,))


JPEG = _photo("image/jpeg", ".jpg", ".jpeg")
PNG = _photo("image/png", ".png")
WEBP = _photo("image/webp", ".webp")
PDF = FileType(media_type="application/pdf", kind=FileKind.PDF, endings=(".pdf",))
TEXT = FileType(media_type="text/plain; charset=utf-8", kind=FileKind.TEXT, endings=(".txt", ".csv", ".md", ".log"))
OLD_TEXT = FileType(media_type="text/plain; charset=windows-1252", kind=FileKind.TEXT, endings=TEXT.endings)
_OPEN = "application/vnd.openxmlformats-officedocument"
OFFICE = {
    item.media_type: item
    for item in (
        _office(f"{_OPEN}.wordprocessingml.document", ".docx"),
        _office(f"{_OPEN}.spreadsheetml.sheet", ".xlsx"),
        _office(f"{_OPEN}.presentationml.presentation", ".pptx"),
        _office("application/vnd.oasis.opendocument.text", ".odt"),
        _office("application/vnd.oasis.opendocument.spreadsheet", ".ods"),
        _office("application/vnd.oasis.opendocument.presentation", ".odp"),
    )
}

_TYPES = {item.media_type: item for item in (JPEG, PNG, WEBP, PDF, TEXT, OLD_TEXT, *OFFICE.values())}

# What a browser would take for a page or an image with scripts, were it ever asked to show it; and what a shell runs.
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?[\s\x00]*(?:<[a-z!?/]|#!|%!ps)", re.IGNORECASE)
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def kind_of(media_type: str) -> FileKind:
    """Return the kind of a stored file by its media type, which `type_of` found."""
    return _TYPES[media_type].kind


def type_of(path: Path) -> FileType:
    """Return what a file is.

    Args:
        path: a local copy of it.

    Raises:
        FileTypeNotAllowed: nothing that anybody takes.
        FileUnsafe: it is damaged, is two things at once, or unpacks to far too much.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(b"PK\x03\x04"):
        return OFFICE[package_type(path)]
    found = _by_head(head)
    if found is None:
        found = _text(path, head)
    if found is None:
        raise FileTypeNotAllowed(
            "Files of this type are not taken.",
            way_on="Send a photo as JPEG, PNG or WebP, a PDF, a document of Office or OpenDocument, or a plain text.",
            detail={"found": _told(head)},
        )
    if found is PDF:
        _check_pdf(path)
    if archive_hung_on(path) and found.kind is not FileKind.PHOTO:  # what hangs on a photo is cut off
        raise FileUnsafe("The file is an archive too.", detail={"reason": "polyglot"})
    return found


def _by_head(head: bytes) -> FileType | None:
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if re.match(rb"%PDF-[12]\.\d", head):
        return PDF
    return None


def _check_pdf(path: Path) -> None:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _PDF_TAIL))
        if b"%%EOF" not in file.read():
            raise FileUnsafe("The PDF has no end, or something hangs on it.", detail={"reason": "damaged"})


def _text(path: Path, head: bytes) -> FileType | None:
    """Return the type of a plain text, or None where it is none."""
    if _MARKUP.match(head):
        return None
    decoder = codecs.getincrementaldecoder("utf-8")()
    found = TEXT
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            if _CONTROLS.search(piece):
                return None
            if found is TEXT:
                try:
                    decoder.decode(piece)
                except UnicodeDecodeError:
                    found = OLD_TEXT  # as spreadsheets still write CSV; every other byte is a character there
    if found is TEXT:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return OLD_TEXT
    return found


def _told(head: bytes) -> str:
    """Return what a file that is not taken seems to be, for who sent it."""
    if _MARKUP.match(head):
        return "text/html" if b"<" in head[:64] else "text/x-script"
    try:
        module: Any = puremagic  # its types are not complete
        return str(module.magic_string(head)[0].mime_type or "application/octet-stream")
    except (puremagic.PureError, ValueError, IndexError):
        return "application/octet-stream"
