"""Coming to a session and leaving it, the waiting room, and one's own place (T8, T15-T17)."""

from typing import Annotated

import strawberry

from bedside_graphql.api import Info, gate, uuid_of
from bedside_telehealth.reading import OwnPlace
from bedside_telehealth.schema.types import (
    ParticipantId,
    SessionId,
    VideoPlace,
    VideoSession,
    place_type,
    service,
    session_type,
)

SeatId = Annotated[str | None, strawberry.argument(description="The seat that this tab was given; by default any.")]


@strawberry.type(description="What one has who has come to a session: a seat, which a newer tab takes over (T16).")
class VideoSeat:
    """A seat."""

    seat: str = strawberry.field(description="This tab's; an older tab of the same person has none any more.")
    place: VideoPlace = strawberry.field(description="Where one is: in it, or waiting.")
    session: VideoSession = strawberry.field(description="The session.")


@strawberry.type
class PlaceQuery:
    """Queries of one's own place."""

    @strawberry.field(
        description="Where one is in a session oneself, also where one was declined or removed.",
        extensions=[gate("telehealth.join")],
    )
    async def video_place(self, info: Info, session_id: SessionId) -> VideoPlace | None:
        """Return one's own place."""
        return place_type(await service(info).place(info.context.acting(), uuid_of(session_id)))


@strawberry.type
class AdmissionMutation:
    """Mutations of who is in a session."""

    @strawberry.mutation(
        description="Come to a session by the participant link, or as the guest of its guest link; or come back to "
        "one's place, which an older tab loses (T16). Patients and guests wait where there is a waiting room (T15). "
        "Repeating it is safe: one person has one place.",
        extensions=[gate("telehealth.join")],
    )
    async def join_video_session(self, info: Info, session_id: SessionId) -> VideoSeat | None:
        """Join a session."""
        actor, id = info.context.acting(), uuid_of(session_id)
        seat = await service(info).join(actor, id)
        own = await service(info).place(actor, id)
        return VideoSeat(
            seat=str(seat.person.seat),
            place=place_type(OwnPlace(person=seat.person, ahead=own.ahead, ended=own.ended)),
            session=session_type(seat.session),
        )

    @strawberry.mutation(
        description="Leave a session, or its waiting room. The session goes on, though it was its last chair (T17).",
        extensions=[gate("telehealth.join")],
    )
    async def leave_video_session(self, info: Info, session_id: SessionId, seat: SeatId = None) -> bool | None:
        """Leave a session."""
        chosen = uuid_of(strawberry.ID(seat)) if seat is not None else None
        return await service(info).leave(info.context.acting(), uuid_of(session_id), chosen)

    @strawberry.mutation(
        description="Let people in, as a chair: who waits comes in, and who was declined or removed may come back "
        "(T15).",
        extensions=[gate("telehealth.chair")],
    )
    async def admit_to_video(
        self,
        info: Info,
        session_id: SessionId,
        participant_ids: Annotated[
            list[strawberry.ID] | None,
            strawberry.argument(
                description="Whom, at most 100; by default everybody who waits, as many as there is room for."
            ),
        ] = None,
    ) -> VideoSession | None:
        """Admit people."""
        chosen = None if participant_ids is None else [uuid_of(each) for each in participant_ids]
        return session_type(await service(info).admit(info.context.signed_in(), uuid_of(session_id), chosen))

    @strawberry.mutation(
        description="Decline somebody who waits, as a chair (T15).", extensions=[gate("telehealth.chair")]
    )
    async def decline_video_participant(
        self, info: Info, session_id: SessionId, participant_id: ParticipantId
    ) -> VideoSession | None:
        """Decline somebody."""
        actor = info.context.signed_in()
        return session_type(await service(info).decline(actor, uuid_of(session_id), uuid_of(participant_id)))

    @strawberry.mutation(
        description="Send somebody who is in the session back to the waiting room, as a chair (T15).",
        extensions=[gate("telehealth.chair")],
    )
    async def send_to_waiting_room(
        self, info: Info, session_id: SessionId, participant_id: ParticipantId
    ) -> VideoSession | None:
        """Send somebody back."""
        actor = info.context.signed_in()
        return session_type(await service(info).send_back(actor, uuid_of(session_id), uuid_of(participant_id)))

    @strawberry.mutation(
        description="Say, as an owner or manager, whether patients and guests of a member's sessions wait to be "
        "admitted (T15); members say so themselves by `updateTelehealthOwnSettings`.",
        extensions=[gate("telehealth.waiting_rooms")],
    )
    async def set_waiting_room(
        self,
        info: Info,
        member_id: Annotated[strawberry.ID, strawberry.argument(description="The member.")],
        enabled: Annotated[bool, strawberry.argument(description="Whether they wait.")],
    ) -> bool | None:
        """Set a member's waiting room."""
        return await service(info).set_waiting_room(info.context.signed_in(), uuid_of(member_id), enabled)
