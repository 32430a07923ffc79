"""What the tests of plans share: their tables, and a platform with plans."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from plans_stage import Cafe, opened

from bedside_core.testing import Database


@pytest.fixture(scope="session")
def database_apps() -> tuple[str, ...]:
    return ("bedside_plans.piccolo_app",)


@pytest.fixture
async def cafe(fresh_database: Database) -> AsyncGenerator[Cafe, None]:
    """A platform with plans."""
    async with opened(fresh_database) as stage:
        yield stage
