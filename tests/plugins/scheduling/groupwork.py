"""What the tests of series, groups and the waiting list ask, and how they have the house work by itself."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

import asyncpg
from deployment import Held, Person
from plugins.scheduling.rota import BERLIN, Rota, at, monday, text

from bedside_core.database import DB, Row, acting
from bedside_core.jobs.declared import JobRun
from bedside_core.testing import Database, until

BOOK = """mutation($i: AppointmentInput!, $c: String!) { bookAppointment(input: $i, clientId: $c) {
  appointment { id state startsAt version } } }"""
BOOK_SERIES = """mutation($i: AppointmentInput!, $r: String!, $s: Boolean! = false, $c: String!) {
  bookSeries(input: $i, rule: $r, skipTaken: $s, clientId: $c) { id rule zone begins minutes endedAt skipped
    appointments { id state startsAt endsAt occurrenceAt seriesId } } }"""
SERIES = """query($i: ID!) { appointmentSeries(id: $i) { id rule begins minutes endedAt skipped
  appointments { id state startsAt endsAt occurrenceAt seriesId version sequence reason patients { patientId } } } }"""
MOVE_SERIES = """mutation($i: ID!, $f: DateTime!, $t: String, $d: Date, $m: Int, $w: [ID!], $r: String) {
  moveSeries(id: $i, from: $f, time: $t, date: $d, minutes: $m, memberIds: $w, reason: $r) { id rule begins minutes
    appointments { id state startsAt endsAt occurrenceAt sequence memberIds } } }"""
CANCEL_SERIES = """mutation($i: ID!, $f: DateTime!, $r: String) { cancelSeries(id: $i, from: $f, reason: $r) {
  endedAt appointments { startsAt state reason } } }"""
MOVE = """mutation($i: ID!, $s: DateTime!) { moveAppointment(id: $i, startsAt: $s) {
  appointment { startsAt occurrenceAt } } }"""
CANCEL = "mutation($i: ID!) { cancelAppointment(id: $i) { state patients { patientId cancelledAt } } }"
APPOINTMENT = """query($i: ID!) { appointment(id: $i) { id state capacity version startsAt
  patients { patientId cancelledAt } } }"""
ADD = """mutation($i: ID!, $p: ID!, $v: Int) { addToAppointment(id: $i, patientId: $p, version: $v) {
  version patients { patientId cancelledAt } } }"""
TAKE_OFF = """mutation($i: ID!, $p: ID!, $v: Int) { removeFromAppointment(id: $i, patientId: $p, version: $v) {
  version patients { patientId cancelledAt } } }"""
JOIN = "mutation($i: ID!) { joinAppointment(id: $i) { id version patients { patientId } } }"
OPEN = """query($y: ID, $f: DateTime, $t: DateTime, $n: Int, $a: String, $u: Boolean! = false) {
  openGroups(typeId: $y, from: $f, to: $t, full: $u, first: $n, after: $a) {
    nodes { id places startsAt endsAt zone kind type { name } members { id } } pageInfo { endCursor hasNextPage } } }"""
OFFERED = """offer { id appointmentId expiresAt appointment { id startsAt state memberIds }
  group { id startsAt places } }"""
ENTRY = f"id patientId kind from until closedAt outcome {OFFERED}"
WAIT = f"mutation($i: WaitingInput!, $c: String!) {{ joinWaitingList(input: $i, clientId: $c) {{ {ENTRY} }} }}"
LEAVE = f"mutation($i: ID!) {{ leaveWaitingList(id: $i) {{ {ENTRY} }} }}"
LIST = f"""query($p: ID, $c: Boolean! = false, $n: Int, $a: String) {{
  waitingList(patientId: $p, closed: $c, first: $n, after: $a) {{
    nodes {{ {ENTRY} patient {{ id }} type {{ name }} member {{ id }} }} pageInfo {{ endCursor hasNextPage }} }} }}"""
ACCEPT = "mutation($i: ID!) { acceptOffer(id: $i) { id state heldUntil startsAt } }"
DECLINE = f"mutation($i: ID!) {{ declineOffer(id: $i) {{ {ENTRY} }} }}"
MISSING = "0199aaaa-0000-7000-8000-000000000000"
_numbers = count()


def client() -> str:
    """Return a client id that was never used."""
    return f"c-{next(_numbers)}"


def wanted(day: date, hour: int, *members: Person, patients: Any = (), **more: Any) -> dict[str, Any]:
    """Return an appointment in person, as clients give it, by Berlin's clocks."""
    given = {"kind": "IN_PERSON", "startsAt": text(at(day, hour)), "memberIds": [each.id for each in members]}
    return given | {"patientIds": [str(each.id) for each in patients]} | more


def local(instant: str) -> str:
    """Return an instant by Berlin's clocks."""
    return datetime.fromisoformat(instant).astimezone(BERLIN).strftime("%Y-%m-%d %H:%M")


async def ask(house: Rota, query: str, by: Person | Held, /, **variables: Any) -> Any:
    """Ask one field as somebody and return what it gives."""
    [value] = (await house.deployment.data(query, by.token, **variables)).values()
    return value


async def booked_series(house: Rota, rule: str = "FREQ=WEEKLY;COUNT=6", hour: int = 9, **more: Any) -> dict[str, Any]:
    """Book a series of pat with ada, from Monday on."""
    first = wanted(monday(), hour, house.ada, patients=[house.pat], **more)
    return await ask(house, BOOK_SERIES, house.desk, i=first, r=rule, c=client())


def starts(series: dict[str, Any]) -> list[str]:
    """Return when the appointments of a series begin, by Berlin's clocks."""
    return [local(each["startsAt"]) for each in series["appointments"]]


async def rows(house: Rota, sql: str, *values: object) -> list[Row]:
    """Return rows as the practice."""
    with acting(house.practice.id):
        return list(await DB.fetch(sql, *values))


async def pass_time(house: Rota, **span: float) -> None:
    """Move the product's time on."""
    await house.deployment.platform.clock.move(timedelta(**span))


async def clock_at(house: Rota, hour: int, minute: int = 0) -> datetime:
    """Have it be some time on the next day by Berlin's clocks, and return that instant."""
    now = house.deployment.platform.clock.now()
    then = at(now.astimezone(BERLIN).date() + timedelta(days=1), hour, minute)
    await house.deployment.platform.clock.move(then - now)
    return then


async def run(house: Rota, job: str) -> None:
    """Run a job of scheduling now, whatever its schedule says."""
    platform = house.deployment.platform
    with acting(house.practice.id):
        given = JobRun(platform=platform, practice_id=house.practice.id, payload={}, attempt=1)
        await platform.jobs.entries[f"scheduling.{job}"].function(given)


async def settings_settled(database: Database) -> None:
    """Wait until what follows from changed settings is done, so that it is not for who comes to wait later."""
    owner = await asyncpg.connect(database.owner_dsn)

    async def done() -> bool:
        return await owner.fetchval(
            """SELECT NOT EXISTS (SELECT FROM pgqueuer
            WHERE entrypoint = 'listener.scheduling.SettingsChanged' AND status IN ('queued', 'picked'))"""
        )

    try:
        await until(done, "the settings to be settled", 60)
    finally:
        await owner.close()


def days(first: date, *more: int) -> list[date]:
    """Return dates so many days after one."""
    return [first + timedelta(days=each) for each in more]
