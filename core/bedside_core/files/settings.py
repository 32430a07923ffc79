"""What a practice takes as files, and how long they may be (C12)."""

from __future__ import annotations

from dataclasses import dataclass

from bedside_core.files.facts import FileKind
from bedside_core.settings import setting

MEGABYTE = 1_000_000


@dataclass(frozen=True, kw_only=True)
class FileSettings:
    """Which files the practice takes."""

    photos: bool = setting(True, "Whether photos are taken: JPEG, PNG and WebP.")
    pdfs: bool = setting(True, "Whether PDF documents are taken.")
    office_documents: bool = setting(
        True, "Whether documents of Word, Excel, PowerPoint and OpenDocument without macros are taken."
    )
    texts: bool = setting(True, "Whether plain texts are taken, CSV too.")
    photo_megabytes: int = setting(25, "Longest photo, in megabytes.", least=1, most=100)
    document_megabytes: int = setting(50, "Longest document, in megabytes.", least=1, most=2000)

    def takes(self, kind: FileKind) -> bool:
        """Tell whether the practice takes files of a kind."""
        return {
            FileKind.PHOTO: self.photos,
            FileKind.PDF: self.pdfs,
            FileKind.OFFICE: self.office_documents,
            FileKind.TEXT: self.texts,
        }[kind]

    def longest(self, kind: FileKind | None = None) -> int:
        """Return the bytes that a file of a kind may have; without a kind, those of any that is taken."""
        photo, document = self.photo_megabytes * MEGABYTE, self.document_megabytes * MEGABYTE
        if kind is None:
            return max(photo, document)
        return photo if kind is FileKind.PHOTO else document
