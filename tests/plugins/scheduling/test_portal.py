"""What a patient has of the schedule in the portal: what is ahead, and the visits that were; theirs alone (S10)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from deployment import Held
from plugins.scheduling.groupwork import BOOK, TAKE_OFF, ask, wanted
from plugins.scheduling.rota import Rota, at, booked, monday

from bedside_core.database import DB, acting
from bedside_core.testing import statements

PORTAL = """query($n: Int, $a: String, $v: String) { portal {
    appointments(first: $n, after: $a) { nodes { id state patients { patientId } } pageInfo { endCursor hasNextPage } }
    visits(first: $n, after: $v) { nodes { id state } pageInfo { endCursor hasNextPage } } } }"""
BOOKS = """mutation($p: ID!, $a: Boolean) { setPatientBooking(patientId: $p, allowed: $a) { booking } }"""
CAN = '{ can(action: "scheduling.self_schedule") { allowed code } portal { booking { allowed code } } }'
INBOX = """subscription { inbox { __typename ... on AppointmentInboxChanged { appointment { id state } } } }"""
LIST = """query($f: DateTime!, $t: DateTime!, $p: ID, $s: [AppointmentState!]) {
    appointments(from: $f, to: $t, patientId: $p, states: $s) { nodes { id state reason } } }"""
SUSPEND = "mutation($p: ID!) { suspendPortalAccount(patientId: $p) { state } }"


async def state(house: Rota, appointment: UUID, state: str) -> None:
    with acting(house.practice.id):
        await DB.execute(
            """UPDATE appointment SET state = $2, cancelled_at = CASE $2 WHEN 'cancelled' THEN now() END,
                cancelled_by = CASE $2 WHEN 'cancelled' THEN booked_by END WHERE id = $1""",
            appointment,
            state,
        )


async def shown(house: Rota, who: Held, **values: Any) -> Any:
    return (await house.deployment.data(PORTAL, who.token, **values))["portal"]


@pytest.mark.rule("S10")
@pytest.mark.promise("A1")
async def test_a_patient_finds_what_is_ahead_next_first_and_visits_latest_first_and_nobody_else_s(house: Rota) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    ahead = [await booked(house, now + timedelta(days=day), house.ada) for day in (3, 1, 2)]
    past = [await booked(house, now - timedelta(days=day), house.ada) for day in (1, 3, 2, 4)]
    for appointment, word in zip(past, ("completed", "completed", "completed", "no_show"), strict=True):
        await state(house, appointment, word)
    await state(house, ahead[0], "cancelled")
    other = await house.deployment.held(house.practice)
    foreign = await booked(house, now + timedelta(days=5), house.ben)
    with acting(house.practice.id):
        await DB.execute(
            "UPDATE appointment_patient SET patient_id = $2 WHERE appointment_id = $1", foreign, other.patient.id
        )
    guardian = await house.deployment.held(house.practice, house.pat.patient, relationship="mother")
    for who in (house.pat, guardian):
        found = await shown(house, who, n=10)
        assert [each["id"] for each in found["appointments"]["nodes"]] == [str(ahead[1]), str(ahead[2])]
        assert [each["id"] for each in found["visits"]["nodes"]] == [str(past[0]), str(past[2]), str(past[1])]
    assert [each["id"] for each in (await shown(house, other, n=10))["appointments"]["nodes"]] == [str(foreign)]
    seen: tuple[list[str], list[str]] = ([], [])
    after: dict[str, Any] = {}
    for _ in range(3):
        page = await shown(house, house.pat, n=1, **after)
        seen[0].extend(each["id"] for each in page["appointments"]["nodes"])
        seen[1].extend(each["id"] for each in page["visits"]["nodes"])
        ends = page["appointments"]["pageInfo"]["endCursor"], page["visits"]["pageInfo"]["endCursor"]
        after = {"a": ends[0] or after["a"], "v": ends[1]}
    assert seen == ([str(ahead[1]), str(ahead[2])], [str(past[0]), str(past[2]), str(past[1])])
    assert await house.deployment.code(PORTAL, house.desk.token) == "FORBIDDEN"
    await house.deployment.data(SUSPEND, house.desk.token, p=house.pat.id)
    assert await house.deployment.code(PORTAL, house.pat.token) == "UNAUTHENTICATED"


@pytest.mark.rule("S7", "S10")
async def test_a_group_that_goes_on_without_them_is_cancelled_for_a_patient(house: Rota) -> None:
    start = at(monday(), 9)
    other = await house.deployment.held(house.practice)
    kind = await house.type(house.ada, name="Back school", capacity=3)
    given = wanted(monday(), 9, house.ada, patients=[house.pat, other], typeId=kind)
    id = (await ask(house, BOOK, house.desk, i=given, c="group"))["appointment"]["id"]
    async with house.deployment.socket(house.pat.token) as socket:
        key = await socket.subscribe(INBOX)
        assert (await socket.next(key))["inbox"] == {"__typename": "InboxOpened"}
        await house.deployment.data(TAKE_OFF, house.desk.token, i=id, p=house.pat.id)
        told = (await socket.next(key))["inbox"]
        assert told == {"__typename": "AppointmentInboxChanged", "appointment": {"id": id, "state": "CANCELLED"}}
    move = 'mutation($i: ID!, $s: DateTime!) { moveAppointment(id: $i, startsAt: $s, reason: "Ben\'s") { __typename } }'
    await house.deployment.data(move, house.desk.token, i=id, s=(start + timedelta(hours=1)).isoformat())
    span = {"f": start.isoformat(), "t": (start + timedelta(days=1)).isoformat()}
    for who, more, expected in (
        (house.pat, {}, []),
        (house.pat, {"s": ["CANCELLED"]}, [{"id": id, "state": "CANCELLED", "reason": None}]),
        (other, {}, [{"id": id, "state": "BOOKED", "reason": "Ben's"}]),
        (house.desk, {"p": house.pat.id}, []),
        (house.desk, {"p": house.pat.id, "s": ["CANCELLED"]}, [{"id": id, "state": "BOOKED", "reason": "Ben's"}]),
        (house.desk, {"s": ["CANCELLED"]}, []),
    ):
        found = await house.deployment.data(LIST, who.token, **span, **more)
        assert found["appointments"]["nodes"] == expected, (who, more)
    assert (await shown(house, house.pat, n=5))["appointments"]["nodes"] == []
    one = "query($i: ID!) { appointment(id: $i) { state cancelledAt reason canCancel { allowed code } } }"
    seen = (await house.deployment.data(one, house.pat.token, i=id))["appointment"]
    assert seen.pop("cancelledAt") is not None
    assert seen == {
        "state": "CANCELLED", "reason": None, "canCancel": {"allowed": False, "code": "APPOINTMENT_OVER"},
    }  # fmt: skip


@pytest.mark.rule("S10")
async def test_an_appointment_that_is_past_is_a_visit_though_nobody_has_recorded_it(house: Rota) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    past = await booked(house, now - timedelta(days=1), house.ada)
    missed = await booked(house, now - timedelta(days=2), house.ada)
    await state(house, missed, "no_show")
    found = await shown(house, house.pat, n=10)
    assert found["appointments"]["nodes"] == []
    assert found["visits"]["nodes"] == [{"id": str(past), "state": "BOOKED"}]


@pytest.mark.rule("S10")
async def test_it_takes_a_constant_number_of_statements(house: Rota) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    costs: list[int] = []
    for number in range(1, 9):
        await booked(house, now + timedelta(days=number), house.ada)
        await state(house, await booked(house, now - timedelta(days=number), house.ada), "completed")
        if number in (1, 8):
            with statements() as ran:
                found = await shown(house, house.pat, n=50)
            assert (len(found["appointments"]["nodes"]), len(found["visits"]["nodes"])) == (number, number)
            costs.append(len(ran))
    assert costs[0] == costs[1]


@pytest.mark.rule("S4")
async def test_staff_s_word_about_one_patient_goes_before_the_settings(house: Rota) -> None:
    async def can() -> tuple[bool, bool]:
        found = await house.deployment.data(CAN, house.pat.token)
        return found["can"]["allowed"], found["portal"]["booking"]["allowed"]

    await house.set(unseenPatientsBook=False)
    assert await can() == (False, True)
    await house.deployment.data(BOOKS, house.desk.token, p=house.pat.id, a=True)
    assert await can() == (True, True)
    await house.set(patientsBook=False)
    assert await can() == (True, True)
    await house.deployment.data(BOOKS, house.desk.token, p=house.pat.id, a=None)
    assert await can() == (False, False)
    await house.set(patientsBook=True, unseenPatientsBook=True)
    await house.deployment.data(BOOKS, house.desk.token, p=house.pat.id, a=False)
    assert await can() == (False, False)
