"""Imports of patients as they are asked for, looked at and followed live (P5)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from bedside_core import audit, errors
from bedside_core.access import LEADERS, Permission, Refusal
from bedside_core.auth import Actor
from bedside_core.database import DB, unit
from bedside_core.files.facts import FileOwner, FileState, StoredFile
from bedside_core.ids import uuid7
from bedside_core.imports import job
from bedside_core.imports.model import ENDED, MOST_BYTES, REPORT, STREAM, UPLOAD, Options, PatientImport, RefusedRow
from bedside_core.imports.rows import SELECT, import_of, json_of, refusal_of
from bedside_core.live import StreamKind, Topic, follow
from bedside_core.paging import Page, key_of, page_of, page_size

if TYPE_CHECKING:
    from bedside_core.platform import Platform

PERMISSIONS = (Permission(key=job.PERMISSION, doc="Import patients in bulk.", roles=LEADERS),)


async def _may(platform: Platform, actor: Actor, file: StoredFile) -> Refusal | None:
    return await platform.access.why_not(actor, job.PERMISSION)


FILE_OWNERS = (
    FileOwner(
        kind=UPLOAD,
        doc="A table of patients that is being imported; it is deleted once that has ended.",
        may_read=_may,
        may_delete=_may,
    ),
    FileOwner(kind=REPORT, doc="Which rows of a table were refused, and why; a month.", may_read=_may, may_delete=_may),
)


async def positions(import_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """Return how far imports are, across practices."""
    rows = await DB.fetch("SELECT * FROM patient_import_positions($1)", list(import_ids))
    return {row["id"]: row["position"] for row in rows}


KIND = StreamKind(STREAM, positions, "An import of patients: grows with each step.")


class Imports:
    """The imports of the acting practice.

    Args:
        platform: access, files, clock and live streams.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def begin(self, actor: Actor, upload_id: UUID, options: Options, client_id: str) -> PatientImport:
        """Have a finished upload of the actor's imported by a job, or return what the client id has begun (G9).

        A dry run leaves the upload to be imported afterwards. An import takes it, and deletes it once it has ended.

        Raises:
            errors.NotFound: it is none of the actor's uploads.
            errors.Conflict: it is not finished or was imported already, or the client id has begun something else.
            errors.InvalidInput: it is too long.
        """
        practice_id, person_id = actor.in_practice()
        files = self._platform.files
        async with unit() as work:
            new_id = uuid7()
            made = await DB.fetchval(
                """INSERT INTO patient_import (id, practice_id, made_by, client_id, asked_by, upload_id, options, state,
                    created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'waiting', $8)
                ON CONFLICT (practice_id, made_by, client_id) DO NOTHING RETURNING id""",
                new_id, practice_id, person_id, client_id, json_of(actor), upload_id, json_of(options),
                self._platform.clock.now(),
            )  # fmt: skip
            if made is None:
                return await self._begun(person_id, client_id, upload_id, options)
            upload = await files.uploads.of(actor, upload_id)
            if upload.state is not FileState.STORED:
                raise errors.Conflict(
                    "The upload is not finished, or was imported already.", field=("input", "upload_id")
                )
            if upload.size is not None and upload.size > MOST_BYTES:
                raise errors.InvalidInput(
                    f"A table of patients has at most {MOST_BYTES // 1_000_000} megabytes.",
                    way_on="Import it in parts.",
                    field=("input", "upload_id"),
                )
            if not options.dry_run:
                await files.attach(actor, [upload_id], UPLOAD, new_id)
            await work.enqueue(job.NAME, {"import_id": str(new_id)})
            audit.did(
                "imports.begin",
                kind="patient_import",
                target=new_id,
                detail={"upload": str(upload_id), "dry_run": str(options.dry_run).lower()},
            )
            return await self._present(new_id)

    async def _begun(self, person_id: UUID, client_id: str, upload_id: UUID, options: Options) -> PatientImport:
        row = await DB.fetchrow(
            "SELECT id, upload_id, options FROM patient_import WHERE made_by = $1 AND client_id = $2",
            person_id,
            client_id,
        )
        asked = msgspec.to_builtins(asdict(options))
        if row is None or (row["upload_id"], row["options"]) != (upload_id, asked):
            raise errors.Conflict("This clientId was used with other content.", field=("clientId",))
        return await self._present(row["id"])

    async def _present(self, import_id: UUID) -> PatientImport:
        row = await DB.fetchrow(f"{SELECT} WHERE id = $1", import_id)
        if row is None:
            raise errors.NotFound("There is no import with this id that you may see.")
        return import_of(row)

    async def of(self, actor: Actor, import_id: UUID) -> PatientImport:
        """Return an import.

        Raises:
            errors.NotFound: the practice has none with this id.
        """
        actor.in_practice()
        return await self._present(import_id)

    async def page(self, actor: Actor, *, first: int | None, after: str | None) -> Page[PatientImport]:
        """Return the practice's imports, the newest first."""
        actor.in_practice()
        size, key = page_size(first), key_of(after, str, UUID)
        rows = await DB.fetch(
            f"""{SELECT} WHERE $2::text IS NULL OR (created_at, id) < ($2::text::timestamptz, $3)
            ORDER BY created_at DESC, id DESC LIMIT $1""",
            size + 1,
            *(key or (None, None)),
        )
        return page_of(
            [import_of(row) for row in rows],
            size,
            lambda item: (item.created_at.isoformat(), str(item.id)),
            after=after,
        )

    async def refusals(
        self, actor: Actor, import_id: UUID, *, first: int | None, after: str | None
    ) -> Page[RefusedRow]:
        """Return the rows that an import refused, in the order of the file.

        Raises:
            errors.NotFound: the practice has no such import.
        """
        await self.of(actor, import_id)
        size, key = page_size(first), key_of(after, int)
        rows = await DB.fetch(
            """SELECT line, faults FROM patient_import_refusal WHERE import_id = $1 AND line > $2
            ORDER BY line LIMIT $3""",
            import_id,
            min(key[0], 2**31 - 1) if key else 0,
            size + 1,
        )
        return page_of([refusal_of(row) for row in rows], size, lambda item: (item.line,), after=after)

    async def followed(self, actor: Actor, import_id: UUID) -> AsyncGenerator[PatientImport, None]:
        """Follow an import: as it is now, each step, and the end, after which there is nothing more.

        Raises:
            errors.NotFound: the practice has no such import.
            errors.Problem: the actor may not any more.
        """
        await self.of(actor, import_id)

        async def read(position: int) -> list[tuple[int, PatientImport]]:
            await self._platform.access.require(actor, job.PERMISSION)
            row = await DB.fetchrow(f'{SELECT} WHERE id = $1 AND "position" > $2', import_id, position)
            return [(row["position"], import_of(row))] if row else []

        stream = follow(self._platform.live, Topic(STREAM, import_id), read, 0)
        async with aclosing(stream) as steps:
            async for found in steps:
                yield found
                if found.state in ENDED and (found.report_id is not None or not found.refused):
                    return
