"""What a plan gives at an instant: properties that hold of every plan, and the rules about tiers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bedside_chat import plugin as chat
from bedside_core.access import Feature, Reason, Tier
from bedside_plans.api import ItemKind, LimitChange, Plan, PlanItem, Trial
from bedside_plans.catalogue import LIMITS, TIERS, Catalogue, catalogue_of, ended, tier_at, with_item, without
from bedside_plans.settings import Mapped

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
PRACTICE = UUID(int=1)
KEYS = ("alpha", "beta", "gamma", "delta")
LIMIT_KEYS = tuple(LIMITS[Tier.STARTER])

tiers = st.sampled_from(TIERS)
instants = st.integers(-100, 100).map(lambda hours: NOW + timedelta(hours=hours))
ends = st.none() | instants
items = st.one_of(
    st.builds(
        PlanItem,
        kind=st.just(ItemKind.OVERRIDE),
        key=st.sampled_from(KEYS),
        enabled=st.booleans(),
        amount=st.none(),
        ends_at=ends,
    ),
    st.builds(
        PlanItem,
        kind=st.just(ItemKind.ADD_ON),
        key=st.sampled_from(KEYS),
        enabled=st.just(True),
        amount=st.none(),
        ends_at=ends,
    ),
    st.builds(
        PlanItem,
        kind=st.just(ItemKind.LIMIT),
        key=st.sampled_from(LIMIT_KEYS),
        enabled=st.just(True),
        amount=st.none() | st.integers(0, 2000),
        ends_at=ends,
    ),
)
plans = st.builds(
    Plan,
    practice_id=st.just(PRACTICE),
    tier=tiers,
    trial=st.none() | st.builds(Trial, tier=tiers, ends_at=instants),
    items=st.lists(items, unique_by=lambda item: (item.kind, item.key), max_size=8).map(tuple),
    changed_at=st.none() | instants,
)
catalogues = st.fixed_dictionaries({key: st.none() | tiers for key in KEYS}).map(
    lambda lowest: catalogue_of(
        [Feature(key=key, title=key, doc=key, tier=tier) for key, tier in lowest.items()], Mapped()
    )
)


def holds_for(*strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A property of everything that the strategies make, however slow the machine."""
    slow = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    return lambda test: slow(given(*strategies)(test))


def on(catalogue: Catalogue, plan: Plan, now: datetime = NOW) -> set[str]:
    """The features that a plan gives."""
    return {key for key, state in catalogue.states(plan, now).items() if state.enabled}


def amounts(catalogue: Catalogue, plan: Plan, now: datetime = NOW) -> dict[str, int | None]:
    """The limits in force."""
    return {key: limit.amount for key, limit in catalogue.limits_of(plan, now).items()}


def counting(plan: Plan, now: datetime) -> Plan:
    """The plan without what has ended."""
    trial = plan.trial if plan.trial and plan.trial.ends_at > now else None
    return replace(plan, trial=trial, items=tuple(i for i in plan.items if i.ends_at is None or i.ends_at > now))


@pytest.mark.rule("L1")
@holds_for(catalogues, plans)
def test_a_tier_has_everything_of_the_lower_ones(catalogue: Catalogue, plan: Plan) -> None:
    given_by = [on(catalogue, replace(plan, tier=tier)) for tier in TIERS]
    assert given_by[0] <= given_by[1] <= given_by[2]
    bare = [on(catalogue, Plan(practice_id=PRACTICE, tier=tier)) for tier in TIERS]
    for number, tier in enumerate(TIERS):
        assert bare[number] == {
            key for key, lowest in catalogue.tiers.items() if lowest is None or TIERS.index(lowest) <= number
        }
        assert bare[number] <= on(
            catalogue, Plan(practice_id=PRACTICE, tier=Tier.STARTER, trial=Trial(tier=tier, ends_at=NOW + MOMENT))
        )


@pytest.mark.rule("L6")
@holds_for(catalogues, plans, st.sampled_from(KEYS), st.booleans())
def test_an_override_beats_everything_else(catalogue: Catalogue, plan: Plan, key: str, enabled: bool) -> None:
    override = PlanItem(kind=ItemKind.OVERRIDE, key=key, enabled=enabled, ends_at=NOW + MOMENT)
    overridden = with_item(plan, override)
    state = catalogue.states(overridden, NOW)[key]
    assert (state.enabled, state.reason) == (enabled, Reason.OVERRIDE if enabled else Reason.SWITCHED_OFF)
    assert on(catalogue, overridden) - {key} == on(catalogue, plan) - {key}


@pytest.mark.rule("L6")
@holds_for(catalogues, plans, instants)
def test_what_has_ended_counts_no_more_and_what_has_not_counts(catalogue: Catalogue, plan: Plan, now: datetime) -> None:
    assert catalogue.states(plan, now) == catalogue.states(counting(plan, now), now)
    assert amounts(catalogue, plan, now) == amounts(catalogue, counting(plan, now), now)
    assert tier_at(plan, now) == tier_at(counting(plan, now), now)


@pytest.mark.rule("L6")
@holds_for(catalogues, tiers, tiers, instants)
def test_a_trial_gives_its_tier_until_it_ends_and_then_steps_down(
    catalogue: Catalogue, own: Tier, tried: Tier, end: datetime
) -> None:
    plan = Plan(practice_id=PRACTICE, tier=own, trial=Trial(tier=tried, ends_at=end))
    higher = max(own, tried, key=TIERS.index)
    before, after = end - MOMENT, end
    assert on(catalogue, plan, before) == on(catalogue, Plan(practice_id=PRACTICE, tier=higher))
    assert amounts(catalogue, plan, before) == LIMITS[higher]
    assert on(catalogue, plan, after) == on(catalogue, Plan(practice_id=PRACTICE, tier=own))
    assert amounts(catalogue, plan, after) == LIMITS[own]


@pytest.mark.rule("L6")
@holds_for(catalogues, plans, st.sampled_from(KEYS))
def test_an_add_on_gives_what_the_tier_lacks_until_it_ends(catalogue: Catalogue, plan: Plan, key: str) -> None:
    plain = without(without(plan, ItemKind.OVERRIDE, key), ItemKind.ADD_ON, key)
    added = with_item(plain, PlanItem(kind=ItemKind.ADD_ON, key=key, ends_at=NOW))
    assert on(catalogue, added, NOW - MOMENT) == on(catalogue, plain, NOW - MOMENT) | {key}
    assert on(catalogue, added, NOW) == on(catalogue, plain, NOW)


@pytest.mark.rule("L6")
@holds_for(catalogues, plans, st.sampled_from(LIMIT_KEYS), st.none() | st.integers(0, 2000))
def test_a_limit_of_the_practices_own_counts_instead_of_the_tiers_until_it_ends(
    catalogue: Catalogue, plan: Plan, key: str, amount: int | None
) -> None:
    plain = without(plan, ItemKind.LIMIT, key)
    item = PlanItem(kind=ItemKind.LIMIT, key=key, amount=amount, ends_at=NOW)
    own = with_item(plain, item)
    limit = catalogue.limits_of(own, NOW - MOMENT)[key]
    assert (limit.amount, limit.own) == (amount, item)
    assert amounts(catalogue, own, NOW) == amounts(catalogue, plain, NOW)
    assert catalogue.limits_of(plain, NOW)[key].amount == LIMITS[tier_at(plain, NOW)][key]


@holds_for(catalogues, plans)
def test_a_reason_agrees_with_its_answer(catalogue: Catalogue, plan: Plan) -> None:
    no = {Reason.NOT_IN_TIER, Reason.SWITCHED_OFF}
    yes = {Reason.INCLUDED, Reason.OVERRIDE, Reason.ADD_ON, Reason.TRIAL}
    states = catalogue.states(plan, NOW)
    assert {state.reason for state in states.values() if state.enabled} <= yes
    assert {state.reason for state in states.values() if not state.enabled} <= no
    assert {key: state.tier for key, state in states.items()} == catalogue.tiers


@pytest.mark.rule("L5")
@holds_for(catalogues, plans, plans)
def test_a_difference_is_exactly_what_the_states_and_limits_differ_in(
    catalogue: Catalogue, before: Plan, after: Plan
) -> None:
    change = catalogue.difference(before, after, NOW)
    had, has = on(catalogue, before), on(catalogue, after)
    assert set(change.lost) == had - has
    assert set(change.gained) == has - had
    was, is_ = amounts(catalogue, before), amounts(catalogue, after)
    assert {limit.key: (limit.before, limit.after) for limit in change.limits} == {
        key: (was[key], is_[key]) for key in was if was[key] != is_[key]
    }
    assert [*change.lost] == sorted(change.lost)
    assert [*change.gained] == sorted(change.gained)


@holds_for(catalogues, plans)
def test_a_plan_differs_in_nothing_from_itself(catalogue: Catalogue, plan: Plan) -> None:
    change = catalogue.difference(plan, plan, NOW)
    assert (change.gained, change.lost, change.limits) == ((), (), ())


@holds_for(catalogues, plans, instants, instants)
def test_only_something_that_has_ended_makes_a_plan_give_otherwise_than_when_it_was_changed(
    catalogue: Catalogue, plan: Plan, changed_at: datetime, now: datetime
) -> None:
    plan = replace(plan, changed_at=min(changed_at, now))
    if not ended(plan, now):
        change = catalogue.difference(plan, plan, now, since=plan.changed_at)
        assert (change.gained, change.lost, change.limits) == ((), (), ())


@pytest.mark.parametrize(
    ("before", "after", "shrinks"),
    [(None, 5, True), (5, 4, True), (5, 5, False), (4, 5, False), (5, None, False), (None, None, False)],
)
def test_a_limit_shrinks_where_less_is_allowed_and_none_is_the_most(
    before: int | None, after: int | None, shrinks: bool
) -> None:
    assert LimitChange(key="storage_gb", before=before, after=after).shrinks is shrinks


@pytest.mark.rule("L2")
def test_chats_features_are_on_the_tiers_that_the_rule_names() -> None:
    catalogue = catalogue_of(chat.manifest().features, Mapped())
    given_by = {tier: on(catalogue, Plan(practice_id=PRACTICE, tier=tier)) for tier in TIERS}
    assert given_by == {
        Tier.STARTER: {"file_share"},
        Tier.ENHANCED: {"file_share", "patient_messages"},
        Tier.PREMIUM: {"file_share", "patient_messages", "team_chat"},
    }


@pytest.mark.rule("L7")
def test_the_limits_differ_by_tier_and_never_shrink_upwards() -> None:
    for key in LIMIT_KEYS:
        amount = [LIMITS[tier][key] for tier in TIERS]
        assert amount == sorted(set(amount))  # pyright: ignore[reportArgumentType]
    assert set(LIMIT_KEYS) == {"storage_gb", "session_people"}
