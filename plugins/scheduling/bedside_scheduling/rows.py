"""Reads appointments out of their tables, many at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from bedside_core.api import DB, Actor, Row
from bedside_scheduling.api import Appointment, AppointmentKind, AppointmentState, Booking

COLUMNS = """a.*,
    ARRAY(SELECT m.member_id FROM appointment_member m WHERE m.appointment_id = a.id ORDER BY m.number) AS member_ids,
    ARRAY(SELECT p.patient_id FROM appointment_patient p WHERE p.appointment_id = a.id
        ORDER BY p.added_at, p.patient_id) AS patient_ids,
    ARRAY(SELECT p.cancelled_at FROM appointment_patient p WHERE p.appointment_id = a.id
        ORDER BY p.added_at, p.patient_id) AS patients_cancelled"""
"""Of `appointment a`, for `appointment_of`."""
ATTENDED = """EXISTS (SELECT FROM appointment_member am JOIN member im ON im.id = am.member_id AND im.active
    WHERE am.appointment_id = a.id)"""
"""Whether of `appointment a` a practitioner is active."""
_HELD = (AppointmentState.HELD, AppointmentState.LAPSED)


def appointment_of(row: Row) -> Appointment:
    """Return an appointment from a row of `COLUMNS`."""
    return Appointment(
        id=row["id"],
        practice_id=row["practice_id"],
        type_id=row["type_id"],
        kind=AppointmentKind(row["kind"]),
        state=AppointmentState(row["state"]),
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        zone=row["zone"],
        member_ids=tuple(row["member_ids"]),
        patients=tuple(
            Booking(patient_id=patient_id, cancelled_at=cancelled_at)
            for patient_id, cancelled_at in zip(row["patient_ids"], row["patients_cancelled"], strict=True)
        ),
        capacity=row["capacity"],
        version=row["version"],
        sequence=row["sequence"],
        series_id=row["series_id"],
        occurrence_at=row["occurrence_at"],
        held_until=row["held_until"],
        booked_by=row["booked_by"],
        by_patient=row["by_patient"],
        created_at=row["created_at"],
        moved_by=row["moved_by"],
        reason=row["reason"],
        cancelled_at=row["cancelled_at"],
        cancelled_by=row["cancelled_by"],
        arrived_at=row["arrived_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        changed=row["changed"],
    )


async def appointments(appointment_ids: Sequence[UUID]) -> Mapping[UUID, Appointment]:
    """Return appointments of the acting practice in one statement; ids that there are not are left out."""
    rows = await DB.fetch(f"SELECT {COLUMNS} FROM appointment a WHERE a.id = ANY($1)", list(appointment_ids))
    return {row["id"]: appointment_of(row) for row in rows}


def sees(actor: Actor, appointment: Appointment) -> bool:
    """Tell whether somebody may see an appointment of the acting practice.

    Members see all of them; a patient sees those that they are or were on, and of held ones those that they hold.
    """
    if actor.patient_id is None:
        return actor.member_id is not None
    own = any(each.patient_id == actor.patient_id for each in appointment.patients)
    return own and (appointment.state not in _HELD or appointment.booked_by == actor.patient_id)


def confined(actor: Actor, appointment: Appointment) -> Appointment:
    """Return an appointment as somebody sees it.

    A patient sees no other patients on it. One whom it expects no more, while it goes on for others, sees it cancelled,
    and not why it was changed since.
    """
    if actor.patient_id is None:
        return appointment
    own = tuple(each for each in appointment.patients if each.patient_id == actor.patient_id)
    left = own[0].cancelled_at if own else None
    if left is None:
        return replace(appointment, patients=own)
    return replace(
        appointment,
        patients=own,
        state=AppointmentState.CANCELLED,
        cancelled_at=left,
        cancelled_by=None,
        moved_by=None,
        reason=None,
    )
