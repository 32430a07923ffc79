"""Members book any free time, patients what they are offered, and of many who take one time one has it (S1, S4, S5)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from plugins.scheduling.agenda import BOOK, CANCEL, CONVERT, MOVE, PEOPLE, Agenda, wanted
from plugins.scheduling.rota import ARCHIVE, BERLIN, CLOSE, at, monday, text, weekly

from bedside_core.database import DB, acting
from bedside_core.testing import statements

NOBODY = "0199aaaa-0000-7000-8000-000000000000"
HALF_AN_HOUR = timedelta(minutes=30)


@pytest.mark.rule("S1")
@pytest.mark.rule("S6")
async def test_the_front_desk_books_and_reads_and_cancels(agenda: Agenda) -> None:
    house, nine = agenda.rota, at(monday(), 9)
    await house.week(house.ada, weekly(monday(), "08:00", "12:00"))
    made = await agenda.ask(house.desk, BOOK, i=wanted(nine, house.ada, patientIds=[house.pat.id]), c="first")
    shown = made["appointment"]
    assert made["warnings"] == []
    assert shown == {
        "id": shown["id"], "kind": "IN_PERSON", "state": "BOOKED", "startsAt": text(nine),
        "endsAt": text(nine + HALF_AN_HOUR), "localStartsAt": nine.astimezone(BERLIN).isoformat(),
        "localEndsAt": (nine + HALF_AN_HOUR).astimezone(BERLIN).isoformat(),
        "zone": "Europe/Berlin", "typeId": None, "memberIds": [house.ada.id], "capacity": 1, "version": 1,
        "sequence": 0, "heldUntil": None, "reason": None, "cancelledAt": None,
        "patients": [{"patientId": house.pat.id, "cancelledAt": None}],
        "canMove": {"allowed": True, "code": None, "until": None},
        "canCancel": {"allowed": True, "code": None, "until": None},
    }  # fmt: skip
    assert await agenda.one(house.ada, shown) == shown
    gone = await agenda.ask(house.desk, CANCEL, a=shown["id"], r="Ada is ill")
    assert (gone["state"], gone["reason"], gone["version"], gone["sequence"]) == ("CANCELLED", "Ada is ill", 2, 1)
    assert gone["cancelledBy"] == {"id": house.desk.id, "name": house.desk.member.name, "patient": False}
    await agenda.book(house.desk, nine, house.ada, patientIds=[house.pat.id])
    assert await agenda.ask(house.desk, CANCEL, a=shown["id"]) == gone


@pytest.mark.rule("S4")
@pytest.mark.rule("S3")
async def test_a_patient_books_what_is_offered_and_nothing_else(agenda: Agenda) -> None:
    house, pat, day = agenda.rota, agenda.rota.pat, monday()
    kind = await house.type(house.ada)
    await house.host(house.ada)
    await house.week(
        house.ada,
        weekly(day, "08:00", "10:00"),
        weekly(day, "10:00", "12:00", open=False),
        weekly(day, "13:00", "15:00", "BOTH"),
    )
    for refused in (at(day, 10), at(day, 12), at(day, 7), at(day, 8, 30)):
        told = await agenda.refused(pat, BOOK, i=wanted(refused, house.ada, typeId=kind), c=agenda.key())
        assert told["code"] == "SLOT_NOT_OFFERED"
        assert len(told["next"]) == 3 and all(each > text(refused) for each in told["next"])
    video = wanted(at(day, 8), house.ada, typeId=kind, kind="TELEHEALTH")
    assert await agenda.refused(pat, BOOK, i=video, c=agenda.key()) == {
        "code": "SLOT_NOT_OFFERED",
        "wayOn": "Choose another time.",
        "next": [text(at(day, 13)), text(at(day, 14)), text(at(day + timedelta(days=7), 13))],
    }
    assert await agenda.all() == []
    chosen = await agenda.book(pat, at(day, 13), house.ada, typeId=kind, kind="TELEHEALTH")
    plain = await agenda.book(pat, at(day, 8), house.ada, typeId=kind)
    assert (chosen["kind"], plain["kind"]) == ("TELEHEALTH", "IN_PERSON")
    assert chosen["patients"] == [{"patientId": pat.id, "cancelledAt": None}]
    assert [each["id"] for each in await agenda.all()] == [plain["id"], chosen["id"]]
    desk = await agenda.book(house.desk, at(day, 10), house.ada, typeId=kind, patientIds=[pat.id])
    assert desk["endsAt"] == text(at(day, 11))


@pytest.mark.rule("S4")
async def test_patients_choose_neither_length_nor_others_nor_what_is_closed_or_not_theirs(agenda: Agenda) -> None:
    house, pat, day = agenda.rota, agenda.rota.pat, monday()
    kind, other = await house.type(house.ada), await house.deployment.held(agenda.rota.practice)
    hidden = await house.type(house.ada, name="Hidden", selfScheduling=False)
    await house.week(house.ada, weekly(day, "08:00", "12:00"))
    await house.week(house.ben, weekly(day, "08:00", "12:00"))
    eight = at(day, 8)
    begins, ends = text(at(day, 9)), text(at(day, 10))
    await house.deployment.data(CLOSE, house.olga.token, b=begins, e=ends, c="closed")
    for given, code in (
        (wanted(eight, house.ada, typeId=kind, minutes=60), "INVALID_INPUT"),
        (wanted(eight, house.ada), "INVALID_INPUT"),
        (wanted(eight, house.ada, house.ben, typeId=kind), "INVALID_INPUT"),
        (wanted(eight, typeId=kind), "INVALID_INPUT"),
        (wanted(eight, house.ada, typeId=kind, patientIds=[other.id]), "NOT_FOUND"),
        (wanted(eight, house.ada, typeId=kind, patientIds=[NOBODY]), "NOT_FOUND"),
        (wanted(eight, house.ada, typeId=NOBODY), "NOT_FOUND"),
        (wanted(eight, house.ben, typeId=kind), "NOT_FOUND"),
        (wanted(eight, house.ada, typeId=hidden), "NOT_FOUND"),
        (wanted(at(day, 9), house.ada, typeId=kind), "SLOT_NOT_OFFERED"),
        (wanted(eight - timedelta(days=60), house.ada, typeId=kind), "INVALID_INPUT"),
    ):
        assert await agenda.code(pat, BOOK, i=given, c=agenda.key()) == code, given
    assert await agenda.all() == []


@pytest.mark.rule("S5")
@pytest.mark.rule("S4")
async def test_who_is_too_late_is_told_the_next_free_times(agenda: Agenda) -> None:
    house, day = agenda.rota, monday()
    kind, other = await house.type(house.ada), await house.deployment.held(agenda.rota.practice)
    await house.week(house.ada, weekly(day, "08:00", "12:00"))
    await agenda.book(house.pat, at(day, 8), house.ada, typeId=kind)
    told = {
        "code": "SLOT_TAKEN",
        "wayOn": "Choose another time.",
        "next": [text(at(day, 9)), text(at(day, 10)), text(at(day, 11))],
    }
    late = wanted(at(day, 8), house.ada, typeId=kind)
    assert await agenda.refused(other, BOOK, i=late, c="late") == told
    by_desk = wanted(at(day, 8), house.ada, typeId=kind, patientIds=[other.id])
    assert await agenda.refused(house.desk, BOOK, i=by_desk, c="late") == told
    begun = wanted(at(day, 8, 30), house.ada, patientIds=[other.id], minutes=15)
    assert (await agenda.refused(house.desk, BOOK, i=begun, c="late"))["code"] == "SLOT_TAKEN"
    assert len(await agenda.all()) == 1


@pytest.mark.rule("S5")
async def test_of_many_patients_who_book_one_slot_at_once_one_has_it(agenda: Agenda) -> None:
    house, day = agenda.rota, monday()
    kind = await house.type(house.ada)
    await house.week(house.ada, weekly(day, "08:00", "12:00"))
    people = [await house.deployment.held(house.practice) for _ in range(10)]
    asked = [
        house.deployment.ask(BOOK, each.token, i=wanted(at(day, 8), house.ada, typeId=kind), c="one") for each in people
    ]
    codes = [
        body["errors"][0]["extensions"]["code"] if "errors" in body else "BOOKED"
        for body in await asyncio.gather(*asked)
    ]
    assert sorted(codes) == ["BOOKED", *["SLOT_TAKEN"] * 9]
    [only] = await agenda.all()
    assert only["patients"] == [{"patientId": people[codes.index("BOOKED")].id}]


@pytest.mark.rule("G9")
async def test_a_retry_returns_the_first_whatever_became_of_it_and_other_content_is_refused(agenda: Agenda) -> None:
    house, nine = agenda.rota, at(monday(), 9)
    given = wanted(nine, house.ada, patientIds=[house.pat.id])
    first = (await agenda.ask(house.desk, BOOK, i=given, c="same"))["appointment"]
    assert (await agenda.ask(house.desk, BOOK, i=given, c="same"))["appointment"] == first
    await agenda.ask(house.desk, MOVE, a=first["id"], s=text(nine + timedelta(hours=2)))
    again = (await agenda.ask(house.desk, BOOK, i=given, c="same"))["appointment"]
    assert (again["id"], again["version"], again["startsAt"]) == (first["id"], 2, text(nine + timedelta(hours=2)))
    for other in ({"minutes": 45}, {"kind": "TELEHEALTH"}, {"memberIds": [house.ben.id]}):
        assert await agenda.code(house.desk, BOOK, i=given | other, c="same") == "CONFLICT"
    theirs = (await agenda.ask(house.olga, BOOK, i=given, c="same"))["appointment"]
    assert theirs["id"] != first["id"]
    asked = [agenda.ask(house.desk, BOOK, i=wanted(at(monday(), 15), house.ada, patientIds=[house.pat.id]), c="twin")]
    asked += [agenda.ask(house.desk, BOOK, i=wanted(at(monday(), 15), house.ada, patientIds=[house.pat.id]), c="twin")]
    one, two = await asyncio.gather(*asked)
    assert one == two
    assert len(await agenda.all()) == 3


@pytest.mark.rule("S1")
async def test_what_can_t_be_right_is_named(agenda: Agenda) -> None:
    house, nine, pat = agenda.rota, at(monday(), 9), agenda.rota.pat
    kind, merged = await house.type(house.ada), await house.deployment.patient(house.practice)
    archived, kept = await house.deployment.patient(house.practice), await house.deployment.patient(house.practice)
    old = await house.type(house.ada, name="Old")
    await house.deployment.data(ARCHIVE, house.olga.token, t=old, a=True)
    archive = "mutation($p: ID!) { archivePatient(id: $p) { id } }"
    await house.deployment.data(archive, house.olga.token, p=str(archived.id))
    merge = 'mutation($k: ID!, $m: ID!) { mergePatients(keepId: $k, mergeId: $m, clientId: "m") { id } }'
    await house.deployment.data(merge, house.olga.token, k=str(kept.id), m=str(merged.id))
    gone = await house.deployment.person(house.practice)
    await house.deployment.data(
        "mutation($m: ID!) { deactivateMember(memberId: $m) { id } }", house.olga.token, m=gone.id
    )
    stranger = await house.deployment.person(await house.deployment.practice("Abbey"))
    now, mine = agenda.deployment.platform.clock.now().replace(second=0, microsecond=0), {"patientIds": [pat.id]}
    for given, code, field in (
        (wanted(nine, house.ada), "INVALID_INPUT", "patientIds"),
        (wanted(nine, **mine), "INVALID_INPUT", "memberIds"),
        (wanted(nine, house.ada, patientIds=[pat.id, str(kept.id)], typeId=kind), "APPOINTMENT_FULL", "patientIds"),
        (wanted(nine, house.ada, patientIds=[str(archived.id)]), "INVALID_INPUT", "patientIds"),
        (wanted(nine, house.ada, patientIds=[str(merged.id)]), "NOT_FOUND", "patientIds"),
        (wanted(nine, house.ada, patientIds=[NOBODY]), "NOT_FOUND", "patientIds"),
        (wanted(nine, gone, **mine), "NOT_FOUND", "memberIds"),
        (wanted(nine, stranger, **mine), "NOT_FOUND", "memberIds"),
        (wanted(nine, house.ada, typeId=NOBODY, **mine), "NOT_FOUND", "typeId"),
        (wanted(nine, house.ada, typeId=old, **mine), "INVALID_INPUT", "typeId"),
        (wanted(nine, house.ada, minutes=4, **mine), "INVALID_INPUT", "minutes"),
        (wanted(nine, house.ada, minutes=721, **mine), "INVALID_INPUT", "minutes"),
        (wanted(nine, house.ada, minutes=0, typeId=kind, **mine), "INVALID_INPUT", "minutes"),
        (wanted(nine + timedelta(seconds=1), house.ada, **mine), "INVALID_INPUT", "startsAt"),
        (wanted(now - timedelta(days=31), house.ada, **mine), "INVALID_INPUT", "startsAt"),
        (wanted(now + timedelta(days=2000), house.ada, **mine), "INVALID_INPUT", "startsAt"),
        (wanted(nine, house.ada, kind="TELEHEALTH", **mine), "TELEHEALTH_NOT_OFFERED", None),
    ):
        told = await agenda.refused(house.desk, BOOK, i=given, c=agenda.key())
        assert (told["code"], told.get("field", [None])[-1]) == (code, field), given
    assert await agenda.code(house.desk, BOOK, i=wanted(nine, house.ada, **mine), c="") == "INVALID_INPUT"
    assert await agenda.all() == []
    await agenda.book(house.desk, now - timedelta(days=29), house.ada, **mine)


@pytest.mark.rule("S1")
async def test_telehealth_is_offered_with_one_practitioner_who_may_host(agenda: Agenda) -> None:
    house, nine = agenda.rota, at(monday(), 9)
    await house.host(house.ben)
    given = wanted(nine, house.ada, house.ben, patientIds=[house.pat.id], kind="TELEHEALTH")
    made = await agenda.ask(house.desk, BOOK, i=given, c="two")
    assert made["appointment"]["kind"] == "TELEHEALTH"
    for each in (house.ada, house.ben):
        alone = wanted(nine, each, patientIds=[house.pat.id])
        assert await agenda.code(house.desk, BOOK, i=alone, c="taken") == "SLOT_TAKEN"


@pytest.mark.rule("S2")
async def test_the_scheduler_is_warned_of_accounts_that_miss_and_invites_in_the_same_step(agenda: Agenda) -> None:
    house, day = agenda.rota, monday()
    await house.host(house.ada)
    await house.week(house.ada, weekly(day, "08:00", "18:00", "BOTH"))
    one, two = [str((await house.deployment.patient(house.practice)).id) for _ in range(2)]
    given = wanted(at(day, 9), house.ada, patientIds=[one], kind="TELEHEALTH")

    async def shown() -> tuple[Any, ...]:
        [node] = (await agenda.ask(house.desk, PEOPLE, f=text(at(day, 0)), t=text(at(day, 23))))["nodes"]
        [patient] = node["patients"]
        return patient["patient"]["portalAccount"]["state"], patient["hasPortalAccount"], patient["canInvite"]

    missing = [{"code": "PORTAL_ACCOUNT_MISSING", "patientId": one, "memberId": None}]
    made = await agenda.ask(house.desk, BOOK, i=given, c="alone")
    assert made["warnings"] == missing
    assert await shown() == ("NONE", False, True)
    again = await agenda.ask(house.desk, CONVERT, a=made["appointment"]["id"], k="TELEHEALTH", p=[one])
    assert (again["appointment"], again["warnings"]) == (made["appointment"], missing)
    assert await shown() == ("INVITED", False, False)
    late = wanted(at(day, 10), house.ada, patientIds=[two], kind="TELEHEALTH")
    assert await agenda.code(house.desk, BOOK, i=late, c="late", p=[one]) == "NOT_FOUND"
    taken = wanted(at(day, 9), house.ada, patientIds=[two], kind="TELEHEALTH")
    assert await agenda.code(house.desk, BOOK, i=taken, c="taken", p=[two]) == "SLOT_TAKEN"
    with acting(house.practice.id):
        holders = "SELECT count(*) FROM portal_holder WHERE patient_id = $1"
        assert [await DB.fetchval(holders, each) for each in (one, two)] == [1, 0]
        await agenda.ask(house.desk, BOOK, i=late, c="late", p=[two])
        assert await agenda.ask(house.desk, BOOK, i=late, c="late", p=[two])
        assert [await DB.fetchval(holders, each) for each in (one, two)] == [1, 1]
        letters = "SELECT count(*) FROM notification WHERE kind = 'portal.invitation'"
        assert await DB.fetchval(letters) == 2
    held = wanted(at(day, 11), house.ada, patientIds=[house.pat.id], kind="TELEHEALTH")
    assert (await agenda.ask(house.desk, BOOK, i=held, c="held"))["warnings"] == []


@pytest.mark.rule("S3")
@pytest.mark.rule("S4")
async def test_whoever_books_outside_of_sections_or_into_buffers_is_warned_and_not_kept_from_it(agenda: Agenda) -> None:
    house, day = agenda.rota, monday()
    await house.set(bufferAfterMinutes=15)
    await house.week(house.ada, weekly(day, "08:00", "10:00"), weekly(day, "10:00", "12:00"))
    other = str((await house.deployment.patient(house.practice)).id)

    async def warned(*when: int, minutes: int = 30) -> list[str]:
        given = wanted(at(day, *when), house.ada, patientIds=[other], minutes=minutes)
        made = await agenda.ask(house.desk, BOOK, i=given, c=agenda.key())
        assert all(each["memberId"] == house.ada.id for each in made["warnings"])
        return [each["code"] for each in made["warnings"]]

    assert await warned(9, 45) == []
    assert await warned(10, 30, minutes=15) == []
    assert await warned(8, 30) == []
    assert await warned(9, 15) == ["BUFFER"]
    assert await warned(11, 45) == ["OUTSIDE_SECTIONS"]
    assert await warned(12, 15) == ["OUTSIDE_SECTIONS", "BUFFER"]
    await house.deployment.data(CLOSE, house.olga.token, b=text(at(day, 11)), e=text(at(day, 11, 30)), c="closed")
    assert await warned(11, 0, minutes=15) == ["OUTSIDE_SECTIONS"]


@pytest.mark.rule("S4")
async def test_booking_takes_a_constant_number_of_statements(agenda: Agenda) -> None:
    house, day = agenda.rota, monday()
    kind = await house.type(house.ada)
    await house.week(house.ada, weekly(day, "08:00", "18:00"))
    costs: dict[str, list[int]] = {"desk": [], "patient": [], "late": []}
    for hour in (8, 12):
        for number in range(2 if hour == 12 else 0):
            await agenda.book(house.desk, at(day, 14 + number), house.ada, typeId=kind, patientIds=[house.pat.id])
        given = wanted(at(day, hour), house.ada, typeId=kind, patientIds=[house.pat.id])
        query = BOOK.replace("{ ...Saved }", "{ appointment { id } }").partition("fragment")[0]
        for who, name, when in (
            (house.desk, "desk", hour),
            (house.pat, "patient", hour + 1),
            (house.pat, "late", hour + 1),
        ):
            given = wanted(at(day, when), house.ada, typeId=kind, patientIds=[house.pat.id])
            with statements() as ran:
                body: dict[str, Any] = await house.deployment.ask(query, who.token, i=given, c=agenda.key())
            assert ("errors" in body) is (name == "late")
            costs[name].append(len(ran))
    assert all(first == second for first, second in costs.values())
    assert {name: both[0] for name, both in costs.items()} == {"desk": 30, "patient": 46, "late": 20}
