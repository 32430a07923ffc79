"""What people put to messages: reactions, and acknowledgements of urgent ones (C10)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from uuid import UUID

from bedside_chat import telling
from bedside_chat.api import CONVERSATION_STREAM, Acknowledgement, Message, Reaction
from bedside_chat.sending import Sending
from bedside_core.api import DB, Actor, Conflict, InvalidInput, NotFound, PersonKind, Topic, Work, unit

LONGEST_EMOJI = 16
MOST_REACTIONS = 50
"""Different emojis at one message."""

_TOUCH = """
WITH moved AS (
    UPDATE conversation SET "position" = "position" + 1 WHERE id = $1 RETURNING "position"
)
UPDATE message SET changed = m."position", receipt_at = CASE WHEN $3 THEN m."position" END,
    told_at = CASE WHEN changed IS DISTINCT FROM receipt_at THEN changed ELSE told_at END
FROM moved m WHERE id = $2 RETURNING changed
"""


class Marks(Sending):
    """Puts reactions and acknowledgements to messages, and reads them."""

    async def react(self, actor: Actor, message_id: UUID, emoji: str, *, on: bool) -> Message:
        """Put an emoji to a message, or take one's own away; repeating it changes nothing.

        Raises:
            NotFound: none that the actor may see.
            InvalidInput: no emoji of 1 to 16 characters without letters and blanks, or too many at the message.
            Conflict: the message is deleted.
        """
        _, person_id = actor.as_person()
        if not _is_emoji(emoji):
            raise InvalidInput("This is no emoji.", field=("emoji",))
        message = await self.message(actor, message_id)
        await self._platform.access.require(actor, "chat.send", message.conversation_id)
        async with unit() as work:
            await self._hold(message.conversation_id)
            message = await self.message(actor, message_id)
            if message.deleted_at is not None:
                raise Conflict("The message was deleted.")
            if on:
                changed = await DB.fetchval(
                    """INSERT INTO message_reaction
                        (practice_id, conversation_id, message_id, person_id, emoji, made_at)
                    SELECT $1, $2, $3, $4, $5, $6
                    WHERE (SELECT count(DISTINCT emoji) FROM message_reaction
                        WHERE message_id = $3 AND emoji <> $5) < $7
                    ON CONFLICT DO NOTHING RETURNING true""",
                    message.practice_id,
                    message.conversation_id,
                    message_id,
                    person_id,
                    emoji,
                    self._platform.clock.now(),
                    MOST_REACTIONS,
                )
            else:
                changed = await DB.fetchval(
                    """DELETE FROM message_reaction WHERE message_id = $1 AND person_id = $2 AND emoji = $3
                    RETURNING true""",
                    message_id,
                    person_id,
                    emoji,
                )
            if changed:
                await self._touch(work, message)
        return await self.message(actor, message_id)

    async def acknowledge(self, actor: Actor, message_id: UUID) -> Message:
        """Acknowledge an urgent message as its recipient; repeating it changes nothing (C10).

        Like reading, it is open to who reads only (P2): else it stayed red for them, and they were reminded.

        Raises:
            NotFound: none that the actor may see, or none that they are to acknowledge.
        """
        _, person_id = actor.as_person()
        message = await self.message(actor, message_id)
        await self._platform.access.require(actor, "chat.read", message.conversation_id)
        async with unit() as work:
            await self._hold(message.conversation_id)
            row = await DB.fetchrow(
                """UPDATE urgent_recipient u SET acknowledged_at = coalesce(u.acknowledged_at, $3), remind_at = NULL
                FROM urgent_recipient before JOIN participant p
                    ON p.conversation_id = before.conversation_id AND p.person_id = before.person_id
                WHERE u.message_id = $1 AND u.person_id = $2 AND before.message_id = $1 AND before.person_id = $2
                RETURNING before.acknowledged_at AS before, u.home_id, p.kind, p.by_link""",
                message_id,
                person_id,
                self._platform.clock.now(),
            )
            if row is None:
                raise NotFound("There is no urgent message with this id for you to acknowledge.")
            if row["before"] is None:
                by = telling.recipient(row["kind"], row["home_id"], person_id, by_link=row["by_link"])
                await telling.acknowledged(self._platform, work, message, by)
                await self._touch(work, message, receipt=row["kind"] == PersonKind.MEMBER)
                self._tell_inboxes(work, message.conversation_id, [person_id])
        return await self.message(actor, message_id)

    async def reactions(self, message_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Reaction]]:
        """Return the reactions at messages, each emoji in the order in which it came."""
        rows = await DB.fetch(
            """SELECT message_id, emoji, array_agg(person_id ORDER BY made_at, person_id) AS persons
            FROM message_reaction WHERE message_id = ANY($1) GROUP BY message_id, emoji
            ORDER BY message_id, min(made_at), emoji""",
            list(message_ids),
        )
        found: dict[UUID, list[Reaction]] = {}
        for row in rows:
            one = Reaction(emoji=row["emoji"], person_ids=tuple(row["persons"]))
            found.setdefault(row["message_id"], []).append(one)
        return found

    async def acknowledgements(self, message_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Acknowledgement]]:
        """Return who is to acknowledge urgent messages, and who has."""
        rows = await DB.fetch(
            """SELECT u.message_id, u.person_id, u.acknowledged_at, p.kind FROM urgent_recipient u JOIN participant p
                ON p.conversation_id = u.conversation_id AND p.person_id = u.person_id
            WHERE u.message_id = ANY($1) ORDER BY u.message_id, u.acknowledged_at NULLS LAST, u.person_id""",
            list(message_ids),
        )
        found: dict[UUID, list[Acknowledgement]] = {}
        for row in rows:
            one = Acknowledgement(
                person_id=row["person_id"], kind=PersonKind(row["kind"]), acknowledged_at=row["acknowledged_at"]
            )
            found.setdefault(row["message_id"], []).append(one)
        return found

    async def _hold(self, conversation_id: UUID) -> None:
        """Have changes of a conversation go one after the other, in the caller's unit."""
        await DB.execute("SELECT FROM conversation WHERE id = $1 FOR NO KEY UPDATE", conversation_id)

    async def _touch(self, work: Work, message: Message, *, receipt: bool = False) -> None:
        """Give a message that has changed a position of its own, by which live readers hear of it.

        Args:
            work: the unit's.
            message: what has changed.
            receipt: whether a member has acknowledged it, of which not everybody hears (C14).
        """
        position = await DB.fetchval(_TOUCH, message.conversation_id, message.id, receipt)
        work.publish(Topic(CONVERSATION_STREAM, message.conversation_id), position)


def _is_emoji(text: str) -> bool:
    """Tell whether a text is a symbol, with what is joined to it, and no word."""
    kinds = [unicodedata.category(each) for each in text]
    symbol = any(kind in {"So", "Sk"} for kind in kinds) or "\u20e3" in text
    return 1 <= len(text) <= LONGEST_EMOJI and symbol and not any(kind[0] in "LZ" or kind == "Cc" for kind in kinds)
