"""The people of a practice: members, patients, contacts, the practice itself, and which others it is connected to."""

from __future__ import annotations

from bedside_core.people import checks
from bedside_core.people.base import raise_positions
from bedside_core.people.connections import Connections
from bedside_core.people.model import (
    PRACTICE_STREAM,
    ConnectionEnded,
    ConnectionRequested,
    ConnectionState,
    Contact,
    ContactAdded,
    Found,
    Link,
    Listed,
    Member,
    MemberChanged,
    MemberDeactivated,
    MemberJoined,
    MemberReactivated,
    NewPatient,
    Patient,
    PatientArchived,
    PatientChanged,
    PatientCreated,
    PatientErased,
    PatientsMerged,
    PersonKind,
    Practice,
    PracticesConnected,
    Profile,
    Visibility,
    found,
    label_of,
)
from bedside_core.people.permissions import PERMISSIONS
from bedside_core.people.practices import Practices
from bedside_core.people.search import Search
from bedside_core.people.settings import PeopleSettings


class People(Practices, Connections, Search):
    """Every verb on practices and people; each base is a module of its own."""


__all__ = [
    "PERMISSIONS",
    "PRACTICE_STREAM",
    "ConnectionEnded",
    "ConnectionRequested",
    "ConnectionState",
    "Contact",
    "ContactAdded",
    "Found",
    "Link",
    "Listed",
    "Member",
    "MemberChanged",
    "MemberDeactivated",
    "MemberJoined",
    "MemberReactivated",
    "NewPatient",
    "Patient",
    "PatientArchived",
    "PatientChanged",
    "PatientCreated",
    "PatientErased",
    "PatientsMerged",
    "People",
    "PeopleSettings",
    "PersonKind",
    "Practice",
    "PracticesConnected",
    "Profile",
    "Visibility",
    "checks",
    "found",
    "label_of",
    "raise_positions",
]
