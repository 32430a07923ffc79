"""A practice whose waiting list is on, and people who wait, for tests of what they are offered."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any

from deployment import Held, Person
from plugins.scheduling.groupwork import BOOK, LIST, WAIT, ask, client, clock_at, rows, settings_settled, wanted
from plugins.scheduling.rota import Rota, at, monday, rota, text, weekly
from smtp_stage import SENDER, Mail, MailServer, mail_server

from bedside_core.testing import Database, until

OFFERS = "SELECT state, count(*) AS n FROM waiting_offer GROUP BY state ORDER BY state"


class List:
    """A practice whose waiting list is on, with a visit of an hour with ada on Mondays from 9 to 12."""

    def __init__(self, house: Rota, kind: str, people: list[Held], mail: MailServer | None = None) -> None:
        self.house = house
        self.kind = kind
        self.people = people
        """Patients who sign in, in the order in which they came to wait."""
        self.mail = mail

    def letters(self, to: Held) -> list[Mail]:
        """What was sent to somebody."""
        assert self.mail is not None
        return [each for each in self.mail.mails if each.to == to.patient.email]

    def wish(self, **more: Any) -> dict[str, Any]:
        return {"typeId": self.kind, "until": text(at(monday() + timedelta(days=6), 0))} | more

    async def wait(self, who: Held, **more: Any) -> str:
        """Have somebody wait, and return the entry's id."""
        return (await ask(self.house, WAIT, who, i=self.wish(**more), c=client()))["id"]

    async def book(self, who: Any, hour: int = 9, day: date | None = None) -> str:
        """Have the front desk book an hour with ada, and return the appointment's id."""
        given = wanted(day or monday(), hour, self.house.ada, patients=[who], typeId=self.kind)
        return (await ask(self.house, BOOK, self.house.desk, i=given, c=client()))["appointment"]["id"]

    async def entry(self, who: Held, by: Person | None = None) -> dict[str, Any]:
        """Return the last entry of somebody, as they see it, or another one does."""
        return (await ask(self.house, LIST, by or who, c=True, p=who.id))["nodes"][-1]

    async def offered(self, who: Held, by: Person | None = None) -> dict[str, Any]:
        """Wait until somebody is offered something, and return it."""

        async def there() -> bool:
            return (await self.entry(who, by))["offer"] is not None

        await until(there, "an offer", 60)
        return (await self.entry(who, by))["offer"]

    async def states(self) -> dict[str, int]:
        """Return how many offers there are in each state."""
        return {row["state"]: row["n"] for row in await rows(self.house, OFFERS)}

    async def over(self, who: Held, outcome: str) -> None:
        """Wait until somebody waits no more."""

        async def done() -> bool:
            return (await self.entry(who))["outcome"] == outcome

        await until(done, f"the outcome {outcome}", 60)


@asynccontextmanager
async def waiting_list(database: Database) -> AsyncGenerator[List, None]:
    """With a worker and a mail server."""
    async with mail_server() as mail:
        config = {"worker": True, "smtp_url": mail.url, "mail_sender": SENDER}
        async with rota(database, **config) as house:
            await house.set(waitingList=True, noticeMinutes=0)
            await settings_settled(database)
            await house.week(house.ada, weekly(monday(), "09:00", "12:00"))
            await clock_at(house, 10)
            kind = await house.type(house.ada)
            people = [house.pat, *[await house.deployment.held(house.practice) for _ in range(2)]]
            yield List(house, kind, people, mail)
