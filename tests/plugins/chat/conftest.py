"""What the tests of chat share: their tables, and two people of a practice who write to each other."""

from __future__ import annotations

import pytest
from deployment import APPS
from plugins.chat.lobby import lobby
from plugins.chat.ward import ward

__all__ = ["lobby", "ward"]


@pytest.fixture(scope="session")
def database_apps() -> tuple[str, ...]:
    return APPS
