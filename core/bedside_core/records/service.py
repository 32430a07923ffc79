"""Exports as they are asked for, looked at, downloaded and taken away."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core import audit, errors
from bedside_core.access import Permission, Refusal
from bedside_core.auth import Actor, Role
from bedside_core.database import DB, Row, unit
from bedside_core.files.facts import FileOwner, StoredFile
from bedside_core.files.service import refused
from bedside_core.ids import uuid7
from bedside_core.imports.rows import json_of
from bedside_core.paging import Page, key_of, page_of, page_size
from bedside_core.records import job
from bedside_core.records.model import (
    MOST_WAITING,
    OWNER_KIND,
    PATIENT_PERMISSION,
    PRACTICE_PERMISSION,
    DataExport,
    ExportState,
    permission_of,
)

if TYPE_CHECKING:
    from bedside_core.platform import Platform

PERMISSIONS = (
    # With the conversations that a patient takes part in, and the trail: an owner's alone (A12, C15).
    Permission(key=PATIENT_PERMISSION, doc="Export everything about a patient.", roles=frozenset({Role.OWNER})),
    Permission(key=PRACTICE_PERMISSION, doc="Export everything of the practice.", roles=frozenset({Role.OWNER})),
)

_SELECT = """SELECT id, made_by, patient_id, state, reason, file_id, size, created_at, ended_at, expires_at
    FROM data_export"""


async def _may(platform: Platform, actor: Actor, file: StoredFile) -> Refusal | None:
    """Let who asked for an export have it, while they may still ask for it; for everybody else it is not there."""
    row = await DB.fetchrow("SELECT made_by, patient_id FROM data_export WHERE id = $1", file.owner_id)
    if row is None or row["made_by"] != actor.person_id:
        return refused()
    return await platform.access.why_not(actor, permission_of(row["patient_id"]))


async def _whose(platform: Platform, file: StoredFile) -> Collection[UUID]:
    """Return everybody whose data is in an export."""
    return await DB.fetchval("SELECT patients FROM data_export WHERE id = $1", file.owner_id) or ()


OWNER = FileOwner(
    kind=OWNER_KIND,
    doc="Exports of a patient or of the practice: for who asked, seven days.",
    may_read=_may,
    may_delete=_may,
    patients=_whose,
)


class Exports:
    """The exports that a person has asked for.

    Args:
        platform: access, people and clock.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def begin(self, actor: Actor, patient_id: UUID | None, client_id: str) -> DataExport:
        """Have everything about a patient exported by a job, or everything of the practice (G9).

        Args:
            actor: who asks, and alone may download it.
            patient_id: whose data; None is all of the practice's.
            client_id: the client's own id of it; a retry returns the first one.

        Raises:
            errors.NotFound: the practice has no such patient.
            errors.Conflict: the client id has begun another.
            errors.RateLimited: the actor waits for too many already.
        """
        practice_id, person_id = actor.in_practice()
        async with unit() as work:
            if patient_id is not None:
                await self._platform.people.hold_patient(patient_id)
            # One person's are asked for one after the other, so that two at once don't both find room.
            await DB.execute("SELECT pg_advisory_xact_lock(hashtextextended('export ' || $1, 0))", str(person_id))
            first = await DB.fetchrow(f"{_SELECT} WHERE made_by = $1 AND client_id = $2", person_id, client_id)
            if first is not None:
                if first["patient_id"] != patient_id:
                    raise errors.Conflict("This clientId was used with other content.", field=("clientId",))
                return _export(first)
            waiting = await DB.fetchval(
                "SELECT count(*) FROM data_export WHERE made_by = $1 AND state IN ('waiting', 'running')", person_id
            )
            if waiting >= MOST_WAITING:
                raise errors.RateLimited("You wait for several exports already.", way_on="Wait until one is ready.")
            export_id = uuid7()
            await DB.execute(
                """INSERT INTO data_export
                    (id, practice_id, made_by, client_id, asked_by, patient_id, state, created_at)
                VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7)""",
                export_id, practice_id, person_id, client_id, json_of(actor), patient_id, self._platform.clock.now(),
            )  # fmt: skip
            await work.enqueue(job.NAME, {"export_id": str(export_id)})
            audit.did(
                permission_of(patient_id),
                kind="data_export",
                target=export_id,
                patients=[patient_id] if patient_id else (),
            )
            return await self.of(actor, export_id)

    async def of(self, actor: Actor, export_id: UUID) -> DataExport:
        """Return an export that the actor has asked for.

        Raises:
            errors.NotFound: none of theirs.
        """
        _, person_id = actor.in_practice()
        row = await DB.fetchrow(f"{_SELECT} WHERE id = $1 AND made_by = $2", export_id, person_id)
        if row is None:
            raise errors.NotFound("There is no export with this id that you may see.")
        return _export(row)

    async def page(self, actor: Actor, *, first: int | None, after: str | None) -> Page[DataExport]:
        """Return the exports that the actor has asked for, the newest first."""
        _, person_id = actor.in_practice()
        size, key = page_size(first), key_of(after, str, UUID)
        rows = await DB.fetch(
            f"""{_SELECT} WHERE made_by = $1 AND ($3::text IS NULL OR (created_at, id) < ($3::text::timestamptz, $4))
            ORDER BY created_at DESC, id DESC LIMIT $2""",
            person_id,
            size + 1,
            *(key or (None, None)),
        )
        return page_of(
            [_export(row) for row in rows], size, lambda item: (item.created_at.isoformat(), str(item.id)), after=after
        )


def _export(row: Row) -> DataExport:
    stored = {name: row[name] for name in DataExport.__dataclass_fields__}
    stored["state"] = ExportState(row["state"])
    return DataExport(**stored)
