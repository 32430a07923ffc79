"""Deletes messages for good: what they said is nowhere any more, and a tombstone remains (C11, promise F2)."""

from __future__ import annotations

from uuid import UUID

from bedside_chat.api import CONVERSATION_STREAM, Message, MessageDeleted
from bedside_chat.exported import take_away
from bedside_chat.marks import Marks
from bedside_chat.rows import MESSAGES, NO_MESSAGE, message_of
from bedside_chat.sending import FILES
from bedside_chat.settings import ChatSettings
from bedside_core.api import DB, Actor, Forbidden, NotFound, Topic, Work, audit, unit

_DELETE = """
WITH moved AS (
    UPDATE conversation SET "position" = "position" + 1 WHERE id = $1 RETURNING "position"
), reactions AS (
    DELETE FROM message_reaction WHERE message_id = $2
), files AS (
    DELETE FROM message_attachment WHERE message_id = $2
), recipients AS (
    DELETE FROM urgent_recipient WHERE message_id = $2
)
UPDATE message SET body = '', attached = 0, urgent = false, deleted_at = $3, deleted_by = $4, changed = m."position"
FROM moved m WHERE id = $2 AND deleted_at IS NULL RETURNING changed
"""


class Deleting(Marks):
    """Deletes messages."""

    async def delete(self, actor: Actor, message_id: UUID) -> Message:
        """Delete a message for good: text, files, reactions, index; a tombstone and an audit entry remain (C11).

        Args:
            actor: who wrote it, or a member with the permission to moderate, in the conversation or not.
            message_id: the message.

        Returns:
            The tombstone, also when it was deleted before.

        Raises:
            NotFound: none that the actor may see or moderate.
            Forbidden: they see it, but it is not theirs to delete.
        """
        practice_id, person_id = actor.as_person()
        await self._platform.access.require(actor, "chat.delete")
        message = await self._deletable(actor, practice_id, message_id)
        if message.sender_id == person_id:
            allowed = actor.member_id is not None or (await self._platform.settings.read(ChatSettings)).patients_delete
        else:
            allowed = not await self._platform.access.why_not(actor, "chat.moderate")
            allowed = allowed and message.practice_id == practice_id
        if not allowed:
            raise Forbidden(
                "This message is not yours to delete.", way_on="Ask somebody of the practice who may moderate."
            )
        if message.deleted_at is None:
            async with unit() as work:
                now = self._platform.clock.now()
                position = await DB.fetchval(_DELETE, message.conversation_id, message_id, now, person_id)
                if position is not None:
                    await self._bury(work, actor, message, position)
        row = await DB.fetchrow(f"{MESSAGES} WHERE id = $1", message_id)
        return message_of(row) if row else message

    async def _deletable(self, actor: Actor, practice_id: UUID, message_id: UUID) -> Message:
        """Return a message that the actor sees, or could moderate."""
        try:
            return await self.message(actor, message_id)
        except NotFound:
            if await self._platform.access.why_not(actor, "chat.moderate"):
                raise
        row = await DB.fetchrow(f"{MESSAGES} WHERE id = $1 AND practice_id = $2", message_id, practice_id)
        if row is None:
            raise NotFound(NO_MESSAGE)
        return message_of(row)

    async def _bury(self, work: Work, actor: Actor, message: Message, position: int) -> None:
        """Take away all that hangs on a message, in the unit that deletes it."""
        await take_away(self._platform, message.conversation_id)
        await self._platform.files.delete_owned(actor, FILES, message.id)
        work.emit(
            MessageDeleted(
                practice_id=message.practice_id,
                conversation_id=message.conversation_id,
                message_id=message.id,
                deleted_by=actor.as_person()[1],
            )
        )
        subject = await DB.fetchval(
            "SELECT subject_id FROM conversation WHERE id = $1 AND kind = 'patient'", message.conversation_id
        )
        patients = [subject] if subject is not None else []
        audit.did("chat.delete", kind="message", target=message.id, patients=patients)
        work.publish(Topic(CONVERSATION_STREAM, message.conversation_id), position)
