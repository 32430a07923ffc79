"""What was told of appointments, which start a reminder is about, and visits as entries of timelines."""

from __future__ import annotations

from bedside_core.api import practice_table, sql_migration

ID = "scheduling_2026_11_23t00_12"
VERSION = "1.38.0"
DESCRIPTION = "What was told of appointments last, what reminders are about, and visits in timelines."

# Whether it was booked, moved or called off follows from what was told of it before; `spans` and `calendars` are all
# times and practitioners it ever had, by which a calendar on screen learns that it has left.
TOLD = """
CREATE TABLE appointment_told (
    appointment_id uuid PRIMARY KEY,
    practice_id uuid NOT NULL,
    state text NOT NULL,
    kind text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    member_ids uuid[] NOT NULL,
    patient_ids uuid[] NOT NULL,
    spans tstzmultirange NOT NULL,
    calendars uuid[] NOT NULL,
    FOREIGN KEY (practice_id, appointment_id) REFERENCES appointment (practice_id, id) ON DELETE CASCADE
);
"""

REMINDERS = """
ALTER TABLE appointment_reminder ADD COLUMN starts_at timestamptz NOT NULL, ADD COLUMN over_at timestamptz;
CREATE INDEX appointment_reminder_over ON appointment_reminder (practice_id, starts_at)
    WHERE taken_at IS NOT NULL AND over_at IS NULL;
"""

VISITS = """
ALTER TABLE appointment ADD COLUMN visit_id uuid NOT NULL DEFAULT gen_random_uuid();
CREATE UNIQUE INDEX appointment_by_visit ON appointment (practice_id, visit_id);
"""


async def forwards():
    """Run the migration."""
    return sql_migration("scheduling", ID, DESCRIPTION, [TOLD, REMINDERS, VISITS, *practice_table("appointment_told")])
