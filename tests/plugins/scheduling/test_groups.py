"""A group appointment has as many places as it has, however many want one, and tells nobody of the others (S1, S4)."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from deployment import Held
from plugins.scheduling.groupwork import (
    ADD,
    APPOINTMENT,
    BOOK,
    CANCEL,
    JOIN,
    MISSING,
    OPEN,
    TAKE_OFF,
    ask,
    client,
    pass_time,
    rows,
    wanted,
)
from plugins.scheduling.rota import ARCHIVE, Rota, at, monday, text

from bedside_core.auth import Role
from bedside_core.testing import statements


async def group(house: Rota, *patients: Held, places: int = 3, hour: int = 9, **more: Any) -> str:
    """Book a group appointment of a type that patients join, and return its id."""
    kind = await house.type(house.ada, name="Back school", capacity=places, **more)
    given = wanted(monday(), hour, house.ada, patients=patients, typeId=kind)
    return (await ask(house, BOOK, house.desk, i=given, c=client()))["appointment"]["id"]


async def there(house: Rota, id: str) -> set[str]:
    """Return who comes."""
    seen = await ask(house, APPOINTMENT, house.desk, i=id)
    return {each["patientId"] for each in seen["patients"] if each["cancelledAt"] is None}


@pytest.mark.rule("S1")
async def test_staff_puts_patients_on_a_group_and_takes_them_off(house: Rota) -> None:
    second, third, fourth = [await house.deployment.patient(house.practice) for _ in range(3)]
    id = await group(house, house.pat)
    added = await ask(house, ADD, house.desk, i=id, p=str(second.id), v=1)
    assert [each["patientId"] for each in added["patients"]] == [house.pat.id, str(second.id)]
    assert (await ask(house, ADD, house.desk, i=id, p=str(second.id)))["version"] == added["version"] == 2
    assert await house.deployment.code(ADD, house.desk.token, i=id, p=str(third.id), v=1) == "CONFLICT"
    await ask(house, ADD, house.desk, i=id, p=str(third.id))
    assert await house.deployment.code(ADD, house.desk.token, i=id, p=str(fourth.id)) == "APPOINTMENT_FULL"
    assert await there(house, id) == {house.pat.id, str(second.id), str(third.id)}
    gone = await ask(house, TAKE_OFF, house.desk, i=id, p=str(second.id))
    assert [each["patientId"] for each in gone["patients"] if each["cancelledAt"]] == [str(second.id)]
    assert (await ask(house, TAKE_OFF, house.desk, i=id, p=str(second.id)))["version"] == gone["version"]
    await ask(house, ADD, house.desk, i=id, p=str(fourth.id))
    assert await house.deployment.code(ADD, house.desk.token, i=id, p=str(second.id)) == "APPOINTMENT_FULL"
    assert await there(house, id) == {house.pat.id, str(third.id), str(fourth.id)}


@pytest.mark.rule("S4", "S7")
async def test_patients_join_what_is_open_see_nobody_else_and_leave_in_time(house: Rota) -> None:
    other = await house.deployment.held(house.practice)
    id = await group(house, other)
    [found] = (await ask(house, OPEN, house.pat))["nodes"]
    assert found == {
        "id": id, "places": 2, "startsAt": text(at(monday(), 9)), "endsAt": text(at(monday(), 10)),
        "zone": "Europe/Berlin", "kind": "IN_PERSON", "type": {"name": "Back school"},
        "members": [{"id": house.ada.id}],
    }  # fmt: skip
    assert await house.deployment.code(APPOINTMENT, house.pat.token, i=id) == "NOT_FOUND"
    joined = await ask(house, JOIN, house.pat, i=id)
    assert joined == {"id": id, "version": 2, "patients": [{"patientId": house.pat.id}]}
    assert await ask(house, JOIN, house.pat, i=id) == joined
    assert (await ask(house, OPEN, house.pat))["nodes"] == []
    assert await there(house, id) == {house.pat.id, other.id}
    left = await ask(house, CANCEL, house.pat, i=id)
    assert (left["state"], [each["patientId"] for each in left["patients"]]) == ("CANCELLED", [house.pat.id])
    assert await there(house, id) == {other.id}
    await ask(house, JOIN, house.pat, i=id)
    await pass_time(house, seconds=(at(monday(), 9) - datetime.now(UTC) - timedelta(hours=23)).total_seconds())
    assert await house.deployment.code(CANCEL, house.pat.token, i=id) == "TOO_LATE"
    assert await there(house, id) == {house.pat.id, other.id}


@pytest.mark.rule("S4")
@pytest.mark.promise("A1")
async def test_what_is_not_open_is_told_as_if_it_were_not_there(house: Rota) -> None:
    shut = await group(house, places=3, selfScheduling=False)
    kind = await house.type(house.ada, name="One", capacity=1)
    given = wanted(monday(), 12, house.ada, patients=[await house.deployment.patient(house.practice)], typeId=kind)
    alone = (await ask(house, BOOK, house.desk, i=given, c=client()))["appointment"]["id"]
    cancelled = await group(house, hour=14)
    await ask(house, CANCEL, house.desk, i=cancelled)
    elsewhere = await house.deployment.held(await house.deployment.practice("Elsewhere"))
    opened = await group(house, hour=16)
    for id in (shut, alone, cancelled, MISSING):
        assert await house.deployment.code(JOIN, house.pat.token, i=id) == "NOT_FOUND"
    assert await house.deployment.code(JOIN, elsewhere.token, i=opened) == "NOT_FOUND"
    assert [each["id"] for each in (await ask(house, OPEN, house.pat))["nodes"]] == [opened]
    assert (await ask(house, OPEN, elsewhere))["nodes"] == []
    owner = await house.deployment.person(await house.deployment.practice("Third"), Role.OWNER)
    for query in (ADD, TAKE_OFF):
        assert await house.deployment.code(query, owner.token, i=opened, p=house.pat.id) == "NOT_FOUND"
        assert await house.deployment.code(query, house.pat.token, i=opened, p=house.pat.id) == "FORBIDDEN"
        assert await house.deployment.code(query, house.desk.token, i=opened, p=MISSING) == "NOT_FOUND"
    assert await house.deployment.code(JOIN, house.desk.token, i=opened) == "FORBIDDEN"
    assert await house.deployment.code(ADD, house.desk.token, i=alone, p=house.pat.id) == "APPOINTMENT_FULL"
    assert await house.deployment.code(ADD, house.desk.token, i=cancelled, p=house.pat.id) == "APPOINTMENT_OVER"
    on = await rows(house, "SELECT patient_id FROM appointment_patient WHERE patient_id = $1", house.pat.patient.id)
    assert on == []


@pytest.mark.rule("S4")
async def test_notice_and_horizon_count_for_groups_too_and_an_archived_type_is_not_open(house: Rota) -> None:
    id = await group(house)
    await house.set(horizonDays=1)
    assert await house.deployment.code(JOIN, house.pat.token, i=id) == "SLOT_NOT_OFFERED"
    assert (await ask(house, OPEN, house.pat))["nodes"] == []
    await house.set(horizonDays=60, noticeMinutes=43_200)
    assert await house.deployment.code(JOIN, house.pat.token, i=id) == "SLOT_NOT_OFFERED"
    await house.set(noticeMinutes=0)
    [found] = (await ask(house, OPEN, house.pat, f=text(at(monday(), 8)), t=text(at(monday(), 10))))["nodes"]
    assert found["id"] == id
    assert (await ask(house, OPEN, house.pat, f=text(at(monday(), 10))))["nodes"] == []
    await house.set(patientsBook=False)
    assert await house.deployment.code(JOIN, house.pat.token, i=id) == "SWITCHED_OFF"
    await house.set(patientsBook=True)
    [row] = await rows(house, "SELECT type_id FROM appointment")
    await ask(house, ARCHIVE, house.olga, t=str(row["type_id"]), a=True)
    assert await house.deployment.code(JOIN, house.pat.token, i=id) == "NOT_FOUND"
    assert await there(house, id) == set()


@pytest.mark.rule("S4")
async def test_a_page_of_open_groups_costs_one_statement_and_leads_to_the_next(house: Rota) -> None:
    ids = [await group(house, hour=8 + 2 * number) for number in range(3)]

    async def page(first: int, after: str | None = None) -> tuple[list[str], dict[str, Any], int]:
        query = OPEN.replace("type { name } members { id }", "")
        with statements() as ran:
            found = await ask(house, query, house.pat, n=first, a=after)
        return [each["id"] for each in found["nodes"]], found["pageInfo"], len(ran)

    await page(1)
    some, info, cost = await page(2)
    assert (some, info["hasNextPage"]) == (ids[:2], True)
    rest, info, more = await page(2, info["endCursor"])
    assert (rest, info["hasNextPage"], more) == (ids[2:], False, cost)


@pytest.mark.rule("S1", "S4", "S5")
async def test_of_fifty_who_race_for_the_last_places_as_many_as_there_are_get_one(house: Rota) -> None:
    people = [await house.deployment.held(house.practice) for _ in range(50)]
    id = await group(house, house.pat, places=8)

    async def tries(number: int, person: Held) -> str:
        if number % 2:
            body = await house.deployment.ask(JOIN, person.token, i=id)
        else:
            body = await house.deployment.ask(ADD, house.desk.token, i=id, p=person.id)
        return body["errors"][0]["extensions"]["code"] if "errors" in body else "in"

    found = Counter(await asyncio.gather(*(tries(number, person) for number, person in enumerate(people))))
    assert found == {"in": 7, "APPOINTMENT_FULL": 43}
    assert len(await there(house, id)) == 8
    [row] = await rows(house, "SELECT taken, capacity FROM appointment")
    assert (row["taken"], row["capacity"]) == (8, 8)
