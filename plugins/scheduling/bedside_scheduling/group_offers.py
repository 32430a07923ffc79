"""Offers places of groups that are free to those who wait for one, whoever waits longest first (S7).

A place is kept by the open offer itself: who comes by themselves meanwhile finds it taken. Somebody looks every minute,
so that no event has to be waited for; whoever offers has the patient's row first, for which suspending and merging
wait, then the appointment's and the entry of the list.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, InvalidInput, NotFound, Row, audit, unit, uuid7
from bedside_scheduling import telling
from bedside_scheduling.answering import answer_until
from bedside_scheduling.consequences import waiting_changed
from bedside_scheduling.offers import LOCK, OFFER, ROW
from bedside_scheduling.rows import ATTENDED, appointments
from bedside_scheduling.rules import SCHEDULING
from bedside_scheduling.settings import SchedulingSettings
from bedside_scheduling.waking import let_in
from bedside_scheduling.wanted import hold_patients

if TYPE_CHECKING:
    from bedside_core.api import Platform

MOST = 500
"""Entries and groups that fit, looked at in one go."""

# Nobody is offered two things at once, nor the same group twice, but what the practice has taken back.
_FITTING = f"""SELECT e.id, e.patient_id, a.id AS appointment_id
FROM waiting_entry e JOIN appointment a ON a.type_id = e.type_id AND a.state = 'booked' AND a.capacity > 1
JOIN appointment_type t ON t.id = a.type_id AND t.self_scheduling AND t.archived_at IS NULL
WHERE e.closed_at IS NULL AND ($4::uuid IS NULL OR (e.id = $4 AND a.id = $5::uuid))
    AND a.starts_at >= greatest(e.earliest, $1) AND a.starts_at < least(e.latest, $2)
    AND (e.kind IS NULL OR e.kind = a.kind) AND {ATTENDED}
    AND (e.member_id IS NULL OR EXISTS (
        SELECT FROM appointment_member m WHERE m.appointment_id = a.id AND m.member_id = e.member_id))
    AND a.taken + (SELECT count(*) FROM waiting_offer o WHERE o.appointment_id = a.id AND o.state = 'open') < a.capacity
    AND NOT EXISTS (SELECT FROM waiting_offer o
        WHERE o.entry_id = e.id AND (o.state = 'open' OR (o.appointment_id = a.id AND o.state <> 'withdrawn')))
    AND NOT EXISTS (SELECT FROM appointment_patient p
        WHERE p.appointment_id = a.id AND p.patient_id = e.patient_id AND p.cancelled_at IS NULL)
ORDER BY e.created_at, e.id, a.starts_at, a.id LIMIT $3"""


class GroupOffers:
    """Offers places of groups.

    Args:
        platform: access, settings, notifications, inbox and clock.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def offer(self, practice_id: UUID) -> int:
        """Offer what is free to those who wait for it; doing so again offers nothing anew.

        Args:
            practice_id: the acting practice.

        Returns:
            How many people are offered a place.
        """
        settings = await self._platform.settings.read(SchedulingSettings)
        if not settings.waiting_list or await self._platform.access.lacks(practice_id, SCHEDULING):
            return 0
        now = self._platform.clock.now()
        span = now + timedelta(minutes=settings.notice_minutes), now + timedelta(days=settings.horizon_days)
        told: set[UUID] = set()
        for row in await let_in(self._platform, await DB.fetch(_FITTING, *span, MOST, None, None)):
            if row["id"] not in told and await self._is_offered(row, span, settings.offer_minutes):
                told.add(row["id"])
        return len(told)

    async def _is_offered(self, row: Row, span: tuple[datetime, datetime], minutes: int) -> bool:
        """Keep a place for somebody and tell them; tells whether it is free, and they still wait and can be told."""
        entry_id, patient_id, appointment_id = row["id"], row["patient_id"], row["appointment_id"]
        async with unit() as work:
            try:
                await hold_patients([patient_id], ("patientId",), portal=True)
            except (NotFound, InvalidInput):  # merged, erased or in the archive meanwhile
                return False
            await DB.fetchval(ROW, appointment_id)
            await DB.fetchval(LOCK, entry_id)
            fits = await DB.fetchrow(_FITTING, *span, 1, entry_id, appointment_id)
            if fits is None or not await let_in(self._platform, [fits]):
                return False
            group = (await appointments([appointment_id]))[appointment_id]
            offer_id, now = uuid7(), self._platform.clock.now()
            practice = await self._platform.people.practice(group.practice_id)
            until = answer_until(now, minutes, practice.zone if practice else "UTC", group.starts_at)
            await DB.execute(OFFER, offer_id, entry_id, appointment_id, now, until)
            await telling.offered(self._platform, work, group, patient_id)
            waiting_changed(self._platform, work, entry_id, patient_id)
            audit.did("scheduling.offer", kind="waiting_offer", target=offer_id, patients=[patient_id])
        return True
