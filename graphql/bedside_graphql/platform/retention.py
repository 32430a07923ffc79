"""Retention as GraphQL shows it: whose records are about to be archived or erased."""

from datetime import datetime

import strawberry

from bedside_core.paging import USUAL_PAGE
from bedside_core.records import retention
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart
from bedside_graphql.platform.patients import Patient, patient_type
from bedside_graphql.types import After, Connection, First, connection


@strawberry.type(description="A patient whose record's time is over by the practice's retention.")
class RetentionItem:
    """A patient whose time is over."""

    patient: Patient = strawberry.field(description="The patient.")
    acts_at: datetime = strawberry.field(
        description="From then on the record is archived or erased, unless something happens with the patient before."
    )
    erases: bool = strawberry.field(description="Whether it is erased for good; otherwise it is archived.")


def _item(due: retention.Due) -> RetentionItem:
    return RetentionItem(patient=patient_type(due.patient), acts_at=due.acts_at, erases=due.erases)


@strawberry.type
class RetentionQuery:
    """Queries of retention."""

    @strawberry.field(
        description="Patients whose records are about to be archived or erased, the next first.",
        extensions=[gate("retention.read")],
    )
    async def retention_due(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[RetentionItem] | None:
        """Return a page of them."""
        actor = info.context.signed_in()
        page = await retention.due_patients(info.context.platform, actor, first=first, after=after)
        return connection(page, _item)


PART = GraphQLPart(query=RetentionQuery)
