"""What tests of appointments share: a practice's agenda."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from deployment import APPS
from plugins.scheduling.agenda import Agenda
from plugins.scheduling.rota import rota

from bedside_core.testing import Database


@pytest.fixture(scope="session")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def agenda(fresh_database: Database) -> AsyncGenerator[Agenda, None]:
    """Serve a practice whose people make appointments."""
    async with rota(fresh_database) as made:
        yield Agenda(made)
