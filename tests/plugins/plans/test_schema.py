"""Plans over GraphQL: who sees what, who changes what, and what a client hears at once."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
import strawberry
from deployment import Deployment, served
from plans_stage import Cafe, sources

from bedside_core.access import EVERYONE, LEADERS, Tier
from bedside_core.api import Event, Platform, Practice, Role, hookimpl, uuid7
from bedside_core.live import Topic
from bedside_core.people import PRACTICE_STREAM
from bedside_core.plugins import installed
from bedside_core.testing import Database, until
from bedside_graphql.api import GraphQLPart, Info, gate
from bedside_plans.api import Plan, PlanChanged
from bedside_plans.catalogue import LIMITS

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
FEATURES = "features { key enabled reason tier }"
PLAN = """tier trial { tier endsAt } overrides { feature enabled endsAt } addOns { feature endsAt }
    limits { key amount own }"""
CHANGE = "mutation($id: ID!, $tier: PlanTier!) { changePlan(practiceId: $id, tier: $tier) { tier } }"

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


@strawberry.type
class BandSubscription:
    @strawberry.subscription(description="Hear the band.", extensions=[gate("practice.read", "band")])
    async def heard(self, info: Info) -> AsyncGenerator[int, None]:
        practice_id, _ = info.context.signed_in().in_practice()
        with info.context.platform.live.attach(Topic(PRACTICE_STREAM, practice_id)) as wake:
            yield len(tunes)
            while True:
                await wake.wait()


@hookimpl
def graphql(platform: Platform) -> GraphQLPart:
    return GraphQLPart(query=BandQuery, mutation=BandMutation, subscription=BandSubscription)


class Desk:
    """A served café, where documents are handed in."""

    def __init__(self, deployment: Deployment, cafe: Cafe, operator: str) -> None:
        self.deployment, self.cafe, self.operator = deployment, cafe, operator

    async def practice(self, name: str = "Eastside") -> Practice:
        """A practice of whose plan nothing is stored."""
        return await self.cafe.practice(name)

    async def member(self, practice: Practice, role: Role) -> str:
        """The token of somebody of a practice."""
        return (await self.deployment.person(practice, role)).token

    async def data(self, token: str | None, document: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        return await self.deployment.data(document, token, **variables)

    async def ask(self, token: str | None, document: str, **variables: Any) -> dict[str, Any]:
        """The whole answer."""
        return await self.deployment.ask(document, token, **variables)

    async def code(self, token: str | None, document: str, **variables: Any) -> str:
        """The code of the one error of an answer."""
        return await self.deployment.code(document, token, **variables)

    async def change(self, practice: Practice, tier: Tier) -> None:
        """Change a plan as the operator does."""
        await self.data(self.operator, CHANGE, id=str(practice.id), tier=tier)


@pytest.fixture
async def desk(fresh_database: Database) -> AsyncGenerator[Desk, None]:
    tunes.clear()
    heard: list[Event] = []
    stage = sources(heard)
    cafe = stage["cafe"].load()
    assert isinstance(cafe, ModuleType)
    vars(cafe).update(graphql=graphql)
    stage["graphql"] = installed()["graphql"]
    async with served(fresh_database, sources=stage, plugins=("graphql", "plans", "cafe"), strict=True) as deployment:
        yield Desk(deployment, Cafe(deployment.platform, heard), await deployment.operator())


async def stored(desk: Desk, practice: Practice) -> Plan:
    return await desk.cafe.plans.plan(practice.id)


@pytest.mark.rule("L3")
async def test_practice_features_tell_what_is_on_and_why_not(desk: Desk) -> None:
    practice = await desk.practice()
    staff = await desk.member(practice, Role.STAFF)
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
    practice = await desk.practice()
    owner = await desk.member(practice, Role.OWNER)
    await desk.cafe.plans.change_plan(practice.id, Tier.PREMIUM)
    assert await desk.data(owner, "{ band practice { name } }") == {"band": "a march", "practice": {"name": "Eastside"}}
    assert await desk.data(owner, 'mutation { play(tune: "first") }') == {"play": True}

    await desk.change(practice, Tier.STARTER)
    body = await desk.ask(owner, "{ band practice { name } }")
    assert body["data"] == {"band": None, "practice": {"name": "Eastside"}}
    [error] = body["errors"]
    assert error["path"] == ["band"]
    assert error["extensions"]["code"] == "FEATURE_NOT_IN_PLAN"
    assert (error["extensions"]["feature"], error["extensions"]["tier"]) == ("band", "premium")
    assert await desk.code(owner, 'mutation { play(tune: "second") }') == "FEATURE_NOT_IN_PLAN"
    assert tunes == ["first"]

    await desk.change(practice, Tier.PREMIUM)
    assert await desk.data(owner, 'mutation { play(tune: "third") }') == {"play": True}
    assert tunes == ["first", "third"]


@pytest.mark.rule("L6")
async def test_the_operator_changes_everything_of_a_plan_and_owners_see_it(desk: Desk) -> None:
    practice = await desk.practice()
    owner = await desk.member(practice, Role.OWNER)
    end = datetime.now(UTC).replace(microsecond=0) + DAY
    answer = await desk.data(
        desk.operator,
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
        await desk.data(desk.operator, f"query($id: ID!) {{ plan(practiceId: $id) {{ {PLAN} }} }}", id=str(practice.id))
    )["plan"] == plan
    events = [event for event in await desk.cafe.events() if isinstance(event, PlanChanged)]
    viewer = await desk.data(desk.operator, "{ viewer { id } }")
    assert {str(event.by) for event in events} == {viewer["viewer"]["id"]}

    await desk.cafe.platform.clock.move(2 * DAY)
    seen = await desk.data(owner, f"{{ plan {{ {PLAN} }} }}")
    assert (seen["plan"]["trial"], seen["plan"]["overrides"]) == (None, [])
    for kind, key in (("ADD_ON", "band"), ("LIMIT", "storage_gb")):
        answer = await desk.data(
            desk.operator,
            f"""mutation($id: ID!, $kind: PlanItemKind!, $key: String!) {{
                removePlanItem(practiceId: $id, kind: $kind, key: $key) {{ {PLAN} }} }}""",
            id=str(practice.id),
            kind=kind,
            key=key,
        )
    assert answer["removePlanItem"]["addOns"] == []
    assert {limit["own"] for limit in answer["removePlanItem"]["limits"]} == {False}


@pytest.mark.rule("L6")
@pytest.mark.parametrize("amount", ["", ", amount: null"])
async def test_a_limit_without_an_amount_is_no_limit(desk: Desk, amount: str) -> None:
    practice = await desk.practice()
    document = f"""mutation($id: ID!) {{
        setPlanLimit(practiceId: $id, key: "storage_gb"{amount}) {{ limits {{ key amount own }} }} }}"""
    answer = await desk.data(desk.operator, document, id=str(practice.id))
    assert {"key": "storage_gb", "amount": None, "own": True} in answer["setPlanLimit"]["limits"]


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
    practice = await desk.practice()
    await desk.data(
        desk.operator,
        'mutation($id: ID!) { setPlanAddOn(practiceId: $id, feature: "cake") { tier } }',
        id=str(practice.id),
    )
    before = await stored(desk, practice)
    for role in sorted(EVERYONE):
        member = await desk.member(practice, role)
        assert await desk.code(member, document, id=str(practice.id)) == "FORBIDDEN"
    assert await desk.code(None, document, id=str(practice.id)) == "UNAUTHENTICATED"
    assert await stored(desk, practice) == before


@pytest.mark.rule("L5")
async def test_leaders_and_the_operator_see_a_preview(desk: Desk) -> None:
    practice = await desk.practice()
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
    assert (await desk.data(desk.operator, document, id=str(practice.id)))["planPreview"] == expected
    for role in sorted(EVERYONE):
        member = await desk.member(practice, role)
        if role in LEADERS:
            assert (await desk.data(member, document))["planPreview"] == expected
        else:
            assert await desk.code(member, document) == "FORBIDDEN"
    assert await stored(desk, practice) == before


async def test_another_practices_plan_is_told_like_one_that_does_not_exist(desk: Desk) -> None:
    own, other = await desk.practice("Eastside"), await desk.practice("Westside")
    owner = await desk.member(own, Role.OWNER)
    for field in ("plan(practiceId: $id) { tier }", "planPreview(practiceId: $id, tier: premium) { tier }"):
        document = f"query($id: ID!) {{ {field} }}"
        answers = [await desk.ask(owner, document, id=id) for id in (str(other.id), str(uuid7()), "nonsense")]
        for body in answers:
            del body["errors"][0]["extensions"]["requestId"]
            del body["extensions"]  # what is left of the budget
        assert [body["errors"][0]["extensions"]["code"] for body in answers] == ["NOT_FOUND"] * 3
        assert answers[0] == answers[1] == answers[2]
        assert await desk.data(owner, document, id=str(own.id))


async def test_the_operator_is_told_what_is_wrong_with_the_practice(desk: Desk) -> None:
    assert await desk.code(desk.operator, "{ plan { tier } }") == "INVALID_INPUT"
    document = "query($id: ID!) { plan(practiceId: $id) { tier } planPreview(practiceId: $id, tier: premium) { tier } }"
    body = await desk.ask(desk.operator, document, id=str(uuid7()))
    assert [error["extensions"]["code"] for error in body["errors"]] == ["NOT_FOUND", "NOT_FOUND"]
    for mutation in MUTATIONS:
        assert await desk.code(desk.operator, mutation, id=str(uuid7())) == "NOT_FOUND"


async def test_a_value_that_cant_be_is_refused_with_its_field(desk: Desk) -> None:
    practice = await desk.practice()
    body = await desk.ask(
        desk.operator,
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
    practice, other = await desk.practice("Eastside"), await desk.practice("Westside")
    staff = await desk.member(practice, Role.STAFF)
    async with desk.deployment.socket(staff) as socket:
        key = await socket.subscribe("subscription { planChanged { id plan { tier } features { key enabled } } }")

        async def following() -> tuple[str, set[str]]:
            told = (await socket.next(key))["planChanged"]
            assert UUID(told["id"]) == practice.id
            return told["plan"]["tier"], {feature["key"] for feature in told["features"] if feature["enabled"]}

        assert await following() == ("starter", {"parking", "tea"})
        await desk.change(other, Tier.ENHANCED)
        await desk.change(practice, Tier.PREMIUM)
        assert await following() == ("premium", {"parking", "tea", "cake", "band"})
        await desk.change(practice, Tier.STARTER)
        assert await following() == ("starter", {"parking", "tea"})


@pytest.mark.rule("L4")
async def test_an_open_stream_of_a_lost_feature_ends_with_the_reason_and_the_socket_goes_on(desk: Desk) -> None:
    practice = await desk.practice()
    staff = await desk.member(practice, Role.STAFF)
    async with desk.deployment.socket(staff) as socket:
        early = await socket.subscribe("subscription { heard }")
        assert await socket.error(early) == "FEATURE_NOT_IN_PLAN"
        await desk.change(practice, Tier.PREMIUM)
        key = await socket.subscribe("subscription { heard }")
        assert await socket.next(key) == {"heard": 0}
        await desk.change(practice, Tier.ENHANCED)
        assert await socket.error(key) == "FEATURE_NOT_IN_PLAN"
        await desk.change(practice, Tier.PREMIUM)
        again = await socket.subscribe("subscription { heard }")
        assert await socket.next(again) == {"heard": 0}


@pytest.mark.rule("L4")
@pytest.mark.rule("L6")
async def test_an_open_stream_ends_when_the_trial_that_carried_it_has_ended(desk: Desk) -> None:
    practice = await desk.practice()
    staff = await desk.member(practice, Role.STAFF)
    end = desk.cafe.platform.clock.now() + HOUR
    await desk.cafe.plans.change_plan(practice.id, Tier.PREMIUM, trial_until=end)
    async with desk.deployment.socket(staff) as socket:
        key = await socket.subscribe("subscription { heard }")
        assert await socket.next(key) == {"heard": 0}
        await desk.cafe.platform.clock.move(HOUR)
        assert await desk.code(staff, "{ band }") == "FEATURE_NOT_IN_PLAN"
        assert await desk.cafe.plans.tell_ended(practice.id) is True
        assert await socket.error(key) == "FEATURE_NOT_IN_PLAN"


async def test_nobody_is_left_attached_when_a_follower_goes(desk: Desk) -> None:
    practice = await desk.practice()
    staff = await desk.member(practice, Role.STAFF)
    live = desk.cafe.platform.live
    before = live.attached
    async with desk.deployment.socket(staff) as socket:
        key = await socket.subscribe("subscription { planChanged { id } }")
        await socket.next(key)
        assert live.attached > before
    await until(lambda: live.attached == before, "the follower's attachments to end")


async def test_the_subscription_is_for_the_people_of_a_practice(desk: Desk) -> None:
    async with desk.deployment.socket(desk.operator) as socket:
        key = await socket.subscribe("subscription { planChanged { id } }")
        assert await socket.error(key) == "FORBIDDEN"
