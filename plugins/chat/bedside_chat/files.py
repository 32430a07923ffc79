"""Files of messages: who takes part in the conversation reads them; they go with their message (C11, C12)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_chat.sending import FILES
from bedside_core.api import DB, Actor, FileOwner, Refusal, Rule, StoredFile

if TYPE_CHECKING:
    from bedside_core.api import Platform

_MESSAGE = """SELECT m.sender_id, c.kind, c.subject_id FROM message m JOIN conversation c ON c.id = m.conversation_id
WHERE m.id = $1"""


async def _may_read(platform: Platform, actor: Actor, file: StoredFile) -> Refusal | None:
    takes_part = await DB.fetchval(
        """SELECT true FROM message m JOIN participant p ON p.conversation_id = m.conversation_id
        WHERE m.id = $1 AND p.person_id = $2 AND p.left_at IS NULL
            AND ($3::uuid IS NULL OR m.conversation_id = $3)""",
        file.owner_id,
        actor.person_id,
        actor.bound_to,
    )
    return None if takes_part else Refusal(rule=Rule.MEMBERSHIP, message="There is no file with this id.")


async def _may_delete(platform: Platform, actor: Actor, file: StoredFile) -> Refusal | None:
    return Refusal(
        rule=Rule.ROLE, message="A file in a conversation goes with its message.", way_on="Delete the message."
    )


async def _patients(platform: Platform, file: StoredFile) -> Collection[UUID]:
    row = await DB.fetchrow(_MESSAGE, file.owner_id)
    return [row["subject_id"]] if row is not None and row["kind"] == "patient" else []


MESSAGE_FILES = FileOwner(
    kind=FILES,
    doc="Files of a message. Whoever takes part in the conversation reads them; they go with the message.",
    may_read=_may_read,
    may_delete=_may_delete,
    patients=_patients,
)
"""Contributed by the manifest."""
