"""Tells whether the allow-list leads back: else a practice that insists on it could never undo that."""

from __future__ import annotations

from graphql import BooleanValueNode, GraphQLError, ObjectValueNode, OperationType, ValueNode, VariableNode

from bedside_core.errors import Problem
from bedside_graphql.cost import root_fields
from bedside_graphql.documents import Documents, Operation
from bedside_graphql.persisted import PersistedDocuments

UNDOING = "updateGraphqlSettings"
"""The mutation that a practice's leaders change the setting by."""


def has_a_way_back(persisted: PersistedDocuments, documents: Documents) -> bool:
    """Tell whether a practice that accepts listed documents only can accept others again, by one that is listed.

    Args:
        persisted: the allow-list.
        documents: prepares documents; what is no valid document of the schema can't undo anything.
    """
    candidates = [text for text in persisted.texts() if UNDOING in text]  # few of many: the others are never parsed
    return any(_undoes(operation) for text in candidates for operation in _operations(documents, text))


def _operations(documents: Documents, text: str) -> list[Operation]:
    try:
        return list(documents.prepare(text, introspection=True).operations)
    except (Problem, GraphQLError):
        return []


def _undoes(operation: Operation) -> bool:
    if operation.kind is not OperationType.MUTATION:
        return False
    return any(
        argument.name.value == "patch" and _may_be_off(argument.value)
        for field in root_fields(operation.node, operation.fragments)
        if field.name.value == UNDOING
        for argument in field.arguments or ()
    )


def _may_be_off(patch: ValueNode) -> bool:
    """Tell whether a patch turns the setting off, or leaves it to a variable."""
    if isinstance(patch, ObjectValueNode):
        given = [field.value for field in patch.fields if field.name.value == "persistedOnly"]
        return any(isinstance(value, VariableNode) or _is_false(value) for value in given)
    return isinstance(patch, VariableNode)


def _is_false(value: ValueNode) -> bool:
    return isinstance(value, BooleanValueNode) and not value.value
