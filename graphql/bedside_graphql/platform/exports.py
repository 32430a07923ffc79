"""Exports of a patient's or a practice's data as GraphQL shows them."""

from datetime import datetime
from typing import Annotated

import strawberry

from bedside_core.paging import USUAL_PAGE
from bedside_core.records import model
from bedside_core.records.service import Exports
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart
from bedside_graphql.types import After, ClientId, Connection, First, client_id_of, connection, uuid_of


@strawberry.type(description="An export of everything about a patient, or of everything of a practice, as a zip.")
class DataExport:
    """An export."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    patient_id: strawberry.ID | None = strawberry.field(description="Whose data; null is all of the practice's.")
    state: model.ExportState = strawberry.field(description="How far it is.")
    reason: str | None = strawberry.field(description="Why it failed.")
    url: str | None = strawberry.field(description="Where it is downloaded by who asked for it, while it is ready.")
    megabytes: float | None = strawberry.field(description="Its length, in megabytes of a million bytes.")
    created_at: datetime = strawberry.field(description="When it was asked for.")
    ended_at: datetime | None = strawberry.field(description="When it was ready.")
    expires_at: datetime | None = strawberry.field(description="When its file is deleted.")


def _export(found: model.DataExport) -> DataExport:
    return DataExport(
        id=strawberry.ID(str(found.id)),
        patient_id=strawberry.ID(str(found.patient_id)) if found.patient_id else None,
        state=found.state,
        reason=found.reason,
        url=f"/files/{found.file_id}" if found.file_id else None,
        megabytes=found.size / 1_000_000 if found.size else None,
        created_at=found.created_at,
        ended_at=found.ended_at,
        expires_at=found.expires_at,
    )


@strawberry.type
class ExportsQuery:
    """Queries of exports."""

    @strawberry.field(
        description="An export that one has asked for oneself.", extensions=[gate(model.PATIENT_PERMISSION)]
    )
    async def data_export(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The export's id.")]
    ) -> DataExport | None:
        """Return an export."""
        return _export(await Exports(info.context.platform).of(info.context.signed_in(), uuid_of(id)))

    @strawberry.field(
        description="The exports that one has asked for oneself, the newest first.",
        extensions=[gate(model.PATIENT_PERMISSION)],
    )
    async def data_exports(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[DataExport] | None:
        """Return a page of exports."""
        page = await Exports(info.context.platform).page(info.context.signed_in(), first=first, after=after)
        return connection(page, _export)


@strawberry.type
class ExportsMutation:
    """Mutations of exports."""

    @strawberry.mutation(
        description="Have everything about a patient written into a zip in the background: the record, files, who saw "
        "it, and what plugins keep. Who asks can download it for seven days.",
        extensions=[gate(model.PATIENT_PERMISSION)],
    )
    async def export_patient(
        self,
        info: Info,
        patient_id: Annotated[strawberry.ID, strawberry.argument(description="The patient's id.")],
        client_id: ClientId,
    ) -> DataExport | None:
        """Begin a patient's export."""
        actor, client = info.context.signed_in(), client_id_of(client_id)
        return _export(await Exports(info.context.platform).begin(actor, uuid_of(patient_id), client))

    @strawberry.mutation(
        description="Have everything of the practice written into a zip in the background. Who asks can download it "
        "for seven days.",
        extensions=[gate(model.PRACTICE_PERMISSION)],
    )
    async def export_practice(self, info: Info, client_id: ClientId) -> DataExport | None:
        """Begin the practice's export."""
        actor, client = info.context.signed_in(), client_id_of(client_id)
        return _export(await Exports(info.context.platform).begin(actor, None, client))


PART = GraphQLPart(query=ExportsQuery, mutation=ExportsMutation)
"""Exports' part of the schema."""
