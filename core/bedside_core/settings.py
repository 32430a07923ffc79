"""Typed settings: one frozen dataclass per plugin, stored in layers default < practice < member or patient."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar, cast, get_type_hints
from uuid import UUID

import msgspec

from bedside_core import audit, errors
from bedside_core.access import LEADERS, PATIENTS, Permission
from bedside_core.auth import Actor
from bedside_core.database import DB, unit
from bedside_core.events import Event, fact
from bedside_core.ids import uuid7

PERMISSIONS = (
    Permission(key="settings.practice", doc="Change the settings of the practice.", roles=LEADERS),
    Permission(key="settings.own", doc="Change one's own settings."),
    Permission(key="settings.as_patient", doc="See and change one's own settings as a patient (S10).", roles=PATIENTS),
)

T = TypeVar("T")

# Changes of one person's settings come one after the other, so that each is compared with what it changes.
_ONE_BY_ONE = "SELECT pg_advisory_xact_lock(hashtextextended('setting:' || $1::text || $2::uuid::text, 0))"
# Each returns what was stored before, by which only what is different now is told as changed.
_STORE = """WITH before AS (
    SELECT stored FROM setting WHERE practice_id = $2 AND plugin = $3 AND member_id IS NOT DISTINCT FROM $4
)
INSERT INTO setting (id, practice_id, plugin, member_id, stored) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (practice_id, plugin, member_id) DO UPDATE SET stored = (setting.stored - $6::text[]) || EXCLUDED.stored
RETURNING (SELECT stored FROM before)"""
_STORE_OF_PATIENT = """WITH before AS (SELECT stored FROM patient_setting WHERE patient_id = $3 AND plugin = $2)
INSERT INTO patient_setting (practice_id, plugin, patient_id, stored) VALUES ($1, $2, $3, $4)
ON CONFLICT (patient_id, plugin) DO UPDATE SET stored = patient_setting.stored || EXCLUDED.stored
RETURNING (SELECT stored FROM before)"""


class Scope(StrEnum):
    """Whose value of a setting it is."""

    PRACTICE = "practice"
    MEMBER = "member"
    PATIENT = "patient"
    """A patient's in the portal, whoever acts for them (S10)."""


@dataclass(frozen=True, kw_only=True)
class SettingsChanged(Event):
    """Settings of a plugin were changed, for the practice, for one member, or for one patient."""

    plugin: str = fact("The plugin whose settings they are.")
    changed: tuple[str, ...] = fact(
        "Names of the settings that were given another value, or have none of their own any more."
    )
    member_id: UUID | None = fact("The member whose own settings they are; None where they are nobody's of them.")
    patient_id: UUID | None = fact("The patient whose own settings they are; None for all others'.", default=None)


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

    async def read(self, settings: type[T], *, member_id: UUID | None = None, patient_id: UUID | None = None) -> T:
        """Return the settings in force for the acting practice, or for one of its members or patients where given."""
        person_id = member_id or patient_id
        layers = await self._layers(settings, [] if person_id is None else [person_id])
        return _merged(settings, layers.get(None), layers.get(person_id))

    async def of_member(self, settings: type[T], member_id: UUID) -> tuple[T, frozenset[str]]:
        """Return the settings in force for a member of the acting practice, and the names of those that are their own.

        In one statement.
        """
        layers = await self._layers(settings, [member_id])
        known = {field.name for field in dataclasses.fields(cast(Any, settings))}
        return _merged(settings, layers.get(None), layers.get(member_id)), frozenset(layers.get(member_id, {})) & known

    async def of_members(self, settings: type[T], member_ids: Collection[UUID]) -> Mapping[UUID, T]:
        """Return the settings in force for each of the acting practice's members, in one statement."""
        layers = await self._layers(settings, member_ids)
        return {each: _merged(settings, layers.get(None), layers.get(each)) for each in member_ids}

    async def _layers(self, settings: type, person_ids: Collection[UUID]) -> dict[UUID | None, dict[str, Any]]:
        rows = await DB.fetch(
            """SELECT member_id AS person_id, stored FROM setting
            WHERE plugin = $1 AND (member_id IS NULL OR member_id = ANY($2))
            UNION ALL SELECT patient_id, stored FROM patient_setting WHERE plugin = $1 AND patient_id = ANY($2)""",
            self._owner[settings],
            list(person_ids),
        )
        return {row["person_id"]: row["stored"] for row in rows}

    async def change(
        self,
        actor: Actor,
        settings: type[T],
        changes: Mapping[str, Any],
        *,
        scope: Scope = Scope.PRACTICE,
        member_id: UUID | None = None,
        unset: Collection[str] = (),
    ) -> T:
        """Give some settings values; the others stay. Rights are the caller's to have asked (`settings.*`).

        `SettingsChanged` tells of what is otherwise than before, and of nothing where nothing is.

        Args:
            actor: whose practice, and whose own values in the scopes of members and patients.
            settings: the plugin's settings class.
            changes: name -> new value.
            scope: for the practice, for the actor alone, or for the patient whom the actor acts as.
            member_id: for which member of the practice, in the scope of members; None is the actor.
            unset: names of settings whose own value a member gives up, so that the practice's counts again.

        Raises:
            errors.InvalidInput: a value of the wrong type, or one that can't be set in this scope.
            errors.Forbidden: a person alone changes one of them, and an API key or an application acts; or it is not
                for the actor: the patient's scope for a member, another one for a patient.
        """
        practice_id, person_id = actor.as_patient() if scope is Scope.PATIENT else actor.in_practice()
        plugin = self._owner[settings]
        if unset and scope is not Scope.MEMBER:
            raise ValueError("members alone give up a value of their own")
        self._check(actor, settings, changes, scope)
        member_id = (member_id or person_id) if scope is Scope.MEMBER else None
        patient_id = person_id if scope is Scope.PATIENT else None
        stored = msgspec.json.encode(dict(changes)).decode()  # asyncpg takes JSON as text
        async with unit() as work:
            await DB.execute(_ONE_BY_ONE, plugin, member_id or patient_id or practice_id)
            if patient_id is None:
                before = await DB.fetchval(_STORE, uuid7(), practice_id, plugin, member_id, stored, list(unset))
            else:
                before = await DB.fetchval(_STORE_OF_PATIENT, practice_id, plugin, patient_id, stored)
            audit.did(
                "settings.practice" if scope is Scope.PRACTICE else "settings.own",
                kind="settings",
                target=plugin,
                patients=[patient_id] if patient_id else (),
                detail={"changed": sorted({*changes, *unset})},
            )
            if changed := _different(before or {}, msgspec.json.decode(stored), unset):
                work.emit(
                    SettingsChanged(
                        practice_id=practice_id,
                        plugin=plugin,
                        changed=changed,
                        member_id=member_id,
                        patient_id=patient_id,
                    )
                )
        return await self.read(settings, member_id=member_id, patient_id=patient_id)

    def _check(self, actor: Actor, settings: type, changes: Mapping[str, Any], scope: Scope) -> None:
        """Refuse values that can't be.

        Raises:
            errors.InvalidInput: a value of the wrong type, or one that can't be set in this scope.
            errors.Forbidden: a person alone changes one of them, and an API key or an application acts.
        """
        hints = get_type_hints(settings)
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


def _merged(settings: type[T], *layers: Mapping[str, Any] | None) -> T:
    """Return settings out of what is stored in layers, of which the last one counts."""
    hints, known = get_type_hints(settings), {field.name for field in dataclasses.fields(cast(Any, settings))}
    stored = {name: value for layer in layers for name, value in (layer or {}).items()}
    # A value that an older version stored and this one does not know is left alone, not lost.
    return settings(**{name: msgspec.convert(value, hints[name]) for name, value in stored.items() if name in known})


def _different(before: Mapping[str, Any], changes: Mapping[str, Any], unset: Collection[str]) -> tuple[str, ...]:
    """Return the names of what is stored otherwise than before."""
    given = {name for name, value in changes.items() if name not in before or before[name] != value}
    return tuple(sorted(given | {name for name in unset if name in before}))


def _by_person(actor: Actor, name: str) -> None:
    if actor.scopes is not None:
        raise errors.Forbidden(
            "A person alone changes this, no API key and no application.",
            way_on="Sign in as one who may change the practice's settings.",
            field=("patch", name),
        )
