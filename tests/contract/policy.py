"""The policy of the schema: every field, what it needs, whether it creates, and which ids it takes.

`policy.toml` has a row for every field with a gate and every public one, and lists the others under their type: their
rights are those of the field that leads to them. It says which roles have each permission. A field that stands nowhere,
a row without a field, or a difference between the two fails the build; test_policy_matrix.py drives the rows.
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
from contract.operations import id_paths

ROOTS = ("Query", "Mutation", "Subscription")
TABLES = {"roles", "types"}
"""What stands in the policy beside the fields' rows."""
DRIVEN = ("creates", "ids", "filters", "given", "own", "own_of_patients", "missing", "quiet")
"""What a row says for those who drive the field."""
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
    plain: dict[str, list[str]] = {}
    for name, built, field in fields_of(schema):
        root = name.split(".")[0] in ROOTS
        if not is_guarded(field):
            if root:
                found.append(f"{name} has neither a gate nor says public")
            kind, _, own = name.partition(".")
            plain.setdefault(kind, []).append(own)
            continue
        seen.add(name)
        if name not in rows:
            found.append(f"{name} has no row in the policy")
            continue
        row = dict(rows[name])
        creates = row.get("creates")
        taken = sorted([*row.get("ids", {}), *row.get("filters", {})])
        if root and sorted(id_paths(built)) != taken:
            found.append(f"{name} takes ids as {sorted(id_paths(built))}, its row says {taken}")
        row = {key: value for key, value in row.items() if key not in DRIVEN}
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
    found += [f"{name} is in the policy and not in the schema" for name in rows if name not in seen | TABLES]
    types: dict[str, list[str]] = rows.get("types", {})
    for kind in sorted(set(plain) | set(types)):
        for name in sorted(set(plain.get(kind, ())) - set(types.get(kind, ()))):
            found.append(f"{kind}.{name} has no row in the policy")
        for name in sorted(set(types.get(kind, ())) - set(plain.get(kind, ()))):
            found.append(f"{kind}.{name} is in the policy and not in the schema")
    granted: dict[str, list[str]] = rows.get("roles", {})
    for key in sorted(set(permissions) | set(granted)):
        declared = sorted(role.value for role in permissions[key].roles) if key in permissions else None
        if declared != (sorted(granted[key]) if key in granted else None):
            found.append(f"{key} is for {declared}, the policy says {granted.get(key)}")
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
