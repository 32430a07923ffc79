"""Vitals: table of contents."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from bedside_core.api import (
    EVERYONE,
    Feature,
    Job,
    Manifest,
    Permission,
    Platform,
    Role,
    Route,
    StreamKind,
    Tier,
    hookimpl,
)
from bedside_graphql.api import GraphQLPart
from bedside_vitals import schema
from bedside_vitals.api import VITALS_STREAM
from bedside_vitals.jobs import SUMMARISE_DAYS
from bedside_vitals.records import RECORDS
from bedside_vitals.routes import vitals_routes
from bedside_vitals.service import VitalsService
from bedside_vitals.settings import VitalsSettings


@hookimpl
def manifest() -> Manifest:
    """Say who we are."""
    return Manifest(
        name="vitals",
        title="Vitals",
        api=">=1.0,<2",
        requires=("graphql",),
        features=(
            Feature(key="vitals", title="Vitals", doc="Record patients' blood pressure and pulse.", tier=Tier.ENHANCED),
        ),
        permissions=(
            Permission(key="vitals.read", doc="See patients' vitals.", feature="vitals"),
            Permission(
                key="vitals.record", doc="Record patients' vitals.", roles=EVERYONE - {Role.MANAGER}, feature="vitals"
            ),
        ),
        settings=VitalsSettings,
        piccolo_app="bedside_vitals.piccolo_app",
        data=RECORDS,
    )


@hookimpl
def services(platform: Platform) -> Mapping[type[Any], object]:
    """Provide the one service, for our own fields, routes and jobs."""
    return {VitalsService: VitalsService(platform)}


@hookimpl
def jobs() -> Iterable[Job]:
    """Sum up each day in the night after it."""
    return (SUMMARISE_DAYS,)


@hookimpl
def routes(platform: Platform) -> Iterable[Route]:
    """Export as CSV."""
    return vitals_routes(platform)


@hookimpl
def lifespan(platform: Platform) -> AbstractAsyncContextManager[None]:
    """Make the stream of a patient's vitals known."""

    @asynccontextmanager
    async def run() -> AsyncGenerator[None, None]:
        positions = platform.service(VitalsService).positions
        platform.live.add_kind(StreamKind(VITALS_STREAM, positions, "A patient's last recording."))
        yield

    return run()


@hookimpl
def graphql() -> GraphQLPart:
    """Contribute our part of the schema."""
    return schema.PART
