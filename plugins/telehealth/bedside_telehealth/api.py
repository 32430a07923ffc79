"""What other plugins may know of telehealth: its events and its values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from bedside_core.api import Event, fact

SESSION_STREAM = "video_session"
"""Kind of live stream of a session; its position grows with all that changes in it."""


class SessionAccess(StrEnum):
    """Who may come to a session (T10)."""

    PRIVATE = "private"
    """Listed people of the practice alone."""
    INTERNAL = "internal"
    """Anyone of the practice with the link; portal accounts do not count."""
    INVITATION = "invitation"
    """Anyone with the link."""


class SessionRole(StrEnum):
    """What somebody does in a session (T9)."""

    CHAIR = "chair"
    BROADCASTER = "broadcaster"
    VIEWER = "viewer"


class Place(StrEnum):
    """Where a participant is."""

    LISTED = "listed"
    """On the list, and not come yet."""
    WAITING = "waiting"
    """In the waiting room (T15)."""
    IN = "in"
    AWAY = "away"
    """Cut off, or let back by a chair: comes in without waiting (T16)."""
    OUT = "out"
    """Left, or has not come in yet by a link."""
    DECLINED = "declined"
    REMOVED = "removed"


class SessionPersonKind(StrEnum):
    """What a participant is to the owning practice."""

    MEMBER = "member"
    PATIENT = "patient"
    CONTACT = "contact"
    GUEST = "guest"
    """Came by the guest link, and is nobody the practice knows."""


@dataclass(frozen=True, kw_only=True)
class VideoSessionCreated(Event):
    """A session was created."""

    session_id: UUID = fact("The new session.")
    created_by: UUID = fact("The member who is its first chair.")


@dataclass(frozen=True, kw_only=True)
class VideoSessionEnded(Event):
    """A session was ended for everyone."""

    session_id: UUID = fact("The session.")


@dataclass(frozen=True, kw_only=True)
class VideoParticipantsChanged(Event):
    """Participants came, left, or have other roles: who forwards media acts on it."""

    session_id: UUID = fact("The session.")
    participant_ids: tuple[UUID, ...] = fact("Who.")


@dataclass(frozen=True, kw_only=True)
class Session:
    """A session.

    Args:
        id: the session.
        practice_id: the practice that owns it.
        name: what it is called.
        access: who may come.
        about_patient_id: whose files still images go to (T13).
        host_id: the member whose setting decides on the waiting room.
        link_version: which guest link is good.
        created_by: who created it.
        created_at: when.
        ended_at: when it ended.
        position: position of the last change in it.
        changed: position of the last change of the session itself.
    """

    id: UUID
    practice_id: UUID
    name: str
    access: SessionAccess
    about_patient_id: UUID | None
    host_id: UUID
    link_version: int
    created_by: UUID
    created_at: datetime
    ended_at: datetime | None
    position: int
    changed: int


@dataclass(frozen=True, kw_only=True)
class SessionPerson:
    """A participant of a session.

    Args:
        id: the participant's, which is another for each session.
        session_id: the session.
        kind: what they are to the owning practice.
        person_id: the member, patient or contact; a guest's is the participant's own.
        home_id: their practice.
        shown_name: their name when they were added, or that a guest gave.
        role: what they do.
        listed: whether they are on the list.
        place: where they are.
        waiting_since: since when they wait.
        joined_at: when they were first in it.
        left_at: when they left last.
        seat: the newest tab they came by.
        changed: position of the last change of any of this.
    """

    id: UUID
    session_id: UUID
    kind: SessionPersonKind
    person_id: UUID
    home_id: UUID
    shown_name: str
    role: SessionRole
    listed: bool
    place: Place
    waiting_since: datetime | None
    joined_at: datetime | None
    left_at: datetime | None
    seat: UUID | None
    changed: int
