"""Exports of before it was known what they contain go: nothing would take them away when a file in them is deleted."""

from __future__ import annotations

from bedside_core.database import sql_migration

ID = "core_2026_11_22t02_41"
VERSION = "1.38.0"
DESCRIPTION = "Exports of before it was known what they contain are taken away."

# An export that was made since names somebody, unless it is of a practice without patients, which is made again in no
# time. As where one expires: a tombstone of the file, bytes that the sweep removes, and on record that it was made.
EXPIRED = """
WITH gone AS (
    UPDATE data_export e SET state = 'expired', file_id = NULL, expires_at = least(e.expires_at, now())
    WHERE e.state = 'ready' AND e.patients = '{}' RETURNING e.id, e.practice_id
), buried AS (
    UPDATE file f SET state = 'deleted', deleted_at = now(), client_id = NULL, name = NULL, media_type = NULL,
        size = NULL, upload_size = NULL, upload_sha256 = NULL, lost = false
    FROM gone WHERE f.owner_kind = 'data_export' AND f.owner_id = gone.id AND f.practice_id = gone.practice_id
        AND f.state = 'attached'
    RETURNING f.id
)
UPDATE file_object o SET file_id = NULL FROM buried WHERE o.file_id = buried.id
"""


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [EXPIRED])
