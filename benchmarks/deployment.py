"""A deployment's database with as many conversations as a measurement wants, and a viewer's sign-ins."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from bedside_core.access import Tier
from bedside_core.auth import Role
from bedside_core.boot import assembled
from bedside_core.config import Config
from bedside_core.database import DB, EmbeddedServer, Engine, acting
from bedside_core.platform import Platform
from bedside_plans.service import PlanService

from .machine import Tree
from .servers import BEDSIDE, bedside_environment

MEMBERS = 1_000
"""Members of the practice; each pair of them may have a direct conversation."""
MESSAGES = 10
"""Messages of each conversation."""
PASSWORD = "a tall glass of water"

# Pairs of members at a distance in a ring, the nearest ones first: no pair comes twice, and everybody has as many.
# Times are whole seconds, scattered, so that the order of the list is not that of the keys.
_PAIRS = """
CREATE TEMP TABLE pair ON COMMIT DROP AS
SELECT uuidv7() AS id, a.id AS one, b.id AS other,
    timestamptz '2026-01-01 00:00Z' + (k::bigint * 7919 % 15000000) * interval '1 second' AS began
FROM generate_series($1::int, $2::int - 1) AS k
JOIN crowd a ON a.number = k % $3
JOIN crowd b ON b.number = (k % $3 + 1 + k / $3) % $3
"""
_OWN = """
CREATE TEMP TABLE pair ON COMMIT DROP AS
SELECT uuidv7() AS id, $1::uuid AS one, id AS other,
    timestamptz '2026-07-01 00:00Z' + (number::bigint * 7919 % 1000000) * interval '1 second' AS began
FROM crowd WHERE number < $2
"""
_FILL = """
INSERT INTO conversation (id, practice_id, kind, only_key, "position", last_position, messages, created_by,
    created_at, active_at)
SELECT id, '{practice}', 'direct', least(one::text, other::text) || '/' || greatest(one::text, other::text),
    2 + {messages}, 2 + {messages}, {messages}, one, began, began + {messages} * interval '1 minute' FROM pair;
INSERT INTO participant (practice_id, conversation_id, person_id, kind, home_id, shown_name, joined_at, changed)
SELECT '{practice}', id, person, 'member', '{practice}', 'Somebody', began, number
FROM pair, unnest(ARRAY[one, other]) WITH ORDINALITY AS joined (person, number);
INSERT INTO message (id, practice_id, conversation_id, "position", changed, number, sender_id, body, client_id, sent_at)
SELECT uuidv7(), '{practice}', id, 2 + n, 2 + n, n, CASE n % 2 WHEN 0 THEN one ELSE other END,
    'Message ' || n || ': potassium is 4.1, repeat ECG unchanged; please review before the 14:30 call.',
    n::text, began + n * interval '1 minute'
FROM pair, generate_series(1, {messages}) AS n
"""
# A week in which each practitioner has as many appointments however many there are besides, all of those before it.
_ROTA = """
CREATE TEMP TABLE practitioner AS SELECT number, id FROM crowd WHERE number < {practitioners};
UPDATE member SET video_host = true WHERE id IN (SELECT id FROM practitioner);
INSERT INTO calendar (member_id, practice_id) SELECT id, '{practice}' FROM practitioner ORDER BY number;
INSERT INTO section (id, practice_id, member_id, weekday, begins, ends, mode, self_scheduling)
SELECT uuidv7(), '{practice}', id, day, begins, begins + interval '4 hours', 'both', true
FROM practitioner, generate_series(1, 5) AS day, unnest(ARRAY[time '08:00', time '13:00']) AS begins;
INSERT INTO appointment_type (id, practice_id, name, minutes, mode, self_scheduling, created_at, created_by, client_id)
SELECT uuidv7(), '{practice}', 'Visit', 30, 'both', true, now(), id, 'type' FROM practitioner WHERE number = 0;
INSERT INTO appointment_type_member (type_id, member_id, practice_id)
SELECT t.id, p.id, '{practice}' FROM appointment_type t, practitioner p;
INSERT INTO patient (id, practice_id, first_name, last_name, date_of_birth, mrn, gender, phone, created_at)
SELECT uuidv7(), '{practice}', 'Pat', 'Reed ' || n, '1980-02-03', 'B-' || n, 'female', '+12025550143', now()
FROM generate_series(1, {patients}) AS n;
CREATE TEMP TABLE sick AS SELECT row_number() OVER () - 1 AS number, id FROM patient
"""
_APPOINTMENTS = """
CREATE TEMP TABLE slot ON COMMIT DROP AS
SELECT uuidv7() AS id, p.id AS member, c.number, s.id AS patient, t.id AS type, k,
    CASE WHEN k / $3 < $4 THEN $5::timestamptz + (k / $3 % 5) * interval '1 day' + (k / $3 / 5) * interval '1 hour'
    ELSE $5::timestamptz - (15 + (k / $3 - $4) / 8) * interval '1 day' + ((k / $3 - $4) % 8) * interval '1 hour' END
    AS starts
FROM generate_series($1::int, $2::int - 1) AS k
JOIN practitioner p ON p.number = k % $3
JOIN calendar c ON c.member_id = p.id
JOIN sick s ON s.number = k * 7919::bigint % $6
CROSS JOIN appointment_type t
"""
_BOOK = """
INSERT INTO appointment (id, practice_id, type_id, kind, state, starts_at, ends_at, zone, capacity, taken, booked_by,
    by_patient, client_id, created_at)
SELECT id, '{practice}', type, CASE k % 3 WHEN 0 THEN 'telehealth' ELSE 'in_person' END, 'booked', starts,
    starts + interval '30 minutes', 'UTC', 1, 1, member, false, k::text, starts - interval '20 days' FROM slot;
INSERT INTO appointment_member (appointment_id, member_id, practice_id, number, starts_at, during, active)
SELECT id, member, '{practice}', number, starts, tstzrange(starts, starts + interval '30 minutes'), true FROM slot;
INSERT INTO appointment_patient (appointment_id, patient_id, practice_id, added_at)
SELECT id, patient, '{practice}', starts - interval '20 days' FROM slot
"""


class Deployment:
    """A migrated database on a private PostgreSQL, seeded with one practice.

    Args:
        server: where the database is.
        folder: for logs and whatever else a run leaves.
    """

    def __init__(self, server: EmbeddedServer, folder: Path) -> None:
        self.dsn = server.application_dsn()
        self.owner_dsn = server.owner_dsn()
        self.folder = folder
        assert server.pid is not None
        self.tree = Tree(server.pid)
        self._practice: UUID | None = None
        self._filled = 0
        self._booked = 0
        self._owner: Any = None

    def config(self) -> Config:
        """Return the configuration of a process on this database."""
        return Config(database_url=self.dsn, worker=False)

    async def open(self) -> None:
        """Make the tables and the practice, on the premium tier, with its crowd of members."""
        command = (BEDSIDE, "migrate")
        environment = bedside_environment(database_url=self.dsn, database_owner_url=self.owner_dsn)
        await asyncio.to_thread(subprocess.run, command, env=environment, check=True, stdout=subprocess.DEVNULL)
        self._owner = await asyncpg.connect(self.owner_dsn)
        async with assembled(self.config()) as platform:
            practice = await platform.people.create_practice("Bay View")
            await platform.service(PlanService).change_plan(practice.id, Tier.PREMIUM)
        self._practice = practice.id
        # Foreign keys hold by construction; to look each of millions up would take most of the time.
        await self._owner.execute("SET session_replication_role = replica")
        await self._owner.execute(
            f"""CREATE TEMP TABLE crowd AS SELECT n AS number, uuidv7() AS id, uuidv7() AS account
            FROM generate_series(0, {MEMBERS - 1}) AS n;
            INSERT INTO account (id, email, created_at)
            SELECT account, 'member' || number || '@example.org', '2026-01-01' FROM crowd;
            INSERT INTO member (id, practice_id, account_id, first_name, last_name, role, created_at)
            SELECT id, '{practice.id}', account, 'Ada', 'Moss ' || number, 'practitioner', '2026-01-01' FROM crowd"""
        )

    async def close(self) -> None:
        """Let go of the database."""
        if self._owner is not None:
            await self._owner.close()

    async def viewer(self, conversations: int) -> str:
        """Make a member with that many conversations of their own, and return the e-mail address to sign in with."""
        assert self._practice is not None
        email = f"viewer{conversations}@example.org"
        async with assembled(self.config()) as platform:
            account = await platform.people.create_account(email, PASSWORD)
            member = await platform.people.create_member(
                self._practice, account, first_name="Grace", last_name="Hall", role=Role.PRACTITIONER
            )
        await self._fill(_OWN, member.id, conversations)
        return email

    async def token(self, email: str) -> str:
        """Sign a viewer in and return the token."""
        async with assembled(self.config()) as platform:
            return (await platform.auth.sign_in(email, PASSWORD))[0]

    async def grow(self, conversations: int) -> None:
        """Have at least that many conversations of others in the practice, and statistics that know it."""
        if conversations > self._filled:
            await self._fill(_PAIRS, self._filled, conversations, MEMBERS)
            self._filled = conversations

    async def rota(self, practitioners: int, patients: int) -> list[str]:
        """Have so many members see patients for half an hour, Monday to Friday, in sections of eight hours a day.

        Returns:
            Their ids.
        """
        await self._owner.execute(_ROTA.format(practice=self._practice, practitioners=practitioners, patients=patients))
        return [str(row["id"]) for row in await self._owner.fetch("SELECT id FROM practitioner ORDER BY number")]

    async def book(self, appointments: int, practitioners: int, patients: int, week: datetime, each: int) -> None:
        """Have that many appointments.

        Args:
            appointments: in the practice, and statistics that know them.
            practitioners: whose they are, evenly.
            patients: who are seen.
            week: eight o'clock on the Monday of the week that is looked at.
            each: appointments of each practitioner in it, at most 40; all others are before it.
        """
        async with self._owner.transaction():
            given = (self._booked, appointments, practitioners, each, week, patients)
            await self._owner.execute(_APPOINTMENTS, *given)
            await self._owner.execute(_BOOK.format(practice=self._practice))
        self._booked = appointments
        await self._owner.execute(
            "VACUUM ANALYZE appointment, appointment_member, appointment_patient, patient, member, section, session"
        )
        await self._owner.execute("CHECKPOINT")

    async def counts(self) -> tuple[int, int]:
        """Return how many conversations and messages there are."""
        row = await self._owner.fetchrow("SELECT (SELECT count(*) FROM conversation), (SELECT count(*) FROM message)")
        return row[0], row[1]

    async def version(self) -> str:
        """Return the server's version."""
        return (await self._owner.fetchval("SHOW server_version")).split()[0]

    async def _fill(self, pairs: str, *args: object) -> None:
        async with self._owner.transaction():
            await self._owner.execute(pairs, *args)
            await self._owner.execute(_FILL.format(practice=self._practice, messages=MESSAGES))
        await self._owner.execute("VACUUM ANALYZE conversation, participant, message, member, session")
        await self._owner.execute("CHECKPOINT")

    async def explained(self, token: str) -> list[str]:
        """Return what PostgreSQL does for the inbox query, statement by statement, as the application's role."""
        recorded: list[tuple[str, tuple[Any, ...]]] = []
        Engine.on_statement = lambda statement: recorded.append((statement.query, statement.args or ()))
        try:
            async with assembled(self.config()) as platform:
                recorded.clear()
                await _inbox(platform, token)
                actor = await platform.auth.authenticate(token)
                assert actor is not None
                lines: list[str] = []
                with acting(actor.practice_id, actor.person_id):
                    for sql, args in [each for each in recorded if _of_the_query(each[0])]:
                        lines += [" ".join(sql.split()), *await _plan(sql, args), ""]
                return lines
        finally:
            Engine.on_statement = None


async def _inbox(platform: Platform, token: str) -> None:
    """Do what the query does, below GraphQL."""
    from bedside_chat.attendance import ParticipantPages
    from bedside_chat.service import ChatService

    actor = await platform.auth.authenticate(token)
    assert actor is not None
    chat = platform.service(ChatService)
    with acting(actor.practice_id, actor.person_id):
        page = await chat.conversations(actor, first=20, after=None)
        people = await ParticipantPages.of(first=None, after=None)([item.id for item in page.items])
        shown = [(each.conversation_id, each.person_id) for found in people.values() for each in found.items]
        senders = [(item.id, item.last_message.sender_id) for item in page.items if item.last_message is not None]
        await chat.people([*senders, *shown])


def _of_the_query(sql: str) -> bool:
    return any(table in sql for table in ("auth_session", "plan_of", "participant", "conversation", "member"))


async def _plan(sql: str, args: tuple[Any, ...]) -> list[str]:
    rows = await DB.fetch(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {sql}", *args)
    return ["    " + row["QUERY PLAN"] for row in rows]


@asynccontextmanager
async def deployed(folder: Path) -> AsyncGenerator[Deployment]:
    """Run a PostgreSQL as Bedside brings it, with a seeded database.

    Args:
        folder: where its files and the servers' logs go.
    """
    server = await EmbeddedServer.start(folder / "postgres")
    deployment = Deployment(server, folder)
    try:
        await deployment.open()
        yield deployment
    finally:
        await deployment.close()
        await server.stop()
