"""Writes appointments as an iCalendar object: pure, from values to text (RFC 5545, RFC 5546, S8).

A series is one event with its rule, EXDATE for what does not take place, and an event with RECURRENCE-ID for each
occurrence that is not where the rule has it. Times are told in the zone in which the appointment was made; a time that
the clocks show twice, or leave out, is told in UTC, for parsers do not agree on what it means.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from bedside_scheduling.api import Appointment
from bedside_scheduling.contentlines import address, component, folded, moment, plain, text
from bedside_scheduling.recurrence import walls
from bedside_scheduling.vtimezone import vtimezone
from bedside_scheduling.zones import instant, shown, wall_time

PRODUCT = "-//Bedside//Bedside Scheduling//EN"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Method(StrEnum):
    """What the object is for (RFC 5546, 1.4)."""

    PUBLISH = "PUBLISH"
    """A feed: read, and not answered."""
    REQUEST = "REQUEST"
    """A mail that puts an appointment into a calendar, or changes it there."""
    CANCEL = "CANCEL"
    """A mail that takes it out."""


@dataclass(frozen=True, kw_only=True)
class Party:
    """Somebody with an address.

    Args:
        name: as it is shown.
        email: where they are reached.
    """

    name: str
    email: str


@dataclass(frozen=True, kw_only=True)
class Recurrence:
    """What of a series its calendar needs.

    Args:
        id: the series', the UID of all its events.
        rule: RRULE.
        begins: start of the first occurrence, local time.
        zone: in which the rule counts.
        minutes: length of an occurrence.
        sequence: the sum of its appointments' sequences, which grows with each change of any of them.
    """

    id: UUID
    rule: str
    begins: datetime
    zone: str
    minutes: int
    sequence: int


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """What is to be written, and nothing that changes by itself: alike sheets are the same calendar.

    Args:
        method: what the object is for.
        appointments: those to be told, and no others: an occurrence of a series that is not among them does not take
            place for whom it is told.
        series: series -> what of it is needed; an occurrence whose series is not there stands for itself.
        summaries: appointment -> what it is called.
        links: appointment -> its URL.
        organizer: the practice.
        attendee: whom a mail is for; nobody in a feed (RFC 5546, 3.2.1).
        name: the calendar's, of a feed.
        whole: whether series are written with their rules; else an occurrence stands alone, with its RECURRENCE-ID.
    """

    method: Method
    appointments: Sequence[Appointment]
    series: Mapping[UUID, Recurrence]
    summaries: Mapping[UUID, str]
    links: Mapping[UUID, str]
    organizer: Party
    attendee: Party | None = None
    name: str | None = None
    whole: bool = True


def text_of(sheet: Sheet, stamp: datetime) -> str:
    """Return the iCalendar object: lines of 75 octets at most that end with CRLF (RFC 5545, 3.1).

    Args:
        sheet: what is written.
        stamp: DTSTAMP, when the object was made (3.8.7.2).
    """
    return folded(_Writer(sheet, stamp).lines())


def digest_of(sheet: Sheet) -> str:
    """Return what tells a calendar from another: the same as long as nothing is changed in it, its zones included."""
    made = hashlib.sha256(text_of(sheet, _NEVER).encode())
    return made.hexdigest()[:32]


@dataclass
class _Writer:
    """Writes one object, and notes which zones it names and for which years."""

    sheet: Sheet
    stamp: datetime
    years: dict[str, set[int]] = field(default_factory=dict[str, "set[int]"])

    def lines(self) -> list[str]:
        """Return the object's lines."""
        events = [event for group in self._groups() for event in self._events(*group)]
        named: list[str] = []
        if self.sheet.name is not None:
            # Of RFC 7986, 5.1 and 5.7, and as it was before that.
            named = [
                text("NAME", self.sheet.name),
                text("X-WR-CALNAME", self.sheet.name),
                "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
                "X-PUBLISHED-TTL:PT1H",
            ]
        head = ["VERSION:2.0", f"PRODID:{PRODUCT}", "CALSCALE:GREGORIAN", f"METHOD:{self.sheet.method.value}", *named]
        zones = (vtimezone(zone, min(years), max(years)) for zone, years in sorted(self.years.items()))
        events = (component("VEVENT", event) for event in events)
        return component("VCALENDAR", [*head, *(line for part in (*zones, *events) for line in part)])

    def _groups(self) -> list[tuple[Recurrence | None, list[Appointment]]]:
        """Return the series with their appointments, and each other appointment alone."""
        found: dict[UUID, tuple[Recurrence | None, list[Appointment]]] = {}
        for each in sorted(self.sheet.appointments, key=lambda each: (each.starts_at, each.id)):
            series = self.sheet.series.get(each.series_id) if each.series_id else None
            found.setdefault(series.id if series else each.id, (series, []))[1].append(each)
        return list(found.values())

    def _events(self, series: Recurrence | None, appointments: list[Appointment]) -> list[list[str]]:
        if series is None:
            return [self._single(each) for each in appointments]
        if self.sheet.whole and self.sheet.method is Method.CANCEL:
            return [self._over(series, appointments[0])]
        ruled = _ruled(series, appointments)
        alone = [self._single(each) for each in appointments if each.id not in ruled]
        among = [each for each in appointments if each.id in ruled]
        if not self.sheet.whole:
            return alone + [self._occurrence(series, each, ruled[each.id]) for each in among]
        return alone + (self._recurring(series, among, ruled) if among else [])

    def _recurring(
        self, series: Recurrence, appointments: list[Appointment], ruled: Mapping[UUID, datetime]
    ) -> list[list[str]]:
        """Return a series' event with its rule, and those of the occurrences that are not as it has them."""
        zone = ZoneInfo(series.zone)
        last = max(ruled.values())
        every = list(walls(series.rule, series.begins, last.date()))
        usual = self.sheet.summaries[appointments[0].id]
        # In UTC, as it has to be (3.3.10); of two readings of a wall time the later, so that none leaves the last out.
        until = max(last.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        kept = set(ruled.values())
        gone = [self._told(wall, series.zone) for wall in every if wall not in kept]
        master = [
            *self._event(appointments[0], series.id, series.sequence),
            moment("DTSTART", self._told(every[0], series.zone)),
            f"DURATION:PT{series.minutes}M",
            f"RRULE:{_endless(series.rule)};UNTIL={until:%Y%m%dT%H%M%SZ}",
            *([moment("EXDATE", *gone)] if gone else []),
        ]
        others = [
            self._occurrence(series, each, ruled[each.id])
            for each in appointments
            if not _as_ruled(series, zone, each, ruled[each.id]) or self.sheet.summaries[each.id] != usual
        ]
        return [master, *others]

    def _over(self, series: Recurrence, first: Appointment) -> list[str]:
        """Return the event that takes a whole series away (RFC 5546, 3.2.5)."""
        return [
            *self._event(first, series.id, series.sequence),
            moment("DTSTART", self._told(series.begins, series.zone)),
            f"DURATION:PT{series.minutes}M",
        ]

    def _occurrence(self, series: Recurrence, appointment: Appointment, wall: datetime) -> list[str]:
        """Return the event of one occurrence, wherever it was moved."""
        return [
            *self._event(appointment, series.id, series.sequence),
            moment("RECURRENCE-ID", self._told(wall, series.zone)),
            *self._times(appointment),
        ]

    def _single(self, appointment: Appointment) -> list[str]:
        """Return the event of an appointment that is no occurrence of anything."""
        return [*self._event(appointment, appointment.id, appointment.sequence), *self._times(appointment)]

    def _times(self, appointment: Appointment) -> list[str]:
        return [
            moment("DTSTART", self._at(appointment.starts_at, appointment.zone)),
            moment("DTEND", self._at(appointment.ends_at, appointment.zone)),
        ]

    def _event(self, appointment: Appointment, uid: UUID, sequence: int) -> list[str]:
        """Return the lines of an event that say nothing of its times."""
        sheet = self.sheet
        lines = [
            f"UID:{uid}",
            moment("DTSTAMP", self.stamp.astimezone(UTC)),
            moment("CREATED", appointment.created_at.astimezone(UTC)),
            f"SEQUENCE:{sequence}",
            text("SUMMARY", sheet.summaries[appointment.id]),
            f"STATUS:{'CANCELLED' if sheet.method is Method.CANCEL else 'CONFIRMED'}",
            "CLASS:PRIVATE",
            address("ORGANIZER", sheet.organizer.name, sheet.organizer.email),
        ]
        if sheet.attendee is not None:
            # Booked already: nobody waits for an answer, and none is wanted.
            said = ("CUTYPE=INDIVIDUAL", "ROLE=REQ-PARTICIPANT", "PARTSTAT=ACCEPTED", "RSVP=FALSE")
            lines.append(address("ATTENDEE", sheet.attendee.name, sheet.attendee.email, *said))
        if (link := sheet.links.get(appointment.id)) is not None:
            lines.append(f"URL:{plain(link)}")
        return lines

    def _at(self, at: datetime, zone: str) -> datetime:
        """Return an instant as it is written: in its zone, unless the clocks show its time twice."""
        known = ZoneInfo(zone)
        wall = wall_time(at, known)
        return self._told(wall, zone) if shown(wall, known) == (at.astimezone(UTC),) else at.astimezone(UTC)

    def _told(self, wall: datetime, zone: str) -> datetime:
        """Return a wall time with its zone, whose definition the object then has."""
        if zone == "UTC":
            return wall.replace(tzinfo=UTC)
        self.years.setdefault(zone, set()).update((wall.year - 1, wall.year + 1))
        return wall.replace(tzinfo=ZoneInfo(zone))


def _endless(rule: str) -> str:
    """Return a rule without its end."""
    return ";".join(part for part in rule.split(";") if part.partition("=")[0] not in {"COUNT", "UNTIL"})


def _ruled(series: Recurrence, appointments: Sequence[Appointment]) -> dict[UUID, datetime]:
    """Return appointment -> the wall time at which its series' rule has it begin; who has none is no occurrence."""
    zone = ZoneInfo(series.zone)
    by_instant = {each.occurrence_at: each.id for each in appointments if each.occurrence_at is not None}
    if not by_instant:
        return {}
    found: dict[UUID, datetime] = {}
    for wall in walls(series.rule, series.begins, wall_time(max(by_instant), zone).date()):
        at = instant(wall, zone)
        appointment_id = by_instant.get(at)
        # Where clocks leave out a whole day two wall times are the same instant: its own is taken.
        if appointment_id is not None and (appointment_id not in found or wall_time(at, zone) == wall):
            found[appointment_id] = wall
    return found


def _as_ruled(series: Recurrence, zone: ZoneInfo, appointment: Appointment, wall: datetime) -> bool:
    """Tell whether the rule alone says when an occurrence is, however a parser reckons."""
    length = timedelta(minutes=series.minutes)
    return (
        appointment.zone == series.zone
        and shown(wall, zone) == (appointment.starts_at,)
        and wall_time(appointment.starts_at, zone) == wall
        and appointment.ends_at - appointment.starts_at == length
        and shown(wall + length, zone) == (appointment.ends_at,)
        and wall_time(appointment.ends_at, zone) == wall + length
    )
