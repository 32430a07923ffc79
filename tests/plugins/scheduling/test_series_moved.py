"""What a front desk does to series besides: warnings and invitations, other weekdays, other practitioners (S2, S7)."""

from __future__ import annotations

from datetime import timedelta

import pytest
import pytest_asyncio
from plugins.scheduling.groupwork import (
    APPOINTMENT,
    BOOK,
    BOOK_SERIES,
    CANCEL,
    MISSING,
    MOVE,
    MOVE_SERIES,
    SERIES,
    ask,
    booked_series,
    client,
    local,
    rows,
    starts,
    wanted,
)
from plugins.scheduling.rota import Rota, at, last_sunday, monday, text, weekly

from bedside_core.testing import statements

WEEK, DAY = timedelta(days=7), timedelta(days=1)
WARNED = """mutation($i: AppointmentInput!, $r: String!, $c: String!, $p: [ID!], $s: Boolean! = false) {
  bookSeries(input: $i, rule: $r, clientId: $c, inviteToPortal: $p, skipTaken: $s) { id
    appointments { id startsAt } warnings { code patientId memberId appointmentId } } }"""
WARNINGS = "query($i: ID!) { appointmentSeries(id: $i) { warnings { code patientId memberId appointmentId } } }"
CONVERT = """mutation($i: ID!) { convertAppointment(id: $i, kind: TELEHEALTH) { appointment { kind } } }"""
HOLDERS = "SELECT count(*) AS n FROM portal_holder WHERE patient_id = $1"


@pytest_asyncio.fixture
async def house(house: Rota) -> Rota:
    """Ada sees people on Mondays."""
    await house.week(house.ada, weekly(monday(), "08:00", "18:00"))
    return house


def mondays(hour: str, *numbers: int, on: int = 0) -> list[str]:
    """Return a wall time so many weeks after the first Monday, or some days later."""
    return [f"{monday() + number * WEEK + on * DAY} {hour}" for number in numbers]


@pytest.mark.rule("S2", "S7")
async def test_patients_of_a_series_are_invited_in_the_same_step_and_missing_accounts_are_told_once(
    house: Rota,
) -> None:
    one, two = [await house.deployment.patient(house.practice, name=name) for name in ("One", "Two")]
    await house.host(house.ada)
    await house.week(house.ada, weekly(monday(), "08:00", "18:00", "BOTH"))
    given = {
        "i": wanted(monday(), 9, house.ada, patients=[one], kind="TELEHEALTH"), "r": "FREQ=WEEKLY;COUNT=3",
        "c": client(), "p": [str(one.id)],
    }  # fmt: skip
    made = await ask(house, WARNED, house.desk, **given)
    missing = {"code": "PORTAL_ACCOUNT_MISSING", "patientId": str(one.id), "memberId": None, "appointmentId": None}
    assert made["warnings"] == [missing]  # invited is not registered yet
    assert [row["n"] for row in await rows(house, HOLDERS, one.id)] == [1]
    assert await ask(house, WARNED, house.desk, **given) == made
    assert await house.deployment.code(WARNED, house.desk.token, **given | {"p": []}) == "CONFLICT"
    assert [row["n"] for row in await rows(house, HOLDERS, one.id)] == [1]
    # Who is on none of them is not invited, nor is anybody where nothing is booked.
    other = {"i": wanted(monday(), 11, house.ada, patients=[two], kind="TELEHEALTH"), "r": "FREQ=WEEKLY;COUNT=3"}
    assert await house.deployment.code(WARNED, house.desk.token, **other, c=client(), p=[str(one.id)]) == "NOT_FOUND"
    taken = {"i": wanted(monday(), 9, house.ada, patients=[two], kind="TELEHEALTH"), "r": "FREQ=WEEKLY;COUNT=3"}
    assert await house.deployment.code(WARNED, house.desk.token, **taken, c=client(), p=[str(two.id)]) == "SLOT_TAKEN"
    assert [row["n"] for row in await rows(house, HOLDERS, two.id)] == [0]
    # Who has an account is not warned of.
    own = {"i": wanted(monday(), 11, house.ada, patients=[house.pat], kind="TELEHEALTH"), "r": "FREQ=WEEKLY;COUNT=2"}
    assert (await ask(house, WARNED, house.desk, **own, c=client()))["warnings"] == []


@pytest.mark.rule("S3", "S4", "S7")
async def test_each_of_a_series_that_is_outside_of_hours_or_in_buffers_is_told_and_patients_are_told_nothing(
    house: Rota,
) -> None:
    await house.set(bufferAfterMinutes=30)
    second = monday() + WEEK
    await house.deployment.data(
        """mutation($m: ID!, $d: Date!) { setDay(memberId: $m, date: $d, sections: []) { date } }""",
        house.olga.token, m=house.ada.id, d=str(second),
    )  # fmt: skip
    third = wanted(monday() + 2 * WEEK, 8, house.ada, patients=[house.pat], minutes=60)
    await ask(house, BOOK, house.desk, i=third, c=client())
    given = {"i": wanted(monday(), 9, house.ada, patients=[house.pat]), "r": "FREQ=WEEKLY;COUNT=4", "c": client()}
    made = await ask(house, WARNED, house.desk, **given)
    ids = [each["id"] for each in made["appointments"]]
    expected = [
        {"code": code, "patientId": None, "memberId": house.ada.id, "appointmentId": ids[number]}
        for number, code in ((1, "OUTSIDE_SECTIONS"), (2, "BUFFER"))
    ]
    assert made["warnings"] == expected
    assert (await ask(house, WARNINGS, house.pat, i=made["id"]))["warnings"] == []
    await ask(house, CANCEL, house.desk, i=ids[1])
    assert (await ask(house, WARNINGS, house.desk, i=made["id"]))["warnings"] == expected[1:]

    async def cost(series_id: str) -> int:
        with statements() as ran:
            await ask(house, WARNINGS, house.desk, i=series_id)
        return len(ran)

    noon = wanted(monday(), 12, house.ada, patients=[house.pat])
    long = await ask(house, BOOK_SERIES, house.desk, i=noon, r="FREQ=WEEKLY;COUNT=40", c=client())
    await cost(made["id"])
    assert await cost(long["id"]) == await cost(made["id"])


@pytest.mark.rule("S6", "S7")
async def test_the_rest_of_a_series_moves_to_another_weekday_with_or_without_another_time(house: Rota) -> None:
    made = await booked_series(house, "FREQ=WEEKLY;COUNT=5")
    own, gone = made["appointments"][3], made["appointments"][4]
    await ask(house, MOVE, house.desk, i=own["id"], s=text(at(monday() + 3 * WEEK, 15)))
    await ask(house, CANCEL, house.desk, i=gone["id"])
    second = made["appointments"][1]["occurrenceAt"]
    given = {"i": made["id"], "f": second, "d": str(monday() + WEEK + 2 * DAY)}
    moved = await ask(house, MOVE_SERIES, house.desk, **given)
    expected = [*mondays("09:00", 0), *mondays("09:00", 1, 2, on=2), *mondays("15:00", 3), *mondays("09:00", 4)]
    assert starts(moved) == expected
    assert [local(each["occurrenceAt"]) for each in moved["appointments"]] == mondays("09:00", *range(5))
    assert await ask(house, MOVE_SERIES, house.desk, **given) == moved  # asked for again, since the answer was lost
    # Then to another time: each keeps the day that it has now. And back, with both.
    later = await ask(house, MOVE_SERIES, house.desk, i=made["id"], f=second, t="10:30")
    assert starts(later)[1:3] == mondays("10:30", 1, 2, on=2)
    back = await ask(house, MOVE_SERIES, house.desk, i=made["id"], f=second, t="09:00", d=str(monday() + WEEK))
    assert starts(back) == [*mondays("09:00", 0, 1, 2), *mondays("15:00", 3), *mondays("09:00", 4)]
    for wrong in (monday() + 11 * WEEK, monday() - 4 * WEEK):
        given = {"i": made["id"], "f": second, "d": str(wrong)}
        [error] = (await house.deployment.ask(MOVE_SERIES, house.desk.token, **given))["errors"]
        assert (error["extensions"]["code"], error["extensions"]["field"]) == ("INVALID_INPUT", ["date"])
    assert starts(await ask(house, SERIES, house.desk, i=made["id"])) == starts(back)


@pytest.mark.rule("S5", "S7")
async def test_the_rest_of_a_series_goes_to_another_practitioner_who_is_free(house: Rota) -> None:
    made = await booked_series(house, "FREQ=WEEKLY;COUNT=4")
    third = made["appointments"][2]["occurrenceAt"]
    busy = wanted(monday() + 3 * WEEK, 9, house.ben, patients=[house.pat])
    other = (await ask(house, BOOK, house.desk, i=busy, c=client()))["appointment"]["id"]
    given = {"i": made["id"], "f": third, "w": [house.ben.id]}
    [error] = (await house.deployment.ask(MOVE_SERIES, house.desk.token, **given))["errors"]
    assert error["extensions"]["code"] == "SLOT_TAKEN"
    assert [local(each) for each in error["extensions"]["taken"]] == mondays("09:00", 3)
    for wrong, code in (([MISSING], "NOT_FOUND"), ([], "INVALID_INPUT")):
        assert await house.deployment.code(MOVE_SERIES, house.desk.token, **given | {"w": wrong}) == code
    assert (await ask(house, APPOINTMENT, house.desk, i=made["appointments"][2]["id"]))["version"] == 1
    await ask(house, CANCEL, house.desk, i=other)
    moved = await ask(house, MOVE_SERIES, house.desk, **given)
    assert [each["memberIds"] for each in moved["appointments"]] == [[house.ada.id]] * 2 + [[house.ben.id]] * 2
    assert starts(moved) == mondays("09:00", *range(4))
    assert await ask(house, MOVE_SERIES, house.desk, **given) == moved
    # Ada's time is free, Ben's is not; the database says so, too.
    day = monday() + 2 * WEEK
    await ask(house, BOOK, house.desk, i=wanted(day, 9, house.ada, patients=[house.pat]), c=client())
    taken = wanted(day, 9, house.ben, patients=[house.pat])
    assert await house.deployment.code(BOOK, house.desk.token, i=taken, c=client()) == "SLOT_TAKEN"
    active = await rows(house, "SELECT count(*) FILTER (WHERE active) AS n, count(*) AS every FROM appointment_member")
    assert [(row["n"], row["every"]) for row in active] == [(5, 6)]


@pytest.mark.rule("S1", "S7")
async def test_one_of_a_series_by_video_does_not_go_to_who_may_not_host(house: Rota) -> None:
    await house.host(house.ada)
    made = await booked_series(house, "FREQ=WEEKLY;COUNT=3")
    await ask(house, CONVERT, house.desk, i=made["appointments"][1]["id"])
    given = {"i": made["id"], "f": text(at(monday(), 0)), "w": [house.ben.id]}
    assert await house.deployment.code(MOVE_SERIES, house.desk.token, **given) == "TELEHEALTH_NOT_OFFERED"
    assert starts(await ask(house, SERIES, house.desk, i=made["id"])) == mondays("09:00", 0, 1, 2)
    both = await ask(house, MOVE_SERIES, house.desk, **given | {"w": [house.ben.id, house.ada.id]})
    assert {len(each["memberIds"]) for each in both["appointments"]} == {2}


@pytest.mark.rule("S6", "S7")
async def test_a_series_that_would_begin_at_the_second_of_two_equal_times_is_refused(house: Rota) -> None:
    first = at(last_sunday(10), 2, 30)  # clocks are put back from 3 to 2
    for begins, code in ((first, None), (first + timedelta(hours=1), "INVALID_INPUT")):
        given = wanted(monday(), 9, house.ada, patients=[house.pat]) | {"startsAt": text(begins)}
        body = await house.deployment.ask(
            BOOK_SERIES, house.desk.token, i=given, r="FREQ=WEEKLY;COUNT=2", c=client()
        )  # fmt: skip
        if code is None:
            assert body["data"]["bookSeries"]["appointments"][0]["startsAt"] == text(first)
        else:
            [error] = body["errors"]
            assert (error["extensions"]["code"], error["extensions"]["field"]) == (code, ["input", "startsAt"])
    assert len(await rows(house, "SELECT id FROM appointment")) == 2
