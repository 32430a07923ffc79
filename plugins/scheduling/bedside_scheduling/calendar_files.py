"""The calendar files of mails about appointments: put into a calendar, changed there, and taken out of it (S8)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, CalendarFile, Language, Recipient
from bedside_scheduling.api import Appointment, AppointmentState
from bedside_scheduling.calendars import discreet, links, organizer, recurrences
from bedside_scheduling.ical import Method, Party, Sheet, text_of
from bedside_scheduling.rows import COLUMNS, appointment_of

if TYPE_CHECKING:
    from bedside_core.api import Platform

_BY_KEY = f"SELECT {COLUMNS} FROM appointment a WHERE a.id = $1 OR a.series_id = $1"
_LIVE = (AppointmentState.BOOKED, AppointmentState.COMPLETED, AppointmentState.NO_SHOW)
_TOLD = (AppointmentState.BOOKED, AppointmentState.CANCELLED)
"""What a calendar is told of by mail; of a series, what has taken place besides, so that it stays where it is."""


class AppointmentFiles:
    """Provides core's `CalendarAttachments`: the key is an appointment's id, or that of a whole series.

    Args:
        platform: people, notifications and clock.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def calendar(self, to: Recipient, key: str, *, address: str, language: Language) -> CalendarFile | None:
        """Return how an appointment stands now for a recipient: to come (`REQUEST`), or not any more (`CANCEL`)."""
        practice = await self._platform.people.practice(to.practice_id)
        key_id = _id(key)
        if practice is None or key_id is None or to.id is None:
            return None
        every = [appointment_of(row) for row in await DB.fetch(_BY_KEY, key_id)]
        whole = key_id not in {each.id for each in every}
        states = (*_LIVE, AppointmentState.CANCELLED) if whole else _TOLD
        found = [each for each in every if each.state in states and _concerns(each, to)]
        if not found:
            return None
        live = [each for each in found if _comes(each, to)]
        method = Method.REQUEST if live else Method.CANCEL
        told = live or found
        sheet = Sheet(
            method=method,
            appointments=told,
            series=await recurrences(told),
            summaries=discreet(told, practice.name, language),
            links=links(self._platform, told),
            organizer=organizer(self._platform, practice.name),
            attendee=Party(name=address, email=address),
            whole=whole,
        )
        return CalendarFile(method=method, content=text_of(sheet, self._platform.clock.now()))


def _id(key: str) -> UUID | None:
    try:
        return UUID(key)
    except ValueError:
        return None


def _concerns(appointment: Appointment, to: Recipient) -> bool:
    """Tell whether somebody is on an appointment, or was: who practitioners were is not kept, and they were told."""
    return to.kind == "member" or any(each.patient_id == to.id for each in appointment.patients)


def _comes(appointment: Appointment, to: Recipient) -> bool:
    """Tell whether an appointment takes place, and the recipient is on it."""
    people = appointment.member_ids if to.kind == "member" else appointment.patient_ids
    return appointment.state in _LIVE and to.id in people
