"""Makes GraphQL out of a plugin's settings dataclass: the type, the patch input, the query and the mutation."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Annotated, Any, cast, get_type_hints

import strawberry
from strawberry import UNSET, Maybe
from strawberry.tools import create_type

from bedside_core.settings import Scope
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart

Guard = Callable[[Info, Mapping[str, Any]], None]
"""Given changes, name of a setting -> new value; raises a coded problem where they can't be made."""


def settings_part(plugin: str, settings: type, guard: Guard | None = None) -> GraphQLPart:
    """Return `<plugin>Settings` and `update<Plugin>Settings(patch:)`, with `…OwnSettings` where members have a say.

    Args:
        plugin: the plugin's name.
        settings: its frozen dataclass of `setting()` fields.
        guard: looks at changes before they are made.
    """
    fields = dataclasses.fields(settings)
    output, title = _output(settings), plugin.capitalize()
    queries: list[Any] = []
    mutations: list[Any] = []
    for scope in (Scope.PRACTICE, Scope.MEMBER):
        names = [field.name for field in fields if scope in field.metadata["scopes"]]
        if not names:
            continue
        own = "own_" if scope is Scope.MEMBER else ""
        queries.append(_query(f"{plugin}_{own}settings", settings, output, scope))
        stem = settings.__name__.removesuffix("Settings")  # as its author writes the plugin's name
        patch = _patch(settings, f"{stem}{'Own' if own else ''}SettingsPatch", names)
        mutations.append(_mutation(f"update_{plugin}_{own}settings", settings, output, patch, scope, guard))
    return GraphQLPart(
        query=create_type(f"{title}SettingsQuery", queries) if queries else None,
        mutation=create_type(f"{title}SettingsMutation", mutations) if mutations else None,
    )


def _output(settings: type) -> Any:
    fields, hints = dataclasses.fields(settings), get_type_hints(settings)
    body: dict[str, Any] = {
        "__annotations__": {field.name: hints[field.name] for field in fields},
        "__module__": settings.__module__,
    }
    for field in fields:
        body[field.name] = strawberry.field(description=field.metadata["doc"])
    return strawberry.type(type(settings.__name__, (), body), description=settings.__doc__)


def _patch(settings: type, name: str, names: list[str]) -> Any:
    chosen = [field for field in dataclasses.fields(settings) if field.name in names]
    hints: dict[str, Any] = get_type_hints(settings)
    body: dict[str, Any] = {
        "__annotations__": {field.name: Maybe[hints[field.name]] for field in chosen},
        "__module__": settings.__module__,
    }
    for field in chosen:
        body[field.name] = strawberry.field(description=field.metadata["doc"], default=None)
    return strawberry.input(type(name, (), body), description="Only what is given changes.")


def _query(name: str, settings: type[Any], output: Any, scope: Scope) -> Any:
    async def resolve(info: Info) -> Any:
        _, member_id = info.context.signed_in().in_practice()
        owner = member_id if scope is Scope.MEMBER else None
        return await info.context.platform.settings.read(settings, member_id=owner)

    resolve.__name__ = name
    resolve.__annotations__["return"] = output | None
    made: Any = strawberry.field(
        resolver=resolve,
        name=_camel(name),
        description=f"The settings in force for {'oneself' if scope is Scope.MEMBER else 'the practice'}.",
        extensions=[gate("practice.read")],
    )
    return cast("object", made)


def _mutation(name: str, settings: type[Any], output: Any, patch_type: Any, scope: Scope, guard: Guard | None) -> Any:
    feature_of = {field.name: field.metadata["feature"] for field in dataclasses.fields(settings)}

    async def resolve(info: Info, patch: Any) -> Any:
        actor = info.context.signed_in()
        practice_id, _ = actor.in_practice()
        given = {field.name: getattr(patch, field.name) for field in dataclasses.fields(patch)}
        changes: dict[str, Any] = {}
        for key, value in given.items():
            if value is None or value is UNSET:
                continue
            if feature_of[key] and (refusal := await info.context.platform.access.lacks(practice_id, feature_of[key])):
                raise refusal.problem()
            changes[key] = value.value
        if guard is not None:
            guard(info, changes)
        return await info.context.platform.settings.change(actor, settings, changes, scope=scope)

    resolve.__name__ = name
    resolve.__annotations__["patch"] = Annotated[patch_type, strawberry.argument(description="What to change.")]
    resolve.__annotations__["return"] = output | None
    whose = "the practice's" if scope is Scope.PRACTICE else "one's own"
    made: Any = strawberry.mutation(
        resolver=resolve,
        name=_camel(name),
        description=f"Change {whose} settings; what is not given stays.",
        extensions=[gate("settings.practice" if scope is Scope.PRACTICE else "settings.own")],
    )
    return cast("object", made)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
