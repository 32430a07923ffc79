"""A practitioner's appointments of some days are found by an index, whatever the practice has besides."""

from __future__ import annotations

from bedside_core.api import sql_migration

ID = "scheduling_2026_11_23t00_10"
VERSION = "1.38.0"
DESCRIPTION = "A practitioner's appointments of some days are found by an index."

# Under row-level security only leakproof comparisons reach an index, and those of ranges are none.
COLUMN = """
ALTER TABLE appointment_member ADD COLUMN starts_at timestamptz;
UPDATE appointment_member m SET starts_at = a.starts_at FROM appointment a WHERE a.id = m.appointment_id;
ALTER TABLE appointment_member ALTER COLUMN starts_at SET NOT NULL;
DROP INDEX appointment_member_by_member;
CREATE INDEX appointment_member_by_member ON appointment_member (practice_id, member_id, starts_at);
"""

KEPT_BY_THE_DATABASE = [
    """CREATE OR REPLACE FUNCTION appointment_member_of() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        SELECT c.number INTO STRICT NEW.number FROM calendar c WHERE c.member_id = NEW.member_id;
        SELECT a.starts_at, tstzrange(a.starts_at, a.ends_at, '[)'), a.state NOT IN ('cancelled', 'lapsed')
            INTO STRICT NEW.starts_at, NEW.during, NEW.active FROM appointment a WHERE a.id = NEW.appointment_id;
        RETURN NEW;
    END $$""",
    """CREATE OR REPLACE FUNCTION appointment_moves() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE appointment_member SET starts_at = NEW.starts_at, during = tstzrange(NEW.starts_at, NEW.ends_at, '[)'),
            active = NEW.state NOT IN ('cancelled', 'lapsed') WHERE appointment_id = NEW.id;
        RETURN NULL;
    END $$""",
]


async def forwards():
    """Run the migration."""
    return sql_migration("scheduling", ID, DESCRIPTION, [COLUMN, *KEPT_BY_THE_DATABASE])
