"""The arithmetic of limits: cost, budgets and waits, the cache of documents, and the allow-list's file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import strawberry
from graphql import GraphQLError, get_introspection_query
from graphql.execution.values import get_variable_values
from graphql_documents import doubling
from graphql_world import SCHEMA
from hypothesis import given
from hypothesis import strategies as st

from bedside_core import errors
from bedside_core.paging import LARGEST_PAGE, USUAL_PAGE
from bedside_graphql import problems
from bedside_graphql.config import GraphQLConfig
from bedside_graphql.documents import Documents
from bedside_graphql.errors import problem_of
from bedside_graphql.persisted import PersistedDocuments, PersistedFileFault
from bedside_graphql.ratelimit import RateLimits, wait_seconds
from bedside_graphql.request import GraphQLRequest, budget_key
from bedside_graphql.weight import weighed

NOT_LOOKED_AT = {
    problems.BadRequest, problems.BatchingNotSupported, problems.MethodNotAllowed, problems.NotAcceptable,
    problems.RequestTimeout, problems.UnsupportedMediaType, problems.DocumentTooLarge,
    problems.VariablesTooLarge, problems.TooManyOperations,
}  # fmt: skip


def test_each_problem_is_either_the_documents_or_of_a_request_that_was_not_looked_at() -> None:
    declared = {
        kind for kind in vars(problems).values() if isinstance(kind, type) and kind.__module__ == problems.__name__
    }
    assert declared == {*problems.OF_THE_DOCUMENT, *NOT_LOOKED_AT} - {errors.InvalidInput}
    assert not NOT_LOOKED_AT & {*problems.OF_THE_DOCUMENT}


LISTED = "{ hello }"
LISTED_ID = f"sha256:{hashlib.sha256(LISTED.encode()).hexdigest()}"


COSTS: list[Any] = [
    # A document, its variables, and what it costs: its fields times the page sizes around them.
    ("{ hello }", {}, 1),
    ("{ a: hello b: hello }", {}, 2),
    ("mutation { bump }", {}, 10),
    ("{ plain { name } }", {}, 20),  # a list without `first` counts as ten
    ("{ items { nodes { name } } }", {}, 41),  # twenty, as if nothing were asked
    ("{ items(first: 5) { nodes { name } } }", {}, 11),
    ("{ items(last: 5) { nodes { name } } }", {}, 11),
    ("{ items(first: 5, last: 7) { nodes { name } } }", {}, 15),
    ("{ items(first: 5000) { nodes { name } } }", {}, 201),  # as the list itself clamps
    ("{ items(first: -5) { nodes { name } } }", {}, 3),
    ("query ($n: Int) { items(first: $n) { nodes { name } } }", {"n": 50}, 101),
    ("query ($n: Int) { items(first: $n) { nodes { name } } }", {"n": 5000}, 201),
    ("query ($n: Int) { items(first: $n) { nodes { name } } }", {"n": None}, 41),
    ("query ($n: Int) { items(first: $n) { nodes { name } } }", {}, 41),
    ("query ($n: Int = 3) { items(first: $n) { nodes { name } } }", {}, 7),
    ("query ($n: Int = 3) { items(first: $n) { nodes { items(first: $n) { nodes { name } } } } }", {"n": 10}, 221),
    ("{ ...F ...F } fragment F on Query { items(first: 5) { ...G } } fragment G on Items { nodes { name } }", {}, 22),
    ("{ items(first: 5) { ... { nodes { ... on Item { name } } } } }", {}, 11),
    ("query ($n: Int) { items(first: $n) { nodes { name } } }", {"n": 100.0}, 201),
    ("query ($n: Int = 3) { items(first: $n) { nodes { name } } }", {"n": None}, 41),  # null is no default
    ("query ($n: Int) { items(first: $n, last: 100) { nodes { name } } }", {"n": 1}, 201),  # either may be the larger
    ("query ($m: Int, $n: Int) { items(first: $m, last: $n) { nodes { name } } }", {"m": 1, "n": 9}, 19),
    ("subscription { count(to: 3) }", {}, 1),
]


@pytest.mark.rule("G4")
@pytest.mark.parametrize(("document", "variables", "cost"), COSTS)
def test_cost_is_fields_times_page_sizes(document: str, variables: dict[str, Any], cost: int) -> None:
    documents = Documents(SCHEMA._schema, GraphQLConfig())
    assert documents.prepare(document, introspection=True).operation(None).cost.of(variables) == cost


PAGED = "query ($n: Int) { items(first: $n) { nodes { name } } }"
VALUES: Any = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5),
    st.integers(-200, 200).map(float), st.lists(st.integers(), max_size=3),
)  # fmt: skip


@pytest.mark.rule("G4")
@given(value=VALUES)
def test_whatever_the_schema_takes_for_a_page_size_is_counted_as_that_page_size(value: object) -> None:
    operation = Documents(SCHEMA._schema, GraphQLConfig()).prepare(PAGED, introspection=True).operation(None)
    told = get_variable_values(SCHEMA._schema, operation.node.variable_definitions or (), {"n": value})
    if isinstance(told, list):  # it is refused before anything runs; what it costs must not be less than a page
        assert operation.cost.of({"n": value}) >= 3
        return
    size = told.coerced["n"]
    page = USUAL_PAGE if size is None else max(1, min(size, LARGEST_PAGE))
    assert operation.cost.of({"n": value}) == 1 + 2 * page


@strawberry.type
class Heavy:
    """A schema with a field that counts as five hundred."""

    @strawberry.field(extensions=[weighed(500)])
    def hash(self, text: str) -> str:
        return text

    @strawberry.field(extensions=[weighed(50)])
    def below(self) -> Heavy:
        return self

    @strawberry.field
    def many(self) -> list[Heavy]:
        return [self]


@pytest.mark.rule("G4")
@pytest.mark.parametrize(
    ("document", "cost"),
    [
        ('{ hash(text: "x") }', 500),
        ('{ a: hash(text: "x") b: hash(text: "y") }', 1_000),
        ('{ ...F ...F } fragment F on Heavy { ... { hash(text: "x") } }', 1_000),
        ('{ below { hash(text: "x") } }', 550),
        ('{ many { hash(text: "x") } }', 5_010),
    ],
)
def test_a_weighed_field_counts_as_declared_wherever_it_stands(document: str, cost: int) -> None:
    schema = strawberry.Schema(query=Heavy)._schema
    documents = Documents(schema, GraphQLConfig())
    assert documents.prepare(document, introspection=True).operation(None).cost.of({}) == cost
    assert '@cost(weight: "500")' in strawberry.Schema(query=Heavy).as_str()


@pytest.mark.rule("G4")
@pytest.mark.parametrize(
    ("previous", "left", "current", "room", "seconds"),
    [
        (0, 30.0, 0, 10, 1),
        (100, 30.0, 40, 70, 12),  # 100 x 30/60 + 40 = 90; at 18 s left it is 70
        (100, 30.0, 40, 40, 30),  # the window before has to go entirely
        (0, 30.0, 100, 50, 60),  # the present window has to become the one before, and lose half
        (50, 10.0, 100, 0, 70),
    ],
)
def test_the_wait_is_just_long_enough(previous: int, left: float, current: int, room: int, seconds: int) -> None:
    assert wait_seconds(previous, left, current, room) == seconds


@pytest.mark.rule("G4")
async def test_after_the_wait_the_budget_covers_the_operation() -> None:
    now = 1_000_030.0
    limits = RateLimits(GraphQLConfig(max_cost=100, session_budget=100, address_budget=100), now=lambda: now)
    for _ in range(10):
        await limits.spend("session", "a", 10)
    for cost in (10, 60, 100):
        with pytest.raises(errors.RateLimited) as refused:
            await limits.spend("session", "a", cost)
        wait = refused.value.detail["retryAfter"]
        now += wait
        await limits.check("session", "a", cost)
        now -= 1.001
        with pytest.raises(errors.RateLimited):
            await limits.check("session", "a", cost)
        now += 1.001 - wait


async def test_counters_that_are_over_are_dropped() -> None:
    now = 1_000_000.0
    limits = RateLimits(GraphQLConfig(), now=lambda: now)
    for number in range(10_000):
        await limits.spend("address", str(number), 1)
    now += 200
    await limits.spend("address", "one more", 1)
    assert len(limits._storage) == 1


@pytest.mark.rule("G4")
@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8:1:2:3::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_an_ipv6_address_counts_by_its_network(first: str, second: str, same: bool) -> None:
    assert (budget_key(None, first) == budget_key(None, second)) is same


@pytest.mark.rule("G10")
@pytest.mark.parametrize(
    "content", ["", "[]", '{"00": "{ hello }"}', json.dumps({LISTED_ID: 7}), json.dumps({LISTED_ID.upper(): LISTED})]
)
def test_an_allow_list_that_can_not_be_right_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "documents.json"
    file.write_text(content)
    with pytest.raises(PersistedFileFault, match="documents.json"):
        PersistedDocuments.load(file)
    with pytest.raises(PersistedFileFault, match="can't be read"):
        PersistedDocuments.load(tmp_path / "absent.json")


@pytest.mark.rule("G10")
async def test_an_allow_list_is_loaded_with_and_without_prefix(tmp_path: Path) -> None:
    file = tmp_path / "documents.json"
    other = "{ me }"
    file.write_text(json.dumps({LISTED_ID: LISTED, hashlib.sha256(other.encode()).hexdigest(): other}))
    loaded = PersistedDocuments.load(file)
    for text in (LISTED, other):
        asked = GraphQLRequest(document_id=f"sha256:{hashlib.sha256(text.encode()).hexdigest()}")
        assert await loaded.text_of(asked, None) == text


def test_the_least_lately_used_documents_are_forgotten() -> None:
    documents = Documents(SCHEMA._schema, GraphQLConfig(cache_bytes=10_000))
    kept = documents.prepare("{ a: hello }", introspection=True)
    for number in range(20):
        documents.prepare(f"{{ b{number}: hello }}", introspection=True)
        assert documents.prepare("{ a: hello }", introspection=True) is kept
    assert 1 < len(documents) < 5


def test_only_the_first_fault_of_a_document_is_told() -> None:
    with pytest.raises(GraphQLError) as refused:
        Documents(SCHEMA._schema, GraphQLConfig()).prepare("{ one two three }", introspection=True)
    problem = problem_of(refused.value)
    assert problem is not None
    assert (problem.code, problem.message.count("Cannot query field")) == ("GRAPHQL_VALIDATION_FAILED", 1)


@pytest.mark.parametrize("values", [{"persisted_only": True}, {"max_cost": 50_000}, {"max_tokens": 0}])
def test_a_configuration_that_can_not_work_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"(?i){next(iter(values))}"):
        GraphQLConfig(**values)


@pytest.mark.promise("G1")
def test_fragments_that_double_into_nothing_cost_nothing_to_prepare() -> None:
    document = Documents(SCHEMA._schema, GraphQLConfig()).prepare(doubling(30, ""), introspection=True)
    assert document.operation(None).cost.of({}) == 0


@pytest.mark.rule("G4")
def test_introspection_counts_in_full_beside_other_fields() -> None:
    documents = Documents(SCHEMA._schema, GraphQLConfig())
    alone = documents.prepare(get_introspection_query(), introspection=True).operation(None)
    mixed = documents.prepare(get_introspection_query().replace("__schema", "hello __schema", 1), introspection=True)
    assert (alone.introspection_only, mixed.operation(None).introspection_only) == (True, False)
    assert mixed.operation(None).cost.of({}) > 19 * alone.cost.of({})
