"""The erasure of a practice that leaves, as GraphQL shows it."""

from datetime import datetime
from typing import Annotated

import strawberry

from bedside_core.records import leaving
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart


@strawberry.type(description="That the practice is erased for good, which was asked for.")
class PracticeErasure:
    """An erasure."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    asked_at: datetime = strawberry.field(description="When it was asked for.")
    due_at: datetime = strawberry.field(description="When it is done, unless it is called off before.")


def _erasure(found: leaving.Erasure) -> PracticeErasure:
    return PracticeErasure(id=strawberry.ID(str(found.id)), asked_at=found.asked_at, due_at=found.due_at)


@strawberry.type
class LeavingQuery:
    """Queries of erasures."""

    @strawberry.field(
        description="The erasure of the practice, where one is asked for.", extensions=[gate("practice.erase")]
    )
    async def practice_erasure(self, info: Info) -> PracticeErasure | None:
        """Return it."""
        info.context.signed_in().in_practice()
        found = await leaving.present()
        return _erasure(found) if found else None


@strawberry.type
class LeavingMutation:
    """Mutations of erasures."""

    @strawberry.mutation(
        description="Have the practice erased for good in thirty days: every row and file. It has to have been "
        "exported in the last thirty. Owners are told, and can call it off until then. Asked for already, that is "
        "returned.",
        extensions=[gate("practice.erase")],
    )
    async def erase_practice(
        self,
        info: Info,
        practice_name: Annotated[str, strawberry.argument(description="The practice's name, typed in.")],
    ) -> PracticeErasure | None:
        """Ask for it."""
        practice_id, person_id = info.context.signed_in().in_practice()
        return _erasure(await leaving.ask(info.context.platform, practice_id, practice_name, person_id))

    @strawberry.mutation(
        description="Call the practice's erasure off; tells whether one was asked for.",
        extensions=[gate("practice.erase")],
    )
    async def keep_practice(self, info: Info) -> bool | None:
        """Call it off."""
        practice_id, _ = info.context.signed_in().in_practice()
        return await leaving.cancel(info.context.platform, practice_id)


PART = GraphQLPart(query=LeavingQuery, mutation=LeavingMutation)
