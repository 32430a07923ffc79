"""Workers that are killed while they send: nothing is lost, and what comes twice is the same mail."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from notify_stage import until
from smtp_stage import SENDER, Mail, MailServer, mail_server

from bedside_core.boot import assembled
from bedside_core.config import Config
from bedside_core.database import DB, acting, unit
from bedside_core.live import LocalBus
from bedside_core.notify import Fact, Recipient
from bedside_core.people import Practice
from bedside_core.platform import Platform
from bedside_core.testing import Database
from rulebook import size

START_SECONDS = 90.0


class Workers:
    """`bedside worker`, one process after the other."""

    def __init__(self, database: Database, mail: MailServer, plugins: Sequence[str] = ("graphql",)) -> None:
        self._mail = mail
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("BEDSIDE_")},
            "BEDSIDE_DATABASE_URL": database.dsn,
            "BEDSIDE_TESTING": "true",
            "BEDSIDE_PLUGINS": ",".join(plugins),
            "BEDSIDE_SMTP_URL": mail.url,
            "BEDSIDE_MAIL_SENDER": SENDER,
            "BEDSIDE_NOTIFY_SECONDS": "1.5",
            "BEDSIDE_JOB_HEARTBEAT_SECONDS": "1.5",
        }
        self.process: asyncio.subprocess.Process | None = None
        self.started = 0
        """How many were started; the newest has this number."""
        self.killed: list[int] = []
        """The numbers of those that were killed."""

    async def start(self) -> None:
        """Start one and wait until it works."""
        self.started += 1
        self.process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("python")), "-m", "bedside_core.cli", "worker",
            env=self._environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert self.process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            said = await self.process.stdout.readline()
        # Or it was killed already, by what the one before it had sent last.
        assert said == b"Bedside runs background jobs.\n" or self.started in self.killed

    def kill(self) -> None:
        """End it as a failing machine would."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            self.killed.append(self.started)

    def kill_at(self, moments: list[int], chance: random.Random) -> Callable[[Mail], None]:
        """Return what kills the one that works within 50 ms of each of these numbers of mails, as they are accepted."""

        def accepted(_: Mail) -> None:
            if moments and len(self._mail.mails) >= moments[0]:
                moments.pop(0)
                asyncio.get_running_loop().call_later(chance.random() * 0.05, self.kill)

        return accepted

    async def ended(self) -> None:
        assert self.process is not None
        await self.process.wait()


@asynccontextmanager
async def stage(database: Database) -> AsyncGenerator[tuple[Platform, Practice, MailServer, Workers]]:
    config = Config(database_url=database.dsn, testing=True, plugins=("graphql",))
    async with mail_server() as mail, assembled(config, bus=LocalBus()) as platform:
        workers = Workers(database, mail)
        try:
            yield platform, await platform.people.create_practice("Bay View"), mail, workers
        finally:
            if workers.process is not None and workers.process.returncode is None:
                workers.process.kill()
                await workers.process.wait()


async def put(platform: Platform, practice: Practice, count: int) -> list[str]:
    """Put notifications into the outbox and return their addresses."""
    whom = [f"person{number}@example.org" for number in range(count)]
    for address in whom:
        with acting(practice.id):
            async with unit() as work:
                await platform.notify.send(
                    work,
                    "core.trial",
                    to=Recipient.address(practice_id=practice.id, email=address),
                    data={Fact.SENDER: "Ada Moss", Fact.TIME: platform.clock.now(), Fact.LINK: "/"},
                )
    return whom


async def due(platform: Platform, practice: Practice) -> bool:
    """Whether a worker has something to do now."""
    with acting(practice.id):
        return await DB.fetchval(
            """SELECT EXISTS (SELECT FROM notification WHERE state = 'waiting')
                OR EXISTS (SELECT FROM notification_delivery WHERE state = 'waiting' AND due_at <= $1)""",
            platform.clock.now(),
        )


async def waiting(practice: Practice) -> int:
    with acting(practice.id):
        return await DB.fetchval(
            """SELECT (SELECT count(*) FROM notification WHERE state = 'waiting')
                + (SELECT count(*) FROM notification_delivery WHERE state = 'waiting')"""
        )


@pytest.mark.rule("N5")
@pytest.mark.promise("N2")
@pytest.mark.timeout(3000)
async def test_500_mails_arrive_though_the_worker_is_killed_and_a_third_is_refused(fresh_database: Database) -> None:
    chance = random.Random(7)
    count, kills = size(60, 500), size(2, 20)
    async with stage(fresh_database) as (platform, practice, mail, workers):
        mail.answer = lambda _: "451 4.3.0 try again" if chance.random() < 1 / 3 else None
        whom = await put(platform, practice, count)
        killing = workers.kill_at(sorted(chance.sample(range(5, count - 5), kills)), chance)
        senders: dict[str, list[int]] = {}  # Message-ID -> the worker that each copy is of

        def accepted(one: Mail) -> None:
            senders.setdefault(one.id, []).append(workers.started)
            killing(one)

        mail.accepted = accepted

        async def done() -> bool:
            assert workers.process is not None
            if workers.process.returncode is not None:
                await workers.start()
            if not await due(platform, practice):
                await platform.clock.move(timedelta(seconds=5))
            return await waiting(practice) == 0

        await workers.start()
        await until(done, "every mail to be sent", size(240, 2400))
        assert len(workers.killed) >= kills - 1  # the last moment may come after the last mail
        assert {one.to for one in mail.mails} == set(whom)
        assert len(mail.copies()) == count
        # Whatever comes again was under way in a worker that was killed: in each of them one mail at most, and once.
        again = Counter(worker for of_mail in senders.values() for worker in of_mail[:-1])
        assert set(again) <= set(workers.killed)
        assert set(again.values()) <= {1}
        assert all(len(of_mail) == len(set(of_mail)) for of_mail in senders.values())
        with acting(practice.id):
            states = await DB.fetch(
                "SELECT state, count(*) FROM notification_delivery WHERE channel = 'email' GROUP BY state"
            )
        assert {row["state"]: row["count"] for row in states} == {"sent": count}


@pytest.mark.promise("N2")
@pytest.mark.timeout(600)
async def test_a_worker_that_dies_between_the_server_s_250_and_its_own_note_doubles_that_mail_alone(
    fresh_database: Database,
) -> None:
    async with stage(fresh_database) as (platform, practice, mail, workers):

        def accepted(_: Mail) -> None:
            if len(mail.mails) == 3:
                workers.kill()  # the mail is in, and nobody will hear that it is

        mail.accepted = accepted
        whom = await put(platform, practice, 6)
        await workers.start()
        await workers.ended()
        assert len(mail.mails) == 3
        await workers.start()

        async def done() -> bool:
            return await waiting(practice) == 0

        await until(done, "the rest", 120)
        assert {one.to for one in mail.mails} == set(whom)
        assert sorted(mail.copies().values()) == [1, 1, 1, 1, 1, 2]
        [first, second] = [one for one in mail.mails if mail.copies()[one.id] == 2]
        assert first.message["Date"] == second.message["Date"]
        assert (first.to, first.subject, first.text) == (second.to, second.subject, second.text)
        with acting(practice.id):
            attempts = await DB.fetch(
                "SELECT a.number, a.outcome, a.reason FROM notification_attempt a JOIN notification_delivery d "
                "ON d.id = a.delivery_id WHERE d.address = $1 ORDER BY number",
                first.to,
            )
        assert [tuple(row) for row in attempts] == [(1, "interrupted", "the worker ended"), (2, "sent", None)]
