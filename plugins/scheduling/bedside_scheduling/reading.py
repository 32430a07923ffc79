"""Reads appointments for those who may see them: a calendar's by time, a patient's, and single ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import (
    DB,
    Actor,
    Forbidden,
    InvalidInput,
    NotFound,
    Page,
    Row,
    audit,
    key_of,
    page_of,
    page_size,
)
from bedside_scheduling.api import LIVE_STATES, Appointment, AppointmentState
from bedside_scheduling.rows import ATTENDED, COLUMNS, appointment_of, appointments, confined, sees
from bedside_scheduling.standing import MISSING

if TYPE_CHECKING:
    from bedside_core.api import Platform

LONGEST = timedelta(days=400)
"""Of a calendar that is read at once; a patient's appointments can be read over any time."""
MOST_MEMBERS = 100
"""Practitioners whose calendar is read at once."""

# Bounded on both sides in the columns of the index: no appointment is longer than a day.
_WITHIN = f"""a.starts_at > $1::timestamptz - interval '24 hours' AND a.starts_at < $2 AND a.ends_at > $1
    AND ($4::timestamptz IS NULL OR (a.starts_at, a.id) > ($4, $5::uuid))
    AND (cardinality($6::uuid[]) = 0 OR EXISTS (
        SELECT FROM appointment_member m WHERE m.appointment_id = a.id AND m.member_id = ANY($6)))
    AND ($7::boolean IS NULL OR $7 = {ATTENDED})"""
_PAGE = f"""SELECT {COLUMNS} FROM appointment a WHERE a.state = ANY($3::text[]) AND {_WITHIN}
ORDER BY a.starts_at, a.id LIMIT $8"""
# What is held is for the practice, and for whoever holds it. What goes on without the patient is cancelled for them.
_OF_PATIENT = f"""SELECT {COLUMNS} FROM appointment_patient o JOIN appointment a ON a.id = o.appointment_id
WHERE o.patient_id = $9 AND ($10 OR a.state NOT IN ('held', 'lapsed') OR a.booked_by = $9)
    AND CASE WHEN o.cancelled_at IS NULL THEN a.state ELSE 'cancelled' END = ANY($3::text[]) AND {_WITHIN}
ORDER BY a.starts_at, a.id LIMIT $8"""


class Reading:
    """Reads appointments; provides `Schedules`.

    Args:
        platform: access.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def appointments(self, appointment_ids: Sequence[UUID]) -> Mapping[UUID, Appointment]:
        """Return appointments of the acting practice in one statement; ids that there are not are left out."""
        return await appointments(appointment_ids)

    async def visible(self, actor: Actor, appointment_ids: Sequence[UUID]) -> Mapping[UUID, Appointment]:
        """Return those of the appointments that the actor may see, as they see them, in one statement."""
        found = (await appointments(appointment_ids)).values()
        return {each.id: each for each in shown(actor, [each for each in found if sees(actor, each)])}

    async def one(self, actor: Actor, appointment_id: UUID) -> Appointment:
        """Return an appointment, whatever the plan (L5).

        Raises:
            NotFound: none that the actor may see.
        """
        await self._platform.access.require(actor, "scheduling.read")
        found = (await self.visible(actor, [appointment_id])).get(appointment_id)
        if found is None:
            raise NotFound(MISSING)
        return found

    async def page(
        self,
        actor: Actor,
        *,
        starts_from: datetime,
        starts_to: datetime,
        member_ids: Sequence[UUID] = (),
        patient_id: UUID | None = None,
        states: Sequence[AppointmentState] | None = None,
        attended: bool | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Page[Appointment]:
        """Return a page of the appointments that have time between two instants, in the order of their starts.

        Args:
            actor: a member sees the practice's, a patient their own.
            starts_from: the first instant.
            starts_to: the last, which is not in it any more; 400 days later at most, unless it is about one patient.
            member_ids: those of these practitioners alone, 100 at most; none is all.
            patient_id: those of this patient alone.
            states: those in one of these states; None is what takes the practitioners' time. Of one patient, what
                they come to no more counts as cancelled.
            attended: those alone that have an active practitioner, or that have none any more; for members to ask.
            first: how many.
            after: cursor after which the page begins.

        Raises:
            InvalidInput: no such time, or too long a one, or a foreign cursor.
            NotFound: a patient asks for another's.
            Forbidden: a patient asks who is active.
        """
        await self._platform.access.require(actor, "scheduling.read")
        if actor.patient_id is not None and patient_id not in (None, actor.patient_id):
            raise NotFound("There is no patient with this id that you may see.", field=("patientId",))
        if actor.patient_id is not None and attended is not None:
            raise Forbidden("The practice alone asks which appointments have a practitioner.")
        patient_id = actor.patient_id or patient_id
        if starts_to <= starts_from:
            raise InvalidInput("`to` is after `from`.", field=("to",))
        if patient_id is None and starts_to - starts_from > LONGEST:
            raise InvalidInput(f"A calendar is read over {LONGEST.days} days at most.", field=("to",))
        if len(member_ids) > MOST_MEMBERS:
            raise InvalidInput(f"At most {MOST_MEMBERS} members.", field=("memberIds",))
        size, key = page_size(first), key_of(after, datetime, UUID)
        values = (
            starts_from,
            starts_to,
            [state.value for state in (LIVE_STATES if states is None else states)],
            *(key or (None, None)),
            list(member_ids),
            attended,
            size + 1,
        )
        if patient_id is None:
            rows = await DB.fetch(_PAGE, *values)
        else:
            rows = await DB.fetch(_OF_PATIENT, *values, patient_id, actor.member_id is not None)
        return page_shown(actor, rows, size, after)


def page_shown(actor: Actor, rows: Sequence[Row], size: int, after: str | None) -> Page[Appointment]:
    """Return a page of appointments, by begin and id, as `shown`.

    Args:
        actor: who sees them.
        rows: of `COLUMNS`, one more than are shown where there are more.
        size: how many are shown.
        after: cursor after which the page begins.
    """
    found = [appointment_of(row) for row in rows]
    more = found[size:]
    return page_of(
        [*shown(actor, found[:size]), *more],
        size,
        lambda item: (item.starts_at.isoformat(), str(item.id)),
        after=after,
    )


def shown(actor: Actor, found: Sequence[Appointment]) -> Sequence[Appointment]:
    """Return appointments as the actor sees them, and note whose they are (A14)."""
    seen = [confined(actor, each) for each in found]
    audit.saw(each.patient_id for appointment in seen for each in appointment.patients)
    return seen
