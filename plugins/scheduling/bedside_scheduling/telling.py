"""Tells people of what became of appointments, in the unit of work of the change, and takes back what is stale (N3).

Patients are told of whatever concerns them, by whomever it was done: it confirms what they did themselves, and keeps
their calendars right (S8). Practitioners are told of what patients do. Several changes in a short time make one
notification, and so does a whole series. Who was not told of a booking yet is told of it as it is by now, or of nothing
once it is off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from bedside_core.api import DB, Fact, Recipient, Work
from bedside_scheduling.api import Appointment, AppointmentKind, AppointmentState
from bedside_scheduling.calendars import link_of
from bedside_scheduling.notices import (
    BOOKED,
    BY_VIDEO,
    CANCELLED,
    IN_PERSON,
    MOVED,
    OFFERED,
    PATIENT_BOOKED,
    PATIENT_CANCELLED,
    PATIENT_MOVED,
)
from bedside_scheduling.told import Change

if TYPE_CHECKING:
    from bedside_core.api import Platform

_STALE = tuple(kind.key for kind in (BOOKED, MOVED, BY_VIDEO, IN_PERSON, PATIENT_BOOKED, PATIENT_MOVED))
"""What is true no more once an appointment changes."""
_BOOKING = {
    **dict.fromkeys((MOVED.key, CANCELLED.key, BY_VIDEO.key, IN_PERSON.key), BOOKED.key),
    **dict.fromkeys((PATIENT_MOVED.key, PATIENT_CANCELLED.key), PATIENT_BOOKED.key),
}
"""What somebody was told first who is told this."""
_NEXT = """SELECT a.id, a.starts_at FROM appointment a JOIN appointment_patient p ON p.appointment_id = a.id
WHERE a.series_id = $1 AND a.state = 'booked' AND a.starts_at > $2 AND p.patient_id = $3 AND p.cancelled_at IS NULL
ORDER BY a.starts_at LIMIT 1"""


async def tell(platform: Platform, work: Work, changes: Sequence[Change]) -> None:
    """Tell people of changes of appointments: a statement for each kind of notification, and one for what is stale.

    Args:
        platform: for clock and notifications.
        work: the unit of work that they are made in.
        changes: of appointments that were booked, the earliest first; of those of a series the first is told.
    """
    now = platform.clock.now()
    stale: dict[str, list[str]] = {}
    letters: dict[tuple[str, str], tuple[str, dict[Recipient, Mapping[Fact, Any]]]] = {}
    anew: dict[tuple[Recipient, UUID], None] = {}
    keys = [key_of(change.now) for change in changes if change.was_booked]
    untold: Mapping[tuple[str, str, str], Sequence[str]] = {}
    if keys:
        untold = await platform.notify.waiting(_STALE, keys)
    for change in changes:
        key, item = key_of(change.now), str(change.now.id)
        if change.was_booked and (_altered(change) or change.now.state is not AppointmentState.BOOKED):
            stale.setdefault(key, []).append(item)
        else:
            for patient in _patients(change.now, change.gone):
                await platform.notify.cancel_all(work, _STALE, key=key, items=[item], to=patient)
        for usual, at, recipients in _told(change, now):
            for recipient in recipients:
                if change.now.series_id and item in untold.get((BOOKED.key, recipient.key, key), ()):
                    anew[recipient, change.now.series_id] = None
                if kind := _still(usual, recipient, key, item, untold):
                    _, each = letters.setdefault((kind, key), (item, {}))
                    each.setdefault(recipient, facts(change.now.id, at))
    for key, items in stale.items():
        await platform.notify.cancel_all(work, _STALE, key=key, items=items)
    for recipient, series_id in anew:
        row = await DB.fetchrow(_NEXT, series_id, now, recipient.id)
        if row is not None:
            _, each = letters.setdefault((BOOKED.key, str(series_id)), (str(row["id"]), {}))
            each[recipient] = facts(row["id"], row["starts_at"])
    for (kind, key), (item, each) in letters.items():
        await platform.notify.send_each(work, kind, list(each.items()), key=key, item=item)


def _still(
    kind: str, recipient: Recipient, key: str, item: str, untold: Mapping[tuple[str, str, str], Sequence[str]]
) -> str | None:
    """Return as what somebody is told of a change who may not have been told of what was before; None is of nothing."""
    booking = _BOOKING.get(kind)
    waits = untold.get((booking, recipient.key, key)) if booking else None
    by_kind = (BY_VIDEO.key, IN_PERSON.key)
    if waits is not None and kind not in by_kind:
        # Of a series the booking is told, whatever becomes of one of it.
        return booking if kind in (MOVED.key, PATIENT_MOVED.key) and waits == [item] == [key] else None
    if kind == MOVED.key:
        return next((each for each in by_kind if item in untold.get((each, recipient.key, key), ())), kind)
    return kind


async def offered(platform: Platform, work: Work, appointment: Appointment, patient_id: UUID) -> None:
    """Tell a patient that an appointment, or a place on it, is offered to them; at once, since that lapses."""
    to, key = Recipient.patient(patient_id, appointment.practice_id), str(appointment.id)
    told = facts(appointment.id, appointment.starts_at)
    await platform.notify.send(work, OFFERED.key, to=to, data=told, key=key, item=key, after=timedelta())


async def offer_over(platform: Platform, work: Work, appointment: Appointment, patient_id: UUID) -> None:
    """Take back an offer that was answered, or is over."""
    to = Recipient.patient(patient_id, appointment.practice_id)
    await platform.notify.cancel(work, OFFERED.key, key=str(appointment.id), to=to)


def key_of(appointment: Appointment) -> str:
    """Return by what notifications of an appointment are gathered: those of a series together."""
    return str(appointment.series_id or appointment.id)


def facts(appointment_id: UUID, at: datetime) -> Mapping[Fact, Any]:
    """Return what a notification of an appointment tells: when, and where it is seen (N4)."""
    return {Fact.TIME: at, Fact.LINK: link_of(appointment_id)}


def _told(change: Change, now: datetime) -> Iterable[tuple[str, datetime, Sequence[Recipient]]]:
    """Return kinds of notifications with the time they name and for whom; none of what is past."""
    here, before = change.now, change.before
    was, comes = set(before.patient_ids if before and change.was_booked else ()), set(here.patient_ids)
    if here.state is AppointmentState.BOOKED and here.starts_at > now:
        yield BOOKED.key, here.starts_at, _patients(here, comes - was)
        yield CANCELLED.key, here.starts_at, _patients(here, change.gone)
        if before is not None and (kind := _altered(change)):
            yield kind, here.starts_at, _patients(here, was & comes)
    elif here.state is AppointmentState.CANCELLED and before and change.was_booked and before.starts_at > now:
        yield CANCELLED.key, before.starts_at, _patients(here, was)
    else:
        return
    yield from _members_told(change)


def _altered(change: Change) -> str | None:
    """Return how those who come are told of another kind, time or practitioner; of the kind alone, where it is both."""
    here, before = change.now, change.before
    if before is None or not change.was_booked:
        return None
    if here.kind is not before.kind:
        return (BY_VIDEO if here.kind is AppointmentKind.TELEHEALTH else IN_PERSON).key
    moved = here.starts_at != before.starts_at or set(here.member_ids) != set(before.member_ids)
    return MOVED.key if moved else None


def _members_told(change: Change) -> Iterable[tuple[str, datetime, Sequence[Recipient]]]:
    """Return what practitioners are told of what a patient did."""
    here, before = change.now, change.before
    members = set(here.member_ids)
    if before is None or not change.was_booked:
        if here.by_patient:
            yield PATIENT_BOOKED.key, here.starts_at, _members(here, members)
        return
    if not change.by_patient:
        return
    had = set(before.member_ids)
    if here.state is AppointmentState.CANCELLED or change.gone:
        yield PATIENT_CANCELLED.key, before.starts_at, _members(here, had)
        return
    joined = change.by in here.patient_ids and change.by not in before.patient_ids
    yield PATIENT_BOOKED.key, here.starts_at, _members(here, members if joined else members - had)
    yield PATIENT_CANCELLED.key, before.starts_at, _members(here, had - members)
    if here.starts_at != before.starts_at:
        yield PATIENT_MOVED.key, here.starts_at, _members(here, members & had)


def _patients(appointment: Appointment, patient_ids: Iterable[UUID]) -> Sequence[Recipient]:
    return [Recipient.patient(each, appointment.practice_id) for each in sorted(patient_ids)]


def _members(appointment: Appointment, member_ids: Iterable[UUID]) -> Sequence[Recipient]:
    return [Recipient.member(each, appointment.practice_id) for each in sorted(member_ids)]
