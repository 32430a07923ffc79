"""What is said of access: tiers, rules, reasons, refusals, permissions, features, and who answers for plans."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from bedside_core import errors
from bedside_core.auth import Actor, Role, SecondFactorNeeded

if TYPE_CHECKING:
    from bedside_core.platform import Platform


class Tier(StrEnum):
    """The tiers of a plan, from the lowest to the highest (L1)."""

    STARTER = "starter"
    ENHANCED = "enhanced"
    PREMIUM = "premium"


class Rule(StrEnum):
    """Which kind of rule stands in the way."""

    SIGN_IN = "sign_in"
    FACTOR = "second_factor"
    PLAN = "plan"
    ROLE = "role"
    MEMBERSHIP = "membership"
    SWITCH = "switch"
    PORTAL = "portal"
    AVAILABILITY = "availability"


class Reason(StrEnum):
    """Why a feature is on or off for a practice."""

    INCLUDED = "included"
    OVERRIDE = "override"
    ADD_ON = "add_on"
    TRIAL = "trial"
    NO_PLANS = "no_plans"
    NOT_IN_TIER = "not_in_tier"
    SWITCHED_OFF = "switched_off"
    PLAN_UNKNOWN = "plan_unknown"


class PortalNeeded(errors.Problem):
    """The patient's portal account is not active."""

    code = "PORTAL_ACCOUNT_NEEDED"
    meaning = "The patient has no active portal account; `wayOn` tells how to reach them otherwise (C2)."
    status = 403


class NotAvailable(errors.Problem):
    """The other person does not take this now."""

    code = "NOT_AVAILABLE"
    meaning = "The other person is not available for it now (C4)."
    status = 403


_PROBLEMS: Mapping[Rule, type[errors.Problem]] = {
    Rule.SIGN_IN: errors.Unauthenticated,
    Rule.FACTOR: SecondFactorNeeded,
    Rule.PLAN: errors.FeatureNotInPlan,
    Rule.ROLE: errors.Forbidden,
    Rule.MEMBERSHIP: errors.NotFound,
    Rule.SWITCH: errors.SwitchedOff,
    Rule.PORTAL: PortalNeeded,
    Rule.AVAILABILITY: NotAvailable,
}


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why an action is refused: the blocking rule and the way on.

    Args:
        rule: the kind of rule that blocks.
        message: one sentence for a person.
        way_on: what can be done about it.
        permission: the action that was asked for.
        feature: the missing feature, where the plan blocks.
        tier: the lowest tier with that feature.
        pending: what the sign-in lacks, where it is not complete.
    """

    rule: Rule
    message: str
    way_on: str | None = None
    permission: str | None = None
    feature: str | None = None
    tier: str | None = None
    pending: str | None = None

    @property
    def code(self) -> str:
        """The published error code of this refusal."""
        return _PROBLEMS[self.rule].code

    def problem(self) -> errors.Problem:
        """Return the refusal as the error that a caller gets."""
        detail = {"permission": self.permission, "feature": self.feature, "tier": self.tier, "pending": self.pending}
        if self.rule is Rule.MEMBERSHIP:  # told as if the target were not there (promise A1)
            return errors.NotFound(self.message)
        return _PROBLEMS[self.rule](
            self.message,
            way_on=self.way_on,
            detail={key: value for key, value in detail.items() if value is not None},
        )


TargetCheck = Callable[["Platform", Actor, UUID | None], Awaitable[Refusal | None]]
"""A plugin's own rule about a target: None, or why not."""

EVERYONE = frozenset({Role.OWNER, Role.MANAGER, Role.PRACTITIONER, Role.STAFF})
LEADERS = frozenset({Role.OWNER, Role.MANAGER})
PATIENTS = frozenset({Role.PATIENT})
GUESTS = frozenset({Role.GUEST})
OPERATOR = frozenset({Role.OPERATOR})


@dataclass(frozen=True, kw_only=True)
class Permission:
    """An action that a role may do.

    Args:
        key: `<plugin>.<verb>`, e.g. `chat.send`; what `can(action)` and `@gated(permission:)` name.
        doc: what it allows, for people who give out roles.
        roles: who may do it by default. What practitioners may owners may too: a solo practitioner is both (A12).
        feature: the feature it belongs to, if a plan can take it away.
        check: the owning plugin's rule about one target (membership, switch, portal, availability).
    """

    key: str
    doc: str
    roles: frozenset[Role] = EVERYONE
    feature: str | None = None
    check: TargetCheck | None = None

    def __post_init__(self) -> None:
        if Role.PRACTITIONER in self.roles and Role.OWNER not in self.roles:
            raise ValueError(f"{self.key!r} is for practitioners and not for owners, one of whom may be both (A12)")


@dataclass(frozen=True, kw_only=True)
class Feature:
    """Something a plan can have or lack (L1).

    Args:
        key: stable name, e.g. `team_chat`.
        title: what people read.
        doc: what one has with it.
        tier: the lowest tier that includes it by default; None is every tier (L7).
    """

    key: str
    title: str
    doc: str
    tier: Tier | None = None


@dataclass(frozen=True, kw_only=True)
class FeatureState:
    """Whether a practice has a feature, and why or why not.

    Args:
        key: the feature.
        enabled: whether it is on now.
        reason: why.
        tier: the lowest tier that includes it in this deployment; None is every tier.
    """

    key: str
    enabled: bool
    reason: Reason
    tier: str | None


class Entitlements(Protocol):
    """What a plan gives a practice; provided by the plugin `plans`."""

    async def states(self, practice_id: UUID) -> Mapping[str, FeatureState]:
        """Return every declared feature's state for a practice, as of now."""
        ...

    async def limit(self, practice_id: UUID, key: str) -> int | None:
        """Return a practice's limit by its key (L6); None is no limit."""
        ...


class PlanTiers(Protocol):
    """Which tier a practice is on; provided by the plugin `plans`."""

    async def tier(self, practice_id: UUID) -> Tier:
        """Return a practice's own tier, whatever it tries meanwhile."""
        ...
