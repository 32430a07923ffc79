"""Quick texts (C18)."""

from typing import Annotated

import strawberry

from bedside_chat import quick_texts
from bedside_chat.quick_texts import QuickTexts
from bedside_chat.schema.types import ConversationId
from bedside_core.api import USUAL_PAGE
from bedside_graphql.api import After, ClientId, Connection, First, Info, client_id_of, connection, gate, uuid_of


@strawberry.type(description="What a practice or a member writes often, with placeholders (C18).")
class QuickText:
    """A quick text."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    title: str = strawberry.field(description="By which it is found.")
    body: str = strawberry.field(description="The text, with placeholders such as {{patient.firstName}}.")
    own: bool = strawberry.field(description="Whether it is one's own, and not the practice's.")


QuickTextId = Annotated[strawberry.ID, strawberry.argument(description="The quick text's id.")]


@strawberry.type
class QuickTextQuery:
    """Queries of quick texts."""

    @strawberry.field(
        description="One's own quick texts and the practice's, by title.", extensions=[gate("chat.own_quick_texts")]
    )
    async def quick_texts(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[QuickText] | None:
        """Return a page of quick texts."""
        page = await _service(info).page(info.context.signed_in(), first=first, after=after)
        return connection(page, _type)

    @strawberry.field(
        description="A quick text with values in the place of its placeholders, for one's conversation: to be looked "
        "over, and sent with `sendMessage`.",
        extensions=[gate("chat.own_quick_texts")],
    )
    async def render_quick_text(self, info: Info, id: QuickTextId, conversation_id: ConversationId) -> str | None:
        """Render a quick text."""
        return await _service(info).render(info.context.signed_in(), uuid_of(id), uuid_of(conversation_id))


@strawberry.type
class QuickTextMutation:
    """Mutations of quick texts."""

    @strawberry.mutation(
        description="Keep a quick text. Placeholders are {{patient.firstName}}, {{patient.lastName}}, "
        "{{patient.name}}, {{member.firstName}}, {{member.lastName}}, {{member.name}}, {{practice.name}} and {{date}}; "
        "`patient` is whom the conversation is with. The practice's are kept by who has the permission "
        "`chat.quick_texts`.",
        extensions=[gate("chat.own_quick_texts")],
    )
    async def create_quick_text(
        self,
        info: Info,
        client_id: ClientId,
        title: Annotated[str, strawberry.argument(description="By which it is found; up to 80 characters.")],
        body: Annotated[str, strawberry.argument(description="The text; up to 5,000 characters.")],
        own: Annotated[bool, strawberry.argument(description="Whether it is one's own, or the practice's.")] = True,
    ) -> QuickText | None:
        """Keep a quick text."""
        made = await _service(info).create(info.context.signed_in(), title, body, client_id_of(client_id), own=own)
        return _type(made)

    @strawberry.mutation(
        description="Change a quick text; what is not given stays.", extensions=[gate("chat.own_quick_texts")]
    )
    async def change_quick_text(
        self,
        info: Info,
        id: QuickTextId,
        title: Annotated[str | None, strawberry.argument(description="The new title.")] = None,
        body: Annotated[str | None, strawberry.argument(description="The new text.")] = None,
    ) -> QuickText | None:
        """Change a quick text."""
        changed = await _service(info).change(info.context.signed_in(), uuid_of(id), title=title, body=body)
        return _type(changed)

    @strawberry.mutation(
        description="Delete a quick text; what was sent with it stays.", extensions=[gate("chat.own_quick_texts")]
    )
    async def delete_quick_text(self, info: Info, id: QuickTextId) -> bool | None:
        """Delete a quick text."""
        return await _service(info).delete(info.context.signed_in(), uuid_of(id))


def _service(info: Info) -> QuickTexts:
    return info.context.platform.service(QuickTexts)


def _type(text: quick_texts.QuickText) -> QuickText:
    return QuickText(id=strawberry.ID(str(text.id)), title=text.title, body=text.body, own=text.member_id is not None)
