"""Letters that are kept in the house show the calendar file that would have gone with them (S8)."""

from __future__ import annotations

from bedside_core.database import definer_function, sql_migration

ID = "core_2026_11_22t05_10"
VERSION = "1.38.0"
DESCRIPTION = "Kept letters have their calendar files."

_LETTER = """TABLE (id uuid, practice text, channel text, address text, subject text, body text, sent_at timestamptz,
    calendar text)"""
_COLUMNS = "o.delivery_id, o.practice, o.channel, o.address, o.subject, o.body, o.sent_at, o.calendar"

FUNCTIONS = [
    "DROP FUNCTION outbox_put(uuid, text, text, text, text, text, timestamptz)",
    "DROP FUNCTION outbox_page(integer)",
    "DROP FUNCTION sandbox_outbox(uuid, integer, timestamptz, uuid)",
    *definer_function(
        "outbox_put(delivery uuid, of_practice text, by_channel text, sent_to text, titled text, content text, "
        "at timestamptz, file text)",
        "void",
        """INSERT INTO outbox_letter (delivery_id, practice, channel, address, subject, body, sent_at, calendar)
        VALUES (delivery, of_practice, by_channel, sent_to, titled, content, at, file) ON CONFLICT DO NOTHING""",
        volatility="VOLATILE",
    ),
    *definer_function(
        "outbox_page(size integer)",
        _LETTER,
        f"SELECT {_COLUMNS} FROM outbox_letter o ORDER BY o.sent_at DESC, o.delivery_id DESC LIMIT size",
    ),
    *definer_function(
        "sandbox_outbox(of_practice uuid, size integer, before timestamptz, before_id uuid)",
        _LETTER,
        f"""SELECT {_COLUMNS} FROM outbox_letter o JOIN notification_delivery d ON d.id = o.delivery_id
        WHERE practice_sandbox(of_practice) AND notification_in_sandbox(d.notification_id)
            AND (before IS NULL OR (o.sent_at, o.delivery_id) < (before, before_id))
        ORDER BY o.sent_at DESC, o.delivery_id DESC LIMIT size""",
    ),
]


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, ["ALTER TABLE outbox_letter ADD COLUMN calendar text", *FUNCTIONS])
