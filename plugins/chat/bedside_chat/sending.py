"""What people do with messages: send, read, react, acknowledge, delete for good (C10, C11, C13, C14)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

from bedside_chat import auto_replies, telling
from bedside_chat.api import (
    CONVERSATION_STREAM,
    Conversation,
    ConversationRead,
    Message,
    MessageSent,
)
from bedside_chat.kinds import ConversationKind
from bedside_chat.reminders import PAUSE
from bedside_chat.rows import MESSAGE, MESSAGES, MISSING, NO_MESSAGE, message_of
from bedside_chat.rules import not_there, standing_of
from bedside_chat.settings import ChatSettings
from bedside_chat.standing import Composer, Standing, composers, standings
from bedside_chat.taking_part import TakingPart
from bedside_core.api import (
    DB,
    Actor,
    Conflict,
    Copies,
    InvalidInput,
    NotFound,
    Problem,
    Role,
    Topic,
    acting,
    audit,
    unit,
    uuid7,
)

if TYPE_CHECKING:
    from bedside_core.api import Platform

FILES = "chat_message"
"""The kind of owner that a message is of its attachments."""
MOST_ATTACHED = 10
"""Files with one message."""

# Held first, so that the statement below sees who left, joined or was removed while it waited.
_HOLD = "SELECT FROM conversation WHERE id = $1 FOR NO KEY UPDATE"
# One statement: a retry finds the first message; else the conversation moves on, the message takes its position, the
# sender has read up to it, and it comes back to those who left, where its kind does so (C9), each at a position.
_SEND = f"""
WITH first AS (
    {MESSAGES} WHERE conversation_id = $2 AND sender_id = $3 AND client_id = $5
), gone AS (
    SELECT person_id, row_number() OVER (ORDER BY person_id) AS number FROM participant
    WHERE $10 AND conversation_id = $2 AND left_at IS NOT NULL AND NOT removed AND NOT by_link
        AND chat_until($2, home_id) IS NULL
), moved AS (
    UPDATE conversation SET "position" = "position" + 1 + (SELECT count(*) FROM gone),
        last_position = "position" + 1, messages = messages + 1, active_at = greatest(active_at, $6)
    WHERE id = $2 AND NOT EXISTS (SELECT FROM first)
        AND EXISTS (SELECT FROM participant WHERE conversation_id = $2 AND person_id = $3 AND left_at IS NULL)
    RETURNING id, practice_id, last_position, messages, "position" AS reached
), sent AS (
    INSERT INTO message (id, practice_id, conversation_id, "position", changed, number, sender_id, body, client_id,
        sent_at, urgent, reply_to, attached)
    SELECT $1, practice_id, id, last_position, last_position, messages, $3, $4, $5, $6, $7, $8, $9 FROM moved
    RETURNING {MESSAGE}
), reading AS (
    UPDATE participant p SET read_position = m.last_position, read_number = m.messages FROM moved m
    WHERE p.conversation_id = $2 AND p.person_id = $3
), back AS (
    UPDATE participant p SET left_at = NULL, changed = m.last_position + g.number FROM moved m, gone g
    WHERE p.conversation_id = $2 AND p.person_id = g.person_id AND p.left_at IS NOT NULL
)
SELECT {MESSAGE}, (SELECT reached FROM moved) AS reached, (SELECT p.read_number < m.messages - 1
    FROM participant p, moved m WHERE p.conversation_id = $2 AND p.person_id = $3) AS behind, false AS retried,
    ARRAY(SELECT p.person_id FROM participant p WHERE p.conversation_id = $2
        AND (p.left_at IS NULL OR p.person_id IN (SELECT person_id FROM gone))
        AND p.person_id NOT IN (SELECT d.person_id FROM chat_parted(ARRAY[$2]::uuid[]) d)) AS persons FROM sent
UNION ALL SELECT {MESSAGE}, NULL, NULL, true, NULL FROM first
"""
_URGENT = """INSERT INTO urgent_recipient (practice_id, conversation_id, message_id, person_id, home_id, remind_at)
SELECT practice_id, conversation_id, $2, person_id, home_id, CASE WHEN by_link THEN NULL ELSE $4::timestamptz END
FROM participant
WHERE conversation_id = $1 AND person_id <> $3 AND left_at IS NULL
    AND person_id NOT IN (SELECT d.person_id FROM chat_parted(ARRAY[$1]::uuid[]) d)"""
_READ = """
WITH target AS (
    SELECT "position", number FROM message WHERE conversation_id = $1 AND "position" <= $3
    ORDER BY "position" DESC LIMIT 1
), behind AS (
    SELECT FROM participant p, target t WHERE p.conversation_id = $1 AND p.person_id = $2 AND p.left_at IS NULL
    AND p.read_position < t."position"
), moved AS (
    UPDATE conversation SET "position" = "position" + 1 WHERE id = $1 AND EXISTS (SELECT FROM behind)
    RETURNING "position", practice_id, messages
)
UPDATE participant p SET read_position = t."position", read_number = t.number, changed = m."position",
    receipt_at = CASE p.kind WHEN 'member' THEN m."position" END,
    told_at = CASE WHEN p.changed IS DISTINCT FROM p.receipt_at THEN p.changed ELSE p.told_at END
FROM moved m, target t WHERE p.conversation_id = $1 AND p.person_id = $2 AND p.read_position < t."position"
RETURNING m."position" AS reached, m.practice_id, p.read_position, p.kind, p.home_id, p.by_link,
    t.number < m.messages AS more
"""


class Sending(TakingPart):
    """Sends messages, and does what is done with them."""

    async def send(
        self,
        actor: Actor,
        conversation_id: UUID,
        body: str,
        client_id: str,
        *,
        uploads: Sequence[UUID] = (),
        urgent: bool = False,
        reply_to: UUID | None = None,
    ) -> Message:
        """Send a message; a retry with the same client id returns the first one (C13).

        Args:
            actor: the sender.
            conversation_id: one of theirs.
            body: the text, as long as the practice allows, 10,000 characters at most; empty where files say it all.
            client_id: the client's own id of the message.
            uploads: the sender's finished uploads, at most 10 (C12).
            urgent: have each recipient acknowledge it (C10).
            reply_to: a message of this conversation that it answers.

        Raises:
            NotFound: none of the actor's conversations, uploads, or messages.
            InvalidInput: neither text nor files, too much of them, or text with NUL.
            Conflict: the client id was used with other content.
            Problem: text or files are not open there; `composer` tells before.
        """
        _, person_id = actor.as_person()
        given, files = body if body.strip() else "", list(dict.fromkeys(uploads))
        try:
            standing = await self._open(actor, conversation_id, text=bool(given) or not files, files=bool(files))
        except Problem:  # the answer to the first may have been lost, and nothing can be sent there since
            first = await self._before(actor, conversation_id, client_id)
            if first is None or not (first.deleted_at or await self._same(first, given, files, urgent, reply_to)):
                raise
            return first
        await self._check(given, files)
        if reply_to is not None and (await self.message(actor, reply_to)).conversation_id != conversation_id:
            raise NotFound(NO_MESSAGE, field=("replyTo",))
        now = self._platform.clock.now()
        values = (
            uuid7(), conversation_id, person_id, given, client_id, now, urgent, reply_to, len(files),
            standing.way.comes_back,
        )  # fmt: skip
        handing, copies = self._platform.files.handing, None
        if files and standing.practice_id != actor.practice_id:
            copies = await handing.copy(actor, files, standing.practice_id)
        try:
            message, retried = await self._insert(actor, standing, values, files, copies)
        except asyncpg.UniqueViolationError:  # the same id came twice at once; by now the first one is there
            message, retried = await self._insert(actor, standing, values, files, copies)
        if copies is not None:
            await self._platform.files.tidy()
        if retried and message.deleted_at is None and not await self._same(message, given, files, urgent, reply_to):
            raise Conflict("This clientId has sent another message.", field=("clientId",))
        return message

    async def _open(self, actor: Actor, conversation_id: UUID, *, text: bool, files: bool) -> Standing:
        """Return where the actor stands where they can send this; the same rules as those of the permissions.

        Raises:
            Problem: the refusal, coded.
        """
        for wanted, permission in ((text, "chat.send"), (files, "chat.share_files")):
            if wanted:
                await self._platform.access.require(actor, permission, about_target=False)
        standing = await standing_of(self._platform, actor, conversation_id)
        if standing is None:
            raise not_there().problem()
        composer = (await composers(self._platform, actor, [standing]))[conversation_id]
        for wanted, refusal in ((text, composer.text), (files, composer.files)):
            if wanted and refusal is not None:
                raise refusal.problem()
        return standing

    async def _before(self, actor: Actor, conversation_id: UUID, client_id: str) -> Message | None:
        """Return what the actor has sent with this client id in a conversation that they take part in."""
        if await standing_of(self._platform, actor, conversation_id) is None:
            return None
        row = await DB.fetchrow(
            f"{MESSAGES} WHERE conversation_id = $1 AND sender_id = $2 AND client_id = $3",
            conversation_id,
            actor.person_id,
            client_id,
        )
        return message_of(row) if row is not None else None

    async def _check(self, body: str, files: Sequence[UUID]) -> None:
        if not body and not files:
            raise InvalidInput("A message needs a text or a file.", field=("body",))
        longest = (await self._platform.settings.read(ChatSettings)).longest_message
        if len(body) > longest:
            raise InvalidInput(f"A message has at most {longest} characters.", field=("body",))
        if len(files) > MOST_ATTACHED:
            raise InvalidInput(f"A message has at most {MOST_ATTACHED} files.", field=("uploadIds",))

    async def _insert(
        self,
        actor: Actor,
        standing: Standing,
        values: tuple[object, ...],
        files: Sequence[UUID],
        copies: Copies | None,
    ) -> tuple[Message, bool]:
        async with unit() as work:
            await DB.execute(_HOLD, standing.conversation_id)
            row = await DB.fetchrow(_SEND, *values)
            if row is None:
                raise NotFound(MISSING)
            message = message_of(row)
            if row["retried"]:
                return message, True
            if files:
                await self._attach(actor, message, files, copies)
            if message.urgent:
                await DB.execute(
                    _URGENT, message.conversation_id, message.id, message.sender_id, message.sent_at + PAUSE
                )
            work.emit(
                MessageSent(
                    practice_id=message.practice_id,
                    conversation_id=message.conversation_id,
                    message_id=message.id,
                    sender_id=message.sender_id,
                    position=message.position,
                )
            )
            await telling.sent(self._platform, work, message)
            if row["behind"] and actor.practice_id is not None:  # who writes has read what was there
                guest = actor.role is Role.GUEST
                sender = telling.recipient(standing.person_kind, actor.practice_id, message.sender_id, by_link=guest)
                await telling.read(self._platform, work, message.conversation_id, sender, unread_after=None)
            answer = await auto_replies.answer(self._platform, work, actor, standing, message)
            if standing.kind is ConversationKind.PATIENT and standing.subject_id is not None:
                audit.did("chat.send", kind="message", target=message.id, patients=[standing.subject_id])
            reached = answer.position if answer is not None else row["reached"]
            work.publish(Topic(CONVERSATION_STREAM, message.conversation_id), reached)
            self._tell_inboxes(work, message.conversation_id, row["persons"])
        return message, False

    async def _attach(self, actor: Actor, message: Message, files: Sequence[UUID], copies: Copies | None) -> None:
        if copies is None:
            await self._platform.files.attach(actor, files, FILES, message.id)
        else:
            await self._platform.files.handing.over(actor, copies, files, FILES, message.id)
        await DB.execute(
            """INSERT INTO message_attachment (practice_id, conversation_id, message_id, file_id, place)
            SELECT $1, $2, $3, f.id, f.place FROM unnest($4::uuid[]) WITH ORDINALITY AS f(id, place)""",
            message.practice_id,
            message.conversation_id,
            message.id,
            list(files),
        )

    async def _same(
        self, message: Message, body: str, files: Sequence[UUID], urgent: bool, reply_to: UUID | None
    ) -> bool:
        if (message.body, message.urgent, message.reply_to) != (body, urgent, reply_to):
            return False
        if not files or len(files) < message.attached:
            return not files and not message.attached
        attached = list((await self.attachments([message.id])).get(message.id, ()))
        gone = [each for each in files if each not in attached]
        if attached != [each for each in files if each in attached]:
            return False
        with acting(message.practice_id, message.sender_id):
            found = (await self._platform.files.by_id(gone)).values() if gone else ()
        return [each.owner_id for each in found] == [message.id] * len(gone)  # deleted since (C11)

    async def mark_read(self, actor: Actor, conversation_id: UUID, position: int) -> Conversation:
        """Note that the actor has read a conversation up to a position; it never goes back (C14, N3).

        Raises:
            NotFound: none of theirs.
        """
        _, person_id = actor.as_person()
        await self._platform.access.require(actor, "chat.read", conversation_id)
        async with unit() as work:
            row = await DB.fetchrow(_READ, conversation_id, person_id, position)
            if row is not None:
                work.emit(
                    ConversationRead(
                        practice_id=row["practice_id"],
                        conversation_id=conversation_id,
                        person_id=person_id,
                        position=row["read_position"],
                    )
                )
                await telling.read(
                    self._platform,
                    work,
                    conversation_id,
                    telling.recipient(row["kind"], row["home_id"], person_id, by_link=row["by_link"]),
                    unread_after=row["read_position"] if row["more"] else None,
                )
                work.publish(Topic(CONVERSATION_STREAM, conversation_id), row["reached"])
                self._tell_inboxes(work, conversation_id, [person_id])
        return await self._one(actor, conversation_id)

    def composing(self, actor: Actor) -> Composing:
        """Return what tells of several conversations what the actor can send there; the same for the same actor."""
        return Composing(self._platform, actor)


@dataclass(frozen=True)
class Composing:
    """Tells of conversations what an actor can send there, in a constant number of statements.

    Args:
        platform: plan, settings and the portal.
        actor: who would send.
    """

    platform: Platform = field(compare=False)
    actor: Actor

    async def __call__(self, conversation_ids: Sequence[UUID]) -> Mapping[UUID, Composer]:
        """Return what can be sent in those of the conversations that the actor takes part in."""
        found = await standings(self.platform, self.actor, conversation_ids)
        return await composers(self.platform, self.actor, list(found.values()))
