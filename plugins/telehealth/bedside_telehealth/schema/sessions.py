"""Sessions as they are found, created, changed, shared and ended; their lists and roles (T5, T6, T9, T10)."""

from typing import Annotated

import strawberry

from bedside_core.api import USUAL_PAGE
from bedside_graphql.api import After, ClientId, Connection, First, Info, client_id_of, connection, gate, uuid_of
from bedside_telehealth import api
from bedside_telehealth.people import Wanted
from bedside_telehealth.rules import TELEHEALTH
from bedside_telehealth.schema.types import (
    ParticipantId,
    SessionId,
    VideoAccess,
    VideoLinks,
    VideoRole,
    VideoSession,
    links_type,
    service,
    session_type,
)
from bedside_telehealth.sessions import NewSession, SessionPatch

Confirmed = Annotated[
    bool,
    strawberry.argument(
        description="That anyone with the link can join; an `INVITATION` session is refused without (T6)."
    ),
]


@strawberry.input(description="Somebody who is to be on a session's list.")
class VideoParticipantInput:
    """Somebody to be added."""

    person_id: strawberry.ID = strawberry.field(
        description="A member of the practice; where the session is by invitation also one of a connected practice, or "
        "a patient."
    )
    role: VideoRole = strawberry.field(default=VideoRole.BROADCASTER, description="What they do.")


@strawberry.input(description="A session that is created.")
class VideoSessionInput:
    """A new session."""

    name: str = strawberry.field(description="What it is called, 1 to 100 characters.")
    access: VideoAccess = strawberry.field(default=VideoAccess.INVITATION, description="Who may come.")
    participants: list[VideoParticipantInput] = strawberry.field(
        default_factory=list, description="Who is on its list besides oneself, its first chair; at most 99."
    )
    about_patient_id: strawberry.ID | None = strawberry.field(
        default=None, description="The patient whose files still images go to (T13)."
    )
    draft: str | None = strawberry.field(
        default=None, description="The draft whose links were shown; they are the session's from then on."
    )


@strawberry.input(description="What of a session's settings changes; what is not given stays.")
class VideoSessionPatch:
    """A change of settings."""

    name: str | None = strawberry.field(default=None, description="What it is called.")
    access: VideoAccess | None = strawberry.field(default=None, description="Who may come; others are put out at once.")
    about_patient_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The patient whose files still images go to; null is nobody's."
    )


@strawberry.type(description="A session before it is created (T6).")
class VideoSessionDraft:
    """A draft."""

    draft: str = strawberry.field(description="Stands for it in `createVideoSession`.")
    links: VideoLinks = strawberry.field(description="Its links, which work once it is created.")


@strawberry.type
class SessionQuery:
    """Queries of sessions."""

    @strawberry.field(
        description="The links of a session that one is about to create, to be shown and copied before (T6). Nothing "
        "is stored.",
        extensions=[gate("telehealth.host", TELEHEALTH)],
    )
    async def video_session_draft(self, info: Info) -> VideoSessionDraft | None:
        """Return a draft."""
        made = await service(info).draft(info.context.signed_in())
        return VideoSessionDraft(draft=made.draft, links=links_type(made.links))

    @strawberry.field(
        description="The sessions that one takes part in, the newest first (T5, T12).",
        extensions=[gate("telehealth.read")],
    )
    async def video_sessions(
        self,
        info: Info,
        text: Annotated[str, strawberry.argument(description="Part of a name, in any case; empty is all.")] = "",
        ended: Annotated[bool, strawberry.argument(description="Those, too, that have ended.")] = False,
        first: First = USUAL_PAGE,
        after: After = None,
    ) -> Connection[VideoSession] | None:
        """Return a page of sessions."""
        page = await service(info).sessions(info.context.acting(), text=text, ended=ended, first=first, after=after)
        return connection(page, session_type)

    @strawberry.field(description="A session that one takes part in.", extensions=[gate("telehealth.read")])
    async def video_session(self, info: Info, id: SessionId) -> VideoSession | None:
        """Return one session."""
        return session_type(await service(info).session(info.context.acting(), uuid_of(id)))

    @strawberry.field(
        description="A session's links, as its chair, to be shared again (T5).", extensions=[gate("telehealth.chair")]
    )
    async def video_session_links(self, info: Info, session_id: SessionId) -> VideoLinks | None:
        """Return the links."""
        return links_type(await service(info).links(info.context.signed_in(), uuid_of(session_id)))


@strawberry.type
class SessionMutation:
    """Mutations of sessions."""

    @strawberry.mutation(
        description="Create a session and be its first chair, as a telehealth host (Video Chat User, T1).",
        extensions=[gate("telehealth.host", TELEHEALTH)],
    )
    async def create_video_session(
        self,
        info: Info,
        input: Annotated[VideoSessionInput, strawberry.argument(description="The session.")],
        client_id: ClientId,
        confirm_anyone_with_link: Confirmed = False,
    ) -> VideoSession | None:
        """Create a session."""
        new = NewSession(
            name=input.name,
            access=api.SessionAccess(input.access.value),
            participants=_wanted(input.participants),
            about_patient_id=uuid_of(input.about_patient_id) if input.about_patient_id else None,
            draft=input.draft,
            confirmed=confirm_anyone_with_link,
        )
        return session_type(await service(info).create(info.context.signed_in(), new, client_id_of(client_id)))

    @strawberry.mutation(
        description="Change a session's settings as its chair. Who no longer qualifies is put out at once (T10).",
        extensions=[gate("telehealth.chair")],
    )
    async def change_video_session(
        self,
        info: Info,
        session_id: SessionId,
        patch: Annotated[VideoSessionPatch, strawberry.argument(description="What changes.")],
        confirm_anyone_with_link: Confirmed = False,
    ) -> VideoSession | None:
        """Change a session."""
        about = patch.about_patient_id is not strawberry.UNSET
        change = SessionPatch(
            name=patch.name,
            access=api.SessionAccess(patch.access.value) if patch.access else None,
            about=about,
            about_patient_id=uuid_of(patch.about_patient_id) if about and patch.about_patient_id else None,
            confirmed=confirm_anyone_with_link,
        )
        return session_type(await service(info).change(info.context.signed_in(), uuid_of(session_id), change))

    @strawberry.mutation(
        description="Make a session's guest link anew, as its chair: the older one lets nobody in any more. Who is in "
        "the session stays.",
        extensions=[gate("telehealth.chair")],
    )
    async def renew_video_link(self, info: Info, session_id: SessionId) -> VideoLinks | None:
        """Renew the guest link."""
        return links_type(await service(info).renew_link(info.context.signed_in(), uuid_of(session_id)))

    @strawberry.mutation(
        description="End a session for everyone, as its chair; its links lead nowhere any more. To end it again is "
        "fine.",
        extensions=[gate("telehealth.chair")],
    )
    async def end_video_session(self, info: Info, session_id: SessionId) -> VideoSession | None:
        """End a session."""
        return session_type(await service(info).end(info.context.signed_in(), uuid_of(session_id)))

    @strawberry.mutation(
        description="Put people on a session's list, as its chair. Who is on it stays as they are; who was declined or "
        "removed may come again.",
        extensions=[gate("telehealth.chair")],
    )
    async def add_video_participants(
        self,
        info: Info,
        session_id: SessionId,
        participants: Annotated[list[VideoParticipantInput], strawberry.argument(description="Who, at most 100.")],
    ) -> VideoSession | None:
        """Add people."""
        actor = info.context.signed_in()
        return session_type(await service(info).add_people(actor, uuid_of(session_id), _wanted(participants)))

    @strawberry.mutation(
        description="Give a participant another role, as a chair; it counts at once (T9).",
        extensions=[gate("telehealth.chair")],
    )
    async def set_video_role(
        self,
        info: Info,
        session_id: SessionId,
        participant_id: ParticipantId,
        role: Annotated[VideoRole, strawberry.argument(description="What they do from now on.")],
    ) -> VideoSession | None:
        """Change a role."""
        given = api.SessionRole(role.value)
        actor = info.context.signed_in()
        return session_type(await service(info).set_role(actor, uuid_of(session_id), uuid_of(participant_id), given))

    @strawberry.mutation(
        description="Remove a participant, as a chair: at once, and until a chair lets them back.",
        extensions=[gate("telehealth.chair")],
    )
    async def remove_video_participant(
        self, info: Info, session_id: SessionId, participant_id: ParticipantId
    ) -> VideoSession | None:
        """Remove somebody."""
        actor = info.context.signed_in()
        return session_type(await service(info).remove(actor, uuid_of(session_id), uuid_of(participant_id)))


def _wanted(participants: list[VideoParticipantInput]) -> list[Wanted]:
    return [Wanted(person_id=uuid_of(each.person_id), role=api.SessionRole(each.role.value)) for each in participants]
