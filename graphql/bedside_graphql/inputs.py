"""Finds the first value at fault in a client's input, and tells it by its path; nothing looks any further (G1, G3)."""

# graphql-core leaves the types of values open.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from graphql import (
    ArgumentNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    ListValueNode,
    NullValueNode,
    ObjectFieldNode,
    OperationDefinitionNode,
    Undefined,
    ValidationRule,
    VariableDefinitionNode,
    get_named_type,
    is_required_input_field,
)
from graphql.utilities import type_from_ast
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryMaybe, StrawberryOptional

from bedside_graphql import problems
from bedside_graphql.errors import told

Path = tuple[str, ...]
"""Names of variables, arguments and input fields, and indices of lists, outermost first."""

NOT_NULL = "This can be left out, but it can't be null."


def fault_in_variables(schema: GraphQLSchema, node: OperationDefinitionNode, given: Mapping[str, Any]) -> Path:
    """Return the path of the first value that an operation's variables can't have; () where none is found.

    Args:
        schema: what the values have to fit.
        node: the operation.
        given: the values as they came, by variable.
    """
    for name, kind, has_default in _variables(schema, node):
        if name not in given and has_default:
            continue
        try:
            path = _fault(given.get(name), kind, (name,))
        except RecursionError:  # deeper than graphql-core goes
            path = (name,)
        if path is not None:
            return path
    return ()


def null_in_variables(schema: GraphQLSchema, node: OperationDefinitionNode, given: Mapping[str, Any]) -> Path | None:
    """Return the path of the first null in values that fit otherwise, where one can only be left out.

    graphql-core knows no such thing: it is Strawberry's `Maybe[T]`, in contrast to `Maybe[T | None]`.

    Args:
        schema: what the values fit.
        node: the operation.
        given: the values as they came, by variable.
    """
    return _first(_null(given.get(name), kind, (name,)) for name, kind, _ in _variables(schema, node))


def null_in_arguments(arguments: Mapping[str, GraphQLArgument], given: Mapping[str, Any]) -> Path | None:
    """Return the same of a field's arguments, whose values may stand in the document and hold variables.

    Args:
        arguments: the field's arguments by name.
        given: their coerced values.
    """
    places = ((name, argument) for name, argument in arguments.items() if name in given)
    return _first(
        (name,) if given[name] is None and _never_null(argument) else _null(given[name], argument.type, (name,))
        for name, argument in places
    )


class NullRule(ValidationRule):
    """Refuses null in a document where a value can only be left out, in place of Strawberry's rule and its Python."""

    def enter_null_value(
        self, node: NullValueNode, _key: object, parent: object, path: list[str | int], ancestors: list[Any]
    ) -> None:
        """Look at the argument or input field that the null is given to."""
        if isinstance(parent, ObjectFieldNode):
            within = get_named_type(self.context.get_parent_input_type())
            place = within.fields.get(parent.name.value) if isinstance(within, GraphQLInputObjectType) else None
        else:
            place = self.context.get_argument() if isinstance(parent, ArgumentNode) else None
        if place is not None and _never_null(place):
            field = _names([*ancestors, parent], path)
            problem = problems.ValidationFailed(NOT_NULL, way_on="Leave it out.", field=field)
            self.report_error(told(problem, GraphQLError(NOT_NULL, node)))


def _variables(schema: GraphQLSchema, node: OperationDefinitionNode) -> Iterator[tuple[str, Any, bool]]:
    for definition in node.variable_definitions or ():
        kind = type_from_ast(schema, definition.type)
        yield definition.variable.name.value, kind, definition.default_value is not None


def _fault(value: Any, kind: Any, path: Path) -> Path | None:
    if isinstance(kind, GraphQLNonNull):
        return path if value is None else _fault(value, kind.of_type, path)
    if value is None:
        return None
    if isinstance(kind, GraphQLList):
        if not isinstance(value, list):
            return _fault(value, kind.of_type, path)
        return _first(
            _fault(item, kind.of_type, (*path, str(index))) for index, item in enumerate(cast("list[Any]", value))
        )
    if isinstance(kind, GraphQLInputObjectType):
        return _fault_in_object(value, kind, path)
    try:
        return path if kind.coerce_input_value(value) is Undefined else None
    except Exception:
        return path


def _fault_in_object(value: Any, kind: GraphQLInputObjectType, path: Path) -> Path | None:
    if not isinstance(value, dict):
        return path
    given = cast("dict[str, Any]", value)
    for name, field in kind.fields.items():
        if name not in given:
            if is_required_input_field(field):
                return (*path, name)
        elif (found := _fault(given[name], field.type, (*path, name))) is not None:
            return found
    unknown = next((name for name in given if name not in kind.fields), None)
    if unknown is not None:
        return (*path, unknown[:100])
    return path if kind.is_one_of and (len(given) != 1 or None in given.values()) else None


def _null(value: Any, kind: Any, path: Path) -> Path | None:
    if isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
    if isinstance(kind, GraphQLList):
        if not isinstance(value, list):
            return _null(value, kind.of_type, path)
        return _first(
            _null(item, kind.of_type, (*path, str(index))) for index, item in enumerate(cast("list[Any]", value))
        )
    if not isinstance(kind, GraphQLInputObjectType) or not isinstance(value, dict):
        return None
    given = cast("dict[str, Any]", value)
    for name, field in kind.fields.items():
        if name not in given:
            continue
        if given[name] is None:
            if _never_null(field):
                return (*path, name)
        elif (found := _null(given[name], field.type, (*path, name))) is not None:
            return found
    return None


def _first(paths: Iterator[Path | None]) -> Path | None:
    return next((path for path in paths if path is not None), None)


def _never_null(place: GraphQLArgument | GraphQLInputField) -> bool:
    definition: Any = place.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    kind = getattr(definition, "type", None)
    return isinstance(kind, StrawberryMaybe) and not isinstance(kind.of_type, StrawberryOptional)


def _names(above: Sequence[Any], keys: Sequence[str | int]) -> Path:
    """Return the path of a value in a document, out of what is above it and the key by which each of these leads on."""
    names: list[str] = []
    for number, (node, key) in enumerate(zip(above, keys, strict=False)):
        if isinstance(node, VariableDefinitionNode):
            names.append(node.variable.name.value)
        elif isinstance(node, ArgumentNode | ObjectFieldNode):
            names.append(node.name.value)
        elif isinstance(above[number - 1], ListValueNode):
            names.append(str(key))
    return tuple(names)
