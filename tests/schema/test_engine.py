"""Strawberry's own features under our execution, which goes round `strawberry.Schema.execute`."""

import enum
from typing import Any

import pytest
import strawberry
from graphql import GraphQLError
from graphql_stage import codes
from graphql_world import Context, World
from strawberry.dataloader import DataLoader
from strawberry.types.nodes import SelectedField

from bedside_graphql.config import GraphQLConfig
from bedside_graphql.execute import Executor
from bedside_graphql.request import GraphQLRequest

Info = strawberry.Info[Context, None]


@strawberry.enum
class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"


@strawberry.input(one_of=True)
class Choice:
    name: strawberry.Maybe[str]
    number: strawberry.Maybe[int]


@strawberry.input
class Change:
    name: strawberry.Maybe[str]
    note: strawberry.Maybe[str | None]


BATCHES: list[list[int]] = []


async def _squares(numbers: list[int]) -> list[int]:
    BATCHES.append(numbers)
    return [number * number for number in numbers]


@strawberry.type
class Number:
    value: int
    loader: strawberry.Private[DataLoader[int, int]]

    @strawberry.field
    async def square(self) -> int:
        return await self.loader.load(self.value)


@strawberry.type
class Cat:
    name: str


@strawberry.type
class Dog:
    barks: bool


@strawberry.type
class Query:
    @strawberry.field
    def variables(self, info: Info, a: int) -> str:
        return f"{info.variable_values}"

    @strawberry.field
    def selection(self, info: Info, a: int) -> str:
        (field,) = info.selected_fields
        assert isinstance(field, SelectedField)
        return f"{field.name} {field.arguments}"

    @strawberry.field
    def colour(self, colour: Colour = Colour.BLUE) -> Colour:
        return colour

    @strawberry.field
    def choice(self, choice: Choice) -> str:
        return "name" if choice.name else "number"

    @strawberry.field
    def change(self, change: Change) -> str:
        return f"{change.name is not None} {change.note.value if change.note else 'absent'}"

    @strawberry.field
    def changes(self, changes: list[Change]) -> int:
        return len(changes)

    @strawberry.field
    async def note(self, note: strawberry.Maybe[str] = None) -> str:
        return note.value if note else "absent"

    @strawberry.field
    def numbers(self) -> list[Number]:
        loader = DataLoader(_squares)
        return [Number(value=value, loader=loader) for value in (1, 2, 3)]

    @strawberry.field
    def pets(self) -> list[Cat | Dog]:
        return [Cat(name="Tom"), Dog(barks=True)]

    @strawberry.field
    def raises_graphql_error(self) -> str | None:
        raise GraphQLError("secret of the server", extensions={"code": "LEAK"})


EXECUTOR = Executor(strawberry.Schema(Query)._schema, GraphQLConfig())


async def run(query: str, **variables: Any) -> dict[str, Any]:
    context = Context(None, "request", "127.0.0.1", False, World())
    return (await EXECUTOR.execute(GraphQLRequest(query=query, variables=variables), context)).body


@pytest.mark.parametrize(
    ("query", "variables", "data"),
    [
        ("query ($a: Int!) { variables(a: $a) }", {"a": 7}, {"variables": "{'a': 7}"}),
        ("query ($a: Int!) { selection(a: $a) }", {"a": 7}, {"selection": "selection {'a': 7}"}),
        ("{ colour(colour: RED) other: colour }", {}, {"colour": "RED", "other": "BLUE"}),
        ("query ($c: Colour!) { colour(colour: $c) }", {"c": "RED"}, {"colour": "RED"}),
        ('{ choice(choice: {name: "a"}) }', {}, {"choice": "name"}),
        ('{ change(change: {name: "a", note: null}) }', {}, {"change": "True None"}),
        ("query ($c: Change!) { change(change: $c) }", {"c": {}}, {"change": "False absent"}),
        ("{ pets { ... on Cat { name } ... on Dog { barks } } }", {}, {"pets": [{"name": "Tom"}, {"barks": True}]}),
    ],
)
async def test_strawberrys_features_work(query: str, variables: dict[str, Any], data: dict[str, Any]) -> None:
    body = await run(query, **variables)
    assert body["data"] == data
    assert "errors" not in body


async def test_a_data_loader_batches_a_lists_fields() -> None:
    BATCHES.clear()
    body = await run("{ numbers { value square } }")
    assert body["data"]["numbers"] == [{"value": n, "square": n * n} for n in (1, 2, 3)]
    assert BATCHES == [[1, 2, 3]]


@pytest.mark.rule("G3")
@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ('{ choice(choice: {name: "a", number: 1}) }', {}, "GRAPHQL_VALIDATION_FAILED"),
        ("{ choice(choice: {}) }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("query ($c: Choice!) { choice(choice: $c) }", {"c": {"name": "a", "number": 1}}, "INVALID_INPUT"),
        ("{ change(change: {name: null}) }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("query ($c: Change!) { change(change: $c) }", {"c": {"name": None}}, "INVALID_INPUT"),
        ("query ($c: Colour!) { colour(colour: $c) }", {"c": "GREEN"}, "INVALID_INPUT"),
        ("query ($c: Colour = RED) { colour(colour: $c) }", {"c": None}, "INVALID_INPUT"),
    ],
)
async def test_a_value_that_strawberry_refuses_is_the_clients_mistake(
    query: str, variables: dict[str, Any], code: str
) -> None:
    assert codes(await run(query, **variables)) == [code]


async def test_an_error_that_is_not_one_of_ours_is_masked_though_a_resolver_wrote_it() -> None:
    body = await run("{ raisesGraphqlError }")
    assert codes(body) == ["INTERNAL"]
    assert "secret" not in str(body)


@pytest.mark.rule("G3")
@pytest.mark.parametrize(
    ("query", "variables", "code", "field"),
    [
        ("query ($c: Change!) { change(change: $c) }", {"c": {"name": None}}, "INVALID_INPUT", ["c", "name"]),
        (
            "query ($c: [Change!]!) { changes(changes: $c) }",
            {"c": [{}, {"note": None}, {"name": None}]},
            "INVALID_INPUT",
            ["c", "2", "name"],
        ),
        ("query ($n: String) { change(change: {name: $n}) }", {"n": None}, "INVALID_INPUT", ["change", "name"]),
        ("query ($n: String) { note(note: $n) }", {"n": None}, "INVALID_INPUT", ["note"]),
        ("{ change(change: {name: null}) }", {}, "GRAPHQL_VALIDATION_FAILED", ["change", "name"]),
        (
            "{ changes(changes: [{}, {note: null}, {name: null}]) }",
            {},
            "GRAPHQL_VALIDATION_FAILED",
            ["changes", "2", "name"],
        ),
        (
            "query ($c: Change! = {name: null}) { change(change: $c) }",
            {},
            "GRAPHQL_VALIDATION_FAILED",
            ["c", "name"],
        ),
        ("{ note(note: null) }", {}, "GRAPHQL_VALIDATION_FAILED", ["note"]),
    ],
)
async def test_a_null_where_a_value_can_only_be_left_out_is_told_by_its_path(
    query: str, variables: dict[str, Any], code: str, field: list[str]
) -> None:
    body = await run(query, **variables)
    [error] = body["errors"]
    assert error["message"] == "This can be left out, but it can't be null."
    assert (error["extensions"]["code"], error["extensions"]["field"]) == (code, field)
    assert error["extensions"]["wayOn"] == "Leave it out."


async def test_a_null_is_a_value_where_the_schema_takes_one_and_a_variable_left_out_is_none() -> None:
    assert (await run("{ changes(changes: [{note: null}]) }"))["data"] == {"changes": 1}
    assert (await run("query ($n: String) { note(note: $n) change(change: {name: $n}) }"))["data"] == {
        "note": "absent",
        "change": "False absent",
    }
