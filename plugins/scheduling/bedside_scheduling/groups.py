"""Group appointments: staff puts patients on them and takes them off, patients join by themselves (S1, S4)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from asyncpg import CheckViolationError  # pyright: ignore[reportMissingTypeStubs]

from bedside_core.api import DB, Actor, Conflict, NotFound, Page, Work, audit, key_of, page_of, page_size, unit
from bedside_scheduling.api import (
    Appointment,
    AppointmentFull,
    AppointmentKind,
    AppointmentOver,
    AppointmentPatientsChanged,
    AppointmentState,
    SlotNotOffered,
)
from bedside_scheduling.changes import locked, seen_at
from bedside_scheduling.consequences import changed
from bedside_scheduling.reading import Reading
from bedside_scheduling.rows import ATTENDED, appointments
from bedside_scheduling.settings import SchedulingSettings
from bedside_scheduling.standing import MISSING
from bedside_scheduling.wanted import hold_patients

if TYPE_CHECKING:
    from bedside_core.api import Platform

# Whoever changes who comes has the appointment's row, so that its places are counted one after another; who is on it
# is read once it is had.
_LOCK = "SELECT true FROM appointment WHERE id = $1 FOR NO KEY UPDATE"
_ON = """INSERT INTO appointment_patient (appointment_id, patient_id, practice_id, added_at)
VALUES ($1, $2, app_practice(), $3)
ON CONFLICT (appointment_id, patient_id) DO UPDATE SET cancelled_at = NULL, added_at = EXCLUDED.added_at"""
_OFF = "UPDATE appointment_patient SET cancelled_at = $3 WHERE appointment_id = $1 AND patient_id = $2"
# Who comes no more is sent a CANCEL, and who comes again a REQUEST: of a SEQUENCE of its own (RFC 5546, 3.2.5).
_CHANGED = "UPDATE appointment SET version = version + 1, sequence = sequence + 1 WHERE id = $1"
# Places that are offered to others who wait (S7).
_OFFERED = """SELECT count(*)::integer FROM waiting_offer o JOIN waiting_entry e ON e.id = o.entry_id
WHERE o.appointment_id = {} AND o.state = 'open' AND o.expires_at > {} AND e.patient_id <> {}"""
_KEPT = _OFFERED.format("$1", "$2", "$3")
# Nothing is told of who else comes. A type that is open to self-scheduling is booked by patients themselves (S4).
_GROUP = """SELECT a.id, a.type_id, a.kind, a.starts_at, a.ends_at, a.zone,
    greatest(a.capacity - a.taken - k.kept, 0) AS places,
    ARRAY(SELECT m.member_id FROM appointment_member m WHERE m.appointment_id = a.id ORDER BY m.number) AS member_ids
FROM appointment a JOIN appointment_type t ON t.id = a.type_id"""
_OPEN = f"""{_GROUP}, LATERAL ({_OFFERED.format("a.id", "$8", "$7")}) AS k(kept)
WHERE a.state = 'booked' AND a.capacity > 1 AND ($9 OR a.taken + k.kept < a.capacity)
    AND t.self_scheduling AND t.archived_at IS NULL AND {ATTENDED}
    AND ($2::uuid IS NULL OR t.id = $2) AND a.starts_at >= $3 AND a.starts_at < $4
    AND ($5::timestamptz IS NULL OR (a.starts_at, a.id) > ($5, $6::uuid))
    AND NOT EXISTS (SELECT FROM appointment_patient p WHERE p.appointment_id = a.id AND p.patient_id = $7
        AND p.cancelled_at IS NULL)
ORDER BY a.starts_at, a.id LIMIT $1"""
_BY_ID = f"{_GROUP}, LATERAL (SELECT 0) AS k(kept) WHERE a.id = ANY($1) AND a.capacity > 1"
_IS_OPEN = f"""SELECT EXISTS (SELECT FROM appointment a JOIN appointment_type t ON t.id = a.type_id
WHERE a.id = $1 AND t.self_scheduling AND t.archived_at IS NULL AND {ATTENDED})"""


@dataclass(frozen=True, kw_only=True)
class OpenGroup:
    """A group appointment that a patient can join, and nothing of who else does.

    Args:
        id: the appointment.
        type_id: what it is about.
        kind: where people meet.
        starts_at: when it begins.
        ends_at: when it ends.
        zone: IANA time zone in which it was made.
        places: how many can still join.
        member_ids: its practitioners.
    """

    id: UUID
    type_id: UUID
    kind: AppointmentKind
    starts_at: datetime
    ends_at: datetime
    zone: str
    places: int
    member_ids: Sequence[UUID]


class Groups:
    """Changes who is on group appointments. Whether there is a place left is the database's to say.

    Args:
        platform: people, permissions, settings and clock.
        reading: what was changed is read again.
    """

    def __init__(self, platform: Platform, reading: Reading) -> None:
        self._platform = platform
        self._reading = reading

    async def open(
        self,
        actor: Actor,
        *,
        type_id: UUID | None,
        starts_from: datetime | None,
        starts_to: datetime | None,
        full: bool,
        first: int | None,
        after: str | None,
    ) -> Page[OpenGroup]:
        """Return the group appointments that the patient can join, the soonest first, in one statement.

        Args:
            actor: a patient.
            type_id: of this type only.
            starts_from: that begin then or later; never sooner than the notice that patients give.
            starts_to: that begin before then; never later than patients book.
            full: whether those are told, too, of which every place is taken, and for which one can wait.
            first: how many.
            after: cursor after which the page begins.
        """
        _, patient_id = actor.as_patient()
        await self._platform.access.require(actor, "scheduling.self_schedule")
        soonest, latest = await self._span()
        size, key = page_size(first), key_of(after, datetime, UUID)
        rows = await DB.fetch(
            _OPEN,
            size + 1,
            type_id,
            max(starts_from or soonest, soonest),
            min(starts_to or latest, latest),
            *(key or (None, None)),
            patient_id,
            self._platform.clock.now(),
            full,
        )
        found = [_open_group(row) for row in rows]
        return page_of(found, size, lambda each: (each.starts_at.isoformat(), str(each.id)), after=after)

    async def by_id(self, appointment_ids: Sequence[UUID]) -> Mapping[UUID, OpenGroup]:
        """Return those of the appointments that are groups', in one statement; rights are the asker's to check."""
        return {row["id"]: _open_group(row) for row in await DB.fetch(_BY_ID, list(appointment_ids))}

    async def add(
        self, actor: Actor, appointment_id: UUID, patient_id: UUID, *, version: int | None = None
    ) -> Appointment:
        """Put a patient on an appointment that has a place left; one who is on it already stays.

        Args:
            actor: a member who keeps groups.
            appointment_id: the appointment.
            patient_id: a patient of the practice.
            version: the version that was seen; None is whichever.

        Raises:
            AppointmentFull: every place is taken.
            AppointmentOver: it is cancelled, or over.
            NotFound: there is no such appointment or patient.
            InvalidInput: the patient is in the archive.
            Conflict: it was changed since that version.
        """
        actor.in_practice()
        await self._platform.access.require(actor, "scheduling.keep")
        async with _counted() as work:
            before = await locked(actor, appointment_id)
            await hold_patients([patient_id], ("patientId",))
            await self._put_on(work, before, patient_id, version)
        return await self._reading.one(actor, appointment_id)

    async def remove(
        self, actor: Actor, appointment_id: UUID, patient_id: UUID, *, version: int | None = None
    ) -> Appointment:
        """Take a patient off a group appointment, which goes on; one who is not on it any more stays off.

        Args:
            actor: a member who keeps groups.
            appointment_id: the appointment.
            patient_id: somebody who is on it.
            version: the version that was seen; None is whichever.

        Raises:
            AppointmentOver: it is cancelled, or over.
            NotFound: there is no such appointment, or the patient was never on it.
            Conflict: it is for one patient and is cancelled instead, or it was changed since that version.
        """
        actor.in_practice()
        await self._platform.access.require(actor, "scheduling.keep")
        async with unit() as work:
            before = await locked(actor, appointment_id)
            if not any(each.patient_id == patient_id for each in before.patients):
                raise NotFound("This patient is not on the appointment.", field=("patientId",))
            if patient_id in before.patient_ids:
                seen_at(before, version)
                self._must_be_to_come(before)
                if before.capacity == 1:
                    raise Conflict("The appointment is for this patient alone.", way_on="Cancel it.")
                await DB.execute(_OFF, before.id, patient_id, self._platform.clock.now())
                await _follow(self._platform, work, before, patient_id, joined=False)
        return await self._reading.one(actor, appointment_id)

    async def join(self, actor: Actor, appointment_id: UUID) -> Appointment:
        """Join a group appointment as a patient; who is on it already stays. One leaves it by cancelling it.

        Args:
            actor: a patient who may book by themselves.
            appointment_id: an appointment of a type that is open to self-scheduling.

        Raises:
            AppointmentFull: somebody else has the last place.
            SlotNotOffered: it begins too soon, or too far ahead.
            NotFound: there is none that the patient could join.
        """
        _, patient_id = actor.as_patient()
        await self._platform.access.require(actor, "scheduling.self_schedule")
        async with _counted() as work:
            await DB.fetchval(_LOCK, appointment_id)
            before = (await appointments([appointment_id])).get(appointment_id)
            if before is None:
                raise NotFound(MISSING)
            if patient_id not in before.patient_ids:
                await self._must_be_open(before)
                await hold_patients([patient_id], ())
                kept = await DB.fetchval(_KEPT, appointment_id, self._platform.clock.now(), patient_id)
                if len(before.patient_ids) + kept >= before.capacity:
                    raise _full()
                await self._put_on(work, before, patient_id)
        return await self._reading.one(actor, appointment_id)

    async def _put_on(self, work: Work, before: Appointment, patient_id: UUID, version: int | None = None) -> None:
        if patient_id in before.patient_ids:
            return
        seen_at(before, version)
        self._must_be_to_come(before)
        if len(before.patient_ids) >= before.capacity:
            raise _full()
        await put_on(self._platform, work, before, patient_id)

    def _must_be_to_come(self, before: Appointment) -> None:
        if before.state is not AppointmentState.BOOKED or before.ends_at <= self._platform.clock.now():
            raise AppointmentOver("The appointment is cancelled or over.")

    async def _must_be_open(self, before: Appointment) -> None:
        """Raise unless patients may join an appointment by themselves; told like one that there is not (promise A1)."""
        to_come = before.state is AppointmentState.BOOKED and before.capacity > 1
        if not to_come or not await DB.fetchval(_IS_OPEN, before.id):
            raise NotFound(MISSING)
        soonest, latest = await self._span()
        if not soonest <= before.starts_at < latest:
            raise SlotNotOffered("The appointment begins too soon, or too far ahead.", way_on="Choose another one.")

    async def _span(self) -> tuple[datetime, datetime]:
        """Return between which instants what patients join begins, by the practice's settings (S4)."""
        settings, now = await self._platform.settings.read(SchedulingSettings), self._platform.clock.now()
        return now + timedelta(minutes=settings.notice_minutes), now + timedelta(days=settings.horizon_days)


async def put_on(platform: Platform, work: Work, before: Appointment, patient_id: UUID) -> None:
    """Put a patient on a group appointment, whose row is held and has a place left."""
    await DB.execute(_ON, before.id, patient_id, platform.clock.now())
    await _follow(platform, work, before, patient_id, joined=True)


async def _follow(platform: Platform, work: Work, before: Appointment, patient_id: UUID, *, joined: bool) -> None:
    """Have follow what follows when somebody comes, or comes no more."""
    await DB.execute(_CHANGED, before.id)
    changed(platform, work, before.id)
    work.emit(
        AppointmentPatientsChanged(
            practice_id=before.practice_id, appointment_id=before.id, patient_ids=(patient_id,), joined=joined
        )
    )
    what = "join" if joined else "leave"
    audit.did(f"scheduling.{what}", kind="appointment", target=before.id, patients=[patient_id])


@asynccontextmanager
async def _counted() -> AsyncGenerator[Work]:
    """Give a unit of work in which the database counts an appointment's places, whoever else does.

    Raises:
        AppointmentFull: it has counted more than there are.
    """
    try:
        async with unit() as work:
            yield work
    except CheckViolationError as error:
        if "taken" not in str(error) and "appointment_check" not in str(error):
            raise
        raise _full() from error


def _full() -> AppointmentFull:
    return AppointmentFull("Every place is taken.", way_on="Choose another one.")


def _open_group(row: Mapping[str, object]) -> OpenGroup:
    values = {name: row[name] for name in OpenGroup.__dataclass_fields__}
    return OpenGroup(**{**values, "kind": AppointmentKind(row["kind"])})  # pyright: ignore[reportArgumentType]
