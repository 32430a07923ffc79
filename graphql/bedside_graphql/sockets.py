"""Every socket of this process: the handshake, who they belong to, what ends them, and how many there may be."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast
from uuid import UUID

from litestar.types import Receive, Scope, Send
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from bedside_core import errors
from bedside_core.access import operation as one_operation
from bedside_core.auth import SESSION_STREAM, Actor
from bedside_core.config import Config
from bedside_core.entrance import client_of, header_map, token_of
from bedside_core.live import Presence
from bedside_core.people import PRACTICE_STREAM
from bedside_graphql import messages
from bedside_graphql.execute import Executor, Ready
from bedside_graphql.following import Attach, Following, Topic
from bedside_graphql.messages import Close, Closed
from bedside_graphql.operations import Gate, Operations
from bedside_graphql.request import Authenticate, MakeContext, Seen, budget_key
from bedside_graphql.socket import Socket

GatesOf = Callable[[StrawberryField], Sequence[Gate]]
"""Returns the gates on a field."""

SHUTDOWN_SECONDS = 8.0
"""Longest time to wait for the sockets to end when the process stops (promise D6)."""


class GraphQLSockets:
    """The WebSocket side of `/graphql`.

    Args:
        executor: runs requests.
        config: the deployment's; for which origin is our own.
        make_context: makes what resolvers are given.
        authenticate: finds out who a token stands for.
        attach: follows a live topic; a session's tells its end, a practice's that its plan or rights changed.
        presence: told of the people whose sockets are open.
        gates_of: returns the gates on a field, which open operations must go on passing.
        seen: told of each actor who begins a query or mutation.
    """

    def __init__(
        self,
        executor: Executor,
        config: Config,
        make_context: MakeContext,
        authenticate: Authenticate,
        *,
        attach: Attach,
        presence: Presence,
        gates_of: GatesOf,
        seen: Seen,
    ) -> None:
        self._executor = executor
        self._config = config
        self._make_context = make_context
        self._authenticate = authenticate
        self._gates_of = gates_of
        self._presence = presence
        self._seen = seen
        self._open: set[Socket] = set()
        self._number: Counter[tuple[str, str]] = Counter()
        self._following: Following[Socket] = Following(attach)
        self._empty = asyncio.Event()
        self._empty.set()
        self._closing = False

    def __len__(self) -> int:
        return len(self._open)

    @property
    def followed(self) -> int:
        """How many live topics are followed for the open sockets."""
        return len(self._following)

    @property
    def running(self) -> int:
        """How many operations are open."""
        return sum(len(socket.operations) for socket in self._open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket, from its handshake to its end."""
        handshake = cast(dict[str, Any], scope)
        headers = header_map(scope)
        await receive()
        if not handshake["origin_allowed"]:
            await send({"type": "websocket.close", "code": messages.FORBIDDEN.code, "reason": "Origin not allowed"})
            return
        spoken = messages.SUBPROTOCOL in handshake["subprotocols"]
        subprotocol = messages.SUBPROTOCOL if spoken else None
        await send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": []})
        if self._closing or not spoken:
            await _close(send, messages.RESTART if spoken else messages.SUBPROTOCOL_NOT_ACCEPTABLE)
            return
        address: tuple[str, int] | None = handshake.get("client")
        client_address = address[0] if address else ""
        waiting = ("waiting", budget_key(None, client_address)[1])
        if self._number[waiting] >= self._executor.config.sockets_per_address:
            await _close(send, messages.TOO_MANY_SOCKETS)
            return
        socket = Socket(
            self,
            self._executor.config,
            receive,
            cast(Any, send),
            token=token_of(handshake, headers, self._config),
            meant="authorization" in headers,
            client_address=client_address,
            client=client_of(headers),
        )
        self._open.add(socket)
        self._count(socket, waiting)
        self._empty.clear()
        try:
            await socket.serve()
        finally:
            self._leave(socket)

    def operations(self, socket: Socket) -> Operations:
        """Return the place for a socket's operations."""
        return Operations(
            self._executor,
            self._make_context,
            self._gates,
            send=socket.send,
            spawn=socket.spawn,
            client_address=socket.client_address,
            client=socket.client,
            seen=self._seen,
        )

    def _gates(self, ready: Ready) -> Sequence[Gate]:
        gates: list[Gate] = []
        for field in ready.operation.root.values():
            definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
            if definition is not None:
                gates += self._gates_of(definition)
        return gates

    async def admit(self, socket: Socket) -> Actor | None:
        """Find out who a socket belongs to, and let it in.

        Raises:
            Closed: its token is wrong, or its owner has too many sockets.
        """
        actor = await self._actor(socket.token)
        if actor is None and socket.meant:
            raise Closed(messages.FORBIDDEN)
        key = budget_key(actor, socket.client_address)
        limits = self._executor.config
        if self._number[key] >= (limits.sockets_per_address if actor is None else limits.sockets_per_session):
            raise Closed(messages.TOO_MANY_SOCKETS)
        socket.actor = actor
        self._count(socket, key)
        if actor is not None:
            self._following.join((SESSION_STREAM, actor.session_id), socket, self._session_moved)
            if actor.practice_id is not None:
                self._following.join((PRACTICE_STREAM, actor.practice_id), socket, self._practice_moved)
            # Looked at before it was followed, the session may have ended in between.
            if await self._actor(socket.token) != actor:
                raise Closed(messages.SESSION_ENDED)
            if (person_id := _person_of(actor)) is not None:
                self._presence.came(person_id)
                socket.present = True
        return actor

    async def _actor(self, token: str | None) -> Actor | None:
        try:
            return await self._authenticate(token) if token else None
        except errors.Unavailable:
            raise Closed(messages.AWAY) from None

    def _leave(self, socket: Socket) -> None:
        self._open.discard(socket)
        for topic in _topics(socket.actor):
            self._following.leave(topic, socket)
        if socket.present and socket.actor is not None and (person_id := _person_of(socket.actor)) is not None:
            self._presence.went(person_id)
        self._count(socket, None)
        if not self._open:
            self._empty.set()

    def _count(self, socket: Socket, key: tuple[str, str] | None) -> None:
        """Count a socket on another account than before: an address that waits, a session or address let in, none."""
        if socket.counted is not None:
            self._number[socket.counted] -= 1
            if not self._number[socket.counted]:
                del self._number[socket.counted]
        socket.counted = key
        if key is not None:
            self._number[key] += 1

    async def look_again(self, socket: Socket) -> None:
        """End a socket whose session has ended, expired, or become another actor's.

        Raises:
            errors.Unavailable: it can't be told at present.
        """
        if socket.actor is None:
            return
        actor = await self._authenticate(socket.token or "")
        if actor != socket.actor:
            socket.end(messages.SESSION_ENDED if actor is None else messages.SESSION_CHANGED)

    async def _session_moved(self, sockets: frozenset[Socket]) -> None:
        await asyncio.gather(*(self.look_again(socket) for socket in sockets))

    async def _practice_moved(self, sockets: frozenset[Socket]) -> None:
        # A role may have been changed: what a socket's owner may do is told by their role as it is now (promise A4).
        await asyncio.gather(*(self.look_again(socket) for socket in sockets))
        with one_operation():  # the practice's features are read once for all its sockets
            await asyncio.gather(*(socket.operations.recheck() for socket in sockets))

    async def shutdown(self) -> None:
        """Close every socket with a reason, and wait until they have ended; no further one is let in."""
        self._closing = True
        for socket in self._open:
            socket.end(messages.RESTART)
        try:
            async with asyncio.timeout(SHUTDOWN_SECONDS):
                await self._empty.wait()
        except TimeoutError:
            return


def _topics(actor: Actor | None) -> list[Topic]:
    if actor is None:
        return []
    practice = [(PRACTICE_STREAM, actor.practice_id)] if actor.practice_id is not None else []
    return [(SESSION_STREAM, actor.session_id), *practice]


def _person_of(actor: Actor) -> UUID | None:
    """Return who is there by a socket: a key is no person."""
    return actor.person_id if actor.key_id is None and actor.pending is None else None


async def _close(send: Send, close: Close) -> None:
    await send({"type": "websocket.close", "code": close.code, "reason": close.reason})
