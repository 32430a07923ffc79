"""Searching messages (C14)."""

from typing import Annotated

import strawberry

from bedside_chat import finding
from bedside_chat.schema.types import Conversation, Message, conversation_type, message_type
from bedside_core.api import USUAL_PAGE
from bedside_graphql.api import After, Connection, First, Info, connection, gate, uuid_of


@strawberry.type(description="A piece of the text of a message that was found.")
class SnippetPiece:
    """A piece of a snippet."""

    text: str = strawberry.field(description="As it was written; `…` where something is left out.")
    found: bool = strawberry.field(description="Whether it is one of the words that were looked for.")


@strawberry.type(description="A message that a search has found.")
class FoundMessage:
    """A found message."""

    message: Message = strawberry.field(description="The message.")
    conversation: Conversation = strawberry.field(description="Where it stands.")
    snippet: list[SnippetPiece] = strawberry.field(description="The piece of its text that shows why, in order.")


@strawberry.type
class FindingQuery:
    """Queries that find messages."""

    @strawberry.field(
        description="The messages of one's conversations that have words beginning with each word of a text, the "
        "newest first. Neither case nor accents count; what was deleted is not found (C14).",
        extensions=[gate("chat.search")],
    )
    async def search_messages(
        self,
        info: Info,
        text: Annotated[str, strawberry.argument(description="Beginnings of words, at most 200 characters.")],
        conversation_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Search in this conversation alone.")
        ] = None,
        first: First = USUAL_PAGE,
        after: After = None,
    ) -> Connection[FoundMessage] | None:
        """Return a page of messages."""
        page = await info.context.platform.service(finding.Finding).messages(
            info.context.signed_in(),
            text,
            uuid_of(conversation_id) if conversation_id is not None else None,
            first=first,
            after=after,
        )
        return connection(page, _found)


def _found(found: finding.FoundMessage) -> FoundMessage:
    return FoundMessage(
        message=message_type(found.message),
        conversation=conversation_type(found.conversation),
        snippet=[SnippetPiece(text=each.text, found=each.found) for each in found.snippet],
    )
