"""What scheduling tells in a patient's timeline: appointments when they were booked, and visits (P9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, Actor, TimelineEntry, TimelinePart

if TYPE_CHECKING:
    from bedside_core.api import Platform

BOOKED, VISIT = "scheduling.booked", "scheduling.visit"


async def _appointments(
    platform: Platform, actor: Actor, patient_id: UUID, before: tuple[datetime, UUID] | None, size: int
) -> Sequence[TimelineEntry]:
    """Return when appointments of a patient were booked, and when visits took place; nothing that was only held."""
    rows = await DB.fetch(
        """WITH own AS (
            SELECT a.*, p.added_at, p.cancelled_at AS left_at FROM appointment_patient p
            JOIN appointment a ON a.id = p.appointment_id
            WHERE p.patient_id = $1 AND a.state NOT IN ('held', 'lapsed')
        ) SELECT * FROM (
            SELECT $5 AS kind, id, added_at AS at, CASE WHEN added_at = created_at
                AND (NOT by_patient OR booked_by = $1) THEN booked_by END AS by FROM own
            UNION ALL SELECT $6, visit_id, coalesce(started_at, starts_at), NULL FROM own
                WHERE state = 'completed' AND left_at IS NULL
        ) AS found WHERE ($2::timestamptz IS NULL OR (at, id) < ($2, $3)) ORDER BY at DESC, id DESC LIMIT $4""",
        patient_id,
        *(before or (None, None)),
        size,
        BOOKED,
        VISIT,
    )
    return [TimelineEntry(kind=row["kind"], id=row["id"], at=row["at"], by=row["by"]) for row in rows]


async def appointments_of(entry_ids: Sequence[UUID]) -> Mapping[UUID, UUID]:
    """Return the appointment of each entry, of either kind, in one statement."""
    rows = await DB.fetch(
        """SELECT id AS entry, id FROM appointment WHERE id = ANY($1)
        UNION ALL SELECT visit_id, id FROM appointment WHERE visit_id = ANY($1)""",
        list(entry_ids),
    )
    return {row["entry"]: row["id"] for row in rows}


TIMELINE = TimelinePart(
    kinds={BOOKED: "An appointment was booked for the patient.", VISIT: "A visit took place."}, read=_appointments
)
"""Contributed by the manifest."""
