"""Finds messages by their words, in the conversations that one takes part in (C14)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_chat.api import Conversation, Message
from bedside_chat.reading import LONGEST_TEXT, instant_of
from bedside_chat.rows import EPOCH, MESSAGE, message_of
from bedside_chat.service import ChatService
from bedside_chat.words import Piece, snippet, words_of
from bedside_core.api import DB, Actor, InvalidInput, Page, key_of, page_of, page_size

if TYPE_CHECKING:
    from bedside_core.api import Platform

_SEARCH = f"""SELECT {MESSAGE} FROM message WHERE id IN (SELECT f.id FROM chat_search($1, $2, $3, $4, $5) AS f)
ORDER BY sent_at DESC, id DESC"""


@dataclass(frozen=True, kw_only=True)
class FoundMessage:
    """A message that a search has found.

    Args:
        message: the message.
        conversation: where it stands.
        snippet: the piece of it that shows why.
    """

    message: Message
    conversation: Conversation
    snippet: tuple[Piece, ...]


class Finding:
    """Searches messages.

    Args:
        platform: access.
        chat: reads conversations.
    """

    def __init__(self, platform: Platform, chat: ChatService) -> None:
        self._platform = platform
        self._chat = chat

    async def messages(
        self, actor: Actor, text: str, conversation_id: UUID | None, *, first: int | None, after: str | None
    ) -> Page[FoundMessage]:
        """Return the messages that have words beginning with each word of a text, the newest first; two statements.

        Only conversations in which the actor takes part now are searched; neither case nor accents count.

        Args:
            actor: a member, or a patient in the portal.
            text: one or more beginnings of words, at most 200 characters; of more than eight words some count.
            conversation_id: search in this one alone.
            first: how many.
            after: cursor after which the page begins.

        Raises:
            NotFound: the conversation is none of theirs.
            InvalidInput: the text is too long, or a foreign cursor.
        """
        actor.as_person()
        await self._platform.access.require(actor, "chat.search", conversation_id)
        if len(text) > LONGEST_TEXT:
            raise InvalidInput(f"A search has at most {LONGEST_TEXT} characters.", field=("text",))
        size, key = page_size(first), key_of(after, int, UUID)
        before = (instant_of(key[0]), key[1]) if key else (None, None)
        rows = await DB.fetch(_SEARCH, text, conversation_id, *before, size + 1)
        messages = [message_of(row) for row in rows]
        there = await self._chat.conversations_by_id(actor, [each.conversation_id for each in messages[:size]])
        wanted = words_of(text)
        # Of the one too many, that it is there is all that is used of it.
        found = [
            FoundMessage(
                message=each, conversation=there[each.conversation_id], snippet=tuple(snippet(each.body, wanted))
            )
            for each in messages[:size]
            if each.conversation_id in there
        ]
        return page_of(
            found,
            size,
            lambda item: ((item.message.sent_at - EPOCH) // timedelta(microseconds=1), str(item.message.id)),
            after=after,
            more=len(rows) > size,
        )
