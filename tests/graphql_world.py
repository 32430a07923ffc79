"""A small schema, and the world its resolvers act upon, for tests of `/graphql` without a database."""

import asyncio
import inspect
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Self, cast
from uuid import UUID, uuid4

import strawberry
from strawberry.extensions import FieldExtension

from bedside_core import errors
from bedside_core.auth import COOKIE, Actor, Role
from bedside_core.database.driver import asyncpg


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


@strawberry.input
class Basket:
    """Wishes within wishes, and names so alike that one may be meant by another."""

    wishes: list[Wish] = strawberry.field(default_factory=list[Wish])
    baskets: "list[Basket]" = strawberry.field(default_factory=list["Basket"])
    longest_message: strawberry.Maybe[int] = None
    longest_messages: strawberry.Maybe[int] = None
    longest_passage: strawberry.Maybe[int] = None
    largest_message: strawberry.Maybe[int] = None


@strawberry.type
class Query:
    @strawberry.field
    def basket(self, basket: Basket) -> int:
        return len(basket.wishes)

    @strawberry.field
    def matrix(self, rows: list[list[int]]) -> int:
        return len(rows)

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
        raise errors.InvalidInput(
            "Too long.", way_on="Shorten it.", field=("patch", "away_message"), detail={"longest": 3}
        )

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
        self.seen_sessions: list[UUID] = []
        self.listed_only: set[UUID] = set()
        self.ticked = 0
        self._tick = asyncio.Condition()

    def sign_in(self, token: str, practice: UUID | None = None) -> Actor:
        self.sessions[token] = Actor(
            account_id=uuid4(), session_id=uuid4(), role=Role.STAFF, practice_id=practice or uuid4(), member_id=uuid4()
        )
        return self.sessions[token]

    async def seen(self, actor: Actor) -> None:
        self.seen_sessions.append(actor.session_id)

    async def authenticate(self, token: str | None, *, seen: bool = True) -> Actor | None:
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
