"""Whatever comes in whatever order, the count of failed attempts is that of a simple model (A5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
import pytest_asyncio
from core_stage import assembled_with
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedside_core.auth.attempts import Locked
from bedside_core.database import DB
from bedside_core.platform import Platform
from bedside_core.testing import Database
from rulebook import size


@pytest_asyncio.fixture
async def platform(fresh_database: Database) -> AsyncGenerator[Platform, None]:
    async with assembled_with(fresh_database) as running:
        yield running


class Model:
    """One thing that is counted, as the rule has it."""

    def __init__(self) -> None:
        self.failures = 0
        self.until: datetime | None = None

    def settle(self, right: bool, now: datetime) -> str:
        if self.until is not None and now < self.until:
            return "locked"
        if self.until is not None:
            self.failures, self.until = 0, None
        if right:
            self.failures = 0
            return "right"
        self.failures += 1
        if self.failures < 6:
            return "wrong"
        self.until = now + timedelta(minutes=15)
        return "locked"


async def settle(platform: Platform, named: str, right: bool, also: str = "") -> str:
    try:
        return "right" if await platform.auth.attempts.settle(named, right, account=None, also=also) else "wrong"
    except Locked:
        return "locked"


steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["address", "device"]), st.sampled_from([False, False, False, False, True])),
        st.tuples(st.just("wait"), st.sampled_from([1, 7, 14, 15, 16])),
    ),
    min_size=8,
    max_size=40,
)


@pytest.mark.rule("A5")
@settings(
    max_examples=size(40, 400),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=steps)
async def test_any_order_of_attempts_is_counted_as_the_rule_says(
    platform: Platform, steps: list[tuple[str, bool | int]]
) -> None:
    mark = uuid4()
    names = {"address": f"Address {mark}@Example.org", "device": f"device {mark}"}
    models = {"address": Model(), "device": Model()}
    for what, value in steps:
        if what == "wait":
            await platform.clock.move(timedelta(minutes=int(value)))
            continue
        now = platform.clock.now()
        told = await settle(platform, names[what], bool(value), also=names["address"])
        assert told == models[what].settle(bool(value), now)
        if told == "right" and (models["address"].until is None or models["address"].until <= now):
            models["address"].failures = 0  # success ends the row of the address too, and lifts no lock


@pytest.mark.rule("A5")
@pytest.mark.parametrize("right_ones", [0, 1])
async def test_of_many_at_once_six_are_heard(platform: Platform, right_ones: int) -> None:
    told = await asyncio.gather(
        *(settle(platform, "address a@example.org", number < right_ones) for number in range(30))
    )
    assert told.count("right") <= right_ones
    assert told.count("wrong") <= 5 * (1 + right_ones)
    assert await settle(platform, "address A@EXAMPLE.org", True) == "locked"
    assert await settle(platform, "address b@example.org", True) == "right"


async def test_counts_that_nobody_touched_for_a_month_are_thrown_away(platform: Platform) -> None:
    for number in range(5):
        await settle(platform, f"address {number}", False)
    await platform.clock.move(timedelta(days=31))
    await settle(platform, "address new", False)
    with pytest.raises(Exception, match="permission denied"):
        await DB.fetch("SELECT count(*) FROM attempt")
    assert await settle(platform, "address 1", False) == "wrong"
