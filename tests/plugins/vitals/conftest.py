"""One deployment with the partner's plugin for each module of tests; each test has patients of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from bedside_vitals.api import VitalsRecorded
from core_stage import plugin
from deployment import served
from vitals_stage import ENABLED, VITALS_APPS, Clinic, with_vitals

from bedside_core.api import Event, Listener, on
from bedside_core.plugins import installed
from bedside_core.testing import Database, Templates


@pytest.fixture(scope="session")
def database_apps() -> tuple[str, ...]:
    return VITALS_APPS


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clinic_database(database_templates: Templates, database_core: str) -> AsyncGenerator[Database]:
    """A database that the tests of a module share."""
    server, name = database_templates.server, database_templates.fresh_name()
    await server.create_database(name, template=await database_templates.name(database_core, VITALS_APPS))
    yield Database(name, server.application_dsn(name), server.owner_dsn(name))
    await server.drop_database(name)


@pytest.fixture(scope="module")
def heard() -> list[Event]:
    """What was told of recordings."""
    return []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clinic(clinic_database: Database, heard: list[Event]) -> AsyncGenerator[Clinic]:
    """The deployment, with a worker, and with a plugin that hears of recordings."""

    async def hear(event: VitalsRecorded) -> None:
        heard.append(event)

    def listeners() -> list[Listener]:
        return [on(VitalsRecorded, hear)]

    sources = with_vitals(installed()["vitals"], plugin("ear", listeners=listeners))
    async with served(
        clinic_database, sources=sources, plugins=(*ENABLED, "ear"), strict=True, worker=True
    ) as deployment:
        yield await Clinic(deployment).open()
