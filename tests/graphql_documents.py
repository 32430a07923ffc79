"""Documents that mean harm, for the schema of graphql_world, each with the code that is due."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def nested(depth: int) -> str:
    """Lists within lists."""
    return (
        "{ items(first: 100) { nodes { " * 1
        + "items(first: 100) { nodes { " * depth
        + "name "
        + "} } " * (depth + 1)
        + "}"
    )


def doubling(steps: int, leaf: str) -> str:
    """Fragments of which each spreads the next one twice."""
    fragments = " ".join(f"fragment F{step} on Query {{ ...F{step + 1} ...F{step + 1} }}" for step in range(steps))
    return f"{{ ...F0 }} {fragments} fragment F{steps} on Query {{ {leaf} }}"


def chain(length: int) -> str:
    """Fragments of which each spreads the next one."""
    fragments = " ".join(f"fragment F{step} on Query {{ ...F{step + 1} }}" for step in range(length))
    return f"{{ ...F0 }} {fragments} fragment F{length} on Query {{ hello }}"


def entangled(fragments: int) -> str:
    """Fragments that each select the same fields, all spread side by side, to be compared with one another."""
    same = "items(first: 1) { nodes { name items(first: 1) { nodes { name } } } }"
    spreads = " ".join(f"...F{number}" for number in range(fragments))
    return f"{{ {spreads} }} " + " ".join(f"fragment F{number} on Query {{ {same} }}" for number in range(fragments))


def circle(length: int) -> str:
    """Fragments that spread each other all around."""
    names = [f"F{number}" for number in range(length)]
    all_of_them = " ".join(f"...{name}" for name in names)
    return f"{{ ...F0 }} {' '.join(f'fragment {name} on Query {{ {all_of_them} }}' for name in names)}"


def introspection(depth: int) -> str:
    """The schema's fields' types' fields, and so on."""
    return "{ __schema { types { " + "fields { type { " * depth + "name " + "} } " * depth + "} } }"


def _hostile() -> Iterator[tuple[str, str, str]]:
    yield "deep fields", "TOO_DEEP", nested(10)
    yield "very deep fields", "TOO_DEEP", nested(200)
    yield "deeper than the stack", "TOO_DEEP", "{ items " * 3_500 + "}" * 3_500
    yield "deep inline fragments", "TOO_DEEP", "{ " + "... { " * 300 + "hello " + "} " * 300 + "}"
    yield "deep list value", "GRAPHQL_VALIDATION_FAILED", "{ echo(text: " + "[" * 150 + "]" * 150 + ") }"
    yield "deep object value", "GRAPHQL_VALIDATION_FAILED", "{ wish(wish: " + "{a: " * 150 + "1" + "}" * 150 + ") }"
    yield "value deeper than the stack", "TOO_DEEP", "{ echo(text: " + "[" * 990 + "]" * 990 + ") }"
    yield "aliases", "TOO_MANY_ALIASES", "{ " + " ".join(f"a{number}: hello" for number in range(31)) + " }"
    yield "aliases of mutations", "TOO_MANY_ALIASES", "mutation { " + " ".join(f"a{n}: bump" for n in range(100)) + " }"
    yield "aliases in fragments", "TOO_MANY_ALIASES", doubling(6, "a: hello")
    yield "the same field again and again", "TOO_MANY_FIELDS", "{ " + "hello " * 1_500 + "}"
    yield "many fields in lists", "TOO_MANY_FIELDS", "{ plain { " + "name " * 1_500 + "} }"
    yield "fragment bomb", "TOO_MANY_FIELDS", doubling(30, "hello")
    yield "fragment chain", "TOO_MANY_DEFINITIONS", chain(200)
    yield "fragments to compare", "TOO_MANY_FIELDS", entangled(60)
    yield "inline fragments to compare", "TOO_MANY_FIELDS", "{ " + "... on Query { hello me } " * 240 + "}"
    small = " ".join(f"fragment F{number} on Query {{ hello me team plain {{ name }} }}" for number in range(95))
    yield (
        "small fragments to compare",
        "TOO_MANY_FIELDS",
        "{ " + " ".join(f"...F{n}" for n in range(95)) + " } " + small,
    )
    yield (
        "fragment circle",
        "GRAPHQL_VALIDATION_FAILED",
        "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
    )
    yield "fragment circles", "GRAPHQL_VALIDATION_FAILED", circle(20)
    yield (
        "fragment that spreads itself",
        "GRAPHQL_VALIDATION_FAILED",
        "{ ...A } fragment A on Query { hello ...A ...A }",
    )
    yield "tokens", "TOO_MANY_TOKENS", "{ " + "hello " * 5_000 + "}"
    yield "comments", "TOO_MANY_TOKENS", "{ hello } " + "#\n" * 5_000
    yield "directives", "TOO_MANY_TOKENS", "{ hello " + "@a" * 5_000 + " }"
    yield "unknown directives", "GRAPHQL_VALIDATION_FAILED", "{ hello " + "@a" * 900 + " }"
    yield "operations", "TOO_MANY_TOKENS", " ".join(f"query Q{number} {{ hello }}" for number in range(500))
    yield "many operations", "TOO_MANY_DEFINITIONS", " ".join(f"query Q{number} {{ hello }}" for number in range(101))
    yield "long document", "DOCUMENT_TOO_LARGE", "{ hello } #" + "a" * 32_768
    yield "long name", "GRAPHQL_VALIDATION_FAILED", "{ " + "a" * 32_000 + " }"
    yield "long number", "GRAPHQL_VALIDATION_FAILED", "{ items(first: " + "9" * 30_000 + ") { nodes { name } } }"
    yield "long block string", "GRAPHQL_VALIDATION_FAILED", '{ nothing(text: """' + "\n " * 15_000 + '""") }'
    yield "nested pages", "TOO_COSTLY", nested(2)
    yield "nested lists", "TOO_COSTLY", "{ plain { plain { plain { plain { name } } } } }"
    yield (
        "many pages",
        "TOO_COSTLY",
        "{ " + " ".join(f"a{n}: items(first: 100) {{ nodes {{ name plain {{ name }} }} }}" for n in range(20)) + " }",
    )
    yield "deep introspection", "GRAPHQL_VALIDATION_FAILED", introspection(3)
    yield "very deep introspection", "TOO_DEEP", introspection(15)
    yield (
        "introspection of types",
        "TOO_DEEP",
        "{ __schema { types { " + "ofType { " * 30 + "name " + "} " * 30 + "} } }",
    )


HOSTILE = tuple(_hostile())
"""Name, code, document."""


def _hostile_values() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    basket, matrix = "query ($b: Basket!) { basket(basket: $b) }", "query ($m: [[Int!]!]!) { matrix(rows: $m) }"
    near = {f"longestMessag{number}": 1 for number in range(1_500)}
    wrong: list[Any] = [{"amount": "x", "words": []}] * 600
    deep: Any = {}
    for _ in range(200):
        deep = {"baskets": [deep]}
    yield "20,000 unknown keys", "VARIABLES_TOO_LARGE", basket, {"b": {f"k{number}": 1 for number in range(20_000)}}
    yield "1,900 unknown keys", "INVALID_INPUT", basket, {"b": {f"k{number}": 1 for number in range(1_900)}}
    yield "1,500 near misses", "INVALID_INPUT", basket, {"b": near}
    yield "20,000 unknown variables", "VARIABLES_TOO_LARGE", basket, {f"k{number}": 1 for number in range(20_000)}
    yield "1,900 unknown variables", "INVALID_INPUT", basket, {f"k{number}": 1 for number in range(1_900)}
    yield "10,000 wrong items", "VARIABLES_TOO_LARGE", matrix, {"m": ["x"] * 10_000}
    yield "1,900 wrong items", "INVALID_INPUT", matrix, {"m": ["x"] * 1_900}
    yield "a wrong item after 1,900 right ones", "INVALID_INPUT", matrix, {"m": [[1] * 1_900 + ["x"]]}
    yield "wrong objects in a list", "INVALID_INPUT", basket, {"b": {"wishes": wrong}}
    yield "a wrong object after many right ones", "INVALID_INPUT", basket, {"b": {"baskets": [{}] * 1_900 + [7]}}
    yield "near misses in many objects", "INVALID_INPUT", basket, {"b": {"baskets": [{"longestMesage": 1}] * 900}}
    yield "objects within objects", "INVALID_INPUT", basket, {"b": {"baskets": [{"baskets": [deep] * 4}], "k": 1}}
    yield "lists within lists", "INVALID_INPUT", matrix, {"m": [[[[1] * 90] * 10] * 2]}
    yield "lists 400 deep", "INVALID_INPUT", matrix, {"m": _within(400)}
    yield "a long key", "INVALID_INPUT", basket, {"b": {"k" * 250_000: 1}}
    yield "a long text for a number", "INVALID_INPUT", matrix, {"m": "x" * 250_000}
    yield "quotes", "INVALID_INPUT", matrix, {"m": "'\"" * 80_000}


def _within(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


HOSTILE_VALUES = tuple(_hostile_values())
"""Name, code, document, variables."""
