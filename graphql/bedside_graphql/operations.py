"""The operations that are open on one socket: begun, answered, ended by either side or by a gate that closed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Any, Protocol

from bedside_core.auth import Actor, Client
from bedside_core.errors import Problem
from bedside_graphql import messages, problems
from bedside_graphql.errors import contained
from bedside_graphql.execute import Answer, Executor, Ready, acting_for
from bedside_graphql.messages import Closed
from bedside_graphql.request import GraphQLRequest, MakeContext, RequestContext, Seen


class Gone(Exception):
    """The socket is closed, or the operation is no longer wanted."""


class Gate(Protocol):
    """What an open operation must go on passing."""

    async def check(self, context: Any) -> None:
        """Raise the refusal, if there is one."""
        ...


class Running:
    """An operation that is open."""

    __slots__ = ("context", "gates", "task")

    def __init__(self) -> None:
        self.context: RequestContext | None = None
        self.gates: Sequence[Gate] = ()
        self.task: asyncio.Task[None] | None = None


class Operations:
    """The open operations of a socket, by the client's ids.

    Args:
        executor: runs requests.
        make_context: makes what resolvers are given.
        gates_of: returns the gates on a subscription's field.
        send: sends one message, raising `Gone` where that is no longer possible.
        spawn: starts a task whose failure closes the socket.
        client_address: the caller's network address.
        client: the program that asks.
        seen: told of each actor who begins a query or mutation: somebody is there (promise A8).
    """

    def __init__(
        self,
        executor: Executor,
        make_context: MakeContext,
        gates_of: Callable[[Ready], Sequence[Gate]],
        *,
        send: Callable[[str], Awaitable[None]],
        spawn: Callable[[Awaitable[None]], asyncio.Task[None]],
        client_address: str,
        client: Client,
        seen: Seen,
    ) -> None:
        self.actor: Actor | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        """Those of all operations, also of ended ones that are still cleaning up."""
        self._executor = executor
        self._make_context = make_context
        self._gates_of = gates_of
        self._send = send
        self._spawn = spawn
        self._client_address = client_address
        self._client = client
        self._seen = seen
        self._running: dict[str, Running] = {}

    def __len__(self) -> int:
        return len(self._running)

    async def open(self, id: str, request: GraphQLRequest | Problem) -> None:
        """Begin an operation, or tell the problem it has.

        Raises:
            Closed: the id belongs to an open operation.
        """
        if id in self._running:
            raise Closed(messages.duplicate(id))
        context = self._context(secrets.token_hex(8), live=False)
        limit = self._executor.config.operations_per_socket
        if len(self.tasks) >= limit:
            request = problems.TooManyOperations(
                "Too many operations are open on this socket.", way_on="Complete some.", detail={"limit": limit}
            )
        if isinstance(request, Problem):
            answer = await self._executor.refusal(request, context)
            return await self._send(messages.error(id, answer.body["errors"]))
        running = self._running[id] = Running()
        running.task = self._spawn(self._run(id, running, request, context))
        self.tasks.add(running.task)
        running.task.add_done_callback(self.tasks.discard)
        return None

    def complete(self, id: str) -> None:
        """End an operation as its client wishes; an unknown one has ended already."""
        running = self._running.pop(id, None)
        if running is not None and running.task is not None:
            running.task.cancel()

    def cancel(self) -> None:
        """End all operations, since the socket ends."""
        self._running.clear()
        for task in self.tasks:
            task.cancel()

    async def recheck(self) -> None:
        """End subscriptions that no longer pass their gates; the socket and the other operations go on."""
        for id, running in list(self._running.items()):
            if running.context is None:
                continue
            try:
                with acting_for(self.actor), contained:
                    for gate in running.gates:
                        await gate.check(running.context)
            except Exception as error:
                if self._running.get(id) is running:
                    self.complete(id)
                    answer = await self._executor.refusal(error, running.context)
                    with suppress(Gone):
                        await self._send(messages.error(id, answer.body["errors"]))

    def _context(self, request_id: str, *, live: bool) -> RequestContext:
        return self._make_context(
            self.actor,
            request_id=request_id,
            client_address=self._client_address,
            client=self._client,
            live=live,
            over_http=False,
        )

    async def _run(self, id: str, running: Running, request: GraphQLRequest, context: RequestContext) -> None:
        ready: Ready | None = None
        try:
            with contained:
                ready = await self._executor.prepare(request, self.actor, self._client_address)
                if ready.live:
                    context = running.context = self._context(context.request_id, live=True)
                    running.gates = self._gates_of(ready)
                    await self._stream(id, running, ready, context)
                else:
                    # Clients begin subscriptions again by themselves; what is asked and done is asked by somebody.
                    if self.actor is not None:
                        await self._seen(self.actor)
                    await self._answer(id, running, await self._executor.run(ready, context))
        except Gone:
            pass
        except Exception as error:
            operation = ready.operation if ready else None
            answer = await self._executor.refusal(error, context, operation)
            with suppress(Gone):
                await self._answer(id, running, answer)
        finally:
            self._forget(id, running)

    async def _stream(self, id: str, running: Running, ready: Ready, context: RequestContext) -> None:
        async with aclosing(await self._executor.subscribe(ready, context)) as payloads:
            async for payload in payloads:
                await self._send_for(id, running, messages.next_(id, payload))
        await self._send_for(id, running, messages.complete(id), last=True)

    async def _answer(self, id: str, running: Running, answer: Answer) -> None:
        if answer.refused is not None:
            await self._send_for(id, running, messages.error(id, answer.body["errors"]), last=True)
        else:
            await self._send_for(id, running, messages.next_(id, answer.encoded))
            await self._send_for(id, running, messages.complete(id), last=True)

    async def _send_for(self, id: str, running: Running, text: str, *, last: bool = False) -> None:
        if self._running.get(id) is not running:
            raise Gone
        if last:  # as soon as it is sent the client may use the id again
            self._forget(id, running)
        await self._send(text)

    def _forget(self, id: str, running: Running) -> None:
        if self._running.get(id) is running:
            del self._running[id]
