"""What the practice takes back was not offered, and can be offered again (S7)."""

from __future__ import annotations

from bedside_core.api import sql_migration

ID = "scheduling_2026_11_24t00_00"
VERSION = "1.38.0"
DESCRIPTION = "What the practice takes back of what it offers is `withdrawn`; a group's place is offered anew after it."

# A time that is offered anew is another appointment, and a group's place is the same one.
WITHDRAWN = """
ALTER TABLE waiting_offer DROP CONSTRAINT waiting_offer_state_check,
    ADD CONSTRAINT waiting_offer_state_check
        CHECK (state IN ('open', 'taken', 'declined', 'over', 'withdrawn')),
    DROP CONSTRAINT waiting_offer_practice_id_entry_id_appointment_id_key;
CREATE UNIQUE INDEX waiting_offer_once ON waiting_offer (practice_id, entry_id, appointment_id)
    WHERE state <> 'withdrawn';
CREATE INDEX waiting_offer_by_entry ON waiting_offer (practice_id, entry_id);
"""


async def forwards():
    """Run the migration."""
    return sql_migration("scheduling", ID, DESCRIPTION, [WITHDRAWN])
