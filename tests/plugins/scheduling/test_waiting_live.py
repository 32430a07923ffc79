"""Whoever may read the waiting list sees it change live: each entry as it is now, without gap (S7, C16)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from accounts_stage import MAKE_KEY
from deployment import Held, Person, Socket
from plugins.scheduling.groupwork import ACCEPT, CANCEL, DECLINE, LEAVE, LIST, WAIT, ask, pass_time, rows
from plugins.scheduling.rota import Rota, at, monday, text
from plugins.scheduling.waiters import List
from schema.records.test_merging import MERGE

from bedside_core.auth import Role
from bedside_core.testing import Database, statements, until

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


@pytest.mark.rule("S7", "A13", "C16")
@pytest.mark.promise("D7")
async def test_who_may_follow_and_not_read_is_told_of_what_comes_after_any_number_of_entries(waiting: List) -> None:
    house, (first, *_) = waiting.house, waiting.people
    end = text(house.deployment.platform.clock.now() + timedelta(days=9))
    given = {"n": "Board", "s": ["scheduling.follow"], "u": end, "c": "k"}
    token = (await ask(house, MAKE_KEY, house.olga, **given))["token"]
    await waiting.wait(first)
    span = {"f": text(at(monday(), 0)), "t": text(at(monday() + timedelta(days=7), 0)), "m": []}
    async with house.deployment.socket(token) as socket:
        key = await socket.subscribe(FOLLOW, **span, a=None)
        opened = (await socket.next(key))["scheduleChanged"]
        assert opened["__typename"] == "ScheduleOpened"
    await rows(
        house,
        """INSERT INTO waiting_entry (id, practice_id, patient_id, type_id, earliest, latest, created_at, created_by,
            client_id, changed)
        SELECT gen_random_uuid(), e.practice_id, patient_id, type_id, earliest, latest, created_at, created_by, n::text,
            s."position" + n
        FROM waiting_entry e, schedule_stream s, generate_series(1, 150) AS n""",
    )
    await rows(house, 'UPDATE schedule_stream SET "position" = "position" + 150')
    async with house.deployment.socket(token) as socket:
        key = await socket.subscribe(FOLLOW, **span, a=opened["cursor"])
        await waiting.book(await house.deployment.patient(house.practice))
        async with asyncio.timeout(60):
            event = await socket.next(key)
        assert event["scheduleChanged"]["__typename"] == "AppointmentChanged"


@pytest.mark.rule("P3", "S7")
@pytest.mark.parametrize("held", ["kept entry", "merged entry", "kept appointment", "merged appointment"])
async def test_merging_takes_what_others_hold_before_the_schedule_s_stream(
    waiting: List, fresh_database: Database, held: str
) -> None:
    house, (kept, merged, _) = waiting.house, waiting.people
    which, what = held.split()
    who = kept if which == "kept" else merged
    if what == "entry":
        table, row = "waiting_entry", await waiting.wait(who)
    else:
        table, row = "appointment", await waiting.book(who)
    other: Any = await asyncpg.connect(fresh_database.owner_dsn)
    try:
        async with other.transaction():  # somebody who changes it, as accepting an offer does
            await other.execute(f"SELECT FROM {table} WHERE id = $1::uuid FOR UPDATE", row)
            merging = asyncio.create_task(ask(house, MERGE, house.olga, k=kept.id, m=merged.id, c="m"))

            async def as_far_as_it_goes() -> bool:
                return merging.done() or await other.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")

            await until(as_far_as_it_goes, "the merge to wait, or to be done", 60)
            await other.execute('UPDATE schedule_stream SET "position" = "position" + 1')
        async with asyncio.timeout(60):
            assert (await merging)["id"] == kept.id
    finally:
        await other.close()
