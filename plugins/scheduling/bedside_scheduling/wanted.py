"""What is wanted of a new appointment, and what has to be true of it whoever books."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from bedside_core.api import DB, Actor, InvalidInput, Member, NotFound
from bedside_scheduling.api import AppointmentFull, AppointmentKind, TelehealthNotOffered
from bedside_scheduling.appointment_types import MISSING as MISSING_TYPE
from bedside_scheduling.appointment_types import AppointmentTypes
from bedside_scheduling.rules import hosts
from bedside_scheduling.settings import SchedulingSettings

if TYPE_CHECKING:
    from bedside_core.api import Platform

LONGEST_BACK = timedelta(days=30)
"""How long ago a visit can have begun that is written down afterwards, by members alone."""
FARTHEST = timedelta(days=5 * 366)
"""How far ahead an appointment can be."""
SHORTEST, LONGEST = 5, 720
"""Of an appointment, in minutes."""
NO_MEMBER = "There is no active member of the practice with this id."
MOST_MEMBERS = 10
MOST_PATIENTS = 100

# Kept from being merged or erased until the unit ends; in their order, so that nobody waits in a circle. Changes of
# their portal accounts have the row FOR NO KEY UPDATE: FOR SHARE waits for them, and they for it.
_PATIENTS = """SELECT id, archived_at FROM patient WHERE id = ANY($1) AND merged_into IS NULL
ORDER BY id FOR {}"""
_KEPT, _KEPT_LET_IN = _PATIENTS.format("KEY SHARE"), _PATIENTS.format("SHARE")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """An appointment that somebody wants.

    Args:
        type_id: what it is about, if it is said.
        kind: where people meet.
        starts_at: when it begins.
        minutes: how long it is; None is as its type says. For members to say.
        member_ids: its practitioners.
        patient_ids: who is seen; of a patient they themselves.
    """

    type_id: UUID | None
    kind: AppointmentKind
    starts_at: datetime
    minutes: int | None
    member_ids: tuple[UUID, ...]
    patient_ids: tuple[UUID, ...]


@dataclass(frozen=True, kw_only=True)
class Outline:
    """What follows from what is wanted, and from the practice.

    Args:
        ends_at: when it ends.
        zone: the practice's.
        capacity: most patients.
    """

    ends_at: datetime
    zone: str
    capacity: int


def digest(action: str, wanted: Wanted, invite: Collection[UUID]) -> bytes:
    """Return what tells a retry from something else under the same client id (G9)."""
    said = [action, asdict(wanted), sorted(str(each) for each in invite)]
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).digest()


async def outlined(platform: Platform, actor: Actor, wanted: Wanted) -> Outline:
    """Return what follows from what is wanted.

    Raises:
        InvalidInput: too many or too few people, no such length, time or type; `field` begins with `input`.
        NotFound: there is no such member, or no such type.
        AppointmentFull: more patients than it has places for.
        TelehealthNotOffered: none of the practitioners may host video.
    """
    practice_id, _ = actor.as_person()
    field = ("input",)
    if actor.patient_id is not None and wanted.minutes is not None:
        raise InvalidInput("How long it is follows from its type.", field=(*field, "minutes"))
    if len(wanted.patient_ids) > MOST_PATIENTS:
        raise InvalidInput(f"At most {MOST_PATIENTS} patients.", field=(*field, "patientIds"))
    minutes, capacity = wanted.minutes, max(1, len(wanted.patient_ids))
    if wanted.type_id is not None:
        kept = (await AppointmentTypes(platform).by_id([wanted.type_id])).get(wanted.type_id)
        # What patients can't book, and with whom they can't, they do not learn of.
        if kept is None or (actor.patient_id is not None and not kept.bookable):
            raise NotFound(MISSING_TYPE, field=(*field, "typeId"))
        if actor.patient_id is not None and not set(wanted.member_ids) <= set(kept.member_ids):
            raise NotFound(NO_MEMBER, field=(*field, "memberIds"))
        if kept.archived_at is not None:
            raise InvalidInput("This type of appointment is in the archive.", field=(*field, "typeId"))
        minutes, capacity = kept.minutes if minutes is None else minutes, kept.capacity
    if minutes is None:
        minutes = (await platform.settings.read(SchedulingSettings)).usual_minutes
    if not wanted.patient_ids and capacity == 1:
        raise InvalidInput("Who is it for?", field=(*field, "patientIds"))
    if len(wanted.patient_ids) > capacity:
        raise AppointmentFull(f"It has places for {capacity}.", field=(*field, "patientIds"))
    ends_at = ending(wanted.starts_at, minutes, field)
    within_reach(platform, actor, wanted.starts_at, field)
    await practitioners(platform, wanted.member_ids, wanted.kind, (*field, "memberIds"))
    practice = await platform.people.practice(practice_id)
    assert practice is not None
    return Outline(ends_at=ends_at, zone=practice.zone, capacity=capacity)


def ending(starts_at: datetime, minutes: int, field: tuple[str, ...] = ()) -> datetime:
    """Return when an appointment ends.

    Raises:
        InvalidInput: it begins within a minute, or is too short or too long.
    """
    if starts_at.second or starts_at.microsecond:
        raise InvalidInput("An appointment begins on a full minute.", field=(*field, "startsAt"))
    if not SHORTEST <= minutes <= LONGEST:
        raise InvalidInput(f"It takes {SHORTEST} to {LONGEST} minutes.", field=(*field, "minutes"))
    return starts_at + timedelta(minutes=minutes)


def within_reach(platform: Platform, actor: Actor, starts_at: datetime, field: tuple[str, ...] = ()) -> None:
    """Look whether a time is neither too long ago nor too far ahead.

    Raises:
        InvalidInput: it is; members write down afterwards what has begun 30 days ago at most, patients nothing.
    """
    now = platform.clock.now()
    if actor.patient_id is not None and starts_at <= now:
        raise InvalidInput("This time is over.", field=(*field, "startsAt"))
    if starts_at < now - LONGEST_BACK:
        raise InvalidInput(f"This is more than {LONGEST_BACK.days} days ago.", field=(*field, "startsAt"))
    if starts_at > now + FARTHEST:
        raise InvalidInput("This is more than five years ahead.", field=(*field, "startsAt"))


async def practitioners(
    platform: Platform, member_ids: Sequence[UUID], kind: AppointmentKind, field: tuple[str, ...]
) -> Mapping[UUID, Member]:
    """Return the practitioners of an appointment of this kind.

    Raises:
        InvalidInput: none of them, or too many.
        NotFound: one is no active member of the practice.
        TelehealthNotOffered: none of them may host video, or the practice's plan lacks it (S1, T1).
    """
    if not 1 <= len(member_ids) <= MOST_MEMBERS:
        raise InvalidInput(f"An appointment has 1 to {MOST_MEMBERS} practitioners.", field=field)
    members = await platform.people.members_by_id(member_ids)
    if any(each not in members or not members[each].active for each in member_ids):
        raise NotFound(NO_MEMBER, field=field)
    if kind is AppointmentKind.TELEHEALTH:
        await must_host(platform, members.values())
    return members


async def must_host(platform: Platform, members: Collection[Member]) -> None:
    """Look whether an appointment can be by telehealth.

    Raises:
        TelehealthNotOffered: none of its practitioners may host video, or the practice's plan lacks it (S1, T1).
    """
    if not await hosts(platform, members):
        raise TelehealthNotOffered(
            "None of the practitioners may host video.",
            way_on="Choose one who may, or have an owner or manager allow it to one.",
        )


async def hold_patients(patient_ids: Sequence[UUID], field: tuple[str, ...], *, portal: bool = False) -> None:
    """Keep patients from being merged or erased until the unit ends.

    Args:
        patient_ids: the patients.
        field: what errors are about.
        portal: keep their portal accounts as they are, too (S9).

    Raises:
        NotFound: the practice has no such patient, or none any more.
        InvalidInput: one is in the archive.
    """
    rows = []
    if patient_ids:
        ids = list(patient_ids)
        rows = await DB.fetch(_KEPT_LET_IN, ids) if portal else await DB.fetch(_KEPT, ids)
    if len(rows) != len(patient_ids):
        raise NotFound("There is no patient with this id that you may see.", field=field)
    if any(row["archived_at"] is not None for row in rows):
        raise InvalidInput("The patient is in the archive.", way_on="Take the patient out of it first.", field=field)
