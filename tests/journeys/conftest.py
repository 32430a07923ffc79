"""Two processes over one database, shared by the tests of a module: each makes practices of its own in it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest_asyncio
from deployment import APPS
from journeys.processes import Site, site

from bedside_core.testing import Database, Templates


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def two(database_templates: Templates, database_core: str) -> AsyncGenerator[Site, None]:
    """Run two servers over a database, until the module's last test."""
    server, name = database_templates.server, database_templates.fresh_name()
    await server.create_database(name, template=await database_templates.name(database_core, APPS))
    async with site(Database(name, server.application_dsn(name), server.owner_dsn(name))) as running:
        yield running
    await server.drop_database(name)
