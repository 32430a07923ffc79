"""Typed settings: one frozen dataclass per plugin, stored in layers default < practice < member."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar, cast, get_type_hints
from uuid import UUID

import msgspec

from bedside_core import audit, errors
from bedside_core.access import LEADERS, Permission
from bedside_core.auth import Actor
from bedside_core.database import DB, unit
from bedside_core.events import Event, fact
from bedside_core.ids import uuid7

PERMISSIONS = (
    Permission(key="settings.practice", doc="Change the settings of the practice.", roles=LEADERS),
    Permission(key="settings.own", doc="Change one's own settings."),
)

T = TypeVar("T")


class Scope(StrEnum):
    """Whose value of a setting it is."""

    PRACTICE = "practice"
    MEMBER = "member"


@dataclass(frozen=True, kw_only=True)
class SettingsChanged(Event):
    """Settings of a plugin were changed, for the practice or for one member."""

    plugin: str = fact("The plugin whose settings they are.")
    changed: tuple[str, ...] = fact("Names of the settings that were given a value.")
    member_id: UUID | None = fact("Whose own settings; None for the practice's.")


def setting(
    default: Any,
    doc: str,
    *,
    scopes: Iterable[Scope] = (Scope.PRACTICE,),
    feature: str | None = None,
    least: int | None = None,
    most: int | None = None,
    check: Callable[[Any], str | None] | None = None,
    personal: bool = False,
) -> Any:
    """Declare one setting of a settings dataclass.

    Args:
        default: the value where nobody has set one.
        doc: what it does, shown in the schema and in forms.
        scopes: who may give it a value of their own.
        feature: the feature without which it can't be changed.
        least: the smallest value of a number.
        most: the largest value of a number.
        check: given a value of the right type, returns what is wrong with it, or None.
        personal: whether a person alone changes it, signed in in our own client: no API key and no application (A13).
    """
    facts = {
        "doc": doc,
        "scopes": frozenset(scopes),
        "feature": feature,
        "least": least,
        "most": most,
        "check": check,
        "personal": personal,
    }
    return dataclasses.field(default=default, metadata=facts)


def faults_of(settings: type) -> list[str]:
    """Return what is wrong with a settings class, in words for the plugin's author."""
    if not dataclasses.is_dataclass(settings) or not settings.__dataclass_params__.frozen:  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        return ["the settings are not a frozen dataclass"]
    faults = [] if settings.__doc__ else [f"{settings.__name__} has no docstring"]
    return faults + [
        f"{settings.__name__}.{field.name} was not made by setting()"
        for field in dataclasses.fields(settings)
        if "doc" not in field.metadata
    ]


class Settings:
    """Reads and changes the stored layers. Settings classes belong to plugins by the name they were added under."""

    def __init__(self) -> None:
        self._owner: dict[type, str] = {}

    def add(self, plugin: str, settings: type) -> None:
        """Add a plugin's settings class.

        Raises:
            TypeError: it is not a frozen dataclass of `setting()` fields.
        """
        if faults := faults_of(settings):
            raise TypeError("; ".join(faults))
        self._owner[settings] = plugin

    def classes(self) -> Mapping[type, str]:
        """Return every settings class with its plugin."""
        return self._owner

    async def read(self, settings: type[T], *, member_id: UUID | None = None) -> T:
        """Return the settings in force for the acting practice, and for one of its members where given."""
        rows = await DB.fetch(
            """SELECT member_id, stored FROM setting WHERE plugin = $1 AND (member_id IS NULL OR member_id = $2)
            ORDER BY member_id NULLS FIRST""",
            self._owner[settings],
            member_id,
        )
        stored: dict[str, Any] = {}
        for row in rows:
            stored.update(row["stored"])
        hints, known = get_type_hints(settings), {field.name for field in dataclasses.fields(cast(Any, settings))}
        # A value that an older version stored and this one does not know is left alone, not lost.
        values = {name: msgspec.convert(value, hints[name]) for name, value in stored.items() if name in known}
        return settings(**values)

    async def change(
        self, actor: Actor, settings: type[T], changes: Mapping[str, Any], *, scope: Scope = Scope.PRACTICE
    ) -> T:
        """Give some settings values; the others stay. Rights are the caller's to have asked (`settings.*`).

        Args:
            actor: whose practice, and whose own values in the member's scope.
            settings: the plugin's settings class.
            changes: name -> new value.
            scope: for the practice or for the actor alone.

        Raises:
            errors.InvalidInput: a value of the wrong type, or one that can't be set in this scope.
            errors.Forbidden: a person alone changes one of them, and an API key or an application acts.
        """
        practice_id, person_id = actor.in_practice()
        member_id = person_id if scope is Scope.MEMBER else None
        plugin, hints = self._owner[settings], get_type_hints(settings)
        fields = {field.name: field for field in dataclasses.fields(cast(Any, settings))}
        for name, value in changes.items():
            if name not in fields or scope not in fields[name].metadata["scopes"]:
                raise errors.InvalidInput(f"This can't be set for the {scope}.", field=("patch", name))
            if fields[name].metadata["personal"]:
                _by_person(actor, name)
            try:
                converted = msgspec.convert(value, hints[name])
            except msgspec.ValidationError as error:
                raise errors.InvalidInput("The value has the wrong type.", field=("patch", name)) from error
            least, most = fields[name].metadata["least"], fields[name].metadata["most"]
            if value is None:  # the type allows it, and it is no number
                continue
            if (least is not None and value < least) or (most is not None and value > most):
                raise errors.InvalidInput(f"The value is from {least} to {most}.", field=("patch", name))
            check = fields[name].metadata["check"]
            if check is not None and (fault := check(converted)):
                raise errors.InvalidInput(fault, field=("patch", name))
        async with unit() as work:
            await DB.execute(
                """INSERT INTO setting (id, practice_id, plugin, member_id, stored) VALUES ($1, $2, $3, $4, $5)
                ON CONFLICT (practice_id, plugin, member_id)
                DO UPDATE SET stored = setting.stored || EXCLUDED.stored""",
                uuid7(),
                practice_id,
                plugin,
                member_id,
                msgspec.json.encode(dict(changes)).decode(),  # asyncpg takes JSON as text
            )
            audit.did(
                "settings.own" if member_id else "settings.practice",
                kind="settings",
                target=plugin,
                detail={"changed": sorted(changes)},
            )
            work.emit(
                SettingsChanged(
                    practice_id=practice_id, plugin=plugin, changed=tuple(sorted(changes)), member_id=member_id
                )
            )
        return await self.read(settings, member_id=member_id)


def _by_person(actor: Actor, name: str) -> None:
    if actor.scopes is not None:
        raise errors.Forbidden(
            "A person alone changes this, no API key and no application.",
            way_on="Sign in as one who may change the practice's settings.",
            field=("patch", name),
        )
