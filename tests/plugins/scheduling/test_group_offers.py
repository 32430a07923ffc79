"""A group's place that is free is kept for whoever has waited longest, and for the next one after them (S7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from deployment import Held
from plugins.scheduling.groupwork import (
    ACCEPT,
    ADD,
    APPOINTMENT,
    BOOK,
    CANCEL,
    DECLINE,
    JOIN,
    LEAVE,
    LIST,
    OPEN,
    TAKE_OFF,
    WAIT,
    ask,
    client,
    clock_at,
    pass_time,
    rows,
    run,
    wanted,
)
from plugins.scheduling.rota import Rota, at, monday, rota, text

from bedside_core.database import acting
from bedside_core.testing import Database
from bedside_scheduling.group_offers import GroupOffers

OFFERS = "SELECT state, count(*) AS n FROM waiting_offer GROUP BY state ORDER BY state"
TOLD = "SELECT recipient_id FROM notification WHERE kind = 'scheduling.offered' AND state <> 'cancelled' ORDER BY id"


class Course:
    """A group of two places on a Monday at 9, both taken, and three people who sign in."""

    def __init__(self, house: Rota, kind: str, group: str, people: list[Held]) -> None:
        self.house, self.kind, self.group, self.people = house, kind, group, people

    async def wait(self, who: Held, **more: Any) -> str:
        given = {"typeId": self.kind, "until": text(at(monday() + timedelta(days=6), 0))} | more
        return (await ask(self.house, WAIT, who, i=given, c=client()))["id"]

    async def entry(self, who: Held) -> dict[str, Any]:
        return (await ask(self.house, LIST, who, c=True))["nodes"][-1]

    async def look(self) -> None:
        await run(self.house, "end_offers")

    async def states(self) -> dict[str, int]:
        return {row["state"]: row["n"] for row in await rows(self.house, OFFERS)}

    async def there(self) -> set[str]:
        seen = await ask(self.house, APPOINTMENT, self.house.desk, i=self.group)
        return {each["patientId"] for each in seen["patients"] if each["cancelledAt"] is None}


@pytest_asyncio.fixture
async def course(fresh_database: Database) -> AsyncGenerator[Course, None]:
    async with rota(fresh_database) as house:
        await house.set(waitingList=True, noticeMinutes=0)
        await clock_at(house, 10)
        kind = await house.type(house.ada, name="Course", capacity=2)
        other = await house.deployment.patient(house.practice)
        given = wanted(monday(), 9, house.ada, patients=[house.pat, other], typeId=kind)
        group = (await ask(house, BOOK, house.desk, i=given, c=client()))["appointment"]["id"]
        people = [await house.deployment.held(house.practice) for _ in range(3)]
        yield Course(house, kind, group, people)


@pytest.mark.rule("S7", "S4")
async def test_a_place_that_is_left_is_kept_for_who_waits_longest_and_accepting_takes_it(course: Course) -> None:
    house, (first, second, third) = course.house, course.people
    [full] = (await ask(house, OPEN, first, u=True))["nodes"]
    assert (full["id"], full["places"], (await ask(house, OPEN, first))["nodes"]) == (course.group, 0, [])
    for who in (first, second):
        await course.wait(who)
    await course.look()
    assert await course.states() == {}
    await ask(house, CANCEL, house.pat, i=course.group)
    await course.look()
    await course.look()
    offer = (await course.entry(first))["offer"]
    assert offer["group"] == {"id": course.group, "startsAt": text(at(monday(), 9)), "places": 1}
    assert (offer["appointment"], (await course.entry(second))["offer"], await course.states()) == (
        None, None, {"open": 1},
    )  # fmt: skip
    assert [str(row["recipient_id"]) for row in await rows(house, TOLD)] == [first.id]
    # It is theirs: nobody else joins meanwhile, nor is shown a place.
    assert await house.deployment.code(JOIN, third.token, i=course.group) == "APPOINTMENT_FULL"
    assert (await ask(house, OPEN, third))["nodes"] == []
    assert await house.deployment.code(ACCEPT, second.token, i=offer["id"]) == "NOT_FOUND"
    taken = await ask(house, ACCEPT, first, i=offer["id"])
    assert (taken["id"], taken["state"]) == (course.group, "BOOKED")
    assert await ask(house, ACCEPT, first, i=offer["id"]) == taken
    assert first.id in await course.there()
    assert ((await course.entry(first))["outcome"], await course.states()) == ("BOOKED", {"taken": 1})
    assert await rows(house, TOLD) == []
    await course.look()
    assert (await course.entry(second))["offer"] is None


@pytest.mark.rule("S7")
async def test_a_place_that_is_declined_or_not_taken_in_time_goes_to_the_next_and_to_nobody_twice(
    course: Course,
) -> None:
    house, (first, second, third) = course.house, course.people
    for who in course.people:
        await course.wait(who)
    await ask(house, CANCEL, house.pat, i=course.group)
    await course.look()
    offer = (await course.entry(first))["offer"]
    assert (await ask(house, DECLINE, first, i=offer["id"]))["offer"] is None
    assert await house.deployment.code(ACCEPT, first.token, i=offer["id"]) == "HOLD_OVER"
    await course.look()
    late = (await course.entry(second))["offer"]
    await pass_time(house, minutes=61)
    assert await house.deployment.code(ACCEPT, second.token, i=late["id"]) == "HOLD_OVER"
    await course.look()
    assert (await course.entry(third))["offer"] is not None
    await ask(house, LEAVE, third, i=(await course.entry(third))["id"])
    await course.look()
    assert await course.states() == {"declined": 2, "over": 1}
    assert [each["places"] for each in (await ask(house, OPEN, first))["nodes"]] == [1]  # now it is anybody's
    assert len(await course.there()) == 1


@pytest.mark.rule("S7")
async def test_a_place_that_staff_gives_away_is_offered_no_more_and_who_is_put_on_waits_no_more(
    course: Course,
) -> None:
    house, (first, second, _) = course.house, course.people
    await course.wait(first)
    await course.wait(second, kind="TELEHEALTH")  # of which it is none
    await ask(house, CANCEL, house.pat, i=course.group)
    await course.look()
    offer = (await course.entry(first))["offer"]
    await ask(house, ADD, house.desk, i=course.group, p=second.id)
    assert await house.deployment.code(ACCEPT, first.token, i=offer["id"]) == "HOLD_OVER"
    await course.look()
    assert ((await course.entry(first))["offer"], await course.states()) == (None, {"over": 1})
    assert len(await course.there()) == 2
    later = wanted(monday(), 11, house.ada, patients=[second], typeId=course.kind)
    other = (await ask(house, BOOK, house.desk, i=later, c=client()))["appointment"]["id"]
    await course.look()  # a group with a place that is new is offered, too
    assert (await course.entry(first))["offer"]["group"]["id"] == other
    mine = (await course.entry(first))["offer"]["id"]
    await ask(house, JOIN, first, i=other)  # it is kept for them, however they come by it
    assert (await ask(house, ACCEPT, first, i=mine))["id"] == other
    assert ((await course.entry(first))["outcome"], await course.states()) == ("BOOKED", {"over": 1, "taken": 1})


@pytest.mark.rule("S5", "S7")
async def test_places_looked_at_many_times_at_once_are_offered_as_often_as_there_are(course: Course) -> None:
    house = course.house
    for who in course.people:
        await course.wait(who)
    for each in await course.there():
        await ask(house, TAKE_OFF, house.desk, i=course.group, p=each)
    offers = house.deployment.platform.service(GroupOffers)
    with acting(house.practice.id):
        made = await asyncio.gather(*(offers.offer(house.practice.id) for _ in range(8)))
    assert (sum(made), await course.states()) == (2, {"open": 2})
    offered = [(await course.entry(who))["offer"] is not None for who in course.people]
    assert offered == [True, True, False]
    await house.set(waitingList=False)
    with acting(house.practice.id):
        assert await offers.offer(house.practice.id) == 0
