"""Telehealth's tables as Piccolo knows them; the migrations make them."""

from __future__ import annotations

from piccolo.columns import UUID, BigInt, Boolean, Bytea, Integer, Text, Timestamptz
from piccolo.table import Table

from bedside_core.api import DB, Kind


class VideoSession(Table, tablename="video_session", db=DB):
    """A session, or a call; its position counts all that changes in it and is what live subscribers resume from."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID(help_text="The owning practice.")
    name = Text()
    access = Text(help_text="`private`, `internal` or `invitation` (T10).")
    conversation_id = UUID(help_text="The conversation that it is a call of (T2).", null=True)
    appointment_id = UUID(help_text="The appointment that it was made from (T14).", null=True)
    about_patient_id = UUID(help_text="Whose files still images go to (T13).", null=True)
    host_id = UUID(help_text="The member whose setting decides on the waiting room (T15).")
    link_version = Integer(help_text="Which guest link is good; renewing raises it.")
    created_by = UUID()
    created_at = Timestamptz()
    ended_at = Timestamptz(null=True)
    ended_by = UUID(null=True)
    position = BigInt()
    changed = BigInt(help_text="Position of the last change of the session itself.")


class VideoParticipant(Table, tablename="video_participant", db=DB):
    """Somebody who is on a session's list, or came to it; one for each person (T16)."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID(help_text="The owning practice.")
    session_id = UUID()
    kind = Text(help_text="`member`, `patient`, `contact`, or `guest` for who has no account and is nobody we know.")
    person_id = UUID(help_text="The member, patient or contact; a guest is known by the participant's own id.")
    home_id = UUID(help_text="The person's practice; a guest's is the owning one.")
    shown_name = Text(help_text="Their name when they were added, or the name a guest gave.")
    role = Text(help_text="`chair`, `broadcaster` or `viewer` (T9).")
    listed = Boolean(help_text="Whether they are on the list, and did not come by a link alone.")
    added_by = UUID(null=True)
    added_at = Timestamptz()
    place = Text(help_text="`listed`, `waiting`, `in`, `away`, `out`, `declined` or `removed`.")
    waiting_since = Timestamptz(null=True)
    admitted_at = Timestamptz(help_text="When a chair last let them in.", null=True)
    joined_at = Timestamptz(help_text="When they were first in it.", null=True)
    left_at = Timestamptz(null=True)
    seat = UUID(help_text="The newest tab they came by; older ones are told.", null=True)
    rejoin_hash = Bytea(help_text="SHA-256 of what a guest's browser is known by (T16).", null=True)
    rejoin_before = Bytea(help_text="The one before it, until the newest is used.", null=True)
    changed = BigInt(help_text="Position of the last change of this row.")


TABLE_KINDS = {"video_session": Kind.SHARED, "video_participant": Kind.SHARED}
