"""Where a deployment's database is, as its owner and as the application's role, for commands beside the server."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bedside_core.boot import NotReady
from bedside_core.config import Config
from bedside_core.database import EmbeddedServer


@dataclass(frozen=True)
class Where:
    """URLs of one database."""

    owner: str
    application: str


@asynccontextmanager
async def database_of(config: Config) -> AsyncGenerator[Where]:
    """Give a deployment's database, its private server started where it does not run.

    Raises:
        NotReady: the owner's URL is missing.
        ServerFailed: the private server does not start.
    """
    if config.database_url is None:
        server = await EmbeddedServer.start(config.data / "postgres")
        try:
            yield Where(server.owner_dsn(), server.application_dsn())
        finally:
            await server.stop()
        return
    if config.database_owner_url is None:
        raise NotReady("BEDSIDE_DATABASE_OWNER_URL is not set: row-level security hides rows from every other role")
    yield Where(config.database_owner_url, config.database_url)
