"""Changed availability reaches calendars on screen, and time that opens those who wait for it (S3, S7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextvars import Context
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from deployment import Held
from plugins.scheduling.agenda import BOOK, wanted
from plugins.scheduling.calendars import FOLLOW
from plugins.scheduling.groupwork import LIST, WAIT, ask, client, rows, settings_settled
from plugins.scheduling.rota import CLEAR, CLOSE, DAY, REMOVE, Rota, at, monday, rota, section, text, weekly
from smtp_stage import SENDER, mail_server

from bedside_core.database import DB, acting, unit
from bedside_core.testing import Database, until
from bedside_scheduling import live
from bedside_scheduling.keeping import hold_calendars

LOOKED_FOR = "SELECT count(*) FROM waiting_offer"


@pytest_asyncio.fixture
async def house(fresh_database: Database) -> AsyncGenerator[Rota, None]:
    async with (
        mail_server() as mail,
        rota(fresh_database, worker=True, smtp_url=mail.url, mail_sender=SENDER) as made,
    ):
        yield made


async def close(house: Rota, hour: int, hours: int = 1, *, whole: bool = False) -> str:
    """Close ada, or the practice, for some hours of the Monday, and return the closure."""
    given: dict[str, Any] = {
        "b": text(at(monday(), hour)),
        "e": text(at(monday(), hour) + timedelta(hours=hours)),
        "c": client(),
    }
    return (await ask(house, CLOSE, house.olga, m=None if whole else house.ada.id, **given))["id"]


@pytest.mark.rule("S3")
@pytest.mark.promise("D7")
async def test_a_calendar_on_screen_is_told_whose_availability_changes(
    house: Rota, monkeypatch: pytest.MonkeyPatch
) -> None:
    day, ada, ben = monday(), house.ada, house.ben
    for each in (ada, ben):
        await house.week(each, weekly(day, "08:00", "12:00"))
    span = {"f": text(at(day, 0)), "t": text(at(day + timedelta(days=7), 0))}
    async with house.deployment.socket(house.desk.token) as desk, house.deployment.socket(ben.token) as his:
        all_ = await desk.subscribe(FOLLOW, **span)
        bens = await his.subscribe(FOLLOW, **span, m=[ben.id])
        opened = (await desk.next(all_))["scheduleChanged"]
        assert opened["__typename"] == (await his.next(bens))["scheduleChanged"]["__typename"] == "ScheduleOpened"

        async def told() -> str:
            event = (await desk.next(all_))["scheduleChanged"]
            assert event["__typename"] == "AvailabilityChanged"
            return event["memberId"]

        await house.week(ada, weekly(day, "08:00", "14:00"))
        assert await told() == ada.id
        await ask(house, DAY, ada, m=ada.id, d=day.isoformat(), s=[section("09:00", "10:00")])
        assert await told() == ada.id
        await ask(house, CLEAR, ada, m=ada.id, d=day.isoformat())
        assert await told() == ada.id
        closure = await close(house, 9)
        assert await told() == ada.id
        await ask(house, REMOVE, ada, i=closure)
        assert await told() == ada.id
        # Of what was hers ben's calendar was told nothing; the practice's closure is everybody's.
        await close(house, 10, whole=True)
        assert {await told() for _ in range(2)} == {ada.id, ben.id}
        event = (await his.next(bens))["scheduleChanged"]
        assert (event["__typename"], event["memberId"]) == ("AvailabilityChanged", ben.id)
    # Whoever comes back is told of each once, between the appointments that changed meanwhile.
    monkeypatch.setattr(live, "BATCH", 1)
    async with house.deployment.socket(house.desk.token) as desk:
        made: list[str] = []
        for hour in (8, 9):
            given = wanted(at(day, hour), ada, patientIds=[house.pat.id])
            made.append((await ask(house, BOOK, house.desk, i=given, c=client()))["appointment"]["id"])
            await close(house, 12 + hour)
        key = await desk.subscribe(FOLLOW, **span, a=opened["cursor"])
        events = [(await desk.next(key))["scheduleChanged"] for _ in range(4)]
        assert [each.get("memberId") or each["appointment"]["id"] for each in events] == [
            ben.id,
            made[0],
            made[1],
            ada.id,
        ]


class Waits:
    """Somebody who waits for an hour with ada on the Monday."""

    def __init__(self, house: Rota, who: Held, kind: str) -> None:
        self.house, self.who, self.kind = house, who, kind

    async def begin(self) -> None:
        day = monday()
        wish = {"typeId": self.kind, "from": text(at(day, 0)), "until": text(at(day + timedelta(days=1), 0))}
        await ask(self.house, WAIT, self.who, i=wish, c=client())

    async def offered(self) -> str:
        """Wait for an offer, and return when it begins."""

        async def there() -> bool:
            return (await ask(self.house, LIST, self.who))["nodes"][0]["offer"] is not None

        await until(there, "an offer", 60)
        return (await ask(self.house, LIST, self.who))["nodes"][0]["offer"]["appointment"]["startsAt"]


@pytest.mark.timeout(300)
@pytest.mark.rule("S7")
async def test_time_that_opens_is_offered_to_who_waits_for_it(house: Rota, fresh_database: Database) -> None:
    day, ada = monday(), house.ada
    await house.set(waitingList=True, noticeMinutes=0)
    await settings_settled(fresh_database)
    kind = await house.type(ada)
    people = [await house.deployment.held(house.practice) for _ in range(4)]
    mine, ours = await close(house, 8), await close(house, 0, 24, whole=True)
    waits = [Waits(house, each, kind) for each in people]
    for each in waits:
        await each.begin()
    await house.week(ada, weekly(day, "08:00", "10:00"))
    # The practice is closed: nobody is offered anything.
    await ask(house, REMOVE, house.olga, i=ours)
    assert await waits[0].offered() == text(at(day, 9))
    await ask(house, REMOVE, house.ada, i=mine)
    assert await waits[1].offered() == text(at(day, 8))
    await ask(house, DAY, ada, m=ada.id, d=day.isoformat(), s=[section("08:00", "11:00")])
    assert await waits[2].offered() == text(at(day, 10))
    await ask(house, CLEAR, ada, m=ada.id, d=day.isoformat())
    await house.week(ada, weekly(day, "08:00", "13:00"))
    assert await waits[3].offered() in {text(at(day, hour)) for hour in (10, 11, 12)}
    [row] = await rows(house, LOOKED_FOR)
    assert row["count"] == 4


@pytest.mark.rule("S3")
@pytest.mark.rule("S4")
@pytest.mark.parametrize("whole", [False, True])
async def test_who_closes_waits_for_who_is_booking(house: Rota, whole: bool) -> None:
    day, ada = monday(), house.ada
    await house.week(ada, weekly(day, "08:00", "12:00"))
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with acting(house.practice.id):
        async with unit() as work:
            await hold_calendars(house.deployment.platform, work, [ada.member.id])
            closing = asyncio.create_task(close(house, 9, whole=whole), context=Context())

            async def waits() -> bool:
                return await DB.fetchval(waiting) > 0

            await until(waits, "a lock that is waited for", 30)
            assert not closing.done()
            assert await DB.fetchval("SELECT count(*) FROM closure") == 0
    await closing
    assert [row["n"] for row in await rows(house, "SELECT count(*) AS n FROM closure")] == [1]
