"""What the tutorial tells authors to test, with what an installed Bedside gives them."""

from __future__ import annotations

import pytest

from bedside_core.api import Config, assembled
from bedside_core.testing import Database, check_plugin


@pytest.fixture
def database_apps() -> tuple[str, ...]:
    return ("bedside_vitals.piccolo_app",)


async def test_it_comes_up(fresh_database: Database) -> None:
    config = Config(database_url=fresh_database.dsn, plugins=("graphql", "vitals"), strict=True, testing=True)
    async with assembled(config) as platform:
        assert platform.plugins.active("vitals")


def test_nothing_is_wrong_with_it() -> None:
    assert check_plugin("vitals") == []
