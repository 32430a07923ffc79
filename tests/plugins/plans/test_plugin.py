"""Plans as a plugin: the operator's part is checked at start, and where plans is away the answer is the safe one."""

from __future__ import annotations

from datetime import timedelta
from types import ModuleType

import pytest
from plans_stage import FEATURES, Cafe, opened

from bedside_core.access import Reason, Tier
from bedside_core.api import JobRun, Manifest, Role, hookimpl
from bedside_core.errors import FeatureNotInPlan, Unavailable
from bedside_core.plugins import PluginError, Status
from bedside_core.testing import Database
from bedside_plans.api import Plan, PlanChanged
from bedside_plans.jobs import TELL_ENDED
from bedside_plans.service import PlanService

DAY = timedelta(days=1)
EVERYTHING = {feature.key for feature in FEATURES}
REASON = (
    "BadPlans: no plugin named in BEDSIDE_PLUGINS declares the feature choir; declared are: band, cake, parking, tea"
)


async def refused(cafe: Cafe, feature: str) -> str | None:
    """The code with which a feature is refused to an owner."""
    practice = await cafe.practice()
    owner = await cafe.member(practice, Role.OWNER)
    refusal = await cafe.access.why_not(owner, "practice.read", feature=feature)
    return refusal.code if refusal else None


@pytest.mark.rule("L7")
async def test_an_operator_maps_any_declared_feature_to_a_tier(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEDSIDE_PLANS_FEATURES", '{"parking": "enhanced", "band": "starter"}')
    async with opened(fresh_database) as cafe:
        practice = await cafe.practice()
        states = await cafe.access.states(practice.id)
        assert {key: (state.enabled, state.tier) for key, state in states.items()} == {
            "parking": (False, "enhanced"),
            "tea": (True, "starter"),
            "cake": (False, "enhanced"),
            "band": (True, "starter"),
        }
        await cafe.plans.change_plan(practice.id, Tier.ENHANCED)
        assert await cafe.on(practice) == EVERYTHING


@pytest.mark.rule("L7", "L8")
async def test_a_mapping_of_what_nobody_declares_stops_plans_with_the_reason_and_then_everything_is_refused(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEDSIDE_PLANS_FEATURES", '{"choir": "enhanced"}')
    with pytest.raises(PluginError, match="^plugin plans: .*BadPlans: no plugin"):
        async with opened(fresh_database):
            pass
    async with opened(fresh_database, strict=False) as cafe:
        [report] = [report for report in cafe.platform.plugins.report() if report.name == "plans"]
        assert report.status is Status.FAILED
        assert report.reason is not None
        assert report.reason.endswith(REASON)
        practice = await cafe.practice()
        assert await cafe.on(practice) == set()
        assert await refused(cafe, "parking") == "FEATURE_NOT_IN_PLAN"


async def test_the_mapping_of_a_plugin_that_has_failed_is_no_reason_to_refuse_everybody_everything(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    @hookimpl
    def manifest() -> Manifest:
        raise ZeroDivisionError

    partner = ModuleType("partner")
    vars(partner).update(manifest=manifest)
    monkeypatch.setenv("BEDSIDE_PLANS_FEATURES", '{"choir": "enhanced", "band": "starter"}')
    plugins = ("graphql", "plans", "cafe", "partner")
    async with opened(fresh_database, others={"partner": partner}, plugins=plugins, strict=False) as cafe:
        assert not cafe.platform.plugins.active("partner")
        practice = await cafe.practice()
        assert await cafe.on(practice) == {"parking", "tea", "band"}


@pytest.mark.rule("L8")
async def test_where_plans_is_not_configured_every_feature_is_on(fresh_database: Database) -> None:
    async with opened(fresh_database, plugins=("graphql", "cafe")) as cafe:
        practice = await cafe.practice()
        assert await cafe.on(practice) == EVERYTHING
        assert {state.reason for state in (await cafe.access.states(practice.id)).values()} == {Reason.NO_PLANS}
        assert await refused(cafe, "band") is None
        assert await cafe.access.limit(practice.id, "storage_gb") is None


@pytest.mark.rule("L8")
async def test_where_plans_fails_to_answer_the_answer_is_no(cafe: Cafe, monkeypatch: pytest.MonkeyPatch) -> None:
    practice = await cafe.practice()
    await cafe.plans.change_plan(practice.id, Tier.PREMIUM)

    async def broken(self: PlanService, practice_id: object) -> Plan:
        raise ZeroDivisionError

    monkeypatch.setattr(PlanService, "plan", broken)
    assert await cafe.on(practice) == set()
    assert {state.reason for state in (await cafe.access.states(practice.id)).values()} == {Reason.PLAN_UNKNOWN}
    owner = await cafe.member(practice, Role.OWNER)
    with pytest.raises(FeatureNotInPlan):
        await cafe.access.require(owner, "practice.read", feature="tea")
    with pytest.raises(ZeroDivisionError):
        await cafe.access.limit(practice.id, "storage_gb")


@pytest.mark.rule("L8")
async def test_where_the_database_is_away_the_caller_is_told_to_come_back(
    cafe: Cafe, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(self: PlanService, practice_id: object) -> Plan:
        raise Unavailable("The database is away.")

    monkeypatch.setattr(PlanService, "plan", away)
    practice = await cafe.practice()
    with pytest.raises(Unavailable):
        await cafe.on(practice)


@pytest.mark.rule("L4", "L6")
async def test_the_minute_job_tells_of_a_trial_that_has_ended(cafe: Cafe) -> None:
    practice = await cafe.practice()
    now = cafe.platform.clock.now()
    await cafe.plans.change_plan(practice.id, Tier.PREMIUM, trial_until=now + DAY)
    run = JobRun(platform=cafe.platform, practice_id=practice.id, payload={"due_at": now.isoformat()}, attempt=1)
    await TELL_ENDED.function(run)
    assert len(await cafe.events()) == 1
    await cafe.platform.clock.move(DAY)
    await TELL_ENDED.function(run)
    await TELL_ENDED.function(run)
    assert (await cafe.events())[1:] == [
        PlanChanged(practice_id=practice.id, tier=Tier.STARTER, gained=(), lost=("band", "cake"), by=None)
    ]
    assert TELL_ENDED.schedule == "* * * * *"
