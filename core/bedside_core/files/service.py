"""Files that are kept: attached to what they belong to, read by whom their owner lets, and deleted for good (C11)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from bedside_core import audit, errors
from bedside_core.access import Refusal, Rule
from bedside_core.auth import Actor
from bedside_core.database import DB, Work, acting, unit
from bedside_core.files.examine import Examiner
from bedside_core.files.facts import (
    PATIENT,
    FileAttached,
    FileDeleted,
    FileDownloaded,
    FileOwner,
    FileState,
    StoredFile,
)
from bedside_core.files.handing import REMOVE_JOB, Handing
from bedside_core.files.problems import FileLost
from bedside_core.files.rows import SELECT, file_by_id, file_of, objects_of, remove_doomed
from bedside_core.files.scan import Scanner
from bedside_core.files.store import Store
from bedside_core.files.uploads import Uploads
from bedside_core.paging import Page, key_of, page_of, page_size

if TYPE_CHECKING:
    from bedside_core.platform import Platform

log = structlog.get_logger("bedside.files")

Deleted = Callable[["Platform", Sequence[UUID]], Awaitable[None]]
"""Takes away what holds copies of files that are deleted for good."""

_ACTS: Mapping[type, str] = {
    FileAttached: "files.attach",
    FileDownloaded: "files.download",
    FileDeleted: "files.delete",
}


class Files:
    """The files of a deployment.

    Args:
        platform: configuration, access and clock; its plugins' manifests say what files are attached to.
        owners: core's own kinds of owners.
        deleted: told of files that are deleted for good, in the unit that does so; whatever holds copies of them.
    """

    def __init__(self, platform: Platform, owners: Sequence[FileOwner], deleted: Deleted) -> None:
        config = platform.config
        self._platform = platform
        self._owners = owners
        self._deleted = deleted
        self.store = Store(config.files_url, config.data / "files")
        self.handing = Handing(platform, self.store)
        self.uploads = Uploads(platform, self.store, Examiner(Scanner(config.clamd_url)), config.data / "incoming")

    def owners(self) -> Mapping[str, FileOwner]:
        """Return the kinds of things that files are attached to, of core and of the active plugins."""
        manifests = self._platform.plugins.manifests.values()
        return {owner.kind: owner for owner in (*self._owners, *(each for m in manifests for each in m.file_owners))}

    async def attach(self, actor: Actor, file_ids: Sequence[UUID], owner_kind: str, owner_id: UUID) -> list[StoredFile]:
        """Attach the actor's uploads to what they belong to, all or none; for the service that owns that.

        To be called inside the owner's `unit()`, after it has asked whether the actor may. A retry is fine.

        Args:
            actor: who uploaded them.
            file_ids: finished uploads.
            owner_kind: a declared one.
            owner_id: what they are attached to.

        Raises:
            errors.NotFound: one of them is none of the actor's uploads.
            errors.Conflict: one is not finished, or attached to something else.
            LookupError: no such kind of owner is declared.
        """
        practice_id, person_id = actor.as_person()
        if owner_kind not in self.owners():
            raise LookupError(f"no file owner {owner_kind!r} is declared")
        async with unit() as work:
            rows = await DB.fetch(
                """UPDATE file SET state = 'attached', owner_kind = $3, owner_id = $4, attached_at = $5,
                    expires_at = NULL
                WHERE id = ANY($1) AND made_by = $2 AND bound_to IS NOT DISTINCT FROM $6 AND state = 'stored'
                RETURNING id""",
                list(file_ids), person_id, owner_kind, owner_id, self._platform.clock.now(), actor.bound_to,
            )  # fmt: skip
            moved, found = {row["id"] for row in rows}, await self.by_id(file_ids)
            for file_id in file_ids:
                file = found.get(file_id)
                if file is None or not file.uploaded_by(actor) or file.state is FileState.DELETED:
                    raise errors.NotFound("There is no upload with this id that you may see.", field=("uploadId",))
                if file.state is not FileState.ATTACHED or (file.owner_kind, file.owner_id) != (owner_kind, owner_id):
                    raise errors.Conflict(
                        "The upload is not finished, or attached to something else.", field=("uploadId",)
                    )
                if file_id in moved:
                    self._tell(
                        work,
                        FileAttached(
                            practice_id=practice_id,
                            file_id=file_id,
                            owner_kind=owner_kind,
                            owner_id=owner_id,
                            attached_by=person_id,
                        ),
                    )
            return [found[file_id] for file_id in file_ids]

    async def file(self, actor: Actor, file_id: UUID) -> StoredFile:
        """Return a file that the actor may see, or its tombstone: by its owner's rule, or an upload of their own.

        Raises:
            errors.NotFound: there is none; whatever the reason, it is told alike.
        """
        actor.as_person()
        await self._platform.access.require(actor, "files.download")
        file = await file_by_id(file_id) or await self._elsewhere(actor, file_id)
        if file is None:
            raise _missing()
        if file.owner_kind is None:
            if not file.uploaded_by(actor):
                raise _missing()
        else:
            owner = self.owners().get(file.owner_kind)  # none where its plugin is not active: then nobody may
            with _at(actor, file):
                if owner is None or await owner.may_read(self._platform, actor, file) is not None:
                    raise _missing()
        return file

    async def _elsewhere(self, actor: Actor, file_id: UUID) -> StoredFile | None:
        """Return a file of another practice where its owner knows that the actor takes part in what has it."""
        for owner in self.owners().values():
            practice_id = await owner.elsewhere(self._platform, actor, file_id) if owner.elsewhere else None
            if practice_id is not None:
                with acting(practice_id, actor.person_id):
                    file = await file_by_id(file_id)
                if file is not None and file.owner_kind == owner.kind:
                    return file
        return None

    async def by_id(self, file_ids: Sequence[UUID]) -> Mapping[UUID, StoredFile]:
        """Return files of the acting practice, in one statement; the service that owns them asks who may see them."""
        rows = await DB.fetch(f"{SELECT} WHERE f.id = ANY($1)", list(file_ids))
        return {row["id"]: file_of(row) for row in rows}

    async def panel(self, actor: Actor, patient_id: UUID, *, first: int | None, after: str | None) -> Page[StoredFile]:
        """Return a patient's Files as the actor sees them, the latest first, of all kinds of owners, in one statement.

        Who may see the patient, or that it is their own, is asked before (P8).
        """
        _, person_id = actor.as_person()
        size, key = page_size(first), key_of(after, str, UUID)
        listed = {owner.kind: owner.panel for owner in self.owners().values() if owner.panel is not None}
        rows = await DB.fetch(
            f"""{SELECT} WHERE f.id IN (
                SELECT p.id FROM file_panel($1, $2, $3, $4, $6::text::timestamptz, $7, $5) AS p)
            ORDER BY f.attached_at DESC, f.id DESC""",
            list(listed),
            list(listed.values()),
            patient_id,
            person_id,
            size + 1,
            *(key or (None, None)),
        )
        files = [file_of(row) for row in rows]
        return page_of(
            files, size, lambda item: ((item.attached_at or item.created_at).isoformat(), str(item.id)), after=after
        )

    async def content(self, actor: Actor, file_id: UUID, *, preview: bool = False) -> tuple[StoredFile, str, int]:
        """Return a file that the actor may have, with the key and length of its content or of its preview.

        Raises:
            errors.NotFound: none that they may see, deleted, not whole yet, or without a preview.
            FileLost: the store has lost it.
        """
        file = await self.file(actor, file_id)
        if file.state not in {FileState.STORED, FileState.ATTACHED}:
            raise _missing()
        with _at(actor, file):
            found = await objects_of(file_id, "preview" if preview else "content")
        if not found and preview:
            raise _missing()
        if not found or file.lost:
            raise lost()
        key, size = found[0]
        return file, key, size

    async def read(
        self, actor: Actor, file: StoredFile, key: str, start: int, end: int, *, preview: bool
    ) -> AsyncGenerator[bytes]:
        """Return the bytes of a file from `start` up to `end`; that it was handed out is told before the first of them.

        Raises:
            FileLost: the store has lost it.
        """
        owner = self.owners().get(file.owner_kind or "")
        with _at(actor, file):
            async with unit() as work:
                self._tell(
                    work,
                    FileDownloaded(
                        practice_id=file.practice_id,
                        file_id=file.id,
                        owner_kind=file.owner_kind,
                        owner_id=file.owner_id,
                        downloaded_by=actor.as_person()[1],
                        preview=preview,
                    ),
                    await owner.patients(self._platform, file) if owner and owner.patients else (),
                )
        pieces = self.store.read(key, start, end)
        try:
            first = await anext(pieces)
        except FileNotFoundError:
            log.warning("a file's bytes are missing", file=str(file.id))
            raise lost() from None

        async def chained() -> AsyncGenerator[bytes]:
            yield first
            async for piece in pieces:
                yield piece

        return chained()

    async def delete(self, actor: Actor, file_id: UUID) -> StoredFile:
        """Delete an attached file for good: bytes, preview, name and type. A tombstone remains (C11).

        Returns:
            The tombstone, also when it was deleted before.

        Raises:
            errors.NotFound: none that the actor may see, or an upload, which is cancelled.
            errors.Forbidden: they may see it, but not delete it.
        """
        file = await self.file(actor, file_id)
        if file.state is FileState.DELETED:
            return file
        owner = self.owners().get(file.owner_kind or "")
        if owner is None or file.owner_id is None:
            raise _missing()
        with _at(actor, file):
            if refusal := await owner.may_delete(self._platform, actor, file):
                raise refusal.problem()
            async with unit() as work:
                if owner.deleting is not None:
                    await owner.deleting(self._platform, actor, file)
                await self._bury(work, owner.kind, file.owner_id, actor.as_person()[1], file_id)
            await self.tidy()
            return await file_by_id(file_id) or file

    async def delete_owned(self, actor: Actor | None, owner_kind: str, owner_id: UUID) -> int:
        """Delete all files of something for good, inside the unit of the service that owns and deletes it.

        The bytes go by a job that exists once that unit is committed, or before by `tidy`.

        Args:
            actor: who deletes it; None where its time is over.
            owner_kind: the kind of what they are attached to.
            owner_id: what they are attached to.

        Returns:
            How many there were.
        """
        async with unit() as work:
            return await self._bury(work, owner_kind, owner_id, actor.as_person()[1] if actor else None, None)

    async def _bury(
        self, work: Work, owner_kind: str, owner_id: UUID, person_id: UUID | None, file_id: UUID | None
    ) -> int:
        """Leave tombstones, doom the bytes, and have a job take them away if this process does not come to it."""
        found = await DB.fetchval(
            """SELECT array_agg(id) FROM file
            WHERE owner_kind = $1 AND owner_id = $2 AND ($3::uuid IS NULL OR id = $3) AND state = 'attached'""",
            owner_kind, owner_id, file_id,
        )  # fmt: skip
        if not found:
            return 0
        # Exports before files: whoever makes one, or takes one away, comes to its file last.
        await self._deleted(self._platform, found)
        rows = await DB.fetch(
            """UPDATE file SET state = 'deleted', deleted_at = $2, deleted_by = $3, client_id = NULL, name = NULL,
                media_type = NULL, size = NULL, upload_size = NULL, upload_sha256 = NULL, lost = false
            WHERE id = ANY($1) AND state = 'attached' RETURNING id, practice_id""",
            found, self._platform.clock.now(), person_id,
        )  # fmt: skip
        if not rows:
            return 0
        await DB.execute("UPDATE file_object SET file_id = NULL WHERE file_id = ANY($1)", [row["id"] for row in rows])
        for row in rows:
            self._tell(
                work,
                FileDeleted(
                    practice_id=row["practice_id"],
                    file_id=row["id"],
                    owner_kind=owner_kind,
                    owner_id=owner_id,
                    deleted_by=person_id,
                ),
            )
        await work.enqueue(REMOVE_JOB, {})
        return len(rows)

    async def tidy(self) -> None:
        """Take away at once the bytes of the acting practice that nobody wants any more; what fails, a job does."""
        try:
            await remove_doomed(self.store)
        except errors.Unavailable:
            log.warning("bytes are left to the job")

    def _tell(
        self, work: Work, event: FileAttached | FileDownloaded | FileDeleted, about: Collection[UUID] = ()
    ) -> None:
        """Say that a file was attached, handed out or deleted: the trail (A14) and listeners hear of it from here."""
        work.emit(event)
        patients = [event.owner_id] if event.owner_kind == PATIENT and event.owner_id is not None else []
        audit.did(_ACTS[type(event)], kind="file", target=event.file_id, patients=[*patients, *about])


def _at(actor: Actor, file: StoredFile) -> AbstractContextManager[None]:
    """Act as the practice whose file it is, where that is another than the actor's."""
    return acting(file.practice_id, actor.person_id) if file.practice_id != actor.practice_id else nullcontext()


def refused() -> Refusal:
    """Return what an owner answers about a file of which somebody is not to know."""
    return Refusal(rule=Rule.MEMBERSHIP, message="There is no file with this id that you may see.")


def lost() -> FileLost:
    """Return the problem of a file without bytes."""
    return FileLost("The storage has lost this file.", way_on="Tell the operator, who may have a backup of it.")


def _missing() -> errors.Problem:
    return refused().problem()
