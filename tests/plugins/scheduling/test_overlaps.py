"""Two appointments never overlap for one practitioner, whatever happens at once: the database refuses (S5)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from deployment import served
from plugins.scheduling.writing import visit, written

from bedside_core.database import DB, acting
from bedside_core.testing import Database
from bedside_scheduling.api import SlotTaken
from bedside_scheduling.rows import appointments

NINE = datetime(2027, 3, 1, 9, tzinfo=UTC)


@pytest.mark.rule("S5")
async def test_of_many_who_take_a_time_at_once_one_has_it_and_neighbours_do_not_mind(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        practice = await deployment.practice()
        ada = await deployment.person(practice)
        held = await deployment.held(practice)
        with acting(practice.id):
            found = await asyncio.gather(
                *(written(deployment, visit(NINE, [ada.member.id], [held.patient.id])) for _ in range(20)),
                return_exceptions=True,
            )
            made = [each for each in found if isinstance(each, UUID)]
            assert (len(made), sum(isinstance(each, SlotTaken) for each in found)) == (1, 19)
            await written(deployment, visit(NINE + timedelta(minutes=30), [ada.member.id], [held.patient.id]))
            await written(deployment, visit(NINE - timedelta(minutes=30), [ada.member.id], [held.patient.id]))
            assert (await appointments(made))[made[0]].patient_ids == (held.patient.id,)


@pytest.mark.rule("S5")
async def test_what_gets_past_every_look_is_refused_by_the_database(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        practice = await deployment.practice()
        ada = await deployment.person(practice)
        held = await deployment.held(practice)
        with acting(practice.id):
            await written(deployment, visit(NINE, [ada.member.id], [held.patient.id]))
            late = await written(deployment, visit(NINE + timedelta(hours=1), [ada.member.id], [held.patient.id]))
            with pytest.raises(asyncpg.ExclusionViolationError):
                await DB.execute("UPDATE appointment SET starts_at = $2 WHERE id = $1", late, NINE)
            await DB.execute("UPDATE appointment SET state = 'lapsed', held_until = $2 WHERE id = $1", late, NINE)
            await DB.execute("UPDATE appointment SET starts_at = $2 WHERE id = $1", late, NINE)
            with pytest.raises(asyncpg.ExclusionViolationError):
                await DB.execute("UPDATE appointment SET state = 'booked' WHERE id = $1", late)
            assert (await appointments([late]))[late].state == "lapsed"
