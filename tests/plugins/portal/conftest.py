"""What the tests of the portal share: their tables, and a practice with a front desk, a mail server and a telephone."""

from __future__ import annotations

import pytest
from deployment import APPS
from plugins.portal.desk import desk, quiet_desk

__all__ = ["desk", "quiet_desk"]


@pytest.fixture(scope="session")
def database_apps() -> tuple[str, ...]:
    return APPS
