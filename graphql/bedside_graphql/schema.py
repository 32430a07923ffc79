"""Composes one schema out of all plugins' parts, and refuses what two plugins would both define.

A plugin adds fields to another plugin's type without importing it, through `strawberry.Schema.get_fields`, which the
converter asks for each type and the roots. It acts for one schema and mutates no class (ADR 0004). The seam is not
documented by Strawberry: its minor version is pinned and tests/schema/test_compose.py holds it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter
from typing import Any

import strawberry
import structlog
from graphql import GraphQLNonNull, GraphQLObjectType, Undefined, is_required_argument
from strawberry.exceptions import DuplicatedTypeName
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.base import StrawberryObjectDefinition, get_object_definition
from strawberry.types.field import StrawberryField
from strawberry.types.private import is_private

from bedside_graphql.gate import gates_of, is_guarded
from bedside_graphql.inbox import cursor_in, inbox_part
from bedside_graphql.part import GraphQLPart, InboxKind
from bedside_graphql.types import SCALARS

log = structlog.get_logger("bedside.graphql")

ROOTS = ("Query", "Mutation", "Subscription")

CONFIG = StrawberryConfig(scalar_map=SCALARS)
"""How the schema is built; its name converter tells what a field is called in it."""


class CompositionError(Exception):
    """A plugin's part does not fit.

    Args:
        plugin: whose part it is; the later of two that contend.
        reason: why, naming both where two contend.
    """

    def __init__(self, plugin: str, reason: str) -> None:
        super().__init__(f"{plugin}: {reason}")
        self.plugin = plugin
        self.reason = reason


@dataclass(frozen=True)
class _Added:
    plugin: str
    field: StrawberryField


class Schema(strawberry.Schema):
    """A schema whose types have the fields that plugins contribute.

    Args:
        parts: plugin name -> its parts, in plugin order.

    Raises:
        CompositionError: two plugins define the same, a field has no gate or can't be null though it
            has to, or a resolver can't do without an argument that clients can.
    """

    def __init__(self, parts: Mapping[str, Sequence[GraphQLPart]]) -> None:
        parts = _with_inbox(parts)
        self._added: dict[str, dict[str, _Added]] = {}
        self._plugin_of_package = _owners(parts)
        for plugin, several in parts.items():
            for part in several:
                for root, source in part.contributions():
                    self._add(plugin, root, source)
        roots = {name: _empty(name) for name in ROOTS if name in self._added}
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            query=roots.get("Query") or _empty("Query"),
            mutation=roots.get("Mutation"),
            subscription=roots.get("Subscription"),
            types=[item for several in parts.values() for part in several for item in part.types],
            config=CONFIG,
        )
        self.absent = sorted(set(self._added) - set(self._schema.type_map) - set(ROOTS))
        """Names of types that plugins would have extended, but that no active plugin defines."""
        for name in self.absent:
            log.info(
                "extended type is absent", type=name, plugins=sorted({a.plugin for a in self._added[name].values()})
            )
        self._check_nullable()
        self._check_defaults()

    def get_fields(self, type_definition: StrawberryObjectDefinition) -> list[StrawberryField]:
        """Return a type's own fields and those added to it."""
        own = type_definition.fields
        added = self._added.get(type_definition.name, {})
        owner = self._plugin_of_package.get(_package(type_definition.origin), "its own plugin")
        seen: set[str] = set()
        for field in own:
            if is_private(field.type):
                continue
            name = _graphql_name(field)
            if name in added or name in seen:
                raise _twice(added[name].plugin if name in added else owner, owner, type_definition.name, name)
            seen.add(name)
        return [*own, *(item.field for item in added.values())]

    def _add(self, plugin: str, root: str | None, source: type) -> None:
        definition: StrawberryObjectDefinition | None = get_object_definition(source)
        if definition is None:
            raise CompositionError(plugin, f"{source.__name__} is not a Strawberry type")
        target = root or definition.name
        fields = self._added.setdefault(target, {})
        for field in definition.fields:
            if is_private(field.type):
                continue
            name = _graphql_name(field)
            if name in fields:
                raise _twice(plugin, fields[name].plugin, target, name)
            if not is_guarded(field):
                raise CompositionError(plugin, f"{target}.{name} has neither a gate nor says public")
            fields[name] = _Added(plugin, field)

    def _check_nullable(self) -> None:
        for target, added in self._added.items():
            built: Any = self._schema.type_map.get(target)
            for name, item in added.items():
                if built is None:
                    continue  # nobody defines the type that would be extended
                may_be_refused = target not in ROOTS or bool(gates_of(item.field))
                # A refused subscription never has an event to be null in.
                if may_be_refused and target != "Subscription" and isinstance(built.fields[name].type, GraphQLNonNull):
                    raise CompositionError(item.plugin, f"{target}.{name} can be refused, so it has to be nullable")

    def _check_defaults(self) -> None:
        """Refuse arguments that a client may leave out, but a resolver can't do without."""
        for target, kind in self._schema.type_map.items():
            if not isinstance(kind, GraphQLObjectType):
                continue
            for name, built in kind.fields.items():
                field: Any = built.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
                resolver: Any = getattr(field, "base_resolver", None)
                if resolver is None:
                    continue
                for argument in field.arguments:
                    shown = CONFIG.name_converter.from_argument(argument)
                    if is_required_argument(built.args[shown]) or built.args[shown].default_value is not Undefined:
                        continue
                    if resolver.signature.parameters[argument.python_name].default is Parameter.empty:
                        raise self._argument_fault(target, name, shown, resolver.wrapped_func.__module__)

    def _argument_fault(self, target: str, field: str, argument: str, module: str) -> Exception:
        reason = f"{target}.{field}({argument}:) can be left out, so its resolver has to have a default"
        added = self._added.get(target, {}).get(field)
        plugin = added.plugin if added else self._plugin_of_package.get(module.split(".")[0])
        return CompositionError(plugin, reason) if plugin else TypeError(reason)


def _with_inbox(parts: Mapping[str, Sequence[GraphQLPart]]) -> Mapping[str, Sequence[GraphQLPart]]:
    """Return the parts with the subscription `inbox` made out of them, as a part of whoever contributes to it first.

    Raises:
        CompositionError: two plugins contribute the same kind, or one that is not named after its plugin.
    """
    kinds: dict[str, InboxKind] = {}
    first: str | None = None
    for plugin, several in parts.items():
        for part in several:
            if part.inbox is None:
                continue
            first = first or plugin
            for name, kind in part.inbox.items():
                if not name.startswith(f"{plugin}."):
                    raise CompositionError(plugin, f"the inbox's kind {name} does not begin with {plugin}.")
                if not cursor_in(kind.event):
                    raise CompositionError(plugin, f"the inbox's kind {name} has no event with a field `cursor: str`")
                kinds[name] = kind
    return parts if first is None else {**parts, first: [*parts[first], inbox_part(kinds)]}


def compose(
    parts: Mapping[str, Sequence[GraphQLPart]],
    disable: Callable[[str, str, str | None], None],
    active: Callable[[str], bool] = lambda name: True,
) -> Schema:
    """Return the schema of the parts that fit together.

    Args:
        parts: plugin name -> its parts, in plugin order.
        disable: called with the name of a plugin whose part does not fit, why in our words, and what foreign code
            said of it, if anything; it may raise.
        active: tells whether a plugin is still active: one may fall with another that it requires.
    """
    fitting = {name: several for name, several in parts.items() if active(name)}
    while True:
        try:
            return Schema(fitting)
        except Exception as error:
            culprit, reason, said = _told(error) or _culprit(fitting, error)
        disable(culprit, reason, said)
        fitting = {name: several for name, several in fitting.items() if name != culprit and active(name)}


def _told(error: BaseException | None) -> tuple[str, str, None] | None:
    """Return whose fault it is, and why, where our schema found it: graphql-core wraps what `get_fields` raises."""
    seen: set[int] = set()  # what was raised again and again may lead back to itself
    while error is not None and id(error) not in seen:
        if isinstance(error, CompositionError):
            return error.plugin, error.reason, None
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def _culprit(parts: Mapping[str, Sequence[GraphQLPart]], error: Exception) -> tuple[str, str, str | None]:
    """Return the first plugin, in order, whose part makes the schema fail, why, and what foreign code said."""
    tried: dict[str, Sequence[GraphQLPart]] = {}
    for name, several in parts.items():
        tried[name] = several
        try:
            Schema(tried)
        except Exception as found:
            if told := _told(found):
                return told
            if isinstance(found, DuplicatedTypeName):
                owners = _owners(tried)
                classes = [kind for kind in (found.first_cls, found.second_cls) if kind is not None]
                other = next((owner for kind in classes if (owner := owners.get(_package(kind))) != name), None)
                return name, f"{name} and {other or 'another'}: {found.message}", None
            return name, f"its part of the schema can't be built: {type(found).__name__}", str(found)
    raise error


def _owners(parts: Mapping[str, Sequence[GraphQLPart]]) -> dict[str, str]:
    """Return package -> plugin, by which a type's owner is named."""
    return {
        _package(source): name
        for name, several in parts.items()
        for part in several
        for source in (*(item for _, item in part.contributions()), *part.types)
    }


def _package(source: type) -> str:
    return source.__module__.split(".")[0]


def _graphql_name(field: StrawberryField) -> str:
    """Return a field's name in the schema: two fields are the same by this, whatever Python calls them."""
    return CONFIG.name_converter.get_graphql_name(field)


def _twice(plugin: str, other: str, target: str, name: str) -> CompositionError:
    """Return the refusal of a field that is defined twice, by two plugins or by one."""
    contenders = f"{plugin} defines" if plugin == other else f"{plugin} and {other} both define"
    return CompositionError(plugin, f"{contenders} {target}.{name}" + (" twice" if plugin == other else ""))


def _empty(name: str) -> type:
    documented = {
        "Query": "What can be asked.",
        "Mutation": "What can be done. Mutations of one document run one after the other.",
        "Subscription": "What can be followed live.",
    }
    return strawberry.type(type(name, (), {"__annotations__": {}}), description=documented[name])
