"""What tests of coming to an account share: a practice whose mails go to a real mail server, and wide rate limits."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from accounts_stage import WIDE
from onboarding_stage import House
from onboarding_stage import house as house_

from bedside_core.testing import Database


@pytest_asyncio.fixture
async def house(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[House]:
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)
    async with house_(fresh_database) as running:
        yield running
