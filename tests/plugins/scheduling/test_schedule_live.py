"""Calendars on screen and inboxes over real sockets: each appointment as it is now, once, without gap (D7)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from deployment import Held, Person, Socket
from plugins.scheduling.calendars import FOLLOW, Calendar
from plugins.scheduling.reception import Reception, soon

from bedside_core.database import acting, unit
from bedside_core.testing import statements
from bedside_plans.api import ItemKind, PlanItem
from bedside_plans.service import PlanService
from bedside_scheduling import live

INBOX = """subscription($a: String) { inbox(after: $a) { __typename
    ... on InboxOpened { cursor }
    ... on InboxItemRemoved { cursor kind id }
    ... on AppointmentInboxChanged { cursor appointment { id state kind patients { patientId } } } } }"""
OUT = "mutation { signOut }"


def week(desk: Reception, socket: Socket, *members: Person, token: str | None = None) -> Calendar:
    """The calendar of the next seven days."""
    begin = soon(desk)
    ids = [each.id for each in members]
    return Calendar(desk.deployment, token or desk.sam.token, socket, begin, begin + timedelta(days=7), *ids)


@pytest.mark.rule("S5", "S7", "C16")
@pytest.mark.promise("D7")
async def test_a_calendar_is_told_what_comes_changes_and_leaves_and_nothing_else(desk: Reception) -> None:
    before = await desk.book(soon(desk, days=1), members=[desk.ben])
    async with desk.deployment.socket(desk.sam.token) as one, desk.deployment.socket(desk.ben.token) as two:
        whole, bens = week(desk, one), week(desk, two, desk.ben, token=desk.ben.token)
        await whole.begin()
        await bens.begin()
        assert list(whole.appointments) == list(bens.appointments) == [str(before)]
        await desk.book(soon(desk, days=9))  # beyond the week
        made = await desk.book(soon(desk, days=2))
        assert (await whole.take())["appointment"]["id"] == str(made)
        await desk.convert(made, "telehealth")
        assert (await whole.take())["appointment"]["kind"] == "TELEHEALTH"
        await desk.move(made, soon(desk, days=8))
        assert (await whole.take())["appointmentId"] == str(made)
        await desk.move(made, soon(desk, days=3))
        assert (await whole.take())["appointment"]["version"] == 4
        await desk.cancel(made)
        assert (await whole.take())["appointment"]["state"] == "CANCELLED"
        held = await desk.book(soon(desk, days=4), held_until=desk.now() + timedelta(minutes=5), members=[desk.ben])
        assert (await whole.take())["appointment"]["state"] == "HELD"
        await desk.change(held, "state = 'lapsed'")
        assert (await whole.take())["__typename"] == "AppointmentGone"
        # of what is ada's, ben's calendar was told nothing
        assert [(await bens.take())["__typename"] for _ in range(2)] == ["AppointmentChanged", "AppointmentGone"]
        for each in (whole, bens):
            assert each.appointments == await each.fetched()
        assert whole.seen[-1]["cursor"] == bens.seen[-1]["cursor"]


@pytest.mark.rule("C16")
@pytest.mark.promise("D7")
async def test_who_comes_back_is_told_of_each_appointment_once_and_has_what_there_is(
    desk: Reception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BATCH", 3)
    start = soon(desk, days=1)
    made = [await desk.book(start + timedelta(hours=hour)) for hour in range(8)]
    async with desk.deployment.socket(desk.sam.token) as socket:
        calendar = week(desk, socket)
        await calendar.begin()
    with acting(desk.practice.id, desk.sam.member.id):
        async with unit():  # each has a place of its own, also of what is changed together
            for each in made[:5]:
                await desk.cancel(each)
    await desk.move(made[5], soon(desk, days=20))
    for hour in (10, 11, 12):
        await desk.move(made[6], start + timedelta(hours=hour))
    async with desk.deployment.socket(desk.sam.token) as socket:
        calendar.socket, calendar.seen = socket, []
        await calendar.begin(calendar.cursor)
        for _ in range(7):
            await calendar.take()
        last = await desk.book(soon(desk, days=3))
        assert (await calendar.take())["appointment"]["id"] == str(last)
        assert calendar.appointments == await calendar.fetched()
        told = [each.get("appointmentId") or each["appointment"]["id"] for each in calendar.seen]
        assert sorted(told) == sorted(map(str, [*made[:7], last]))


@pytest.mark.rule("C16")
async def test_a_cursor_of_the_future_begins_anew_and_what_is_no_time_is_refused(desk: Reception) -> None:
    async with desk.deployment.socket(desk.sam.token) as socket:
        calendar = week(desk, socket)
        await calendar.begin()
        made = await desk.book(soon(desk, days=1))
        later = (await calendar.take())["cursor"]
        with acting(desk.practice.id):  # as if a backup had been put back
            from bedside_core.database import DB

            await DB.execute("UPDATE appointment SET changed = 0 WHERE id = $1", made)
            await DB.execute('UPDATE schedule_stream SET "position" = 0')
        key = await socket.subscribe(FOLLOW, **calendar.range, a=later)
        assert (await socket.next(key))["scheduleChanged"]["__typename"] == "ScheduleOpened"
        for wrong in ({"t": calendar.range["f"]}, {"t": soon(desk, days=101).isoformat()}, {"m": [desk.sam.id] * 101}):
            key = await socket.subscribe(FOLLOW, **{**calendar.range, "a": None, **wrong})
            assert await socket.error(key) == "INVALID_INPUT"


@pytest.mark.rule("L4", "P1")
@pytest.mark.promise("A4")
async def test_it_ends_with_the_feature_and_is_for_members_of_the_practice_alone(desk: Reception) -> None:
    elsewhere = await desk.deployment.person(await desk.deployment.practice("Elsewhere"))
    async with (
        desk.deployment.socket(desk.sam.token) as socket,
        desk.deployment.socket(elsewhere.token) as foreign,
        desk.deployment.socket(desk.pat.token) as own,
    ):
        calendar, other = week(desk, socket), week(desk, foreign, token=elsewhere.token)
        await calendar.begin()
        await other.begin()
        key = await own.subscribe(FOLLOW, **calendar.range)
        assert await own.error(key) == "FORBIDDEN"
        await desk.book(soon(desk, days=1))
        await calendar.take()
        off = PlanItem(kind=ItemKind.OVERRIDE, key="scheduling", enabled=False)
        await desk.deployment.platform.service(PlanService).set_item(desk.practice.id, off)
        assert await socket.error(calendar.key) == "FEATURE_NOT_IN_PLAN"
        await foreign.send(type="ping")
        assert (await foreign.receive())["type"] == "pong"  # and nothing was told before it


@pytest.mark.rule("C16")
async def test_a_replay_takes_as_many_statements_for_many_as_for_few(desk: Reception) -> None:
    async def counted(number: int) -> int:
        async with desk.deployment.socket(desk.sam.token) as socket:
            calendar = week(desk, socket)
            await calendar.begin()
            cursor = calendar.cursor
            start = soon(desk, days=1, hours=number)
            with acting(desk.practice.id, desk.sam.member.id):
                async with unit():
                    for each in range(number):
                        await desk.book(start + timedelta(minutes=30 * each), members=[desk.ada])
            for _ in range(number):
                await calendar.take()
        async with desk.deployment.socket(desk.sam.token) as socket:
            calendar.socket = socket
            with statements() as seen:
                await calendar.begin(cursor)
                for _ in range(number):
                    await calendar.take()
            return len([each for each in seen if "appointment_told" in str(each)])

    assert (await counted(1), await counted(30)) == (1, 1)


async def opened(desk: Reception, socket: Socket) -> str:
    key = await socket.subscribe(INBOX)
    assert (await socket.next(key))["inbox"]["__typename"] == "InboxOpened"
    return key


@pytest.mark.rule("C16", "S10")
async def test_the_inbox_tells_an_appointment_s_people_and_nobody_else(desk: Reception) -> None:
    people: list[Person | Held] = [desk.ada, desk.pat, desk.ben, desk.quin]
    async with (
        desk.deployment.socket(desk.ada.token) as ada,
        desk.deployment.socket(desk.pat.token) as pat,
        desk.deployment.socket(desk.ben.token) as ben,
        desk.deployment.socket(desk.quin.token) as quin,
    ):
        sockets = [ada, pat, ben, quin]
        keys = [await opened(desk, each) for each in sockets]
        assert len(people) == len(keys)

        async def told(number: int) -> dict[str, Any]:
            event = (await sockets[number].next(keys[number]))["inbox"]
            assert event["__typename"] == "AppointmentInboxChanged"
            return event["appointment"]

        await desk.book(soon(desk, days=2), held_until=desk.now() + timedelta(minutes=5))
        made = await desk.book(soon(desk, days=1))
        expected = {"id": str(made), "state": "BOOKED", "kind": "IN_PERSON", "patients": [{"patientId": desk.pat.id}]}
        assert await told(0) == await told(1) == expected
        await desk.comes(made, desk.quin)
        assert len((await told(0))["patients"]) == 2
        assert (await told(1))["patients"] == [{"patientId": desk.pat.id}]  # a patient sees themselves alone
        assert (await told(3))["patients"] == [{"patientId": desk.quin.id}]
        await desk.cancel(made)
        for number in (0, 1, 3):
            assert (await told(number))["state"] == "CANCELLED"
        other = await desk.book(soon(desk, days=3), members=[desk.ben], patients=[])
        assert (await told(2))["id"] == str(other)
