"""Figures on visits."""

from datetime import date, datetime
from typing import Annotated

import strawberry

from bedside_graphql.api import Info, Zone, gate, uuid_of, weighed
from bedside_scheduling import figures
from bedside_scheduling.figures import Counting


@strawberry.type(description="Figures on the appointments that begin within a time; one of a group counts once.")
class VisitFigures:
    """Figures."""

    visits: int = strawberry.field(description="Those that took place.")
    no_shows: int = strawberry.field(description="Those to which nobody came.")
    cancellations: int = strawberry.field(description="Those that were cancelled.")
    booked: int = strawberry.field(description="Those to come, or of which nobody has recorded what became.")
    waits: int = strawberry.field(
        description="Visits of which it is known how long the patient waited: from when they came, or else the time "
        "agreed on if that was later, until the visit began."
    )
    median_wait_seconds: float | None = strawberry.field(
        description="Half of them waited for this long at most; null where it is known of none."
    )
    ninetieth_wait_seconds: float | None = strawberry.field(
        description="Nine of ten waited for this long at most (the 90th percentile)."
    )


@strawberry.type(description="Figures of one week.")
class WeekFigures:
    """A week's figures."""

    week: date = strawberry.field(description="Its Monday, by the practice's clocks.")
    figures: VisitFigures = strawberry.field(description="Its figures.")


@strawberry.type(description="Figures on visits, for charts.")
class ScheduleFigures:
    """Figures of a time."""

    zone: Zone = strawberry.field(description="The practice's zone, in which weeks begin (S6).")
    whole: VisitFigures = strawberry.field(description="Of all the time.")
    weeks: list[WeekFigures] = strawberry.field(
        description="Of each week in order, those too in which there was nothing; of the first and the last the days "
        "within the time."
    )


@strawberry.type
class FiguresQuery:
    """The query of figures."""

    @strawberry.field(
        description="Visits, no-shows, cancellations and waiting times of the practice, or of some practitioners.",
        extensions=[gate("scheduling.figures", "scheduling"), weighed(10)],
    )
    async def schedule_figures(
        self,
        info: Info,
        from_: Annotated[datetime, strawberry.argument(name="from", description="The first instant.")],
        to: Annotated[datetime, strawberry.argument(description="The last; at most 800 days later.")],
        member_ids: Annotated[
            list[strawberry.ID] | None,
            strawberry.argument(description="On those of these practitioners alone, 100 at most."),
        ] = None,
    ) -> ScheduleFigures | None:
        """Return figures."""
        found = await info.context.platform.service(Counting).figures(
            info.context.signed_in(),
            starts_from=from_,
            starts_to=to,
            member_ids=[uuid_of(each) for each in member_ids or ()],
        )
        return ScheduleFigures(
            zone=Zone(found.zone),
            whole=_figures(found.whole),
            weeks=[WeekFigures(week=each.week, figures=_figures(each)) for each in found.weeks if each.week],
        )


def _figures(found: figures.Figures) -> VisitFigures:
    return VisitFigures(
        visits=found.visits,
        no_shows=found.no_shows,
        cancellations=found.cancellations,
        booked=found.booked,
        waits=found.waits,
        median_wait_seconds=found.median_wait,
        ninetieth_wait_seconds=found.ninetieth_wait,
    )
