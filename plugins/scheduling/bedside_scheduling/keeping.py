"""Writes appointments, with the practitioners' calendars held: the one place in which their time is taken (S5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from asyncpg import ExclusionViolationError  # pyright: ignore[reportMissingTypeStubs]

from bedside_core.api import DB, Row, Work, uuid7
from bedside_scheduling.api import AppointmentKind, AppointmentState, SlotTaken, TimeFreed
from bedside_scheduling.consequences import changed

if TYPE_CHECKING:
    from bedside_core.api import Platform

# Calendars come first in every unit, in the order of their numbers: bookers of the same practitioner wait for one
# another, and never in a circle.
_CALENDARS = """INSERT INTO calendar (member_id, practice_id)
SELECT each, app_practice() FROM unnest($1::uuid[]) AS each ORDER BY each ON CONFLICT (member_id) DO NOTHING"""
_HELD = "SELECT number FROM calendar WHERE member_id = ANY($1) ORDER BY number FOR UPDATE"

# In the order of ids, since an appointment of several practitioners can be found from several calendars at once.
_LAPSED = """WITH due AS (
    SELECT a.id FROM appointment a WHERE a.state = 'held' AND a.held_until <= $2 AND EXISTS (
        SELECT FROM appointment_member m WHERE m.appointment_id = a.id AND m.member_id = ANY($1))
    ORDER BY a.id FOR NO KEY UPDATE
)
UPDATE appointment a SET state = 'lapsed', version = version + 1 FROM due WHERE a.id = due.id
RETURNING a.id, a.practice_id, a.starts_at, a.ends_at,
    ARRAY(SELECT m.member_id FROM appointment_member m WHERE m.appointment_id = a.id) AS member_ids"""

_TAKEN = """SELECT EXISTS (
    SELECT FROM appointment a JOIN appointment_member m ON m.appointment_id = a.id
    WHERE m.member_id = ANY($1) AND m.active AND a.starts_at < $3 AND a.ends_at > $2
        AND a.starts_at > $2::timestamptz - interval '24 hours' AND a.id IS DISTINCT FROM $4
)"""

_PUT = """INSERT INTO appointment (id, practice_id, type_id, kind, state, starts_at, ends_at, zone, capacity, series_id,
    occurrence_at, held_until, booked_by, by_patient, client_id, created_at, asked)
VALUES ($1, app_practice(), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"""


_CLASHES = """SELECT wanted.place - 1 AS place
FROM unnest($2::timestamptz[], $3::timestamptz[]) WITH ORDINALITY AS wanted(starts_at, ends_at, place)
WHERE EXISTS (
    SELECT FROM appointment a JOIN appointment_member m ON m.appointment_id = a.id
    WHERE m.member_id = ANY($1) AND m.active AND a.starts_at < wanted.ends_at AND a.ends_at > wanted.starts_at
        AND a.starts_at > wanted.starts_at - interval '24 hours' AND NOT a.id = ANY($4)
)"""

_PUT_ALL = """INSERT INTO appointment (id, practice_id, type_id, kind, state, starts_at, ends_at, zone, capacity,
    series_id, occurrence_at, booked_by, by_patient, client_id, created_at)
SELECT each.id, app_practice(), $1, $2, 'booked', each.starts_at, each.ends_at, $3, $4, $5, each.occurrence_at, $6, $7,
    each.client_id, $8
FROM unnest($9::uuid[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::text[])
    AS each(id, starts_at, ends_at, occurrence_at, client_id)"""

_JOIN_ALL = """INSERT INTO appointment_member (appointment_id, member_id, practice_id)
SELECT a, m, app_practice() FROM unnest($1::uuid[]) AS a CROSS JOIN unnest($2::uuid[]) AS m"""

# None of them stands in another's way while they move: the database looks again as each comes to where it goes.
_ASIDE = "UPDATE appointment_member SET active = false WHERE appointment_id = ANY($1)"
_MOVE_ALL = """UPDATE appointment a SET starts_at = each.starts_at, ends_at = each.ends_at, version = version + 1,
    sequence = sequence + 1, moved_by = $4, reason = $5, arrived_at = NULL
FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS each(id, starts_at, ends_at) WHERE a.id = each.id"""


@dataclass(frozen=True, kw_only=True)
class NewAppointment:
    """An appointment that is to be written.

    Args:
        type_id: what it is about, if staff or a patient has said.
        kind: where people meet.
        starts_at: when it begins.
        ends_at: when it ends.
        zone: the practice's, or the series'.
        member_ids: its practitioners, one at least.
        patient_ids: who is seen.
        capacity: most patients.
        booked_by: the member or patient.
        by_patient: whether it is a patient.
        client_id: the client's own id of it (G9).
        asked: what tells a retry from something else under the same client id, where one can come.
        held_until: until when it is only held; None is booked.
        series_id: the series it belongs to.
        occurrence_at: when the series has it begin.
    """

    type_id: UUID | None
    kind: AppointmentKind
    starts_at: datetime
    ends_at: datetime
    zone: str
    member_ids: Sequence[UUID]
    patient_ids: Sequence[UUID]
    capacity: int
    booked_by: UUID
    by_patient: bool
    client_id: str
    asked: bytes | None = None
    held_until: datetime | None = None
    series_id: UUID | None = None
    occurrence_at: datetime | None = None


async def hold_calendars(platform: Platform, work: Work, member_ids: Sequence[UUID]) -> None:
    """Hold practitioners' calendars until the unit ends, and let go what was held in them for too long.

    Whoever takes or moves time of theirs does this first; then what is read of it stays so.
    """
    await DB.execute(_CALENDARS, list(member_ids))
    await DB.fetch(_HELD, list(member_ids))
    for row in await DB.fetch(_LAPSED, list(member_ids), platform.clock.now()):
        lapsed(platform, work, row)


def lapsed(platform: Platform, work: Work, row: Row) -> None:
    """Tell what follows from a hold that is over.

    Args:
        platform: what it needs.
        work: the unit in which it became so.
        row: its `id`, `practice_id`, `starts_at`, `ends_at` and `member_ids`.
    """
    changed(platform, work, row["id"])
    freed(work, row["practice_id"], row["member_ids"], row["starts_at"], row["ends_at"])


async def put(platform: Platform, work: Work, new: NewAppointment) -> UUID:
    """Write an appointment in time that is free; the calendars are held already.

    Returns:
        Its id.

    Raises:
        SlotTaken: the time is not free, by a look or by the database's own constraint; the unit is to be given up.
    """
    appointment_id = uuid7()
    await must_be_free(new.member_ids, new.starts_at, new.ends_at)
    now = platform.clock.now()
    await DB.execute(
        _PUT,
        appointment_id,
        new.type_id,
        new.kind,
        AppointmentState.BOOKED if new.held_until is None else AppointmentState.HELD,
        new.starts_at,
        new.ends_at,
        new.zone,
        new.capacity,
        new.series_id,
        new.occurrence_at,
        new.held_until,
        new.booked_by,
        new.by_patient,
        new.client_id,
        now,
        new.asked,
    )
    await set_members(appointment_id, new.member_ids)
    await DB.execute(
        """INSERT INTO appointment_patient (appointment_id, patient_id, practice_id, added_at)
        SELECT $1, unnest($2::uuid[]), app_practice(), $3""",
        appointment_id,
        list(new.patient_ids),
        now,
    )
    changed(platform, work, appointment_id)
    return appointment_id


async def set_members(appointment_id: UUID, member_ids: Sequence[UUID]) -> None:
    """Put practitioners on an appointment that has none.

    Raises:
        SlotTaken: one of them has another at the time.
    """
    try:
        await DB.execute(
            """INSERT INTO appointment_member (appointment_id, member_id, practice_id)
            SELECT $1, unnest($2::uuid[]), app_practice()""",
            appointment_id,
            list(member_ids),
        )
    except ExclusionViolationError as overlap:
        raise taken() from overlap


async def must_be_free(
    member_ids: Sequence[UUID], starts_at: datetime, ends_at: datetime, *, but: UUID | None = None
) -> None:
    """Look whether practitioners are free, so that the usual refusal costs no failed statement.

    Args:
        member_ids: all of whom have to be.
        starts_at: from when.
        ends_at: until when.
        but: an appointment that is to be moved, and does not count.

    Raises:
        SlotTaken: one is not.
    """
    if await DB.fetchval(_TAKEN, list(member_ids), starts_at, ends_at, but):
        raise taken()


async def clashes(
    member_ids: Sequence[UUID], times: Sequence[tuple[datetime, datetime]], *, but: Sequence[UUID] = ()
) -> frozenset[int]:
    """Look in one statement in which of many times practitioners are not free.

    Args:
        member_ids: all of whom have to be.
        times: from when until when, each.
        but: appointments that are to be moved, and do not count.

    Returns:
        The places in `times` of those in which one of them is not.
    """
    starts, ends = [starts for starts, _ in times], [ends for _, ends in times]
    rows = await DB.fetch(_CLASHES, list(member_ids), starts, ends, list(but))
    return frozenset(row["place"] for row in rows)


async def put_all(platform: Platform, work: Work, new: Sequence[NewAppointment]) -> list[UUID]:
    """Write booked appointments that differ in nothing but their times; three statements, however many they are.

    The calendars are held already, and `clashes` was asked.

    Returns:
        Their ids.

    Raises:
        SlotTaken: the database's own constraint refuses one; the unit is to be given up.
    """
    first, now = new[0], platform.clock.now()
    ids = [uuid7() for _ in new]
    await DB.execute(
        _PUT_ALL,
        first.type_id,
        first.kind,
        first.zone,
        first.capacity,
        first.series_id,
        first.booked_by,
        first.by_patient,
        now,
        ids,
        [each.starts_at for each in new],
        [each.ends_at for each in new],
        [each.occurrence_at for each in new],
        [each.client_id for each in new],
    )
    try:
        await DB.execute(_JOIN_ALL, ids, list(first.member_ids))
    except ExclusionViolationError as overlap:
        raise taken() from overlap
    await DB.execute(
        """INSERT INTO appointment_patient (appointment_id, patient_id, practice_id, added_at)
        SELECT a, p, app_practice(), $3 FROM unnest($1::uuid[]) AS a CROSS JOIN unnest($2::uuid[]) AS p""",
        ids,
        list(first.patient_ids),
        now,
    )
    for appointment_id in ids:
        changed(platform, work, appointment_id)
    return ids


async def move_all(
    platform: Platform,
    work: Work,
    moved: Mapping[UUID, tuple[datetime, datetime]],
    *,
    member_ids: Sequence[UUID] | None = None,
    moved_by: UUID,
    reason: str | None,
) -> None:
    """Move appointments to times that are free, all at once, so that they may take one another's; four statements.

    The calendars are held already, and `clashes` was asked.

    Args:
        platform: what follows needs it.
        work: the unit.
        moved: appointment -> from when until when.
        member_ids: their practitioners then; None is who they are, and all of them have another time.
        moved_by: the member.
        reason: why, if they have said.

    Raises:
        SlotTaken: the database's own constraint refuses one; the unit is to be given up.
    """
    ids = list(moved)
    starts, ends = [moved[each][0] for each in ids], [moved[each][1] for each in ids]
    try:
        if member_ids is None:
            await DB.execute(_ASIDE, ids)
        else:
            await DB.execute("DELETE FROM appointment_member WHERE appointment_id = ANY($1)", ids)
        await DB.execute(_MOVE_ALL, ids, starts, ends, moved_by, reason)
        if member_ids is not None:
            await DB.execute(_JOIN_ALL, ids, list(member_ids))
    except ExclusionViolationError as overlap:
        raise taken() from overlap
    for appointment_id in ids:
        changed(platform, work, appointment_id)


def taken() -> SlotTaken:
    """Return the refusal; who asks adds the next free slots."""
    return SlotTaken("This time is taken.", way_on="Choose another time.")


def freed(work: Work, practice_id: UUID, member_ids: Sequence[UUID], starts_at: datetime, ends_at: datetime) -> None:
    """Tell that practitioners' time is free again, for those who wait for it (S7)."""
    work.emit(TimeFreed(practice_id=practice_id, member_ids=tuple(member_ids), starts_at=starts_at, ends_at=ends_at))
