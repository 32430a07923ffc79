"""The chat icon of an appointment: it leads to the conversation with each of its patients, or tells why not (C5)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from deployment import served
from plugins.scheduling.reception import Reception, soon

from bedside_core.config import FIRST_PARTY
from bedside_core.testing import Database, statements

CHAT = "chat { patientId conversation { id } start { open code } }"
ONE = f"query($i: ID!) {{ appointment(id: $i) {{ id {CHAT} }} }}"
MANY = f"query($f: DateTime!, $t: DateTime!) {{ appointments(from: $f, to: $t, first: 50) {{ nodes {{ {CHAT} }} }} }}"
START = 'mutation($p: ID!) { startPatientConversation(patientId: $p, clientId: "s") { id } }'
KNOWN = '{ __type(name: "Appointment") { fields { name } } patient: __type(name: "Patient") { fields { name } } }'


@pytest.mark.rule("C5", "C2")
async def test_an_appointment_leads_to_one_s_conversation_with_each_patient(desk: Reception) -> None:
    data = desk.deployment.data
    made = await desk.book(soon(desk, days=1), patients=[desk.pat, desk.quin])
    started = (await data(START, desk.ada.token, p=desk.pat.id))["startPatientConversation"]["id"]
    can = {"open": True, "code": None}
    found = (await data(ONE, desk.ada.token, i=str(made)))["appointment"]["chat"]
    assert {each["patientId"]: (each["conversation"], each["start"]) for each in found} == {
        desk.pat.id: ({"id": started}, can),
        desk.quin.id: (None, can),
    }
    found = (await data(ONE, desk.ben.token, i=str(made)))["appointment"]["chat"]
    assert [each["conversation"] for each in found] == [None, None]
    body = await desk.deployment.ask(ONE, desk.pat.token, i=str(made))
    assert body["data"]["appointment"] == {"id": str(made), "chat": None}
    assert [error["extensions"]["code"] for error in body["errors"]] == ["FORBIDDEN"]


@pytest.mark.rule("C5")
async def test_a_calendar_costs_a_constant_number_of_statements(desk: Reception) -> None:
    start, costs = soon(desk, days=1), list[int]()
    for _ in range(2):
        for each in range(3):
            held = await desk.deployment.held(desk.practice)
            await desk.book(start + timedelta(hours=len(costs) * 3 + each), patients=[held])
        given = {"f": start.isoformat(), "t": (start + timedelta(days=2)).isoformat()}
        with statements() as ran:
            nodes = (await desk.deployment.data(MANY, desk.ada.token, **given))["appointments"]["nodes"]
        assert all(node["chat"] for node in nodes)
        costs.append(len(ran))
    assert costs[0] == costs[1] <= 8, costs


@pytest.mark.rule("C5")
async def test_without_scheduling_chat_is_as_it_was(fresh_database: Database) -> None:
    others = tuple(name for name in FIRST_PARTY if name != "scheduling")
    async with served(fresh_database, plugins=others) as deployment:
        known = await deployment.data(KNOWN)
        assert known["__type"] is None
        assert "chat" in {each["name"] for each in known["patient"]["fields"]}
