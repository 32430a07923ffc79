"""One socket that speaks graphql-transport-ws: reading, sending, keeping alive, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol

import structlog

from bedside_core.auth import Actor, Client
from bedside_graphql import messages
from bedside_graphql.config import GraphQLConfig
from bedside_graphql.errors import contained, described
from bedside_graphql.messages import Close, Closed
from bedside_graphql.operations import Gone, Operations

log = structlog.get_logger("bedside.graphql")

ENDING_SECONDS = 5.0
"""Longest time the operations of a closed socket may take to clean up before it is logged."""

CLOSE_SECONDS = 1.0
"""Longest time a client may block the close; then the server hangs up."""


class Door(Protocol):
    """What a socket asks of the place where all sockets are known."""

    def operations(self, socket: Socket) -> Operations:
        """Return the place for a socket's operations."""
        ...

    async def admit(self, socket: Socket) -> Actor | None:
        """Find out who a socket belongs to, and let it in.

        Raises:
            Closed: it may not come in.
        """
        ...

    async def look_again(self, socket: Socket) -> None:
        """End the socket if its session has ended or changed."""
        ...


class Socket:
    """One accepted socket.

    Args:
        door: what all sockets share.
        config: limits and times.
        receive: ASGI's.
        send: ASGI's.
        token: what the handshake carried: an Authorization header, or the cookie of our own page.
        meant: whether that token was sent on purpose, so that a wrong one is refused.
        client_address: the caller's network address.
        client: the program that opened it.
    """

    def __init__(
        self,
        door: Door,
        config: GraphQLConfig,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
        *,
        token: str | None,
        meant: bool,
        client_address: str,
        client: Client,
    ) -> None:
        self.actor: Actor | None = None
        self.token = token
        self.meant = meant
        self.client_address = client_address
        self.client = client
        self.counted: tuple[str, str] | None = None
        """On whose account it is counted: while it waits its address, once it was let in its session or address."""
        self.present = False
        """Whether its owner counts as there by it."""
        self._door = door
        self._config = config
        self._receive = receive
        self._send_event = send
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.Future[Close | None] = self._loop.create_future()
        self._sending = asyncio.Lock()
        self._began = asyncio.Event()
        self._acknowledged = False
        self._heard = self._loop.time()
        self.operations = door.operations(self)

    async def serve(self) -> None:
        """Serve it until it is closed by either side; nothing of it is left then."""
        loops = [self.spawn(self._read()), self.spawn(self._keep())]
        try:
            close = await self._end
            self.operations.cancel()
            if close is not None:
                await self._close(close)
        finally:
            self.end(None)
            self.operations.cancel()
            for task in loops:
                task.cancel()
            _, stuck = await asyncio.wait([*loops, *self.operations.tasks], timeout=ENDING_SECONDS)
            if stuck:
                log.warning("operations did not end with their socket", number=len(stuck))

    def end(self, close: Close | None) -> None:
        """Have the socket closed, if it is not yet; without a code where the client has gone."""
        if not self._end.done():
            self._end.set_result(close)

    def spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        """Start a task whose failure closes the socket."""
        return asyncio.create_task(self._guarded(work))

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            with contained:
                await work
        except Closed as closed:
            self.end(closed.close)
        except Gone:
            self.end(None)
        except Exception as error:
            log.error("a socket failed", **described(error))  # noqa: TRY400 - the message may quote a value
            self.end(messages.FAILED)

    async def _close(self, close: Close) -> None:
        event = {"type": "websocket.close", "code": close.code, "reason": close.reason}
        with suppress(OSError, RuntimeError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._send_event(event)

    async def _keep(self) -> None:
        """Wait for the first message, then ping, listen for the pong, and look whether the session lasts."""
        try:
            async with asyncio.timeout(self._config.init_seconds):
                await self._began.wait()
        except TimeoutError:
            raise Closed(messages.INIT_TIMEOUT) from None
        looked, pause = self._loop.time(), self._config.ping_seconds
        while True:
            await asyncio.sleep(pause)
            pinged = self._loop.time()
            await self.send(messages.PING)
            await asyncio.sleep(self._config.pong_seconds)
            if self._heard < pinged:
                raise Closed(messages.NO_PONG)
            if pinged - looked >= self._config.recheck_seconds:
                looked = pinged
                await self._door.look_again(self)
            pause = max(0.0, self._config.ping_seconds - self._config.pong_seconds)

    async def _read(self) -> None:
        while True:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                raise Gone
            self._heard = self._loop.time()
            text: str | None = event.get("text")
            if text is None:
                raise Closed(messages.invalid("A message must be text"))
            if len(text) > self._config.max_message_bytes:
                raise Closed(messages.TOO_BIG)
            await self._handle(messages.read_message(text, self._config))

    async def _handle(self, message: messages.Message) -> None:
        if isinstance(message, messages.Ping):
            await self.send(messages.pong(message.payload))
        elif isinstance(message, messages.Init):
            await self._init(message)
        elif isinstance(message, messages.Subscribe):
            if not self._acknowledged:
                raise Closed(messages.UNAUTHORIZED)
            await self.operations.open(message.id, message.request)
        elif isinstance(message, messages.Complete):
            self.operations.complete(message.id)

    async def _init(self, message: messages.Init) -> None:
        if self._began.is_set():
            raise Closed(messages.TOO_MANY_INITS)
        self._began.set()
        given = next((value for key, value in message.payload.items() if key.lower() == "authorization"), None)
        if given is not None:
            kind, _, token = str(given).partition(" ")
            self.token, self.meant = (token.strip() if kind.lower() == "bearer" else ""), True
        self.actor = self.operations.actor = await self._door.admit(self)
        self._acknowledged = True
        await self.send(messages.ACK)

    async def send(self, text: str) -> None:
        """Send a message. Those of several operations wait for one another, each operation with one at most.

        Raises:
            Gone: the socket is closed, or does not take the message in time and is closed for it.
        """
        async with self._sending:
            if self._end.done():
                raise Gone
            try:
                async with asyncio.timeout(self._config.send_seconds):
                    await self._send_event({"type": "websocket.send", "text": text})
            except TimeoutError:
                self.end(messages.TOO_SLOW)
                raise Gone from None
            except OSError:
                self.end(None)
                raise Gone from None
