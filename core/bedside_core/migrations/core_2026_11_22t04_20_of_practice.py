"""Members are searched in all practices that are seen, or in one of them (C7)."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t04_20"
VERSION = "1.38.0"
DESCRIPTION = "A search for members takes a practice."

SEARCH = definer_function(
    "directory_search(words text[], size int, after_sort text, after_id uuid, only_practice uuid)",
    "TABLE (id uuid, sort text)",
    """SELECT DISTINCT w.person_id, w.sort FROM directory_practices() AS seen(practice_id)
        JOIN person_word w ON w.practice_id = seen.practice_id AND w.kind = 'member'
            AND w.word >= words[1] AND w.word < words[1] || chr(1114111)
        WHERE (only_practice IS NULL OR seen.practice_id = only_practice)
        AND (after_sort IS NULL OR (w.sort, w.person_id) > (after_sort COLLATE "C", after_id))
        AND NOT EXISTS (SELECT FROM unnest(words[2:]) AS other(word) WHERE NOT EXISTS (
            SELECT FROM person_word o WHERE o.practice_id = w.practice_id AND o.person_id = w.person_id
            AND o.word >= other.word AND o.word < other.word || chr(1114111)))
        ORDER BY w.sort, w.person_id LIMIT size""",
)


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, ["DROP FUNCTION directory_search(text[], int, text, uuid)", *SEARCH])
