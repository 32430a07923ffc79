"""Telehealth's types of the schema, and how they are made of what the service returns."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from bedside_core.api import USUAL_PAGE, Actor, PersonKind, Platform, audit, cursor_of, label_of
from bedside_graphql.api import After, Connection, First, Info, connection, uuid_of
from bedside_telehealth import api
from bedside_telehealth.links import SessionLinks
from bedside_telehealth.reading import OwnPlace, sees_all
from bedside_telehealth.service import TelehealthService


def service(info: Info) -> TelehealthService:
    """Return telehealth's service."""
    return info.context.platform.service(TelehealthService)


@strawberry.enum(description="Who may come to a session (T10).")
class VideoAccess(enum.Enum):
    """Kinds of access."""

    PRIVATE = strawberry.enum_value("private", description="Listed members of the practice alone.")
    INTERNAL = strawberry.enum_value("internal", description="Any member of the practice with the link.")
    INVITATION = strawberry.enum_value("invitation", description="Anyone with the link; patients and guests, too.")


@strawberry.enum(description="What somebody does in a session (T9).")
class VideoRole(enum.Enum):
    """Roles."""

    CHAIR = strawberry.enum_value(
        "chair", description="Session Chair: sends and receives, adds people, changes settings and roles, admits, ends."
    )
    BROADCASTER = strawberry.enum_value("broadcaster", description="Sends and receives audio and video.")
    VIEWER = strawberry.enum_value("viewer", description="Receives only.")


@strawberry.enum(description="Where a participant of a session is.")
class VideoPlaceKind(enum.Enum):
    """Places."""

    LISTED = strawberry.enum_value("listed", description="On the list, and not come yet.")
    WAITING = strawberry.enum_value("waiting", description="In the waiting room, until a chair admits them (T15).")
    IN = strawberry.enum_value("in", description="In the session.")
    AWAY = strawberry.enum_value("away", description="Cut off, or let back: comes in without waiting (T16).")
    OUT = strawberry.enum_value("out", description="Left.")
    DECLINED = strawberry.enum_value("declined", description="Declined; only a chair lets them in.")
    REMOVED = strawberry.enum_value("removed", description="Removed; only a chair lets them back.")


@strawberry.enum(description="What a participant of a session is to its practice.")
class VideoPersonKind(enum.Enum):
    """Kinds of participants."""

    MEMBER = strawberry.enum_value("member", description="Of the practice, or of a connected one.")
    PATIENT = strawberry.enum_value("patient", description="A patient of the practice.")
    CONTACT = strawberry.enum_value("contact", description="A contact of the practice.")
    GUEST = strawberry.enum_value("guest", description="Came by the guest link under a name they gave (T8).")


@strawberry.type(description="Somebody who is on a session's list, or came to it; one for each person (T16).")
class VideoParticipant:
    """A participant."""

    id: strawberry.ID = strawberry.field(description="Opaque id, another one in each session.")
    kind: VideoPersonKind = strawberry.field(description="What they are to the practice whose session it is.")
    name: str = strawberry.field(description="Their name when they were added, or the name a guest gave.")
    role: VideoRole = strawberry.field(description="What they do.")
    listed: bool = strawberry.field(description="Whether they are on the list, and did not come by a link alone.")
    place: VideoPlaceKind = strawberry.field(description="Where they are.")
    waiting_since: datetime | None = strawberry.field(description="Since when they wait.")
    joined_at: datetime | None = strawberry.field(description="When they were first in it.")
    left_at: datetime | None = strawberry.field(description="When they left last.")
    person: strawberry.Private[api.SessionPerson]

    @strawberry.field(
        description="The member or patient; told to members, of patients to those of their own practice; null for "
        "guests."
    )
    async def person_id(self, info: Info) -> strawberry.ID | None:
        """Return who it is, for those who may know."""
        actor, person = info.context.acting(), self.person
        known = person.kind is api.SessionPersonKind.MEMBER or person.home_id == actor.practice_id
        if person.kind is api.SessionPersonKind.GUEST or not known:
            return None
        seen = actor.member_id is not None or actor.person_id == person.person_id
        return strawberry.ID(str(person.person_id)) if seen else None

    @strawberry.field(
        description="What stands under the name: the practice of a member of another one, Patient, (External), or null "
        "(P7)."
    )
    async def label(self, info: Info) -> str | None:
        """Return the label; other practices' names come through the operation's DataLoader."""
        person = self.person
        if person.kind is api.SessionPersonKind.GUEST:
            return label_of(PersonKind.CONTACT, None)
        if person.kind is not api.SessionPersonKind.MEMBER or person.home_id == info.context.acting().practice_id:
            return label_of(PersonKind(person.kind.value), None)
        practice = await info.context.loader(info.context.platform.people.practices_by_id).load(person.home_id)
        return label_of(PersonKind.MEMBER, practice.name if practice else None)


@strawberry.type(description="The addresses of a session (T6, T8).")
class VideoLinks:
    """Links."""

    guest: str = strawberry.field(
        description="Without signing in, where the session is by invitation; the secret stands behind `#`."
    )
    participant: str = strawberry.field(description="The camera preview's own address, where one signs in first.")


@strawberry.type(description="Where one is in a session oneself; who waits sees this and nobody else (T15).")
class VideoPlace:
    """One's own place."""

    participant: VideoParticipant = strawberry.field(description="Oneself as a participant.")
    ahead: int = strawberry.field(description="How many wait who came before; 0 where one does not wait.")
    ended: bool = strawberry.field(description="Whether the session has ended.")


@dataclass(frozen=True)
class OwnPlaces:
    """Loads the viewer as participant of sessions, in one statement.

    Args:
        platform: who reads sessions.
        actor: the viewer.
    """

    platform: Platform = field(compare=False)
    actor: Actor

    async def __call__(self, session_ids: Sequence[UUID]) -> Mapping[UUID, api.SessionPerson]:
        """Return the viewer in each session."""
        return await self.platform.service(TelehealthService).own_places(self.actor, session_ids)


@strawberry.type(description="A telehealth session: it stays open, and its links work, until a chair ends it (T5).")
class VideoSession:
    """A session."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    name: str = strawberry.field(description="What it is called.")
    access: VideoAccess = strawberry.field(description="Who may come.")
    created_at: datetime = strawberry.field(description="When it was created.")
    ended_at: datetime | None = strawberry.field(description="When it ended, for everyone.")
    cursor: str = strawberry.field(description="Position of the last change in it, for `videoSessionEvents`.")
    practice_id: strawberry.Private[UUID]
    about: strawberry.Private[UUID | None]

    @strawberry.field(
        description="The patient whose files still images go to (T13); told to members of the practice alone."
    )
    async def about_patient_id(self, info: Info) -> strawberry.ID | None:
        """Return the patient."""
        actor = info.context.acting()
        if self.about is None or actor.member_id is None or actor.practice_id != self.practice_id:
            return None
        audit.saw([self.about])
        return strawberry.ID(str(self.about))

    @strawberry.field(description="Oneself as a participant.")
    async def own(self, info: Info) -> VideoParticipant | None:
        """Return the viewer, through the operation's DataLoader."""
        found = await _own(info, uuid_of(self.id))
        return participant_type(found) if found else None

    @strawberry.field(description="How many people are in it now.")
    async def inside(self, info: Info) -> int:
        """Return the number, through the operation's DataLoader."""
        found = await info.context.loader(service(info).counts).load(uuid_of(self.id))
        return found.inside if found else 0

    @strawberry.field(description="How many wait to be admitted; null for who is no chair (T15).")
    async def waiting(self, info: Info) -> int | None:
        """Return the number, through the operation's DataLoader."""
        if not sees_all(await _own(info, uuid_of(self.id))):
            return None
        found = await info.context.loader(service(info).counts).load(uuid_of(self.id))
        return found.waiting if found else 0

    @strawberry.field(
        description="Who takes part, the first first: for chairs everybody, for others who is in it and on the list; "
        "patients and guests who are not in it see themselves alone."
    )
    async def participants(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[VideoParticipant] | None:
        """Return a page of participants."""
        page = await service(info).people(info.context.acting(), uuid_of(self.id), first=first, after=after)
        patients = [each.person_id for each in page.items if each.kind is api.SessionPersonKind.PATIENT]
        audit.saw(patients, practice_id=self.practice_id)
        return connection(page, participant_type)


SessionId = Annotated[strawberry.ID, strawberry.argument(description="The session's id.")]
ParticipantId = Annotated[strawberry.ID, strawberry.argument(description="The participant's id in that session.")]


async def _own(info: Info, session_id: UUID) -> api.SessionPerson | None:
    places = OwnPlaces(info.context.platform, info.context.acting())
    return await info.context.loader(places).load(session_id)


def participant_type(person: api.SessionPerson) -> VideoParticipant:
    """Return a participant as GraphQL shows one."""
    return VideoParticipant(
        id=strawberry.ID(str(person.id)),
        kind=VideoPersonKind(person.kind.value),
        name=person.shown_name,
        role=VideoRole(person.role.value),
        listed=person.listed,
        place=VideoPlaceKind(person.place.value),
        waiting_since=person.waiting_since,
        joined_at=person.joined_at,
        left_at=person.left_at,
        person=person,
    )


def session_type(session: api.Session) -> VideoSession:
    """Return a session as GraphQL shows one."""
    return VideoSession(
        id=strawberry.ID(str(session.id)),
        name=session.name,
        access=VideoAccess(session.access.value),
        created_at=session.created_at,
        ended_at=session.ended_at,
        cursor=cursor_of(session.position),
        practice_id=session.practice_id,
        about=session.about_patient_id,
    )


def links_type(links: SessionLinks) -> VideoLinks:
    """Return links as GraphQL shows them."""
    return VideoLinks(guest=links.guest, participant=links.participant)


def place_type(place: OwnPlace) -> VideoPlace:
    """Return one's own place as GraphQL shows it."""
    return VideoPlace(participant=participant_type(place.person), ahead=place.ahead, ended=place.ended)
