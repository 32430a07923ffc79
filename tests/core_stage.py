"""A platform without entrance for tests of core: one small plugin made at test time, real PostgreSQL below."""

from __future__ import annotations

import itertools
import types
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from bedside_core.access import EVERYONE, LEADERS, Entitlements, Feature, FeatureState, Permission, Reason, Tier
from bedside_core.auth import Actor, Role
from bedside_core.boot import assembled
from bedside_core.config import Config
from bedside_core.database import acting
from bedside_core.hookspecs import hookimpl
from bedside_core.live import LocalBus
from bedside_core.manifest import Manifest
from bedside_core.people import Member, Practice
from bedside_core.platform import Platform
from bedside_core.plugins import Source, from_module
from bedside_core.testing import Database

PASSWORD = "a tall glass of water"
_numbers = itertools.count()

ROUNDS = Feature(key="rounds", title="Rounds", doc="Rounds of the ward.", tier=Tier.PREMIUM)


class FixedPlans:
    """Entitlements out of a set, or none at all when told to fail."""

    def __init__(self) -> None:
        self.premium: set[UUID] = set()
        self.failing = False

    async def states(self, practice_id: UUID) -> Mapping[str, FeatureState]:
        if self.failing:
            raise RuntimeError("plans is broken")
        enabled = practice_id in self.premium
        reason = Reason.INCLUDED if enabled else Reason.NOT_IN_TIER
        return {ROUNDS.key: FeatureState(key=ROUNDS.key, enabled=enabled, reason=reason, tier=Tier.PREMIUM)}

    async def limit(self, practice_id: UUID, key: str) -> int | None:
        return 7


def plugin(name: str, manifest: Manifest | None = None, **hooks: Any) -> Source:
    """Return a plugin made of functions, each marked as a hook."""
    module = types.ModuleType(name)
    hooks["manifest"] = hooks.get("manifest") or (lambda: manifest or Manifest(name=name, title=name, api=">=1.0,<2"))
    for hook, function in hooks.items():
        setattr(module, hook, hookimpl(function))
    return from_module(module, name=name)


def ward(plans: FixedPlans | None = None, **hooks: Any) -> Source:
    """Return the plugin `ward`, with a feature, permissions, and plans where given."""
    manifest = Manifest(
        name="ward",
        title="Ward",
        api=">=1.0,<2",
        features=(ROUNDS,),
        permissions=(
            Permission(key="ward.walk", doc="Walk the ward.", roles=EVERYONE),
            Permission(key="ward.lead", doc="Lead the rounds.", roles=LEADERS, feature="rounds"),
        ),
    )
    if plans is not None:

        def services(platform: Platform) -> Mapping[type, object]:
            return {Entitlements: plans}

        hooks.setdefault("services", services)
    return plugin("ward", manifest, **hooks)


@asynccontextmanager
async def assembled_with(database: Database, *sources: Source, **config: Any) -> AsyncGenerator[Platform, None]:
    """Assemble a platform out of the given plugins alone."""
    given = {"testing": True, "entitlements": "ward", **config}
    settings = Config(database_url=database.dsn, plugins=tuple(source.name for source in sources), **given)
    async with assembled(settings, sources={source.name: source for source in sources}, bus=LocalBus()) as platform:
        yield platform


async def practice_with(platform: Platform, *roles: Role, name: str = "Bay View") -> tuple[Practice, list[Actor]]:
    """Make a practice with one signed-in member of each role."""
    practice = await platform.people.create_practice(name)
    return practice, [await joined(platform, practice, role) for role in roles]


async def joined(platform: Platform, practice: Practice, role: Role) -> Actor:
    """Make a member of a practice and sign them in."""
    member, email = await member_of(platform, practice, role)
    _, actor = await platform.auth.sign_in(email, PASSWORD)
    assert actor.member_id == member.id
    return actor


async def member_of(platform: Platform, practice: Practice, role: Role) -> tuple[Member, str]:
    """Make a member of a practice; returns the e-mail address too."""
    email = f"person{next(_numbers)}@example.org"
    account = await platform.people.create_account(email, PASSWORD)
    member = await platform.people.create_member(
        practice.id, account, first_name="Ada", last_name=f"Moss{next(_numbers)}", role=role
    )
    return member, email


def as_(actor: Actor) -> Any:
    """Act for an actor, as an entrance does."""
    return acting(actor.practice_id, actor.person_id)
