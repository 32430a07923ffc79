"""The one place that answers whether an actor may do an action on a target, and why not."""

from __future__ import annotations

from bedside_core.access.answers import Access, forget, operation
from bedside_core.access.vocabulary import (
    EVERYONE,
    GUESTS,
    LEADERS,
    OPERATOR,
    PATIENTS,
    Entitlements,
    Feature,
    FeatureState,
    NotAvailable,
    Permission,
    PlanTiers,
    PortalNeeded,
    Reason,
    Refusal,
    Rule,
    TargetCheck,
    Tier,
)

__all__ = [
    "EVERYONE",
    "GUESTS",
    "LEADERS",
    "OPERATOR",
    "PATIENTS",
    "Access",
    "Entitlements",
    "Feature",
    "FeatureState",
    "NotAvailable",
    "Permission",
    "PlanTiers",
    "PortalNeeded",
    "Reason",
    "Refusal",
    "Rule",
    "TargetCheck",
    "Tier",
    "forget",
    "operation",
]
