"""What the portal keeps of patients: who acts for them, exported with them and joined when two records are one's."""

from __future__ import annotations

from uuid import UUID

from bedside_core.api import DB, DataContribution, KeptTable, Platform


async def _merge(platform: Platform, kept: UUID, merged: UUID) -> None:
    """Have who acts for the merged patient act for the kept one, but for those who do already; suspended stays so."""
    await DB.execute(
        """UPDATE portal_holder h SET removed_at = $3 WHERE h.patient_id = $2 AND h.removed_at IS NULL AND EXISTS (
            SELECT FROM portal_holder k WHERE k.patient_id = $1 AND k.removed_at IS NULL
            AND (k.account_id = h.account_id OR (k.relationship IS NULL AND h.relationship IS NULL)))""",
        kept,
        merged,
        platform.clock.now(),
    )
    await DB.execute("UPDATE portal_holder SET patient_id = $1 WHERE patient_id = $2", kept, merged)
    await DB.execute(
        """INSERT INTO portal_suspension (patient_id, practice_id, suspended_at, suspended_by)
        SELECT $1::uuid, practice_id, suspended_at, suspended_by FROM portal_suspension WHERE patient_id = $2
        ON CONFLICT DO NOTHING""",
        kept,
        merged,
    )
    await DB.execute("DELETE FROM portal_suspension WHERE patient_id = $1", merged)


RECORDS = DataContribution(
    tables=(
        KeptTable(
            name="portal_holder",
            doc="Who acts for patients in the portal, or was invited to.",
            patient="t.patient_id = $1",
            hidden=("client_id", "registration_id"),
        ),
        KeptTable(name="portal_suspension", doc="Suspended portal accounts.", patient="t.patient_id = $1"),
    ),
    merge=_merge,
)
"""Contributed by the manifest."""
