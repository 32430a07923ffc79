"""When practitioners see patients: weekly sections, days with sections of their own, and closures (S3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

from bedside_core.api import (
    DB,
    Actor,
    Conflict,
    InvalidInput,
    NotFound,
    Page,
    Work,
    audit,
    key_of,
    page_of,
    page_size,
    unit,
    uuid7,
)
from bedside_scheduling.api import Mode, TelehealthNotOffered
from bedside_scheduling.consequences import availability_changed
from bedside_scheduling.keeping import hold_calendars
from bedside_scheduling.rules import hosts
from bedside_scheduling.sections import (
    Closure,
    closure_of,
    closures_of,
    closures_of_practice,
    days_of,
    overlap_of_day,
    overlap_of_week,
    weekly_of,
)
from bedside_scheduling.slots import DaySection, WeeklySection
from bedside_scheduling.waking import wake
from bedside_scheduling.zones import day_begins

if TYPE_CHECKING:
    from bedside_core.api import Platform

MOST_OF_WEEK = 100
MOST_OF_DAY = 20
MOST_CLOSURES = 500
"""Closures of a member, or of the practice, that are not over."""
LONGEST_REASON = 200
LONGEST_RANGE = 366
"""Days that are looked at in one go."""
LONGEST_CLOSURE = timedelta(days=366 * 3)
FARTHEST = timedelta(days=366 * 3)
"""How far ahead days and closures are kept."""
KEEP = "scheduling.availability"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A practitioner's availability.

    Args:
        member_id: whose.
        zone: the practice's, in which the wall times are meant (S6).
        telehealth: whether telehealth is offered with them; if not, sections have no mode to choose (S3).
        sections: those of each week, in order.
        days: the dates of the range that have sections of their own.
        closures: those that touch the range, of the practitioner and of the whole practice.
    """

    member_id: UUID
    zone: str
    telehealth: bool
    sections: Sequence[WeeklySection]
    days: Mapping[date, Sequence[DaySection]]
    closures: Sequence[Closure]


class Availability:
    """Keeps the sections and closures of practices.

    Args:
        platform: access, people and clock.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def of(self, actor: Actor, member_id: UUID, first_day: date, last_day: date) -> Kept:
        """Return a practitioner's availability, in a fixed number of statements.

        Args:
            actor: somebody of the practice.
            member_id: whose.
            first_day: the first date, in the practice's zone.
            last_day: the last one, at most 366 days on.

        Raises:
            NotFound: there is no such member in the practice.
            InvalidInput: the range can't be used.
        """
        practice_id, _ = actor.in_practice()
        _must_be_range(first_day, last_day)
        await self._platform.access.require(actor, "scheduling.see_availability", member_id)
        zone = await self._zone(practice_id)
        able = await hosts(self._platform, (await self._platform.people.members_by_id([member_id])).values())
        begins, ends = day_begins(first_day, zone), day_begins(last_day + timedelta(days=1), zone)
        return Kept(
            member_id=member_id,
            zone=zone.key,
            telehealth=member_id in able,
            sections=(await weekly_of([member_id])).get(member_id, ()),
            days=(await days_of([member_id], first_day, last_day)).get(member_id, {}),
            closures=await closures_of([member_id], begins, ends),
        )

    async def closures(
        self, actor: Actor, first_day: date, last_day: date, *, first: int | None = None, after: str | None = None
    ) -> Page[Closure]:
        """Return a page of the closures of the whole practice that touch these days, in a fixed number of statements.

        Args:
            actor: somebody of the practice.
            first_day: the first date, in the practice's zone.
            last_day: the last one, at most 366 days on.
            first: how many.
            after: cursor after which the page begins.

        Raises:
            InvalidInput: the range, the number or the cursor can't be used.
        """
        practice_id, _ = actor.in_practice()
        _must_be_range(first_day, last_day)
        await self._platform.access.require(actor, "scheduling.see_availability")
        size, key, zone = page_size(first), key_of(after, datetime, UUID), await self._zone(practice_id)
        begins, ends = day_begins(first_day, zone), day_begins(last_day + timedelta(days=1), zone)
        found = await closures_of_practice(begins, ends, size + 1, key or None)
        return page_of(found, size, lambda each: (each.begins_at.isoformat(), str(each.id)), after=after)

    async def set_week(
        self, actor: Actor, member_id: UUID, sections: Sequence[WeeklySection]
    ) -> Sequence[WeeklySection]:
        """Put these sections in the place of all weekly ones of a practitioner; repeating it changes nothing.

        Raises:
            NotFound: there is no such member in the practice.
            Forbidden: it is another's, and the actor is a practitioner.
            InvalidInput: there are too many, they overlap, or one ends before it comes.
            TelehealthNotOffered: one is for telehealth, and the practitioner may not host video.
        """
        await self._require(actor, member_id)
        if len(sections) > MOST_OF_WEEK:
            raise InvalidInput(f"A week has at most {MOST_OF_WEEK} sections.", field=("sections",))
        for number, each in enumerate(sections):
            if not 1 <= each.weekday <= 7:
                raise InvalidInput("Weekdays are 1, Monday, to 7, Sunday.", field=_at(number, "weekday"))
            if each.from_date and each.until_date and each.until_date < each.from_date:
                raise InvalidInput("Its last day is before its first.", field=_at(number, "untilDate"))
        _refuse_overlap(overlap_of_week(sections))
        async with unit() as work:
            await self._held(work, member_id, sections)
            kept = (await weekly_of([member_id])).get(member_id, ())
            if len(kept) == len(sections) and set(kept) == set(sections):
                return kept  # nothing opens, and nobody is told or offered anything
            await DB.execute("DELETE FROM section WHERE member_id = $1", member_id)
            await DB.execute(
                """INSERT INTO section (id, practice_id, member_id, weekday, begins, ends, mode, self_scheduling,
                    from_date, until_date)
                SELECT s.id, app_practice(), $1, s.weekday, s.begins, s.ends, s.mode, s.open, s.from_date, s.until_date
                FROM unnest($2::uuid[], $3::int[], $4::time[], $5::time[], $6::text[], $7::bool[], $8::date[],
                    $9::date[]) AS s (id, weekday, begins, ends, mode, open, from_date, until_date)""",
                member_id,
                [uuid7() for _ in sections],
                [each.weekday for each in sections],
                *_columns(sections),
                [each.from_date for each in sections],
                [each.until_date for each in sections],
            )
            audit.did(KEEP, kind="member", target=member_id, detail={"changed": ["week"]})
            await self._opened(work, actor, [member_id])
            return (await weekly_of([member_id])).get(member_id, ())

    async def set_day(
        self, actor: Actor, member_id: UUID, day: date, sections: Sequence[DaySection]
    ) -> Sequence[DaySection]:
        """Put these sections in the place of a practitioner's weekly ones on one date; none is a day off.

        Raises:
            NotFound, Forbidden, InvalidInput, TelehealthNotOffered: as `set_week`; or the date is too far off.
        """
        await self._require(actor, member_id)
        if day - self._platform.clock.now().date() > FARTHEST:
            raise InvalidInput("The day is more than three years ahead.", field=("date",))
        if len(sections) > MOST_OF_DAY:
            raise InvalidInput(f"A day has at most {MOST_OF_DAY} sections.", field=("sections",))
        _refuse_overlap(overlap_of_day(sections))
        async with unit() as work:
            await self._held(work, member_id, sections)
            await self._clear(member_id, day)
            await DB.execute(
                "INSERT INTO availability_day (practice_id, member_id, on_date) VALUES (app_practice(), $1, $2)",
                member_id,
                day,
            )
            await DB.execute(
                """INSERT INTO day_section (id, practice_id, member_id, on_date, begins, ends, mode, self_scheduling)
                SELECT s.id, app_practice(), $1, $2, s.begins, s.ends, s.mode, s.open
                FROM unnest($3::uuid[], $4::time[], $5::time[], $6::text[], $7::bool[])
                    AS s (id, begins, ends, mode, open)""",
                member_id,
                day,
                [uuid7() for _ in sections],
                *_columns(sections),
            )
            audit.did(KEEP, kind="member", target=member_id, detail={"changed": ["day"]})
            await self._opened(work, actor, [member_id], *await self._span(actor, day))
            return (await days_of([member_id], day, day))[member_id][day]

    async def clear_day(self, actor: Actor, member_id: UUID, day: date) -> bool:
        """Have a practitioner's weekly sections stand on a date again.

        Returns:
            True.

        Raises:
            NotFound, Forbidden: as `set_week`.
        """
        await self._require(actor, member_id)
        async with unit() as work:
            await self._held(work, member_id, ())
            await self._clear(member_id, day)
            audit.did(KEEP, kind="member", target=member_id, detail={"changed": ["day"]})
            await self._opened(work, actor, [member_id], *await self._span(actor, day))
        return True

    async def close(
        self, actor: Actor, member_id: UUID | None, begins: datetime, ends: datetime, reason: str, client_id: str
    ) -> Closure:
        """Have nothing be offered for a time; appointments that are booked stay.

        Args:
            actor: who may keep the member's availability, or a leader for the whole practice.
            member_id: whose time; None is everybody's.
            begins: from when.
            ends: until when.
            reason: for the practice's own people, at most 200 characters.
            client_id: the client's own id of it; a retry returns the first one (G9).

        Raises:
            NotFound, Forbidden: as `set_week`; or it is the practice's, and not the actor's to close.
            InvalidInput: a value can't be used.
            Conflict: there are too many, or the client id has made another, or the first one was removed.
        """
        practice_id, made_by = actor.in_practice()
        await self._require(actor, member_id)
        said = reason.strip()
        if len(said) > LONGEST_REASON or "\0" in said:
            raise InvalidInput(f"At most {LONGEST_REASON} characters.", field=("reason",))
        if not timedelta() < ends - begins <= LONGEST_CLOSURE:
            raise InvalidInput("It ends after it begins, within three years.", field=("endsAt",))

        async def make(new_id: UUID, work: Work) -> UUID:
            now = self._platform.clock.now()
            if ends <= now or begins - now > FARTHEST:
                raise InvalidInput("It is past, or more than three years ahead.", field=("startsAt",))
            owner, calendars = member_id or practice_id, await self._all_held(work, member_id)
            await DB.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"closure:{owner}")
            count = await DB.fetchval(
                "SELECT count(*) FROM closure WHERE member_id IS NOT DISTINCT FROM $1 AND ends_at > $2", member_id, now
            )
            if count >= MOST_CLOSURES:
                raise Conflict(f"There are {MOST_CLOSURES} closures already.", way_on="Remove some.")
            await DB.execute(
                """INSERT INTO closure (id, practice_id, member_id, begins_at, ends_at, reason, created_by, client_id)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
                new_id, practice_id, member_id, begins, ends, said, made_by, client_id,
            )  # fmt: skip
            audit.did(KEEP, kind="member" if member_id else "practice", target=owner, detail={"changed": ["closures"]})
            availability_changed(work, calendars)
            return new_id

        content = [str(member_id), begins.isoformat(), ends.isoformat(), said]
        made = await self._platform.people.once(actor, "scheduling.closure", client_id, content, make)
        row = await DB.fetchrow("SELECT * FROM closure WHERE id = $1", made)
        if row is None:
            raise Conflict("This closure was removed since.", field=("clientId",))
        return closure_of(row)

    async def open_again(self, actor: Actor, closure_id: UUID) -> bool:
        """Remove a closure.

        Returns:
            True.

        Raises:
            NotFound: there is none.
            Forbidden: as `close`.
        """
        practice_id, _ = actor.in_practice()
        row = await DB.fetchrow("SELECT * FROM closure WHERE id = $1", closure_id)
        if row is None:
            raise NotFound("There is no closure with this id that you may see.")
        await self._require(actor, row["member_id"])
        async with unit() as work:
            calendars = await self._all_held(work, row["member_id"])
            await DB.execute("DELETE FROM closure WHERE id = $1", closure_id)
            kind, target = ("member", row["member_id"]) if row["member_id"] else ("practice", practice_id)
            audit.did(KEEP, kind=kind, target=target, detail={"changed": ["closures"]})
            await self._opened(work, actor, calendars, row["begins_at"], row["ends_at"])
        return True

    async def _require(self, actor: Actor, member_id: UUID | None) -> None:
        await self._platform.access.require(actor, KEEP if member_id else "scheduling.types", member_id)

    async def _held(self, work: Work, member_id: UUID, sections: Sequence[DaySection]) -> None:
        """Hold the practitioner's calendar: who is booking in a section that goes has it, or comes too late."""
        await hold_calendars(self._platform, work, [member_id])
        video = next((number for number, each in enumerate(sections) if each.mode is not Mode.IN_PERSON), None)
        if video is None:
            return
        members = await self._platform.people.members_by_id([member_id])
        if member_id not in await hosts(self._platform, members.values()):
            raise TelehealthNotOffered(
                "Telehealth is not offered with this practitioner, so that sections are in person.",
                way_on="Have an owner or manager make them a Video Chat User first, where the plan has telehealth.",
                field=_at(video, "mode"),
            )

    async def _all_held(self, work: Work, member_id: UUID | None) -> Sequence[UUID]:
        """Hold a practitioner's calendar, or all that there are, and return whose they are."""
        rows = [] if member_id else await DB.fetch("SELECT member_id FROM calendar")
        held = [member_id] if member_id else [row["member_id"] for row in rows]
        await hold_calendars(self._platform, work, held)
        return held

    async def _opened(
        self,
        work: Work,
        actor: Actor,
        member_ids: Sequence[UUID],
        begins: datetime | None = None,
        ends: datetime | None = None,
    ) -> None:
        """Have calendars on screen show it, and have what may be free now be offered to those who wait (S7)."""
        availability_changed(work, member_ids)
        await wake(self._platform, work, actor.in_practice()[0], member_ids=member_ids, begins=begins, ends=ends)

    async def _span(self, actor: Actor, day: date) -> tuple[datetime, datetime]:
        """Return the time that sections of a date can have: they may run into the next one."""
        zone = await self._zone(actor.in_practice()[0])
        return day_begins(day, zone), day_begins(day + timedelta(days=2), zone)

    async def _clear(self, member_id: UUID, day: date) -> None:
        await DB.execute("DELETE FROM availability_day WHERE member_id = $1 AND on_date = $2", member_id, day)

    async def _zone(self, practice_id: UUID) -> ZoneInfo:
        practice = await self._platform.people.practice(practice_id)
        return ZoneInfo(practice.zone if practice else "UTC")


def _must_be_range(first_day: date, last_day: date) -> None:
    if not 0 <= (last_day - first_day).days <= LONGEST_RANGE:
        raise InvalidInput(f"From the first day to the last are 0 to {LONGEST_RANGE} days.", field=("to",))


def _at(number: int, name: str) -> tuple[str, ...]:
    return ("sections", str(number), name)


def _refuse_overlap(number: int | None) -> None:
    if number is not None:
        raise InvalidInput("This section overlaps another one.", field=_at(number, "begins"))


def _columns(sections: Sequence[DaySection]) -> tuple[list[object], ...]:
    return (
        [each.begins for each in sections],
        [each.ends for each in sections],
        [each.mode for each in sections],
        [each.self_scheduling for each in sections],
    )
