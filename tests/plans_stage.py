"""The stage for plans: a platform with plans and a stand-in plugin that declares features of every sort."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from bedside_core.access import Access, Feature, Tier
from bedside_core.api import (
    Actor,
    Config,
    Event,
    Listener,
    Manifest,
    Platform,
    Practice,
    Role,
    assembled,
    hookimpl,
    on,
    uuid7,
)
from bedside_core.live import LocalBus
from bedside_core.plugins import Source, from_module
from bedside_core.testing import Database
from bedside_graphql.api import GraphQLHooks
from bedside_plans import plugin as plans_plugin
from bedside_plans.service import PlanService

FEATURES = (
    Feature(key="parking", title="Parking", doc="A place for one's car.", tier=None),
    Feature(key="tea", title="Tea", doc="A cup of tea.", tier=Tier.STARTER),
    Feature(key="cake", title="Cake", doc="A piece of cake.", tier=Tier.ENHANCED),
    Feature(key="band", title="Band", doc="A brass band.", tier=Tier.PREMIUM),
)


@dataclass
class Cafe:
    """A running platform and what its listeners heard."""

    platform: Platform
    heard: list[Event]

    @property
    def plans(self) -> PlanService:
        """The service under test."""
        return self.platform.service(PlanService)

    @property
    def access(self) -> Access:
        """What everybody else asks."""
        return self.platform.access

    async def practice(self, name: str = "Eastside") -> Practice:
        """A practice of whose plan nothing is stored."""
        return await self.platform.people.create_practice(name)

    async def events(self) -> Sequence[Event]:
        """What was heard so far."""
        await self.platform.events.settled()
        return self.heard

    async def member(self, practice: Practice, role: Role) -> Actor:
        """Somebody of a practice, signed in."""
        return Actor(account_id=uuid7(), session_id=uuid7(), role=role, practice_id=practice.id, member_id=uuid7())

    async def on(self, practice: Practice) -> set[str]:
        """The features that a practice has now, as everybody else is told."""
        return {key for key, state in (await self.access.states(practice.id)).items() if state.enabled}


def cafe_plugin(heard: list[Event]) -> ModuleType:
    """A plugin that declares the features and hears everything."""

    @hookimpl
    def manifest() -> Manifest:
        return Manifest(name="cafe", title="Café", api=">=1.0,<2", features=FEATURES)

    @hookimpl
    def listeners() -> Sequence[Listener]:
        async def hear(event: Event) -> None:
            heard.append(event)

        return [on(Event, hear)]

    module = ModuleType("cafe")
    vars(module).update(manifest=manifest, listeners=listeners)
    return module


def graphql_stand_in() -> ModuleType:
    """Publishes the hook and builds no schema: what services answer needs none."""

    @hookimpl
    def manifest() -> Manifest:
        return Manifest(name="graphql", title="GraphQL", api=">=1.0,<2")

    @hookimpl
    def hookspecs() -> type:
        return GraphQLHooks

    module = ModuleType("graphql_stand_in")
    vars(module).update(manifest=manifest, hookspecs=hookspecs)
    return module


def sources(heard: list[Event], **others: ModuleType) -> dict[str, Source]:
    """Where the stage's plugins come from."""
    modules: dict[str, Any] = {
        "graphql": graphql_stand_in(),
        "plans": plans_plugin,
        "cafe": cafe_plugin(heard),
        **others,
    }
    return {name: from_module(module, name=name) for name, module in modules.items()}


def opened(
    database: Database, *, others: Mapping[str, ModuleType] | None = None, **settings: Any
) -> AbstractAsyncContextManager[Cafe]:
    """A platform on a database of its own, with further plugins and other settings where given."""

    @asynccontextmanager
    async def run() -> AsyncGenerator[Cafe, None]:
        heard: list[Event] = []
        config = Config(
            database_url=database.dsn,
            testing=True,
            **{"strict": True, "plugins": ("graphql", "plans", "cafe"), **settings},
        )
        async with assembled(config, sources=sources(heard, **(others or {})), bus=LocalBus()) as platform:
            yield Cafe(platform, heard)

    return run()
