"""Gathers what a calendar tells: which appointments, of which series, under which names (S8, N4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.utils import parseaddr
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

from bedside_core.api import DB, Language
from bedside_scheduling.api import Appointment, AppointmentKind
from bedside_scheduling.ical import Party, Recurrence

if TYPE_CHECKING:
    from bedside_core.api import Platform

_CALLED = {
    (Language.ENGLISH, AppointmentKind.IN_PERSON): "Appointment at {practice}",
    (Language.ENGLISH, AppointmentKind.TELEHEALTH): "Video appointment with {practice}",
    (Language.SPANISH, AppointmentKind.IN_PERSON): "Cita en {practice}",
    (Language.SPANISH, AppointmentKind.TELEHEALTH): "Cita por video con {practice}",
}
_SERIES = """SELECT s.id, s.rule, s.begins, s.zone, s.minutes,
    (SELECT coalesce(sum(a.sequence), 0) FROM appointment a
        WHERE a.practice_id = s.practice_id AND a.series_id = s.id) AS sequence
FROM series s WHERE s.id = ANY($1)"""
_TYPES = "SELECT id, name FROM appointment_type WHERE id = ANY($1)"


def link_of(appointment_id: UUID) -> str:
    """Return the path to which a calendar's and a notification's link about an appointment leads."""
    return f"/scheduling/{appointment_id}"


def organizer(platform: Platform, practice: str) -> Party:
    """Return a practice as the one whose calendar it is, at the address that its mails come from (RFC 6047, 2.3).

    Where the deployment sends none, at one that is nobody's (RFC 2606, 2).
    """
    address = parseaddr(platform.config.mail_sender or "")[1]
    host = urlsplit(platform.config.public_url or "").hostname or "bedside"
    return Party(name=practice, email=address or f"no-reply@{host}.invalid")


def links(platform: Platform, appointments: Sequence[Appointment]) -> Mapping[UUID, str]:
    """Return appointment -> its URL."""
    return {each.id: platform.notify.url(link_of(each.id)) for each in appointments}


def discreet(appointments: Sequence[Appointment], practice: str, language: Language) -> Mapping[UUID, str]:
    """Return appointment -> what it is called where it leaves the house: that it is one, and where (N4, S1)."""
    return {each.id: _CALLED[language, each.kind].format(practice=practice) for each in appointments}


async def named(
    platform: Platform, appointments: Sequence[Appointment], practice: str, language: Language
) -> Mapping[UUID, str]:
    """Return appointment -> its type and whom it is with, for members whose practice wants it so; two statements."""
    patients = await platform.people.patients_by_id(list({id for each in appointments for id in each.patient_ids}))
    type_ids = list({each.type_id for each in appointments if each.type_id is not None})
    types = {row["id"]: row["name"] for row in await DB.fetch(_TYPES, type_ids)}
    usual = discreet(appointments, practice, language)
    found: dict[UUID, str] = {}
    for each in appointments:
        people = ", ".join(
            f"{patient.first_name} {patient.last_name}" for id in each.patient_ids if (patient := patients.get(id))
        )
        called = types.get(each.type_id) if each.type_id is not None else None
        found[each.id] = ": ".join(part for part in (called, people) if part) or usual[each.id]
    return found


async def recurrences(appointments: Sequence[Appointment]) -> Mapping[UUID, Recurrence]:
    """Return series -> what its calendar needs of it, in one statement."""
    ids = list({each.series_id for each in appointments if each.series_id is not None})
    rows = await DB.fetch(_SERIES, ids)
    return {
        row["id"]: Recurrence(
            id=row["id"],
            rule=row["rule"],
            begins=row["begins"],
            zone=row["zone"],
            minutes=row["minutes"],
            sequence=row["sequence"],
        )
        for row in rows
    }
