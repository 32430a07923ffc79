"""Reads conversations: lists, one, who takes part, messages by page, and what changes in them, live."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_chat.api import CONVERSATION_STREAM, Conversation, Message, Participant
from bedside_chat.changes import Change, Told, changes_after
from bedside_chat.receipts import Receipts, sees_members
from bedside_chat.rows import (
    CONVERSATION,
    CONVERSATIONS_BY_ID,
    EPOCH,
    FOUND,
    LISTED,
    MESSAGE,
    MESSAGES,
    MISSING,
    NO_MESSAGE,
    PARTICIPANT,
    conversation_of,
    message_of,
    participant_of,
)
from bedside_chat.standing import reaches
from bedside_core.api import (
    DB,
    PRACTICE_STREAM,
    Actor,
    InvalidInput,
    NotFound,
    Page,
    PersonKind,
    Row,
    StoredFile,
    Topic,
    acting,
    audit,
    cursor_of,
    follow,
    key_of,
    page_of,
    page_size,
)

if TYPE_CHECKING:
    from bedside_core.api import Platform

REPLAY = 100
"""Messages or changes read at once while a subscription replays."""
LONGEST_TEXT = 200
"""Characters of a search."""


class Reading:
    """Reads chat's tables.

    Args:
        platform: access, clock and live streams.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def conversations(
        self, actor: Actor, *, first: int | None, after: str | None, text: str = ""
    ) -> Page[Conversation]:
        """Return the actor's conversations, the most recently active first, whatever the plan (L5).

        Args:
            actor: whose.
            first: how many.
            after: cursor after which the page begins.
            text: those alone that are called so, or have somebody in them who is: beginnings of words, at most 200
                characters.

        Raises:
            InvalidInput: the text is too long, or a foreign cursor.
        """
        _, person_id = actor.as_person()
        await self._platform.access.require(actor, "chat.read")
        if len(text) > LONGEST_TEXT:
            raise InvalidInput(f"A search has at most {LONGEST_TEXT} characters.", field=("text",))
        size, key = page_size(first), key_of(after, int, UUID)
        text = text.strip()
        rows = await DB.fetch(
            FOUND if text else LISTED,
            person_id,
            size + 1,
            instant_of(key[0]) if key else None,
            key[1] if key else None,
            actor.bound_to,
            *([text] if text else ()),
        )
        _saw(rows[:size])
        return page_of(
            [conversation_of(row) for row in rows],
            size,
            lambda item: ((item.active_at - EPOCH) // timedelta(microseconds=1), str(item.id)),
            after=after,
        )

    async def conversation(self, actor: Actor, conversation_id: UUID) -> Conversation:
        """Return one of the actor's conversations.

        Raises:
            NotFound: none of theirs.
        """
        await self._platform.access.require(actor, "chat.read", conversation_id)
        return await self._one(actor, conversation_id)

    async def conversations_by_id(self, actor: Actor, ids: Sequence[UUID]) -> Mapping[UUID, Conversation]:
        """Return those of the conversations that the actor takes part in, in one statement."""
        rows = await DB.fetch(CONVERSATIONS_BY_ID, actor.person_id, list(ids))
        _saw(rows)
        return {row["id"]: conversation_of(row) for row in rows}

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
            return page_of([message_of(row) for row in rows], size, lambda item: (item.position,), after=after)
        size, key = page_size(last, "last"), key_of(before, int, argument="before")
        rows = await DB.fetch(
            f"""{MESSAGES} WHERE conversation_id = $1 AND ($2::bigint IS NULL OR "position" < $2)
            ORDER BY "position" DESC LIMIT $3""",
            conversation_id,
            key[0] if key else None,
            size + 1,
        )
        items = [message_of(row) for row in reversed(rows[:size])]
        # Relay: paging backwards, hasPreviousPage tells whether there is more, hasNextPage whether there was a cursor.
        return Page(
            items=items,
            cursors=[cursor_of(item.position) for item in items],
            more=before is not None,
            before=len(rows) > size,
        )

    async def message(self, actor: Actor, message_id: UUID) -> Message:
        """Return a message of a conversation that the actor takes part in.

        Raises:
            NotFound: none that they may see.
        """
        row = await DB.fetchrow(
            f"""SELECT {MESSAGE}, (SELECT c.subject_id FROM conversation c
                WHERE c.id = message.conversation_id AND c.kind = 'patient') AS patient_id
            FROM message WHERE id = $1 AND conversation_id IN (
                SELECT p.conversation_id FROM participant p WHERE p.person_id = $2 AND p.left_at IS NULL)""",
            message_id,
            actor.person_id,
        )
        if row is None or not reaches(actor, row["conversation_id"]):
            raise NotFound(NO_MESSAGE)
        if row["patient_id"] is not None:
            audit.saw([row["patient_id"]])
        return message_of(row)

    async def messages_by_id(self, ids: Sequence[UUID]) -> Mapping[UUID, Message]:
        """Return messages by id, for what stands in a conversation the caller was given."""
        rows = await DB.fetch(f"{MESSAGES} WHERE id = ANY($1)", list(ids))
        return {row["id"]: message_of(row) for row in rows}

    async def added(self, actor: Actor, conversation_id: UUID, after: str | None) -> AsyncGenerator[Message, None]:
        """Follow a conversation's messages live: replay what came after the cursor, then each new one, in order.

        Access is asked anew before anything is handed out. The stream ends by raising the refusal.

        Args:
            actor: the reader.
            conversation_id: one of theirs.
            after: cursor of the last message the client has; without it the stream begins with the next message.

        Raises:
            Problem: the refusal, at the start or later.
        """

        async def read(position: int) -> list[tuple[int, Message]]:
            await self._platform.access.require(actor, "chat.follow", conversation_id)
            rows = await self._rows(conversation_id, position, REPLAY)
            return [(row["position"], message_of(row)) for row in rows]

        cursor = await self._begin_at(actor, conversation_id, after)
        topic = Topic(CONVERSATION_STREAM, conversation_id)
        stream = follow(self._platform.live, topic, read, cursor, also=self._plan_of(actor))
        async with aclosing(stream) as found:
            async for message in found:
                yield message

    async def changes(self, actor: Actor, conversation_id: UUID, after: str | None) -> AsyncGenerator[Change, None]:
        """Follow all that changes in a conversation live, each thing as it is when it is handed out (promise D7).

        A thing that has changed several times meanwhile comes once, in its present state, so no cursor is too old.
        Patients and guests are not told of what members have read or acknowledged, unless the practice lets them (C14).

        Args:
            actor: the reader.
            conversation_id: one of theirs.
            after: cursor of the last change the client has; without it the stream begins with the next.

        Raises:
            Problem: the refusal, at the start or later.
        """

        async def read(position: int) -> list[tuple[int, Change]]:
            await self._platform.access.require(actor, "chat.follow", conversation_id)
            receipts = await sees_members(self._platform, actor)
            found, whole = await changes_after(conversation_id, actor.person_id, position, REPLAY, receipts=receipts)
            return [(change.position, change) for change in told.mark(found, whole=whole)]

        cursor = await self._begin_at(actor, conversation_id, after)
        told = Told(cursor)
        topic = Topic(CONVERSATION_STREAM, conversation_id)
        stream = follow(self._platform.live, topic, read, cursor, also=self._plan_of(actor))
        async with aclosing(stream) as found:
            async for change in found:
                yield change

    async def participants(self, conversation_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Participant]]:
        """Return who takes part in each conversation, in the order in which they joined."""
        rows = await DB.fetch(
            f"""SELECT {PARTICIPANT} FROM participant p WHERE p.conversation_id = ANY($1) AND p.left_at IS NULL
            ORDER BY p.joined_at, p.person_id""",
            list(conversation_ids),
        )
        found: dict[UUID, list[Participant]] = {}
        for row in rows:
            found.setdefault(row["conversation_id"], []).append(participant_of(row))
        return found

    async def people(self, keys: Sequence[tuple[UUID, UUID]]) -> Mapping[tuple[UUID, UUID], Participant]:
        """Return how people are shown who take part in the actor's conversations, or did, by conversation and person.

        Names are those of today where the acting practice sees the person, else those of when they joined. Four
        statements at most.
        """
        rows = await DB.fetch(
            f"""SELECT {PARTICIPANT} FROM participant p
            JOIN unnest($1::uuid[], $2::uuid[]) AS k(conversation, person)
                ON p.conversation_id = k.conversation AND p.person_id = k.person""",
            [key[0] for key in keys],
            [key[1] for key in keys],
        )
        found = {(row["conversation_id"], row["person_id"]): participant_of(row) for row in rows}
        names: dict[UUID, tuple[str, str | None]] = {}
        of_kind = {kind: list({each.person_id for each in found.values() if each.kind is kind}) for kind in PersonKind}
        people = self._platform.people
        if ids := of_kind[PersonKind.MEMBER]:
            for key, listed in (await people.directory(ids)).items():
                names[key] = listed.member.name, listed.practice_name
        if ids := of_kind[PersonKind.PATIENT]:
            for key, patient in (await people.present_patients(ids)).items():
                names[key] = patient.name, None
        if ids := of_kind[PersonKind.CONTACT]:
            for key, contact in (await people.contacts_by_id(ids)).items():
                names[key] = contact.name, None
        return {key: _as_of_today(each, names.get(each.person_id)) for key, each in found.items()}

    async def attachments(self, message_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[UUID]]:
        """Return the files of messages, in their order."""
        rows = await DB.fetch(
            """SELECT message_id, array_agg(file_id ORDER BY place) AS files FROM message_attachment
            WHERE message_id = ANY($1) GROUP BY message_id""",
            list(message_ids),
        )
        return {row["message_id"]: tuple(row["files"]) for row in rows}

    async def attached(self, message_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[StoredFile]]:
        """Return the files of messages that the caller was given, in their order.

        Two statements, and one more for each other practice whose conversations they stand in.
        """
        rows = await DB.fetch(
            """SELECT message_id, practice_id, file_id FROM message_attachment WHERE message_id = ANY($1)
            ORDER BY message_id, place""",
            list(message_ids),
        )
        files = dict(await self._platform.files.by_id([row["file_id"] for row in rows])) if rows else {}
        away = [row for row in rows if row["file_id"] not in files]
        for practice_id in {row["practice_id"] for row in away}:
            with acting(practice_id):
                files |= await self._platform.files.by_id([row["file_id"] for row in away])
        found: dict[UUID, list[StoredFile]] = {}
        for row in rows:
            if row["file_id"] in files:
                found.setdefault(row["message_id"], []).append(files[row["file_id"]])
        return found

    async def positions(self, conversation_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """Return the position of each conversation, for whoever follows it, across practices."""
        rows = await DB.fetch("SELECT * FROM chat_positions($1)", list(conversation_ids))
        return {row["id"]: row["position"] for row in rows}

    async def _begin_at(self, actor: Actor, conversation_id: UUID, after: str | None) -> int:
        await self._platform.access.require(actor, "chat.follow", conversation_id)
        key = key_of(after, int)
        position = (await self._one(actor, conversation_id)).position
        cursor = position if key is None else key[0]
        if cursor > position:  # it would be deaf until as much has changed
            raise InvalidInput("This cursor is beyond the conversation's last change.", field=("after",))
        return cursor

    def receipts(self, actor: Actor) -> Receipts:
        """Return what tells whether an actor sees what members have read; the same for the same actor."""
        return Receipts(self._platform, actor)

    def _plan_of(self, actor: Actor) -> list[Topic]:
        """Return the stream whose moves may end what the actor follows: their practice's plan and rights (L4)."""
        return [Topic(PRACTICE_STREAM, actor.practice_id)] if actor.practice_id else []

    async def _one(self, actor: Actor, conversation_id: UUID) -> Conversation:
        row = await DB.fetchrow(CONVERSATION, actor.person_id, conversation_id)
        if row is None or not reaches(actor, conversation_id):
            raise NotFound(MISSING)
        _saw([row])
        return conversation_of(row)

    async def _rows(self, conversation_id: UUID, position: int, size: int) -> list[Row]:
        return await DB.fetch(
            f'{MESSAGES} WHERE conversation_id = $1 AND "position" > $2 ORDER BY "position" LIMIT $3',
            conversation_id,
            position,
            size,
        )


def _as_of_today(participant: Participant, named: tuple[str, str | None] | None) -> Participant:
    """Return a participant by the name, and where it is told the practice's name, of today."""
    if named is None:
        return participant
    return replace(participant, shown_name=named[0], shown_practice=named[1] or participant.shown_practice)


def _saw(rows: Sequence[Row]) -> None:
    """Note the patients whose conversations are returned (A14)."""
    audit.saw(row["subject_id"] for row in rows if row["kind"] == "patient")


def instant_of(microseconds: int) -> datetime:
    """Return the instant in a cursor.

    Raises:
        InvalidInput: nothing was active so late.
    """
    try:
        return EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        raise InvalidInput("This is not a cursor of this list.", field=("after",)) from None
