"""Reads files out of their table, and takes their bytes away once no row wants them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from bedside_core.database import DB, Row
from bedside_core.files.facts import FileState, StoredFile
from bedside_core.files.store import Store

SELECT = """SELECT f.*,
    (SELECT coalesce(sum(o.size), 0)::bigint FROM file_object o WHERE o.file_id = f.id AND o.kind = 'part') AS received,
    EXISTS (SELECT FROM file_object o WHERE o.file_id = f.id AND o.kind = 'preview') AS has_preview
FROM file f"""
BATCH = 500


def file_of(row: Row) -> StoredFile:
    """Return the file in a row of `SELECT`."""
    state, announced = FileState(row["state"]), row["upload_size"] or 0
    return StoredFile(
        id=row["id"],
        practice_id=row["practice_id"],
        made_by=row["made_by"],
        bound_to=row["bound_to"],
        state=state,
        name=row["name"],
        media_type=row["media_type"],
        size=row["size"],
        received=row["received"] if state is FileState.UPLOADING else announced,
        upload_size=announced,
        refusal=row["refusal"],
        has_preview=row["has_preview"],
        owner_kind=row["owner_kind"],
        owner_id=row["owner_id"],
        lost=row["lost"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        attached_at=row["attached_at"],
        deleted_at=row["deleted_at"],
        deleted_by=row["deleted_by"],
    )


async def file_by_id(file_id: UUID) -> StoredFile | None:
    """Return a file of the acting practice."""
    row = await DB.fetchrow(f"{SELECT} WHERE f.id = $1", file_id)
    return file_of(row) if row else None


async def objects_of(file_id: UUID, kind: str) -> Sequence[tuple[str, int]]:
    """Return keys and sizes of a file's objects of a kind, in order."""
    rows = await DB.fetch(
        'SELECT key, size FROM file_object WHERE file_id = $1 AND kind = $2 ORDER BY "position"', file_id, kind
    )
    return [(row["key"], row["size"]) for row in rows]


async def remove_doomed(store: Store) -> int:
    """Remove the bytes that belong to no file any more, then their rows; returns how many.

    Whatever it is stopped at, the rows that remain say what is left to do.

    Raises:
        errors.Unavailable: the store can't do it now.
    """
    removed = 0
    while rows := await DB.fetch("SELECT key FROM file_object WHERE file_id IS NULL LIMIT $1", BATCH):
        keys = [row["key"] for row in rows]
        await store.remove(keys)
        await DB.execute("DELETE FROM file_object WHERE file_id IS NULL AND key = ANY($1)", keys)
        removed += len(keys)
    return removed
