"""Compares two versions of the schema: what changed, and what breaks clients without having been announced (G7).

What is to go is deprecated first, with a reason that ends with `Removed after YYYY-MM-DD`, at least six months off.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
)
from graphql.utilities import find_schema_changes
from graphql.utilities.find_schema_changes import BreakingChange, DangerousChange, SafeChangeType

MONTHS = 6
"""How long what is deprecated stays at least."""

_REMOVAL = re.compile(r"Removed after (\d{4}-\d\d-\d\d)\.?$")
_REMOVED = re.compile(r"(?:Field|Argument|Enum value) (\S+) was removed\.")
_TYPE_REMOVED = re.compile(r"(\w+) was removed\.")


def removal_date(reason: str | None) -> date | None:
    """Return the day after which something deprecated may be removed, as its reason says; None where it says none."""
    found = _REMOVAL.search(reason or "")
    try:
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def changes(old: GraphQLSchema, new: GraphQLSchema) -> list[str]:
    """Return every change between two versions, the breaking ones first, for the changelog."""
    breaking: list[str] = []
    dangerous: list[str] = []
    safe: list[str] = []
    for change in find_schema_changes(old, new):
        if isinstance(change, BreakingChange):
            breaking.append(f"breaking: {change.description}")
        elif isinstance(change, DangerousChange):
            dangerous.append(f"dangerous: {change.description}")
        elif change.type is SafeChangeType.DESCRIPTION_CHANGED:
            safe.append(f"described: {change.description.split(' has changed to')[0]} has changed.")
        else:
            safe.append(f"safe: {change.description}")
    before = dict(_elements(old))
    for coordinate, element in _elements(new):
        if element.deprecation_reason and _reason(before.get(coordinate)) != element.deprecation_reason:
            safe.append(f"deprecated: {coordinate}: {element.deprecation_reason}")
    return [*breaking, *dangerous, *safe]


def faults(old: GraphQLSchema, new: GraphQLSchema, today: date) -> list[str]:
    """Return what rule G7 forbids: breaking changes, and deprecations that give too little notice.

    A removal is allowed once the day in its deprecation's reason has passed, and that of a type once everything that
    led to it was removed so.

    Args:
        old: the schema that clients know.
        new: the schema that is to replace it.
        today: the day of the change.
    """
    before = dict(_elements(old))
    gone = {key for key, element in before.items() if (day := removal_date(_reason(element))) and day < today}
    told: list[str] = []
    for change in find_schema_changes(old, new):
        if not isinstance(change, BreakingChange) or change.description.startswith("Standard scalar "):
            continue  # a scalar of GraphQL's own is not gone where nothing uses it
        if (removed := _REMOVED.fullmatch(change.description)) and removed[1] in gone:
            continue
        if (removed := _TYPE_REMOVED.fullmatch(change.description)) and _unused(old, removed[1], new, gone):
            continue
        told.append(change.description)
    earliest = _months_after(today, MONTHS)
    for coordinate, element in _elements(new):
        if element.deprecation_reason is None:
            continue
        day, known = removal_date(element.deprecation_reason), removal_date(_reason(before.get(coordinate)))
        if day is None:
            told.append(f"{coordinate} is deprecated, but its reason does not end with `Removed after YYYY-MM-DD`.")
        elif day < earliest and (known is None or day < known):
            told.append(f"{coordinate} may be removed after {day}; that has to be {earliest} or later.")
    return told


def _reason(element: Any) -> str | None:
    return getattr(element, "deprecation_reason", None)


def _months_after(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _elements(schema: GraphQLSchema) -> Iterator[tuple[str, Any]]:
    """Yield what can be deprecated by its schema coordinate: fields, arguments, input fields and enum values."""
    for name, kind in schema.type_map.items():
        if name.startswith("__"):
            continue
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for field_name, field in kind.fields.items():
                yield f"{name}.{field_name}", field
                for argument_name, argument in field.args.items():
                    yield f"{name}.{field_name}({argument_name}:)", argument
        elif isinstance(kind, GraphQLInputObjectType):
            yield from ((f"{name}.{field_name}", field) for field_name, field in kind.fields.items())
        elif isinstance(kind, GraphQLEnumType):
            yield from ((f"{name}.{value_name}", value) for value_name, value in kind.values.items())


def _unused(old: GraphQLSchema, name: str, new: GraphQLSchema, gone: set[str]) -> bool:
    """Tell whether everything that led to a type was removed rightly, or with a type to which nothing leads either."""
    waiting, seen = [name], {name}
    while waiting:
        current = waiting.pop()
        for user, coordinates in _uses(old, old.type_map[current]):
            if coordinates and all(_within(coordinate, gone) for coordinate in coordinates):
                continue
            if user in new.type_map:
                return False
            if user not in seen:
                seen.add(user)
                waiting.append(user)
    return True


def _within(coordinate: str, gone: set[str]) -> bool:
    return coordinate in gone or coordinate.split("(")[0] in gone


def _uses(schema: GraphQLSchema, wanted: GraphQLNamedType) -> Iterator[tuple[str, list[str]]]:
    """Yield the types that lead to a type, each with the coordinates that do: none for unions and implementers."""
    for name, kind in schema.type_map.items():
        if isinstance(kind, GraphQLUnionType) and wanted in kind.types:
            yield name, []
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) and wanted in kind.interfaces:
            yield name, []
    by_type: dict[str, list[str]] = {}
    for coordinate, element in _elements(schema):
        if (kind := getattr(element, "type", None)) is not None and get_named_type(kind) is wanted:
            by_type.setdefault(coordinate.split(".")[0], []).append(coordinate)
    yield from by_type.items()
