"""What appointments can be about is kept by leaders, and shown to patients where they can book it (S4, A12)."""

from __future__ import annotations

from typing import Any

import pytest
from deployment import Held, Person
from plugins.scheduling.rota import ARCHIVE, CHANGE, CREATE, TYPES, Rota

from bedside_core.auth import Role
from bedside_core.testing import statements

NOBODY = "0199aaaa-0000-7000-8000-000000000000"


async def names(house: Rota, who: Person | Held, *, archived: bool = False) -> list[str]:
    found = await house.deployment.data(TYPES, who.token, a=archived)
    return [each["name"] for each in found["appointmentTypes"]["nodes"]]


@pytest.mark.rule("S4")
@pytest.mark.rule("G9")
async def test_a_type_is_made_changed_archived_and_taken_back(house: Rota) -> None:
    deployment, olga, ada, ben = house.deployment, house.olga, house.ada, house.ben
    given = {"name": "  First   visit ", "description": "Bring your card.", "bufferBefore": 5, "memberIds": [ada.id]}
    made = (await deployment.data(CREATE, olga.token, i=given, c="t-1"))["createAppointmentType"]
    assert made == {
        "id": made["id"], "name": "First visit", "description": "Bring your card.", "minutes": None, "length": 30,
        "bufferBefore": 5, "bufferAfter": None, "mode": "BOTH", "selfScheduling": False, "capacity": 1,
        "memberIds": [ada.id], "archivedAt": None, "members": [{"id": ada.id}],
    }  # fmt: skip
    assert (await deployment.data(CREATE, olga.token, i=given, c="t-1"))["createAppointmentType"] == made
    assert await deployment.code(CREATE, olga.token, i=given | {"name": "Other"}, c="t-1") == "CONFLICT"
    assert await names(house, ada) == ["First visit"]
    patch = {
        "minutes": 45,
        "bufferAfter": 10,
        "mode": "TELEHEALTH",
        "capacity": 3,
        "memberIds": [ben.id, ada.id, ben.id],
    }
    changed = (await deployment.data(CHANGE, olga.token, t=made["id"], p=patch))["changeAppointmentType"]
    assert changed == {
        "name": "First visit", "minutes": 45, "bufferAfter": 10, "mode": "TELEHEALTH", "capacity": 3,
        "memberIds": sorted([ada.id, ben.id]), "selfScheduling": False,
    }  # fmt: skip
    # Null takes away what can be taken away; of the rest it changes nothing.
    cleared = {"minutes": None, "bufferAfter": None, "name": None, "mode": None, "capacity": None, "memberIds": None}
    changed = (await deployment.data(CHANGE, olga.token, t=made["id"], p=cleared))["changeAppointmentType"]
    assert (changed["minutes"], changed["bufferAfter"]) == (None, None)
    assert (changed["name"], changed["mode"], changed["capacity"]) == ("First visit", "TELEHEALTH", 3)
    assert len(changed["memberIds"]) == 2
    for _ in range(2):
        archived = (await deployment.data(ARCHIVE, olga.token, t=made["id"], a=True))["archiveAppointmentType"]
        assert archived["archivedAt"] is not None
    assert (await names(house, ada), await names(house, ada, archived=True)) == ([], ["First visit"])
    back = (await deployment.data(ARCHIVE, olga.token, t=made["id"], a=False))["archiveAppointmentType"]
    assert (back["archivedAt"], await names(house, ada)) == (None, ["First visit"])


@pytest.mark.rule("A12")
@pytest.mark.rule("A14")
@pytest.mark.promise("A1")
async def test_leaders_alone_keep_types_and_those_of_their_own_practice(house: Rota) -> None:
    deployment = house.deployment
    other = await deployment.practice("Hill Top")
    eve = await deployment.person(other, Role.OWNER, "Eve")
    visit = await house.type(house.ada)
    given = {"name": "Mine", "memberIds": [house.ada.id]}
    for who in (house.ada, house.desk, house.pat):
        assert await deployment.code(CREATE, who.token, i=given, c="t-1") == "FORBIDDEN"
        assert await deployment.code(CHANGE, who.token, t=visit, p={"name": "Mine"}) == "FORBIDDEN"
        assert await deployment.code(ARCHIVE, who.token, t=visit, a=True) == "FORBIDDEN"
    for type_id in (visit, NOBODY, "x", eve.id):
        assert await deployment.code(CHANGE, eve.token, t=type_id, p={"name": "Mine"}) == "NOT_FOUND"
        assert await deployment.code(ARCHIVE, eve.token, t=type_id, a=True) == "NOT_FOUND"
    for member in (eve.id, NOBODY, "x", house.pat.id):
        assert (
            await deployment.code(CREATE, house.olga.token, i=given | {"memberIds": [member]}, c="t-1") == "NOT_FOUND"
        )
        assert await deployment.code(CHANGE, house.olga.token, t=visit, p={"memberIds": [member]}) == "NOT_FOUND"
    assert (await names(house, house.ada, archived=True), await names(house, eve, archived=True)) == (["Visit"], [])
    asked = "{ appointmentTypes { nodes { id memberIds } } }"
    found = (await deployment.data(asked, house.ada.token))["appointmentTypes"]["nodes"]
    assert found == [{"id": visit, "memberIds": [house.ada.id]}]
    trail = "{ auditEntries(first: 50) { nodes { action target memberId } } }"
    entries = (await deployment.data(trail, house.olga.token))["auditEntries"]["nodes"]
    assert [each for each in entries if each["action"] == "scheduling.types"] == [
        {"action": "scheduling.types", "target": visit, "memberId": house.olga.id}
    ]


@pytest.mark.rule("S4")
async def test_patients_see_what_they_can_book_by_themselves(house: Rota) -> None:
    deployment = house.deployment
    await house.type(house.ada, house.ben, name="Open")
    await house.type(house.ada, name="Closed", selfScheduling=False)
    await house.type(house.ada, name="Group", capacity=4)
    await house.type(name="Nobody")
    await house.type(house.ben, name="Ben")
    gone = await house.type(house.ada, name="Gone")
    await deployment.data(ARCHIVE, house.olga.token, t=gone, a=True)
    assert await names(house, house.desk) == ["Ben", "Closed", "Group", "Nobody", "Open"]
    assert await names(house, house.desk, archived=True) == ["Ben", "Closed", "Gone", "Group", "Nobody", "Open"]
    assert await names(house, house.pat) == await names(house, house.pat, archived=True) == ["Ben", "Open"]
    await deployment.data(
        "mutation($m: ID!) { deactivateMember(memberId: $m) { id } }", house.olga.token, m=house.ben.id
    )
    assert await names(house, house.pat) == ["Open"]
    found = (await deployment.data(TYPES, house.pat.token, a=False))["appointmentTypes"]["nodes"]
    assert found[0]["members"] == [{"name": house.ada.member.name}]


@pytest.mark.rule("G2")
async def test_types_come_by_name_in_pages_and_cost_as_few_statements(house: Rota) -> None:
    deployment, shown = house.deployment, "nodes { id name length members { name } } pageInfo { endCursor hasNextPage }"
    page = f"query($n: Int, $a: String) {{ appointmentTypes(first: $n, after: $a) {{ {shown} }} }}"
    for number in range(5):
        await house.type(house.ada, house.ben, name=f"{'aB'[number % 2]}{number}", minutes=None)
    seen: list[str] = []
    after, counted = None, []
    while True:
        with statements() as ran:
            found: Any = (await deployment.data(page, house.desk.token, n=2, a=after))["appointmentTypes"]
        counted.append(len(ran))
        seen += [each["name"] for each in found["nodes"]]
        after = found["pageInfo"]["endCursor"]
        if not found["pageInfo"]["hasNextPage"]:
            break
    assert seen == ["a0", "a2", "a4", "B1", "B3"]
    await house.type(house.ada, house.ben, house.olga, house.desk, name="c", minutes=None)
    with statements() as ran:
        await deployment.data(page, house.desk.token, n=100)
    assert counted == [len(ran)] * 3
    assert await deployment.code(page, house.desk.token, n=0) == "INVALID_INPUT"
    for cursor in ("", "x", "WyJhIl0", "WyJhIiwgMV0"):
        assert await deployment.code(page, house.desk.token, a=cursor) == "INVALID_INPUT"


async def test_what_can_t_be_used_is_refused_with_a_code(house: Rota) -> None:
    deployment, olga = house.deployment, house.olga
    visit = await house.type(house.ada)
    for wrong, field in (
        ({"name": ""}, "name"), ({"name": " "}, "name"), ({"name": "x" * 81}, "name"), ({"name": "a\u202eb"}, "name"),
        ({"description": "x" * 1001}, "description"), ({"minutes": 4}, "minutes"), ({"minutes": 721}, "minutes"),
        ({"bufferBefore": -1}, "bufferBefore"), ({"bufferAfter": 241}, "bufferAfter"), ({"capacity": 0}, "capacity"),
        ({"capacity": 101}, "capacity"), ({"memberIds": [NOBODY[:-3] + f"{n:03}" for n in range(101)]}, "memberIds"),
    ):  # fmt: skip
        given = {"name": "New", "memberIds": []} | wrong
        for body in (
            await deployment.ask(CREATE, olga.token, i=given, c="t-1"),
            await deployment.ask(CHANGE, olga.token, t=visit, p=wrong),
        ):
            [error] = body["errors"]
            assert (error["extensions"]["code"], error["extensions"]["field"][-1]) == ("INVALID_INPUT", field)
    assert await names(house, olga) == ["Visit"]
