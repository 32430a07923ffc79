"""What practitioners offer between two instants, read in a fixed number of statements, worked out by `slots` (S3)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

from bedside_core.api import DB, Member
from bedside_scheduling.api import AppointmentKind, Mode
from bedside_scheduling.appointment_types import AppointmentType
from bedside_scheduling.rules import hosts
from bedside_scheduling.sections import closures_of, days_of, weekly_of
from bedside_scheduling.settings import SchedulingSettings
from bedside_scheduling.slots import Busy, FreeTime, Span, Window, free, windows, without_telehealth
from bedside_scheduling.zones import day_begins, day_of

if TYPE_CHECKING:
    from bedside_core.api import Platform

_DAY = timedelta(days=1)

# An appointment takes 24 hours at most, and keeps four hours free after it.
_BUSY = """SELECT m.member_id, a.starts_at, a.ends_at, t.buffer_before, t.buffer_after
FROM appointment_member m JOIN appointment a ON a.id = m.appointment_id
LEFT JOIN appointment_type t ON t.id = a.type_id
WHERE m.member_id = ANY($1) AND m.active AND m.starts_at > $2::timestamptz - interval '28 hours'
    AND m.starts_at < $3::timestamptz + interval '28 hours'
    AND a.id IS DISTINCT FROM $4 AND (a.state <> 'held' OR a.held_until > $5)"""


@dataclass(frozen=True, kw_only=True)
class Practitioner:
    """What is known of a practitioner's time.

    Args:
        id: the member.
        windows: their sections, without telehealth where they offer none.
        busy: their appointments.
        closed: when nothing is offered.
        settings: those in force for them.
        host: whether telehealth is offered with them.
    """

    id: UUID
    windows: Sequence[Window]
    busy: Sequence[Busy]
    closed: Sequence[Span]
    settings: SchedulingSettings
    host: bool


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is looked for.

    Args:
        type: what it is about.
        zone: the practice's.
        own: whether it is for patients who book by themselves.
        now: the instant.
    """

    type: AppointmentType | None
    zone: ZoneInfo
    own: bool
    now: datetime

    def free(
        self,
        of: Practitioner,
        kind: AppointmentKind | None,
        earliest: datetime,
        latest: datetime,
        most: int | None = None,
    ) -> Sequence[FreeTime]:
        """Return the times from one instant to another that a practitioner offers.

        Args:
            of: whose.
            kind: only as this kind.
            earliest: no start before it; patients' notice and horizon count besides (S4).
            latest: only starts before it.
            most: how many.
        """
        settings, kept = of.settings, self.type
        before = after = 0
        if self.own:
            before = _or(kept.buffer_before if kept else None, settings.buffer_before_minutes)
            after = _or(kept.buffer_after if kept else None, settings.buffer_after_minutes)
            earliest = max(earliest, self.now + timedelta(minutes=settings.notice_minutes))
            latest = min(
                latest, day_begins(day_of(self.now, self.zone) + (settings.horizon_days + 1) * _DAY, self.zone)
            )
        return free(
            of.windows,
            of.busy,
            of.closed,
            minutes=_or(kept.minutes if kept else None, settings.usual_minutes),
            step=settings.slot_step_minutes,
            before=before,
            after=after,
            earliest=earliest,
            latest=latest,
            kind=kind,
            mode=kept.mode if kept else Mode.BOTH,
            open_only=self.own,
            most=most,
        )


async def practitioners(
    platform: Platform,
    asked: Asked,
    members: Mapping[UUID, Member],
    begins: datetime,
    ends: datetime,
    *,
    but: UUID | None = None,
) -> Sequence[Practitioner]:
    """Return what is known of those members who are active, for starts within a time, in six statements.

    Args:
        platform: plans and settings.
        asked: what is looked for.
        members: of whom.
        begins: no start before it.
        ends: only starts before it.
        but: an appointment that is to be moved, and is not in the way.
    """
    ids = sorted(each.id for each in members.values() if each.active)
    able = await hosts(platform, members.values())
    settings = await platform.settings.of_members(SchedulingSettings, ids)
    # What starts late on the last day may go on in a section of the next one.
    first_day, last_day = day_of(begins, asked.zone), day_of(ends, asked.zone) + _DAY
    weekly = await weekly_of(ids)
    days = await days_of(ids, first_day - _DAY, last_day)
    closures = await closures_of(ids, begins, ends + _DAY)
    busy: defaultdict[UUID, list[Busy]] = defaultdict(list)
    for row in await DB.fetch(_BUSY, ids, begins, ends, but, asked.now):
        whose = settings[row["member_id"]]
        before = after = 0
        if asked.own:
            before = _or(row["buffer_before"], whose.buffer_before_minutes)
            after = _or(row["buffer_after"], whose.buffer_after_minutes)
        busy[row["member_id"]].append(
            Busy(
                begins=row["starts_at"],
                ends=row["ends_at"],
                before=timedelta(minutes=before),
                after=timedelta(minutes=after),
            )
        )
    people: list[Practitioner] = []
    for each in ids:
        found = windows(weekly.get(each, ()), days.get(each, {}), asked.zone, first_day, last_day)
        people.append(
            Practitioner(
                id=each,
                windows=found if each in able else without_telehealth(found),
                busy=busy[each],
                closed=[
                    Span(begins=shut.begins_at, ends=shut.ends_at)
                    for shut in closures
                    if shut.member_id in (None, each)
                ],
                settings=settings[each],
                host=each in able,
            )
        )
    return people


def _or(value: int | None, usual: int) -> int:
    return usual if value is None else value
