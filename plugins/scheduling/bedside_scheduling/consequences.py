"""What follows from any change of an appointment, in its unit of work: who is told, reminded, and shown it live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID
from weakref import WeakKeyDictionary

from bedside_core.api import DB, Topic, Work
from bedside_scheduling import reminders, telling, told
from bedside_scheduling.api import SCHEDULE_STREAM, AppointmentState
from bedside_scheduling.rows import appointments

if TYPE_CHECKING:
    from bedside_core.api import Platform

APPOINTMENT_KIND = "scheduling.appointment"
"""The kind of thing that an appointment is in an inbox."""
WAITING_KIND = "scheduling.waiting_entry"
"""The kind of thing that an entry of the waiting list is in an inbox."""

# The stream's row comes last in every unit: whoever has it waits for nobody any more. Each appointment has a position
# of its own, and each calendar one for its sections and closures, and each entry of the waiting list.
_POSITION = """INSERT INTO schedule_stream (practice_id, position) VALUES (app_practice(), $1)
ON CONFLICT (practice_id) DO UPDATE SET position = schedule_stream.position + $1 RETURNING practice_id, position"""
_PLACE = """UPDATE appointment a SET changed = $2 + o.number
FROM unnest($1::uuid[]) WITH ORDINALITY AS o(id, number) WHERE a.id = o.id"""
_PLACE_CALENDAR = """UPDATE calendar c SET changed = $2 + o.number
FROM unnest($1::uuid[]) WITH ORDINALITY AS o(id, number) WHERE c.member_id = o.id"""
_PLACE_ENTRY = """UPDATE waiting_entry e SET changed = $2 + o.number
FROM unnest($1::uuid[]) WITH ORDINALITY AS o(id, number) WHERE e.id = o.id"""

_UNTOLD = frozenset({AppointmentState.HELD, AppointmentState.LAPSED})
"""States of what was never booked, which is nothing to those whom it would concern."""

_gathered: WeakKeyDictionary[Work, dict[UUID, None]] = WeakKeyDictionary()
_waiting: WeakKeyDictionary[Work, dict[UUID, None]] = WeakKeyDictionary()


def changed(platform: Platform, work: Work, appointment_id: UUID) -> None:
    """Have what follows from a change of an appointment be done at the end of its unit of work.

    Args:
        platform: what it needs.
        work: the unit that changes it.
        appointment_id: the appointment, of which everything may have changed.
    """
    noted = _gathered.get(work)
    if noted is None:
        noted = _gathered[work] = {}
        work.at_the_end(lambda: _follow(platform, work))
    noted[appointment_id] = None


async def _follow(platform: Platform, work: Work) -> None:
    """Do what follows, in a number of statements that does not grow with the appointments of a series."""
    found = await appointments(list(_gathered.pop(work, ())))
    changes = await told.changes(found)
    await told.remember(list(found))
    booked = [each for each in changes if each.was_booked or each.now.state not in _UNTOLD]
    if booked:
        await reminders.replan(platform, work, [each.now.id for each in booked])
        await telling.tell(platform, work, booked)
    for each in booked:
        before = each.before
        people = {
            *each.now.member_ids,
            *(booking.patient_id for booking in each.now.patients),
            *((*before.member_ids, *before.patient_ids) if before else ()),
        }
        platform.inbox.tell(work, APPOINTMENT_KIND, each.now.id, people)
    work.at_the_end(lambda: _place(work, [each.now.id for each in changes]), last=True)


def availability_changed(work: Work, member_ids: Sequence[UUID]) -> None:
    """Have whoever follows the schedule be told that practitioners' availability has changed.

    Args:
        work: the unit that changes it, which holds their calendars.
        member_ids: the practitioners.
    """
    work.at_the_end(lambda: _place_calendars(work, member_ids), last=True)


def waiting_changed(platform: Platform, work: Work, entry_id: UUID, patient_id: UUID) -> None:
    """Have whoever follows the schedule, and who waits, be told that an entry of the waiting list has changed.

    Args:
        platform: inboxes.
        work: the unit that changes it, which has the entry's row.
        entry_id: the entry.
        patient_id: who waits.
    """
    platform.inbox.tell(work, WAITING_KIND, entry_id, [patient_id])
    noted = _waiting.get(work)
    if noted is None:
        noted = _waiting[work] = {}
        work.at_the_end(lambda: _place_entries(work), last=True)
    noted[entry_id] = None


async def _place(work: Work, appointment_ids: Sequence[UUID]) -> None:
    """Give appointments their places in the schedule's stream."""
    if appointment_ids:
        await DB.execute(_PLACE, list(appointment_ids), await _taken(work, len(appointment_ids)))


async def _place_calendars(work: Work, member_ids: Sequence[UUID]) -> None:
    """Give practitioners' calendars their places in it."""
    if member_ids:
        await DB.execute(_PLACE_CALENDAR, list(member_ids), await _taken(work, len(member_ids)))


async def _place_entries(work: Work) -> None:
    """Give entries of the waiting list their places in it."""
    entry_ids = list(_waiting.pop(work, ()))
    await DB.execute(_PLACE_ENTRY, entry_ids, await _taken(work, len(entry_ids)))


async def _taken(work: Work, number: int) -> int:
    """Take so many places of the schedule's stream, and return the last one before them."""
    row = await DB.fetchrow(_POSITION, number)
    assert row is not None
    work.publish(Topic(SCHEDULE_STREAM, row["practice_id"]), row["position"])
    return row["position"] - number


async def positions(practice_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """Return how far practices' schedules have come, across practices."""
    rows = await DB.fetch("SELECT * FROM scheduling_positions($1)", list(practice_ids))
    return {row["id"]: row["position"] for row in rows}
