"""Deletes messages for good: what they said is nowhere any more, and a tombstone remains (C11, promise F2)."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from bedside_chat import telling
from bedside_chat.api import CONVERSATION_STREAM, Message, MessageDeleted
from bedside_chat.exported import take_away
from bedside_chat.marks import Marks
from bedside_chat.rows import MESSAGES, NO_MESSAGE, message_of
from bedside_chat.rules import may_delete
from bedside_chat.sending import FILES
from bedside_core.api import DB, Actor, NotFound, StoredFile, Topic, Work, acting, audit, expire_exports, unit

_DELETE = """
WITH moved AS (
    UPDATE conversation SET "position" = "position" + 1, lost_at = "position" + 1 WHERE id = $1 RETURNING "position"
), reactions AS (
    DELETE FROM message_reaction WHERE message_id = $2
), files AS (
    DELETE FROM message_attachment WHERE message_id = $2
), recipients AS (
    DELETE FROM urgent_recipient WHERE message_id = $2
)
UPDATE message SET body = '', attached = 0, urgent = false, deleted_at = $3, deleted_by = $4, changed = m."position"
FROM moved m WHERE id = $2 AND deleted_at IS NULL RETURNING changed,
    ARRAY(SELECT p.person_id FROM participant p WHERE p.conversation_id = $1 AND p.left_at IS NULL) AS persons
"""
_LOSE = """
WITH moved AS (
    UPDATE conversation SET "position" = "position" + 1, lost_at = "position" + 1 WHERE id = $1 RETURNING "position"
)
UPDATE message SET attached = attached - 1, changed = m."position" FROM moved m WHERE id = $2 RETURNING changed,
    ARRAY(SELECT p.person_id FROM participant p WHERE p.conversation_id = $1 AND p.left_at IS NULL) AS persons
"""


class Deleting(Marks):
    """Deletes messages."""

    async def delete(self, actor: Actor, message_id: UUID) -> Message:
        """Delete a message for good: text, files, reactions, index; a tombstone and an audit entry remain (C11).

        Args:
            actor: who wrote it, a member also after they have left, or a member with the permission to moderate, in the
                conversation or not.
            message_id: the message.

        Returns:
            The tombstone, also when it was deleted before. Who takes no part learns nothing else by it: neither who
            wrote it nor what it answered (A12).

        Raises:
            NotFound: none that the actor may see or moderate.
            Forbidden: they see it, but it is not theirs to delete.
            ReadOnly: it is in a conversation of a practice that theirs is connected to no longer (P2).
        """
        practice_id, person_id = actor.as_person()
        await self._platform.access.require(actor, "chat.delete")
        message, inside = await self._deletable(actor, practice_id, message_id)
        if refusal := await may_delete(self._platform, actor, message):
            raise refusal.problem()
        if message.deleted_at is None:
            with acting(message.practice_id, person_id):  # whose all of it is, whoever wrote it
                async with unit() as work:
                    patients = await self._forget(message)
                    await self._end(work, actor, message, patients)
                if message.attached:
                    await self._platform.files.tidy()
        row = await DB.fetchrow(f"{MESSAGES} WHERE id = $1", message_id)
        if row is None:  # the conversation is gone meanwhile, or is theirs no more
            raise NotFound(NO_MESSAGE)
        tombstone = message_of(row)
        return tombstone if inside else replace(tombstone, sender_id=message.practice_id, reply_to=None)

    async def lose(self, actor: Actor, file: StoredFile) -> None:
        """Take a file that is about to be deleted from its message, in the unit that deletes it.

        The message keeps its text and its other files; where there are none, it ends as a tombstone.
        """
        async with unit() as work:
            row = await DB.fetchrow(f"{MESSAGES} WHERE id = $1", file.owner_id)
            if row is None:
                return
            patients = await self._forget(message_of(row))
            await self._hold(row["conversation_id"])
            lost = await DB.fetchval(
                "DELETE FROM message_attachment WHERE message_id = $1 AND file_id = $2 RETURNING true",
                row["id"],
                file.id,
            )
            if not lost:
                return
            row = await DB.fetchrow(f"{MESSAGES} WHERE id = $1", file.owner_id) or row
            message = message_of(row)
            if message.body or message.attached > 1:
                await self._lessen(work, message)
            else:
                await self._end(work, actor, message, patients)

    async def _lessen(self, work: Work, message: Message) -> None:
        """Have a message stand with a file less, and whoever sees it, in the conversation or in their list, know."""
        row = await DB.fetchrow(_LOSE, message.conversation_id, message.id)
        if row is not None:
            work.publish(Topic(CONVERSATION_STREAM, message.conversation_id), row["changed"])
            self._tell_inboxes(work, message.conversation_id, row["persons"])

    async def _forget(self, message: Message) -> list[UUID]:
        """Take away exports that may contain a message, before anything else is held; returns whom it is about."""
        subject = await DB.fetchval(
            "SELECT subject_id FROM conversation WHERE id = $1 AND kind = 'patient'", message.conversation_id
        )
        patients = [subject] if subject is not None else []
        await expire_exports(self._platform, patients, message.sent_at)
        await take_away(self._platform, message.conversation_id)
        return patients

    async def _end(self, work: Work, actor: Actor, message: Message, patients: list[UUID]) -> None:
        """Have a message end as a tombstone, unless it has; as the practice that owns it."""
        person_id, now = actor.as_person()[1], self._platform.clock.now()
        row = await DB.fetchrow(_DELETE, message.conversation_id, message.id, now, person_id)
        if row is not None:
            await self._bury(work, actor, message, row["changed"], patients)
            self._tell_inboxes(work, message.conversation_id, row["persons"])

    async def _deletable(self, actor: Actor, practice_id: UUID, message_id: UUID) -> tuple[Message, bool]:
        """Return a message that the actor sees, wrote as a member, or could moderate, and whether they see it."""
        try:
            return await self.message(actor, message_id), True
        except NotFound:
            moderates = await self._platform.access.why_not(actor, "chat.moderate") is None
        row = await DB.fetchrow(
            f"{MESSAGES} WHERE id = $1 AND practice_id = $2 AND ($3 OR sender_id = $4)",
            message_id,
            practice_id,
            moderates,
            actor.member_id,
        )
        if row is None:
            raise NotFound(NO_MESSAGE)
        return message_of(row), False

    async def _bury(self, work: Work, actor: Actor, message: Message, position: int, patients: list[UUID]) -> None:
        """Take away all that hangs on a message, in the unit that deletes it."""
        await telling.deleted(self._platform, work, message)
        await self._platform.files.delete_owned(actor, FILES, message.id)
        work.emit(
            MessageDeleted(
                practice_id=message.practice_id,
                conversation_id=message.conversation_id,
                message_id=message.id,
                deleted_by=actor.as_person()[1],
            )
        )
        audit.did("chat.delete", kind="message", target=message.id, patients=patients)
        work.publish(Topic(CONVERSATION_STREAM, message.conversation_id), position)
