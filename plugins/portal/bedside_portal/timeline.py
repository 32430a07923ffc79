"""What the portal tells in a patient's timeline: who began to act for them (P9, S11)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, Actor, TimelineEntry, TimelinePart

if TYPE_CHECKING:
    from bedside_core.api import Platform

REGISTERED = "portal.registered"


async def _registered(
    platform: Platform, actor: Actor, patient_id: UUID, before: tuple[datetime, UUID] | None, size: int
) -> Sequence[TimelineEntry]:
    """Return when the patient, or a guardian, followed an invitation; of a guardian nobody is named."""
    rows = await DB.fetch(
        """SELECT id, registered_at, CASE WHEN relationship IS NULL THEN patient_id END AS by FROM portal_holder
        WHERE patient_id = $1 AND registered_at IS NOT NULL
        AND ($2::timestamptz IS NULL OR (registered_at, id) < ($2, $3))
        ORDER BY registered_at DESC, id DESC LIMIT $4""",
        patient_id,
        *(before or (None, None)),
        size,
    )
    return [TimelineEntry(kind=REGISTERED, id=row["id"], at=row["registered_at"], by=row["by"]) for row in rows]


TIMELINE = TimelinePart(
    kinds={REGISTERED: "The patient, or a guardian, followed an invitation to the portal."}, read=_registered
)
"""Contributed by the manifest."""
