"""The WebSocket protocol class for uvicorn: never logs a frame, and hangs up on a client who takes nothing.

Give it as `uvicorn.Config(ws="bedside_graphql.wire:Wire")`; other servers work without it.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

HANG_UP_SECONDS = 5.0
"""How long what was written may stay unread after the socket has ended."""


class Wire(WebSocketsSansIOProtocol):
    """uvicorn's own class, with two faults mended.

    `websockets` writes the beginning of every frame to the log where its level is DEBUG, and with it tokens and
    variables. And closing a transport waits for its buffer to drain, which never happens if the client reads no more.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn.debug = False

    async def run_asgi(self) -> None:
        """Run the application for this socket, and see to it that the connection ends after it."""
        await super().run_asgi()
        if not self.disconnected:
            self.loop.call_later(HANG_UP_SECONDS, self._hang_up)

    def _hang_up(self) -> None:
        if not self.disconnected and self.transport.get_write_buffer_size():
            self.transport.abort()
