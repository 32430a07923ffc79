"""Chat's verbs: start, list, read, send and follow; the only writer of chat's tables."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

from bedside_chat.api import CONVERSATION_STREAM, Conversation, ConversationStarted, Message, MessageSent
from bedside_chat.settings import ChatSettings
from bedside_core.api import (
    DB,
    Actor,
    Conflict,
    InvalidInput,
    NotFound,
    Page,
    Row,
    Topic,
    cursor_of,
    follow,
    key_of,
    page_of,
    page_size,
    unit,
    uuid7,
)

if TYPE_CHECKING:
    from bedside_core.api import Platform

REPLAY = 100
"""Messages read at once while a subscription replays."""

_LIST = """
SELECT c.id, c.kind, c."position", c.created_at, c.active_at,
    m.id AS message_id, m.sender_id, m.body, m.sent_at
FROM participant p JOIN conversation c ON c.id = p.conversation_id
LEFT JOIN message m ON m.conversation_id = c.id AND m."position" = c."position"
WHERE p.person_id = $1
"""

_MESSAGE = 'SELECT id, conversation_id, "position", sender_id, body, sent_at FROM message'

# One statement: a retry finds the first message; else the conversation moves on and the message takes its position.
_SEND = f"""
WITH first AS (
    {_MESSAGE} WHERE conversation_id = $2 AND sender_id = $4 AND client_id = $6
), moved AS (
    UPDATE conversation SET "position" = "position" + 1, active_at = greatest(active_at, $7)
    WHERE id = $2 AND NOT EXISTS (SELECT FROM first) RETURNING id, practice_id, "position"
), sent AS (
    INSERT INTO message (id, practice_id, conversation_id, "position", sender_id, body, client_id, sent_at)
    SELECT $1, $3, id, "position", $4, $5, $6, $7 FROM moved
    RETURNING id, conversation_id, "position", sender_id, body, sent_at
)
SELECT *, false AS retried FROM sent UNION ALL SELECT *, true FROM first
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ChatService:
    """Chat's service.

    Args:
        platform: access, clock and live streams.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def start_direct(self, actor: Actor, member_id: UUID, client_id: str) -> Conversation:
        """Start the direct conversation of the actor and a member of the practice, or return it if there is one (C1).

        Args:
            actor: who starts.
            member_id: the other.
            client_id: the client's own id of this start (G9).

        Raises:
            NotFound: no such member in the practice.
            InvalidInput: the other is oneself.
            Conflict: the client id has started another conversation.
        """
        practice_id, person_id = actor.in_practice()
        await self._platform.access.require(actor, "chat.start", member_id)
        key = "/".join(sorted((str(person_id), str(member_id))))
        now = self._platform.clock.now()
        async with unit() as work:
            new_id = uuid7()
            created = await DB.fetchval(
                """INSERT INTO conversation (id, practice_id, kind, direct_key, created_by, created_at, active_at)
                VALUES ($1, $2, 'direct', $3, $4, $5, $5)
                ON CONFLICT (practice_id, direct_key) DO NOTHING RETURNING id""",
                new_id,
                practice_id,
                key,
                person_id,
                now,
            )
            if created:
                await DB.execute(
                    """INSERT INTO participant (practice_id, conversation_id, person_id, joined_at)
                    SELECT $1, $2, person, $4 FROM unnest($3::uuid[]) AS person""",
                    practice_id,
                    new_id,
                    [person_id, member_id],
                    now,
                )
                work.emit(ConversationStarted(practice_id=practice_id, conversation_id=new_id, started_by=person_id))
            conversation_id: UUID = created or await DB.fetchval(
                "SELECT id FROM conversation WHERE practice_id = $1 AND direct_key = $2", practice_id, key
            )
            started = await DB.fetchval(
                """INSERT INTO conversation_start (practice_id, person_id, client_id, conversation_id)
                VALUES ($1, $2, $3, $4)
                ON CONFLICT (practice_id, person_id, client_id) DO UPDATE SET client_id = EXCLUDED.client_id
                RETURNING conversation_id""",
                practice_id,
                person_id,
                client_id,
                conversation_id,
            )
            if started != conversation_id:
                raise Conflict("This clientId has started another conversation.", field=("clientId",))
        return await self._one(actor, conversation_id)

    async def conversations(self, actor: Actor, *, first: int | None, after: str | None) -> Page[Conversation]:
        """Return the actor's conversations, the most recently active first."""
        _, person_id = actor.in_practice()
        await self._platform.access.require(actor, "chat.read")
        return await self._page(person_id, first=first, after=after)

    async def history(self, actor: Actor, *, first: int | None, after: str | None) -> Page[Conversation]:
        """Return the actor's conversations to read, whatever the plan: a downgrade takes nothing away (L5)."""
        _, person_id = actor.in_practice()
        await self._platform.access.require(actor, "chat.history")
        return await self._page(person_id, first=first, after=after)

    async def conversation(self, actor: Actor, conversation_id: UUID) -> Conversation:
        """Return one of the actor's conversations.

        Raises:
            NotFound: none of theirs.
        """
        await self._platform.access.require(actor, "chat.read", conversation_id)
        return await self._one(actor, conversation_id)

    async def send(self, actor: Actor, conversation_id: UUID, body: str, client_id: str) -> Message:
        """Send a message; a retry with the same client id returns the first one (C13).

        Args:
            actor: the sender.
            conversation_id: one of theirs.
            body: the text, as long as the practice allows, 10,000 characters at most.
            client_id: the client's own id of the message.

        Raises:
            NotFound: none of the actor's conversations.
            InvalidInput: no text, too much, or one with NUL.
            Conflict: the client id was used with another text.
        """
        practice_id, person_id = actor.in_practice()
        await self._platform.access.require(actor, "chat.send", conversation_id)
        if not body.strip():
            raise InvalidInput("A message needs a text.", field=("body",))
        longest = (await self._platform.settings.read(ChatSettings)).longest_message
        if len(body) > longest:
            raise InvalidInput(f"A message has at most {longest} characters.", field=("body",))
        try:
            message, retried = await self._insert(practice_id, conversation_id, person_id, body, client_id)
        except asyncpg.UniqueViolationError:  # the same id came twice at once; by now the first one is there
            message, retried = await self._insert(practice_id, conversation_id, person_id, body, client_id)
        if retried and message.body != body:
            raise Conflict("This clientId has sent another text.", field=("clientId",))
        return message

    async def _insert(
        self, practice_id: UUID, conversation_id: UUID, sender_id: UUID, body: str, client_id: str
    ) -> tuple[Message, bool]:
        async with unit() as work:
            now = self._platform.clock.now()
            row = await DB.fetchrow(_SEND, uuid7(), conversation_id, practice_id, sender_id, body, client_id, now)
            if row is None:
                raise NotFound("There is no conversation with this id that you may see.")
            message = _message(row)
            if not row["retried"]:
                work.emit(
                    MessageSent(
                        practice_id=practice_id,
                        conversation_id=conversation_id,
                        message_id=message.id,
                        sender_id=sender_id,
                        position=message.position,
                    )
                )
                work.publish(Topic(CONVERSATION_STREAM, conversation_id), message.position)
        return message, row["retried"]

    async def messages(
        self,
        conversation_id: UUID,
        *,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Page[Message]:
        """Return a page of a conversation the caller was given, oldest first; `last` pages from the end.

        Raises:
            InvalidInput: both directions at once, or a foreign cursor.
        """
        if (last is not None or before is not None) and (first is not None or after is not None):
            raise InvalidInput("Either `first` and `after`, or `last` and `before`.", field=("last",))
        if last is None and before is None:
            size, key = page_size(first), key_of(after, int)
            rows = await self._rows(conversation_id, key[0] if key else 0, size + 1)
            return page_of([_message(row) for row in rows], size, lambda item: (item.position,), after=after)
        size, key = page_size(last, "last"), key_of(before, int, argument="before")
        rows = await DB.fetch(
            f"""{_MESSAGE} WHERE conversation_id = $1 AND ($2::bigint IS NULL OR "position" < $2)
            ORDER BY "position" DESC LIMIT $3""",
            conversation_id,
            key[0] if key else None,
            size + 1,
        )
        items = [_message(row) for row in reversed(rows[:size])]
        # Relay: paging backwards, hasPreviousPage tells whether there is more, hasNextPage whether there was a cursor.
        return Page(
            items=items,
            cursors=[cursor_of(item.position) for item in items],
            more=before is not None,
            before=len(rows) > size,
        )

    async def added(self, actor: Actor, conversation_id: UUID, after: str | None) -> AsyncGenerator[Message, None]:
        """Follow a conversation live: replay what came after the cursor, then each new message, once and in order.

        Access is asked anew before anything is handed out. The stream ends by raising the refusal.

        Args:
            actor: the reader.
            conversation_id: one of theirs.
            after: cursor of the last message the client has; without it the stream begins with the next message.

        Raises:
            Problem: the refusal, at the start or later.
        """
        await self._platform.access.require(actor, "chat.read", conversation_id)
        key = key_of(after, int)
        position = (await self._one(actor, conversation_id)).position
        cursor = position if key is None else key[0]
        if cursor > position:  # it would be deaf until as many messages have come
            raise InvalidInput("This cursor is beyond the conversation's last message.", field=("after",))

        async def read(position: int) -> list[tuple[int, Message]]:
            await self._platform.access.require(actor, "chat.read", conversation_id)
            rows = await self._rows(conversation_id, position, REPLAY)
            return [(row["position"], _message(row)) for row in rows]

        topic = Topic(CONVERSATION_STREAM, conversation_id)
        async with aclosing(follow(self._platform.live, topic, read, cursor)) as messages:
            async for message in messages:
                yield message

    async def participants(self, conversation_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[UUID]]:
        """Return the persons of each conversation, in the order in which they joined."""
        rows = await DB.fetch(
            """SELECT conversation_id, array_agg(person_id ORDER BY joined_at, person_id) AS persons
            FROM participant WHERE conversation_id = ANY($1) GROUP BY conversation_id""",
            list(conversation_ids),
        )
        return {row["conversation_id"]: row["persons"] for row in rows}

    async def positions(self, conversation_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """Return the position of each conversation, for whoever follows it, across practices."""
        rows = await DB.fetch("SELECT * FROM chat_positions($1)", list(conversation_ids))
        return {row["id"]: row["position"] for row in rows}

    async def _page(self, person_id: UUID, *, first: int | None, after: str | None) -> Page[Conversation]:
        size, key = page_size(first), key_of(after, int, UUID)
        rows = await DB.fetch(
            f"""{_LIST} AND ($2::timestamptz IS NULL OR (c.active_at, c.id) < ($2, $3))
            ORDER BY c.active_at DESC, c.id DESC LIMIT $4""",
            person_id,
            _instant(key[0]) if key else None,
            key[1] if key else None,
            size + 1,
        )
        return page_of(
            [_conversation(row) for row in rows],
            size,
            lambda item: ((item.active_at - _EPOCH) // timedelta(microseconds=1), str(item.id)),
            after=after,
        )

    async def _one(self, actor: Actor, conversation_id: UUID) -> Conversation:
        row = await DB.fetchrow(f"{_LIST} AND c.id = $2", actor.person_id, conversation_id)
        if row is None:
            raise NotFound("There is no conversation with this id that you may see.")
        return _conversation(row)

    async def _rows(self, conversation_id: UUID, position: int, size: int) -> list[Row]:
        return await DB.fetch(
            f'{_MESSAGE} WHERE conversation_id = $1 AND "position" > $2 ORDER BY "position" LIMIT $3',
            conversation_id,
            position,
            size,
        )


def _instant(microseconds: int) -> datetime:
    """Return the instant in a cursor.

    Raises:
        InvalidInput: nothing was active so late.
    """
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        raise InvalidInput("This is not a cursor of this list.", field=("after",)) from None


def _message(row: Row) -> Message:
    return Message(**{name: row[name] for name in Message.__dataclass_fields__})


def _conversation(row: Row) -> Conversation:
    last = None
    if row["message_id"] is not None:
        last = Message(
            id=row["message_id"],
            conversation_id=row["id"],
            position=row["position"],
            sender_id=row["sender_id"],
            body=row["body"],
            sent_at=row["sent_at"],
        )
    return Conversation(
        id=row["id"],
        kind=row["kind"],
        position=row["position"],
        created_at=row["created_at"],
        active_at=row["active_at"],
        last_message=last,
    )
