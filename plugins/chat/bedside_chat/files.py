"""Files of messages: read by who takes part, deleted by who may delete the message (C11, C12, P8)."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_chat.rules import may_delete
from bedside_chat.sending import FILES
from bedside_chat.service import ChatService
from bedside_core.api import DB, Actor, FileOwner, Refusal, Rule, StoredFile

if TYPE_CHECKING:
    from bedside_core.api import Platform

_MESSAGE = """SELECT m.sender_id, c.kind, c.subject_id FROM message m JOIN conversation c ON c.id = m.conversation_id
WHERE m.id = $1"""
# No role reads a conversation that it is not in (A12): a member sees what was shared where they take part.
_PANEL = """f.owner_id IN (SELECT a.message_id FROM conversation c
    JOIN participant p ON p.conversation_id = c.id AND p.person_id = $2 AND p.left_at IS NULL
    JOIN message_attachment a ON a.conversation_id = c.id
    WHERE c.practice_id = f.practice_id AND c.subject_id = $1 AND c.kind = 'patient')"""


async def _may_read(platform: Platform, actor: Actor, file: StoredFile) -> Refusal | None:
    takes_part = await DB.fetchval(
        """SELECT true FROM message m JOIN participant p ON p.conversation_id = m.conversation_id
        WHERE m.id = $1 AND p.person_id = $2 AND p.left_at IS NULL
            AND ($3::uuid IS NULL OR m.conversation_id = $3)
            AND (p.home_id = p.practice_id
                OR coalesce(m.sent_at <= chat_until(m.conversation_id, p.home_id), true))""",
        file.owner_id,
        actor.person_id,
        actor.bound_to,
    )
    return None if takes_part else Refusal(rule=Rule.MEMBERSHIP, message="There is no file with this id.")


async def _may_delete(platform: Platform, actor: Actor, file: StoredFile) -> Refusal | None:
    found = await platform.service(ChatService).messages_by_id([file.owner_id] if file.owner_id else [])
    for message in found.values():
        return await may_delete(platform, actor, message)
    return Refusal(rule=Rule.MEMBERSHIP, message="There is no file with this id.")


async def _deleting(platform: Platform, actor: Actor, file: StoredFile) -> None:
    await platform.service(ChatService).lose(actor, file)


async def _elsewhere(platform: Platform, actor: Actor, file_id: UUID) -> UUID | None:
    return await DB.fetchval("SELECT chat_file_practice($1)", file_id)


async def _patients(platform: Platform, file: StoredFile) -> Collection[UUID]:
    row = await DB.fetchrow(_MESSAGE, file.owner_id)
    return [row["subject_id"]] if row is not None and row["kind"] == "patient" else []


MESSAGE_FILES = FileOwner(
    kind=FILES,
    doc="Files of a message. Whoever takes part in the conversation reads them; who may delete the message deletes "
    "them, with it or one by one.",
    may_read=_may_read,
    may_delete=_may_delete,
    patients=_patients,
    elsewhere=_elsewhere,
    deleting=_deleting,
    panel=_PANEL,
)
"""Contributed by the manifest."""
