"""What is changed while reminders are being taken up is reminded of as it is then, or not at all (N7).

The scan finds what is due in one statement and takes it up in another. Here it stands between the two: a lock of
another connection lets it find, and not take.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from plugins.scheduling.reception import Reception, soon

from bedside_core.testing import Database, until

_WAITING = "SELECT count(*) FROM pg_locks WHERE relation = 'appointment_reminder'::regclass AND NOT granted"
_TOLD = """SELECT state, facts ->> 'time' FROM notification
WHERE kind IN ('scheduling.reminder', 'scheduling.telehealth_reminder')"""


@asynccontextmanager
async def between(database: Database, desk: Reception) -> AsyncGenerator[tuple[Any, asyncio.Task[None]]]:
    """Have a scan stand where it has found what is due, and has taken nothing; it goes on when the block ends."""
    owner: Any = await asyncpg.connect(database.owner_dsn)
    held = owner.transaction()
    try:
        await held.start()
        await owner.execute("LOCK TABLE appointment_reminder IN SHARE MODE")
        scan = asyncio.create_task(desk.remind())
        await waiting(owner, 1)
        yield owner, scan
        await held.rollback()
        async with asyncio.timeout(60):
            await scan
    finally:
        await owner.close()


async def waiting(owner: Any, many: int) -> None:
    """Wait until so many wait for the lock."""

    async def there() -> bool:
        return await owner.fetchval(_WAITING) == many

    await until(there, f"{many} who wait for the lock", 60)


async def due(desk: Reception) -> tuple[UUID, datetime]:
    """An appointment that a reminder is due of now."""
    start = soon(desk, days=3)
    made = await desk.book(start)
    await desk.pass_time(days=2, minutes=1)
    return made, start


@pytest.mark.rule("N7")
@pytest.mark.promise("N3")
@pytest.mark.parametrize("what", ["cancelled", "moved"])
async def test_what_is_changed_between_finding_and_taking_is_taken_back_from_the_outbox(
    fresh_database: Database, desk: Reception, what: str
) -> None:
    made, start = await due(desk)
    later = start + timedelta(days=4)
    async with between(fresh_database, desk) as (owner, _):
        change = desk.cancel(made) if what == "cancelled" else desk.move(made, later)
        changing = asyncio.create_task(change)
        await waiting(owner, 2)  # it has changed the appointment, and comes to its reminders
    async with asyncio.timeout(60):
        await changing
    assert [state for state, _ in await desk.rows(_TOLD)] == ["cancelled"]
    planned = {} if what == "cancelled" else {("standard", desk.pat.id): later - timedelta(hours=24)}
    assert await desk.planned(made) == planned
    await desk.remind()
    assert len(await desk.rows(_TOLD)) == 1


@pytest.mark.rule("N7")
@pytest.mark.promise("N3")
@pytest.mark.parametrize("how", ["state = 'cancelled', cancelled_at = now()", "starts_at = starts_at + interval '1 h'"])
async def test_what_is_changed_past_all_care_in_between_is_told_to_nobody(
    fresh_database: Database, desk: Reception, how: str
) -> None:
    made, _ = await due(desk)
    ends = ", ends_at = ends_at + interval '1 h'" if "starts_at" in how else ""
    async with between(fresh_database, desk):
        await desk.rows(f"UPDATE appointment SET version = version + 1, {how}{ends} WHERE id = $1 RETURNING 1", made)
    assert (await desk.rows(_TOLD), await desk.planned(made)) == ([], {})


@pytest.mark.rule("N7")
async def test_what_nobody_changes_in_between_is_told_once(fresh_database: Database, desk: Reception) -> None:
    made, _ = await due(desk)
    async with between(fresh_database, desk) as (owner, _):
        other = asyncio.create_task(desk.remind())  # finds it had by the first, and goes on to what is over
        await waiting(owner, 2)
    async with asyncio.timeout(60):
        await other
    assert ([state for state, _ in await desk.rows(_TOLD)], await desk.planned(made)) == (["waiting"], {})
