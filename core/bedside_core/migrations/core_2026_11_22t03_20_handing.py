"""A file that somebody of a connected practice sends becomes the practice's to which it is sent (L9)."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t03_20"
VERSION = "1.38.0"
DESCRIPTION = "Stored uploads are handed over to connected practices."

FUNCTIONS = [
    # A finished upload of the person acted for, to a practice that theirs is connected to, under copies of its bytes:
    # the old ones are then nobody's. Whether there is room is asked where announcements of that practice ask, one
    # after the other. Returns whether it was handed over, or else `full`, or null where there is nothing to hand over.
    *definer_function(
        "file_hand_over(wanted uuid, receiving uuid, most bigint, kind_of_owner text, owner uuid, present timestamptz, "
        "was text[], becomes text[])",
        "text",
        """
        DECLARE bytes bigint;
        BEGIN
            IF receiving = app_practice() OR receiving NOT IN (SELECT directory_practices()) THEN
                RETURN NULL;
            END IF;
            SELECT f.size INTO bytes FROM file f WHERE f.id = wanted AND f.practice_id = app_practice()
                AND f.made_by = app_person() AND f.state = 'stored' FOR UPDATE;
            IF NOT FOUND THEN
                RETURN NULL;
            END IF;
            PERFORM pg_advisory_xact_lock(hashtextextended('file ' || receiving, 0));
            IF bytes + (SELECT coalesce(sum(coalesce(f.size, f.upload_size)), 0) FROM file f
                    WHERE f.practice_id = receiving AND f.state NOT IN ('deleted', 'refused')
                    AND f.owner_kind IS DISTINCT FROM 'data_export') > most THEN
                RETURN 'full';
            END IF;
            UPDATE file_object o SET file_id = NULL WHERE o.file_id = wanted AND o.practice_id = app_practice();
            UPDATE file f SET practice_id = receiving, client_id = wanted::text, state = 'attached',
                owner_kind = kind_of_owner, owner_id = owner, attached_at = present, expires_at = NULL
            WHERE f.id = wanted;
            INSERT INTO file_object (key, practice_id, file_id, kind, "position", size, created_at)
            SELECT n.becomes, receiving, wanted, o.kind, o."position", o.size, present
            FROM unnest(was, becomes) AS n(was, becomes)
            JOIN file_object o ON o.key = n.was AND o.practice_id = app_practice() AND o.file_id IS NULL
            WHERE n.becomes LIKE 'files/' || replace(receiving::text, '-', '') || '/%';
            IF NOT EXISTS (SELECT FROM file_object o WHERE o.file_id = wanted AND o.kind = 'content') THEN
                RAISE EXCEPTION 'a file was handed over without its bytes';
            END IF;
            RETURN 'done';
        END""",
        language="plpgsql",
        volatility="VOLATILE",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, FUNCTIONS)
