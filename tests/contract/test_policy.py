"""The built schema agrees with the checked-in policy, is described throughout, and its lists keep the rules."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from deployment import APPS
from graphql import GraphQLNonNull, GraphQLObjectType, GraphQLSchema, build_schema, get_named_type

from bedside_core.boot import assembled
from bedside_core.config import Config
from bedside_core.live import LocalBus
from bedside_core.platform import Platform
from bedside_core.testing import Database
from bedside_graphql.endpoint import schema_of
from bedside_graphql.gate import gates_of
from contract import policy

BROKEN = """
type Query {
  bed(ward: Ward, "Described." patch: Patch): String
  "Described." room: String
}
enum Ward { NORTH "Described." SOUTH }
"Described." input Patch { name: String }
"""


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def platform(fresh_database: Database) -> AsyncGenerator[Platform, None]:
    async with assembled(
        Config(database_url=fresh_database.dsn, testing=True, strict=True), bus=LocalBus()
    ) as platform:
        yield platform


@pytest.fixture
def schema(platform: Platform) -> GraphQLSchema:
    return schema_of(platform)._schema


@pytest.mark.rule("L3")
@pytest.mark.rule("G9")
@pytest.mark.rule("A12")
@pytest.mark.promise("A1")
async def test_schema_policy_and_permissions_agree(platform: Platform, schema: GraphQLSchema) -> None:
    assert policy.faults(schema, policy.policy(), platform.access.permissions) == []


async def test_a_broken_policy_is_named(platform: Platform, schema: GraphQLSchema) -> None:
    rows = policy.policy()
    gone = rows.pop("Query.conversations")
    rows["Query.nothing"] = {"public": True}
    rows["Query.patients"] = {"public": True}
    rows["Mutation.signOut"] = {"public": True, "creates": True}
    del rows["Mutation.sendMessage"]["creates"]
    rows["types"]["Patient"].remove("mrn")
    rows["types"]["Ward"] = ["bed"]
    rows["roles"]["chat.read"] = ["owner"]
    del rows["Query.patient"]["ids"]
    permissions = dict(platform.access.permissions)
    del permissions["practice.read"]
    found = policy.faults(schema, rows, permissions)
    assert gone == {"permission": "chat.read"}
    assert {fault for fault in found if "practice.read" not in fault} == {
        "Query.conversations has no row in the policy",
        "Query.nothing is in the policy and not in the schema",
        "Query.patients is {'permission': 'patients.read'}, its row says {'public': True}",
        "Mutation.signOut creates and takes no clientId",
        "Mutation.sendMessage has no word in the policy on whether it creates",
        "Patient.mrn has no row in the policy",
        "Ward.bed is in the policy and not in the schema",
        "chat.read is for ['manager', 'owner', 'patient', 'practitioner', 'staff'], the policy says ['owner']",
        "Query.patient takes ids as ['id'], its row says []",
    }
    assert "Query.members needs practice.read, which nobody declares" in found


async def test_everything_in_the_schema_is_described(schema: GraphQLSchema) -> None:
    assert policy.undescribed(schema) == []


def test_whatever_lacks_a_description_is_named() -> None:
    assert policy.undescribed(build_schema(BROKEN)) == [
        "Query", "Query.bed", "Query.bed(ward)", "Ward", "Ward.NORTH", "Patch.name",
    ]  # fmt: skip


@pytest.mark.rule("G2")
async def test_lists_that_can_grow_are_connections_with_a_page_size(schema: GraphQLSchema) -> None:
    for name, field, _ in policy.fields_of(schema):
        kind = get_named_type(field.type)
        if isinstance(kind, GraphQLObjectType) and kind.name.endswith("Connection"):
            assert {"first", "after"} <= set(field.args), name
            assert {"edges", "nodes", "pageInfo"} == set(kind.fields), name


async def test_what_can_be_refused_can_be_null(schema: GraphQLSchema) -> None:
    refusable = [
        (name, field.type)
        for name, field, strawberry in policy.fields_of(schema)
        if gates_of(strawberry) and not name.startswith("Subscription.")
    ]
    assert refusable
    assert [name for name, kind in refusable if isinstance(kind, GraphQLNonNull)] == []
