"""What somebody had left unanswered stays so over a suspension; who is suspended meanwhile is offered nothing (S9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import Context

import pytest
from deployment import Held
from plugins.scheduling.groupwork import ACCEPT, CANCEL, ask, pass_time
from plugins.scheduling.rota import Rota, at, monday
from plugins.scheduling.test_group_offers import Course
from plugins.scheduling.test_group_offers import course as course
from plugins.scheduling.waiters import List

from bedside_core.api import DB, unit
from bedside_core.database import acting
from bedside_core.testing import until
from bedside_portal.api import PortalAccountChanged, PortalState
from bedside_portal.holders import Holders
from bedside_scheduling.group_offers import GroupOffers
from bedside_scheduling.offers import Offers

SUSPEND = "mutation($p: ID!) { suspendPortalAccount(patientId: $p) { state } }"
REINSTATE = "mutation($p: ID!) { reinstatePortalAccount(patientId: $p) { state } }"
WAITING = """SELECT count(*) FROM pg_locks l JOIN pg_stat_activity s ON s.pid = l.pid
WHERE s.datname = current_database() AND NOT l.granted"""


@pytest.mark.rule("S7", "S9")
async def test_what_was_left_unanswered_before_is_not_offered_again_nor_forgotten(course: Course) -> None:
    house, (first, second, _) = course.house, course.people
    await course.wait(first)
    await ask(house, CANCEL, house.pat, i=course.group)
    await course.look()
    ignored = (await course.entry(first))["offer"]
    await pass_time(house, minutes=61)
    await course.look()
    assert await course.states() == {"over": 1}
    offers = house.deployment.platform.service(Offers)
    before = PortalState.ACTIVE
    for change, after in ((SUSPEND, PortalState.SUSPENDED), (REINSTATE, PortalState.ACTIVE)):
        await ask(house, change, house.desk, p=first.id)
        with acting(house.practice.id):
            await offers.portal_changed(
                PortalAccountChanged(
                    practice_id=house.practice.id, patient_id=first.patient.id, before=before, state=after
                )
            )
        before = after
    await course.look()
    assert await course.states() == {"over": 1}
    assert await house.deployment.code(ACCEPT, house.desk.token, i=ignored["id"]) == "HOLD_OVER"
    await course.wait(second)
    await course.look()
    assert await course.states() == {"open": 1, "over": 1}


@asynccontextmanager
async def suspending(house: Rota, who: Held, offer: Callable[[], Awaitable[int]]) -> AsyncGenerator[asyncio.Task[int]]:
    """Suspend somebody in a unit that is under way while something is offered, until the offer waits for it."""

    async def offering() -> int:
        with acting(house.practice.id):
            return await offer()

    with acting(house.practice.id):
        async with unit():
            await Holders(house.deployment.platform).lock(who.patient.id)
            await DB.execute(
                """INSERT INTO portal_suspension (patient_id, practice_id, suspended_at, suspended_by)
                VALUES ($1, app_practice(), now(), $2)""",
                who.patient.id,
                house.desk.member.id,
            )
            task = asyncio.create_task(offering(), context=Context())

            async def waits() -> bool:
                return await DB.fetchval(WAITING) > 0

            await until(waits, "the offer to wait", 30)
            assert not task.done()
    async with asyncio.timeout(60):
        yield task


@pytest.mark.rule("S7", "S9")
async def test_who_is_suspended_while_a_time_is_being_offered_is_not_offered_it(waiting: List) -> None:
    house, first = waiting.house, waiting.people[0]
    await waiting.wait(first)
    offers = house.deployment.platform.service(Offers)

    async def offer() -> int:
        return await offers.time_freed(house.practice.id, [house.ada.member.id], at(monday(), 9), at(monday(), 12))

    async with suspending(house, first, offer) as task:
        assert (await task, await waiting.states()) == (0, {})


@pytest.mark.rule("S7", "S9")
async def test_who_is_suspended_while_a_place_is_being_offered_is_not_offered_it(course: Course) -> None:
    house, first = course.house, course.people[0]
    await course.wait(first)
    await ask(house, CANCEL, house.pat, i=course.group)
    groups = house.deployment.platform.service(GroupOffers)
    async with suspending(house, first, lambda: groups.offer(house.practice.id)) as task:
        assert (await task, await course.states()) == (0, {})
