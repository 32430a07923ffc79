"""What a patient has of the schedule in the portal: the appointments ahead, and the visits that were (S10)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, Actor, Page, key_of, page_size
from bedside_scheduling.api import Appointment, AppointmentState
from bedside_scheduling.reading import Reading, page_shown
from bedside_scheduling.rows import COLUMNS

if TYPE_CHECKING:
    from bedside_core.api import Platform

AHEAD = timedelta(days=3660)
"""How far ahead a patient's appointments are told."""

# What nobody has recorded anything of has taken place, as far as the patient knows.
_VISITS = f"""SELECT {COLUMNS} FROM appointment_patient o JOIN appointment a ON a.id = o.appointment_id
WHERE o.patient_id = $1 AND o.cancelled_at IS NULL
    AND (a.state = 'completed' OR a.state = 'booked' AND a.ends_at <= $2)
    AND ($3::timestamptz IS NULL OR (a.starts_at, a.id) < ($3, $4::uuid))
ORDER BY a.starts_at DESC, a.id DESC LIMIT $5"""


async def ahead(platform: Platform, actor: Actor, *, first: int | None, after: str | None) -> Page[Appointment]:
    """Return the patient's appointments that are not over, held ones among them, the next first."""
    now = platform.clock.now()
    states = (AppointmentState.HELD, AppointmentState.BOOKED)
    return await platform.service(Reading).page(
        actor, starts_from=now, starts_to=now + AHEAD, states=states, first=first, after=after
    )


async def visits(platform: Platform, actor: Actor, *, first: int | None, after: str | None) -> Page[Appointment]:
    """Return the patient's visits, the latest first, in one statement: recorded ones, and what was and is not."""
    _, patient_id = actor.as_patient()
    await platform.access.require(actor, "scheduling.read")
    size, key = page_size(first), key_of(after, datetime, UUID)
    rows = await DB.fetch(_VISITS, patient_id, platform.clock.now(), *(key or (None, None)), size + 1)
    return page_shown(actor, rows, size, after)
