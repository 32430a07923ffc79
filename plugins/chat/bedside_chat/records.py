"""What chat keeps of practices and patients."""

from __future__ import annotations

from bedside_core.api import DataContribution, KeptTable

_TAKES_PART = """t.conversation_id IN (SELECT p.conversation_id FROM participant p
    WHERE p.person_id = $1 AND p.practice_id = t.practice_id)"""

RECORDS = DataContribution(
    tables=(
        KeptTable(
            name="conversation",
            doc="Conversations that the practice owns.",
            patient="""t.id IN (SELECT p.conversation_id FROM participant p
                WHERE p.person_id = $1 AND p.practice_id = t.practice_id)""",
        ),
        KeptTable(name="participant", doc="Who takes part in them.", patient=_TAKES_PART),
        KeptTable(name="message", doc="Their messages.", patient=_TAKES_PART, hidden=("client_id",)),
        KeptTable(
            name="conversation_start",
            doc="Not exported: which retries are retries.",
            patient="t.person_id = $1",
            exported=False,
        ),
    ),
)
"""Contributed by the manifest."""
