"""Figures on visits: how many there were each week, who did not come, and how long people waited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

from bedside_core.api import DB, Actor, InvalidInput, NotFound, Row

if TYPE_CHECKING:
    from bedside_core.api import Platform

LONGEST = timedelta(days=800)
"""Time over which figures are made."""
MOST_MEMBERS = 100

# A wait begins when both are there: the patient, and the time that was agreed on. Weeks are those of the wall.
_FIGURES = """
WITH found AS (
    SELECT a.state, date_trunc('week', a.starts_at AT TIME ZONE $3)::date AS week,
        CASE WHEN a.arrived_at IS NOT NULL AND a.started_at IS NOT NULL THEN greatest(0,
            extract(epoch FROM a.started_at - greatest(a.arrived_at, a.starts_at))) END AS waited
    FROM appointment a
    WHERE a.starts_at >= $1 AND a.starts_at < $2 AND a.state IN ('booked', 'completed', 'no_show', 'cancelled')
        AND (cardinality($4::uuid[]) = 0 OR EXISTS (
            SELECT FROM appointment_member m WHERE m.appointment_id = a.id AND m.member_id = ANY($4)))
)
SELECT week, count(*) FILTER (WHERE state = 'completed') AS visits,
    count(*) FILTER (WHERE state = 'no_show') AS no_shows,
    count(*) FILTER (WHERE state = 'cancelled') AS cancellations,
    count(*) FILTER (WHERE state = 'booked') AS booked,
    count(waited) AS waits,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY waited) AS median,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY waited) AS ninetieth
FROM found GROUP BY GROUPING SETS ((week), ()) ORDER BY week NULLS FIRST
"""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Figures on the appointments that begin within a time; one of a group counts once.

    Args:
        week: the Monday of the week they are of, on the practice's wall; None where they are of all the time.
        visits: those that took place.
        no_shows: those to which nobody came.
        cancellations: those that were cancelled.
        booked: those that are to come, or of which nobody has recorded what became.
        waits: visits of which it is known how long the patient waited.
        median_wait: half of them waited for this long at most, in seconds; None where it is known of none.
        ninetieth_wait: nine of ten waited for this long at most, in seconds.
    """

    week: date | None
    visits: int
    no_shows: int
    cancellations: int
    booked: int
    waits: int
    median_wait: float | None
    ninetieth_wait: float | None


@dataclass(frozen=True, kw_only=True)
class ScheduleFigures:
    """Figures of a time, and of each of its weeks.

    Args:
        zone: the practice's, in which weeks begin.
        whole: of all the time.
        weeks: of each week in order, those too in which there was nothing.
    """

    zone: str
    whole: Figures
    weeks: Sequence[Figures]


class Counting:
    """Makes figures.

    Args:
        platform: access and people.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def figures(
        self, actor: Actor, *, starts_from: datetime, starts_to: datetime, member_ids: Sequence[UUID]
    ) -> ScheduleFigures:
        """Return figures on the practice's appointments in two statements, however many there are.

        Args:
            actor: a member.
            starts_from: the first instant.
            starts_to: the last, which is not in it any more; 800 days later at most.
            member_ids: on those of these practitioners alone, 100 at most; none is all.

        Raises:
            InvalidInput: no such time, or too long a one, or too many members.
        """
        practice_id, _ = actor.in_practice()
        await self._platform.access.require(actor, "scheduling.figures")
        if starts_to <= starts_from:
            raise InvalidInput("`to` is after `from`.", field=("to",))
        if starts_to - starts_from > LONGEST:
            raise InvalidInput(f"Figures are made over {LONGEST.days} days at most.", field=("to",))
        if len(member_ids) > MOST_MEMBERS:
            raise InvalidInput(f"At most {MOST_MEMBERS} members.", field=("memberIds",))
        practice = await self._platform.people.practice(practice_id)
        if practice is None:
            raise NotFound("There is no such practice.")
        rows = await DB.fetch(_FIGURES, starts_from, starts_to, practice.zone, list(member_ids))
        return ScheduleFigures(
            zone=practice.zone,
            whole=_figures(rows[0]),
            weeks=_weeks(rows[1:], starts_from, starts_to, ZoneInfo(practice.zone)),
        )


def _weeks(rows: Sequence[Row], starts_from: datetime, starts_to: datetime, zone: ZoneInfo) -> Sequence[Figures]:
    found = {row["week"]: _figures(row) for row in rows}
    first = starts_from.astimezone(zone).date()
    last = (starts_to - timedelta(microseconds=1)).astimezone(zone).date()
    week = first - timedelta(days=first.weekday())
    weeks: list[Figures] = []
    while week <= last:
        weeks.append(found.get(week) or _none(week))
        week += timedelta(days=7)
    return weeks


def _none(week: date) -> Figures:
    return Figures(
        week=week, visits=0, no_shows=0, cancellations=0, booked=0, waits=0, median_wait=None, ninetieth_wait=None
    )


def _figures(row: Row) -> Figures:
    return Figures(
        week=row["week"],
        visits=row["visits"],
        no_shows=row["no_shows"],
        cancellations=row["cancellations"],
        booked=row["booked"],
        waits=row["waits"],
        median_wait=row["median"],
        ninetieth_wait=row["ninetieth"],
    )
