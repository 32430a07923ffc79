"""What is followed live of sessions: what changes in one, one's own place, and the inbox (C16, T15, T16)."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

import strawberry

from bedside_core.api import audit
from bedside_graphql.api import After, InboxKind, Info, gate, uuid_of
from bedside_telehealth.api import SessionPersonKind
from bedside_telehealth.changing import SESSION_KIND
from bedside_telehealth.inbox import SessionInbox
from bedside_telehealth.reading import SessionChange, cursor_at
from bedside_telehealth.schema.admission import SeatId
from bedside_telehealth.schema.types import (
    SessionId,
    VideoParticipant,
    VideoPlace,
    VideoSession,
    participant_type,
    place_type,
    service,
    session_type,
)


@strawberry.type(description="A session's settings have changed, or it was given a new link.")
class VideoSessionChanged:
    """The session as it is now."""

    cursor: str = strawberry.field(description="Give the last one you have as `after`.")
    session: VideoSession = strawberry.field(description="The session as it is now.")


@strawberry.type(description="A session has ended, for everyone.")
class VideoSessionOver:
    """The session as it is now."""

    cursor: str = strawberry.field(description="Give the last one you have as `after`.")
    session: VideoSession = strawberry.field(description="The session as it is now.")


@strawberry.type(
    description="Somebody was added, came, left, or has another role; chairs are told of who waits, too (T15)."
)
class VideoParticipantChanged:
    """A participant as they are now."""

    cursor: str = strawberry.field(description="Give the last one you have as `after`.")
    participant: VideoParticipant = strawberry.field(description="The participant as they are now.")


@strawberry.type(description="Somebody is not shown to one any more: they wait, left, or were removed.")
class VideoParticipantGone:
    """A participant who is gone."""

    cursor: str = strawberry.field(description="Give the last one you have as `after`.")
    participant_id: strawberry.ID = strawberry.field(description="Who.")


VideoSessionEvent = Annotated[
    VideoSessionChanged | VideoSessionOver | VideoParticipantChanged | VideoParticipantGone,
    strawberry.union("VideoSessionEvent", description="One thing that has changed in a session, as it is now."),
]


@strawberry.type
class SessionSubscription:
    """Subscriptions to sessions."""

    @strawberry.subscription(
        description="All that changes in a session, each thing in its present state, in order, after a replay of what "
        "has changed after the cursor. What has changed several times meanwhile comes once, so no cursor is too old. "
        "Where one's own role or place changes, fetch the participants anew: others are shown then.",
        extensions=[gate("telehealth.read")],
    )
    async def video_session_events(
        self, info: Info, session_id: SessionId, after: After = None
    ) -> AsyncGenerator[VideoSessionEvent, None]:
        """Follow a session."""
        stream = service(info).changes(info.context.acting(), uuid_of(session_id), after)
        async with aclosing(stream) as changes:
            async for change in changes:
                yield _event(change)

    @strawberry.subscription(
        description="Where one is in a session oneself: at first as it is, then each time it changes. With a seat it "
        "ends with `TAKEN_OVER` once a newer tab has the place (T15, T16).",
        extensions=[gate("telehealth.join")],
    )
    async def video_place_changed(
        self, info: Info, session_id: SessionId, seat: SeatId = None
    ) -> AsyncGenerator[VideoPlace, None]:
        """Follow one's own place."""
        chosen = uuid_of(strawberry.ID(seat)) if seat is not None else None
        stream = service(info).places(info.context.acting(), uuid_of(session_id), chosen)
        async with aclosing(stream) as places:
            async for place in places:
                yield place_type(place)


def _event(
    change: SessionChange,
) -> VideoSessionChanged | VideoSessionOver | VideoParticipantChanged | VideoParticipantGone:
    cursor = cursor_at(change.position)
    if change.person is not None:
        if change.person.kind is SessionPersonKind.PATIENT:
            audit.saw([change.person.person_id], practice_id=change.person.home_id)
        return VideoParticipantChanged(cursor=cursor, participant=participant_type(change.person))
    if change.gone is not None:
        return VideoParticipantGone(cursor=cursor, participant_id=strawberry.ID(str(change.gone)))
    if change.session is None:
        raise RuntimeError("a change of nothing")
    shown = session_type(change.session)
    if change.session.ended_at is not None:
        return VideoSessionOver(cursor=cursor, session=shown)
    return VideoSessionChanged(cursor=cursor, session=shown)


@strawberry.type(
    description="One was put on a session's list, somebody waits in one that one chairs, or something else of it has "
    "changed that the list of sessions shows (T12, T15)."
)
class VideoSessionInboxChanged:
    """A session as it is now."""

    cursor: str = strawberry.field(description="Give the last one you have to `inbox` as `after`.")
    session: VideoSession = strawberry.field(description="The session as it is now.")


async def _load(info: Info, cursors: Mapping[UUID, str]) -> Mapping[UUID, VideoSessionInboxChanged]:
    found = await info.context.platform.service(SessionInbox).present(info.context.signed_in(), list(cursors))
    return {
        key: VideoSessionInboxChanged(cursor=cursors[key], session=session_type(each)) for key, each in found.items()
    }


INBOX = {SESSION_KIND: InboxKind(event=VideoSessionInboxChanged, load=_load)}
"""Contributed to the subscription `inbox`."""
