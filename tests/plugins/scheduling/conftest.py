"""What tests of appointments share: their tables, and the practices that they take place in."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from deployment import APPS
from plugins.scheduling.agenda import Agenda
from plugins.scheduling.reception import Reception, reception
from plugins.scheduling.rota import Rota, rota
from plugins.scheduling.waiters import List, waiting_list

from bedside_core.testing import Database


@pytest.fixture(scope="session")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest.fixture
def worker() -> bool:
    """Whether work goes on in the background; a module whose tests wait for it overrides this."""
    return False


@pytest_asyncio.fixture
async def house(fresh_database: Database) -> AsyncGenerator[Rota]:
    """Serve a practice with two practitioners, a front desk, and a patient who signs in."""
    async with rota(fresh_database) as made:
        yield made


@pytest.fixture
def agenda(house: Rota) -> Agenda:
    """The practice as one whose people make appointments."""
    return Agenda(house)


@pytest_asyncio.fixture
async def desk(fresh_database: Database, worker: bool) -> AsyncGenerator[Reception]:
    """Serve a practice whose people are told of their appointments by mail and by phone."""
    async with reception(fresh_database, worker=worker) as stage:
        yield stage


@pytest_asyncio.fixture
async def waiting(fresh_database: Database) -> AsyncGenerator[List]:
    """Serve a practice whose waiting list is on, with a worker and a mail server."""
    async with waiting_list(fresh_database) as made:
        yield made
