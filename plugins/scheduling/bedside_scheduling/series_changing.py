"""Changes series: ends them, and gives the rest of them another time, other days, or other practitioners (S6, S7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

from bedside_core.api import DB, Actor, InvalidInput, NotFound, Work, audit, unit
from bedside_scheduling import recurrence
from bedside_scheduling.api import (
    Appointment,
    AppointmentCancelled,
    AppointmentKind,
    AppointmentMoved,
    AppointmentOver,
    AppointmentState,
)
from bedside_scheduling.changes import reason_of
from bedside_scheduling.consequences import changed
from bedside_scheduling.keeping import clashes, freed, hold_calendars, move_all
from bedside_scheduling.rows import appointments
from bedside_scheduling.series import MISSING, SERIES, Series, SeriesService, apart, many_taken, series_of
from bedside_scheduling.wanted import LONGEST, SHORTEST, practitioners
from bedside_scheduling.zones import instant, wall_time

if TYPE_CHECKING:
    from bedside_core.api import Platform

_MEMBERS = """SELECT DISTINCT m.member_id FROM appointment a JOIN appointment_member m ON m.appointment_id = a.id
WHERE a.series_id = $1 AND a.occurrence_at >= $2"""
_REST = """SELECT a.id FROM appointment a WHERE a.series_id = $1 AND a.occurrence_at >= $2
ORDER BY a.id FOR NO KEY UPDATE"""
# Where the series has each, and whether it stands there: what was moved by itself does not go with the rest.
_STANDS = """SELECT a.id, a.occurrence_at, coalesce(a.series_start, a.occurrence_at) AS at,
    a.state = 'booked' AND a.starts_at = coalesce(a.series_start, a.occurrence_at) AS there
FROM appointment a WHERE a.id = ANY($1)"""
_NOW_AT = """UPDATE appointment a SET series_start = each.after
FROM unnest($2::timestamptz[], $3::timestamptz[]) AS each(before, after)
WHERE a.series_id = $1 AND a.occurrence_at = each.before"""
FARTHEST = 62
"""Days by which the rest of a series is moved at most."""


@dataclass(frozen=True, kw_only=True)
class MoveRest:
    """Where the rest of a series is to be moved; None is as it is.

    Args:
        at: the wall time.
        on: the date of the first of them; the others go as many days on, or back.
        minutes: how long each takes.
        member_ids: their practitioners.
        reason: why, at most 500 characters; its patients read it.
    """

    at: time | None = None
    on: date | None = None
    minutes: int | None = None
    member_ids: tuple[UUID, ...] | None = None
    reason: str | None = None


class SeriesChanging:
    """Changes series.

    Args:
        platform: permissions and clock.
        series: what was changed is read again.
    """

    def __init__(self, platform: Platform, series: SeriesService) -> None:
        self._platform = platform
        self._series = series

    async def cancel(self, actor: Actor, series_id: UUID, since: datetime, reason: str | None) -> Series:
        """End a series: cancel those of its appointments that are to come, from one on.

        Args:
            actor: a member who may book.
            series_id: the series.
            since: whatever the series has begin then or later is cancelled, wherever it was moved.
            reason: why.

        Raises:
            NotFound: there is no such series.
            AppointmentOver: none is left to be cancelled.
        """
        practice_id, member_id = actor.in_practice()
        await self._platform.access.require(actor, "scheduling.keep")
        reason, now = reason_of(reason), self._platform.clock.now()
        async with unit() as work:
            _, rest = await self._held(work, series_id, since)
            over = [each for each in rest if each.state is AppointmentState.BOOKED and _to_come(each, now)]
            if not over:
                raise AppointmentOver("Nothing is left of this series from then on.")
            await DB.execute(
                """UPDATE appointment SET state = 'cancelled', version = version + 1, sequence = sequence + 1,
                    cancelled_at = $2, cancelled_by = $3, reason = $4
                WHERE id = ANY($1)""",
                [each.id for each in over],
                now,
                member_id,
                reason,
            )
            await DB.execute("UPDATE series SET ended_at = $2 WHERE id = $1", series_id, now)
            self._follow(work, over)
            for each in over:
                work.emit(AppointmentCancelled(practice_id=practice_id, appointment_id=each.id))
                freed(work, practice_id, each.member_ids, each.starts_at, each.ends_at)
            self._did("cancel", series_id, over)
        return await self._series.one(actor, series_id)

    async def move(self, actor: Actor, series_id: UUID, since: datetime, to: MoveRest) -> Series:
        """Move the rest of a series to another time of the day, to other days, or to other practitioners.

        Each keeps its wall time in the series' zone, and its place in the series. What was moved by itself stays where
        it is, and what was cancelled stays cancelled. Done again it changes nothing.

        Args:
            actor: a member who keeps series.
            series_id: the series.
            since: whatever the rule has begin then or later, and begins later than now.
            to: where to.

        Raises:
            NotFound: there is no such series, or no such member.
            AppointmentOver: none is left to be moved.
            SlotTaken: some of the times are taken, and nothing is moved; `taken` has the start of each.
            TelehealthNotOffered: none of the practitioners may host video, and one is by telehealth.
            InvalidInput: they would overlap one another, or begin before now or too far from where they are.
        """
        practice_id, member_id = actor.in_practice()
        await self._platform.access.require(actor, "scheduling.keep")
        reason, now = reason_of(to.reason), self._platform.clock.now()
        if to.minutes is not None and not SHORTEST <= to.minutes <= LONGEST:
            raise InvalidInput(f"It takes {SHORTEST} to {LONGEST} minutes.", field=("minutes",))
        async with unit() as work:
            series, rest = await self._held(work, series_id, since, to.member_ids or ())
            rows = await DB.fetch(_STANDS, [each.id for each in rest])
            there = {row["id"] for row in rows if row["there"]}
            going = [each for each in rest if each.id in there and _to_come(each, now)]
            if not going:
                raise AppointmentOver("Nothing is left of this series from then on.")
            if to.member_ids is not None:
                by_video = any(each.kind is AppointmentKind.TELEHEALTH for each in going)
                kind = AppointmentKind.TELEHEALTH if by_video else AppointmentKind.IN_PERSON
                await practitioners(self._platform, to.member_ids, kind, ("memberIds",))
            stands = {row["occurrence_at"]: row["at"] for row in rows}
            starts = moved_rest(series, stands, to.at, days=_days(going[0], to.on, ZoneInfo(series.zone)))
            if to.on is not None and starts[going[0].occurrence_at or now] <= now:
                raise InvalidInput("This time is over.", field=("date",))
            going = [each for each in going if starts[each.occurrence_at or now] > now]
            moved: dict[UUID, tuple[datetime, datetime]] = {}
            for each in going:
                start = starts[each.occurrence_at or now]
                end = start + (each.ends_at - each.starts_at if to.minutes is None else timedelta(minutes=to.minutes))
                others = to.member_ids is not None and set(to.member_ids) != set(each.member_ids)
                if others or (each.starts_at, each.ends_at) != (start, end):
                    moved[each.id] = (start, end)
            apart(sorted(moved.values()), ("time",))
            await self._must_be_free(going, moved, to.member_ids)
            await DB.execute(_NOW_AT, series_id, list(starts), list(starts.values()))
            await move_all(self._platform, work, moved, member_ids=to.member_ids, moved_by=member_id, reason=reason)
            for each in going:
                if each.id in moved:
                    work.emit(
                        AppointmentMoved(practice_id=practice_id, appointment_id=each.id, version=each.version + 1)
                    )
                    freed(work, practice_id, each.member_ids, each.starts_at, each.ends_at)
            self._did("move", series_id, going)
        return await self._series.one(actor, series_id)

    async def _held(
        self, work: Work, series_id: UUID, since: datetime, others: Sequence[UUID] = ()
    ) -> tuple[Series, list[Appointment]]:
        """Return a series and what of it comes then or later, locked, with the calendars of their practitioners held.

        Held are those of others, too, who are to have them.

        Raises:
            NotFound: there is no such series.
        """
        members = {row["member_id"] for row in await DB.fetch(_MEMBERS, series_id, since)}
        known = await self._platform.people.members_by_id(others)
        await hold_calendars(self._platform, work, sorted(members | known.keys()))
        row = await DB.fetchrow(f"{SERIES} FOR UPDATE", series_id)
        if row is None:
            raise NotFound(MISSING)
        # What belongs to them is read once they are locked.
        rest = (await appointments([row["id"] for row in await DB.fetch(_REST, series_id, since)])).values()
        return series_of(row), sorted(rest, key=lambda each: each.starts_at)

    async def _must_be_free(
        self,
        going: Sequence[Appointment],
        moved: Mapping[UUID, tuple[datetime, datetime]],
        member_ids: Sequence[UUID] | None,
    ) -> None:
        """Look whether the practitioners are free where appointments go; what goes itself does not count.

        Raises:
            SlotTaken: somebody is not; `taken` has the starts.
        """
        together: dict[tuple[UUID, ...], list[UUID]] = {}
        for each in going:
            if each.id in moved:
                together.setdefault(tuple(member_ids or each.member_ids), []).append(each.id)
        busy: list[datetime] = []
        for members, ids in together.items():
            found = await clashes(members, [moved[each] for each in ids], but=list(moved))
            busy += [moved[ids[place]][0] for place in found]
        if busy:
            raise many_taken(sorted(busy))

    def _follow(self, work: Work, over: Sequence[Appointment]) -> None:
        for each in over:
            changed(self._platform, work, each.id)

    def _did(self, what: str, series_id: UUID, of: Sequence[Appointment]) -> None:
        patients = {each.patient_id for one in of for each in one.patients}
        audit.did(f"scheduling.{what}", kind="series", target=series_id, patients=sorted(patients))


def _to_come(appointment: Appointment, now: datetime) -> bool:
    return appointment.starts_at > now and appointment.started_at is None


def _days(first: Appointment, on: date | None, zone: ZoneInfo) -> int:
    """Return by how many days the rest of a series is moved whose first is to be on another date.

    Raises:
        InvalidInput: it is too far.
    """
    days = 0 if on is None else (on - wall_time(first.starts_at, zone).date()).days
    if abs(days) > FARTHEST:
        raise InvalidInput(f"They move by {FARTHEST} days at most.", field=("date",))
    return days


def moved_rest(
    series: Series, stands: Mapping[datetime, datetime], at: time | None, *, days: int = 0
) -> dict[datetime, datetime]:
    """Return where each of the rest of a series goes that gets another time of the day, or other days.

    Args:
        series: the series.
        stands: when the rule has each begin -> when it does, since the series was moved before.
        at: the new wall time; None is that of each.
        days: by how many days they move.
    """
    zone = ZoneInfo(series.zone)
    last = wall_time(max(stands), zone).date()
    by_rule = {instant(wall, zone): wall for wall in recurrence.walls(series.rule, series.begins, last)}
    found: dict[datetime, datetime] = {}
    for planned, begins in stands.items():
        # The rule knows what its wall time is where clocks leave it out; of what was moved, clocks do.
        wall = by_rule.get(begins) if planned == begins else None
        wall = wall or wall_time(begins, zone)
        found[planned] = instant(datetime.combine(wall.date() + timedelta(days=days), at or wall.time()), zone)
    return found
