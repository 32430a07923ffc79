"""A practice in New York with a practitioner and a patient in the portal, and appointments written past every rule."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from deployment import Deployment, Held, Person, served
from plugins.scheduling.writing import visit, written

from bedside_core.auth import Role
from bedside_core.database import DB, acting, unit
from bedside_core.ids import uuid7
from bedside_core.people import Practice
from bedside_core.testing import Database
from bedside_scheduling.api import Appointment
from bedside_scheduling.consequences import changed
from bedside_scheduling.recurrence import occurrences
from bedside_scheduling.rows import appointments

ZONE = "America/New_York"
FEEDS = "{ calendarFeeds { id createdAt readAt } }"
MAKE = "mutation($c: String!) { makeCalendarFeed(clientId: $c) { feed { id readAt } url } }"
REVOKE = "mutation($i: ID!) { revokeCalendarFeed(id: $i) }"
NAMES = "mutation($p: SchedulingSettingsPatch!) { updateSchedulingSettings(patch: $p) { namesInFeeds } }"
_numbers = count()


def soon(days: int = 7, hour: int = 15) -> datetime:
    """Return a full hour some days from now, UTC."""
    return (datetime.now(UTC) + timedelta(days=days)).replace(hour=hour, minute=0, second=0, microsecond=0)


def weeks_before_change() -> datetime:
    """Return 9:30 in New York on a day three weeks before its clocks change next, without a zone."""
    zone, day = ZoneInfo(ZONE), datetime.now(UTC) + timedelta(days=22)
    while day.astimezone(zone).utcoffset() == (day + timedelta(days=1)).astimezone(zone).utcoffset():
        day += timedelta(days=1)
    return (day - timedelta(days=20)).astimezone(zone).replace(hour=9, minute=30, second=0, microsecond=0, tzinfo=None)


@dataclass
class Diary:
    """A running deployment and its people."""

    deployment: Deployment
    practice: Practice
    owner: Person
    ada: Person
    pat: Held

    async def book(self, starts_at: datetime, *patients: Held, minutes: int = 30, **more: Any) -> UUID:
        """Write an appointment of Ada's, by default with Pat."""
        members = more.pop("member_ids", [self.ada.member.id])
        seen = [each.patient.id for each in patients or (self.pat,)]
        given = {"zone": ZONE, "capacity": 3, "booked_by": self.ada.member.id} | more
        with acting(self.practice.id):
            return await written(self.deployment, visit(starts_at, members, seen, minutes=minutes, **given))

    async def series(self, rule: str, begins: datetime, *, minutes: int = 45) -> tuple[UUID, list[UUID]]:
        """Write a series of Ada's with Pat, and each of its appointments."""
        series_id = uuid7()
        with acting(self.practice.id):
            await DB.execute(
                """INSERT INTO series
                    (id, practice_id, kind, rule, begins, zone, minutes, created_at, created_by, client_id)
                VALUES ($1, app_practice(), 'in_person', $2, $3, $4, $5, $6, $7, $8)""",
                series_id, rule, begins, ZONE, minutes, datetime.now(UTC), self.ada.member.id, series_id.hex,
            )  # fmt: skip
        made = [
            await self.book(at, minutes=minutes, series_id=series_id, occurrence_at=at)
            for at in occurrences(rule, begins, ZoneInfo(ZONE))
        ]
        return series_id, made

    async def move(self, appointment_id: UUID, by: timedelta) -> None:
        """Move an appointment as `moveAppointment` does."""
        await self._change(
            appointment_id, "starts_at = starts_at + $2, ends_at = ends_at + $2, sequence = sequence + 1", by
        )

    async def cancel(self, appointment_id: UUID) -> None:
        """Cancel an appointment as `cancelAppointment` does."""
        await self._change(
            appointment_id, "state = 'cancelled', cancelled_at = $2, sequence = sequence + 1", datetime.now(UTC)
        )

    async def _change(self, appointment_id: UUID, what: str, value: Any) -> None:
        with acting(self.practice.id):
            async with unit() as work:
                await DB.execute(
                    f"UPDATE appointment SET {what}, version = version + 1 WHERE id = $1", appointment_id, value
                )
                changed(self.deployment.platform, work, appointment_id)

    async def of(self, ids: Sequence[UUID]) -> list[Appointment]:
        """Return appointments as they stand in the database."""
        with acting(self.practice.id):
            return list((await appointments(ids)).values())

    async def feed(self, who: Person | Held) -> tuple[str, str]:
        """Make somebody's feed over GraphQL; returns its id, and its path on the server."""
        made = (await self.deployment.data(MAKE, who.token, c=f"feed-{next(_numbers)}"))["makeCalendarFeed"]
        return made["feed"]["id"], "/scheduling/calendar/" + made["url"].rpartition("/")[2]

    async def text(self, path: str) -> str:
        """Read a feed as a calendar application does."""
        answer = await self.deployment.http.get(path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
        return answer.text


@asynccontextmanager
async def diary(database: Database, **config: Any) -> AsyncGenerator[Diary]:
    """Serve a practice that keeps appointments."""
    async with served(database, **config) as deployment:
        practice = await deployment.practice()
        owner = await deployment.person(practice, Role.OWNER, name="Olga")
        ada = await deployment.person(practice)
        yield Diary(deployment, practice, owner, ada, await deployment.held(practice))
