"""What is entered of units of work, jobs, listeners and commands, and what becomes of it when they fail (A14)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from audit_stage import closed_trail, length, trail
from core_stage import as_, assembled_with, plugin, practice_with
from structlog.testing import capture_logs

from bedside_core import audit, errors
from bedside_core.audit import Via
from bedside_core.auth import Role
from bedside_core.boot import assembled
from bedside_core.config import Config
from bedside_core.database import DB, acting, unit
from bedside_core.events import Event, Listener, on
from bedside_core.ids import uuid7
from bedside_core.jobs import Job, JobRun
from bedside_core.people import NewPatient, Patient
from bedside_core.platform import Platform
from bedside_core.settings import Scope, SettingsChanged, setting
from bedside_core.testing import Database, statements, until

RUTH = NewPatient(
    first_name="Ruth",
    last_name="Hill",
    date_of_birth=date(1950, 1, 2),
    mrn="M-1",
    gender="female",
    phone="+12025550143",
)


@pytest_asyncio.fixture
async def platform(fresh_database: Database) -> AsyncGenerator[Platform, None]:
    async with assembled_with(fresh_database) as platform:
        yield platform


async def ruth(platform: Platform, practice_id: UUID, mrn: str = "M-1") -> Patient:
    return await platform.people.create_patient(practice_id, replace(RUTH, mrn=mrn))


@pytest.mark.rule("A14")
async def test_an_entry_and_its_change_are_committed_together_or_not_at_all(
    platform: Platform, fresh_database: Database
) -> None:
    practice, _ = await practice_with(platform)
    made = await ruth(platform, practice.id)
    created, first = await trail(practice.id)
    assert (created.action, first.action) == ("practices.create", "patients.create")
    assert (first.target, list(first.patients)) == (str(made.id), [made.id])
    with acting(practice.id):
        with pytest.raises(KeyError):
            async with unit():
                await ruth(platform, practice.id, "M-2")
                raise KeyError
        async with closed_trail(fresh_database):
            with pytest.raises(errors.Unavailable):
                await ruth(platform, practice.id, "M-3")
        with pytest.raises(errors.Conflict):
            await ruth(platform, practice.id, "M-1")
        assert await DB.fetchval("SELECT count(*) FROM patient") == 1
    assert await length(practice.id) == 2


async def test_what_one_unit_does_is_one_statement_and_units_within_join_it(platform: Platform) -> None:
    practice, (owner,) = await practice_with(platform, Role.OWNER)
    before = await length(practice.id)
    with acting(practice.id):
        async with audit.operation(owner, via=Via.COMMAND):
            with statements() as ran:
                async with unit():
                    for number in range(3):
                        await ruth(platform, practice.id, f"M-{number}")
            assert sum("audit_entry" in sql for sql in ran) == 1
            assert await length(practice.id) == before + 3
    entries = await trail(practice.id, past=before)
    assert [(entry.action, entry.person_id, len(entry.patients)) for entry in entries] == [
        ("patients.create", owner.member_id, 1)
    ] * 3


@pytest.mark.rule("A14")
async def test_whom_an_operation_saw_is_named_once_however_often(platform: Platform) -> None:
    practice, (owner,) = await practice_with(platform, Role.OWNER)
    one, other = await ruth(platform, practice.id), await ruth(platform, practice.id, "M-2")
    before = await length(practice.id)
    with as_(owner):
        async with audit.operation(owner) as running:
            await platform.people.patients_by_id([one.id])
            assert running.owes
            async with unit():
                audit.did("ward.walk")
            assert not running.owes  # the act's entry names her
            await platform.people.patients_by_id([one.id])
            assert not running.owes
            await platform.people.patients_by_id([one.id, other.id])
        with pytest.raises(KeyError):
            async with audit.operation(owner):
                await platform.people.patients_by_id([one.id])
                raise KeyError  # nothing is returned
    entries = await trail(practice.id, past=before)
    assert [(entry.action, list(entry.patients)) for entry in entries] == [
        ("ward.walk", [one.id]),
        ("patients.read", [other.id]),
    ]


async def test_whom_an_undone_unit_would_have_named_is_still_owed(platform: Platform) -> None:
    practice, (owner,) = await practice_with(platform, Role.OWNER)
    patient = await ruth(platform, practice.id)
    before = await length(practice.id)
    with as_(owner):
        async with audit.operation(owner):
            await platform.people.patients_by_id([patient.id])
            with pytest.raises(KeyError):
                async with unit():
                    audit.did("ward.walk")
                    raise KeyError
    [entry] = await trail(practice.id, past=before)
    assert (entry.action, list(entry.patients)) == ("patients.read", [patient.id])


async def test_an_act_needs_somebody_acted_for_and_something_to_be_part_of(platform: Platform) -> None:
    with pytest.raises(RuntimeError, match="belongs to a practice"):
        audit.did("ward.walk")
    with acting(uuid7()), pytest.raises(RuntimeError, match="outside of unit"):
        audit.did("ward.walk")


async def test_what_a_task_reads_that_outlives_its_operation_is_no_part_of_it(platform: Platform) -> None:
    practice, (owner,) = await practice_with(platform, Role.OWNER)
    patient = await ruth(platform, practice.id)
    before = await length(practice.id)
    answered = asyncio.Event()

    async def straggle() -> None:
        await answered.wait()
        with capture_logs() as logs:
            await platform.people.patients_by_id([patient.id])
            with pytest.raises(RuntimeError, match="outside of unit"):
                audit.did("ward.walk")
        assert [entry["event"] for entry in logs] == ["patients were read outside of any operation"]
        async with unit():
            audit.did("ward.walk")

    with as_(owner):
        async with audit.operation(owner, request_id="abc"):
            task = asyncio.create_task(straggle())
        answered.set()
        await task
    [entry] = await trail(practice.id, past=before)
    assert (entry.action, entry.request_id, list(entry.patients)) == ("ward.walk", "abc", [])


@pytest.mark.rule("A14")
async def test_a_change_of_settings_names_them_and_not_their_values(fresh_database: Database) -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class WardSettings:
        """Of the ward."""

        greeting: str = setting("", "What is said.", scopes=(Scope.PRACTICE, Scope.MEMBER))

    async with assembled_with(fresh_database) as platform:
        platform.settings.add("ward", WardSettings)
        practice, (owner,) = await practice_with(platform, Role.OWNER)
        before = await length(practice.id)
        with as_(owner):
            for scope in (Scope.PRACTICE, Scope.MEMBER):
                await platform.settings.change(owner, WardSettings, {"greeting": "canary"}, scope=scope)
        entries = await trail(practice.id, past=before)
    assert [(entry.action, entry.target, entry.detail) for entry in entries] == [
        ("settings.practice", "ward", {"changed": ["greeting"]}),
        ("settings.own", "ward", {"changed": ["greeting"]}),
    ]
    assert "canary" not in repr(entries)


@pytest.mark.rule("A14")
async def test_what_jobs_and_listeners_read_is_entered_under_their_names(fresh_database: Database) -> None:
    async def read(run: JobRun) -> None:
        await run.platform.people.patients_by_id([UUID(run.payload["patient"])])

    held: dict[str, Any] = {}

    async def hear(event: SettingsChanged) -> None:
        await held["platform"].people.patients_by_id([held["patient"]])

    def jobs() -> Iterable[Job]:
        return (Job(name="round", function=read, doc="Reads.", public=True),)

    def listeners() -> Iterable[Listener]:
        return (on(SettingsChanged, hear),)

    source = plugin("ward", jobs=jobs, listeners=listeners)
    config = Config(database_url=fresh_database.dsn, plugins=("ward",), testing=True, strict=True, entitlements="none")
    async with assembled(config, sources={"ward": source}, worker=True) as platform:
        held["platform"] = platform
        practice, _ = await practice_with(platform)
        one, other = await ruth(platform, practice.id), await ruth(platform, practice.id, "M-2")
        held["patient"] = other.id
        before = await length(practice.id)
        with acting(practice.id):
            async with unit() as work:
                await work.enqueue("ward.round", {"patient": str(one.id)})
                event: Event = SettingsChanged(practice_id=practice.id, plugin="ward", changed=(), member_id=None)
                work.emit(event)

        async def entered() -> bool:
            return await length(practice.id) == before + 2

        await until(entered, "both are entered", 60)
        entries = {entry.via: entry for entry in await trail(practice.id, past=before)}
    job, listener = entries[Via.JOB], entries[Via.LISTENER]
    assert (job.action, list(job.patients), job.detail) == ("patients.read", [one.id], {"job": "ward.round"})
    assert (list(listener.patients), listener.detail) == ([other.id], {"listener": "listener.ward.SettingsChanged"})
    assert (job.account_id, job.role, job.operator) == (None, None, False)
