"""The small schema of graphql_world behind the real transports on a real server, and clients of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import httpx
import uvicorn
from graphql_world import SCHEMA, Context, World, gates_of
from litestar import Litestar, asgi
from litestar.types import Receive, Scope, Send
from prompt_server import PromptServer
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bedside_core.auth import Actor
from bedside_core.config import Config
from bedside_core.entrance import Entrance
from bedside_core.live import Live, LocalBus, Presence
from bedside_core.origins import Origins
from bedside_core.platform import Platform
from bedside_core.watching.figures import Figures
from bedside_graphql.config import GraphQLConfig
from bedside_graphql.execute import Executor
from bedside_graphql.http import GraphQLHTTP
from bedside_graphql.persisted import PersistedDocuments
from bedside_graphql.request import RequestContext
from bedside_graphql.sockets import GraphQLSockets

PATIENCE = 10.0
"""Longest wait for something that must happen, in seconds."""

PROTOCOL = "graphql-transport-ws"


class Stage:
    """A running server, and clients of it."""

    def __init__(self, world: World, executor: Executor, sockets: GraphQLSockets, server: uvicorn.Server) -> None:
        self.world, self.executor, self.sockets, self.server = world, executor, sockets, server
        self.port = port = int(server.servers[0].sockets[0].getsockname()[1])
        self.url = f"http://127.0.0.1:{port}/graphql"
        self.origin = f"http://127.0.0.1:{port}"
        self.http = httpx.AsyncClient(timeout=PATIENCE, verify=False)

    async def post(self, query: str, token: str | None = None, **variables: Any) -> httpx.Response:
        """Send a query as a conforming client does."""
        headers = {"accept": "application/graphql-response+json"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        return await self.http.post(self.url, json={"query": query, "variables": variables}, headers=headers)

    async def connect(self, *, subprotocols: Iterable[str] = (PROTOCOL,), **options: Any) -> Client:
        """Open a socket without saying anything."""
        address = self.url.replace("http", "ws", 1)
        return Client(await connect(address, subprotocols=[*subprotocols] or None, proxy=None, **options))  # pyright: ignore[reportArgumentType]

    async def ready(self, token: str | None = None, **options: Any) -> Client:
        """Open a socket that is acknowledged."""
        client = await self.connect(**options)
        await client.send(
            {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"} if token else None}
        )
        assert await client.receive() == {"type": "connection_ack"}
        return client


class Client:
    """A client's end of a socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, message: object) -> None:
        await self.connection.send(json.dumps(message))

    async def subscribe(self, id: str, query: str, **variables: Any) -> None:
        await self.send({"type": "subscribe", "id": id, "payload": {"query": query, "variables": variables}})

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            return json.loads(await self.connection.recv())

    async def closed(self) -> tuple[int, str]:
        """Wait for the close; what comes before it is dropped."""
        async with asyncio.timeout(PATIENCE):
            try:
                while True:
                    await self.connection.recv()
            except ConnectionClosed as closed:
                return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")

    async def close(self) -> None:
        await self.connection.close()


async def _nobody_else(origin: str) -> bool:
    return False


@asynccontextmanager
async def stage(
    *, core: Config | None = None, documents: dict[str, str] | None = None, **limits: Any
) -> AsyncIterator[Stage]:
    """Serve the small schema, with limits of one's own."""
    world = World()
    config = GraphQLConfig(**limits)
    deployment = core or Config(plugins=())
    persisted = PersistedDocuments(documents, only=config.persisted_only, practice_only=world.practice_only)
    executor = Executor(SCHEMA._schema, config, persisted)

    def context(
        actor: Actor | None, *, request_id: str, client_address: str, client: object, live: bool, over_http: bool
    ) -> RequestContext:
        return Context(actor, request_id, client_address, live, world)

    http = GraphQLHTTP(executor, context, world.seen)
    sockets = GraphQLSockets(
        executor,
        deployment,
        context,
        world.authenticate,
        attach=world.attach,
        presence=Presence(Live(LocalBus())),
        gates_of=gates_of,
        seen=world.seen,
    )

    @asgi("/graphql", copy_scope=False)
    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        await (http if scope["type"] == "http" else sockets)(scope, receive, send)

    inner = Litestar([endpoint], logging_config=None, openapi_config=None)
    auth = SimpleNamespace(authenticate=world.authenticate)
    origins = Origins(deployment, _nobody_else)
    platform = cast(Platform, SimpleNamespace(config=deployment, auth=auth, origins=origins, figures=Figures()))
    app = cast(Any, Entrance(inner, platform))
    server = PromptServer(
        uvicorn.Config(
            app,
            port=0,
            lifespan="off",
            log_config=None,
            ws="bedside_core.wire:Wire",
            ws_per_message_deflate=False,
            ws_max_size=config.max_message_bytes,
            timeout_graceful_shutdown=5,
        )
    )
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup()
    here = Stage(world, executor, sockets, server)
    try:
        yield here
    finally:
        await here.http.aclose()
        await sockets.shutdown()
        await server.shutdown()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition, with a deadline."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


def codes(body: dict[str, Any]) -> list[str]:
    """The codes of an answer's errors."""
    return [error["extensions"]["code"] for error in body.get("errors", [])]
