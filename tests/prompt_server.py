"""A server for tests, in their own loop, that stops as soon as it is told to."""

from __future__ import annotations

import asyncio
import socket

import uvicorn

from bedside_core.testing import until


class PromptServer(uvicorn.Server):
    """uvicorn's server, which stops when it is told to, and not some tenths of a second later.

    How a server stops is shown by the tests that run `bedside serve`.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.told = asyncio.Event()

    async def main_loop(self) -> None:
        """Serve until told to stop."""
        await self.on_tick(0)
        await self.told.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the connections, and take the application down."""
        for server in self.servers:
            server.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        await until(lambda: not state.connections and not state.tasks, "connections closed", 30)
        await self.lifespan.shutdown()
