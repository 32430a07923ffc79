"""What was booked with practitioners who are deactivated is not lost, and nobody is offered it (S1, S7)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock
from uuid import UUID

import pytest
import pytest_asyncio
from deployment import Person
from plugins.scheduling.groupwork import ACCEPT, BOOK, CANCEL, JOIN, OPEN, WAIT, ask, client, pass_time, rows, wanted
from plugins.scheduling.rota import Rota, at, monday, rota, text
from plugins.scheduling.test_group_offers import Course
from plugins.scheduling.test_group_offers import course as course
from plugins.scheduling.waiters import List
from smtp_stage import SENDER, MailServer, mail_server

from bedside_core.auth import Role
from bedside_core.database import acting
from bedside_core.people import MemberDeactivated, MemberReactivated
from bedside_core.testing import Database, until
from bedside_scheduling.api import AppointmentCancelled, AppointmentMoved
from bedside_scheduling.deactivated import member_listeners
from bedside_scheduling.listeners import waiting_listeners
from bedside_scheduling.offers import Offers

DEACTIVATE = "mutation($m: ID!) { deactivateMember(memberId: $m) { active } }"
REACTIVATE = "mutation($m: ID!) { reactivateMember(memberId: $m) { active } }"
FOUND = """query($f: DateTime!, $t: DateTime!, $a: Boolean) { appointments(from: $f, to: $t, attended: $a, first: 100) {
  nodes { id members { id active } } } }"""
GIVE = """mutation($i: ID!, $s: DateTime!, $m: [ID!]) { moveAppointment(id: $i, startsAt: $s, memberIds: $m) {
  warnings { code memberId } } }"""
CONVERT = """mutation($i: ID!) { convertAppointment(id: $i, kind: TELEHEALTH) { warnings { code memberId } } }"""
TOLD = """SELECT recipient_id::text AS who FROM notification
WHERE kind = 'scheduling.unattended' AND state <> 'cancelled' ORDER BY 1"""
SUBJECT = "Appointments without a practitioner"


@pytest_asyncio.fixture
async def mail() -> AsyncGenerator[MailServer]:
    async with mail_server() as server:
        yield server


@pytest_asyncio.fixture
async def busy(fresh_database: Database, mail: MailServer) -> AsyncGenerator[Rota]:
    """With a worker and a mail server."""
    async with rota(fresh_database, worker=True, smtp_url=mail.url, mail_sender=SENDER) as made:
        yield made


async def book(house: Rota, hour: int, *members: Person) -> str:
    given = wanted(monday(), hour, *members, patients=[await house.deployment.patient(house.practice)])
    return (await ask(house, BOOK, house.desk, i=given | {"minutes": 30}, c=client()))["appointment"]["id"]


async def found(house: Rota, attended: bool | None) -> list[str]:
    """The appointments of the day, as the front desk looks for them."""
    span = {"f": text(at(monday(), 0)), "t": text(at(monday() + timedelta(days=1), 0))}
    return [each["id"] for each in (await ask(house, FOUND, house.desk, **span, a=attended))["nodes"]]


@pytest.mark.rule("S1", "S2", "N4")
async def test_who_keeps_the_schedule_learns_what_a_deactivated_practitioner_leaves(
    busy: Rota, mail: MailServer
) -> None:
    house = busy
    mia = await house.deployment.person(house.practice, Role.MANAGER, "Mia")
    alone, both = await book(house, 9, house.ada), await book(house, 11, house.ada, house.ben)
    later = await book(house, 12, house.ada)
    assert (await found(house, None), await found(house, False)) == ([alone, both, later], [])
    await ask(house, DEACTIVATE, house.olga, m=house.ada.id)
    assert (await found(house, False), await found(house, True)) == ([alone, later], [both])

    async def told() -> bool:
        return [row["who"] for row in await rows(house, TOLD)] == sorted([house.olga.id, mia.id, house.desk.id])

    await until(told, "that they are told", 60)
    await pass_time(house, minutes=3)
    await until(lambda: len(mail.to(house.desk.email)) == 1, "the mail", 60)
    [letter] = mail.to(house.desk.email)
    assert (letter.subject, f"/scheduling/{alone}" in letter.text) == (SUBJECT, True)
    assert "Pat" not in letter.text and "Ada" not in letter.text
    # Another practitioner takes them over, and is warned of whom they would be there beside.
    await house.host(house.ben)
    inactive = [{"code": "PRACTITIONER_INACTIVE", "memberId": house.ada.id}]
    converted = await ask(house, CONVERT, house.desk, i=both)
    assert [each for each in converted["warnings"] if each["code"] == "PRACTITIONER_INACTIVE"] == inactive
    for each, hour in ((alone, 9), (later, 12)):
        moved = await ask(house, GIVE, house.desk, i=each, s=text(at(monday(), hour)), m=[house.ben.id])
        assert inactive[0] not in moved["warnings"]
    assert await found(house, False) == []


@pytest.mark.rule("S1")
async def test_nobody_is_told_where_somebody_else_is_there_or_the_practitioner_is_back(house: Rota) -> None:
    deactivated, reactivated, _ = member_listeners(house.deployment.platform)
    gone: dict[str, Any] = {"practice_id": house.practice.id, "member_id": house.ada.member.id}
    await book(house, 11, house.ada, house.ben)
    await ask(house, DEACTIVATE, house.olga, m=house.ada.id)
    with acting(house.practice.id):
        await deactivated.handler(MemberDeactivated(**gone))
    assert await rows(house, TOLD) == []
    await ask(house, REACTIVATE, house.olga, m=house.ada.id)
    made = await book(house, 9, house.ada)
    with acting(house.practice.id):  # told late: the practitioner is back
        await deactivated.handler(MemberDeactivated(**gone))
    assert await rows(house, TOLD) == []
    await ask(house, DEACTIVATE, house.olga, m=house.ada.id)
    with acting(house.practice.id):
        await deactivated.handler(MemberDeactivated(**gone))
        await deactivated.handler(MemberDeactivated(**gone))
    assert [row["who"] for row in await rows(house, TOLD)] == sorted([house.olga.id, house.desk.id])
    await ask(house, REACTIVATE, house.olga, m=house.ada.id)
    with acting(house.practice.id):
        await reactivated.handler(MemberReactivated(**gone))
    assert (await rows(house, TOLD), await found(house, False)) == ([], [])
    assert made in await found(house, True)


@pytest.mark.rule("S1")
async def test_what_is_seen_to_before_anybody_is_told_is_told_no_more(
    house: Rota, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, practice = house.deployment.platform, house.practice.id
    deactivated, _, cancelled = member_listeners(platform)
    [moved] = [each for each in waiting_listeners(platform) if each.event is AppointmentMoved]
    given, dropped, stays = [await book(house, hour, house.ada) for hour in (9, 11, 12)]
    away = await book(house, 14, house.ada, house.ben)
    await ask(house, DEACTIVATE, house.olga, m=house.ada.id)
    everybody = sorted([house.olga.id, house.desk.id])

    async def told() -> list[str]:
        return [row["who"] for row in await rows(house, TOLD)]

    async def heard(of: str, *, called_off: bool) -> None:
        with acting(practice):
            if called_off:
                await cancelled.handler(AppointmentCancelled(practice_id=practice, appointment_id=UUID(of)))
            else:
                await moved.handler(AppointmentMoved(practice_id=practice, appointment_id=UUID(of), version=2))

    gone = MemberDeactivated(practice_id=practice, member_id=house.ada.member.id)
    with acting(practice):
        with monkeypatch.context() as patched:
            patched.setattr(Offers, "unattended", AsyncMock(side_effect=ConnectionError))
            with pytest.raises(ConnectionError):
                await deactivated.handler(gone)
        # What is repeated has told nobody yet.
        assert await told() == []
        await deactivated.handler(gone)
    assert await told() == everybody
    await ask(house, GIVE, house.desk, i=given, s=text(at(monday(), 9)), m=[house.ben.id])
    await heard(given, called_off=False)
    for each in (dropped, away):
        await ask(house, CANCEL, house.desk, i=each)
        await heard(each, called_off=True)
    assert await told() == everybody  # one is left
    await ask(house, GIVE, house.desk, i=stays, s=text(at(monday(), 12)), m=[house.ben.id])
    await heard(stays, called_off=False)
    assert await told() == []


@pytest.mark.rule("S1", "A12")
async def test_patients_do_not_ask_who_is_active(house: Rota) -> None:
    span = {"f": text(at(monday(), 0)), "t": text(at(monday(), 23))}
    for attended in (True, False):
        assert await house.deployment.code(FOUND, house.pat.token, **span, a=attended) == "FORBIDDEN"


@pytest.mark.rule("S7")
async def test_what_is_offered_with_a_deactivated_practitioner_ends(waiting: List) -> None:
    house, (first, second, _) = waiting.house, waiting.people
    taken = await waiting.book(await house.deployment.patient(house.practice))
    for who in (first, second):
        await waiting.wait(who, **{"from": text(at(monday(), 0))})
    await ask(house, CANCEL, house.desk, i=taken)
    offer = await waiting.offered(first)
    await ask(house, DEACTIVATE, house.olga, m=house.ada.id)

    async def ended() -> bool:
        return await waiting.states() == {"withdrawn": 1}

    await until(ended, "the offer ended", 60)
    assert ((await waiting.entry(first))["offer"], (await waiting.entry(first))["outcome"]) == (None, None)
    kept = await rows(house, "SELECT state FROM appointment WHERE id = $1", offer["appointmentId"])
    assert [row["state"] for row in kept] == ["lapsed"]
    await pass_time(house, minutes=2)
    assert (await waiting.entry(second))["offer"] is None
    for who, more in ((first, {}), (house.desk, {"p": second.id})):
        wish = waiting.wish(memberId=house.ada.id) | ({"patientId": more["p"]} if more else {})
        assert await house.deployment.code(WAIT, who.token, i=wish, c=client()) == "NOT_FOUND"
    # It was not theirs to answer: once the practitioner is back, they are offered the same time again.
    await ask(house, REACTIVATE, house.olga, m=house.ada.id)
    again = await waiting.offered(first)
    assert again["appointment"]["startsAt"] == offer["appointment"]["startsAt"] == text(at(monday(), 9))
    assert await house.deployment.code(ACCEPT, first.token, i=offer["id"]) == "HOLD_OVER"
    assert (await ask(house, ACCEPT, first, i=again["id"]))["state"] == "BOOKED"


@pytest.mark.rule("S4", "S7")
async def test_a_group_that_nobody_holds_is_not_offered_nor_joined(course: Course) -> None:
    house, (first, second, _) = course.house, course.people
    await ask(house, CANCEL, house.pat, i=course.group)
    await course.wait(first)
    await course.look()
    assert await course.states() == {"open": 1}
    offer = (await course.entry(first))["offer"]
    await ask(house, DEACTIVATE, house.olga, m=house.ada.id)
    # Before anybody has heard of it.
    assert await house.deployment.code(ACCEPT, first.token, i=offer["id"]) == "HOLD_OVER"
    assert (await course.states(), first.id in await course.there()) == ({"open": 1}, False)
    deactivated, *_ = member_listeners(house.deployment.platform)
    with acting(house.practice.id):
        event = MemberDeactivated(practice_id=house.practice.id, member_id=house.ada.member.id)
        await deactivated.handler(event)
    assert await course.states() == {"withdrawn": 1}
    await course.wait(second)
    await course.look()
    assert await course.states() == {"withdrawn": 1}
    assert (await ask(house, OPEN, second, u=True))["nodes"] == []
    assert await house.deployment.code(JOIN, second.token, i=course.group) == "NOT_FOUND"
    await ask(house, REACTIVATE, house.olga, m=house.ada.id)
    await course.look()
    assert await course.states() == {"open": 1, "withdrawn": 1}
    again = (await course.entry(first))["offer"]
    assert await house.deployment.code(ACCEPT, first.token, i=offer["id"]) == "HOLD_OVER"
    assert (await ask(house, ACCEPT, first, i=again["id"]))["id"] == course.group
