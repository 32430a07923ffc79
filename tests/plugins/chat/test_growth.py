"""What others of the practice have does not make one's own lists dearer (C10)."""

from __future__ import annotations

import asyncpg
import pytest
from plugins.chat.ward import Ward

from bedside_chat.inbox import ChatInbox
from bedside_chat.service import ChatService
from bedside_core.database import DB, acting
from bedside_core.testing import Database


async def _others(ward: Ward, database: Database) -> None:
    """Have a hundred other people in two hundred conversations each."""
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        await owner.execute("SET session_replication_role = replica")  # foreign keys hold by construction
        await owner.execute(
            """CREATE TEMP TABLE pair AS SELECT gen_random_uuid() AS id, n FROM generate_series(1, 10000) AS n;
            CREATE TEMP TABLE other AS SELECT gen_random_uuid() AS id, n FROM generate_series(0, 99) AS n"""
        )
        await owner.execute(
            """INSERT INTO conversation (id, practice_id, kind, only_key, created_by, created_at, active_at)
            SELECT id, $1, 'direct', 'other ' || n, gen_random_uuid(), now(), now() FROM pair""",
            ward.practice.id,
        )
        await owner.execute(
            """INSERT INTO participant (practice_id, conversation_id, person_id, kind, home_id, shown_name, joined_at)
            SELECT $1, p.id, o.id, 'member', $1, 'Other', now() FROM pair p
            JOIN other o ON o.n IN (p.n % 100, (p.n + 1 + p.n / 100) % 100)""",
            ward.practice.id,
        )
        await owner.execute("ANALYZE conversation, participant, message")
    finally:
        await owner.close()


@pytest.mark.rule("C10")
@pytest.mark.promise("A3")
async def test_lists_and_badges_are_planned_once_however_much_others_have(ward: Ward, fresh_database: Database) -> None:
    await ward.send("hello", "m-1")
    await _others(ward, fresh_database)
    platform = ward.deployment.platform
    chat, inbox = platform.service(ChatService), platform.service(ChatInbox)
    actor = await platform.auth.authenticate(ward.ben.token)
    assert actor is not None
    with acting(actor.practice_id, actor.person_id):
        async with DB.transaction():  # on one connection, which keeps the plans
            before = await _planned()
            for _ in range(15):
                page = await chat.conversations(actor, first=20, after=None)
                assert [(str(item.id), item.unread) for item in page.items] == [(ward.conversation, 1)]
                assert sum(badge.unread for badge in await inbox.badges(actor)) == 1
            planned = {sql: plans - before.get(sql, 0) for sql, plans in (await _planned()).items()}
    # the list and the badges: five plans for the parameters that were given, before PostgreSQL keeps one for all
    lists = [plans for sql, plans in planned.items() if "LIMIT $2) AS c" in sql or "GROUP BY own.kind" in sql]
    assert len(lists) == 2 and max(lists) <= 5, planned


async def _planned() -> dict[str, int]:
    """How often each statement of this connection was planned for its parameters alone."""
    rows = await DB.fetch("SELECT statement, custom_plans FROM pg_prepared_statements")
    return {row["statement"]: row["custom_plans"] for row in rows}
