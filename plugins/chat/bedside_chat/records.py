"""What chat keeps of practices and patients."""

from __future__ import annotations

from uuid import UUID

from bedside_core.api import DB, DataContribution, KeptTable, Platform

_TAKES_PART = """t.conversation_id IN (SELECT p.conversation_id FROM participant p
    WHERE p.person_id = $1 AND p.practice_id = t.practice_id)"""
_WRITTEN = f"t.sent_at >= $2 AND {_TAKES_PART}"


async def _merge(platform: Platform, kept: UUID, merged: UUID) -> None:
    """Have the kept patient take part wherever the merged one did, and be who wrote what they wrote."""
    await DB.execute(
        """INSERT INTO participant (practice_id, conversation_id, person_id, joined_at)
        SELECT practice_id, conversation_id, $1::uuid, joined_at FROM participant WHERE person_id = $2
        ON CONFLICT DO NOTHING""",
        kept,
        merged,
    )
    await DB.execute("UPDATE message SET sender_id = $1 WHERE sender_id = $2", kept, merged)
    await DB.execute("DELETE FROM participant WHERE person_id = $1", merged)
    await DB.execute("DELETE FROM conversation_start WHERE person_id = $1", merged)


async def _erase(platform: Platform, patient_id: UUID) -> None:
    """Take away the conversations that a patient takes part in, with all that was written there by anybody."""
    await DB.execute(
        """DELETE FROM conversation c USING participant p
        WHERE p.conversation_id = c.id AND p.practice_id = c.practice_id AND p.person_id = $1""",
        patient_id,
    )


RECORDS = DataContribution(
    tables=(
        KeptTable(
            name="conversation",
            doc="Conversations that the practice owns.",
            patient="""t.id IN (SELECT p.conversation_id FROM participant p
                WHERE p.person_id = $1 AND p.practice_id = t.practice_id)""",
        ),
        KeptTable(name="participant", doc="Who takes part in them.", patient=_TAKES_PART),
        KeptTable(name="message", doc="Their messages.", patient=_TAKES_PART, hidden=("client_id",), active=_WRITTEN),
        KeptTable(
            name="conversation_start",
            doc="Not exported: which retries are retries.",
            patient="t.person_id = $1",
            exported=False,
        ),
    ),
    merge=_merge,
    erase=_erase,
)
"""Contributed by the manifest."""
