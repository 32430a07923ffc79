"""What a file is to the rest of the house: its facts, its states, its owners, and the events it causes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from bedside_core.access import EVERYONE, GUESTS, LEADERS, PATIENTS, Permission, Refusal
from bedside_core.auth import Actor
from bedside_core.events import Event, fact

if TYPE_CHECKING:
    from bedside_core.platform import Platform

PATIENT = "patient"
"""The kind of owner that a patient is."""

PERMISSIONS = (
    Permission(key="files.upload", doc="Upload a file.", roles=EVERYONE | PATIENTS | GUESTS),
    Permission(key="files.download", doc="Download a file that one may see.", roles=EVERYONE | PATIENTS | GUESTS),
    Permission(key="files.read", doc="See the files of the practice's patients.", roles=EVERYONE),
    Permission(key="files.attach", doc="Put a file with a patient.", roles=EVERYONE),
    Permission(
        key="files.delete",
        doc="Delete a file for good that one has uploaded oneself.",
        roles=EVERYONE | PATIENTS | GUESTS,
    ),
    Permission(key="files.moderate", doc="Delete files of others for good.", roles=LEADERS),
)


class FileState(StrEnum):
    """How far a file has come."""

    UPLOADING = "uploading"
    REFUSED = "refused"
    STORED = "stored"
    ATTACHED = "attached"
    DELETED = "deleted"


class FileKind(StrEnum):
    """The kinds of files that a practice takes or does not."""

    PHOTO = "photo"
    PDF = "pdf"
    OFFICE = "office"
    TEXT = "text"


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A file as its services see it.

    Args:
        id: opaque.
        practice_id: whose file it is.
        made_by: the person who uploaded it.
        bound_to: of a guest's, the one thing that their link leads to.
        state: how far it has come.
        name: what people read; None once it is deleted.
        media_type: found from its content; None before that and after its deletion.
        size: bytes of what is stored; before that, of what was announced.
        received: bytes that have arrived, while it is uploaded.
        upload_size: bytes that were announced; 0 once it is deleted.
        refusal: why its content was refused.
        has_preview: whether there is a small picture of it.
        owner_kind: the kind of what it is attached to.
        owner_id: what it is attached to.
        lost: whether the store has lost its bytes.
        created_at: when its upload was announced.
        expires_at: when it goes by itself, unless it is attached by then.
        attached_at: when it was attached.
        deleted_at: when it was deleted.
        deleted_by: who deleted it.
    """

    id: UUID
    practice_id: UUID
    made_by: UUID
    bound_to: UUID | None
    state: FileState
    name: str | None
    media_type: str | None
    size: int | None
    received: int
    upload_size: int
    refusal: dict[str, Any] | None
    has_preview: bool
    owner_kind: str | None
    owner_id: UUID | None
    lost: bool
    created_at: datetime
    expires_at: datetime | None
    attached_at: datetime | None
    deleted_at: datetime | None
    deleted_by: UUID | None

    def uploaded_by(self, actor: Actor) -> bool:
        """Tell whether it is an upload of the actor's; a guest's is that of one link alone (C6)."""
        return self.made_by == actor.person_id and self.bound_to == actor.bound_to


FileCheck = Callable[["Platform", Actor, StoredFile], Awaitable[Refusal | None]]
"""An owner's rule about one of its files: None, or why not."""
FilePatients = Callable[["Platform", StoredFile], Awaitable[Collection[UUID]]]
"""Whose data one of an owner's files holds."""
FilePlace = Callable[["Platform", Actor, UUID], Awaitable[UUID | None]]
"""Which other practice has a file that the actor may know of; None where none has, or they may not."""
FileAct = Callable[["Platform", Actor, StoredFile], Awaitable[None]]
"""What an owner does about one of its files."""


@dataclass(frozen=True, kw_only=True)
class FileOwner:
    """A kind of thing that files are attached to, with the rules about them; stands in a manifest.

    The service that owns such things attaches files inside its own unit, by `platform.files.attach`, once it has
    asked its own rules about who may.

    Args:
        kind: stable name, `patient`, `chat_message`.
        doc: what its files are.
        may_read: asked at each look and each download.
        may_delete: asked before a file is deleted for good, of somebody who may read it.
        patients: whom a download names in the audit trail (A14); None where the owner is a patient, or files are about
            none.
        elsewhere: finds the practice of a file that the acting practice does not see, where people of several
            practices share what it is attached to; the rules above are then asked, and all is done, as that practice.
        deleting: told, in the unit that does it, that one file is about to be deleted by itself; it comes first, so
            that what owns files is locked before them.
        panel: SQL by which an attached row `f` of the table `file`, of this kind, stands among the Files of patient
            `$1` as the person `$2` sees them (P8): what they may read, and nothing else.
    """

    kind: str
    doc: str
    may_read: FileCheck
    may_delete: FileCheck
    patients: FilePatients | None = None
    elsewhere: FilePlace | None = None
    deleting: FileAct | None = None
    panel: str | None = None


@dataclass(frozen=True, kw_only=True)
class FileAttached(Event):
    """An upload was attached to something."""

    file_id: UUID = fact("The file.")
    owner_kind: str = fact("Kind of what it is attached to.")
    owner_id: UUID = fact("What it is attached to.")
    attached_by: UUID = fact("The person who uploaded and attached it.")


@dataclass(frozen=True, kw_only=True)
class FileDownloaded(Event):
    """A file's content, a part of it, or its preview was handed out."""

    file_id: UUID = fact("The file.")
    owner_kind: str | None = fact("Kind of what it is attached to; None for an upload that its maker looks at.")
    owner_id: UUID | None = fact("What it is attached to.")
    downloaded_by: UUID = fact("The person who got it.")
    preview: bool = fact("Whether it was the preview.")


@dataclass(frozen=True, kw_only=True)
class FileDeleted(Event):
    """A file was deleted for good (C11)."""

    file_id: UUID = fact("The file, of which a tombstone remains.")
    owner_kind: str = fact("Kind of what it was attached to.")
    owner_id: UUID = fact("What it was attached to.")
    deleted_by: UUID | None = fact("The person who deleted it; None where its time was over.")
