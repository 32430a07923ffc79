"""The job that makes an export, and the one that takes old ones away."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from bedside_core import audit
from bedside_core.auth import Actor
from bedside_core.database import DB, unit
from bedside_core.files.made import attach_made, keep_made, room
from bedside_core.jobs.declared import Job, JobRun
from bedside_core.jobs.rights import still_may
from bedside_core.records import archive
from bedside_core.records.expiring import all_there, expire_old, give_up
from bedside_core.records.model import LASTS, OWNER_KIND, ExportState, permission_of

if TYPE_CHECKING:
    from bedside_core.platform import Platform

NAME = "core.export_data"
TRIES = 3
"""How often an export is made anew, since something that it contains was deleted meanwhile."""


async def export_data(run: JobRun) -> None:
    """Make an export; whatever it is stopped at, it begins anew. Done already, nothing happens."""
    export_id = UUID(run.payload["export_id"])
    row = await DB.fetchrow(
        """UPDATE data_export SET state = 'running' WHERE id = $1 AND state IN ('waiting', 'running')
        RETURNING asked_by, patient_id""",
        export_id,
    )
    if row is None:
        return
    actor = msgspec.convert(row["asked_by"], Actor)
    detail = {"job": NAME, "export": str(export_id)}
    async with audit.operation(actor, via=audit.Via.JOB, detail=detail):
        if not await still_may(run.platform, actor, permission_of(row["patient_id"])):
            await _fail(export_id, "Who asked for this export may not any more.")
            return
        async with room(run.platform.config.data) as folder:
            path = folder / "export.zip"
            for _ in range(TRIES):
                await DB.execute("UPDATE data_export SET stale = false WHERE id = $1", export_id)
                contents = await archive.write(run.platform, run.practice_id, row["patient_id"], path)
                if contents is None:
                    await _fail(export_id, "The patient is not there any more.")
                    return
                if await _keep(run.platform, actor, export_id, contents, path):
                    return
            await _fail(export_id, "Again and again something was deleted while it was made. Ask for another one.")


async def _keep(platform: Platform, actor: Actor, export_id: UUID, contents: archive.Contents, path: Path) -> bool:
    """Store an archive and tell that it is ready, unless another worker was quicker.

    Returns:
        False where something that it contains was deleted for good while it was made.
    """
    kept = await keep_made(platform.files.store, contents.practice_id, path)
    now = platform.clock.now()
    about = "patient" if contents.patient_id is not None else "practice"
    async with unit():
        if not await all_there(contents.file_ids, contents.patients):
            return False  # the sweep takes the bytes away
        running = await DB.fetchrow(
            "SELECT stale FROM data_export WHERE id = $1 AND state = 'running' FOR UPDATE", export_id
        )
        if running is None:
            return True
        if running["stale"]:
            return False
        file_id = await attach_made(
            kept,
            practice_id=contents.practice_id,
            made_for=actor.in_practice()[1],
            name=f"{about} {contents.at:%Y-%m-%d}.zip",
            media_type="application/zip",
            owner_kind=OWNER_KIND,
            owner_id=export_id,
            now=now,
        )
        await DB.execute(
            """UPDATE data_export SET state = $2, file_id = $3, size = $4, ended_at = $5, expires_at = $6,
                patients = $7, contained = $8
            WHERE id = $1""",
            export_id,
            ExportState.READY,
            file_id,
            kept.size,
            now,
            now + LASTS,
            contents.patients,
            contents.file_ids,
        )
        audit.did("exports.made", kind="data_export", target=export_id, patients=contents.patients)
        return True


async def _fail(export_id: UUID, reason: str) -> None:
    async with unit():
        await DB.execute(
            "UPDATE data_export SET state = 'failed', reason = $2 WHERE id = $1 AND state = 'running'",
            export_id,
            reason,
        )
        audit.did("exports.failed", kind="data_export", target=export_id)


async def expire_exports(run: JobRun) -> None:
    """Delete the archives whose time is over, which stays on record, and fail those that nobody has made."""
    await expire_old(run.platform)
    await give_up(run.platform)


JOBS = (
    Job(
        name="export_data",
        function=export_data,
        doc="Writes everything about a patient, or of a practice, into an archive.",
        public=True,
    ),
    Job(
        name="expire_exports",
        function=expire_exports,
        doc="Deletes exports that were made a week ago, and fails those that nobody has made in twelve hours.",
        schedule="13 * * * *",
        public=True,
    ),
)
