"""A practice with a front desk, two practitioners and two patients, told of appointments by mail and by phone."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from deployment import Deployment, Held, Person
from notify_stage import PREFER, notifying, settled
from plugins.scheduling.writing import visit, written
from smtp_stage import Mail, MailServer
from twilio_stage import Twilio

from bedside_core.auth import Role
from bedside_core.database import DB, acting, unit
from bedside_core.ids import uuid7
from bedside_core.jobs.declared import JobRun
from bedside_core.people import Practice
from bedside_core.testing import Database
from bedside_scheduling import reminders
from bedside_scheduling.api import Appointment, AppointmentKind
from bedside_scheduling.consequences import changed
from bedside_scheduling.rows import appointments

SHOWN = "{ notifications(first: 50) { nodes { title text link } } }"


class Reception:
    """A practice whose appointments are made and changed as its services do, and seen from outside."""

    def __init__(
        self,
        deployment: Deployment,
        practice: Practice,
        people: tuple[Person, Person, Person],
        patients: tuple[Held, Held],
        mail: MailServer,
        phone: Twilio,
    ) -> None:
        self.deployment, self.practice = deployment, practice
        self.sam, self.ada, self.ben = people
        self.pat, self.quin = patients
        self.mail, self.phone = mail, phone

    def now(self) -> datetime:
        return self.deployment.platform.clock.now()

    async def book(
        self,
        starts_at: datetime,
        *,
        by: UUID | None = None,
        patients: Sequence[Held] | None = None,
        members: Sequence[Person] | None = None,
        telehealth: bool = False,
        held_until: datetime | None = None,
        series: tuple[UUID, datetime] | None = None,
    ) -> UUID:
        """Book an appointment, by the front desk unless somebody else is named."""
        by = by or self.sam.member.id
        new = visit(
            starts_at,
            [each.member.id for each in members or [self.ada]],
            [each.patient.id for each in (patients if patients is not None else [self.pat])],
            kind=AppointmentKind.TELEHEALTH if telehealth else AppointmentKind.IN_PERSON,
            capacity=5,
            booked_by=by,
            by_patient=by in (self.pat.patient.id, self.quin.patient.id),
            held_until=held_until,
            series_id=series[0] if series else None,
            occurrence_at=series[1] if series else None,
        )
        with acting(self.practice.id, by):
            return await written(self.deployment, new)

    async def change(self, appointment_id: UUID, sql: str = "", *values: Any, by: UUID | None = None) -> None:
        """Change an appointment, by the front desk unless somebody else is named."""
        with acting(self.practice.id, by or self.sam.member.id):
            async with unit() as work:
                more = f", {sql}" if sql else ""
                await DB.execute(
                    f"UPDATE appointment SET version = version + 1{more} WHERE id = $1", appointment_id, *values
                )
                changed(self.deployment.platform, work, appointment_id)

    async def move(self, appointment_id: UUID, to: datetime, *, by: UUID | None = None) -> None:
        await self.change(
            appointment_id, "starts_at = $2, ends_at = $2::timestamptz + interval '30 minutes'", to, by=by
        )

    async def convert(self, appointment_id: UUID, kind: str) -> None:
        await self.change(appointment_id, "kind = $2", kind)

    async def cancel(self, appointment_id: UUID, *, by: UUID | None = None) -> None:
        await self.change(appointment_id, "state = 'cancelled', cancelled_at = $2", self.now(), by=by)

    async def leaves(self, appointment_id: UUID, patient: Held, *, by: UUID | None = None) -> None:
        """A patient comes no more to an appointment that goes on."""
        with acting(self.practice.id, by or self.sam.member.id):
            async with unit() as work:
                await DB.execute(
                    "UPDATE appointment_patient SET cancelled_at = $3 WHERE appointment_id = $1 AND patient_id = $2",
                    appointment_id, patient.patient.id, self.now(),
                )  # fmt: skip
                changed(self.deployment.platform, work, appointment_id)

    async def comes(self, appointment_id: UUID, patient: Held, *, by: UUID | None = None) -> None:
        """A patient is added to an appointment."""
        with acting(self.practice.id, by or self.sam.member.id):
            async with unit() as work:
                await DB.execute(
                    """INSERT INTO appointment_patient (appointment_id, patient_id, practice_id, added_at)
                    VALUES ($1, $2, app_practice(), $3)""",
                    appointment_id, patient.patient.id, self.now(),
                )  # fmt: skip
                changed(self.deployment.platform, work, appointment_id)

    async def series(self, starts_at: datetime, number: int) -> list[UUID]:
        """Book a series of weekly appointments in one unit of work."""
        series_id = uuid7()
        with acting(self.practice.id, self.sam.member.id):
            async with unit():
                await DB.execute(
                    """INSERT INTO series (id, practice_id, kind, rule, begins, zone, minutes, created_at, created_by,
                        client_id)
                    VALUES ($1, app_practice(), 'in_person', $6, $2, 'UTC', 30, $3, $4, $5)""",
                    series_id, starts_at.replace(tzinfo=None), self.now(), self.sam.member.id, str(series_id),
                    f"FREQ=WEEKLY;COUNT={number}",
                )  # fmt: skip
                starts = [starts_at + timedelta(weeks=week) for week in range(number)]
                return [await self.book(at, series=(series_id, at)) for at in starts]

    async def appointment(self, appointment_id: UUID) -> Appointment:
        with acting(self.practice.id):
            return (await appointments([appointment_id]))[appointment_id]

    async def remind(self) -> None:
        """Look now what is due, as the job does each minute."""
        with acting(self.practice.id):
            run = JobRun(platform=self.deployment.platform, practice_id=self.practice.id, payload={}, attempt=1)
            await reminders.remind(run)

    async def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with acting(self.practice.id):
            return [tuple(row) for row in await DB.fetch(sql, *values)]

    async def planned(self, appointment_id: UUID) -> dict[tuple[str, str], datetime]:
        """When the reminders of an appointment that were not sent are due, by kind and patient."""
        rows = await self.rows(
            """SELECT kind, patient_id::text, due_at FROM appointment_reminder
            WHERE appointment_id = $1 AND taken_at IS NULL""",
            appointment_id,
        )
        return {(kind, patient): due for kind, patient, due in rows}

    async def pass_time(self, **span: float) -> None:
        await self.deployment.platform.clock.move(timedelta(**span))

    async def at(self, instant: datetime) -> None:
        """Let time pass until an instant, look what is due, and have it sent."""
        await self.deployment.platform.clock.move(instant - self.now())
        await self.remind()
        await self.settled()

    async def settled(self) -> None:
        """Wait until nothing waits that is due now."""
        await settled(self.deployment, self.practice)

    async def after_the_delay(self) -> None:
        """Let the delay of notifications pass, and what is due be sent."""
        await self.pass_time(seconds=125)
        await self.settled()

    def mails(self, to: Person | Held) -> list[Mail]:
        return self.mail.to(str(to.patient.email) if isinstance(to, Held) else to.email)

    def subjects(self, to: Person | Held) -> list[str]:
        return [mail.subject for mail in self.mails(to)]

    def texts(self, about: UUID, kind: str = "Messages") -> list[str]:
        """SMS about an appointment, by the link in them; or all calls."""
        taken = [each.text for each in self.phone.taken if each.kind == kind]
        return [text for text in taken if kind != "Messages" or str(about) in text]

    async def shown(self, to: Person | Held) -> list[str]:
        """Titles of what somebody is told in the application, the newest first."""
        return [each["title"] for each in (await self.deployment.data(SHOWN, to.token))["notifications"]["nodes"]]

    async def prefer(self, who: Person | Held, **patch: Any) -> None:
        await self.deployment.data(PREFER, who.token, p=patch)


def soon(reception: Reception, **span: float) -> datetime:
    """An instant in some time, on a full minute."""
    return (reception.now() + timedelta(**span)).replace(second=0, microsecond=0).astimezone(UTC)


@asynccontextmanager
async def reception(database: Database, **config: Any) -> AsyncGenerator[Reception]:
    async with notifying(database, **config) as (deployment, mail, phone):
        practice = await deployment.practice()
        sam = await deployment.person(practice, Role.STAFF, name="Sam")
        ada, ben = await deployment.person(practice, name="Ada"), await deployment.person(practice, name="Ben")
        pat, quin = await deployment.held(practice), await deployment.held(practice)
        yield Reception(deployment, practice, (sam, ada, ben), (pat, quin), mail, phone)
