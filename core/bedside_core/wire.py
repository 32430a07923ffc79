"""The WebSocket protocol class for uvicorn: says why it closes, never logs a frame, hangs up on who takes nothing.

It goes to uvicorn as `uvicorn.Config(ws=Wire)`; other ASGI servers work without it. uvicorn's minor version is pinned,
and tests/schema/test_socket_life.py holds the seam.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

HANG_UP_SECONDS = 5.0
"""How long what was written may stay unread after the socket has ended."""

RESTARTING = 1012
"""Close code of sockets whose server stops (IANA registry of RFC 6455): connect again, here or elsewhere."""
RESTARTING_REASON = "Service restart"


class Wire(WebSocketsSansIOProtocol):
    """uvicorn's own class, with four faults mended.

    It closes without a reason when the server stops. `websockets` writes the beginning of every frame to the log where
    its level is DEBUG, and with it tokens and variables. And closing a transport waits for its buffer to drain, which
    never happens if the client reads no more. Nor would such a client be told why, as the close itself would wait.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn.debug = False

    async def send(self, message: Any) -> None:
        """Send a message; a close is put behind what the client has not taken yet, without waiting for it."""
        if message["type"] != "websocket.close" or self.writable.is_set():
            return await super().send(message)
        waited_for, self.writable = self.writable, asyncio.Event()
        self.writable.set()
        try:
            await super().send(message)
        finally:
            self.writable = waited_for

    async def run_asgi(self) -> None:
        """Run the application for this socket, and see to it that the connection ends after it."""
        await super().run_asgi()
        if not self.disconnected:
            self.loop.call_later(HANG_UP_SECONDS, self._hang_up)

    def shutdown(self) -> None:
        """Close with a reason, and tell the application."""
        if not self.handshake_complete or self.close_sent:
            super().shutdown()
            return
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": RESTARTING, "reason": RESTARTING_REASON})
        self.conn.send_close(RESTARTING, RESTARTING_REASON)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()

    def _hang_up(self) -> None:
        if not self.disconnected and self.transport.get_write_buffer_size():
            self.transport.abort()
