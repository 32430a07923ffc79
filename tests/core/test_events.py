"""Events are told after the commit, each listener by itself, whatever the others do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from core_stage import assembled_with, plugin

from bedside_core.database import current_scope, unit
from bedside_core.events import QUEUE, Event, fact, on
from bedside_core.ids import uuid7
from bedside_core.manifest import Manifest
from bedside_core.plugins import Source
from bedside_core.testing import Database


@dataclass(frozen=True, kw_only=True)
class Rang(Event):
    """A bell rang."""

    number: int = fact("Which one.")


@dataclass(frozen=True, kw_only=True)
class RangTwice(Rang):
    """It rang twice."""


def hearing(name: str, handler: Callable[[Rang], object], **options: bool) -> Source:
    """Return a plugin that hears bells."""
    manifest = Manifest(name=name, title=name, api=">=1.0,<2")
    return plugin(name, manifest, listeners=lambda: [on(Rang, handler, **options)])  # type: ignore[arg-type]


async def ring(*numbers: int) -> None:
    async with unit() as work:
        for number in numbers:
            work.emit(Rang(practice_id=uuid7(), number=number))


async def test_a_listener_hears_in_order_acting_for_the_event_s_practice(fresh_database: Database) -> None:
    heard: list[tuple[int, bool]] = []

    async def hear(event: Rang) -> None:
        heard.append((event.number, current_scope().practice_id == event.practice_id))

    async with assembled_with(fresh_database, hearing("porter", hear)) as platform:
        await ring(1, 2)
        async with unit() as work:
            work.emit(RangTwice(practice_id=uuid7(), number=3))
        await platform.events.settled()
    assert heard == [(1, True), (2, True), (3, True)]


async def test_nothing_is_heard_of_what_was_rolled_back(fresh_database: Database) -> None:
    heard: list[int] = []

    async def hear(event: Rang) -> None:
        heard.append(event.number)

    async with assembled_with(fresh_database, hearing("porter", hear)) as platform:
        with pytest.raises(ZeroDivisionError):
            async with unit() as work:
                work.emit(Rang(practice_id=uuid7(), number=1))
                raise ZeroDivisionError
        await ring(2)
        await platform.events.settled()
    assert heard == [2]


@pytest.mark.promise("P1")
@pytest.mark.parametrize("failure", [ValueError("no"), SystemExit(3), BaseException("worse"), asyncio.CancelledError()])
async def test_a_listener_that_raises_is_counted_and_harms_nobody(
    fresh_database: Database, failure: BaseException
) -> None:
    heard: list[int] = []

    async def bad(event: Rang) -> None:
        raise failure

    async def good(event: Rang) -> None:
        heard.append(event.number)

    async with assembled_with(fresh_database, hearing("bad", bad), hearing("good", good)) as platform:
        await ring(1, 2)
        await platform.events.settled()
        assert heard == [1, 2]
        assert platform.faults() == {"bad": 2}


@pytest.mark.promise("P1")
async def test_a_listener_that_hangs_is_cut_off_and_holds_up_nobody(fresh_database: Database) -> None:
    heard: list[int] = []

    async def hang(event: Rang) -> None:
        await asyncio.Event().wait()

    async def good(event: Rang) -> None:
        heard.append(event.number)

    sources = (hearing("hang", hang), hearing("good", good))
    async with assembled_with(fresh_database, *sources, listener_seconds=0.05) as platform:
        await ring(1)
        await platform.events.settled()
        assert heard == [1]
        assert platform.faults() == {"hang": 1}


async def test_a_slow_listener_loses_its_oldest_events_and_no_memory(fresh_database: Database) -> None:
    free = asyncio.Event()
    heard: list[int] = []

    async def slow(event: Rang) -> None:
        await free.wait()
        heard.append(event.number)

    async with assembled_with(fresh_database, hearing("slow", slow)) as platform:
        practice = uuid7()
        platform.events.deliver(Rang(practice_id=practice, number=number) for number in range(QUEUE + 50))
        free.set()
        await platform.events.settled()
    assert heard[-1] == QUEUE + 49
    assert len(heard) == QUEUE


async def test_a_durable_listener_s_event_is_a_job_of_the_same_transaction(fresh_database: Database) -> None:
    heard: list[Rang] = []

    async def hear(event: Rang) -> None:
        heard.append(event)

    async with assembled_with(fresh_database, hearing("porter", hear, durable=True), testing=True) as platform:
        practice = await platform.people.create_practice("Bay View")
        with pytest.raises(ZeroDivisionError):
            async with unit() as work:
                work.emit(Rang(practice_id=practice.id, number=1))
                raise ZeroDivisionError
        async with unit() as work:
            work.emit(Rang(practice_id=practice.id, number=2))
        assert heard == []
        async with platform.jobs.running(fresh_database.dsn), asyncio.timeout(20):
            while not heard:  # noqa: ASYNC110 - the worker is elsewhere
                await asyncio.sleep(0.01)
    assert heard == [Rang(practice_id=practice.id, number=2)]
