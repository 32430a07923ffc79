"""Appointments are moved by members anywhere, by patients where they are offered and in time; converted; never lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from plugins.scheduling.agenda import CANCEL, CONVERT, MOVE, ONE, VISIT, Agenda
from plugins.scheduling.rota import HOST, at, monday, text, weekly

from bedside_core.database import DB, acting

NOBODY = "0199aaaa-0000-7000-8000-000000000000"


async def cost_of(agenda: Agenda, appointment: dict[str, Any]) -> tuple[Any, ...]:
    """Return what a refusal must not change."""
    now = await agenda.one(agenda.rota.olga, appointment)
    return now["startsAt"], now["version"], now["sequence"], now["memberIds"]


@pytest.mark.rule("S7")
async def test_members_move_to_any_free_time_and_to_others(agenda: Agenda) -> None:
    house, day = agenda.rota, monday()
    made = await agenda.book(house.desk, at(day, 9), house.ada, patientIds=[house.pat.id])
    other = await agenda.book(house.desk, at(day, 10), house.ada, patientIds=[house.pat.id])
    overlapping = await agenda.ask(house.ada, MOVE, a=made["id"], s=text(at(day, 9, 15)), r="  Traffic ")
    moved = overlapping["appointment"]
    assert (moved["startsAt"], moved["endsAt"]) == (text(at(day, 9, 15)), text(at(day, 9, 45)))
    assert (moved["version"], moved["sequence"], moved["reason"]) == (2, 1, "Traffic")
    told = await agenda.refused(house.desk, MOVE, a=made["id"], s=text(at(day, 9, 45)))
    assert (told["code"], len(told["next"])) == ("SLOT_TAKEN", 0)
    assert await agenda.one(house.desk, made) == moved
    away = await agenda.ask(house.desk, MOVE, a=made["id"], s=text(at(day, 9, 45)), m=[house.ben.id], n=60)
    assert (away["appointment"]["memberIds"], away["appointment"]["endsAt"]) == ([house.ben.id], text(at(day, 10, 45)))
    both = await agenda.ask(house.desk, MOVE, a=other["id"], s=text(at(day, 11)), m=[house.ada.id, house.ben.id])
    assert set(both["appointment"]["memberIds"]) == {house.ada.id, house.ben.id}
    back = await agenda.ask(house.desk, MOVE, a=made["id"], s=text(at(day, 9, 15)), m=[house.ada.id], n=30)
    assert (back["appointment"]["version"], back["appointment"]["memberIds"]) == (4, [house.ada.id])
    who = await agenda.ask(
        house.desk, "query($a: ID!) { appointment(id: $a) { movedBy { id patient } } }", a=made["id"]
    )
    assert who["movedBy"] == {"id": house.desk.id, "patient": False}


@pytest.mark.rule("S7")
@pytest.mark.rule("S4")
async def test_patients_move_their_own_to_what_is_offered_until_some_hours_before(agenda: Agenda) -> None:
    house, pat, day = agenda.rota, agenda.rota.pat, monday()
    kind = await house.type(house.ada)
    await house.week(house.ada, weekly(day, "08:00", "12:00"))
    made = await agenda.book(pat, at(day, 9), house.ada, typeId=kind)
    until = text(at(day, 9) - timedelta(hours=24))
    assert made["canMove"] == {"allowed": True, "code": None, "until": until}
    before = await cost_of(agenda, made)
    for given, code in (
        ({"s": text(at(day, 13))}, "SLOT_NOT_OFFERED"),
        ({"s": text(at(day, 10, 30))}, "SLOT_NOT_OFFERED"),
        ({"s": text(at(day, 10)), "m": [house.ben.id]}, "NOT_FOUND"),
        ({"s": text(at(day, 10)), "m": [house.ada.id, house.ben.id]}, "INVALID_INPUT"),
        ({"s": text(at(day, 10)), "n": 30}, "INVALID_INPUT"),
        ({"s": text(at(day, 10)), "v": 7}, "CONFLICT"),
        ({"s": text(at(day, 10)), "r": "x" * 501}, "INVALID_INPUT"),
    ):
        assert await agenda.code(pat, MOVE, a=made["id"], **given) == code, given
    stranger = await house.deployment.held(house.practice)
    for who in (made["id"], NOBODY):
        assert await agenda.code(stranger, MOVE, a=who, s=text(at(day, 10))) == "NOT_FOUND"
    assert await cost_of(agenda, made) == before
    moved = (await agenda.ask(pat, MOVE, a=made["id"], s=text(at(day, 10)), r="School", v=1))["appointment"]
    assert (moved["startsAt"], moved["version"], moved["reason"]) == (text(at(day, 10)), 2, "School")
    assert (await agenda.ask(pat, MOVE, a=made["id"], s=text(at(day, 10)), v=1))["appointment"] == moved
    clock = agenda.deployment.platform.clock
    await clock.move(at(day, 10) - timedelta(hours=24) - clock.now() - timedelta(seconds=30))
    moved = (await agenda.ask(pat, MOVE, a=made["id"], s=text(at(day, 11))))["appointment"]
    await agenda.ask(house.desk, MOVE, a=made["id"], s=text(at(day, 10)))
    await clock.move(timedelta(minutes=1))
    late = {
        "code": "TOO_LATE",
        "wayOn": "Call the practice.",
        "until": text(at(day, 10) - timedelta(hours=24)),
    }
    before = await cost_of(agenda, made)
    assert await agenda.refused(pat, MOVE, a=made["id"], s=text(at(day, 11))) == late
    assert await agenda.refused(pat, CANCEL, a=made["id"]) == late
    told = await agenda.one(pat, made)
    assert told["canMove"] == told["canCancel"] == {"allowed": False, "code": "TOO_LATE", "until": late["until"]}
    assert await cost_of(agenda, made) == before
    can = 'query($a: ID!) { can(action: "scheduling.cancel", target: $a) { allowed code } }'
    assert await agenda.ask(pat, can, a=made["id"]) == {"allowed": False, "code": "TOO_LATE"}
    assert await agenda.ask(stranger, can, a=made["id"]) == {"allowed": False, "code": "NOT_FOUND"}
    await agenda.ask(house.desk, CANCEL, a=made["id"])


@pytest.mark.rule("S7")
async def test_patients_do_not_move_what_no_slots_are_offered_for(agenda: Agenda) -> None:
    house, pat, day = agenda.rota, agenda.rota.pat, monday()
    kind, by_practice = await house.type(house.ada), await house.type(house.ada, name="Tests", selfScheduling=False)
    await house.week(house.ada, weekly(day, "08:00", "18:00"))
    mine = {"patientIds": [pat.id]}
    plain = await agenda.book(house.desk, at(day, 8), house.ada, **mine)
    longer = await agenda.book(house.desk, at(day, 9), house.ada, typeId=kind, minutes=90, **mine)
    theirs = await agenda.book(house.desk, at(day, 11), house.ada, typeId=by_practice, **mine)
    for each in (plain, longer, theirs):
        shown = await agenda.one(pat, each)
        assert (shown["canMove"]["code"], shown["canCancel"]["allowed"]) == ("SLOT_NOT_OFFERED", True)
        assert await agenda.code(pat, MOVE, a=each["id"], s=text(at(day, 14))) == "SLOT_NOT_OFFERED"
        assert (await agenda.one(house.desk, each))["version"] == 1


@pytest.mark.rule("S7")
@pytest.mark.rule("S5")
async def test_of_two_moves_at_once_one_is_told_of_the_other(agenda: Agenda) -> None:
    house, day = agenda.rota, monday()
    one = await agenda.book(house.desk, at(day, 9), house.ada, patientIds=[house.pat.id])
    two = await agenda.book(house.desk, at(day, 10), house.ada, patientIds=[house.pat.id])

    async def move(appointment: dict[str, Any], hour: int) -> str:
        given = {"a": appointment["id"], "s": text(at(day, hour)), "v": appointment["version"]}
        body = await house.deployment.ask(MOVE, house.desk.token, **given)
        return body["errors"][0]["extensions"]["code"] if "errors" in body else "MOVED"

    assert sorted(await asyncio.gather(move(one, 12), move(one, 13))) == ["CONFLICT", "MOVED"]
    one = await agenda.one(house.desk, one)
    assert one["version"] == 2
    assert sorted(await asyncio.gather(move(one, 15), move(two, 15))) == ["MOVED", "SLOT_TAKEN"]
    starts = [each["startsAt"] for each in await agenda.all()]
    assert starts.count(text(at(day, 15))) == 1 and len(set(starts)) == 2
    # In a circle: each to where the other is leaves both where they are.
    one, two = await agenda.one(house.desk, one), await agenda.one(house.desk, two)
    assert one["startsAt"] != two["startsAt"]


@pytest.mark.rule("S7")
@pytest.mark.rule("S5")
async def test_a_move_and_a_cancellation_at_once_leave_it_cancelled_or_refused(agenda: Agenda) -> None:
    house, day = agenda.rota, monday()
    for number in range(4):
        made = await agenda.book(house.desk, at(day, 9), house.ada, patientIds=[house.pat.id])
        moving = house.deployment.ask(MOVE, house.desk.token, a=made["id"], s=text(at(day, 12 + number)))
        cancelling = house.deployment.ask(CANCEL, house.olga.token, a=made["id"])
        moved, cancelled = await asyncio.gather(moving, cancelling)
        assert "errors" not in cancelled
        if "errors" in moved:
            assert moved["errors"][0]["extensions"]["code"] == "APPOINTMENT_OVER"
        assert (await agenda.one(house.desk, made))["state"] == "CANCELLED"
        free = await agenda.book(house.desk, at(day, 12 + number), house.ada, patientIds=[house.pat.id])
        await agenda.ask(house.desk, CANCEL, a=free["id"])


@pytest.mark.rule("S1")
async def test_an_appointment_is_converted_either_way(agenda: Agenda) -> None:
    house, day = agenda.rota, monday()
    made = await agenda.book(house.desk, at(day, 9), house.ada, patientIds=[house.pat.id])
    assert await agenda.code(house.desk, CONVERT, a=made["id"], k="TELEHEALTH") == "TELEHEALTH_NOT_OFFERED"
    assert await agenda.one(house.desk, made) == made
    await house.deployment.data(HOST, house.olga.token, m=house.ada.id, e=True)
    assert await agenda.code(house.desk, CONVERT, a=made["id"], k="TELEHEALTH", v=9) == "CONFLICT"
    video = (await agenda.ask(house.desk, CONVERT, a=made["id"], k="TELEHEALTH", v=1))["appointment"]
    assert (video["kind"], video["version"], video["sequence"]) == ("TELEHEALTH", 2, 1)
    assert (await agenda.ask(house.desk, CONVERT, a=made["id"], k="TELEHEALTH", v=1))["appointment"] == video
    plain = (await agenda.ask(house.desk, CONVERT, a=made["id"], k="IN_PERSON"))["appointment"]
    assert (plain["kind"], plain["version"], plain["sequence"]) == ("IN_PERSON", 3, 2)
    assert await agenda.code(house.pat, CONVERT, a=made["id"], k="TELEHEALTH") == "FORBIDDEN"
    assert await agenda.one(house.desk, made) == plain
    with acting(house.practice.id):
        events = await DB.fetch("SELECT action FROM audit_entry WHERE target = $1 ORDER BY id", made["id"])
    assert [each["action"] for each in events] == ["scheduling.book", "scheduling.convert", "scheduling.convert"]


@pytest.mark.rule("S7")
async def test_what_is_over_is_not_changed(agenda: Agenda) -> None:
    house, day = agenda.rota, monday()
    gone = await agenda.book(house.desk, at(day, 9), house.ada, patientIds=[house.pat.id])
    done = await agenda.book(house.desk, at(day, 10), house.ada, patientIds=[house.pat.id])
    await agenda.ask(house.desk, CANCEL, a=gone["id"])
    clock = agenda.deployment.platform.clock
    await clock.move(at(day, 10) - clock.now())
    await agenda.ask(house.desk, VISIT, a=done["id"], s="STARTED")
    for each in (gone, done):
        before = await cost_of(agenda, each)
        for query, given in ((MOVE, {"s": text(at(day, 15))}), (CONVERT, {"k": "TELEHEALTH"})):
            assert await agenda.code(house.desk, query, a=each["id"], **given) == "APPOINTMENT_OVER"
        assert (await agenda.one(house.pat, each))["canMove"]["code"] == "APPOINTMENT_OVER"
        assert await cost_of(agenda, each) == before
    assert await agenda.code(house.desk, CANCEL, a=done["id"]) == "APPOINTMENT_OVER"


@pytest.mark.rule("S7")
@pytest.mark.promise("A1")
async def test_members_of_other_practices_and_deactivated_ones_are_no_practitioners(agenda: Agenda) -> None:
    house, day = agenda.rota, monday()
    made = await agenda.book(house.desk, at(day, 9), house.ada, patientIds=[house.pat.id])
    stranger = await house.deployment.person(await house.deployment.practice("Abbey"))
    end = "mutation($m: ID!) { deactivateMember(memberId: $m) { id } }"
    await house.deployment.data(end, house.olga.token, m=house.ben.id)
    for member in (stranger.id, house.ben.id, NOBODY):
        given = {"a": made["id"], "s": text(at(day, 10)), "m": [member]}
        assert await agenda.code(house.desk, MOVE, **given) == "NOT_FOUND"
    for query in (MOVE, CANCEL, ONE):
        given = {"s": text(at(day, 10))} if query is MOVE else {}
        assert await agenda.code(stranger, query, a=made["id"], **given) == "NOT_FOUND"
    assert await agenda.one(house.desk, made) == made
    await house.deployment.data(end, house.olga.token, m=house.ada.id)
    assert await agenda.code(house.desk, MOVE, a=made["id"], s=text(at(day, 10))) == "NOT_FOUND"
    assert (await agenda.ask(house.desk, CANCEL, a=made["id"]))["state"] == "CANCELLED"
