"""Plans in the database: what changes them, who hears of it, and what nobody else sees."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from plans_stage import Cafe

from bedside_core import access as core_access
from bedside_core.access import Reason, Tier
from bedside_core.api import DB, PRACTICE_STREAM, InvalidInput, NotFound, Topic, acting, unit, uuid7
from bedside_core.testing import statements, until
from bedside_plans.api import ItemKind, Plan, PlanChanged, PlanItem, Trial
from bedside_plans.catalogue import LIMITS

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


async def rows() -> list[tuple[Any, ...]]:
    """Everything that the present scope sees of the tables."""
    plans = await DB.fetch("SELECT practice_id, tier, trial_tier, trial_ends_at FROM plan ORDER BY practice_id")
    items = await DB.fetch("SELECT practice_id, kind, key, enabled, amount, ends_at FROM plan_item ORDER BY kind, key")
    return [tuple(row.values()) for row in [*plans, *items]]


async def position(practice_id: UUID) -> int:
    """How often the practice's plan has changed."""
    return (await DB.fetch("SELECT * FROM practice_positions($1)", [practice_id]))[0]["position"]


@pytest.mark.rule("L1")
async def test_a_practice_of_which_nothing_is_stored_is_on_the_lowest_tier(cafe: Cafe) -> None:
    practice = await cafe.practice()
    assert await cafe.plans.plan(practice.id) == Plan(practice_id=practice.id, tier=Tier.STARTER)
    assert await cafe.on(practice) == {"parking", "tea"}
    states = await cafe.access.states(practice.id)
    assert {key: (state.reason, state.tier) for key, state in states.items()} == {
        "parking": (Reason.INCLUDED, None),
        "tea": (Reason.INCLUDED, "starter"),
        "cake": (Reason.NOT_IN_TIER, "enhanced"),
        "band": (Reason.NOT_IN_TIER, "premium"),
    }
    assert await cafe.access.limit(practice.id, "storage_gb") == LIMITS[Tier.STARTER]["storage_gb"]
    assert await cafe.access.limit(practice.id, "spoons") is None


@pytest.mark.rule("L6")
async def test_a_change_counts_at_once_and_is_told_to_streams_and_listeners(cafe: Cafe) -> None:
    practice = await cafe.practice()
    operator = uuid7()
    with cafe.platform.live.attach(Topic(PRACTICE_STREAM, practice.id), after=0) as wake:
        published = cafe.platform.live.counts.published
        changed = await cafe.plans.change_plan(practice.id, Tier.PREMIUM, by=operator)
        assert cafe.platform.live.counts.published == published + 1  # not left for the next poll to find
        async with asyncio.timeout(5):
            assert await wake.wait() == 1
    assert changed.tier is Tier.PREMIUM
    assert changed == await cafe.plans.plan(practice.id)
    assert await cafe.on(practice) == {"parking", "tea", "cake", "band"}
    assert await cafe.access.limit(practice.id, "storage_gb") == LIMITS[Tier.PREMIUM]["storage_gb"]
    await cafe.plans.change_plan(practice.id, Tier.ENHANCED)
    assert await cafe.events() == [
        PlanChanged(practice_id=practice.id, tier=Tier.PREMIUM, gained=("band", "cake"), lost=(), by=operator),
        PlanChanged(practice_id=practice.id, tier=Tier.ENHANCED, gained=(), lost=("band",), by=None),
    ]


@pytest.mark.rule("L6", "G9")
async def test_overrides_add_ons_and_limits_are_one_of_each_key(cafe: Cafe) -> None:
    practice = await cafe.practice()
    now = cafe.platform.clock.now()
    off = PlanItem(kind=ItemKind.OVERRIDE, key="tea", enabled=False)
    cake = PlanItem(kind=ItemKind.ADD_ON, key="cake", ends_at=now + DAY)
    gigabytes = PlanItem(kind=ItemKind.LIMIT, key="storage_gb", amount=7)
    for item in (off, cake, gigabytes, off):
        plan = await cafe.plans.set_item(practice.id, item)
    assert plan.items == (cake, gigabytes, off)
    assert await cafe.on(practice) == {"parking", "cake"}
    assert await cafe.access.limit(practice.id, "storage_gb") == 7

    on = PlanItem(kind=ItemKind.OVERRIDE, key="tea", enabled=True, ends_at=now + DAY)
    unlimited = PlanItem(kind=ItemKind.LIMIT, key="storage_gb", amount=None)
    await cafe.plans.set_item(practice.id, on)
    plan = await cafe.plans.set_item(practice.id, unlimited)
    assert plan.items == (cake, unlimited, on)
    assert await cafe.on(practice) == {"parking", "cake", "tea"}
    assert await cafe.access.limit(practice.id, "storage_gb") is None

    for kind, key in ((ItemKind.OVERRIDE, "tea"), (ItemKind.ADD_ON, "cake"), (ItemKind.LIMIT, "storage_gb")):
        plan = await cafe.plans.remove_item(practice.id, kind, key)
    assert plan == await cafe.plans.plan(practice.id)
    assert plan.items == ()
    assert await cafe.on(practice) == {"parking", "tea"}


@pytest.mark.rule("G9")
async def test_a_repeated_change_changes_and_tells_nothing(cafe: Cafe) -> None:
    practice = await cafe.practice()
    item = PlanItem(kind=ItemKind.ADD_ON, key="band", ends_at=cafe.platform.clock.now() + DAY)
    first = await cafe.plans.change_plan(practice.id, Tier.ENHANCED)
    second = await cafe.plans.set_item(practice.id, item)
    assert len(await cafe.events()) == 2
    assert await cafe.plans.set_item(practice.id, item) == second
    assert await cafe.plans.change_plan(practice.id, Tier.ENHANCED) == second
    assert await cafe.plans.remove_item(practice.id, ItemKind.OVERRIDE, "band") == second
    assert first.changed_at is not None
    assert len(await cafe.events()) == 2


@pytest.mark.rule("L6")
async def test_a_trial_steps_down_by_itself_to_the_practices_own_tier(cafe: Cafe) -> None:
    practice = await cafe.practice()
    await cafe.plans.change_plan(practice.id, Tier.ENHANCED)
    end = cafe.platform.clock.now() + DAY
    plan = await cafe.plans.change_plan(practice.id, Tier.PREMIUM, trial_until=end)
    assert (plan.tier, plan.trial) == (Tier.ENHANCED, Trial(tier=Tier.PREMIUM, ends_at=end))
    states = await cafe.access.states(practice.id)
    assert (states["band"].enabled, states["band"].reason) == (True, Reason.TRIAL)
    assert await cafe.access.limit(practice.id, "session_people") == LIMITS[Tier.PREMIUM]["session_people"]

    await cafe.platform.clock.move(DAY)
    states = await cafe.access.states(practice.id)
    assert (states["band"].enabled, states["band"].reason) == (False, Reason.NOT_IN_TIER)
    assert (states["cake"].enabled, states["cake"].reason) == (True, Reason.INCLUDED)
    assert await cafe.access.limit(practice.id, "session_people") == LIMITS[Tier.ENHANCED]["session_people"]


@pytest.mark.rule("L6")
async def test_putting_a_practice_on_a_tier_ends_its_trial(cafe: Cafe) -> None:
    practice = await cafe.practice()
    await cafe.plans.change_plan(practice.id, Tier.PREMIUM, trial_until=cafe.platform.clock.now() + DAY)
    plan = await cafe.plans.change_plan(practice.id, Tier.STARTER)
    assert (plan.tier, plan.trial) == (Tier.STARTER, None)
    assert await cafe.on(practice) == {"parking", "tea"}


@pytest.mark.rule("L4", "L6")
async def test_people_are_told_once_of_what_has_ended(cafe: Cafe) -> None:
    practice = await cafe.practice()
    now = cafe.platform.clock.now()
    await cafe.plans.change_plan(practice.id, Tier.PREMIUM, trial_until=now + DAY)
    await cafe.plans.set_item(practice.id, PlanItem(kind=ItemKind.ADD_ON, key="cake", ends_at=now + 2 * DAY))
    assert await cafe.plans.tell_ended(practice.id) is False
    told = len(await cafe.events())

    await cafe.platform.clock.move(DAY)
    before = await position(practice.id)
    assert await cafe.plans.tell_ended(practice.id) is True
    assert await position(practice.id) == before + 1
    assert await cafe.plans.tell_ended(practice.id) is False
    await cafe.platform.clock.move(DAY)
    assert await cafe.plans.tell_ended(practice.id) is True
    assert await cafe.plans.tell_ended(practice.id) is False
    assert (await cafe.events())[told:] == [
        PlanChanged(practice_id=practice.id, tier=Tier.STARTER, gained=(), lost=("band",), by=None),
        PlanChanged(practice_id=practice.id, tier=Tier.STARTER, gained=(), lost=("cake",), by=None),
    ]


@pytest.mark.rule("L6")
async def test_a_change_tells_also_of_what_ended_just_before_it(cafe: Cafe) -> None:
    practice = await cafe.practice()
    await cafe.plans.change_plan(practice.id, Tier.PREMIUM, trial_until=cafe.platform.clock.now() + DAY)
    await cafe.platform.clock.move(DAY)
    await cafe.plans.set_item(practice.id, PlanItem(kind=ItemKind.ADD_ON, key="cake"))
    event = (await cafe.events())[-1]
    assert isinstance(event, PlanChanged)
    assert (event.gained, event.lost) == ((), ("band",))
    assert await cafe.plans.tell_ended(practice.id) is False


@pytest.mark.rule("L5")
async def test_a_preview_tells_what_a_tier_would_give_and_take_and_changes_nothing(cafe: Cafe) -> None:
    practice = await cafe.practice()
    await cafe.plans.change_plan(practice.id, Tier.PREMIUM)
    await cafe.plans.set_item(practice.id, PlanItem(kind=ItemKind.ADD_ON, key="cake"))
    await cafe.plans.set_item(practice.id, PlanItem(kind=ItemKind.LIMIT, key="storage_gb", amount=3))
    stored, at = await cafe.plans.plan(practice.id), await position(practice.id)
    change = await cafe.plans.preview(practice.id, Tier.STARTER)
    assert (change.gained, change.lost) == ((), ("band",))
    premium, starter = LIMITS[Tier.PREMIUM]["session_people"], LIMITS[Tier.STARTER]["session_people"]
    assert [(limit.key, limit.before, limit.after, limit.shrinks) for limit in change.limits] == [
        ("session_people", premium, starter, True)
    ]
    assert await cafe.plans.plan(practice.id) == stored
    assert await position(practice.id) == at
    before = await cafe.on(practice)
    await cafe.plans.change_plan(practice.id, Tier.STARTER)
    assert before - await cafe.on(practice) == {"band"}


async def test_what_cant_be_is_refused_naming_the_field_and_changes_nothing(cafe: Cafe) -> None:
    practice = await cafe.practice()
    await cafe.plans.change_plan(practice.id, Tier.ENHANCED)
    now, told = cafe.platform.clock.now(), len(await cafe.events())
    with acting(practice.id):
        before = await rows()
    plans = cafe.plans

    def item(kind: ItemKind, key: str, **more: Any) -> Callable[[], Awaitable[Plan]]:
        return lambda: plans.set_item(practice.id, PlanItem(kind=kind, key=key, **more))

    refused: list[tuple[Callable[[], Awaitable[Plan]], str]] = [
        (lambda: plans.change_plan(practice.id, Tier.PREMIUM, trial_until=now - HOUR), "trialUntil"),
        (lambda: plans.change_plan(practice.id, Tier.ENHANCED, trial_until=now + HOUR), "tier"),
        (lambda: plans.change_plan(practice.id, Tier.STARTER, trial_until=now + HOUR), "tier"),
        (item(ItemKind.OVERRIDE, "cak"), "feature"),
        (item(ItemKind.ADD_ON, "storage_gb"), "feature"),
        (item(ItemKind.LIMIT, "cake", amount=1), "key"),
        (item(ItemKind.LIMIT, "storage_gb", amount=-1), "amount"),
        (item(ItemKind.LIMIT, "storage_gb", amount=2**31), "amount"),
        (item(ItemKind.OVERRIDE, "cake", ends_at=now - HOUR), "endsAt"),
    ]
    for attempt, field in refused:
        with pytest.raises(InvalidInput) as problem:
            await attempt()
        assert problem.value.field == (field,)
    with acting(practice.id):
        assert await rows() == before
    assert len(await cafe.events()) == told


async def test_a_practice_that_does_not_exist_is_not_found(cafe: Cafe) -> None:
    with pytest.raises(NotFound):
        await cafe.plans.change_plan(uuid7(), Tier.PREMIUM)
    with pytest.raises(NotFound):
        await cafe.plans.remove_item(uuid7(), ItemKind.ADD_ON, "cake")
    assert await cafe.events() == []


@pytest.mark.rule("L4")
async def test_a_change_is_seen_later_in_the_same_operation(cafe: Cafe) -> None:
    practice = await cafe.practice()
    with core_access.operation():
        assert "band" not in await cafe.on(practice)
        await cafe.plans.change_plan(practice.id, Tier.PREMIUM)
        assert "band" in await cafe.on(practice)


async def test_each_answer_costs_one_statement(cafe: Cafe) -> None:
    practice = await cafe.practice()
    for key in ("tea", "cake", "band"):
        await cafe.plans.set_item(practice.id, PlanItem(kind=ItemKind.OVERRIDE, key=key))
    with statements() as ran:
        await cafe.plans.states(practice.id)
    assert len(ran) == 1
    with statements() as ran:
        await cafe.plans.limit(practice.id, "storage_gb")
    assert len(ran) == 1
    with statements() as ran, core_access.operation():
        for _ in range(5):
            await cafe.access.states(practice.id)
    assert len(ran) == 1
    with statements() as ran:
        await cafe.plans.change_plan(practice.id, Tier.PREMIUM)
    assert len(ran) == 4  # the last enters it in the audit trail


async def test_row_level_security_hides_a_plan_from_other_practices(cafe: Cafe) -> None:
    own, other = await cafe.practice("Eastside"), await cafe.practice("Westside")
    await cafe.plans.set_item(own.id, PlanItem(kind=ItemKind.ADD_ON, key="cake"))
    await cafe.plans.change_plan(own.id, Tier.PREMIUM)
    with acting(own.id):
        assert len(await rows()) == 2
    for scope in (other.id, None):
        with acting(scope):
            assert await rows() == []
            assert await DB.execute("UPDATE plan SET tier = 'starter'") == "UPDATE 0"
            assert await DB.execute("DELETE FROM plan_item") == "DELETE 0"
    with acting(other.id), pytest.raises(Exception, match="row-level security"):
        await DB.execute(
            "INSERT INTO plan (practice_id, tier, changed_at) VALUES ($1, 'premium', $2)",
            own.id,
            cafe.platform.clock.now(),
        )
    assert "band" in await cafe.on(own)
    assert "band" not in await cafe.on(other)


@pytest.mark.rule("L9")
async def test_the_owning_practices_plan_is_known_while_another_acts_also_in_a_transaction(cafe: Cafe) -> None:
    owner, guest = await cafe.practice("Eastside"), await cafe.practice("Westside")
    await cafe.plans.change_plan(owner.id, Tier.PREMIUM)
    with acting(guest.id):
        async with unit():
            assert await cafe.access.limit(owner.id, "storage_gb") == LIMITS[Tier.PREMIUM]["storage_gb"]
            assert await cafe.access.limit(guest.id, "storage_gb") == LIMITS[Tier.STARTER]["storage_gb"]
            assert "band" in await cafe.on(owner)
            assert "band" not in await cafe.on(guest)


async def test_changes_of_one_plan_at_the_same_time_lose_nothing(cafe: Cafe) -> None:
    practice = await cafe.practice()
    keys = ("parking", "tea", "cake", "band")
    await asyncio.gather(
        *(cafe.plans.set_item(practice.id, PlanItem(kind=ItemKind.OVERRIDE, key=key)) for key in keys),
        *(cafe.plans.set_item(practice.id, PlanItem(kind=ItemKind.ADD_ON, key=key)) for key in keys),
        cafe.plans.change_plan(practice.id, Tier.ENHANCED),
    )
    plan = await cafe.plans.plan(practice.id)
    assert {(item.kind, item.key) for item in plan.items} == {
        (kind, key) for kind in (ItemKind.OVERRIDE, ItemKind.ADD_ON) for key in keys
    }
    assert plan.tier is Tier.ENHANCED
    events = [event for event in await cafe.events() if isinstance(event, PlanChanged)]
    assert sorted(key for event in events for key in event.gained) == ["band", "cake"]


@pytest.mark.rule("L4")
async def test_who_follows_a_practice_hears_the_present_state_and_then_each_change(cafe: Cafe) -> None:
    practice, other = await cafe.practice("Eastside"), await cafe.practice("Westside")
    await cafe.plans.change_plan(practice.id, Tier.ENHANCED)
    heard: list[set[str]] = []

    async def follow() -> None:
        async for _ in cafe.plans.changes(practice.id):
            heard.append(await cafe.on(practice))

    task = asyncio.create_task(follow())
    try:
        await until(lambda: len(heard) == 1, "the present state")
        await cafe.plans.change_plan(other.id, Tier.PREMIUM)
        await cafe.plans.change_plan(practice.id, Tier.PREMIUM)
        await until(lambda: len(heard) == 2, "the upgrade")
        await cafe.plans.change_plan(practice.id, Tier.STARTER)
        await until(lambda: len(heard) == 3, "the downgrade")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert heard == [{"parking", "tea", "cake"}, {"parking", "tea", "cake", "band"}, {"parking", "tea"}]
    assert cafe.platform.live.attached == 1  # the clock's
