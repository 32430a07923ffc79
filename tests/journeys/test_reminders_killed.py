"""Workers that are killed while they remind people: each reminder is made once, and none is lost (N5, N6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime, timedelta

import pytest
from deployment import APPS
from journeys.test_notify_killed import Workers, waiting
from notify_stage import until
from smtp_stage import Mail, MailServer, mail_server

from bedside_core.boot import assembled
from bedside_core.config import Config
from bedside_core.database import DB, acting
from bedside_core.ids import uuid7
from bedside_core.live import LocalBus
from bedside_core.people import NewPatient, Practice
from bedside_core.platform import Platform
from bedside_core.testing import Database
from rulebook import size

PLUGINS = "graphql,plans,portal,chat"


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


async def urgent(platform: Platform, practice: Practice, count: int) -> list[str]:
    """Have people not acknowledge an urgent message each, which is due a reminder; returns their addresses."""
    addresses: list[str] = []
    now = datetime.now(UTC)
    for number in range(count):
        new = NewPatient(
            first_name="Pat", last_name=f"Reed{number}", date_of_birth=date(1980, 2, 3), mrn=f"K-{number}",
            gender="female", phone=None, email=f"pat{number}@example.org",
        )  # fmt: skip
        patient = await platform.people.create_patient(practice.id, new)
        addresses.append(f"pat{number}@example.org")
        ids = {"conversation": uuid7(), "message": uuid7(), "sender": uuid7()}
        with acting(practice.id):
            await DB.execute(
                """INSERT INTO conversation (id, practice_id, kind, name, "position", last_position, messages,
                    created_by, created_at, active_at) VALUES ($1, $2, 'group', 'Round', 1, 1, 1, $3, $4, $4)""",
                ids["conversation"], practice.id, ids["sender"], now,
            )  # fmt: skip
            await DB.execute(
                """INSERT INTO participant (practice_id, conversation_id, person_id, kind, home_id, shown_name,
                    joined_at)
                SELECT $1, $2, p.id, p.kind, $1, 'Ada Moss', $5
                FROM (VALUES ($3::uuid, 'patient'), ($4::uuid, 'member')) AS p(id, kind)""",
                practice.id, ids["conversation"], patient.id, ids["sender"], now,
            )  # fmt: skip
            await DB.execute(
                """INSERT INTO message (id, practice_id, conversation_id, "position", number, changed, sender_id, body,
                    client_id, sent_at, urgent) VALUES ($1, $2, $3, 1, 1, 1, $4, 'come', 'k', $5, true)""",
                ids["message"], practice.id, ids["conversation"], ids["sender"], now,
            )  # fmt: skip
            await DB.execute(
                """INSERT INTO urgent_recipient (practice_id, conversation_id, message_id, person_id, home_id,
                    remind_at)
                VALUES ($1, $2, $3, $4, $1, $5)""",
                practice.id, ids["conversation"], ids["message"], patient.id, now,
            )  # fmt: skip
    return addresses


async def reminded(practice: Practice) -> list[int]:
    with acting(practice.id):
        rows = await DB.fetch("SELECT reminded FROM urgent_recipient")
    return [row["reminded"] for row in rows]


@pytest.fixture
async def mailed() -> AsyncGenerator[MailServer]:
    async with mail_server() as mail:
        yield mail


@pytest.mark.rule("N5", "N6")
@pytest.mark.promise("N2")
@pytest.mark.timeout(1200)
async def test_reminders_are_made_once_though_workers_are_killed(fresh_database: Database, mailed: MailServer) -> None:
    count, kills = size(20, 200), size(2, 10)
    config = Config(database_url=fresh_database.dsn, testing=True, plugins=tuple(PLUGINS.split(",")))
    async with assembled(config, bus=LocalBus()) as platform:
        practice = await platform.people.create_practice("Bay View")
        whom = await urgent(platform, practice, count)
        workers = Workers(fresh_database, mailed, plugins=PLUGINS)
        moments = [count * (number + 1) // (kills + 1) for number in range(kills)]

        def accepted(_: Mail) -> None:
            if moments and len(mailed.mails) >= moments[0]:
                moments.pop(0)
                asyncio.get_running_loop().call_soon(workers.kill)

        mailed.accepted = accepted

        async def done() -> bool:
            assert workers.process is not None
            if workers.process.returncode is not None:
                await workers.start()
            return await reminded(practice) == [1] * count and await waiting(practice) == 0

        try:
            await workers.start()
            await platform.clock.move(timedelta(seconds=61))  # the next minute's scan
            await until(done, "every reminder to be sent", size(300, 900))
        finally:
            workers.kill()
            await workers.ended()
        assert len(workers.killed) >= kills
        assert {one.to for one in mailed.mails} == set(whom)
        assert len(mailed.copies()) == count  # each one letter, of which a kill doubles one at most
        assert sum(times - 1 for times in mailed.copies().values()) <= len(workers.killed)
