"""What `bedside plugins check` says of a plugin's part of the schema, beyond that it composes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import get_object_definition
from strawberry.types.field import StrawberryField
from strawberry.types.private import is_private

from bedside_core.platform import Platform
from bedside_graphql.endpoint import composed
from bedside_graphql.gate import gates_of
from bedside_graphql.part import GraphQLPart
from bedside_graphql.schema import Schema


def rehearse(platform: Platform) -> None:
    """Compose the schema; what does not fit disables its plugin."""
    composed(platform)


def faults(platform: Platform, plugin: str) -> Sequence[str]:
    """Return what a plugin's types and fields lack: descriptions, and gates that somebody can pass.

    That fields are gated or public, nullable where they can be refused, and defined once, composing has seen to.

    Args:
        platform: with every plugin's part collected.
        plugin: whose part is looked at.
    """
    schema = composed(platform)
    built = schema._schema  # pyright: ignore[reportPrivateUsage] - Strawberry shows it nowhere else
    part: GraphQLPart = platform.plugins.collected("graphql").get(plugin) or GraphQLPart()
    sources = [*(item for _, item in part.contributions()), *part.types]
    told: list[str] = []
    for target, name, field in _contributed(schema, part):
        if target in built.type_map:
            told += _undescribed(f"{target}.{name}", built.type_map[target].fields[name])  # pyright: ignore
        told += _impassable(platform, f"{target}.{name}", field)
    for kind in _owned(built, {source.__module__.split(".")[0] for source in sources}):
        told += _undescribed_type(kind)
    return list(dict.fromkeys(told))


def _contributed(schema: Schema, part: GraphQLPart) -> Iterator[tuple[str, str, StrawberryField]]:
    """Yield target type, field name and field of what a part adds to the roots and to other types."""
    for root, source in part.contributions():
        definition = get_object_definition(source, strict=True)
        for field in definition.fields:
            if not is_private(field.type):
                yield root or definition.name, schema.config.name_converter.get_graphql_name(field), field


def _impassable(platform: Platform, where: str, field: StrawberryField) -> Iterator[str]:
    for gate in gates_of(field):
        if gate.permission not in platform.access.permissions:
            yield f"{where} asks for the permission {gate.permission}, which no active plugin declares"
        if gate.feature is not None and gate.feature not in platform.access.features:
            yield f"{where} asks for the feature {gate.feature}, which no active plugin declares"


def _owned(schema: GraphQLSchema, packages: set[str]) -> Iterator[GraphQLNamedType]:
    """Yield the types that are defined in a plugin's package."""
    for kind in schema.type_map.values():
        definition: Any = kind.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        origin = getattr(definition, "origin", None) or getattr(definition, "wrapped_cls", None)
        if origin is not None and origin.__module__.split(".")[0] in packages:
            yield kind


def _undescribed_type(kind: GraphQLNamedType) -> Iterator[str]:
    if not (kind.description or "").strip():
        yield f"type {kind.name} has no description"
    if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
        for name, field in kind.fields.items():
            yield from _undescribed(f"{kind.name}.{name}", field)
    elif isinstance(kind, GraphQLEnumType):
        for name, value in kind.values.items():
            if not (value.description or "").strip():
                yield f"{kind.name}.{name} has no description"


def _undescribed(where: str, field: Any) -> Iterator[str]:
    if not (field.description or "").strip():
        yield f"{where} has no description"
    for name, argument in getattr(field, "args", {}).items():
        if not (argument.description or "").strip():
            yield f"{where}({name}:) has no description"
