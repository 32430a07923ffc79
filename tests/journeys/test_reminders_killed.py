"""Workers that are killed while they remind people of urgent messages: no reminder is lost, none is made twice."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from deployment import APPS, Deployment, Person, served
from journeys.test_notify_killed import Workers, due, waiting
from notify_stage import PUBLIC_URL, until
from plugins.chat.outside import ACKNOWLEDGE, GROUP, SEND
from smtp_stage import MailServer, mail_server

from bedside_chat.reminders import MOST, PAUSE
from bedside_core.config import FIRST_PARTY
from bedside_core.database import DB, acting
from bedside_core.people import Practice
from bedside_core.testing import Database
from rulebook import size

REMINDER = "Reminder: an urgent message from {}"
SCAN = timedelta(minutes=1)
"""How often somebody looks what is due."""


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


class Round:
    """Two senders' urgent messages to the same people, each in a group of its own, and the workers that remind them."""

    def __init__(self, door: Deployment, practice: Practice, mail: MailServer, workers: Workers) -> None:
        self.door, self.practice, self.mail, self.workers = door, practice, mail, workers
        self.senders: list[Person] = []
        self.people: list[Person] = []
        self.messages: list[str] = []

    async def begin(self, number: int) -> None:
        """Send the messages."""
        self.senders = [await self.door.person(self.practice, name=name) for name in ("Ada", "Ben")]
        self.people = [await self.door.person(self.practice, name=f"P{each}") for each in range(number)]
        ids = [person.id for person in self.people]
        for n, sender in enumerate(self.senders):
            group = (await self.door.data(GROUP, sender.token, n=f"Ward {n}", c=f"g{n}", p=ids))["createGroup"]["id"]
            given = {"i": group, "b": "please come", "c": f"m{n}", "u": True}
            self.messages.append((await self.door.data(SEND, sender.token, **given))["sendMessage"]["id"])

    async def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with acting(self.practice.id):
            return [tuple(row) for row in await DB.fetch(sql, *values)]

    async def next_time(self) -> bool:
        """Let time pass until reminders are due and somebody looks; whether there are any."""
        [[at]] = await self.rows("SELECT min(remind_at) FROM urgent_recipient WHERE acknowledged_at IS NULL")
        clock = self.door.platform.clock
        if not isinstance(at, datetime):
            return False
        await clock.move(at.replace(second=0, microsecond=0) + SCAN + timedelta(seconds=1) - clock.now())
        return True

    async def settled(self) -> None:
        """Have what is due be made and sent, by a worker that takes the place of one that was killed."""

        async def quiet() -> bool:
            assert self.workers.process is not None
            if self.workers.process.returncode is not None:
                await self.workers.start()
            unmade = "SELECT FROM urgent_recipient WHERE acknowledged_at IS NULL AND remind_at <= $1"
            if await self.rows(unmade, self.door.platform.clock.now()):
                return False
            left = await waiting(self.practice)
            if left and not await due(self.door.platform, self.practice):  # what was interrupted is tried again later
                await self.door.platform.clock.move(timedelta(seconds=5))
            return left == 0

        await until(quiet, "what is due to be sent", 240)

    def reminders(self, sender: Person, person: Person) -> Counter[str]:
        """How often each reminder of a sender's message came to somebody, by Message-ID."""
        subject = REMINDER.format(sender.member.name)
        return Counter(mail.id for mail in self.mail.to(person.email) if mail.subject == subject)


@pytest.mark.rule("N5", "N6", "C10")
@pytest.mark.promise("N2")
@pytest.mark.timeout(1200)
async def test_people_are_reminded_six_times_at_most_though_workers_are_killed(fresh_database: Database) -> None:
    chance, number, kills = random.Random(7), size(3, 30), size(0, 14)
    async with (
        mail_server() as mail,
        served(fresh_database, public_url=PUBLIC_URL, graphql_session_budget=10**9) as door,
    ):
        house = Round(door, await door.practice(), mail, Workers(fresh_database, mail, FIRST_PARTY))
        workers = house.workers
        await house.begin(number)
        ada, ben = house.senders
        most = 2 * number * (MOST + 1)
        mail.accepted = workers.kill_at(sorted(chance.sample(range(2 * number, most * 3 // 4), kills)), chance)
        try:
            await workers.start()
            await house.settled()
            rounds = 0
            while await house.next_time():
                rounds += 1
                if rounds == 3:  # half of them acknowledge one message while a reminder is under way and nobody works
                    sent = len(mail.mails)
                    await until(lambda: len(mail.mails) > sent, "the third reminder", 120)  # noqa: B023
                    workers.kill()
                    await workers.ended()
                    done = house.people[: number // 2 + 1]
                    for person in done:
                        await door.data(ACKNOWLEDGE, person.token, i=house.messages[0])
                    at_most = {person.id: house.reminders(ada, person) for person in done}
                await house.settled()
            await door.platform.clock.move(3 * PAUSE)
            await house.settled()
            killed = len(workers.killed)
        finally:
            workers.kill()
            await workers.ended()
        made = await house.rows(
            "SELECT recipient_id::text, same_key, array_agg(created_at ORDER BY created_at) FROM notification"
            " WHERE kind = 'chat.urgent_reminder' GROUP BY 1, 2"
        )
        reminded = await house.rows("SELECT person_id::text, reminded, acknowledged_at IS NULL FROM urgent_recipient")

    gaps = [after - before for *_, times in made for before, after in itertools.pairwise(times)]
    again = sum(times - 1 for times in mail.copies().values())
    print(
        f"\n{len(mail.mails)} mails, {len(mail.copies())} of them different, {killed} workers killed, "
        f"{rounds} rounds; reminders {min(gaps)} to {max(gaps)} apart"
    )
    assert killed > kills // 2  # two moments may have hit the same one
    assert again <= killed  # one mail for each that was killed, at most
    assert len(mail.copies()) == 2 * number + sum(
        len(house.reminders(sender, person)) for sender in house.senders for person in house.people
    )
    for person in house.people:
        assert len(house.reminders(ben, person)) == MOST
        if person in done:
            assert house.reminders(ada, person) == at_most[person.id]  # not one since
            assert len(house.reminders(ada, person)) in {2, 3}
        else:
            assert len(house.reminders(ada, person)) == MOST
    assert sorted(times for _, times, open_ in reminded if open_) == [MOST] * (2 * number - len(done))
    assert min(gaps) > PAUSE - SCAN
