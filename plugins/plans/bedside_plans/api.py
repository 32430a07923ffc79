"""What other plugins may know of plans: a practice's plan, what a change means, its event, and who changes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from bedside_core.api import Event, Tier, fact


class ItemKind(StrEnum):
    """What stands beside the tier in a practice's plan (L6)."""

    OVERRIDE = "override"
    """A feature switched on or off whatever the tier says."""
    ADD_ON = "add_on"
    """A feature that the practice has besides those of its tier."""
    LIMIT = "limit"
    """A limit of the practice's own."""


@dataclass(frozen=True, kw_only=True)
class PlanItem:
    """An override, an add-on or a limit of one practice; one for each kind and key.

    Args:
        kind: which of them it is.
        key: the feature's key, or the limit's.
        enabled: whether an override switches on.
        amount: a limit's height; None is no limit.
        ends_at: from when on it no longer counts; None is never.
    """

    kind: ItemKind
    key: str
    enabled: bool = True
    amount: int | None = None
    ends_at: datetime | None = None

    def counts(self, now: datetime) -> bool:
        """Tell whether it has not ended."""
        return self.ends_at is None or now < self.ends_at


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A higher tier for a while; the practice steps down by itself (L6).

    Args:
        tier: the tier that is tried.
        ends_at: from when on it no longer counts.
    """

    tier: Tier
    ends_at: datetime


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is stored of a practice's plan. What has ended stays in it, and no longer counts.

    Args:
        practice_id: whose plan.
        tier: the practice's own tier; the lowest where nobody has set one.
        trial: a higher tier for a while, if there is or was one.
        items: overrides, add-ons and limits.
        changed_at: when it last changed, or when people were last told that something in it ended; None is never.
    """

    practice_id: UUID
    tier: Tier = Tier.STARTER
    trial: Trial | None = None
    items: tuple[PlanItem, ...] = ()
    changed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A limit in force.

    Args:
        key: what is limited, e.g. `storage_gb`.
        amount: how much there may be; None is no limit.
        own: the practice's own limit that counts instead of the tier's, if it has one.
    """

    key: str
    amount: int | None
    own: PlanItem | None = None


@dataclass(frozen=True, kw_only=True)
class LimitChange:
    """A limit before and after; None is no limit."""

    key: str
    before: int | None
    after: int | None

    @property
    def shrinks(self) -> bool:
        """Whether less is allowed afterwards."""
        return self.after is not None and (self.before is None or self.after < self.before)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What another plan would mean (L5). What was made with a lost feature stays and can be read.

    Args:
        gained: keys of features that would be had.
        lost: keys of features that could no longer be used.
        limits: those that would change.
    """

    gained: tuple[str, ...]
    lost: tuple[str, ...]
    limits: tuple[LimitChange, ...]


@dataclass(frozen=True, kw_only=True)
class PlanChanged(Event):
    """A practice's plan was changed, or something in it has ended. It counts already (L4)."""

    tier: Tier = fact("The practice's own tier now.")
    gained: tuple[str, ...] = fact("Features that the practice has now and had not.")
    lost: tuple[str, ...] = fact("Features that the practice had and has no longer.")
    by: UUID | None = fact("The operator's account; None for the command line and for what ended by itself.")


class Plans(Protocol):
    """Knows and changes plans. Whether the asker may is the caller's to have checked (`plans.*`).

    A change counts at once, everywhere, and may be repeated without harm (G9). Changes raise

    - NotFound: there is no such practice;
    - InvalidInput: an unknown key, or an end that has passed.
    """

    async def plan(self, practice_id: UUID) -> Plan:
        """Return what is stored of a practice's plan."""
        ...

    async def limits(self, practice_id: UUID) -> Sequence[Limit]:
        """Return the practice's limits in force, by key."""
        ...

    async def preview(self, practice_id: UUID, tier: Tier) -> Difference:
        """Return what `change_plan` to a tier would mean now (L5)."""
        ...

    async def change_plan(
        self, practice_id: UUID, tier: Tier, *, trial_until: datetime | None = None, by: UUID | None = None
    ) -> Plan:
        """Put a practice on a tier, which ends a trial; or, with `trial_until`, let it try a higher tier until then.

        Args:
            practice_id: the practice.
            tier: its own tier from now on, or the one that it tries.
            trial_until: when the trial ends and the practice is on its own tier again.
            by: the operator's account, if there is one.
        """
        ...

    async def set_item(self, practice_id: UUID, item: PlanItem, *, by: UUID | None = None) -> Plan:
        """Set an override, add-on or limit, in place of one with the same kind and key."""
        ...

    async def remove_item(self, practice_id: UUID, kind: ItemKind, key: str, *, by: UUID | None = None) -> Plan:
        """Take an override, add-on or limit back; nothing happens where there is none."""
        ...
