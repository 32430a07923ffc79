"""Which times are free, for whom: read in a fixed number of statements, and worked out by `slots` (S3, S4)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

from bedside_core.api import Actor, InvalidInput, Member, NotFound, Page, key_of, page_of, page_size
from bedside_scheduling.api import AppointmentKind
from bedside_scheduling.appointment_types import MISSING, AppointmentType, AppointmentTypes
from bedside_scheduling.free_time import Asked, Practitioner, practitioners
from bedside_scheduling.rules import require_own
from bedside_scheduling.slots import FreeTime, Slot
from bedside_scheduling.zones import day_of

if TYPE_CHECKING:
    from bedside_core.api import Platform

LONGEST_RANGE = timedelta(days=62)
MOST_MEMBERS = 100
"""Practitioners who are looked at in one go."""
_AT_A_TIME = timedelta(days=7)
_NO_MEMBER = "There is no member with this id that you may see."


@dataclass(frozen=True, kw_only=True)
class SlotSearch:
    """Which slots somebody looks for.

    Args:
        type_id: what the appointment is about; patients have to say.
        member_ids: with whom; None is everybody who sees patients for the type.
        kind: only slots that are offered as this kind.
        starts_from: no slot starts before it.
        starts_to: slots start before it; at most 62 days on.
    """

    type_id: UUID | None
    member_ids: Sequence[UUID] | None
    kind: AppointmentKind | None
    starts_from: datetime
    starts_to: datetime


class Offering:
    """Tells which times are free.

    Args:
        platform: access, people, settings and clock.
        types: what appointments can be about.
    """

    def __init__(self, platform: Platform, types: AppointmentTypes) -> None:
        self._platform = platform
        self._types = types

    async def slots(
        self, actor: Actor, search: SlotSearch, *, first: int | None = None, after: str | None = None
    ) -> Page[Slot]:
        """Return a page of the slots of practitioners, in order of time, in a fixed number of statements.

        Patients are shown what is open to them (S4): sections for self-scheduling, with notice, horizon and buffers.
        The practice's people are shown what is free in all sections from now on.

        Args:
            actor: who asks.
            search: what they look for.
            first: how many.
            after: cursor after which the page begins.

        Raises:
            NotFound: a type or a member that there is not, or that patients can't book.
            InvalidInput: the range, a number or the cursor can't be used, or neither type nor members are given.
            Problem: a patient asks who may not book by themselves.
        """
        size, key = page_size(first), key_of(after, datetime, UUID)
        asked, members = await self._looked_at(actor, search)
        begins, ends = max(search.starts_from, asked.now, *(key[:1] if key else ())), search.starts_to
        people = await practitioners(self._platform, asked, members, begins, ends) if begins < ends else ()
        found: list[Slot] = []
        for week in _weeks(begins, ends):
            # One more tells that there are more, and one may be of before the cursor.
            for member_id, times in (await _free(asked, people, search.kind, week, size + 2)).items():
                slots = (_slot(member_id, time) for time in times)
                found += [slot for slot in slots if key is None or (slot.starts_at, slot.member_id) > key]
            if len(found) > size:
                break
        found.sort(key=lambda slot: (slot.starts_at, slot.member_id))
        return page_of(found, size, lambda slot: (slot.starts_at.isoformat(), str(slot.member_id)), after=after)

    async def days(self, actor: Actor, search: SlotSearch) -> Sequence[date]:
        """Return the dates in the practice's zone on which there are slots, in a fixed number of statements.

        Args:
            actor: who asks.
            search: what they look for, as of `slots`.

        Raises:
            Problem: as `slots`.
        """
        asked, members = await self._looked_at(actor, search)
        begins, ends = max(search.starts_from, asked.now), search.starts_to
        people = await practitioners(self._platform, asked, members, begins, ends) if begins < ends else ()
        found: set[date] = set()
        for week in _weeks(begins, ends):
            for times in (await _free(asked, people, search.kind, week)).values():
                found |= {day_of(time.starts_at, asked.zone) for time in times}
        return sorted(found)

    async def offered(
        self,
        type_id: UUID,
        member_id: UUID,
        kind: AppointmentKind,
        starts_at: datetime,
        *,
        but: UUID | None = None,
    ) -> bool:
        """Tell whether a time is open to patients who book by themselves (S4), as it is now in the database.

        Asked in a unit of work in which the practitioner's calendar is held, the answer stays true until it ends.

        Args:
            type_id: what the appointment is about.
            member_id: with whom.
            kind: as what.
            starts_at: from when.
            but: an appointment that is to be moved, and is not in the way.
        """
        kept = (await self._types.by_id([type_id])).get(type_id)
        if kept is None or not kept.bookable or member_id not in kept.member_ids:
            return False
        members = await self._platform.people.members_by_id([member_id])
        if not members:
            return False
        asked = await self._asked(members[member_id].practice_id, kept, own=True)
        until = starts_at + timedelta(microseconds=1)
        people = await practitioners(self._platform, asked, members, starts_at, until, but=but)
        return any(asked.free(each, kind, starts_at, until, 1) for each in people)

    async def next_free(
        self,
        type_id: UUID | None,
        member_ids: Sequence[UUID],
        kind: AppointmentKind,
        after: datetime,
        *,
        own: bool,
        many: int = 3,
    ) -> Sequence[datetime]:
        """Return the starts of the next slots in which all of these practitioners are free.

        Args:
            type_id: what the appointment is about.
            member_ids: with whom; of telehealth one of them has to offer it.
            kind: as what.
            after: no start before it, nor before now, nor 62 days after that.
            own: whether it is for a patient who books by themselves.
            many: how many at most.
        """
        members = await self._platform.people.members_by_id(member_ids)
        kept = (await self._types.by_id([type_id])).get(type_id) if type_id else None
        if not members or len(members) < len(set(member_ids)) or (own and not (kept and kept.bookable)):
            return []
        asked = await self._asked(next(iter(members.values())).practice_id, kept, own=own)
        begins = max(after, asked.now)
        latest = begins + LONGEST_RANGE
        people = await practitioners(self._platform, asked, members, begins, latest)
        if len(people) < len(members):
            return []
        # Who does not offer telehealth can be there all the same, beside one who does.
        hosting = [each for each in people if each.host]
        others = [each for each in people if not each.host]
        if kind is AppointmentKind.TELEHEALTH and not hosting:
            return []
        found: list[datetime] = []
        for week in _weeks(begins, latest):
            free = await _free(asked, hosting, kind, week)
            free |= await _free(asked, others, AppointmentKind.IN_PERSON, week)
            found += sorted(set[datetime].intersection(*({time.starts_at for time in each} for each in free.values())))
            if len(found) >= many:
                break
        return found[:many]

    async def between(
        self, type_id: UUID, member_ids: Sequence[UUID], begins: datetime, ends: datetime
    ) -> Sequence[Slot]:
        """Return what is open to patients who book by themselves (S4), whoever they are, in order of time.

        Asked in a unit of work in which the practitioners' calendars are held, the answer stays true until it ends.

        Args:
            type_id: what the appointment is about.
            member_ids: with whom; those who see nobody for the type are left out.
            begins: no slot starts before it.
            ends: slots start before it.
        """
        kept = (await self._types.by_id([type_id])).get(type_id)
        wanted = [each for each in member_ids if kept is not None and each in kept.member_ids]
        if kept is None or not kept.bookable or not wanted:
            return []
        members = await self._platform.people.members_by_id(wanted)
        asked = await self._asked(next(iter(members.values())).practice_id, kept, own=True)
        people = await practitioners(self._platform, asked, members, begins, ends)
        found = [_slot(each.id, time) for each in people for time in asked.free(each, None, begins, ends)]
        return sorted(found, key=lambda slot: (slot.starts_at, slot.member_id))

    async def _looked_at(self, actor: Actor, search: SlotSearch) -> tuple[Asked, Mapping[UUID, Member]]:
        """Return what somebody looks for, and with whom, once they may."""
        practice_id, _ = actor.as_person()
        own = actor.patient_id is not None
        if not timedelta() <= search.starts_to - search.starts_from <= LONGEST_RANGE:
            raise InvalidInput(f"The range is at most {LONGEST_RANGE.days} days.", field=("to",))
        await require_own(self._platform, actor, "scheduling.find_slots")
        kept = await self._type(search.type_id, own=own)
        wanted = self._wanted(kept, search.member_ids, own=own)
        members = await self._platform.people.members_by_id(wanted)
        if search.member_ids is not None and len(members) < len(wanted):
            raise NotFound(_NO_MEMBER, field=("memberIds",))
        return await self._asked(practice_id, kept, own=own), members

    async def _type(self, type_id: UUID | None, *, own: bool) -> AppointmentType | None:
        if type_id is None:
            if own:
                raise InvalidInput("Say what the appointment is about.", field=("typeId",))
            return None
        found = (await self._types.by_id([type_id])).get(type_id)
        if found is None or found.archived_at is not None or (own and not found.bookable):
            raise NotFound(MISSING, field=("typeId",))
        return found

    def _wanted(self, kept: AppointmentType | None, member_ids: Sequence[UUID] | None, *, own: bool) -> Sequence[UUID]:
        if member_ids is None:
            if kept is None:
                raise InvalidInput("Say with whom, or what about.", field=("memberIds",))
            return kept.member_ids[:MOST_MEMBERS]
        if len(member_ids) > MOST_MEMBERS:
            raise InvalidInput(f"At most {MOST_MEMBERS} members at a time.", field=("memberIds",))
        if own and kept is not None and not set(member_ids) <= set(kept.member_ids):
            raise NotFound(_NO_MEMBER, field=("memberIds",))
        return sorted(set(member_ids))

    async def _asked(self, practice_id: UUID, kept: AppointmentType | None, *, own: bool) -> Asked:
        practice = await self._platform.people.practice(practice_id)
        zone = ZoneInfo(practice.zone if practice else "UTC")
        return Asked(type=kept, zone=zone, own=own, now=self._platform.clock.now())


def _weeks(begins: datetime, ends: datetime) -> Iterator[tuple[datetime, datetime]]:
    while begins < ends:
        until = min(begins + _AT_A_TIME, ends)
        yield begins, until
        begins = until


async def _free(
    asked: Asked,
    people: Sequence[Practitioner],
    kind: AppointmentKind | None,
    within: tuple[datetime, datetime],
    most: int | None = None,
) -> dict[UUID, Sequence[FreeTime]]:
    found: dict[UUID, Sequence[FreeTime]] = {}
    for each in people:
        found[each.id] = asked.free(each, kind, *within, most)
        await asyncio.sleep(0)  # others are answered meanwhile
    return found


def _slot(member_id: UUID, time: FreeTime) -> Slot:
    return Slot(member_id=member_id, starts_at=time.starts_at, ends_at=time.ends_at, kinds=time.kinds)
