"""Plans over GraphQL: who sees what, who changes what, and what a client hears at once."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import strawberry
from plans_stage import Cafe

from bedside_core.access import LEADERS, Tier
from bedside_core.api import Actor, Practice, Role, acting, uuid7
from bedside_graphql import platform as graphql_platform
from bedside_graphql.api import Context, GraphQLPart, Info, gate
from bedside_graphql.config import GraphQLConfig
from bedside_graphql.execute import Executor
from bedside_graphql.request import GraphQLRequest
from bedside_graphql.schema import Schema
from bedside_plans import schema
from bedside_plans.api import PlanChanged
from bedside_plans.catalogue import LIMITS

DAY = timedelta(days=1)
OPERATOR = Actor(account_id=uuid7(), session_id=uuid7(), role=Role.OPERATOR)
FEATURES = "features { key enabled reason tier }"
PLAN = """tier trial { tier endsAt } overrides { feature enabled endsAt } addOns { feature endsAt }
    limits { key amount own }"""

tunes: list[str] = []


@strawberry.type
class BandQuery:
    @strawberry.field(description="What the band plays.", extensions=[gate("practice.read", "band")])
    async def band(self, info: Info) -> str | None:
        return "a march"


@strawberry.type
class BandMutation:
    @strawberry.mutation(description="Have the band play.", extensions=[gate("practice.read", "band")])
    async def play(self, info: Info, tune: str) -> bool | None:
        tunes.append(tune)
        return True


PARTS = {
    "graphql": [graphql_platform.PART],
    "plans": [schema.PART],
    "cafe": [GraphQLPart(query=BandQuery, mutation=BandMutation)],
}


class Desk:
    """Where documents are handed in."""

    def __init__(self, cafe: Cafe) -> None:
        self.cafe = cafe
        self.executor = Executor(Schema(PARTS)._schema, GraphQLConfig())

    def context(self, actor: Actor | None, *, live: bool = False) -> Context:
        return Context(self.cafe.platform, actor, request_id="test", live=live)

    async def ask(self, actor: Actor | None, document: str, **variables: Any) -> dict[str, Any]:
        """The whole answer."""
        answer = await self.executor.execute(GraphQLRequest(query=document, variables=variables), self.context(actor))
        return answer.body

    async def data(self, actor: Actor | None, document: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        body = await self.ask(actor, document, **variables)
        assert "errors" not in body, body
        return body["data"]

    async def code(self, actor: Actor | None, document: str, **variables: Any) -> str:
        """The code of the one error of an answer."""
        body = await self.ask(actor, document, **variables)
        [error] = body["errors"]
        return error["extensions"]["code"]

    async def follow(self, actor: Actor, document: str) -> AsyncGenerator[dict[str, Any], None]:
        """The answers of a subscription."""
        context = self.context(actor, live=True)
        ready = await self.executor.prepare(GraphQLRequest(query=document), actor, "")
        async with aclosing(await self.executor.subscribe(ready, context)) as answers:
            async for answer in answers:
                yield json.loads(answer)


@pytest.fixture
def desk(cafe: Cafe) -> Desk:
    tunes.clear()
    return Desk(cafe)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def stored(desk: Desk, practice: Practice) -> Any:
    return await desk.cafe.plans.plan(practice.id)


@pytest.mark.rule("L3")
async def test_practice_features_tell_what_is_on_and_why_not(desk: Desk) -> None:
    practice = await desk.cafe.practice()
    staff = await desk.cafe.member(practice, Role.STAFF)
    await desk.cafe.plans.change_plan(practice.id, Tier.ENHANCED)
    body = await desk.data(staff, f"{{ practice {{ {FEATURES} }} }}")
    assert body["practice"]["features"] == [
        {"key": "band", "enabled": False, "reason": "NOT_IN_TIER", "tier": "premium"},
        {"key": "cake", "enabled": True, "reason": "INCLUDED", "tier": "enhanced"},
        {"key": "parking", "enabled": True, "reason": "INCLUDED", "tier": None},
        {"key": "tea", "enabled": True, "reason": "INCLUDED", "tier": "starter"},
    ]


@pytest.mark.rule("L3", "L4")
async def test_a_gate_follows_the_plan_at_once_and_the_rest_of_the_query_is_answered(desk: Desk) -> None:
    practice = await desk.cafe.practice()
    owner = await desk.cafe.member(practice, Role.OWNER)
    await desk.cafe.plans.change_plan(practice.id, Tier.PREMIUM)
    assert await desk.data(owner, "{ band practice { name } }") == {"band": "a march", "practice": {"name": "Eastside"}}
    assert await desk.data(owner, 'mutation { play(tune: "first") }') == {"play": True}

    await desk.data(
        OPERATOR,
        "mutation($id: ID!) { changePlan(practiceId: $id, tier: starter) { tier } }",
        id=str(practice.id),
    )
    body = await desk.ask(owner, "{ band practice { name } }")
    assert body["data"] == {"band": None, "practice": {"name": "Eastside"}}
    [error] = body["errors"]
    assert error["path"] == ["band"]
    assert error["extensions"]["code"] == "FEATURE_NOT_IN_PLAN"
    assert (error["extensions"]["feature"], error["extensions"]["tier"]) == ("band", "premium")
    assert await desk.code(owner, 'mutation { play(tune: "second") }') == "FEATURE_NOT_IN_PLAN"
    assert tunes == ["first"]

    await desk.data(
        OPERATOR,
        "mutation($id: ID!) { changePlan(practiceId: $id, tier: premium) { tier } }",
        id=str(practice.id),
    )
    assert await desk.data(owner, 'mutation { play(tune: "third") }') == {"play": True}
    assert tunes == ["first", "third"]


@pytest.mark.rule("L6")
async def test_the_operator_changes_everything_of_a_plan_and_owners_see_it(desk: Desk) -> None:
    practice = await desk.cafe.practice()
    owner = await desk.cafe.member(practice, Role.OWNER)
    end = datetime.now(UTC).replace(microsecond=0) + DAY
    answer = await desk.data(
        OPERATOR,
        f"""mutation($id: ID!, $end: DateTime!) {{
            changePlan(practiceId: $id, tier: enhanced, trialUntil: $end) {{ tier }}
            setPlanOverride(practiceId: $id, feature: "tea", enabled: false, endsAt: $end) {{ tier }}
            setPlanAddOn(practiceId: $id, feature: "band") {{ tier }}
            setPlanLimit(practiceId: $id, key: "storage_gb", amount: 5) {{ {PLAN} }}
        }}""",
        id=str(practice.id),
        end=end.isoformat(),
    )
    ends_at = end.isoformat().replace("+00:00", "Z")
    plan = {
        "tier": "starter",
        "trial": {"tier": "enhanced", "endsAt": ends_at},
        "overrides": [{"feature": "tea", "enabled": False, "endsAt": ends_at}],
        "addOns": [{"feature": "band", "endsAt": None}],
        "limits": [
            {"key": "session_people", "amount": LIMITS[Tier.ENHANCED]["session_people"], "own": False},
            {"key": "storage_gb", "amount": 5, "own": True},
        ],
    }
    assert answer["setPlanLimit"] == plan
    seen = await desk.data(owner, f"{{ plan {{ {PLAN} }} practice {{ plan {{ {PLAN} }} features {{ key reason }} }} }}")
    assert seen["plan"] == plan
    assert seen["practice"]["plan"] == plan
    assert {feature["key"]: feature["reason"] for feature in seen["practice"]["features"]} == {
        "band": "ADD_ON",
        "cake": "TRIAL",
        "parking": "INCLUDED",
        "tea": "SWITCHED_OFF",
    }
    assert (
        await desk.data(OPERATOR, f"query($id: ID!) {{ plan(practiceId: $id) {{ {PLAN} }} }}", id=str(practice.id))
    )["plan"] == plan
    events = [event for event in await desk.cafe.events() if isinstance(event, PlanChanged)]
    assert {event.by for event in events} == {OPERATOR.account_id}

    await desk.cafe.platform.clock.move(2 * DAY)
    seen = await desk.data(owner, f"{{ plan {{ {PLAN} }} }}")
    assert (seen["plan"]["trial"], seen["plan"]["overrides"]) == (None, [])
    for kind, key in (("ADD_ON", "band"), ("LIMIT", "storage_gb")):
        answer = await desk.data(
            OPERATOR,
            f"""mutation($id: ID!, $kind: PlanItemKind!, $key: String!) {{
                removePlanItem(practiceId: $id, kind: $kind, key: $key) {{ {PLAN} }} }}""",
            id=str(practice.id),
            kind=kind,
            key=key,
        )
    assert answer["removePlanItem"]["addOns"] == []
    assert {limit["own"] for limit in answer["removePlanItem"]["limits"]} == {False}


MUTATIONS = (
    "mutation($id: ID!) { changePlan(practiceId: $id, tier: premium) { tier } }",
    'mutation($id: ID!) { setPlanOverride(practiceId: $id, feature: "band", enabled: true) { tier } }',
    'mutation($id: ID!) { setPlanAddOn(practiceId: $id, feature: "band") { tier } }',
    'mutation($id: ID!) { setPlanLimit(practiceId: $id, key: "storage_gb", amount: 99) { tier } }',
    'mutation($id: ID!) { removePlanItem(practiceId: $id, kind: ADD_ON, key: "cake") { tier } }',
)


@pytest.mark.rule("L6")
@pytest.mark.parametrize("document", MUTATIONS)
async def test_nobody_but_the_operator_changes_a_plan(desk: Desk, document: str) -> None:
    practice = await desk.cafe.practice()
    await desk.data(
        OPERATOR, 'mutation($id: ID!) { setPlanAddOn(practiceId: $id, feature: "cake") { tier } }', id=str(practice.id)
    )
    before = await stored(desk, practice)
    for role in Role:
        if role is not Role.OPERATOR:
            member = await desk.cafe.member(practice, role)
            assert await desk.code(member, document, id=str(practice.id)) == "FORBIDDEN"
    assert await desk.code(None, document, id=str(practice.id)) == "UNAUTHENTICATED"
    assert await stored(desk, practice) == before


@pytest.mark.rule("L5")
async def test_leaders_and_the_operator_see_a_preview(desk: Desk) -> None:
    practice = await desk.cafe.practice()
    await desk.cafe.plans.change_plan(practice.id, Tier.PREMIUM)
    document = """query($id: ID) { planPreview(tier: starter, practiceId: $id) {
        tier lost { key title description } gained { key } limits { key before after shrinks } } }"""
    before = await stored(desk, practice)
    expected = {
        "tier": "starter",
        "lost": [
            {"key": "band", "title": "Band", "description": "A brass band."},
            {"key": "cake", "title": "Cake", "description": "A piece of cake."},
        ],
        "gained": [],
        "limits": [
            {"key": key, "before": LIMITS[Tier.PREMIUM][key], "after": LIMITS[Tier.STARTER][key], "shrinks": True}
            for key in ("session_people", "storage_gb")
        ],
    }
    for role in Role:
        if role is Role.OPERATOR:
            assert (await desk.data(OPERATOR, document, id=str(practice.id)))["planPreview"] == expected
            continue
        member = await desk.cafe.member(practice, role)
        if role in LEADERS:
            assert (await desk.data(member, document))["planPreview"] == expected
        else:
            assert await desk.code(member, document) == "FORBIDDEN"
    assert await stored(desk, practice) == before


async def test_another_practices_plan_is_told_like_one_that_does_not_exist(desk: Desk) -> None:
    own, other = await desk.cafe.practice("Eastside"), await desk.cafe.practice("Westside")
    owner = await desk.cafe.member(own, Role.OWNER)
    for field in ("plan(practiceId: $id) { tier }", "planPreview(practiceId: $id, tier: premium) { tier }"):
        document = f"query($id: ID!) {{ {field} }}"
        answers = [await desk.ask(owner, document, id=id) for id in (str(other.id), str(uuid7()), "nonsense")]
        assert [body["errors"][0]["extensions"]["code"] for body in answers] == ["NOT_FOUND"] * 3
        assert answers[0]["errors"] == answers[1]["errors"] == answers[2]["errors"]
        assert await desk.data(owner, document, id=str(own.id))


async def test_the_operator_is_told_what_is_wrong_with_the_practice(desk: Desk) -> None:
    assert await desk.code(OPERATOR, "{ plan { tier } }") == "INVALID_INPUT"
    document = "query($id: ID!) { plan(practiceId: $id) { tier } planPreview(practiceId: $id, tier: premium) { tier } }"
    body = await desk.ask(OPERATOR, document, id=str(uuid7()))
    assert [error["extensions"]["code"] for error in body["errors"]] == ["NOT_FOUND", "NOT_FOUND"]
    for mutation in MUTATIONS:
        assert await desk.code(OPERATOR, mutation, id=str(uuid7())) == "NOT_FOUND"


async def test_a_value_that_cant_be_is_refused_with_its_field(desk: Desk) -> None:
    practice = await desk.cafe.practice()
    body = await desk.ask(
        OPERATOR,
        'mutation($id: ID!) { setPlanAddOn(practiceId: $id, feature: "choir") { tier } }',
        id=str(practice.id),
    )
    [error] = body["errors"]
    assert error["extensions"]["code"] == "INVALID_INPUT"
    assert error["extensions"]["field"] == ["feature"]
    assert error["extensions"]["wayOn"] == "Features are: band, cake, parking, tea."
    assert (await stored(desk, practice)).items == ()


@pytest.mark.rule("L4")
async def test_every_member_hears_of_a_change_with_the_features_it_leaves(desk: Desk) -> None:
    practice, other = await desk.cafe.practice("Eastside"), await desk.cafe.practice("Westside")
    staff = await desk.cafe.member(practice, Role.STAFF)
    document = "subscription { planChanged { id plan { tier } features { key enabled } } }"

    async with asyncio.timeout(20), aclosing(desk.follow(staff, document)) as answers:

        async def following() -> tuple[str, set[str]]:
            body = (await anext(answers))["data"]["planChanged"]
            assert UUID(body["id"]) == practice.id
            return body["plan"]["tier"], {feature["key"] for feature in body["features"] if feature["enabled"]}

        assert await following() == ("starter", {"parking", "tea"})
        await desk.cafe.plans.change_plan(other.id, Tier.ENHANCED)
        await desk.cafe.plans.change_plan(practice.id, Tier.PREMIUM)
        assert await following() == ("premium", {"parking", "tea", "cake", "band"})
        await desk.cafe.plans.change_plan(practice.id, Tier.STARTER)
        assert await following() == ("starter", {"parking", "tea"})
    assert desk.cafe.platform.live.attached == 1  # the clock's


async def test_the_subscription_is_for_the_people_of_a_practice(desk: Desk) -> None:
    with pytest.raises(Exception, match="people of a practice"):
        async with asyncio.timeout(20):
            async for _ in desk.follow(OPERATOR, "subscription { planChanged { id } }"):
                raise AssertionError("the operator has no practice to follow")


async def test_the_scope_of_the_caller_is_left_as_it_was(desk: Desk) -> None:
    practice = await desk.cafe.practice()
    with acting(None):
        await desk.data(OPERATOR, MUTATIONS[0], id=str(practice.id))
        assert await desk.cafe.on(practice) == {"parking", "tea", "cake", "band"}
