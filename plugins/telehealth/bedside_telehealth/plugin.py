"""Telehealth: table of contents."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from bedside_core.api import (
    ConnectionEnded,
    Feature,
    Listener,
    Manifest,
    MemberDeactivated,
    Platform,
    PublicEvent,
    Route,
    StreamKind,
    hookimpl,
    on,
)
from bedside_graphql.api import GraphQLPart
from bedside_telehealth import schema
from bedside_telehealth.api import SESSION_STREAM, VideoSessionCreated, VideoSessionEnded
from bedside_telehealth.guests import GuestLinks
from bedside_telehealth.inbox import SessionInbox
from bedside_telehealth.listeners import connection_ended, member_deactivated
from bedside_telehealth.notices import NOTIFICATIONS
from bedside_telehealth.permissions import PERMISSIONS
from bedside_telehealth.reading import positions
from bedside_telehealth.records import RECORDS
from bedside_telehealth.routes import telehealth_routes
from bedside_telehealth.rules import GROUPS, TELEHEALTH
from bedside_telehealth.service import TelehealthService
from bedside_telehealth.settings import TelehealthSettings


@hookimpl
def manifest() -> Manifest:
    """Say who telehealth is."""
    return Manifest(
        name="telehealth",
        title="Telehealth",
        api=">=1.0,<2",
        requires=("graphql",),
        features=(
            Feature(
                key=TELEHEALTH,
                title="Video visits",
                doc="Start video calls and sessions, and have patients join them.",
            ),
            Feature(key=GROUPS, title="Group sessions", doc="Hold sessions of more than two people, with roles."),
        ),
        permissions=PERMISSIONS,
        public_events=(
            PublicEvent(
                key="video_session.created",
                event=VideoSessionCreated,
                doc="A telehealth session was created.",
                ids=("session_id", "created_by"),
            ),
            PublicEvent(
                key="video_session.ended",
                event=VideoSessionEnded,
                doc="A telehealth session was ended for everyone.",
                ids=("session_id",),
            ),
        ),
        settings=TelehealthSettings,
        piccolo_app="bedside_telehealth.piccolo_app",
        data=RECORDS,
        notifications=NOTIFICATIONS,
    )


@hookimpl
def services(platform: Platform) -> Mapping[type[Any], object]:
    """Provide what telehealth answers."""
    return {
        TelehealthService: TelehealthService(platform),
        GuestLinks: GuestLinks(platform),
        SessionInbox: SessionInbox(platform),
    }


@hookimpl
def listeners(platform: Platform) -> Iterable[Listener]:
    """End what practices shared who are connected no longer, and have members leave who are deactivated."""
    return [
        on(ConnectionEnded, connection_ended(platform), durable=True),
        on(MemberDeactivated, member_deactivated(platform), durable=True),
    ]


@hookimpl
def routes() -> list[Route]:
    """Lead who follows a session's links on, and exchange guest links' secrets."""
    return telehealth_routes()


@hookimpl
def lifespan(platform: Platform) -> AbstractAsyncContextManager[None]:
    """Make the stream of a session known."""

    @asynccontextmanager
    async def run() -> AsyncGenerator[None, None]:
        platform.live.add_kind(StreamKind(SESSION_STREAM, positions, "What has changed in a session last."))
        yield

    return run()


@hookimpl
def graphql() -> GraphQLPart:
    """Contribute telehealth's part of the schema."""
    return schema.PART
