"""Settings are read and changed in layers: default, practice, member."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import date

import pytest
from core_stage import as_, assembled_with, joined, plugin, practice_with

from bedside_core import errors
from bedside_core.auth import Role
from bedside_core.database import DB, unit
from bedside_core.events import Event, on
from bedside_core.manifest import Manifest
from bedside_core.people import NewPatient
from bedside_core.platform import Platform
from bedside_core.plugins import PluginError
from bedside_core.settings import Scope, SettingsChanged, faults_of, setting
from bedside_core.testing import Database, until


@dataclass(frozen=True)
class DoorSettings:
    """How doors behave."""

    open: bool = setting(True, "Whether doors stand open.", scopes=(Scope.PRACTICE, Scope.MEMBER))
    greeting: str = setting("Come in.", "What it says.")
    seconds: int = setting(5, "How long it stays open.")


HEARD: list[Event] = []


def door(**hooks: object):
    async def hear(event: SettingsChanged) -> None:
        HEARD.append(event)

    def listeners(platform: Platform):
        return [on(SettingsChanged, hear)]

    manifest = Manifest(name="door", title="Door", api=">=1.0,<2", settings=DoorSettings)
    return plugin("door", manifest, listeners=listeners)


async def test_the_most_specific_layer_wins_and_what_is_not_given_stays(fresh_database: Database) -> None:
    async with assembled_with(fresh_database, door()) as platform:
        _practice, (owner, staff) = await practice_with(platform, Role.OWNER, Role.STAFF)
        with as_(owner):
            assert await platform.settings.read(DoorSettings) == DoorSettings()
            await platform.settings.change(owner, DoorSettings, {"greeting": "Hello.", "open": False})
            changed = await platform.settings.change(owner, DoorSettings, {"seconds": 9})
            assert changed == DoorSettings(open=False, greeting="Hello.", seconds=9)
        with as_(staff):
            own = await platform.settings.change(staff, DoorSettings, {"open": True}, scope=Scope.MEMBER)
            assert own == DoorSettings(open=True, greeting="Hello.", seconds=9)
            assert (await platform.settings.read(DoorSettings)).open is False
        _other, (stranger,) = await practice_with(platform, Role.OWNER)
        with as_(stranger):
            assert await platform.settings.read(DoorSettings) == DoorSettings()


@dataclass(frozen=True)
class LampSettings:
    """How lamps behave."""

    watts: int | None = setting(60, "How bright it is; null is as bright as can be.", least=1, most=100)


async def test_a_number_that_may_be_null_has_no_bounds_then(fresh_database: Database) -> None:
    lamp = plugin("lamp", Manifest(name="lamp", title="Lamp", api=">=1.0,<2", settings=LampSettings))
    async with assembled_with(fresh_database, lamp) as platform:
        _practice, (owner,) = await practice_with(platform, Role.OWNER)
        with as_(owner):
            assert await platform.settings.change(owner, LampSettings, {"watts": None}) == LampSettings(watts=None)
            with pytest.raises(errors.InvalidInput):
                await platform.settings.change(owner, LampSettings, {"watts": 101})
            assert (await platform.settings.read(LampSettings)).watts is None


async def test_a_change_is_told_with_names_not_values(fresh_database: Database) -> None:
    HEARD.clear()
    async with assembled_with(fresh_database, door()) as platform:
        practice, (owner,) = await practice_with(platform, Role.OWNER)
        with as_(owner):
            await platform.settings.change(owner, DoorSettings, {"seconds": 9, "greeting": "secret"})
        await platform.events.settled()
    assert [
        SettingsChanged(practice_id=practice.id, plugin="door", changed=("greeting", "seconds"), member_id=None)
    ] == HEARD


async def test_what_is_as_it_was_is_told_as_no_change(fresh_database: Database) -> None:
    HEARD.clear()
    async with assembled_with(fresh_database, door()) as platform:
        _practice, (owner,) = await practice_with(platform, Role.OWNER)
        with as_(owner):
            for changes in ({"seconds": 9}, {"seconds": 9}, {"seconds": 9, "greeting": "Hello"}, {"seconds": 9}):
                await platform.settings.change(owner, DoorSettings, changes)
        await platform.events.settled()
    assert [event.changed for event in HEARD if isinstance(event, SettingsChanged)] == [("seconds",), ("greeting",)]


async def test_of_two_changes_at_once_the_second_is_compared_with_the_first(fresh_database: Database) -> None:
    HEARD.clear()
    async with assembled_with(fresh_database, door()) as platform:
        _practice, (owner,) = await practice_with(platform, Role.OWNER)
        with as_(owner):
            await platform.settings.change(owner, DoorSettings, {"seconds": 5})

            async def waits() -> bool:
                return await DB.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")

            async with unit():
                await platform.settings.change(owner, DoorSettings, {"seconds": 9})
                with DB.outside():
                    back = asyncio.create_task(platform.settings.change(owner, DoorSettings, {"seconds": 5}))
                    await until(waits, "the second change to wait for the first", 60)
            assert (await back).seconds == 5
        await platform.events.settled()
    assert [event.changed for event in HEARD if isinstance(event, SettingsChanged)] == [("seconds",)] * 3


@dataclass(frozen=True)
class BellSettings:
    """How bells behave."""

    loud: bool = setting(True, "Whether it is loud.", scopes=(Scope.PRACTICE, Scope.MEMBER, Scope.PATIENT))
    rings: int = setting(3, "How often it rings.", scopes=(Scope.PATIENT,), least=1)
    tune: str = setting("Ding.", "What it plays.")


def _new(name: str) -> NewPatient:
    born = date(1990, 1, 1)
    email = f"{name}@patients.example"
    return NewPatient(
        first_name=name, last_name="Reed", date_of_birth=born, mrn=name, gender="female", phone=None, email=email
    )


@pytest.mark.rule("S10")
async def test_a_patient_s_own_settings_lie_over_the_practice_s_and_are_nobody_else_s(fresh_database: Database) -> None:
    bell = plugin("bell", Manifest(name="bell", title="Bell", api=">=1.0,<2", settings=BellSettings))
    async with assembled_with(fresh_database, bell) as platform:
        practice, (owner,) = await practice_with(platform, Role.OWNER)
        with as_(owner):
            pat, other = [await platform.people.create_patient(practice.id, _new(name)) for name in ("Pat", "Sue")]
            await platform.settings.change(owner, BellSettings, {"loud": False, "tune": "Dong."})
        patient = replace(owner, role=Role.PATIENT, member_id=None, patient_id=pat.id)
        with as_(patient):
            own = await platform.settings.change(patient, BellSettings, {"loud": True}, scope=Scope.PATIENT)
            assert own == BellSettings(loud=True, tune="Dong.")
            own = await platform.settings.change(patient, BellSettings, {"rings": 1}, scope=Scope.PATIENT)
            assert own == BellSettings(loud=True, rings=1, tune="Dong.")
            for changes, field in (({"tune": "Mine."}, "tune"), ({"rings": 0}, "rings")):
                with pytest.raises(errors.InvalidInput) as refused:
                    await platform.settings.change(patient, BellSettings, changes, scope=Scope.PATIENT)
                assert refused.value.field == ("patch", field)
            for scope in (Scope.PRACTICE, Scope.MEMBER):
                with pytest.raises(errors.Forbidden):
                    await platform.settings.change(patient, BellSettings, {"loud": False}, scope=scope)
        with as_(owner):
            with pytest.raises(errors.Forbidden):
                await platform.settings.change(owner, BellSettings, {"loud": False}, scope=Scope.PATIENT)
            assert await platform.settings.read(BellSettings, patient_id=pat.id) == own
            practice_s = BellSettings(loud=False, tune="Dong.")
            assert await platform.settings.read(BellSettings, patient_id=other.id) == practice_s
            assert await platform.settings.read(BellSettings, member_id=owner.member_id) == practice_s
            assert await platform.settings.read(BellSettings) == practice_s


@pytest.mark.parametrize(
    ("changes", "scope", "field"),
    [
        ({"seconds": "many"}, Scope.PRACTICE, "seconds"),
        ({"seconds": 9, "open": "maybe"}, Scope.PRACTICE, "open"),
        ({"greeting": "Mine."}, Scope.MEMBER, "greeting"),
        ({"colour": "red"}, Scope.PRACTICE, "colour"),
    ],
)
async def test_what_can_t_be_set_is_refused_whole(
    fresh_database: Database, changes: dict[str, object], scope: Scope, field: str
) -> None:
    async with assembled_with(fresh_database, door()) as platform:
        practice, _ = await practice_with(platform)
        owner = await joined(platform, practice, Role.OWNER)
        with as_(owner):
            with pytest.raises(errors.InvalidInput) as refused:
                await platform.settings.change(owner, DoorSettings, changes, scope=scope)
            assert refused.value.field == ("patch", field)
            assert await platform.settings.read(DoorSettings, member_id=owner.member_id) == DoorSettings()


async def test_settings_that_are_no_settings_disable_the_plugin(fresh_database: Database) -> None:
    @dataclass
    class Loose:
        colour: str = "red"

    assert faults_of(Loose) == ["the settings are not a frozen dataclass"]
    source = plugin("door", Manifest(name="door", title="Door", api=">=1.0,<2", settings=Loose))
    with pytest.raises(PluginError, match="frozen dataclass"):
        async with assembled_with(fresh_database, source, strict=True):
            pass
