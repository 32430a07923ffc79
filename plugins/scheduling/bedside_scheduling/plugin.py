"""Scheduling: table of contents."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from bedside_core.api import (
    Feature,
    Job,
    Listener,
    Manifest,
    Platform,
    Route,
    StreamKind,
    hookimpl,
)
from bedside_graphql.api import GraphQLPart
from bedside_scheduling import schema
from bedside_scheduling.api import SCHEDULE_STREAM
from bedside_scheduling.consequences import positions
from bedside_scheduling.deactivated import member_listeners
from bedside_scheduling.feeds import feed_listeners
from bedside_scheduling.jobs import JOBS as HOLDS
from bedside_scheduling.listeners import settings_changed, waiting_listeners
from bedside_scheduling.notices import NOTIFICATIONS
from bedside_scheduling.partners import PUBLIC_EVENTS
from bedside_scheduling.permissions import PERMISSIONS
from bedside_scheduling.records import RECORDS
from bedside_scheduling.reminders import JOBS as REMINDERS
from bedside_scheduling.routes import scheduling_routes
from bedside_scheduling.service import answering
from bedside_scheduling.settings import SchedulingSettings
from bedside_scheduling.timeline import TIMELINE
from bedside_scheduling.waiting_jobs import JOBS as OFFERS


@hookimpl
def manifest() -> Manifest:
    """Say who scheduling is."""
    return Manifest(
        name="scheduling",
        title="Scheduling",
        api=">=1.0,<2",
        requires=("graphql", "portal"),
        features=(
            Feature(key="scheduling", title="Scheduling", doc="Keep appointments and availability."),
            Feature(
                key="self_scheduling", title="Self-scheduling", doc="Let patients book in the sections opened to them."
            ),
        ),
        permissions=PERMISSIONS,
        public_events=PUBLIC_EVENTS,
        settings=SchedulingSettings,
        piccolo_app="bedside_scheduling.piccolo_app",
        data=RECORDS,
        timeline=(TIMELINE,),
        notifications=NOTIFICATIONS,
    )


@hookimpl
def services(platform: Platform) -> Mapping[type[Any], object]:
    """Provide what scheduling answers."""
    return answering(platform)


@hookimpl
def listeners(platform: Platform) -> Iterable[Listener]:
    """Have reminders come when they are wanted, free times be offered to those who wait, and feeds end for good.

    Of what a deactivated practitioner leaves, the practice is told.
    """
    return [
        settings_changed(platform),
        *waiting_listeners(platform),
        *feed_listeners(platform),
        *member_listeners(platform),
    ]


@hookimpl
def routes() -> list[Route]:
    """Serve calendar feeds, and what links about appointments lead to."""
    return scheduling_routes()


@hookimpl
def jobs() -> Iterable[Job]:
    """End holds and offers whose time is over, and remind patients."""
    return (*HOLDS, *OFFERS, *REMINDERS)


@hookimpl
def lifespan(platform: Platform) -> AbstractAsyncContextManager[None]:
    """Make the stream of a practice's schedule known."""

    @asynccontextmanager
    async def run() -> AsyncGenerator[None, None]:
        platform.live.add_kind(
            StreamKind(SCHEDULE_STREAM, positions, "What has changed in a practice's schedule last.")
        )
        yield

    return run()


@hookimpl
def graphql() -> GraphQLPart:
    """Contribute scheduling's part of the schema."""
    return schema.PART
