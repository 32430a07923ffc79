"""Follows a practice's schedule live: each appointment of a calendar on screen as it is now, once, without gap (D7).

Each appointment, each practitioner's availability, and each entry of the waiting list has the position of its last
change, and each change takes a new position of the practice's schedule in its own transaction. So what is read is
complete, and what has changed several times meanwhile comes once.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.api import DB, PRACTICE_STREAM, Actor, InvalidInput, Topic, audit, cursor_of, follow, key_of
from bedside_scheduling.api import SCHEDULE_STREAM, Appointment
from bedside_scheduling.rows import COLUMNS, appointment_of
from bedside_scheduling.waiting import Entry, entries_of

if TYPE_CHECKING:
    from bedside_core.api import Platform

LONGEST = timedelta(days=100)
"""Of a calendar that is followed."""
MOST_MEMBERS = 100
"""Practitioners whose calendars are followed at once."""
BATCH = 100

_REACHED = """SELECT coalesce((SELECT "position" FROM schedule_stream WHERE practice_id = app_practice()), 0)"""

# Told of is what stands in the calendar, and what may have stood in it: at a time and with a practitioner it once had.
# In one statement, and so at one instant: between two, the one could learn of a later position than the other.
_CHANGED = f"""SELECT {COLUMNS}, each.place, each.opened, each.waits, each.inside FROM (
    (SELECT a.id, NULL::uuid AS opened, NULL::uuid AS waits, a.changed AS place,
        a.state <> 'lapsed' AND a.starts_at < $3 AND a.ends_at > $2
        AND (cardinality($4::uuid[]) = 0 OR EXISTS (
            SELECT FROM appointment_member m WHERE m.appointment_id = a.id AND m.member_id = ANY($4))) AS inside
    FROM appointment a JOIN appointment_told t ON t.appointment_id = a.id
    WHERE a.changed > $1 AND t.spans && tstzrange($2, $3, '[)')
        AND (cardinality($4::uuid[]) = 0 OR t.calendars && $4::uuid[])
    ORDER BY a.changed LIMIT $5)
    UNION ALL
    (SELECT NULL, c.member_id, NULL, c.changed, false FROM calendar c
    WHERE c.changed > $1 AND (cardinality($4::uuid[]) = 0 OR c.member_id = ANY($4))
    ORDER BY c.changed LIMIT $5)
    UNION ALL
    (SELECT NULL, NULL, e.id, e.changed, false FROM waiting_entry e WHERE $6 AND e.changed > $1
    ORDER BY e.changed LIMIT $5)
    ORDER BY place LIMIT $5
) AS each LEFT JOIN appointment a ON a.id = each.id ORDER BY each.place"""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What somebody who follows a calendar is told.

    Args:
        position: of the schedule, up to which they have been told now.
        appointment_id: which has changed.
        appointment: as it is now; None where it is not in the calendar any more.
        member_id: whose sections, days or closures have changed.
        entry: of the waiting list, as it is now. Where nothing is said it is the beginning of the stream, after which
            the calendar is fetched.
    """

    position: int
    appointment_id: UUID | None = None
    appointment: Appointment | None = None
    member_id: UUID | None = None
    entry: Entry | None = None

    @property
    def cursor(self) -> str:
        """The position as clients keep it."""
        return cursor_of(self.position)


class Following:
    """Follows schedules.

    Args:
        platform: access and live streams.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def changes(
        self,
        actor: Actor,
        *,
        starts_from: datetime,
        starts_to: datetime,
        member_ids: Sequence[UUID],
        after: str | None,
    ) -> AsyncGenerator[Seen, None]:
        """Follow the calendar between two instants: first what has changed beyond the cursor, then what changes.

        Rights are asked anew before anything is handed out. The stream ends by raising the refusal.

        Args:
            actor: a member.
            starts_from: the first instant.
            starts_to: the last, which is not in it any more; 100 days later at most.
            member_ids: the calendars of these practitioners alone, 100 at most; none is all.
            after: cursor of the last event the client has; without it, and with one of before a backup was put back,
                the stream begins with an event after which the client fetches anew.

        Raises:
            InvalidInput: no such time, too long a one, too many members, or a foreign cursor.
            Problem: the refusal, at the start or later.
        """
        practice_id, _ = actor.in_practice()
        if starts_to <= starts_from:
            raise InvalidInput("`to` is after `from`.", field=("to",))
        if starts_to - starts_from > LONGEST:
            raise InvalidInput(f"A calendar is followed over {LONGEST.days} days at most.", field=("to",))
        if len(member_ids) > MOST_MEMBERS:
            raise InvalidInput(f"At most {MOST_MEMBERS} members.", field=("memberIds",))
        await self._platform.access.require(actor, "scheduling.follow")
        key, reached = key_of(after, int), await DB.fetchval(_REACHED)
        cursor = key[0] if key and key[0] <= reached else reached

        async def read(position: int) -> list[tuple[int, Seen]]:
            await self._platform.access.require(actor, "scheduling.follow")
            # Left out before the page is cut: one of nothing but hidden entries would be the end of what is told.
            reads = await self._platform.access.why_not(actor, "scheduling.read") is None
            rows = await DB.fetch(_CHANGED, position, starts_from, starts_to, list(member_ids), BATCH, reads)
            waits = await self._entries([row["waits"] for row in rows if row["waits"]])
            found = [
                Seen(
                    position=row["place"],
                    appointment_id=row["id"],
                    appointment=appointment_of(row) if row["inside"] else None,
                    member_id=row["opened"],
                    entry=waits[row["waits"]] if row["waits"] else None,
                )
                for row in rows
                if row["waits"] is None or row["waits"] in waits
            ]
            audit.saw(each.patient_id for seen in found if seen.appointment for each in seen.appointment.patients)
            return [(seen.position, seen) for seen in found]

        if not key or key[0] > reached:
            yield Seen(position=cursor)
        topic, plan = Topic(SCHEDULE_STREAM, practice_id), Topic(PRACTICE_STREAM, practice_id)
        async with aclosing(follow(self._platform.live, topic, read, cursor, also=[plan])) as seen:
            async for each in seen:
                yield each

    async def _entries(self, entry_ids: Sequence[UUID]) -> Mapping[UUID, Entry]:
        """Return entries of the waiting list; none are read where none has changed."""
        if not entry_ids:
            return {}
        found = await entries_of(entry_ids, self._platform.clock.now())
        audit.saw(each.patient_id for each in found.values())
        return found
