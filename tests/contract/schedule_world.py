"""Makes series, group appointments, and those who wait and what they are offered, for `world.KINDS`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from deployment import Deployment, Held, Person

from bedside_core.auth import Role
from bedside_core.database import DB, acting
from bedside_core.ids import uuid7
from bedside_core.people import Practice
from bedside_core.testing import until
from bedside_scheduling.offers import Offers

_OFFERED = "SELECT id FROM waiting_offer WHERE entry_id = $1 AND state = 'open'"

SERIES = """mutation($i: AppointmentInput!, $c: String!) {
    bookSeries(input: $i, rule: "FREQ=DAILY;COUNT=2", clientId: $c) { id } }"""
BOOK = """mutation($i: AppointmentInput!, $c: String!) { bookAppointment(input: $i, clientId: $c) {
    appointment { id } } }"""
TYPE = """mutation($m: ID!, $n: Int!, $c: String!) { createAppointmentType(input: { name: "Visit",
    selfScheduling: true, capacity: $n, memberIds: [$m] }, clientId: $c) { id } }"""
WEEK = "mutation($m: ID!, $s: [WeeklySectionInput!]!) { setWeek(memberId: $m, sections: $s) { mode } }"
WAITS = "mutation { updateSchedulingSettings(patch: { waitingList: true }) { waitingList } }"
WAIT = "mutation($i: WaitingInput!, $c: String!) { joinWaitingList(input: $i, clientId: $c) { id } }"
DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")


async def series(deployment: Deployment, practice: Practice, person: Person | Held) -> str:
    """Two days in forty days, beyond what is asked for from in thirty days on; a patient's own."""
    leader = await deployment.person(practice, Role.OWNER)
    given = {**_wanted(deployment, leader), "patientIds": [await _patient(deployment, practice, person)]}
    return (await deployment.data(SERIES, leader.token, i=given, c=uuid7().hex))["bookSeries"]["id"]


async def group_appointment(deployment: Deployment, practice: Practice, person: Person | Held) -> str:
    """One that patients can join."""
    leader = await deployment.person(practice, Role.OWNER)
    given = {**_wanted(deployment, leader), "typeId": await _type(deployment, leader, 5)}
    made = await deployment.data(BOOK, leader.token, i=given, c=uuid7().hex)
    return made["bookAppointment"]["appointment"]["id"]


async def waited_type(deployment: Deployment, practice: Practice, person: Person | Held) -> str:
    """A type that is waited for, where that is switched on."""
    leader = await _leader(deployment, practice)
    return await _type(deployment, leader, 1)


async def waiting_patient(deployment: Deployment, practice: Practice, person: Person | Held) -> str:
    """Somebody who can wait; a patient for themselves."""
    await _leader(deployment, practice)
    return await _patient(deployment, practice, person)


async def waiting_entry(deployment: Deployment, practice: Practice, person: Person | Held) -> str:
    return (await _waits(deployment, practice, person))[1]


async def waiting_offer(deployment: Deployment, practice: Practice, person: Person | Held) -> str:
    """Something that is offered, as time became free."""
    leader, entry = await _waits(deployment, practice, person)
    sections = [{"weekday": day, "begins": "00:00", "ends": "00:00", "selfScheduling": True} for day in DAYS]
    await deployment.data(WEEK, leader.token, m=leader.id, s=sections)
    begins = _in_days(deployment, 30)
    with acting(practice.id):
        freed = (practice.id, [leader.member.id], begins, begins + timedelta(hours=4))
        await deployment.platform.service(Offers).time_freed(*freed)

        async def made() -> bool:  # by this, or by a worker that was quicker
            return await DB.fetchval(_OFFERED, UUID(entry)) is not None

        await until(made, "an offer", 60)
        return str(await DB.fetchval(_OFFERED, UUID(entry)))


async def _waits(deployment: Deployment, practice: Practice, person: Person | Held) -> tuple[Person, str]:
    leader = await _leader(deployment, practice)
    given = {
        "typeId": await _type(deployment, leader, 1),
        "patientId": await _patient(deployment, practice, person),
        "until": _in_days(deployment, 50).isoformat(),
    }
    return leader, (await deployment.data(WAIT, leader.token, i=given, c=uuid7().hex))["joinWaitingList"]["id"]


async def _leader(deployment: Deployment, practice: Practice) -> Person:
    leader = await deployment.person(practice, Role.OWNER)
    await deployment.data(WAITS, leader.token)
    return leader


async def _patient(deployment: Deployment, practice: Practice, person: Person | Held) -> str:
    return person.id if isinstance(person, Held) else str((await deployment.patient(practice)).id)


async def _type(deployment: Deployment, leader: Person, capacity: int) -> str:
    given = {"m": leader.id, "n": capacity, "c": uuid7().hex}
    return (await deployment.data(TYPE, leader.token, **given))["createAppointmentType"]["id"]


def _wanted(deployment: Deployment, leader: Person) -> dict[str, Any]:
    return {"kind": "IN_PERSON", "startsAt": _in_days(deployment, 40).isoformat(), "memberIds": [leader.id]}


def _in_days(deployment: Deployment, days: int) -> datetime:
    return (deployment.platform.clock.now() + timedelta(days=days)).replace(second=0, microsecond=0)
