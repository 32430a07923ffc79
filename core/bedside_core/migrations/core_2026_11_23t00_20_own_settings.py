"""What patients set for themselves, who wants calls, and whose a browser is that is pushed to."""

from __future__ import annotations

from bedside_core.database import practice_table, sql_migration

ID = "core_2026_11_23t00_20"
VERSION = "1.38.0"
DESCRIPTION = "What patients set for themselves (S10), who wants calls (N7), and whose a browser is."

# A table of its own: whatever reads `setting` where no member is named means the practice's.
TABLES = """
CREATE TABLE patient_setting (
    practice_id uuid NOT NULL,
    plugin text NOT NULL,
    patient_id uuid NOT NULL,
    stored jsonb NOT NULL,
    PRIMARY KEY (patient_id, plugin),
    FOREIGN KEY (practice_id, patient_id) REFERENCES patient (practice_id, id) ON DELETE CASCADE
);
CREATE INDEX patient_setting_by_plugin ON patient_setting (practice_id, plugin);
ALTER TABLE push_subscription ADD COLUMN account_id uuid;
ALTER TABLE notification_preference ADD COLUMN calls boolean NOT NULL DEFAULT false;
"""


async def forwards():
    """Run the migration."""
    return sql_migration("core", ID, DESCRIPTION, [TABLES, *practice_table("patient_setting")])
