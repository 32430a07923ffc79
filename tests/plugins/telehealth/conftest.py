"""What tests of sessions share: their tables, and the practice that they are held in."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from deployment import APPS
from plugins.telehealth.consulting import Consulting, consulting

from bedside_core.testing import Database


@pytest.fixture(scope="session")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def house(fresh_database: Database) -> AsyncGenerator[Consulting]:
    """Serve a practice with a telehealth host, a colleague, and a patient who signs in."""
    async with consulting(fresh_database) as made:
        yield made
