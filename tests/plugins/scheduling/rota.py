"""A practice in Berlin with two practitioners, a front desk, and a patient who signs in, for tests of availability."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from deployment import Deployment, Held, Person, served
from plugins.scheduling.writing import visit, written

from bedside_core.auth import Role
from bedside_core.database import acting
from bedside_core.people import Practice
from bedside_core.testing import Database

BERLIN = ZoneInfo("Europe/Berlin")
CREATE = """mutation($i: AppointmentTypeInput!, $c: String!) { createAppointmentType(input: $i, clientId: $c) {
  id name description minutes length bufferBefore bufferAfter mode selfScheduling capacity memberIds archivedAt
  members { id } } }"""
TYPES = "query($a: Boolean!) { appointmentTypes(archived: $a) { nodes { id name archivedAt members { name } } } }"
CHANGE = """mutation($t: ID!, $p: AppointmentTypePatch!) { changeAppointmentType(id: $t, patch: $p) {
  name minutes bufferAfter mode capacity memberIds selfScheduling } }"""
ARCHIVE = "mutation($t: ID!, $a: Boolean!) { archiveAppointmentType(id: $t, archived: $a) { archivedAt } }"
WEEK = """mutation($m: ID!, $s: [WeeklySectionInput!]!) { setWeek(memberId: $m, sections: $s) {
  weekday begins ends mode selfScheduling fromDate untilDate } }"""
DAY = """mutation($m: ID!, $d: Date!, $s: [DaySectionInput!]!) { setDay(memberId: $m, date: $d, sections: $s) {
  date sections { begins ends mode selfScheduling } } }"""
CLEAR = "mutation($m: ID!, $d: Date!) { clearDay(memberId: $m, date: $d) }"
CLOSE = """mutation($b: DateTime!, $e: DateTime!, $c: String!, $m: ID, $r: String! = "") {
  addClosure(startsAt: $b, endsAt: $e, clientId: $c, memberId: $m, reason: $r) {
    id memberId startsAt endsAt reason } }"""
REMOVE = "mutation($i: ID!) { removeClosure(id: $i) }"
OF = """query($m: ID!, $f: Date!, $t: Date!) { availability(memberId: $m, from: $f, to: $t) {
  memberId zone telehealth sections { weekday begins ends mode selfScheduling fromDate untilDate }
  days { date sections { begins ends mode selfScheduling } } closures { id memberId startsAt endsAt reason } } }"""
SLOTS = """query($f: DateTime!, $t: DateTime!, $y: ID, $m: [ID!], $k: AppointmentKind, $n: Int, $a: String) {
  slots(from: $f, to: $t, typeId: $y, memberIds: $m, kind: $k, first: $n, after: $a) {
    nodes { memberId startsAt endsAt kinds } pageInfo { hasNextPage endCursor } } }"""
HOST = "mutation($m: ID!, $e: Boolean!) { setVideoHost(memberId: $m, enabled: $e) { id } }"
PORTAL_SETTINGS = "mutation($p: PortalSettingsPatch!) { updatePortalSettings(patch: $p) { selfBooking } }"
SETTINGS = "mutation($p: SchedulingSettingsPatch!) { updateSchedulingSettings(patch: $p) { usualMinutes } }"
OWN = "mutation($p: SchedulingOwnSettingsPatch!) { updateSchedulingOwnSettings(patch: $p) { noticeMinutes } }"
ISO_DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_numbers = count()


def last_sunday(month: int) -> date:
    """Return the day on which Berlin's clocks change in a month of the coming year."""
    day = date(datetime.now(UTC).year + 1, month + 1, 1) - timedelta(days=1)
    return day - timedelta(days=day.isoweekday() % 7)


def monday() -> date:
    """Return a Monday in two or three weeks."""
    day = datetime.now(BERLIN).date() + timedelta(days=14)
    return day + timedelta(days=-day.weekday() % 7)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """Return an instant by Berlin's clocks, in UTC."""
    return datetime.combine(day, time(hour, minute), BERLIN).astimezone(UTC)


def text(instant: datetime) -> str:
    """Return an instant as GraphQL shows it."""
    return instant.isoformat().replace("+00:00", "Z")


def section(begins: str, ends: str, mode: str = "IN_PERSON", *, open: bool = True) -> dict[str, Any]:
    """Return a section of a date, as clients give it."""
    return {"begins": begins, "ends": ends, "mode": mode, "selfScheduling": open}


def weekly(day: date, begins: str, ends: str, mode: str = "IN_PERSON", *, open: bool = True, **more: str) -> Any:
    """Return a section on the weekday of a date."""
    return {"weekday": ISO_DAYS[day.weekday()], **section(begins, ends, mode, open=open), **more}


@dataclass(frozen=True)
class Rota:
    """The practice, and who is there."""

    deployment: Deployment
    practice: Practice
    olga: Person
    """Its owner."""
    ada: Person
    """A practitioner."""
    ben: Person
    """Another one."""
    desk: Person
    """Its front desk."""
    pat: Held
    """A patient who signs in."""

    async def type(self, *people: Person, **more: Any) -> str:
        """Make a type of appointment that patients book, and return its id."""
        given = {"name": "Visit", "minutes": 60, "selfScheduling": True, "memberIds": [each.id for each in people]}
        made = await self.deployment.data(CREATE, self.olga.token, i=given | more, c=f"type-{next(_numbers)}")
        return made["createAppointmentType"]["id"]

    async def week(self, person: Person, *sections: Any) -> list[dict[str, Any]]:
        """Have a practitioner set their week."""
        return (await self.deployment.data(WEEK, person.token, m=person.id, s=list(sections)))["setWeek"]

    async def slots(self, who: Person | Held, begins: datetime, ends: datetime, **given: Any) -> list[dict[str, Any]]:
        """Return the slots that somebody is shown."""
        asked = {"f": text(begins), "t": text(ends), "n": 100, **given}
        return (await self.deployment.data(SLOTS, who.token, **asked))["slots"]["nodes"]

    async def starts(self, who: Person | Held, day: date, **given: Any) -> list[str]:
        """Return when the slots of a date begin, by Berlin's clocks."""
        found = await self.slots(who, at(day, 0), at(day + timedelta(days=1), 0), **given)
        return [datetime.fromisoformat(each["startsAt"]).astimezone(BERLIN).strftime("%H:%M") for each in found]

    async def host(self, person: Person, enabled: bool = True) -> None:
        """Have a practitioner host video, or no more (T1)."""
        await self.deployment.data(HOST, self.olga.token, m=person.id, e=enabled)

    async def set(self, **patch: Any) -> None:
        """Change the practice's settings: the schedule's, and those of the portal that say who books."""
        of_portal = {"patientsBook": "selfBooking", "guardiansBook": "guardiansBook"}
        portal = {of_portal[name]: patch.pop(name) for name in of_portal if name in patch}
        if portal:
            await self.deployment.data(PORTAL_SETTINGS, self.olga.token, p=portal)
        await self.deployment.data(SETTINGS, self.olga.token, p=patch)


async def booked(
    house: Rota, starts_at: datetime, *people: Person, minutes: int = 60, held: datetime | None = None, type: str = ""
) -> UUID:
    """Write an appointment of pat's as booking does."""
    members, type_id = [each.member.id for each in people], UUID(type) if type else None
    more: dict[str, Any] = {"type_id": type_id, "zone": str(BERLIN), "held_until": held}
    new = visit(starts_at, members, [house.pat.patient.id], minutes=minutes, **more)
    with acting(house.practice.id):
        return await written(house.deployment, new)


@asynccontextmanager
async def rota(database: Database, **config: Any) -> AsyncGenerator[Rota, None]:
    """Serve a deployment with the practice."""
    async with served(database, **config) as deployment:
        practice = await deployment.practice()
        owner = await asyncpg.connect(database.owner_dsn)
        await owner.execute("UPDATE practice SET zone = 'Europe/Berlin'")
        await owner.close()
        olga = await deployment.person(practice, Role.OWNER, "Olga")
        ada, ben = await deployment.person(practice, name="Ada"), await deployment.person(practice, name="Ben")
        desk = await deployment.person(practice, Role.STAFF, "Dora")
        rota = Rota(deployment, practice, olga, ada, ben, desk, await deployment.held(practice))
        # Far ahead, so that days of changing clocks can be booked, and on the hour, so that there are few.
        await rota.set(horizonDays=730, slotStepMinutes=60)
        yield rota
