"""Files: uploads that survive broken connections, bytes that are examined before anybody has them, and their end.

`platform.files.uploads` takes them in (G5), `platform.files` attaches, hands out and deletes them (C11, C12). What
files are attached to is declared as `FileOwner` in a manifest, with the rules about who may read and delete.
"""

from __future__ import annotations

from bedside_core.files.facts import (
    PERMISSIONS,
    FileAttached,
    FileCheck,
    FileDeleted,
    FileDownloaded,
    FileKind,
    FileOwner,
    FileState,
    StoredFile,
)
from bedside_core.files.handing import Copies
from bedside_core.files.settings import FileSettings

__all__ = [
    "PERMISSIONS",
    "Copies",
    "FileAttached",
    "FileCheck",
    "FileDeleted",
    "FileDownloaded",
    "FileKind",
    "FileOwner",
    "FileSettings",
    "FileState",
    "StoredFile",
]
