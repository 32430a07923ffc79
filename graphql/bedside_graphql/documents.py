"""Prepares documents: parses, measures and validates each once, and remembers it by the hash of its text."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    TokenKind,
    parse,
    specified_rules,
    validate,
)
from graphql.validation.rules import overlapping_fields_can_be_merged
from graphql.validation.validate import ValidationAbortedError
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from bedside_core.errors import Problem
from bedside_graphql import problems
from bedside_graphql.config import GraphQLConfig
from bedside_graphql.cost import Cost, cost_of, introspection_only, root_fields
from bedside_graphql.errors import shortened, told
from bedside_graphql.inputs import NullRule
from bedside_graphql.measure import INTROSPECTION, measure
from bedside_graphql.persisted import digest_of
from bedside_graphql.request import holding_nul
from bedside_graphql.weight import is_once

RULES = (*specified_rules, NullRule, OneOfInputValidationRule)
"""The specification's rules, and two about Strawberry's own input types."""

COMPARISONS = 5_000
"""Most steps of finding out whether fields of the same name agree, which is quadratic in the fragments side by side:
enough for twenty of some ten like fields each, or for twelve that all select a page of conversations with last messages
and participants. graphql-core allows 500 000, a second of work."""

TOKEN_BYTES = 600
"""What a token takes in memory once it is parsed, roughly."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation of a valid document.

    Args:
        document: the whole document.
        digest: SHA-256 of its text, by which logs and groups of subscribers name it.
        node: the operation.
        fragments: the document's fragments by name.
        cost: what it may cost.
        root: the fields of the root type that it uses; introspection's are none of them.
        introspects: whether it asks for the schema.
        introspection_only: whether it asks for nothing else.
    """

    document: DocumentNode
    digest: str
    node: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    cost: Cost
    root: Mapping[str, GraphQLField]
    introspects: bool
    introspection_only: bool

    @property
    def name(self) -> str | None:
        """The operation's own name."""
        return self.node.name.value if self.node.name else None

    @property
    def kind(self) -> OperationType:
        """Query, mutation or subscription."""
        return self.node.operation

    def field_path(self, path: Sequence[str | int]) -> str:
        """Return a response's path by the names of the schema; aliases are the client's own words."""
        if not path:
            return "+".join(self.root)
        names: list[str] = []
        selections: SelectionSetNode | None = self.node.selection_set
        for key in path:
            if isinstance(key, int):
                names.append(str(key))
                continue
            field = self._selected(selections, key) if selections else None
            if field is None:
                break
            names.append(field.name.value)
            selections = field.selection_set
        return ".".join(names)

    def _selected(self, selections: SelectionSetNode, key: str) -> FieldNode | None:
        waiting, spread = [selections], set[str]()
        while waiting:
            for selection in waiting.pop().selections:
                if isinstance(selection, FieldNode):
                    if (selection.alias or selection.name).value == key:
                        return selection
                elif isinstance(selection, InlineFragmentNode):
                    waiting.append(selection.selection_set)
                elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in spread:
                    spread.add(selection.name.value)
                    waiting.append(self.fragments[selection.name.value].selection_set)
        return None


class Document:
    """The operations of a valid document."""

    __slots__ = ("operations", "weight")

    def __init__(self, operations: Sequence[Operation], weight: int) -> None:
        self.operations = operations
        self.weight = weight

    def operation(self, name: str | None) -> Operation:
        """Return the operation to run.

        Raises:
            problems.OperationUnknown: none has that name, or none was named and there are several.
        """
        if name is None and len(self.operations) == 1:
            return self.operations[0]
        for operation in self.operations:
            if name is not None and operation.name == name:
                return operation
        raise problems.OperationUnknown(
            "The document has no operation to run by that name." if name else "Which operation is to run?",
            way_on="Name one of the document's operations.",
            field=("operationName",),
        )


class Documents:
    """Prepares documents and remembers those that are valid, the least lately used forgotten first.

    Args:
        schema: what documents have to fit.
        config: the bounds.
    """

    def __init__(self, schema: GraphQLSchema, config: GraphQLConfig) -> None:
        self._schema = schema
        self._config = config
        self._known: OrderedDict[str, Document] = OrderedDict()
        self._weight = 0
        # The one way graphql-core offers; it is a bound of the process, which has one schema.
        overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = COMPARISONS

    def __len__(self) -> int:
        return len(self._known)

    def knows(self, text: str) -> bool:
        """Tell whether a document is remembered, so that preparing it costs nothing."""
        return digest_of(text) in self._known

    def prepare(self, text: str, *, introspection: bool) -> Document:
        """Return a document, ready to run.

        Args:
            text: its source.
            introspection: whether the caller may read the schema; else errors don't suggest names out of it.

        Raises:
            graphql.GraphQLError: it is out of bounds, no GraphQL, or does not fit the schema; a coded problem is the
                original error.
            problems.IntrospectionOff: it asks for the schema, and the caller may not.
        """
        digest = digest_of(text)
        document = self._known.get(digest)
        if document is None:
            document = self._prepared(text, digest, introspection)
            self._remember(digest, document)
        else:
            self._known.move_to_end(digest)
        if not introspection and any(operation.introspects for operation in document.operations):
            raise problems.IntrospectionOff("The schema is not told here.", way_on="Read graphql/schema.graphql.")
        return document

    def _remember(self, digest: str, document: Document) -> None:
        self._known[digest] = document
        self._weight += document.weight
        while self._weight > self._config.cache_bytes:
            self._weight -= self._known.popitem(last=False)[1].weight

    def _prepared(self, text: str, digest: str, introspection: bool) -> Document:
        document = self._parsed(text)
        measure(document, self._config)
        faults = validate(self._schema, document, RULES, max_errors=1, hide_suggestions=not introspection)
        if faults and isinstance(faults[0], ValidationAbortedError):
            raise problems.TooManyFields(
                "The operation repeats too many fields.", way_on="Split it into several.", detail={"limit": COMPARISONS}
            )
        if faults and isinstance(faults[0].original_error, Problem):
            raise faults[0]
        if faults:
            raise told(problems.ValidationFailed(shortened(faults[0].message)), faults[0])
        fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
        operations = [
            self._operation(document, digest, node, fragments)
            for node in document.definitions
            if isinstance(node, OperationDefinitionNode)
        ]
        return Document(operations, sys.getsizeof(text) + TOKEN_BYTES * document.token_count)

    def _parsed(self, text: str) -> DocumentNode:
        limit = self._config.max_tokens
        try:
            document = parse(text, max_lexical_tokens=limit, max_comments=limit)
        except GraphQLSyntaxError as error:
            # graphql-core tells its limits from faults of the text by the message alone.
            if "contains more than" in error.message and error.message.endswith("Parsing aborted."):
                raise problems.TooManyTokens("The document has too many tokens.", detail={"limit": limit}) from None
            if error.message.endswith("nested too deeply. Parsing aborted."):
                raise problems.TooDeep("The document is nested too deeply.") from None
            raise told(problems.ParseFailed(shortened(error.message)), error) from None
        if _holds_nul(document):
            raise holding_nul("query")
        _unlink(document)
        return document

    def _operation(
        self,
        document: DocumentNode,
        digest: str,
        node: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
    ) -> Operation:
        selected = root_fields(node, fragments)
        names = {field.name.value for field in selected}
        kind = self._schema.get_root_type(node.operation)
        root = {name: kind.fields[name] for name in sorted(names) if name in kind.fields} if kind else {}
        _refuse_repeated(selected, root)
        return Operation(
            document=document,
            digest=digest,
            node=node,
            fragments=fragments,
            cost=cost_of(self._schema, node, fragments, self._config.list_size),
            root=root,
            introspects=bool(names & INTROSPECTION),
            introspection_only=introspection_only(node, fragments),
        )


def _holds_nul(document: DocumentNode) -> bool:
    """Tell whether a string holds NUL, however it is written: tokens tell what their escapes stand for."""
    token = document.loc.start_token if document.loc else None
    while token is not None:
        if token.value is not None and "\0" in token.value and token.kind is not TokenKind.COMMENT:
            return True
        token = token.next
    return False


def _refuse_repeated(selected: Sequence[FieldNode], root: Mapping[str, GraphQLField]) -> None:
    """Refuse an operation that has more than one field of those that it can have once; the same key is one field."""
    keys: dict[str, FieldNode] = {}
    for node in selected:
        if (name := node.name.value) in root and is_once(root[name]):
            keys[(node.alias or node.name).value] = node
    if len(keys) > 1:
        *_, last = keys.values()
        problem = problems.TooCostly(
            f"An operation has room for one {last.name.value}.", way_on="Send a request for each.", detail={"limit": 1}
        )
        raise told(problem, GraphQLError(problem.message, last))


def _unlink(document: DocumentNode) -> None:
    """Take a document's tokens apart, which hold one another in a chain that nobody reads from here on.

    With it each document would be a circle of thousands of objects, which only the garbage collector could free: it
    stops everybody meanwhile, for up to a tenth of a second.
    """
    token = document.loc.start_token if document.loc else None
    while token is not None:
        following = token.next
        token.prev = token.next = None
        token = following
