"""Has what opens be offered to those who wait, and can answer: by availability, settings, types, the portal (S7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from bedside_core.api import DB, Work
from bedside_portal.api import PortalAccounts, PortalState
from bedside_scheduling.api import TimeFreed
from bedside_scheduling.settings import SchedulingSettings

if TYPE_CHECKING:
    from bedside_core.api import Platform

_WEEK = timedelta(days=7)
_AHEAD = timedelta(days=62)
"""How much of a practitioner's time is looked at in one go: all that patients book, unless they book further ahead."""
OPENING = frozenset(
    {
        "usual_minutes",
        "buffer_before_minutes",
        "buffer_after_minutes",
        "slot_step_minutes",
        "notice_minutes",
        "horizon_days",
        "waiting_list",
    }
)
"""Settings by which other times are offered than before."""

# With whom people wait, and from when until when. Places of groups are looked at each minute, whatever opens.
_WAITED_FOR = """SELECT m.member_id, min(e.earliest) AS earliest, max(e.latest) AS latest
FROM waiting_entry e JOIN appointment_type t ON t.id = e.type_id AND t.capacity = 1
JOIN appointment_type_member m ON m.type_id = t.id JOIN member w ON w.id = m.member_id AND w.active
WHERE e.closed_at IS NULL AND t.self_scheduling AND t.archived_at IS NULL
    AND (e.member_id IS NULL OR e.member_id = m.member_id) AND ($1::uuid[] IS NULL OR m.member_id = ANY($1))
    AND ($2::uuid IS NULL OR e.type_id = $2) AND ($3::uuid IS NULL OR e.patient_id = $3)
GROUP BY m.member_id ORDER BY m.member_id"""


async def wake(
    platform: Platform,
    work: Work,
    practice_id: UUID,
    *,
    member_ids: Sequence[UUID] | None = None,
    type_id: UUID | None = None,
    patient_id: UUID | None = None,
    begins: datetime | None = None,
    ends: datetime | None = None,
) -> None:
    """Have what may be free now be offered to those who wait, a week of a practitioner at a time.

    Args:
        platform: settings and clock.
        work: the unit in which it opens.
        practice_id: the acting practice.
        member_ids: whose time; None is everybody's with whom somebody waits.
        type_id: for those alone who wait for this type.
        patient_id: as far as this patient waits for it; whoever has waited longer is offered it all the same.
        begins: from when; None is from now on.
        ends: until when; None is as far as patients book. What is more than 62 days after the first time that is
            waited for is not looked at.
    """
    if not (await platform.settings.read(SchedulingSettings)).waiting_list:
        return
    waited_for = await DB.fetch(_WAITED_FOR, None if member_ids is None else list(member_ids), type_id, patient_id)
    settings = await platform.settings.of_members(SchedulingSettings, [row["member_id"] for row in waited_for])
    now = platform.clock.now()
    for row in waited_for:
        horizon = now + timedelta(days=settings[row["member_id"]].horizon_days + 1)
        start = max(row["earliest"], now, begins or now)
        latest = min(row["latest"], horizon, ends or horizon, start + _AHEAD)
        while start < latest:
            until = min(start + _WEEK, latest)
            work.emit(
                TimeFreed(practice_id=practice_id, member_ids=(row["member_id"],), starts_at=start, ends_at=until)
            )
            start = until


async def let_in(platform: Platform, waiting: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return those who wait and can answer: whom the practice has not suspended in the portal (S9), in one statement.

    Args:
        platform: the portal.
        waiting: rows with a `patient_id`, in their order.
    """
    states = await platform.service(PortalAccounts).states([each["patient_id"] for each in waiting])
    return [each for each in waiting if states[each["patient_id"]] is not PortalState.SUSPENDED]
