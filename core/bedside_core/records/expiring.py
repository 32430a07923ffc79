"""Takes exports away: when their time is over, and when something that they contain is deleted for good (F2)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core import audit
from bedside_core.database import DB, unit
from bedside_core.records.model import OWNER_KIND, PATIENCE, ExportState

if TYPE_CHECKING:
    from bedside_core.platform import Platform

# Who deletes something holds the lock with others who do, from before it looks for exports to its commit; who has made
# an export alone, from before it looks whether all is still there to its commit. So one of the two sees the other's.
_DELETING = "SELECT pg_advisory_xact_lock_shared(hashtextextended('exports ' || app_practice(), 0))"
_MAKING = "SELECT pg_advisory_xact_lock(hashtextextended('exports ' || app_practice(), 0))"
_STILL = "SELECT true FROM data_export WHERE id = $1 AND state = 'ready' FOR UPDATE"


async def expire_containing(platform: Platform, ids: Sequence[UUID]) -> None:
    """Take away the exports of the acting practice that contain files or patients, in the unit that deletes these."""
    await DB.execute(_DELETING)
    for row in await DB.fetch(
        """SELECT id FROM data_export WHERE state = 'ready' AND (contained && $1 OR patients && $1)
        ORDER BY id FOR UPDATE""",
        list(ids),
    ):
        await _expire(platform, row["id"])


async def expire_exports(platform: Platform, patients: Collection[UUID], since: datetime) -> None:
    """Take away the exports that may contain what a plugin deletes for good, in the unit that deletes it, first of all.

    For rows; exports that contain files go with these.

    Args:
        platform: clock and files.
        patients: whom the rows are about; exports of the whole practice contain them in any case.
        since: when the rows came to be; older exports do not contain them.
    """
    async with unit():
        await DB.execute(_DELETING)
        await DB.execute(
            """UPDATE data_export SET stale = true
            WHERE state = 'running' AND (patient_id IS NULL OR patient_id = ANY($1))""",
            list(patients),
        )
        for row in await DB.fetch(
            """SELECT id FROM data_export WHERE state = 'ready' AND ended_at >= $2
                AND (patient_id IS NULL OR patient_id = ANY($1))
            ORDER BY id FOR UPDATE""",
            list(patients),
            since,
        ):
            await _expire(platform, row["id"])


async def expire_old(platform: Platform) -> None:
    """Take away the acting practice's exports whose time is over."""
    now = platform.clock.now()
    for old in await DB.fetch("SELECT id FROM data_export WHERE state = 'ready' AND expires_at <= $1", now):
        async with unit():
            await DB.execute(_DELETING)
            if await DB.fetchval(_STILL, old["id"]):
                await _expire(platform, old["id"])


async def give_up(platform: Platform) -> None:
    """Fail the acting practice's exports that were asked for long ago and are still not made, whatever the reason."""
    async with unit():
        for row in await DB.fetch(
            """UPDATE data_export SET state = 'failed', reason = $1
            WHERE state IN ('waiting', 'running') AND created_at <= $2 RETURNING id""",
            "It could not be made. Ask for another one.",
            platform.clock.now() - PATIENCE,
        ):
            audit.did("exports.failed", kind="data_export", target=row["id"])


async def all_there(files: Sequence[UUID], patients: Sequence[UUID]) -> bool:
    """Tell whether all that an export contains is still there, in the unit that makes it ready: what is deleted from
    now on takes it away.
    """
    await DB.execute(_MAKING)
    return not await DB.fetchval(
        """SELECT EXISTS (SELECT FROM unnest($1::uuid[]) AS f (id)
            WHERE NOT EXISTS (SELECT FROM file WHERE file.id = f.id AND file.state = 'attached'))
        OR EXISTS (SELECT FROM unnest($2::uuid[]) AS p (id)
            WHERE NOT EXISTS (SELECT FROM patient WHERE patient.id = p.id))""",
        list(files),
        list(patients),
    )


async def _expire(platform: Platform, export_id: UUID) -> None:
    """Delete an archive; that it was made stays on record."""
    await platform.files.delete_owned(None, OWNER_KIND, export_id)
    await DB.execute(
        """UPDATE data_export SET state = $2, file_id = NULL, contained = '{}', expires_at = least(expires_at, $3)
        WHERE id = $1""",
        export_id,
        ExportState.EXPIRED,
        platform.clock.now(),
    )
