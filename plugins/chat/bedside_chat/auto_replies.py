"""Answers patients and contacts who write outside hours, by itself and not too often (C17)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bedside_chat.api import Message, MessageSent
from bedside_chat.hours import is_open
from bedside_chat.rows import MESSAGE, message_of
from bedside_chat.settings import ChatSettings
from bedside_chat.standing import Standing, composers
from bedside_core.api import DB, Actor, PersonKind, Work, uuid7

if TYPE_CHECKING:
    from bedside_core.api import Platform

PAUSE = timedelta(minutes=15)
"""For so long one automatic message is enough, unless a member has answered."""

# In the transaction of the message that it answers, which holds the conversation: so of several at once the first alone
# is answered, and a retry is none. Whoever wrote as a member since then has reset it.
_ANSWER = f"""
WITH moved AS (
    UPDATE conversation SET "position" = "position" + 1, last_position = "position" + 1, messages = messages + 1,
        active_at = greatest(active_at, $3)
    WHERE id = $2 AND NOT EXISTS (
        SELECT FROM message a WHERE a.conversation_id = $2 AND a.automatic AND a.sent_at > $4 AND NOT EXISTS (
            SELECT FROM message b JOIN participant p
                ON p.conversation_id = b.conversation_id AND p.person_id = b.sender_id AND p.kind = 'member'
            WHERE b.conversation_id = $2 AND b."position" > a."position"))
    RETURNING id, practice_id, last_position, messages
)
INSERT INTO message (id, practice_id, conversation_id, "position", changed, number, sender_id, body, client_id, sent_at,
    automatic)
SELECT $1, practice_id, id, last_position, last_position, messages, practice_id, $5, $6, $3, true FROM moved
RETURNING {MESSAGE}
"""


async def answer(platform: Platform, work: Work, actor: Actor, standing: Standing, message: Message) -> Message | None:
    """Write the practice's automatic message, where one is due after a message; it notifies nobody.

    Args:
        platform: settings, plan and clock.
        work: the unit of work in which the message is sent.
        actor: who has sent it.
        standing: where they stand in the conversation.
        message: what they have sent.

    Returns:
        The automatic message; None where none is due.
    """
    if standing.person_kind is PersonKind.MEMBER or not standing.way.about_somebody:
        return None
    settings = await platform.settings.read(ChatSettings)
    if not settings.auto_reply:
        return None
    practice = await platform.people.practice(standing.practice_id)
    if practice is None or is_open(settings.week, settings.closed_days, practice.zone, message.sent_at):
        return None
    # A text, so only where the conversation takes one: not where plan or switch leave files alone (C3, L2).
    if (await composers(platform, actor, [standing]))[standing.conversation_id].text is not None:
        return None
    row = await DB.fetchrow(
        _ANSWER,
        uuid7(),
        standing.conversation_id,
        message.sent_at,
        message.sent_at - PAUSE,
        settings.auto_reply_text,
        f"automatic:{message.id}",
    )
    if row is None:
        return None
    written = message_of(row)
    work.emit(
        MessageSent(
            practice_id=written.practice_id,
            conversation_id=written.conversation_id,
            message_id=written.id,
            sender_id=written.sender_id,
            position=written.position,
        )
    )
    return written
