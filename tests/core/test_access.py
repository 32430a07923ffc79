"""Access answers whether an actor may do something, and why not."""

from __future__ import annotations

from uuid import UUID

import pytest
from core_stage import FixedPlans, assembled_with, plugin, practice_with, ward

from bedside_core import errors
from bedside_core.access import EVERYONE, LEADERS, OPERATOR, Permission, Refusal, Rule, operation
from bedside_core.auth import Actor, Role
from bedside_core.manifest import Manifest
from bedside_core.platform import Platform
from bedside_core.testing import Database


async def test_nobody_is_told_to_sign_in(fresh_database: Database) -> None:
    async with assembled_with(fresh_database, ward()) as platform:
        refusal = await platform.access.why_not(None, "ward.walk")
    assert refusal is not None
    assert (refusal.rule, refusal.code, refusal.way_on) == (
        Rule.SIGN_IN,
        "UNAUTHENTICATED",
        "Sign in and send the token.",
    )


@pytest.mark.rule("A12")
async def test_a_role_without_the_permission_is_refused_by_name(fresh_database: Database) -> None:
    plans = FixedPlans()
    async with assembled_with(fresh_database, ward(plans)) as platform:
        practice, (owner, staff) = await practice_with(platform, Role.OWNER, Role.STAFF)
        plans.premium.add(practice.id)
        refusal = await platform.access.why_not(staff, "ward.lead")
        assert refusal is not None
        assert (refusal.rule, refusal.permission) == (Rule.ROLE, "ward.lead")
        assert refusal.problem().extensions()["code"] == "FORBIDDEN"
        assert await platform.access.why_not(owner, "ward.lead") is None


@pytest.mark.rule("A12")
@pytest.mark.parametrize(
    ("contact", "only_operator"),
    [
        ("", "Only the operator of this deployment may; ask them."),
        ("help@clinic.example", "Only the operator of this deployment may; ask them: help@clinic.example."),
    ],
)
async def test_a_role_is_sent_to_those_who_may(fresh_database: Database, contact: str, only_operator: str) -> None:
    keys = {
        "desk.plan": OPERATOR,
        "desk.lead": LEADERS | OPERATOR,
        "desk.sign": frozenset({Role.OWNER}),
        "desk.note": EVERYONE - {Role.MANAGER},
    }
    permissions = tuple(Permission(key=key, doc="Do it.", roles=roles) for key, roles in keys.items())
    desk = plugin("desk", Manifest(name="desk", title="Desk", api=">=1.0,<2", permissions=permissions))
    async with assembled_with(fresh_database, desk, support_contact=contact) as platform:
        _, (owner, manager, staff) = await practice_with(platform, Role.OWNER, Role.MANAGER, Role.STAFF)
        operator = Actor(account_id=UUID(int=1), session_id=UUID(int=2), role=Role.OPERATOR)

        async def way_on(actor: Actor, key: str) -> str | None:
            refusal = await platform.access.why_not(actor, key)
            return refusal.way_on if refusal is not None else None

        assert [await way_on(person, "desk.plan") for person in (owner, staff)] == [only_operator] * 2
        assert await way_on(operator, "desk.plan") is None
        assert await way_on(staff, "desk.lead") == "Ask an owner or manager of your practice."
        assert await way_on(manager, "desk.sign") == "Ask an owner of your practice."
        assert await way_on(manager, "desk.note") == "Ask an owner, practitioner or staff member of your practice."
        assert await way_on(operator, "desk.sign") == "Sign in as a member of a practice."


@pytest.mark.rule("L3")
async def test_the_plan_is_asked_before_the_role_and_names_feature_and_tier(fresh_database: Database) -> None:
    async with assembled_with(fresh_database, ward(FixedPlans())) as platform:
        _, (staff,) = await practice_with(platform, Role.STAFF)
        with pytest.raises(errors.FeatureNotInPlan) as refused:
            await platform.access.require(staff, "ward.lead")
    told = refused.value.extensions()
    assert (told["code"], told["feature"], told["tier"]) == ("FEATURE_NOT_IN_PLAN", "rounds", "premium")
    assert told["wayOn"] == "It comes with the premium plan; ask the owner of your practice."


@pytest.mark.rule("L8")
async def test_without_plans_every_feature_is_on(fresh_database: Database) -> None:
    async with assembled_with(fresh_database, ward(), entitlements="plans") as platform:
        practice, (owner,) = await practice_with(platform, Role.OWNER)
        assert await platform.access.why_not(owner, "ward.lead") is None
        assert (await platform.access.states(practice.id))["rounds"].reason == "no_plans"


@pytest.mark.rule("L8")
@pytest.mark.parametrize("how", ["provides nothing", "raises"])
async def test_where_plans_is_configured_and_fails_the_answer_is_no(fresh_database: Database, how: str) -> None:
    plans = FixedPlans()
    plans.failing = True
    async with assembled_with(fresh_database, ward(plans if how == "raises" else None)) as platform:
        practice, (owner,) = await practice_with(platform, Role.OWNER)
        refusal = await platform.access.why_not(owner, "ward.lead")
        assert refusal is not None
        assert refusal.rule is Rule.PLAN
        assert (await platform.access.states(practice.id))["rounds"].reason == "plan_unknown"
        assert await platform.access.why_not(owner, "ward.walk") is None


async def test_a_practice_is_read_once_in_an_operation_and_anew_in_the_next(fresh_database: Database) -> None:
    asked: list[UUID] = []

    class Counting(FixedPlans):
        async def states(self, practice_id: UUID):
            asked.append(practice_id)
            return await super().states(practice_id)

    async with assembled_with(fresh_database, ward(Counting())) as platform:
        practice, _ = await practice_with(platform)
        for _ in range(2):
            with operation():
                for _ in range(3):
                    await platform.access.states(practice.id)
    assert asked == [practice.id, practice.id]


async def test_a_plugin_s_own_rule_about_the_target_has_the_last_word(fresh_database: Database) -> None:
    closed = UUID(int=5)

    async def check(platform: Platform, actor: Actor, target: UUID | None) -> Refusal | None:
        return Refusal(rule=Rule.SWITCH, message="The door is shut.", way_on="Knock.") if target == closed else None

    door = plugin(
        "door",
        Manifest(
            name="door",
            title="Door",
            api=">=1.0,<2",
            permissions=(Permission(key="door.open", doc="Open a door.", check=check),),
        ),
    )
    async with assembled_with(fresh_database, door) as platform:
        _, (owner,) = await practice_with(platform, Role.OWNER)
        assert await platform.access.why_not(owner, "door.open", UUID(int=4)) is None
        refusal = await platform.access.why_not(owner, "door.open", closed)
        assert refusal is not None
        assert (refusal.code, refusal.way_on) == ("SWITCHED_OFF", "Knock.")
        assert await platform.access.why_not(owner, "door.open", closed, about_target=False) is None


@pytest.mark.rule("A12")
def test_no_permission_is_for_practitioners_and_not_for_owners() -> None:
    with pytest.raises(ValueError, match="'desk.sign' is for practitioners and not for owners"):
        Permission(key="desk.sign", doc="Sign.", roles=frozenset({Role.PRACTITIONER, Role.STAFF}))
    assert Permission(key="desk.sign", doc="Sign.", roles=frozenset({Role.PRACTITIONER, Role.OWNER})).roles


async def test_an_unknown_action_is_the_asker_s_mistake(fresh_database: Database) -> None:
    async with assembled_with(fresh_database, ward()) as platform:
        with pytest.raises(errors.InvalidInput):
            await platform.access.why_not(None, "ward.fly")


def test_who_is_outside_is_told_as_if_there_were_nothing() -> None:
    told = Refusal(rule=Rule.MEMBERSHIP, message="There is nothing.", permission="chat.read").problem()
    assert told.extensions() == {"code": "NOT_FOUND", "retryable": False}
