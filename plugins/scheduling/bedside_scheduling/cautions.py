"""What whoever books for others is warned of, not kept from: accounts, hours, buffers, patients elsewhere (S2, S3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

from bedside_core.api import DB, Actor, Member
from bedside_portal.api import PortalAccounts, PortalState
from bedside_scheduling.api import Appointment, AppointmentKind, AppointmentState
from bedside_scheduling.appointment_types import AppointmentTypes
from bedside_scheduling.rules import hosts
from bedside_scheduling.sections import closures_of, days_of, weekly_of
from bedside_scheduling.settings import SchedulingSettings
from bedside_scheduling.slots import Window, windows
from bedside_scheduling.zones import day_of

if TYPE_CHECKING:
    from bedside_core.api import Platform

_DAY = timedelta(days=1)

# An appointment takes 24 hours at most, and keeps four hours free at most.
_NEIGHBOURS = """SELECT w.id, m.member_id, a.starts_at, a.ends_at, t.buffer_before, t.buffer_after
FROM appointment w JOIN appointment_member o ON o.appointment_id = w.id
JOIN appointment_member m ON m.member_id = o.member_id AND m.active AND m.appointment_id <> w.id
    AND m.starts_at > w.starts_at - interval '28 hours' AND m.starts_at < w.ends_at + interval '4 hours'
JOIN appointment a ON a.id = m.appointment_id LEFT JOIN appointment_type t ON t.id = a.type_id
WHERE w.id = ANY($1)"""

_ELSEWHERE = """SELECT DISTINCT w.id, p.patient_id
FROM appointment w JOIN appointment_patient p ON p.appointment_id = w.id AND p.cancelled_at IS NULL
JOIN appointment_patient o ON o.patient_id = p.patient_id AND o.cancelled_at IS NULL AND o.appointment_id <> w.id
JOIN appointment a ON a.id = o.appointment_id AND a.state = 'booked'
    AND a.starts_at > w.starts_at - interval '24 hours' AND a.starts_at < w.ends_at AND a.ends_at > w.starts_at
WHERE w.id = ANY($1)"""


class CautionCode(StrEnum):
    """What is to be thought of."""

    PORTAL_ACCOUNT_MISSING = "portal_account_missing"
    OUTSIDE_SECTIONS = "outside_sections"
    BUFFER = "buffer"
    PATIENT_BUSY = "patient_busy"
    PRACTITIONER_INACTIVE = "practitioner_inactive"


@dataclass(frozen=True, kw_only=True)
class Caution:
    """Something to think of.

    Args:
        code: what.
        message: in a sentence.
        patient_id: whose account misses, or who is elsewhere.
        member_id: whose hours or buffers it is about.
        appointment_id: which of several; None is all of them.
    """

    code: CautionCode
    message: str
    patient_id: UUID | None = None
    member_id: UUID | None = None
    appointment_id: UUID | None = None


_WITHOUT = {
    PortalState.NONE: "The patient has no portal account, which joining by video needs.",
    PortalState.INVITED: "The patient was invited to the portal and has not registered yet; joining by video needs it.",
    PortalState.SUSPENDED: "The patient's portal account is suspended; joining by video needs it.",
}


async def cautions(platform: Platform, actor: Actor, found: Sequence[Appointment]) -> Sequence[Caution]:
    """Return what a member is to think of with appointments that are still to come; patients nothing.

    Eleven statements at most, however many there are and take part.

    Args:
        platform: people, accounts and settings.
        actor: who books.
        found: one, or those of a series.
    """
    booked = [each for each in found if each.state in (AppointmentState.HELD, AppointmentState.BOOKED)]
    if actor.member_id is None or not booked:
        return ()
    told = await _accounts(platform, booked)
    elsewhere = {(row["id"], row["patient_id"]) for row in await DB.fetch(_ELSEWHERE, [each.id for each in booked])}
    message = "The patient has another appointment at the time."
    told += [
        Caution(code=CautionCode.PATIENT_BUSY, message=message, patient_id=patient_id, appointment_id=each.id)
        for each in booked
        for patient_id in each.patient_ids
        if (each.id, patient_id) in elsewhere
    ]
    members = await platform.people.members_by_id(list({id for each in booked for id in each.member_ids}))
    outside = await _outside(platform, booked, members)
    tight = await _tight(platform, booked)
    for each in booked:
        for member_id in each.member_ids:
            of = {"member_id": member_id, "appointment_id": each.id}
            if member_id not in members or not members[member_id].active:
                message = "The practitioner is deactivated, and sees nobody."
                told.append(Caution(code=CautionCode.PRACTITIONER_INACTIVE, message=message, **of))
                continue
            if (each.id, member_id) in outside:
                message = "It is not within the practitioner's hours for such appointments."
                told.append(Caution(code=CautionCode.OUTSIDE_SECTIONS, message=message, **of))
            if (each.id, member_id) in tight:
                message = "It leaves less time free than the practitioner has between appointments."
                told.append(Caution(code=CautionCode.BUFFER, message=message, **of))
    return told


async def _accounts(platform: Platform, booked: Sequence[Appointment]) -> list[Caution]:
    """Return a warning for each patient who could not join, once."""
    by_video = [each for each in booked if each.kind is AppointmentKind.TELEHEALTH]
    patients = list(dict.fromkeys(id for each in by_video for id in each.patient_ids))
    if not patients:
        return []
    states = await platform.service(PortalAccounts).states(patients)
    return [
        Caution(code=CautionCode.PORTAL_ACCOUNT_MISSING, message=_WITHOUT[states[each]], patient_id=each)
        for each in patients
        if states[each] is not PortalState.ACTIVE
    ]


async def _outside(
    platform: Platform, booked: Sequence[Appointment], members: Mapping[UUID, Member]
) -> frozenset[tuple[UUID, UUID]]:
    """Return the appointments and practitioners of theirs in whose sections they are not, or who are closed then."""
    ids = list(members)
    practice = await platform.people.practice(booked[0].practice_id)
    zone = ZoneInfo(practice.zone if practice else booked[0].zone)
    begins, ends = min(each.starts_at for each in booked), max(each.ends_at for each in booked)
    able = await hosts(platform, members.values())
    weekly = await weekly_of(ids)
    days = await days_of(ids, day_of(begins, zone) - _DAY, day_of(ends, zone) + _DAY)
    closures = await closures_of(ids, begins, ends)
    outside: set[tuple[UUID, UUID]] = set()
    for each in booked:
        first, last = day_of(each.starts_at, zone), day_of(each.ends_at, zone)
        shut = {one.member_id for one in closures if one.begins_at < each.ends_at and one.ends_at > each.starts_at}
        for member_id in each.member_ids:
            # Beside one who does, somebody who offers no telehealth is there all the same.
            kind = each.kind if member_id in able else AppointmentKind.IN_PERSON
            sections = windows(weekly.get(member_id, ()), days.get(member_id, {}), zone, first, last)
            open_then = _covers((section for section in sections if section.mode.allows(kind)), each)
            if shut & {None, member_id} or not open_then:
                outside.add((each.id, member_id))
    return frozenset(outside)


def _covers(sections: Iterable[Window], appointment: Appointment) -> bool:
    """Tell whether sections, in the order in which they begin, cover an appointment one after the other."""
    reached = appointment.starts_at
    for section in sections:
        if section.begins <= reached < section.ends:
            reached = section.ends
    return reached >= appointment.ends_at


async def _tight(platform: Platform, booked: Sequence[Appointment]) -> frozenset[tuple[UUID, UUID]]:
    """Return the appointments and practitioners of theirs who have another one nearer than either keeps free."""
    by_id = {each.id: each for each in booked}
    types = await AppointmentTypes(platform).by_id(list({each.type_id for each in booked if each.type_id}))
    members = list({id for each in booked for id in each.member_ids})
    settings = await platform.settings.of_members(SchedulingSettings, members)
    tight: set[tuple[UUID, UUID]] = set()
    for row in await DB.fetch(_NEIGHBOURS, list(by_id)):
        each, whose = by_id[row["id"]], settings[row["member_id"]]
        kept = types.get(each.type_id) if each.type_id else None
        before = _or(kept.buffer_before if kept else None, whose.buffer_before_minutes)
        after = _or(kept.buffer_after if kept else None, whose.buffer_after_minutes)
        # Of what the two keep free between them the longer counts.
        lead = timedelta(minutes=max(before, _or(row["buffer_after"], whose.buffer_after_minutes)))
        trail = timedelta(minutes=max(after, _or(row["buffer_before"], whose.buffer_before_minutes)))
        if row["starts_at"] < each.ends_at + trail and row["ends_at"] > each.starts_at - lead:
            tight.add((each.id, row["member_id"]))
    return frozenset(tight)


def _or(value: int | None, usual: int) -> int:
    return usual if value is None else value
