"""The policy of the schema: for each field that a client can begin with, what it needs and whether it creates.

`policy.toml` has a row for every root field and every field that a plugin adds to another's type. A field without a
row, a row without a field, or a difference between the two fails the build.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from graphql import GraphQLEnumType, GraphQLObjectType, GraphQLSchema, is_introspection_type
from strawberry.types.field import StrawberryField

from bedside_core.access import Permission
from bedside_graphql.gate import gates_of, is_guarded

ROOTS = ("Query", "Mutation", "Subscription")
FILE = Path(__file__).with_name("policy.toml")


def policy() -> dict[str, Any]:
    """Return the rows, by `Type.field`."""
    return tomllib.loads(FILE.read_text())


def fields_of(schema: GraphQLSchema) -> Iterator[tuple[str, Any, StrawberryField]]:
    """Yield (`Type.field`, the built field, Strawberry's field) of every object type."""
    for name, kind in schema.type_map.items():
        if isinstance(kind, GraphQLObjectType) and not is_introspection_type(kind):
            for field_name, field in kind.fields.items():
                yield f"{name}.{field_name}", field, field.extensions["strawberry-definition"]


def described(field: StrawberryField) -> dict[str, Any]:
    """Return what a field's row has to say, apart from `creates`."""
    gates = gates_of(field)
    if not gates:
        return {"public": True}
    row: dict[str, Any] = {"permission": gates[0].permission}
    return {**row, "feature": gates[0].feature} if gates[0].feature else row


def faults(schema: GraphQLSchema, rows: Mapping[str, Any], permissions: Mapping[str, Permission]) -> list[str]:
    """Return where schema, policy and permissions disagree."""
    found: list[str] = []
    seen: set[str] = set()
    for name, built, field in fields_of(schema):
        root = name.split(".")[0] in ROOTS
        if not is_guarded(field):
            if root:
                found.append(f"{name} has neither a gate nor says public")
            continue
        seen.add(name)
        if name not in rows:
            found.append(f"{name} has no row in the policy")
            continue
        row = dict(rows[name])
        creates = row.pop("creates", None)
        if row != described(field):
            found.append(f"{name} is {described(field)}, its row says {row}")
        if name.startswith("Mutation.") and creates is None:
            found.append(f"{name} has no word in the policy on whether it creates")
        if creates and "clientId" not in built.args:
            found.append(f"{name} creates and takes no clientId")
        for gate in gates_of(field):
            declared = permissions.get(gate.permission)
            if declared is None:
                found.append(f"{name} needs {gate.permission}, which nobody declares")
            elif declared.feature != gate.feature:
                found.append(f"{name} shows the feature {gate.feature}, its permission has {declared.feature}")
    found += [f"{name} is in the policy and not in the schema" for name in rows if name not in seen]
    return found


def undescribed(schema: GraphQLSchema) -> list[str]:
    """Return the types, fields, arguments and values of enums of the schema without a description."""
    missing: list[str] = []
    for name, kind in schema.type_map.items():
        if is_introspection_type(kind):
            continue
        if not kind.description:
            missing.append(name)
        for field_name, field in getattr(kind, "fields", {}).items():
            if not field.description:
                missing.append(f"{name}.{field_name}")
            missing += [
                f"{name}.{field_name}({arg})"
                for arg, value in getattr(field, "args", {}).items()
                if not value.description
            ]
        if isinstance(kind, GraphQLEnumType):
            missing += [f"{name}.{value_name}" for value_name, value in kind.values.items() if not value.description]
    return missing
