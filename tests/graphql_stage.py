"""A small schema behind the real transports on a real server, for tests of `/graphql` without a database."""

import asyncio
import inspect
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Self, cast
from uuid import UUID, uuid4

import httpx
import strawberry
import uvicorn
from litestar import Litestar, asgi
from litestar.types import Receive, Scope, Send
from strawberry.extensions import FieldExtension
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bedside_core import errors
from bedside_core.auth import COOKIE, Actor, Role
from bedside_core.config import Config
from bedside_core.database.driver import asyncpg
from bedside_core.entrance import Entrance
from bedside_core.platform import Platform
from bedside_graphql.config import GraphQLConfig
from bedside_graphql.execute import Executor
from bedside_graphql.http import GraphQLHTTP
from bedside_graphql.persisted import PersistedDocuments
from bedside_graphql.request import RequestContext
from bedside_graphql.sockets import GraphQLSockets

PATIENCE = 10.0
"""Longest wait for something that must happen, in seconds."""

PROTOCOL = "graphql-transport-ws"


@dataclass
class Context:
    """The stand-in for the product's context."""

    actor: Actor | None
    request_id: str
    client_address: str
    live: bool
    world: "World"
    set_cookies: list[str] = field(default_factory=list[str])


Info = strawberry.Info[Context, None]


class gate(FieldExtension):
    """Lets a field be used only by practices that have the feature."""

    def __init__(self, feature: str) -> None:
        self.feature = feature

    async def check(self, context: Context) -> None:
        """Raise the refusal, if there is one."""
        context.world.checks += 1
        if context.actor is None:
            raise errors.Unauthenticated("You are not signed in.")
        if context.actor.practice_id not in context.world.features[self.feature]:
            raise errors.FeatureNotInPlan("Not in your plan.", detail={"feature": self.feature})

    async def resolve_async(self, next_: Any, source: Any, info: Info, **kwargs: Any) -> Any:
        """Check, then resolve."""
        await self.check(info.context)
        result = next_(source, info, **kwargs)
        return await result if inspect.isawaitable(result) else result


def gates_of(field: Any) -> list[gate]:
    """The gates on a field, as the product's function of that name."""
    return [extension for extension in field.extensions if isinstance(extension, gate)]


@strawberry.type
class Item:
    """Something with more of its kind below it."""

    name: str

    @strawberry.field
    def items(self, first: int | None = None) -> "Items":
        return Items(nodes=[Item(name="leaf")])

    @strawberry.field
    def plain(self) -> list["Item"]:
        return [Item(name="leaf")]


@strawberry.type
class Items:
    nodes: list[Item]


@strawberry.input
class Wish:
    amount: int
    words: list[str]


@strawberry.type
class Query:
    @strawberry.field
    async def hello(self) -> str:
        return "hello"

    @strawberry.field
    async def me(self, info: Info) -> str | None:
        return str(info.context.actor.account_id) if info.context.actor else None

    @strawberry.field(extensions=[gate("team")])
    async def team(self) -> str | None:
        return "team"

    @strawberry.field
    def echo(self, text: str) -> str:
        return text

    @strawberry.field
    def wish(self, wish: Wish) -> int:
        return wish.amount

    @strawberry.field
    def items(self, first: int | None = None, last: int | None = None) -> Items:
        return Items(nodes=[Item(name="one"), Item(name="two")])

    @strawberry.field
    def plain(self) -> list[Item]:
        return [Item(name="one")]

    @strawberry.field
    async def fails(self, text: str = "") -> str | None:
        raise ValueError(f"can't do anything with {text}")

    @strawberry.field
    async def coded(self) -> str | None:
        raise errors.InvalidInput("Too long.", way_on="Shorten it.", field=("patch", "name"), detail={"longest": 3})

    @strawberry.field
    def quits(self) -> str | None:
        raise SystemExit(3)

    @strawberry.field
    async def cancels(self) -> str | None:
        raise asyncio.CancelledError

    @strawberry.field
    async def away(self, how: str) -> str | None:
        kinds: dict[str, Callable[[], BaseException]] = {
            "lost": lambda: asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
            "closed": lambda: asyncpg.InterfaceError("connection is closed"),
            "refused": lambda: ConnectionRefusedError(111, "refused"),
            "late": TimeoutError,
            "deadlock": lambda: asyncpg.DeadlockDetectedError("deadlock"),
        }
        raise kinds[how]()

    @strawberry.field
    async def hangs(self, info: Info) -> str | None:
        info.context.world.hanging += 1
        try:
            await asyncio.Event().wait()
        finally:
            info.context.world.hanging -= 1

    @strawberry.field
    def huge(self) -> int:
        return 2**40


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def bump(self, info: Info) -> int:
        info.context.world.bumps += 1
        return info.context.world.bumps

    @strawberry.mutation
    async def sign_in(self, info: Info) -> str:
        info.context.set_cookies.append(f"{COOKIE}=fresh; Path=/; Secure; HttpOnly; SameSite=Lax")
        return "fresh"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int) -> AsyncGenerator[int, None]:
        for number in range(to):
            yield number

    @strawberry.subscription
    async def ticks(self, info: Info, size: int = 1) -> AsyncGenerator[str, None]:
        async for number in info.context.world.stream():
            yield f"{number}".ljust(size)

    @strawberry.subscription(extensions=[gate("team")])
    async def team_ticks(self, info: Info) -> AsyncGenerator[str | None, None]:
        async for number in info.context.world.stream():
            yield str(number)

    @strawberry.subscription
    async def breaks(self, text: str) -> AsyncGenerator[str, None]:
        yield "first"
        raise ValueError(f"can't go on with {text}")

    @strawberry.subscription
    async def quits(self) -> AsyncGenerator[str, None]:
        yield "first"
        raise SystemExit(3)

    @strawberry.subscription
    async def stubborn(self, info: Info) -> AsyncGenerator[str, None]:
        while True:
            try:
                async for number in info.context.world.stream():
                    yield str(number)
            except asyncio.CancelledError:
                info.context.world.stubborn += 1


SCHEMA = strawberry.Schema(Query, Mutation, Subscription)


class Wake:
    """An attachment to a topic of the world."""

    def __init__(self, world: "World", topic: tuple[str, UUID]) -> None:
        self._world, self._topic, self._moved = world, topic, asyncio.Event()

    def __enter__(self) -> Self:
        self._world.attached[self._topic].append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._world.attached[self._topic].remove(self)

    def move(self) -> None:
        self._moved.set()

    async def wait(self) -> None:
        await self._moved.wait()
        self._moved.clear()


class World:
    """What resolvers act upon, who has signed in, and what is live."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew, for another test on the same server."""
        self.bumps = self.checks = self.hanging = self.stubborn = self.streams = 0
        self.features: defaultdict[str, set[UUID | None]] = defaultdict(set)
        self.sessions: dict[str, Actor] = {}
        self.attached: defaultdict[tuple[str, UUID], list[Wake]] = defaultdict(list)
        self.database_away = False
        self.listed_only: set[UUID] = set()
        self.ticked = 0
        self._tick = asyncio.Condition()

    def sign_in(self, token: str, practice: UUID | None = None) -> Actor:
        self.sessions[token] = Actor(
            account_id=uuid4(), session_id=uuid4(), role=Role.STAFF, practice_id=practice or uuid4(), member_id=uuid4()
        )
        return self.sessions[token]

    async def authenticate(self, token: str | None) -> Actor | None:
        if self.database_away:
            raise errors.Unavailable("The database is away for the moment.")
        return self.sessions.get(token or "")

    def attach(self, topic: tuple[str, UUID]) -> Wake:
        return Wake(self, topic)

    def move(self, kind: str, id: UUID | None) -> None:
        for wake in self.attached[kind, cast(UUID, id)]:
            wake.move()

    async def practice_only(self, practice_id: UUID) -> bool:
        return practice_id in self.listed_only

    async def tick(self, times: int = 1) -> None:
        async with self._tick:
            self.ticked += times
            self._tick.notify_all()

    async def stream(self) -> AsyncIterator[int]:
        seen, self.streams = self.ticked, self.streams + 1
        try:
            while True:
                async with self._tick:
                    while self.ticked == seen:
                        await self._tick.wait()
                while seen < self.ticked:
                    seen += 1
                    yield seen
        finally:
            self.streams -= 1


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

    async def connect(self, *, subprotocols: Iterable[str] = (PROTOCOL,), **options: Any) -> "Client":
        """Open a socket without saying anything."""
        address = self.url.replace("http", "ws", 1)
        return Client(await connect(address, subprotocols=[*subprotocols] or None, proxy=None, **options))  # pyright: ignore[reportArgumentType]

    async def ready(self, token: str | None = None, **options: Any) -> "Client":
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

    def context(actor: Actor | None, *, request_id: str, client_address: str, live: bool) -> RequestContext:
        return Context(actor, request_id, client_address, live, world)

    http = GraphQLHTTP(executor, deployment, context)
    sockets = GraphQLSockets(executor, deployment, context, world.authenticate, attach=world.attach, gates_of=gates_of)

    @asgi("/graphql", copy_scope=False)
    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        await (http if scope["type"] == "http" else sockets)(scope, receive, send)

    inner = Litestar([endpoint], logging_config=None, openapi_config=None)
    platform = cast(Platform, SimpleNamespace(config=deployment, auth=SimpleNamespace(authenticate=world.authenticate)))
    app = cast(Any, Entrance(inner, platform))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            port=0,
            lifespan="off",
            log_config=None,
            ws="bedside_graphql.wire:Wire",
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
