"""Writes operations for any field of a schema: its arguments out of samples, its selection as generous as wanted."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
)

SAMPLES: Mapping[str, Any] = {
    "Int": 1,
    "Float": 1.0,
    "Boolean": True,
    "ID": "0199aaaa-0000-7000-8000-000000000000",
    "Date": "1980-02-03",
    "DateTime": (datetime.now(UTC) + timedelta(days=30)).replace(second=0, microsecond=0).isoformat(),
    "Phone": "+12025550143",
    "Zone": "UTC",
}
NAMED: Mapping[str, Any] = {"email": "sample@example.org", "phone": "+12025550143"}
"""Samples by the name of the argument or input field."""
PAGE = 5
"""How many items of each list are asked for."""
_numbers = itertools.count()


def id_paths(field: GraphQLField) -> list[str]:
    """Return the paths of a field's arguments that take an id, `patch.memberId` for one in an input object."""

    def within(prefix: str, kind: Any, seen: tuple[str, ...]) -> Iterator[str]:
        named = get_named_type(kind)
        if named.name == "ID":
            yield prefix
        elif isinstance(named, GraphQLInputObjectType) and named.name not in seen:
            for name, item in named.fields.items():
                yield from within(f"{prefix}.{name}", item.type, (*seen, named.name))

    return [path for name, argument in field.args.items() for path in within(name, argument.type, ())]


def values(field: GraphQLField, ids: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return values for a field's arguments: the ids and what is given, and samples for what else is required.

    Args:
        field: the field.
        ids: by path.
        given: by path; what is optional and not given is left out.
    """
    known = {**given, **ids}

    def value(path: str, kind: Any) -> Any:
        if path in known:
            return known[path]
        nullable, named = get_nullable_type(kind), get_named_type(kind)
        if isinstance(nullable, GraphQLList):
            return [value(f"{path}.", nullable.of_type)]
        if isinstance(named, GraphQLInputObjectType):
            return members(path.rstrip(".") + ".", named.fields)  # also of the items of a list
        if isinstance(named, GraphQLEnumType):
            return next(iter(named.values))
        name = path.split(".")[-1]
        if named.name == "String" and name not in NAMED:
            return f"Sample{next(_numbers)}"
        return NAMED[name] if name in NAMED else SAMPLES[named.name]

    def members(prefix: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: value(f"{prefix}{name}", item.type)
            for name, item in fields.items()
            if isinstance(item.type, GraphQLNonNull)
            or any(path == f"{prefix}{name}" or path.startswith(f"{prefix}{name}.") for path in known)
        }

    return members("", field.args)


def selection(kind: GraphQLNamedType, depth: int, path: tuple[str, ...] = ()) -> str:
    """Return the widest selection of a type down to a depth, with braces; empty for a leaf.

    Fields that require arguments are left out, and so is a type within itself.
    """
    if is_leaf_type(kind):
        return ""
    if isinstance(kind, GraphQLUnionType):
        parts = [f"... on {each.name} {selection(each, depth, path)}" for each in kind.types]
        return "{ __typename " + " ".join(parts) + " }"
    assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
    chosen = ["__typename"]
    for name, field in kind.fields.items():
        named = get_named_type(field.type)
        if any(isinstance(argument.type, GraphQLNonNull) for argument in field.args.values()):
            continue
        if not is_leaf_type(named) and (depth == 0 or named.name in path):
            continue
        if name == "edges":  # the same items as `nodes`
            continue
        page = f"(first: {PAGE})" if "first" in field.args else ""
        chosen.append(f"{name}{page} {selection(named, depth - 1, (*path, kind.name))}")
    return "{ " + " ".join(chosen) + " }"


def document(
    schema: GraphQLSchema, root: str, name: str, arguments: Mapping[str, Any], *, depth: int | None = None
) -> str:
    """Return an operation of one root field whose arguments are variables.

    Args:
        schema: where the field is.
        root: `Query`, `Mutation` or `Subscription`.
        name: the field.
        arguments: which of its arguments are given.
        depth: how deep the selection goes, 0 for leaves alone; None for the type's name alone.
    """
    kind = schema.get_type(root)
    assert isinstance(kind, GraphQLObjectType)
    field = kind.fields[name]
    variables = ", ".join(f"${argument}: {field.args[argument].type}" for argument in arguments)
    passed = ", ".join(f"{argument}: ${argument}" for argument in arguments)
    chosen = selection(get_named_type(field.type), depth) if depth is not None else ""
    if not chosen and not is_leaf_type(get_named_type(field.type)):
        chosen = "{ __typename }"
    head = f"{root.lower()} ({variables})" if variables else root.lower()
    return f"{head} {{ {name}{f'({passed})' if passed else ''} {chosen} }}"
