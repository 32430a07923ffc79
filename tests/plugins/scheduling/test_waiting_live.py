"""Whoever may read the waiting list sees it change live: each entry as it is now, without gap (S7, C16)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from deployment import Held, Person, Socket
from plugins.scheduling.groupwork import ACCEPT, CANCEL, DECLINE, LEAVE, LIST, WAIT, ask, pass_time
from plugins.scheduling.rota import Rota, at, monday, text
from plugins.scheduling.waiters import List
from schema.records.test_merging import MERGE

from bedside_core.auth import Role
from bedside_core.testing import statements

ENTRY = "id patientId outcome offer { id appointment { id state } }"
FOLLOW = f"""subscription($f: DateTime!, $t: DateTime!, $m: [ID!], $a: String) {{
    scheduleChanged(from: $f, to: $t, memberIds: $m, after: $a) {{ __typename
        ... on ScheduleOpened {{ cursor }} ... on AppointmentChanged {{ cursor }} ... on AppointmentGone {{ cursor }}
        ... on AvailabilityChanged {{ cursor }} ... on WaitingListChanged {{ cursor entry {{ {ENTRY} }} }} }} }}"""
ENTRIES = f"{{ waitingList(closed: true, first: 100) {{ nodes {{ {ENTRY} }} }} }}"


class Panel:
    """A waiting list on screen that is kept by `scheduleChanged` alone."""

    def __init__(self, house: Rota, socket: Socket, who: Person) -> None:
        self.house, self.socket, self.who = house, socket, who
        self.entries: dict[str, Any] = {}
        self.cursor: str | None = None
        self.key = ""

    async def begin(self, *members: Person) -> None:
        """Follow another week than that in which something is waited for, from the cursor on if there is one."""
        span = {"f": text(at(monday() + timedelta(days=30), 0)), "t": text(at(monday() + timedelta(days=37), 0))}
        given = {**span, "m": [each.id for each in members], "a": self.cursor}
        self.key = await self.socket.subscribe(FOLLOW, **given)
        if self.cursor is None:
            assert (await self.next())["__typename"] == "ScheduleOpened"
            self.entries = await self.fetched()

    async def next(self) -> dict[str, Any]:
        event = (await self.socket.next(self.key))["scheduleChanged"]
        self.cursor = event["cursor"]
        return event

    async def until(self, entry: str, outcome: str | None, *, offered: bool) -> dict[str, Any]:
        """Take what comes, until an entry is as it should be."""
        while True:
            event = await self.next()
            if event["__typename"] == "WaitingListChanged":
                self.entries[event["entry"]["id"]] = event["entry"]
                now = (event["entry"]["id"], event["entry"]["outcome"], event["entry"]["offer"] is not None)
                if now == (entry, outcome, offered):
                    return event["entry"]

    async def fetched(self) -> dict[str, Any]:
        return {each["id"]: each for each in (await ask(self.house, ENTRIES, self.who))["nodes"]}


@pytest.mark.rule("S7", "C16")
@pytest.mark.promise("D7")
async def test_the_front_desk_s_list_is_told_of_who_joins_is_offered_accepts_declines_lapses_and_leaves(
    waiting: List,
) -> None:
    house, (first, second, third) = waiting.house, waiting.people
    nine = await waiting.book(await house.deployment.patient(house.practice))
    async with house.deployment.socket(house.desk.token) as socket:
        panel = Panel(house, socket, house.desk)
        await panel.begin(house.ben)  # whatever calendars are followed
        entries = []
        for who in (first, second, third):
            entries.append(await waiting.wait(who))
            assert (await panel.until(entries[-1], None, offered=False))["patientId"] == who.id
        one, two, three = entries
        await ask(house, CANCEL, house.desk, i=nine)
        offer = (await panel.until(one, None, offered=True))["offer"]
        assert offer["appointment"]["state"] == "HELD"
        await ask(house, DECLINE, first, i=offer["id"])
        await panel.until(one, None, offered=False)
        await panel.until(two, None, offered=True)
        await pass_time(house, hours=2)  # and nobody answers
        await panel.until(two, None, offered=False)
        offer = (await panel.until(three, None, offered=True))["offer"]
        await ask(house, ACCEPT, third, i=offer["id"])
        await panel.until(three, "BOOKED", offered=False)
        await ask(house, LEAVE, first, i=one)
        await panel.until(one, "LEFT", offered=False)
        assert panel.entries == await panel.fetched()
        await pass_time(house, days=30)
        await panel.until(two, "OVER", offered=False)
        assert panel.entries == await panel.fetched()
        assert [panel.entries[each]["outcome"] for each in entries] == ["LEFT", "OVER", "BOOKED"]


@pytest.mark.rule("S7", "C16", "P1")
@pytest.mark.promise("D7")
async def test_who_comes_back_is_told_of_each_entry_once_in_as_many_statements_however_many(waiting: List) -> None:
    house, people = waiting.house, waiting.people
    elsewhere = await house.deployment.person(await house.deployment.practice("Elsewhere"), Role.OWNER)

    async def counted(*who: Held) -> int:
        async with house.deployment.socket(house.ada.token) as socket:
            panel = Panel(house, socket, house.ada)
            await panel.begin()
        entries = [await waiting.wait(each) for each in who]
        await ask(house, LEAVE, who[0], i=entries[0])
        async with house.deployment.socket(house.ada.token) as socket:
            panel.socket = socket
            with statements() as ran:
                await panel.begin()
                for _ in entries:
                    event = await panel.next()
                    panel.entries[event["entry"]["id"]] = event["entry"]
            assert panel.entries == await panel.fetched()
            return len([each for each in ran if "waiting_entry" in str(each)])

    async with house.deployment.socket(elsewhere.token) as foreign:
        other = Panel(house, foreign, elsewhere)
        await other.begin()
        few = await counted(people[0])
        assert await counted(*people) == few
        await foreign.send(type="ping")
        assert (await foreign.receive())["type"] == "pong"  # and nothing was told before it
        assert (await ask(house, LIST, elsewhere))["nodes"] == []


@pytest.mark.rule("S7", "P3", "C16")
async def test_an_entry_that_is_merged_is_told_as_the_kept_patient_s(waiting: List) -> None:
    house = waiting.house
    kept, merged = [str((await house.deployment.patient(house.practice)).id) for _ in range(2)]
    async with house.deployment.socket(house.desk.token) as socket:
        panel = Panel(house, socket, house.desk)
        await panel.begin()
        entry = (await ask(house, WAIT, house.desk, i=waiting.wish(patientId=merged), c="w-1"))["id"]
        assert (await panel.until(entry, None, offered=False))["patientId"] == merged
        await ask(house, MERGE, house.olga, k=kept, m=merged, c="m")
        assert (await panel.until(entry, None, offered=False))["patientId"] == kept
        assert panel.entries == await panel.fetched()
