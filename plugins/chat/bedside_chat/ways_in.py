"""The way into a conversation from a patient's record, and what their timeline tells of conversations (C5, P9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_chat.api import Conversation
from bedside_chat.rows import conversation_of, conversations
from bedside_chat.rules import lacks_outside
from bedside_chat.standing import no_portal_account, portal_states
from bedside_core.api import DB, Actor, Refusal, TimelineEntry, TimelinePart
from bedside_portal.api import PortalState

if TYPE_CHECKING:
    from bedside_core.api import Platform

MESSAGE_SENT = "chat.message"

_WITH_PATIENTS = conversations("c.kind = 'patient' AND c.subject_id = ANY($2)", order="c.active_at, c.id")


@dataclass(frozen=True, kw_only=True)
class WayIn:
    """How a member comes to a conversation with a patient.

    Args:
        conversation: theirs, the most recently active; None where there is none.
        refusal: why none can be started in the portal; None where one can.
    """

    conversation: Conversation | None
    refusal: Refusal | None


@dataclass(frozen=True)
class WaysIn:
    """Tells of patients how a member comes to a conversation with them, in a constant number of statements.

    Args:
        platform: access and the portal.
        actor: the member.
    """

    platform: Platform = field(compare=False)
    actor: Actor

    async def __call__(self, patient_ids: Sequence[UUID]) -> Mapping[UUID, WayIn]:
        """Return the way in of each patient, whom the caller was given."""
        rows = await DB.fetch(
            _WITH_PATIENTS,
            self.actor.person_id,
            list(patient_ids),
        )
        there = {row["subject_id"]: conversation_of(row) for row in rows}  # of several the last
        refusal = await self.platform.access.why_not(self.actor, "chat.start_with_patient")
        refusal = refusal or await lacks_outside(self.platform, self.actor)
        asked: Sequence[UUID] = () if refusal else patient_ids
        states = await portal_states(self.platform, asked)
        return {
            each: WayIn(
                conversation=there.get(each),
                refusal=refusal or (None if states.get(each) is PortalState.ACTIVE else no_portal_account()),
            )
            for each in patient_ids
        }


async def _messages(
    platform: Platform, actor: Actor, patient_id: UUID, before: tuple[datetime, UUID] | None, size: int
) -> Sequence[TimelineEntry]:
    """Return when and by whom something was said in the conversations with a patient that the viewer takes part in."""
    rows = await DB.fetch(
        """SELECT m.id, m.sent_at, CASE WHEN NOT m.automatic THEN m.sender_id END AS sender_id FROM participant p
        JOIN conversation c ON c.id = p.conversation_id AND c.kind = 'patient' AND c.subject_id = $2
        JOIN message m ON m.conversation_id = c.id AND m.deleted_at IS NULL
        WHERE p.person_id = $1 AND p.left_at IS NULL AND ($3::timestamptz IS NULL OR (m.sent_at, m.id) < ($3, $4))
        ORDER BY m.sent_at DESC, m.id DESC LIMIT $5""",
        actor.person_id,
        patient_id,
        *(before or (None, None)),
        size,
    )
    return [TimelineEntry(kind=MESSAGE_SENT, id=row["id"], at=row["sent_at"], by=row["sender_id"]) for row in rows]


TIMELINE = TimelinePart(
    kinds={MESSAGE_SENT: "A message in a conversation with the patient that the viewer takes part in."}, read=_messages
)
"""Contributed by the manifest."""
