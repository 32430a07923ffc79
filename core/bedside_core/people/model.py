"""What people and practices are: the values that services hand out, and the events that tell of changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from bedside_core.auth import Role
from bedside_core.events import Event, fact

PRACTICE_STREAM = "practice"
"""Kind of live stream of a practice's plan, rights and connections; its position grows with each change."""

EXTERNAL = "(External)"
"""What stands under a contact's name (P7)."""
PATIENT = "Patient"
"""What stands under a patient's name (P7)."""
VIDEO = "Video Chat Enabled"
"""What stands beside the practice's name of a member who may host video (P7)."""


class Visibility(StrEnum):
    """Who may see a member's e-mail address or phone number (A8)."""

    CONNECTED = "connected"
    PRACTICE = "practice"
    NOBODY = "nobody"


class PersonKind(StrEnum):
    """What somebody is to a practice (P7)."""

    MEMBER = "member"
    PATIENT = "patient"
    CONTACT = "contact"


class ConnectionState(StrEnum):
    """How far two practices are with being connected (P2)."""

    ASKED = "asked"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True)
class Practice:
    """A practice, the tenant (P1).

    Args:
        id: the practice.
        name: what it is called.
        zone: IANA time zone.
        handle: by what another practice asks for a connection (P2); told by its own people, found nowhere.
    """

    id: UUID
    name: str
    zone: str
    handle: str = ""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A person who signs in for a practice (A12)."""

    id: UUID
    practice_id: UUID
    first_name: str
    last_name: str
    role: Role
    active: bool = True
    video_host: bool = False

    @property
    def name(self) -> str:
        """The name as it is shown."""
        return f"{self.first_name} {self.last_name}"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A member as somebody of the own or a connected practice sees them (A8, P2).

    Args:
        member: who it is.
        practice_name: what their practice is called.
        email: address, where they let the viewer see it.
        phone: number, where they let the viewer see it.
    """

    member: Member
    practice_name: str
    email: str | None
    phone: str | None


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a member says of themselves, and who may see it (A8)."""

    first_name: str
    last_name: str
    phone: str | None
    email_for: Visibility
    phone_for: Visibility
    title: str | None


@dataclass(frozen=True, kw_only=True)
class Patient:
    """A person in the practice's care (P3)."""

    id: UUID
    practice_id: UUID
    first_name: str
    last_name: str
    date_of_birth: date
    mrn: str
    gender: str
    phone: str | None
    email: str | None
    archived_at: datetime | None = None

    @property
    def name(self) -> str:
        """The name as it is shown."""
        return f"{self.first_name} {self.last_name}"


@dataclass(frozen=True, kw_only=True)
class NewPatient:
    """What is needed of a new patient (P3): everything but the phone, for which e-mail may stand in."""

    first_name: str
    last_name: str
    date_of_birth: date
    mrn: str
    gender: str
    phone: str | None = None
    email: str | None = None


@dataclass(frozen=True, kw_only=True)
class Contact:
    """An outside person reached by e-mail or mobile number (P6)."""

    id: UUID
    practice_id: UUID
    first_name: str
    last_name: str
    phone: str | None
    email: str | None

    @property
    def name(self) -> str:
        """The name as it is shown."""
        return f"{self.first_name} {self.last_name}"


@dataclass(frozen=True, kw_only=True)
class Link:
    """A connection as one of its two practices sees it (P2).

    Args:
        id: the connection.
        practice_id: the other practice; None for who asked and was never accepted.
        practice_name: what that is called; for who asked and was never accepted, how they named it.
        state: how far it is.
        incoming: whether the other practice asked.
        created_at: when it was asked for.
        changed_at: when it was last answered or ended.
    """

    id: UUID
    practice_id: UUID | None
    practice_name: str
    state: ConnectionState
    incoming: bool
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, kw_only=True)
class Found:
    """Somebody whom a search found.

    Args:
        kind: what they are to the practice.
        person: who it is.
        sort: by what the list is ordered.
        practice_name: their practice, for a member of a connected one.
    """

    kind: PersonKind
    person: Member | Patient | Contact
    sort: str
    practice_name: str | None = None

    @property
    def label(self) -> str | None:
        """What stands under the name (P7); None for a member of one's own practice."""
        return label_of(self.kind, self.practice_name)

    @property
    def badge(self) -> str | None:
        """What stands beside the practice's name, where the member may host video (P7)."""
        hosts = isinstance(self.person, Member) and self.person.video_host
        return VIDEO if hosts and self.practice_name is not None else None


def label_of(kind: PersonKind, other_practice: str | None) -> str | None:
    """Return what stands under a person's name (P7); None for a member of one's own practice.

    Args:
        kind: what they are to the practice.
        other_practice: what their practice is called, where it is another than the viewer's.
    """
    match kind:
        case PersonKind.PATIENT:
            return PATIENT
        case PersonKind.CONTACT:
            return EXTERNAL
        case PersonKind.MEMBER:
            return other_practice


def found(who: Patient | Contact | Listed, practice_id: UUID, *, sort: str = "") -> Found:
    """Return a person as search shows one.

    Args:
        who: the person.
        practice_id: for whom; members of another practice are shown with its name.
        sort: by what the list is ordered.
    """
    if isinstance(who, Listed):
        name = who.practice_name if who.member.practice_id != practice_id else None
        return Found(kind=PersonKind.MEMBER, person=who.member, sort=sort, practice_name=name)
    kind = PersonKind.PATIENT if isinstance(who, Patient) else PersonKind.CONTACT
    return Found(kind=kind, person=who, sort=sort)


@dataclass(frozen=True, kw_only=True)
class PatientCreated(Event):
    """A patient was created."""

    patient_id: UUID = fact("The new patient.")


@dataclass(frozen=True, kw_only=True)
class PatientChanged(Event):
    """Data of a patient was changed."""

    patient_id: UUID = fact("The patient.")
    changed: tuple[str, ...] = fact("Names of what was changed; never the values.")


@dataclass(frozen=True, kw_only=True)
class PatientArchived(Event):
    """A patient was archived, or taken out of the archive."""

    patient_id: UUID = fact("The patient.")
    archived: bool = fact("Whether the patient is in the archive now.")


@dataclass(frozen=True, kw_only=True)
class PatientErased(Event):
    """A patient was erased for good, with all that contributions declare to be about them."""

    patient_id: UUID = fact("Who was the patient.")


@dataclass(frozen=True, kw_only=True)
class PatientsMerged(Event):
    """Two records of one patient became one. What plugins' contributions move was moved in the same transaction."""

    kept_id: UUID = fact("The record that stays.")
    merged_id: UUID = fact("The record that is a pointer to it now.")


@dataclass(frozen=True, kw_only=True)
class ContactAdded(Event):
    """An external contact was added."""

    contact_id: UUID = fact("The new contact.")


@dataclass(frozen=True, kw_only=True)
class MemberJoined(Event):
    """Somebody became a member of the practice."""

    member_id: UUID = fact("The new member.")


@dataclass(frozen=True, kw_only=True)
class MemberChanged(Event):
    """A member's role, attributes or profile was changed."""

    member_id: UUID = fact("The member.")
    changed: tuple[str, ...] = fact("Names of what was changed.")


@dataclass(frozen=True, kw_only=True)
class MemberDeactivated(Event):
    """A member was deactivated; their sessions are over."""

    member_id: UUID = fact("The member.")


@dataclass(frozen=True, kw_only=True)
class MemberReactivated(Event):
    """A deactivated member may sign in again."""

    member_id: UUID = fact("The member.")


@dataclass(frozen=True, kw_only=True)
class ConnectionRequested(Event):
    """Another practice asks to be connected; an event of the practice that was asked."""

    connection_id: UUID = fact("The connection.")
    other_practice_id: UUID = fact("The practice that asks.")


@dataclass(frozen=True, kw_only=True)
class PracticesConnected(Event):
    """Two practices were connected; told once for each of them."""

    connection_id: UUID = fact("The connection.")
    other_practice_id: UUID = fact("The other practice.")


@dataclass(frozen=True, kw_only=True)
class ConnectionEnded(Event):
    """A connection of two practices was ended; told once for each of them."""

    connection_id: UUID = fact("The connection.")
    other_practice_id: UUID = fact("The other practice.")
