"""Tiers as data, and what a plan gives at an instant, as pure functions: features with reasons, limits, differences.

What counts for a feature, in this order: an override, the practice's own tier, a tier on trial, an add-on. For a limit:
the practice's own, else that of the higher of its own tier and the one on trial.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from bedside_core.api import Feature, FeatureState, Reason, Tier
from bedside_plans.api import Difference, ItemKind, Limit, LimitChange, Plan, PlanItem
from bedside_plans.settings import BadPlans, Mapped

TIERS = tuple(Tier)
"""The tiers from the lowest to the highest (L1)."""

LIMITS: Mapping[Tier, Mapping[str, int | None]] = {
    Tier.STARTER: {"storage_gb": 10, "session_people": 5},
    Tier.ENHANCED: {"storage_gb": 100, "session_people": 15},
    Tier.PREMIUM: {"storage_gb": 1000, "session_people": 50},
}
"""The limits that come with the product: gigabytes of files, and people in one telehealth session (L6)."""


def includes(tier: Tier, lowest: Tier | None) -> bool:
    """Tell whether a tier has what the lowest tier with it has; None is every tier."""
    return lowest is None or TIERS.index(tier) >= TIERS.index(lowest)


def tier_at(plan: Plan, now: datetime) -> Tier:
    """Return the tier that counts: the practice's own, or a higher one on trial."""
    if plan.trial is None or now >= plan.trial.ends_at:
        return plan.tier
    return max(plan.tier, plan.trial.tier, key=TIERS.index)


def ended(plan: Plan, now: datetime) -> bool:
    """Tell whether something in a plan has ended since it was changed or people were last told."""
    ends = [item.ends_at for item in plan.items] + ([plan.trial.ends_at] if plan.trial else [])
    return plan.changed_at is not None and any(end is not None and plan.changed_at < end <= now for end in ends)


def with_item(plan: Plan, item: PlanItem) -> Plan:
    """Return the plan with an item in place of one with the same kind and key."""
    items = (*without(plan, item.kind, item.key).items, item)
    return replace(plan, items=tuple(sorted(items, key=lambda each: (each.kind, each.key))))


def without(plan: Plan, kind: ItemKind, key: str) -> Plan:
    """Return the plan without an item."""
    return replace(plan, items=tuple(item for item in plan.items if (item.kind, item.key) != (kind, key)))


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """What each tier has in this deployment.

    Args:
        tiers: every declared feature -> the lowest tier with it; None is every tier.
        limits: tier -> limit -> amount; None is no limit. Each tier has the same keys.
    """

    tiers: Mapping[str, Tier | None]
    limits: Mapping[Tier, Mapping[str, int | None]]

    def states(self, plan: Plan, now: datetime) -> dict[str, FeatureState]:
        """Return the state of every declared feature at an instant."""
        items = _counting(plan, now)
        return {key: self._state(key, plan, now, items) for key in self.tiers}

    def _state(
        self, key: str, plan: Plan, now: datetime, items: Mapping[tuple[ItemKind, str], PlanItem]
    ) -> FeatureState:
        lowest = self.tiers[key]
        override = items.get((ItemKind.OVERRIDE, key))
        if override is not None:
            reason = Reason.OVERRIDE if override.enabled else Reason.SWITCHED_OFF
        elif includes(plan.tier, lowest):
            reason = Reason.INCLUDED
        elif includes(tier_at(plan, now), lowest):
            reason = Reason.TRIAL
        elif (ItemKind.ADD_ON, key) in items:
            reason = Reason.ADD_ON
        else:
            reason = Reason.NOT_IN_TIER
        enabled = reason not in {Reason.NOT_IN_TIER, Reason.SWITCHED_OFF}
        return FeatureState(key=key, enabled=enabled, reason=reason, tier=lowest)

    def limits_of(self, plan: Plan, now: datetime) -> dict[str, Limit]:
        """Return every limit in force at an instant."""
        items = _counting(plan, now)
        found: dict[str, Limit] = {}
        for key, amount in self.limits[tier_at(plan, now)].items():
            own = items.get((ItemKind.LIMIT, key))
            found[key] = Limit(key=key, amount=own.amount if own else amount, own=own)
        return found

    def difference(self, before: Plan, after: Plan, now: datetime, *, since: datetime | None = None) -> Difference:
        """Return what would be gained and lost (L5).

        Args:
            before: the plan as it was.
            after: the plan as it would be.
            now: the instant at which `after` is looked at.
            since: the instant at which `before` is, if another.
        """
        earlier = now if since is None else since
        had = {key for key, state in self.states(before, earlier).items() if state.enabled}
        has = {key for key, state in self.states(after, now).items() if state.enabled}
        limits = self.limits_of(after, now)
        return Difference(
            gained=tuple(sorted(has - had)),
            lost=tuple(sorted(had - has)),
            limits=tuple(
                LimitChange(key=key, before=limit.amount, after=limits[key].amount)
                for key, limit in sorted(self.limits_of(before, earlier).items())
                if limit.amount != limits[key].amount
            ),
        )


def _counting(plan: Plan, now: datetime) -> dict[tuple[ItemKind, str], PlanItem]:
    return {(item.kind, item.key): item for item in plan.items if item.counts(now)}


def catalogue_of(declared: Iterable[Feature], mapped: Mapped) -> Catalogue:
    """Return the catalogue of a deployment: what plugins declare, and what its operator maps otherwise (L7).

    Args:
        declared: the features of all plugins. What is mapped of others is left out: see `checked`.
        mapped: the operator's part.

    Raises:
        BadPlans: a limit that not every tier has, or that is lower on a higher tier.
    """
    given = {
        tier: {key: None if amount == "unlimited" else amount for key, amount in mapped.limits.get(tier, {}).items()}
        for tier in TIERS
    }
    limits: dict[Tier, Mapping[str, int | None]] = {tier: {**LIMITS[tier], **given[tier]} for tier in TIERS}
    for key in sorted({key for amounts in limits.values() for key in amounts}):
        if lacking := [tier for tier in TIERS if key not in limits[tier]]:
            raise BadPlans(f"the limit {key} is missing for {', '.join(lacking)}")
        for lower, higher in pairwise(TIERS):
            if LimitChange(key=key, before=limits[lower][key], after=limits[higher][key]).shrinks:
                raise BadPlans(f"the limit {key} is lower for {higher} than for {lower}")
    tiers = {feature.key: mapped.features.get(feature.key, feature.tier) for feature in declared}
    return Catalogue(tiers=tiers, limits=limits)


def checked(declared: Iterable[Feature], mapped: Mapped, *, lenient: bool = False) -> list[str]:
    """See at start that the operator's part fits; return the mapped keys that no plugin declares.

    Args:
        declared: the features of all plugins.
        mapped: the operator's part.
        lenient: whether such keys are let pass.

    Raises:
        BadPlans: there are such keys, or the limits can't be right.
    """
    tiers = catalogue_of(declared, mapped).tiers
    unknown = sorted(set(mapped.features) - set(tiers))
    if unknown and not lenient:
        raise BadPlans(
            f"no plugin named in BEDSIDE_PLUGINS declares the feature {', '.join(unknown)}; "
            f"declared are: {', '.join(sorted(tiers)) or 'none'}"
        )
    return unknown
