"""What scheduling adds to what a patient has in the portal: appointments and visits (S10)."""

import strawberry

from bedside_core.api import USUAL_PAGE
from bedside_graphql.api import After, Connection, First, Info, connection, gate
from bedside_scheduling import own
from bedside_scheduling.schema.appointment import Appointment, appointment_node


@strawberry.type(name="Portal")
class PortalAppointments:
    """A patient's part of the schedule."""

    @strawberry.field(
        description="The patient's appointments that are not over, held ones among them, the next first. Whatever the "
        "plan (L5).",
        extensions=[gate("scheduling.read")],
    )
    async def appointments(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[Appointment] | None:
        """Return a page of what is ahead."""
        context = info.context
        page = await own.ahead(context.platform, context.signed_in(), first=first, after=after)
        return connection(page, appointment_node)

    @strawberry.field(
        description="The patient's visits, the latest first: those that have taken place, and past appointments of "
        "which nobody has recorded what became. Whatever the plan (L5).",
        extensions=[gate("scheduling.read")],
    )
    async def visits(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[Appointment] | None:
        """Return a page of visits."""
        context = info.context
        page = await own.visits(context.platform, context.signed_in(), first=first, after=after)
        return connection(page, appointment_node)
