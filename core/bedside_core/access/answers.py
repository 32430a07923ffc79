"""Answers whether an actor may do an action on a target, and why not, for everyone.

An action is a permission's key (`chat.send`). The answer is made in a fixed order: signed in, second factor, plan,
role, and then the rule of the plugin that owns the target (membership, switch, portal, availability). Every refusal
in the product is made of a `Refusal`, so that GraphQL, REST, jobs and sockets refuse alike (L3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from bedside_core import errors
from bedside_core.access.vocabulary import (
    EVERYONE,
    Entitlements,
    Feature,
    FeatureState,
    Permission,
    Reason,
    Refusal,
    Rule,
)
from bedside_core.auth import Actor, Role, is_for_people, way_on

if TYPE_CHECKING:
    from bedside_core.platform import Platform

log = structlog.get_logger("bedside.access")

_memo: ContextVar[dict[UUID, asyncio.Future[Mapping[str, FeatureState]]] | None] = ContextVar(
    "access_memo", default=None
)


@contextmanager
def operation() -> Generator[None]:
    """Within it a practice's features are read from the database once; wrap each operation and each event in one."""
    token = _memo.set({})
    try:
        yield
    finally:
        _memo.reset(token)


def forget(practice_id: UUID) -> None:
    """Read this practice's features anew, later in the same operation: its plan was just changed."""
    memo = _memo.get()
    if memo is not None:
        memo.pop(practice_id, None)


class Access:
    """Answers why not, for everyone.

    Args:
        platform: handed to the plugins' own checks.
        features: every declared feature.
        permissions: every declared action.
        entitlements: what decides about plans, where a plugin provides it.
        plans_expected: whether such a plugin is configured; if it is and does not answer, the answer is no (L8).
    """

    def __init__(
        self,
        platform: Platform,
        features: Iterable[Feature],
        permissions: Iterable[Permission],
        entitlements: Entitlements | None,
        *,
        plans_expected: bool,
    ) -> None:
        self._platform = platform
        self.features: dict[str, Feature] = {feature.key: feature for feature in features}
        self.permissions: dict[str, Permission] = {permission.key: permission for permission in permissions}
        self._entitlements = entitlements
        self._plans_expected = plans_expected

    async def states(self, practice_id: UUID) -> Mapping[str, FeatureState]:
        """Return the state of every declared feature for a practice, read once in an `operation()`."""
        memo = _memo.get()
        if memo is None:
            return await self._read(practice_id)
        if practice_id not in memo:
            memo[practice_id] = asyncio.ensure_future(self._read(practice_id))
        return await asyncio.shield(memo[practice_id])

    async def _read(self, practice_id: UUID) -> Mapping[str, FeatureState]:
        if self._entitlements is None:
            enabled = not self._plans_expected
            reason = Reason.NO_PLANS if enabled else Reason.PLAN_UNKNOWN
            return {key: _state(feature, enabled, reason) for key, feature in self.features.items()}
        try:
            return await self._entitlements.states(practice_id)
        except errors.Unavailable:
            raise  # the database is away: nothing can be done for anybody, and the caller may retry
        except Exception:
            log.exception("plans did not answer; every feature is refused")
            return {key: _state(feature, False, Reason.PLAN_UNKNOWN) for key, feature in self.features.items()}

    async def limit(self, practice_id: UUID, key: str) -> int | None:
        """Return a practice's limit (L6); None is no limit, as it is where plans is not configured (L8)."""
        if self._entitlements is None:
            return 0 if self._plans_expected else None
        return await self._entitlements.limit(practice_id, key)

    async def lacks(self, practice_id: UUID, feature: str) -> Refusal | None:
        """Return why a practice does not have a feature, or None if it has it."""
        state = (await self.states(practice_id)).get(feature)
        if state is not None and state.enabled:
            return None
        declared = self.features.get(feature)
        title = declared.title if declared else feature
        tier = state.tier if state is not None and state.reason is Reason.NOT_IN_TIER else None
        return Refusal(
            rule=Rule.PLAN,
            message=f"{title} is not in your practice's plan.",
            way_on=f"It comes with the {tier} plan; ask the owner of your practice." if tier else "Ask the operator.",
            feature=feature,
            tier=tier,
        )

    async def why_not(
        self,
        actor: Actor | None,
        permission: str,
        target: UUID | None = None,
        *,
        feature: str | None = None,
        about_target: bool = True,
    ) -> Refusal | None:
        """Return what stands in the way of an action, or None.

        Args:
            actor: who asks; None is somebody who is not signed in.
            permission: the action's key.
            target: id of what it is done to, where the action has a target.
            feature: a feature needed in addition to the permission's own.
            about_target: whether the plugin's rule about the target is asked; a gate leaves it to the service.

        Raises:
            errors.InvalidInput: there is no such action.
        """
        declared = self.permissions.get(permission)
        if declared is None:
            raise errors.InvalidInput(
                f"There is no action {permission[:100]!r}.",
                way_on="`permission` in @gated(…) in the schema names the actions.",
                field=("action",),
            )
        refusal = await self._blocked(actor, declared, feature)
        if refusal is None and about_target and declared.check is not None and actor is not None:
            refusal = await declared.check(self._platform, actor, target)
        return refusal

    async def _blocked(self, actor: Actor | None, permission: Permission, feature: str | None) -> Refusal | None:
        if actor is None:
            return Refusal(
                rule=Rule.SIGN_IN,
                message="You are not signed in.",
                way_on="Sign in and send the token.",
                permission=permission.key,
            )
        if actor.pending is not None:
            return Refusal(
                rule=Rule.FACTOR,
                message="The sign-in waits for the second factor.",
                way_on=way_on(actor.pending),
                permission=permission.key,
                pending=actor.pending,
            )
        if actor.practice_id is not None:
            for needed in filter(None, dict.fromkeys((permission.feature, feature))):
                if refusal := await self.lacks(actor.practice_id, needed):
                    return refusal
        if actor.role not in permission.roles:
            return Refusal(
                rule=Rule.ROLE,
                message=f"Your role does not allow this: {permission.doc}",
                way_on=_who_may(permission, actor, self._platform.config.support_contact),
                permission=permission.key,
            )
        if actor.scopes is not None and (permission.key not in actor.scopes or is_for_people(permission.key)):
            return Refusal(
                rule=Rule.ROLE,
                message=f"This {_scoped(actor)} does not allow this: {permission.doc}",
                way_on=_beyond_scopes(actor, permission.key),
                permission=permission.key,
            )
        return None

    async def require(
        self,
        actor: Actor | None,
        permission: str,
        target: UUID | None = None,
        *,
        feature: str | None = None,
        about_target: bool = True,
    ) -> Actor:
        """Return the actor if the action is allowed.

        Raises:
            errors.Problem: the refusal, coded.
        """
        if refusal := await self.why_not(actor, permission, target, feature=feature, about_target=about_target):
            raise refusal.problem()
        if actor is None:  # why_not has refused it; said again for the reader and the type checker
            raise errors.Unauthenticated("You are not signed in.")
        return actor


def _scoped(actor: Actor) -> str:
    """Return what an actor with scopes acts by."""
    if actor.guest is not None:
        return "link"
    return "application" if actor.application_id else "API key"


def _beyond_scopes(actor: Actor, key: str) -> str:
    """Return what can be done where the scopes of a key, an application or a guest lack a permission."""
    if actor.guest is not None:
        return "Ask whoever gave you the link."
    if is_for_people(key):
        kind = "application" if actor.application_id else "API key"
        return f"No {kind} can do this; sign in as a person."
    if actor.application_id:
        return f"Have it ask for the scope {key}, and consent to it."
    return f"Use a key with the scope {key}."


def _who_may(permission: Permission, actor: Actor, support_contact: str) -> str:
    """Return whom somebody can turn to whose role does not allow an action: those whose role does."""
    able = permission.roles & EVERYONE
    names = ["staff member" if role is Role.STAFF else role.value for role in Role if role in able]
    if not names:
        contact = f": {support_contact}" if support_contact else ""
        return f"Only the operator of this deployment may; ask them{contact}."
    if actor.practice_id is None:
        return "Sign in as a member of a practice."
    article = "an" if names[0] == Role.OWNER else "a"
    return f"Ask {article} {' or '.join(filter(None, [', '.join(names[:-1]), names[-1]]))} of your practice."


def _state(feature: Feature, enabled: bool, reason: Reason) -> FeatureState:
    return FeatureState(key=feature.key, enabled=enabled, reason=reason, tier=feature.tier)
