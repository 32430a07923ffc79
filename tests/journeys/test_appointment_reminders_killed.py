"""Workers that are killed while they remind patients of appointments: no reminder is lost, and none is made twice."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from deployment import APPS, Held, served
from journeys.test_notify_killed import Workers, due, waiting
from notify_stage import PUBLIC_URL, until
from plugins.scheduling.reception import Reception, soon
from plugins.scheduling.test_reminders import BOOKED, REMINDER, VIDEO
from smtp_stage import mail_server

from bedside_core.config import FIRST_PARTY
from bedside_core.testing import Database
from rulebook import size

SCAN = timedelta(minutes=1)
"""How often somebody looks what is due."""


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


async def settled(desk: Reception, workers: Workers) -> None:
    """Have what is due be made and sent, by a worker that takes the place of one that was killed."""

    async def quiet() -> bool:
        assert workers.process is not None
        if workers.process.returncode is not None:
            await workers.start()
        unmade = "SELECT FROM appointment_reminder WHERE taken_at IS NULL AND due_at <= $1"
        if await desk.rows(unmade, desk.now()):
            return False
        left = await waiting(desk.practice)
        if left and not await due(desk.deployment.platform, desk.practice):  # what was interrupted is tried again later
            await desk.pass_time(seconds=5)
        return left == 0

    await until(quiet, "what is due to be sent", 240)


async def next_time(desk: Reception) -> bool:
    """Let time pass until reminders are due and somebody looks; whether there are any."""
    [(at,)] = await desk.rows("SELECT min(due_at) FROM appointment_reminder WHERE taken_at IS NULL")
    if at is None:
        return False
    await desk.deployment.platform.clock.move(at.replace(second=0) + SCAN + timedelta(seconds=1) - desk.now())
    return True


@pytest.mark.rule("N5", "N7")
@pytest.mark.promise("N2", "S2")
@pytest.mark.timeout(1200)
async def test_patients_are_reminded_once_of_each_though_workers_are_killed(fresh_database: Database) -> None:
    chance, number, kills = random.Random(11), size(4, 40), size(2, 10)
    async with mail_server() as mail, served(fresh_database, public_url=PUBLIC_URL) as door:
        practice = await door.practice()
        sam, ada = await door.person(practice, name="Sam"), await door.person(practice, name="Ada")
        patients = [await door.patient(practice, name=f"P{each}") for each in range(number)]
        people = [Held(each, "", "", each.id) for each in patients]
        nobody: Any = None
        desk = Reception(door, practice, (sam, ada, ada), (people[0], people[1]), mail, nobody)
        workers = Workers(fresh_database, mail, FIRST_PARTY)
        start, made = soon(desk, days=3), dict[str, UUID]()
        for each, person in enumerate(people):
            at = start + timedelta(
                minutes=10 * (each % 4)
            )  # several are due at once, so that a worker has many in hand
            member = await door.person(practice, name=f"M{each}")
            made[str(person.patient.email)] = await desk.book(at, patients=[person], members=[member], telehealth=True)
        mail.accepted = workers.kill_at(sorted(chance.sample(range(1, 3 * number - 1), kills)), chance)
        try:
            await workers.start()
            await desk.pass_time(seconds=125)
            await settled(desk, workers)
            # one is moved while nobody works and its reminder is due: that is of the new time alone
            moved = str(patients[0].email)
            workers.kill()
            await workers.ended()
            await desk.deployment.platform.clock.move(start - timedelta(hours=23, minutes=58) - desk.now())
            later = start + timedelta(days=5)
            await desk.move(made[moved], later)
            while await next_time(desk):
                await settled(desk, workers)
            killed = len(workers.killed)
        finally:
            workers.kill()
            await workers.ended()
    print(f"\n{len(mail.mails)} mails, {len(mail.copies())} of them different, {killed} workers killed")
    assert sum(times - 1 for times in mail.copies().values()) <= killed
    for address in made:
        told = {each.id: each.subject for each in mail.to(address)}
        changed = {f"{BOOKED} has changed": 1} if address == moved else {}
        assert Counter(told.values()) == Counter({BOOKED: 1, REMINDER: 1, VIDEO: 1} | changed), address
