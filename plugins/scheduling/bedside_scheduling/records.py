"""What scheduling keeps of practices and patients: exported, merged and erased with them."""

from __future__ import annotations

from uuid import UUID

from bedside_core.api import DB, DataContribution, KeptTable, Platform, unit
from bedside_scheduling.api import AppointmentCancelled, AppointmentState
from bedside_scheduling.consequences import changed, waiting_changed
from bedside_scheduling.keeping import freed

_OF_APPOINTMENT = "EXISTS (SELECT FROM appointment_patient p WHERE p.appointment_id = {} AND p.patient_id = $1)"

# Of two places on one appointment that one stays in which the patient comes, the kept record's where both are alike.
_TWICE = """DELETE FROM appointment_patient t USING appointment_patient o
WHERE o.appointment_id = t.appointment_id AND t.patient_id IN ($1, $2) AND o.patient_id IN ($1, $2) AND (
    (t.cancelled_at IS NOT NULL AND o.cancelled_at IS NULL)
    OR (t.patient_id = $2 AND o.patient_id = $1 AND (t.cancelled_at IS NULL) = (o.cancelled_at IS NULL)))"""
_REMINDED_TWICE = """DELETE FROM appointment_reminder t WHERE t.patient_id = $2 AND EXISTS (
    SELECT FROM appointment_reminder o
    WHERE o.patient_id = $1 AND o.appointment_id = t.appointment_id AND o.kind = t.kind)"""
_REVOKED = """UPDATE calendar_feed SET revoked_at = $2
WHERE person_kind = 'patient' AND person_id = $1 AND revoked_at IS NULL"""
_OF_PATIENT = "SELECT appointment_id AS id FROM appointment_patient WHERE patient_id = $1 ORDER BY 1"

# Held as everybody holds them, appointments before entries and each in the order of ids, before the schedule's stream.
_IS_ON = "a.id IN (SELECT p.appointment_id FROM appointment_patient p WHERE p.patient_id IN ($1, $2))"
_APPOINTMENTS = f"""SELECT a.id, {_IS_ON} AS is_on FROM appointment a
WHERE {_IS_ON} OR $2 IN (a.booked_by, a.moved_by, a.cancelled_by) ORDER BY a.id FOR UPDATE"""
_ENTRIES = """SELECT id, patient_id FROM waiting_entry WHERE $1 IN (patient_id, created_by)
ORDER BY id FOR UPDATE"""

# Their own ids of what they made are theirs alone: one of each record may be the same.
_DONE = """UPDATE appointment SET booked_by = CASE booked_by WHEN $2 THEN $1 ELSE booked_by END,
    client_id = CASE booked_by WHEN $2 THEN id::text ELSE client_id END,
    moved_by = CASE moved_by WHEN $2 THEN $1 ELSE moved_by END,
    cancelled_by = CASE cancelled_by WHEN $2 THEN $1 ELSE cancelled_by END
WHERE $2 IN (booked_by, moved_by, cancelled_by)"""

# What is to come takes place no more, if the patient was expected and nobody else is. Of what was stays that there was
# something, for the practitioners' calendars and the figures: not who came, not who did it, and no reason.
_CALLED_OFF = """UPDATE appointment a SET state = CASE a.state WHEN 'held' THEN 'lapsed' ELSE 'cancelled' END,
    cancelled_at = CASE a.state WHEN 'held' THEN NULL ELSE $2::timestamptz END,
    version = a.version + 1, sequence = a.sequence + 1
WHERE a.id = ANY($1) AND a.state IN ('held', 'booked') AND a.ends_at > $2 AND a.taken = 1 AND EXISTS (
    SELECT FROM appointment_patient p
    WHERE p.appointment_id = a.id AND p.patient_id = $3 AND p.cancelled_at IS NULL)
RETURNING a.id, a.practice_id, a.state, a.starts_at, a.ends_at,
    ARRAY(SELECT m.member_id FROM appointment_member m WHERE m.appointment_id = a.id) AS member_ids"""
_NAMELESS = """UPDATE appointment SET reason = NULL,
    client_id = CASE booked_by WHEN $2 THEN id::text ELSE client_id END,
    booked_by = CASE booked_by WHEN $2 THEN $3 ELSE booked_by END,
    moved_by = nullif(moved_by, $2), cancelled_by = nullif(cancelled_by, $2)
WHERE id = ANY($1) OR $2 IN (booked_by, moved_by, cancelled_by)"""
NOBODY = UUID(int=0)
"""Who has booked what a patient had booked who is erased."""


async def _merge(platform: Platform, kept: UUID, merged: UUID) -> None:
    """Have the kept patient stand where both stood, once, and be who did what they did.

    Calendars of the merged record are read no more: their addresses were given to whoever acted for that record, and
    would show the kept one's appointments.
    """
    await DB.execute(_REVOKED, merged, platform.clock.now())
    held = await DB.fetch(_APPOINTMENTS, kept, merged)
    entries = await DB.fetch(_ENTRIES, merged)
    await DB.execute(_TWICE, kept, merged)
    await DB.execute(_REMINDED_TWICE, kept, merged)
    await DB.execute(_DONE, kept, merged)
    await DB.execute(
        "UPDATE appointment_told SET patient_ids = array_replace(patient_ids, $2, $1) WHERE $2 = ANY(patient_ids)",
        kept,
        merged,
    )
    await DB.execute(
        "UPDATE waiting_entry SET created_by = $1, client_id = id::text WHERE created_by = $2", kept, merged
    )
    async with unit() as work:  # calendars and inboxes show the kept one
        for row in held:
            if row["is_on"]:
                changed(platform, work, row["id"])
        for row in entries:
            if row["patient_id"] == merged:
                waiting_changed(platform, work, row["id"], kept)


async def _erase(platform: Platform, patient_id: UUID) -> None:
    """Take a patient out of their appointments, and call off what is to come and is for nobody else."""
    found = [row["id"] for row in await DB.fetch(_OF_PATIENT, patient_id)]
    async with unit() as work:
        for row in await DB.fetch(_CALLED_OFF, found, platform.clock.now(), patient_id):
            if row["state"] == AppointmentState.CANCELLED:
                work.emit(AppointmentCancelled(practice_id=row["practice_id"], appointment_id=row["id"]))
            freed(work, row["practice_id"], row["member_ids"], row["starts_at"], row["ends_at"])
        await DB.execute(_NAMELESS, found, patient_id, NOBODY)
        await DB.execute(
            "UPDATE appointment_told SET patient_ids = array_remove(patient_ids, $1) WHERE $1 = ANY(patient_ids)",
            patient_id,
        )
        for appointment_id in found:
            changed(platform, work, appointment_id)


RECORDS = DataContribution(
    tables=(
        KeptTable(name="appointment_type", doc="What appointments can be about.", hidden=("client_id",)),
        KeptTable(name="appointment_type_member", doc="Who sees patients for which type."),
        KeptTable(name="calendar", doc="Numbers of practitioners' calendars.", exported=False),
        KeptTable(name="section", doc="Weekly availability."),
        KeptTable(name="availability_day", doc="Days on which other sections stand."),
        KeptTable(name="day_section", doc="The sections of such days."),
        KeptTable(name="closure", doc="Times in which nothing is offered.", hidden=("client_id",)),
        KeptTable(name="series", doc="Recurring appointments.", hidden=("client_id",)),
        KeptTable(
            name="appointment",
            doc="Appointments.",
            patient=_OF_APPOINTMENT.format("t.id"),
            hidden=("client_id", "asked"),
            active=_OF_APPOINTMENT.format("t.id") + " AND t.starts_at >= $2",
            erased=False,
        ),
        KeptTable(
            name="appointment_member",
            doc="Practitioners of appointments.",
            patient=_OF_APPOINTMENT.format("t.appointment_id"),
            erased=False,
        ),
        KeptTable(
            name="appointment_patient", doc="Patients of appointments.", patient="t.patient_id = $1", moves="patient_id"
        ),
        KeptTable(name="schedule_stream", doc="How far the schedule has come.", exported=False),
        KeptTable(
            name="waiting_entry",
            doc="Who waits for a time.",
            patient="t.patient_id = $1",
            moves="patient_id",
            hidden=("client_id",),
        ),
        KeptTable(
            name="waiting_offer",
            doc="Times that were offered to who waits.",
            patient="t.entry_id IN (SELECT e.id FROM waiting_entry e WHERE e.patient_id = $1)",
            erased=False,
        ),
        KeptTable(
            name="appointment_reminder",
            doc="Reminders that are due, and those that were sent.",
            patient="t.patient_id = $1",
            moves="patient_id",
        ),
        KeptTable(
            name="appointment_told",
            doc="Not exported: what people were told of appointments last.",
            patient="$1 = ANY(t.patient_ids)",
            exported=False,
            erased=False,
        ),
        KeptTable(
            name="calendar_feed",
            doc="Calendar feeds, without their secrets.",
            patient="t.person_kind = 'patient' AND t.person_id = $1",
            moves="person_id",
            hidden=("secret_hash", "client_id"),
        ),
    ),
    merge=_merge,
    erase=_erase,
)
"""Contributed by the manifest."""
