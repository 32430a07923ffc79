"""The table of contents of plans: what it declares and what it provides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import structlog

from bedside_core.api import (
    EVERYONE,
    LEADERS,
    OPERATOR,
    DataContribution,
    Entitlements,
    Job,
    KeptTable,
    Manifest,
    Permission,
    PlanTiers,
    Platform,
    hookimpl,
)
from bedside_graphql.api import GraphQLPart
from bedside_plans.api import Plans
from bedside_plans.catalogue import checked
from bedside_plans.jobs import TELL_ENDED
from bedside_plans.schema import PART
from bedside_plans.service import PlanService
from bedside_plans.settings import configured

log = structlog.get_logger("bedside.plans")

MANIFEST = Manifest(
    name="plans",
    title="Plans",
    api=">=1.0,<2",
    requires=("graphql",),
    permissions=(
        Permission(
            key="plans.read",
            doc="See the practice's plan: tier, trial, overrides, add-ons and limits.",
            roles=EVERYONE | OPERATOR,
        ),
        Permission(key="plans.preview", doc="See what another tier would give and take.", roles=LEADERS | OPERATOR),
        Permission(key="plans.change", doc="Change any practice's plan.", roles=OPERATOR),
    ),
    piccolo_app="bedside_plans.piccolo_app",
    data=DataContribution(
        tables=(
            KeptTable(name="plan", doc="The practice's plan."),
            KeptTable(name="plan_item", doc="Its overrides, add-ons and limits."),
        )
    ),
    kept_tables=("plan", "plan_item"),
)


@hookimpl
def manifest() -> Manifest:
    """Say who we are."""
    return MANIFEST


@hookimpl
def services(platform: Platform) -> Mapping[type[Any], object]:
    """Answer what a plan gives, once the operator's part of it is seen to fit what is installed (L7)."""
    mapped = configured()
    plugins = platform.plugins
    declared = [feature for manifest in plugins.manifests.values() for feature in manifest.features]
    # A plugin that failed declares nothing; a mapping that may be of its features is no mistake of the operator's.
    failed = [report.name for report in plugins.report() if report.status == "FAILED"]
    if ignored := checked(declared, mapped, lenient=bool(failed)):
        log.warning("mapped features that no active plugin declares", features=ignored, failed_plugins=failed)
    service = PlanService(platform, mapped)
    return {Entitlements: service, PlanTiers: service, Plans: service, PlanService: service}


@hookimpl
def jobs() -> Iterable[Job]:
    """Tell of what ends by itself."""
    return (TELL_ENDED,)


@hookimpl
def graphql() -> GraphQLPart:
    """Show plans, and let the operator change them."""
    return PART
