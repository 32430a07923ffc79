"""Two `bedside serve` processes over one database, driven from outside."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from deployment import DEADLINE_SECONDS, Deployment

from bedside_core.app import Bedside
from bedside_core.boot import assembled
from bedside_core.config import Config
from bedside_core.live import LocalBus
from bedside_core.platform import Platform
from bedside_core.testing import Database


class Server:
    """A server process."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.url = url

    def kill(self) -> None:
        """End it at once, as a failing machine would."""
        self.process.kill()


@asynccontextmanager
async def server(database: Database, **environment: str) -> AsyncGenerator[Server, None]:
    """Run `bedside serve` on a free port until the block ends."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("bedside")), "serve", "--port", "0",
        env={
            **os.environ,
            "BEDSIDE_DATABASE_URL": database.dsn,
            "BEDSIDE_TESTING": "true",
            "BEDSIDE_WORKER": "false",
            **environment,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE_SECONDS * 4):
            while line := (await process.stdout.readline()).decode():
                if "serves at " in line:
                    break
        assert line, "the server did not start"
        yield Server(process, line.rpartition("serves at ")[2].strip())
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


class Site:
    """A deployment of several processes: the first is used for what does not matter where it is done."""

    def __init__(self, database: Database, platform: Platform, servers: list[Server]) -> None:
        app = Bedside(lambda: None)  # type: ignore[arg-type, return-value]
        app.platform = platform
        self.database = database
        self.servers = servers
        self.doors = [Deployment(app, server.url) for server in servers]


@asynccontextmanager
async def site(database: Database, processes: int = 2, **environment: str) -> AsyncGenerator[Site, None]:
    """Run several processes over one database; this process has a platform of its own, to seed with."""
    async with AsyncExitStack() as stack:
        config = Config(database_url=database.dsn, testing=True, strict=True)
        platform = await stack.enter_async_context(assembled(config, bus=LocalBus()))
        servers = await asyncio.gather(
            *(stack.enter_async_context(server(database, **environment)) for _ in range(processes))
        )
        running = Site(database, platform, servers)
        for door in running.doors:
            stack.push_async_callback(door.http.aclose)
        yield running
