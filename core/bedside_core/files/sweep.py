"""Jobs that clean up: uploads that nobody finished, bytes that nobody wants, and whatever a crash left behind.

Every step may be the last before the machine stops; the next run goes on from what rows and store then say.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from bedside_core.database import DB
from bedside_core.files.rows import BATCH, remove_doomed
from bedside_core.files.store import INCOMING, WHOLE, Store, prefix_of
from bedside_core.ids import uuid7
from bedside_core.jobs.declared import Job, JobRun

if TYPE_CHECKING:
    from bedside_core.platform import Platform

log = structlog.get_logger("bedside.files")

GRACE = timedelta(hours=1)
"""How old bytes without a row are at least: younger ones may be about to get it."""


async def remove_bytes(run: JobRun) -> None:
    """Remove the bytes of what was deleted."""
    await remove_doomed(run.platform.files.store)


async def expire_uploads(run: JobRun) -> None:
    """Take away the uploads whose time is over, with what arrived of them."""
    await DB.execute("DELETE FROM file WHERE expires_at <= $1", run.platform.clock.now())
    await remove_doomed(run.platform.files.store)


async def sweep_files(run: JobRun) -> None:
    """Make rows and store agree: remove bytes without a row, and mark files without bytes as lost."""
    await expire_uploads(run)
    await _sweep(run.platform, run.practice_id)
    await asyncio.to_thread(_empty_rooms, run.platform.config.data / "incoming")


async def _sweep(platform: Platform, practice_id: UUID) -> None:
    store, sweep = platform.files.store, uuid7()
    began, orphans = platform.clock.now(), 0
    # Files' times are the machine's, so they are compared with the machine's and not with the product's.
    young = datetime.now(UTC) - GRACE
    for area in (INCOMING, WHOLE):
        async for page in store.keys(prefix_of(area, practice_id)):
            rows = await DB.fetch(
                "UPDATE file_object SET seen_by = $1 WHERE key = ANY($2) RETURNING key", sweep, [key for key, _ in page]
            )
            known = {row["key"] for row in rows}
            stray = [key for key, written in page if key not in known and written < young]
            await store.remove(stray)
            orphans += len(stray)
        await store.remove_torn(prefix_of(area, practice_id), young)
    lost = await _mark_lost(store, sweep, began)
    if orphans or lost:
        log.warning("files were swept", orphans=orphans, lost=lost)


async def _mark_lost(store: Store, sweep: UUID, began: datetime) -> int:
    """Mark files whose content the sweep has not met, and take back the mark of those that are there again."""
    after, missing = "", list[str]()
    while rows := await DB.fetch(
        """SELECT key FROM file_object WHERE key > $1 AND file_id IS NOT NULL AND created_at < $2
            AND seen_by IS DISTINCT FROM $3 ORDER BY key LIMIT $4""",
        after, began, sweep, BATCH,
    ):  # fmt: skip
        after = rows[-1]["key"]
        missing += [row["key"] for row in rows if not await store.has(row["key"])]
    await DB.execute(
        """UPDATE file SET lost = id IN (SELECT file_id FROM file_object WHERE key = ANY($1) AND kind = 'content')
        WHERE lost OR id IN (SELECT file_id FROM file_object WHERE key = ANY($1) AND kind = 'content')""",
        missing,
    )
    # A preview is no loss; an upload without one of its parts is sent anew.
    await DB.execute("DELETE FROM file_object WHERE key = ANY($1) AND kind = 'preview'", missing)
    await DB.execute(
        """UPDATE file_object SET file_id = NULL WHERE kind = 'part'
            AND file_id IN (SELECT file_id FROM file_object WHERE key = ANY($1) AND kind = 'part')""",
        missing,
    )
    await remove_doomed(store)
    return len(missing)


def _empty_rooms(folder: Path) -> None:
    """Remove the folders in which a process that was killed put uploads together."""
    if folder.is_dir():
        for room in folder.iterdir():
            if room.is_dir() and room.stat().st_mtime < time.time() - GRACE.total_seconds():
                shutil.rmtree(room, ignore_errors=True)


JOBS = (
    Job(name="remove_bytes", function=remove_bytes, doc="Removes the bytes of deleted files.", retries=12, public=True),
    Job(
        name="expire_uploads",
        function=expire_uploads,
        doc="Takes away uploads that were not finished or not attached within a day.",
        schedule="7 * * * *",
        public=True,
    ),
    Job(
        name="sweep_files",
        function=sweep_files,
        doc="Makes the store of files and the database agree.",
        schedule="23 3 * * *",
        public=True,
    ),
)
