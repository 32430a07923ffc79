"""Exports of conversations as GraphQL shows them (C15)."""

import enum
from datetime import datetime
from typing import Annotated

import strawberry

from bedside_chat import exported
from bedside_chat.exports import Exports
from bedside_chat.schema.types import ConversationId
from bedside_core.api import USUAL_PAGE, ExportState
from bedside_graphql.api import After, ClientId, Connection, First, Info, client_id_of, connection, gate, uuid_of


@strawberry.enum(description="What an export of a conversation is written as.")
class ConversationExportFormat(enum.Enum):
    """Formats."""

    PDF = strawberry.enum_value("pdf", description="To read and print; at most 20,000 messages.")
    JSON = strawberry.enum_value("json", description="For programs.")


@strawberry.type(description="An export of a conversation as a file.")
class ConversationExport:
    """An export."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    conversation_id: strawberry.ID = strawberry.field(description="Of which conversation.")
    format: ConversationExportFormat = strawberry.field(description="What it is written as.")
    state: ExportState = strawberry.field(description="How far it is.")
    reason: str | None = strawberry.field(description="Why it failed.")
    url: str | None = strawberry.field(description="Where it is downloaded by who asked for it, while it is ready.")
    megabytes: float | None = strawberry.field(description="Its length, in megabytes of a million bytes.")
    created_at: datetime = strawberry.field(description="When it was asked for.")
    ended_at: datetime | None = strawberry.field(description="When it was ready.")
    expires_at: datetime | None = strawberry.field(
        description="When its file is deleted; it is at once where something in the conversation is deleted."
    )


def _export(found: exported.ConversationExport) -> ConversationExport:
    return ConversationExport(
        id=strawberry.ID(str(found.id)),
        conversation_id=strawberry.ID(str(found.conversation_id)),
        format=ConversationExportFormat(found.form.value),
        state=found.state,
        reason=found.reason,
        url=f"/files/{found.file_id}" if found.file_id else None,
        megabytes=found.size / 1_000_000 if found.size else None,
        created_at=found.created_at,
        ended_at=found.ended_at,
        expires_at=found.expires_at,
    )


@strawberry.type
class ExportQuery:
    """Queries of exports."""

    @strawberry.field(
        description="An export of a conversation that one has asked for oneself.",
        extensions=[gate(exported.PERMISSION)],
    )
    async def conversation_export(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The export's id.")]
    ) -> ConversationExport | None:
        """Return an export."""
        return _export(await info.context.platform.service(Exports).of(info.context.signed_in(), uuid_of(id)))

    @strawberry.field(
        description="The exports of conversations that one has asked for oneself, the newest first.",
        extensions=[gate(exported.PERMISSION)],
    )
    async def conversation_exports(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[ConversationExport] | None:
        """Return a page of exports."""
        exports = info.context.platform.service(Exports)
        return connection(await exports.page(info.context.signed_in(), first=first, after=after), _export)


@strawberry.type
class ExportMutation:
    """Mutations of exports."""

    @strawberry.mutation(
        description="Have a conversation that one takes part in written into a file in the background; an owner any "
        "of the practice's, who says what for, which stands in the audit trail (C15). Who asks can download it for "
        "seven days, unless something in the conversation is deleted before.",
        extensions=[gate(exported.PERMISSION)],
    )
    async def export_conversation(
        self,
        info: Info,
        conversation_id: ConversationId,
        format: Annotated[ConversationExportFormat, strawberry.argument(description="As what.")],
        client_id: ClientId,
        purpose: Annotated[
            str | None,
            strawberry.argument(
                description="What for, at most 500 characters; required of an owner who is not in the conversation."
            ),
        ] = None,
    ) -> ConversationExport | None:
        """Begin an export."""
        begun = await info.context.platform.service(Exports).begin(
            info.context.signed_in(),
            uuid_of(conversation_id),
            exported.ExportForm(format.value),
            client_id_of(client_id),
            purpose,
        )
        return _export(begun)
