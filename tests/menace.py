"""A plugin that does at run time as it is told: the deeds that promise P1 names, wherever a plugin's code runs."""

# No postponed annotations: the types of the schema are made here.

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import strawberry
from litestar import get
from litestar.params import FromPath

from bedside_core.api import Event, Job, JobRun, Listener, Manifest, Platform, Route, fact, hookimpl, on, public_route
from bedside_graphql.api import GraphQLPart, Info, gate

READ = gate("patients.read")


def _deaf() -> Any:
    """A coroutine that ignores its cancellation for longer than anybody waits."""

    async def wait() -> None:
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                continue

    return wait()


async def misbehave(deed: str) -> str:
    """Do as told: raise something, wait for ever, block the event loop, or behave."""
    match deed:
        case "raise":
            raise RuntimeError("the patient's name is in here")
        case "exit":
            raise SystemExit(3)
        case "cancel":
            raise asyncio.CancelledError
        case "leave":
            raise GeneratorExit
        case "sleep":
            await asyncio.sleep(3600)
        case "be deaf":
            await _deaf()
            raise asyncio.CancelledError
        case "block":
            time.sleep(3600)  # noqa: ASYNC251 - the deed
        case "loop":
            while True:
                pass
        case _:
            pass
    return deed


@dataclass(frozen=True, kw_only=True)
class Poked(Event):
    """Somebody poked."""

    deed: str = fact("What is to be done about it.")


async def _hear(event: Poked) -> None:
    await misbehave(event.deed)


async def _work(run: JobRun) -> None:
    await misbehave(run.payload["deed"])
    run.platform.service(Done).done.append(run.practice_id)


class Done(Protocol):
    """Which jobs ended well."""

    done: list[UUID]


class _Done:
    def __init__(self) -> None:
        self.done: list[UUID] = []


@get("/{deed:str}", guards=[public_route])
async def do(deed: FromPath[str]) -> str:
    return await misbehave(deed)


@strawberry.type
class MenaceQuery:
    """Fields at the root."""

    @strawberry.field(description="Does as told.", extensions=[READ])
    async def menace(self, info: Info, deed: str) -> str | None:
        return await misbehave(deed)

    @strawberry.field(description="Does as told, in a DataLoader's batch function.", extensions=[READ])
    async def menace_loaded(self, info: Info, deed: str) -> str | None:
        return await info.context.loader(_batch).load(deed)


async def _batch(deeds: Any) -> Mapping[str, str]:
    return {deed: await misbehave(deed) for deed in deeds}


@strawberry.type(name="Patient")
class MenacePatient:
    """A field on another plugin's type."""

    @strawberry.field(description="Does as told.", extensions=[READ])
    async def menace(self, deed: str) -> str | None:
        return await misbehave(deed)


@strawberry.type
class MenaceSubscription:
    """A stream."""

    @strawberry.subscription(description="Does as told after the first event.", extensions=[READ])
    async def menaces(self, deed: str) -> AsyncGenerator[str, None]:
        yield "first"
        yield await misbehave(deed)


@hookimpl
def manifest() -> Manifest:
    return Manifest(name="menace", title="Menace", api=">=1.0,<2", requires=("graphql",))


@hookimpl
def services() -> Mapping[type[Any], object]:
    return {Done: _Done()}


@hookimpl
def listeners() -> Iterable[Listener]:
    return (on(Poked, _hear),)


@hookimpl
def jobs() -> Iterable[Job]:
    return (Job(name="work", function=_work, doc="Does as told.", retries=0, public=True),)


@hookimpl
def routes(platform: Platform) -> Iterable[Route]:
    return (do,)


@hookimpl
def graphql() -> GraphQLPart:
    return GraphQLPart(query=MenaceQuery, subscription=MenaceSubscription, extend=(MenacePatient,))
