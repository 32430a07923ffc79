"""Makes GraphQL out of a plugin's settings dataclass: the type, the patch input, the query and the mutation."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class _Whose:
    """How the settings of a scope are called, and who may see and change them."""

    word: str
    whose: str
    changed: str
    see: str
    change: str


_WHOSE = {
    Scope.PRACTICE: _Whose(
        word="", whose="for the practice", changed="the practice's", see="practice.read", change="settings.practice"
    ),
    Scope.MEMBER: _Whose(
        word="own", whose="for oneself", changed="one's own", see="practice.read", change="settings.own"
    ),
    Scope.PATIENT: _Whose(
        word="patient",
        whose="for the patient whom the session acts as",
        changed="as a patient one's own",
        see="settings.as_patient",
        change="settings.as_patient",
    ),
}


def settings_part(plugin: str, settings: type, guard: Guard | None = None) -> GraphQLPart:
    """Return `<plugin>Settings` and `update<Plugin>Settings(patch:)`.

    With them `…OwnSettings` where members have a say, and `…PatientSettings` where patients have, whose type shows what
    they set and nothing else of the practice's.

    Args:
        plugin: the plugin's name.
        settings: its frozen dataclass of `setting()` fields.
        guard: looks at changes before they are made.
    """
    everything, title = [field.name for field in dataclasses.fields(settings)], plugin.capitalize()
    stem = settings.__name__.removesuffix("Settings")  # as its author writes the plugin's name
    output = _output(settings, settings.__name__, everything)
    queries: list[Any] = []
    mutations: list[Any] = []
    for scope, words in _WHOSE.items():
        names = [field.name for field in dataclasses.fields(settings) if scope in field.metadata["scopes"]]
        if not names:
            continue
        prefix = f"{words.word}_" if words.word else ""
        shown = _output(settings, f"{stem}PatientSettings", names) if scope is Scope.PATIENT else output
        queries.append(_query(f"{plugin}_{prefix}settings", settings, shown, scope))
        patch = _patch(settings, f"{stem}{words.word.capitalize()}SettingsPatch", names)
        mutations.append(_mutation(f"update_{plugin}_{prefix}settings", settings, shown, patch, scope, guard))
    return GraphQLPart(
        query=create_type(f"{title}SettingsQuery", queries) if queries else None,
        mutation=create_type(f"{title}SettingsMutation", mutations) if mutations else None,
    )


def _output(settings: type, name: str, names: list[str]) -> Any:
    fields = [field for field in dataclasses.fields(settings) if field.name in names]
    hints = get_type_hints(settings)
    body: dict[str, Any] = {
        "__annotations__": {field.name: hints[field.name] for field in fields},
        "__module__": settings.__module__,
    }
    for field in fields:
        body[field.name] = strawberry.field(description=field.metadata["doc"])
    return strawberry.type(type(name, (), body), description=settings.__doc__)


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
        actor, known = info.context.signed_in(), info.context.platform.settings
        if scope is Scope.PATIENT:
            return await known.read(settings, patient_id=actor.as_patient()[1])
        _, member_id = actor.in_practice()
        return await known.read(settings, member_id=member_id if scope is Scope.MEMBER else None)

    resolve.__name__ = name
    resolve.__annotations__["return"] = output | None
    made: Any = strawberry.field(
        resolver=resolve,
        name=_camel(name),
        description=f"The settings in force {_WHOSE[scope].whose}.",
        extensions=[gate(_WHOSE[scope].see)],
    )
    return cast("object", made)


def _mutation(name: str, settings: type[Any], output: Any, patch_type: Any, scope: Scope, guard: Guard | None) -> Any:
    feature_of = {field.name: field.metadata["feature"] for field in dataclasses.fields(settings)}

    async def resolve(info: Info, patch: Any) -> Any:
        actor = info.context.signed_in()
        practice_id, _ = actor.as_person()
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
    made: Any = strawberry.mutation(
        resolver=resolve,
        name=_camel(name),
        description=f"Change {_WHOSE[scope].changed} settings; what is not given stays.",
        extensions=[gate(_WHOSE[scope].change)],
    )
    return cast("object", made)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
