"""Writes a conversation down as JSON, all that was said and done in it as far as nobody has deleted it (C15)."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from bedside_chat.api import Message, Participant
from bedside_chat.rows import MESSAGES, PARTICIPANT, message_of, participant_of
from bedside_chat.service import ChatService
from bedside_core.api import DB, PersonKind, Practice, StoredFile, label_of

if TYPE_CHECKING:
    from bedside_core.api import Platform

FORMAT = "bedside.conversation/1"
"""What the document calls itself; another number where a reader has to change."""
BATCH = 500

_CONVERSATION = """SELECT id, kind, name, description, private, created_at, "position"
FROM conversation WHERE id = $1"""
_PARTICIPANTS = f"""SELECT {PARTICIPANT}, p.read_number FROM participant p WHERE p.conversation_id = $1
ORDER BY p.joined_at, p.person_id"""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written.

    Args:
        position: the conversation's position that it was written at.
        messages: how many there are.
        name: what a file of it is called, without its ending.
    """

    position: int
    messages: int
    name: str


class Transcript:
    """Writes one conversation, as the acting practice and person see it.

    Args:
        platform: people and files.
        conversation_id: which.
        practice: the practice of who asked, in whose zone times are told.
        asked_by: who asked.
        now: when.
        receipts: whether they see what members have read and acknowledged (C14).
    """

    def __init__(
        self,
        platform: Platform,
        conversation_id: UUID,
        practice: Practice,
        asked_by: UUID,
        now: datetime,
        *,
        receipts: bool,
    ) -> None:
        self._chat = platform.service(ChatService)
        self._members = platform.people.members_by_id
        self._conversation_id = conversation_id
        self._practice = practice
        self._asked_by = asked_by
        self._now = now
        self._receipts = receipts
        self._zone = ZoneInfo(practice.zone)
        self._names: dict[UUID, str] = {}

    async def write(self, path: Path) -> Written | None:
        """Write the conversation into a file.

        Returns:
            What was written; None where there is no such conversation.
        """
        row = await DB.fetchrow(_CONVERSATION, self._conversation_id)
        if row is None:
            return None
        found = await DB.fetch(_PARTICIPANTS, self._conversation_id)
        shown = await self._chat.people([(self._conversation_id, each["person_id"]) for each in found])
        people = {person_id: each for (_, person_id), each in shown.items()}
        self._names = {key: each.shown_name for key, each in people.items()}
        if self._asked_by not in self._names:  # an owner who is not in it
            owners = await self._members([self._asked_by])
            self._names |= {key: each.name for key, each in owners.items()}
        head = {
            "format": FORMAT,
            "exportedAt": self._at(self._now),
            "exportedBy": {"id": str(self._asked_by), "name": self._names.get(self._asked_by)},
            "practice": self._practice.name,
            "zone": self._practice.zone,
            "conversation": {
                "id": str(row["id"]),
                "kind": row["kind"],
                "name": row["name"],
                "description": row["description"],
                "private": row["private"],
                "startedAt": self._at(row["created_at"]),
            },
            "participants": [
                self._participant(participant_of(each), people[each["person_id"]], each["read_number"])
                for each in found
            ],
        }
        count = 0
        with path.open("w", encoding="utf-8") as file:
            file.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "messages": [')
            async for message in self._messages(row["position"]):
                file.write((",\n" if count else "\n") + json.dumps(message, ensure_ascii=False))
                count += 1
            file.write("\n]}\n")
        return Written(position=row["position"], messages=count, name=f"conversation {self._now:%Y-%m-%d}")

    def _participant(self, participant: Participant, named: Participant, read: int) -> dict[str, Any]:
        own = participant.home_id == self._practice.id
        return {
            "id": str(participant.person_id),
            "kind": participant.kind.value,
            "name": named.shown_name,
            "label": label_of(participant.kind, None if own else named.shown_practice),
            "joinedAt": self._at(participant.joined_at),
            "leftAt": self._at(participant.left_at),
            "readUpTo": read if self._receipts or participant.kind is not PersonKind.MEMBER else None,
        }

    async def _messages(self, position: int) -> AsyncGenerator[dict[str, Any], None]:
        """Yield messages in order, each with what hangs on it; five statements for 500 of them."""
        chat, after = self._chat, 0
        while rows := await DB.fetch(
            f"""{MESSAGES} WHERE conversation_id = $1 AND "position" > $2 AND "position" <= $3
            ORDER BY "position" LIMIT $4""",
            self._conversation_id,
            after,
            position,
            BATCH,
        ):
            messages = [message_of(row) for row in rows]
            after = messages[-1].position
            reactions = await chat.reactions([each.id for each in messages])
            urgent = [each.id for each in messages if each.urgent]
            acknowledged = await chat.acknowledgements(urgent)
            filed = [each.id for each in messages if each.attached]
            files = await chat.attached(filed)
            for each in messages:
                yield {
                    **self._said(each),
                    "attachments": [_file(file) for file in files.get(each.id, ())],
                    "reactions": [
                        {"emoji": mark.emoji, "by": [self._by(person) for person in mark.person_ids]}
                        for mark in reactions.get(each.id, ())
                    ],
                    "acknowledgements": [
                        {"by": self._by(mark.person_id), "at": self._at(mark.acknowledged_at)}
                        for mark in acknowledged.get(each.id, ())
                        if self._receipts or mark.kind is not PersonKind.MEMBER
                    ],
                }

    def _said(self, message: Message) -> dict[str, Any]:
        """Return a message, or its tombstone: when and by whom, and that it was deleted."""
        return {
            "number": message.number,
            "id": str(message.id),
            "sentAt": self._at(message.sent_at),
            "sender": None if message.automatic else self._by(message.sender_id),
            "automatic": message.automatic,
            "urgent": message.urgent,
            "replyTo": str(message.reply_to) if message.reply_to else None,
            "body": message.body,
            "deletedAt": self._at(message.deleted_at),
            "deletedBy": self._by(message.deleted_by) if message.deleted_by else None,
        }

    def _by(self, person_id: UUID) -> dict[str, str | None]:
        return {"id": str(person_id), "name": self._names.get(person_id)}

    def _at(self, instant: datetime | None) -> str | None:
        return instant.astimezone(self._zone).isoformat() if instant else None


def _file(file: StoredFile) -> Mapping[str, Any]:
    return {"name": file.name, "mediaType": file.media_type, "size": file.size}
