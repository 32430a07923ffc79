"""Series of appointments by a recurrence rule: all of one are booked at once, and read (S6, S7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

from bedside_core.api import DB, Actor, InvalidInput, NotFound, Row, Work, audit
from bedside_portal.api import PortalInvitations
from bedside_scheduling import recurrence
from bedside_scheduling.api import (
    Appointment,
    AppointmentBooked,
    AppointmentKind,
    SlotTaken,
)
from bedside_scheduling.cautions import Caution, cautions
from bedside_scheduling.keeping import (
    NewAppointment,
    clashes,
    hold_calendars,
    put_all,
)
from bedside_scheduling.reading import shown
from bedside_scheduling.rows import COLUMNS, appointment_of
from bedside_scheduling.wanted import Wanted, digest, hold_patients, outlined
from bedside_scheduling.zones import wall_time

if TYPE_CHECKING:
    from bedside_core.api import Platform

MISSING = "There is no series with this id that you may see."
SERIES = "SELECT * FROM series s WHERE s.id = $1"
_OF_PATIENT = """EXISTS (
    SELECT FROM appointment a JOIN appointment_patient p ON p.appointment_id = a.id
    WHERE a.series_id = s.id AND p.patient_id = $2
)"""


@dataclass(frozen=True, kw_only=True)
class NewSeries:
    """A series that is to be booked.

    Args:
        wanted: its first appointment; the others have its wall time in the practice's zone (S6).
        rule: RRULE of RFC 5545, see `recurrence.read`.
        skip_taken: whether those are left out whose time is taken; otherwise none is booked then.
        invite: patients of it who are invited to the portal in the same step, where they have no account (S2).
    """

    wanted: Wanted
    rule: str
    skip_taken: bool
    invite: Sequence[UUID] = ()


@dataclass(frozen=True, kw_only=True)
class Series:
    """Appointments that recur (S7).

    Args:
        id: the series.
        type_id: what they are about; None where staff has said none.
        kind: where people meet.
        rule: RRULE of RFC 5545, which ends by itself.
        begins: the first one's start, wall time of the zone.
        zone: IANA time zone in which it was made.
        minutes: how long each takes.
        created_at: when it was booked.
        created_by: the member who booked it.
        ended_at: when it was ended before its rule does; None is not.
    """

    id: UUID
    type_id: UUID | None
    kind: AppointmentKind
    rule: str
    begins: datetime
    zone: str
    minutes: int
    created_at: datetime
    created_by: UUID
    ended_at: datetime | None

    def starts(self) -> list[datetime]:
        """Return the start of each by the rule, whatever became of it."""
        return recurrence.occurrences(self.rule, self.begins, ZoneInfo(self.zone))


class SeriesService:
    """Books and reads series.

    Args:
        platform: people, permissions and clock.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def one(self, actor: Actor, series_id: UUID) -> Series:
        """Return a series of the practice, or as a patient one that oneself is on.

        Raises:
            NotFound: there is none that the actor may see.
        """
        actor.as_person()
        await self._platform.access.require(actor, "scheduling.read")
        if actor.member_id is not None:
            row = await DB.fetchrow(SERIES, series_id)
        else:
            row = await DB.fetchrow(f"{SERIES} AND {_OF_PATIENT}", series_id, actor.patient_id)
        if row is None:
            raise NotFound(MISSING)
        return series_of(row)

    async def skipped(self, actor: Actor, series_id: UUID) -> list[datetime]:
        """Return the starts that the rule names and no appointment was booked for, their time being taken."""
        series = await self.one(actor, series_id)
        rows = await DB.fetch("SELECT occurrence_at FROM appointment WHERE series_id = $1", series_id)
        booked = {row["occurrence_at"] for row in rows}
        return [start for start in series.starts() if start not in booked]

    async def appointments(self, actor: Actor, series_id: UUID) -> Sequence[Appointment]:
        """Return its appointments in the order of the rule, as a patient those that oneself is on; 104 at most."""
        await self.one(actor, series_id)
        rows = await DB.fetch(
            f"""SELECT {COLUMNS} FROM appointment a WHERE a.series_id = $1 AND ($2::uuid IS NULL OR EXISTS (
                SELECT FROM appointment_patient p WHERE p.appointment_id = a.id AND p.patient_id = $2
            )) ORDER BY a.occurrence_at""",
            series_id,
            actor.patient_id if actor.member_id is None else None,
        )
        return shown(actor, [appointment_of(row) for row in rows])

    async def cautions(self, actor: Actor, series_id: UUID) -> Sequence[Caution]:
        """Return what a member is to think of with those that are to come (S2, S3); patients nothing."""
        now = self._platform.clock.now()
        to_come = [each for each in await self.appointments(actor, series_id) if each.starts_at > now]
        return await cautions(self._platform, actor, to_come)

    async def book(self, actor: Actor, new: NewSeries, client_id: str) -> Series:
        """Book all appointments of a series at once; a retry with the same client id returns the first (G9).

        Args:
            actor: a member who may book.
            new: what is to be booked.
            client_id: the client's own id of it.

        Raises:
            SlotTaken: times are taken, and were not to be skipped, or all are; `taken` has the start of each.
            TelehealthNotOffered: it is by telehealth, and nobody of it may host video.
            InvalidInput: a rule, a length or people that can't be; the rule has to hold of the first one, and clocks
                show its time for the first time.
            NotFound: a practitioner, patient or type that there is not.
            Conflict: the client id was used with other content.
        """
        practice_id, member_id = actor.in_practice()
        await self._platform.access.require(actor, "scheduling.keep")
        wanted = new.wanted
        if not set(new.invite) <= set(wanted.patient_ids):
            raise NotFound("This patient is not on the appointment.", field=("inviteToPortal",))
        rule = recurrence.read(new.rule, field=("rule",)).text
        content = [digest("series", wanted, new.invite).hex(), rule, new.skip_taken]

        async def make(series_id: UUID, work: Work) -> UUID:
            outline = await outlined(self._platform, actor, wanted)
            length = outline.ends_at - wanted.starts_at
            begins = wall_time(wanted.starts_at, ZoneInfo(outline.zone))
            starts = recurrence.occurrences(rule, begins, ZoneInfo(outline.zone), field=("rule",))
            if starts[0] != wanted.starts_at:
                raise InvalidInput(
                    "Clocks show this time twice, and a series has the first of the two.", field=("input", "startsAt")
                )
            times = [(start, start + length) for start in starts]
            apart(times, ("rule",))
            await hold_calendars(self._platform, work, wanted.member_ids)
            await hold_patients(wanted.patient_ids, ("input", "patientIds"))
            busy = await clashes(wanted.member_ids, times)
            if busy and (not new.skip_taken or len(busy) == len(starts)):
                raise many_taken([starts[place] for place in sorted(busy)])
            await DB.execute(
                """INSERT INTO series (id, practice_id, type_id, kind, rule, begins, zone, minutes, created_at,
                    created_by, client_id)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)""",
                series_id,
                practice_id,
                wanted.type_id,
                wanted.kind,
                rule,
                begins,
                outline.zone,
                length // timedelta(minutes=1),
                self._platform.clock.now(),
                member_id,
                client_id,
            )
            first = NewAppointment(
                type_id=wanted.type_id, kind=wanted.kind, starts_at=starts[0], ends_at=starts[0] + length,
                zone=outline.zone, member_ids=wanted.member_ids, patient_ids=wanted.patient_ids,
                capacity=outline.capacity, booked_by=member_id, by_patient=False, client_id="", series_id=series_id,
            )  # fmt: skip
            made = await put_all(
                self._platform,
                work,
                [
                    replace(first, starts_at=start, ends_at=end, occurrence_at=start, client_id=f"{series_id}/{place}")
                    for place, (start, end) in enumerate(times)
                    if place not in busy
                ],
            )
            for appointment_id in made:
                work.emit(
                    AppointmentBooked(practice_id=practice_id, appointment_id=appointment_id, kind=wanted.kind.value)
                )
            if new.invite:
                await self._platform.service(PortalInvitations).invite_missing(actor, new.invite)
            audit.did("scheduling.book", kind="series", target=series_id, patients=wanted.patient_ids)
            return series_id

        made = await self._platform.people.once(actor, "scheduling.series", client_id, content, make)
        return await self.one(actor, made)


def apart(times: Sequence[tuple[datetime, datetime]], field: tuple[str, ...]) -> None:
    """Look whether appointments at these times, in their order, leave one another their time.

    Raises:
        InvalidInput: they would overlap.
    """
    if any(end > following for (_, end), (following, _) in pairwise(times)):
        raise InvalidInput("The appointments would overlap one another.", field=field)


def many_taken(starts: Sequence[datetime]) -> SlotTaken:
    """Return the refusal of a series, of which these begin in time that is taken."""
    return SlotTaken(
        "Times of this series are taken.",
        way_on="Choose another time, or have those left out that are taken.",
        detail={"taken": [start.isoformat().replace("+00:00", "Z") for start in starts]},
    )


def series_of(row: Row) -> Series:
    """Return a series from its row."""
    return Series(
        id=row["id"],
        type_id=row["type_id"],
        kind=AppointmentKind(row["kind"]),
        rule=row["rule"],
        begins=row["begins"],
        zone=row["zone"],
        minutes=row["minutes"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        ended_at=row["ended_at"],
    )
