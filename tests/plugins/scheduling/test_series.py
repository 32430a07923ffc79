"""Series are booked at once, keep their wall time, and tell all that is in their way (S5, S6, S7, promise S2)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plugins.scheduling.clocks import ODD_DAYS, zone
from plugins.scheduling.groupwork import (
    APPOINTMENT,
    BOOK,
    BOOK_SERIES,
    CANCEL,
    CANCEL_SERIES,
    MISSING,
    MOVE,
    MOVE_SERIES,
    SERIES,
    ask,
    booked_series,
    client,
    days,
    local,
    pass_time,
    rows,
    starts,
    wanted,
)
from plugins.scheduling.rota import HOST, Rota, at, last_sunday, monday, text

from bedside_core.auth import Role
from bedside_core.testing import statements
from bedside_scheduling.api import AppointmentKind
from bedside_scheduling.series import Series
from bedside_scheduling.series_changing import moved_rest

WEEK = timedelta(days=7)
SKIPPED = (("Pacific/Apia", date(2011, 12, 30)), ("Pacific/Kwajalein", date(1993, 8, 21)))
"""Days that there were not: whoever begins on the next one at midnight stands for both, see `test_recurrence`."""
ALL = "SELECT count(*) AS n FROM appointment"


def weeks(hour: str, *numbers: int) -> list[str]:
    """Return a wall time on Mondays so many weeks from the first."""
    return [f"{day} {hour}" for day in days(monday(), *(7 * each for each in numbers))]


@pytest.mark.rule("S6", "S7")
@pytest.mark.promise("S2")
@pytest.mark.parametrize("month", [3, 10])
async def test_a_series_keeps_its_wall_time_over_a_change_of_clocks(house: Rota, month: int) -> None:
    first = last_sunday(month) - WEEK  # a Sunday, and the third is on the day of the change
    given = wanted(first, 9, house.ada, patients=[house.pat])
    made = await ask(house, BOOK_SERIES, house.desk, i=given, r="FREQ=WEEKLY;COUNT=4", c=client())
    assert starts(made) == [f"{first + number * WEEK} 09:00" for number in range(4)]
    offsets = [datetime.fromisoformat(each["startsAt"]).hour for each in made["appointments"]]
    assert offsets == ([8, 7, 7, 7] if month == 3 else [7, 8, 8, 8])
    assert (made["zone"], made["begins"], made["minutes"]) == ("Europe/Berlin", f"{first}T09:00", 30)
    assert [each["occurrenceAt"] for each in made["appointments"]] == [
        each["startsAt"] for each in made["appointments"]
    ]


@pytest.mark.rule("S7", "G9")
async def test_a_retry_returns_the_first_series_and_other_content_is_refused(house: Rota) -> None:
    given = {"i": wanted(monday(), 9, house.ada, patients=[house.pat]), "r": "FREQ=WEEKLY;COUNT=3", "c": client()}
    made = await ask(house, BOOK_SERIES, house.desk, **given)
    assert await ask(house, BOOK_SERIES, house.desk, **given) == made
    assert (
        await house.deployment.code(BOOK_SERIES, house.desk.token, **given | {"r": "FREQ=WEEKLY;COUNT=4"}) == "CONFLICT"
    )
    [row] = await rows(house, ALL)
    assert row["n"] == 3


@pytest.mark.rule("S7")
async def test_a_long_series_costs_the_statements_of_a_short_one(house: Rota) -> None:
    async def cost(count: int, hour: int) -> list[str]:
        with statements() as ran:
            made = await booked_series(house, f"FREQ=WEEKLY;COUNT={count}", hour)
        assert len(made["appointments"]) == count
        return ran

    await cost(2, 8)
    short, long = await cost(2, 10), await cost(104, 12)
    assert len(long) == len(short), [each for each in long if each not in short]


@pytest.mark.rule("S5", "S7")
async def test_all_times_that_are_taken_are_told_together_and_nothing_is_booked(house: Rota) -> None:
    for number in (1, 3):
        day = monday() + number * WEEK
        await ask(house, BOOK, house.desk, i=wanted(day, 9, house.ada, patients=[house.pat]), c=client())
    given = {"i": wanted(monday(), 9, house.ada, patients=[house.pat]), "r": "FREQ=WEEKLY;COUNT=5", "c": client()}
    body = await house.deployment.ask(BOOK_SERIES, house.desk.token, **given)
    [error] = body["errors"]
    assert error["extensions"]["code"] == "SLOT_TAKEN"
    assert [local(each) for each in error["extensions"]["taken"]] == weeks("09:00", 1, 3)
    [row] = await rows(house, ALL)
    assert (row["n"], await rows(house, "SELECT id FROM series")) == (2, [])
    made = await ask(house, BOOK_SERIES, house.desk, **given, s=True)
    assert starts(made) == weeks("09:00", 0, 2, 4)
    assert [local(each) for each in made["skipped"]] == weeks("09:00", 1, 3)
    # All of them are taken now, so that nothing would be left.
    given = {"i": wanted(monday(), 9, house.ada, patients=[house.pat]), "r": "FREQ=WEEKLY;COUNT=5", "s": True}
    assert await house.deployment.code(BOOK_SERIES, house.desk.token, **given, c=client()) == "SLOT_TAKEN"


@pytest.mark.rule("S7")
async def test_what_is_moved_or_cancelled_by_itself_keeps_its_place_in_the_series(house: Rota) -> None:
    made = await booked_series(house)
    one, other = made["appointments"][1], made["appointments"][3]
    await ask(house, MOVE, house.desk, i=one["id"], s=text(at(monday() + WEEK, 15)))
    await ask(house, CANCEL, house.desk, i=other["id"])
    seen = await ask(house, SERIES, house.desk, i=made["id"])
    assert [local(each["occurrenceAt"]) for each in seen["appointments"]] == weeks("09:00", *range(6))
    assert starts(seen) == [*weeks("09:00", 0), *weeks("15:00", 1), *weeks("09:00", 2, 3, 4, 5)]
    assert [each["state"] for each in seen["appointments"]] == ["BOOKED"] * 3 + ["CANCELLED"] + ["BOOKED"] * 2
    assert seen["skipped"] == []


@pytest.mark.rule("S6", "S7")
async def test_the_rest_of_a_series_moves_to_another_time_and_exceptions_stay(house: Rota) -> None:
    made = await booked_series(house)
    own, gone = made["appointments"][3], made["appointments"][4]
    await ask(house, MOVE, house.desk, i=own["id"], s=text(at(monday() + 3 * WEEK, 15)))
    await ask(house, CANCEL, house.desk, i=gone["id"])
    third = made["appointments"][2]["occurrenceAt"]
    rest = await ask(house, MOVE_SERIES, house.desk, i=made["id"], f=third, t="11:30", m=45, r="A new shift.")
    assert (rest["id"], rest["rule"], rest["begins"]) == (made["id"], made["rule"], made["begins"])
    # Each is known again by where the rule has it.
    assert [local(each["occurrenceAt"]) for each in rest["appointments"]] == weeks("09:00", *range(6))
    assert starts(rest) == [
        *weeks("09:00", 0, 1), *weeks("11:30", 2), *weeks("15:00", 3), *weeks("09:00", 4), *weeks("11:30", 5),
    ]  # fmt: skip
    assert [each["state"] for each in rest["appointments"]] == ["BOOKED"] * 4 + ["CANCELLED", "BOOKED"]
    assert [each["sequence"] for each in rest["appointments"]] == [0, 0, 1, 1, 1, 1]
    assert local(rest["appointments"][2]["endsAt"]) == weeks("12:15", 2)[0]
    # They move again, as long as they are, and may go where they are.
    again = await ask(house, MOVE_SERIES, house.desk, i=made["id"], f=third, t="11:45")
    assert starts(again)[2:4] == [*weeks("11:45", 2), *weeks("15:00", 3)]
    assert local(again["appointments"][5]["endsAt"]) == weeks("12:30", 5)[0]
    assert await ask(house, MOVE_SERIES, house.desk, i=made["id"], f=third, t="11:45") == again
    late = text(at(monday() + 6 * WEEK, 0))
    code = await house.deployment.code(MOVE_SERIES, house.desk.token, i=made["id"], f=late, t="10:00")
    assert code == "APPOINTMENT_OVER"


@pytest.mark.rule("S5", "S7")
async def test_a_series_that_would_move_onto_others_stays_where_it_is(house: Rota) -> None:
    made = await booked_series(house)
    for number in (2, 4):
        day = monday() + number * WEEK
        await ask(house, BOOK, house.desk, i=wanted(day, 14, house.ada, patients=[house.pat]), c=client())
    given = {"i": made["id"], "f": text(at(monday(), 0)), "t": "14:00"}
    [error] = (await house.deployment.ask(MOVE_SERIES, house.desk.token, **given))["errors"]
    assert error["extensions"]["code"] == "SLOT_TAKEN"
    assert [local(each) for each in error["extensions"]["taken"]] == weeks("14:00", 2, 4)
    seen = await ask(house, SERIES, house.desk, i=made["id"])
    assert (starts(seen), {each["version"] for each in seen["appointments"]}) == (weeks("09:00", *range(6)), {1})


@pytest.mark.rule("S5", "S7")
async def test_appointments_of_a_series_may_take_one_anothers_time_as_they_move(house: Rota) -> None:
    # Each runs into the next day, where the next one is to begin.
    first = wanted(monday(), 23, house.ada, patients=[house.pat], minutes=120)
    made = await ask(house, BOOK_SERIES, house.desk, i=first, r="FREQ=DAILY;COUNT=5", c=client())
    moved = await ask(house, MOVE_SERIES, house.desk, i=made["id"], f=text(at(monday(), 0)), t="00:30")
    assert starts(moved) == [f"{day} 00:30" for day in days(monday(), *range(5))]
    back = await ask(house, MOVE_SERIES, house.desk, i=made["id"], f=text(at(monday(), 0)), t="23:00")
    assert starts(back) == [f"{day} 23:00" for day in days(monday(), *range(5))]


@pytest.mark.rule("S7")
async def test_the_rest_of_a_series_ends_and_its_time_is_free(house: Rota) -> None:
    made = await booked_series(house)
    third = made["appointments"][2]["occurrenceAt"]
    ended = await ask(house, CANCEL_SERIES, house.desk, i=made["id"], f=third, r="Moved away.")
    assert [each["state"] for each in ended["appointments"]] == ["BOOKED"] * 2 + ["CANCELLED"] * 4
    assert [each["reason"] for each in ended["appointments"]] == [None] * 2 + ["Moved away."] * 4
    assert ended["endedAt"] is not None
    day = monday() + 2 * WEEK
    await ask(house, BOOK, house.desk, i=wanted(day, 9, house.ada, patients=[house.pat]), c=client())
    for query, more in ((CANCEL_SERIES, {}), (MOVE_SERIES, {"t": "10:00"})):
        code = await house.deployment.code(query, house.desk.token, i=made["id"], f=third, **more)
        assert code == "APPOINTMENT_OVER"
    # What has begun is not touched.
    await pass_time(house, days=(at(monday(), 10) - datetime.now(UTC)) / timedelta(days=1))
    ended = await ask(house, CANCEL_SERIES, house.desk, i=made["id"], f=text(at(monday(), 0)))
    assert [each["state"] for each in ended["appointments"]] == ["BOOKED"] + ["CANCELLED"] * 5


@pytest.mark.rule("S1", "S7")
async def test_what_can_be_no_series_is_refused_with_its_field(house: Rota) -> None:
    first = wanted(monday(), 9, house.ada, patients=[house.pat])

    async def refused(rule: str, **more: Any) -> tuple[str, list[str] | None]:
        [error] = (await house.deployment.ask(BOOK_SERIES, house.desk.token, i=first | more, r=rule, c=client()))[
            "errors"
        ]
        return error["extensions"]["code"], error["extensions"].get("field")

    assert await refused("FREQ=WEEKLY;BYDAY=TU;COUNT=3") == ("INVALID_INPUT", ["rule"])
    assert await refused("FREQ=WEEKLY") == ("INVALID_INPUT", ["rule"])
    assert await refused("FREQ=DAILY;COUNT=105") == ("INVALID_INPUT", ["rule"])
    assert await refused("FREQ=MONTHLY;COUNT=104") == ("INVALID_INPUT", ["rule"])
    assert await refused("FREQ=DAILY;COUNT=3", memberIds=[MISSING]) == ("NOT_FOUND", ["input", "memberIds"])
    assert await refused("FREQ=DAILY;COUNT=3", patientIds=[MISSING]) == ("NOT_FOUND", ["input", "patientIds"])
    assert (await refused("FREQ=DAILY;COUNT=3", kind="TELEHEALTH"))[0] == "TELEHEALTH_NOT_OFFERED"
    [row] = await rows(house, ALL)
    assert (row["n"], await rows(house, "SELECT id FROM series")) == (0, [])
    await ask(house, HOST, house.olga, m=house.ada.id, e=True)
    given = {"i": first | {"kind": "TELEHEALTH"}, "r": "FREQ=DAILY;COUNT=3", "c": client()}
    assert len((await ask(house, BOOK_SERIES, house.desk, **given))["appointments"]) == 3


@pytest.mark.rule("S7")
@pytest.mark.promise("A1")
async def test_patients_read_series_of_theirs_and_book_none_and_other_practices_see_none(house: Rota) -> None:
    other = await house.deployment.held(house.practice)
    kind = await house.type(house.ada, name="Group", capacity=3)
    given = wanted(monday(), 9, house.ada, patients=[house.pat, other], typeId=kind)
    made = await ask(house, BOOK_SERIES, house.desk, i=given, r="FREQ=WEEKLY;COUNT=2", c=client())
    seen = await ask(house, SERIES, house.pat, i=made["id"])
    assert [each["patients"] for each in seen["appointments"]] == [[{"patientId": house.pat.id}]] * 2
    third = await house.deployment.held(house.practice)
    elsewhere = await house.deployment.practice("Elsewhere")
    owner = await house.deployment.person(elsewhere, Role.OWNER)
    for who in (third, owner):
        assert await house.deployment.code(SERIES, who.token, i=made["id"]) == "NOT_FOUND"
        assert await house.deployment.code(SERIES, who.token, i=MISSING) == "NOT_FOUND"
    change: dict[str, dict[str, Any]] = {CANCEL_SERIES: {}, MOVE_SERIES: {"t": "10:00"}}
    for query, more in change.items():
        more |= {"f": text(at(monday(), 0))}
        assert await house.deployment.code(query, owner.token, i=made["id"], **more) == "NOT_FOUND"
        assert await house.deployment.code(query, house.pat.token, i=made["id"], **more) == "FORBIDDEN"
    code = await house.deployment.code(BOOK_SERIES, house.pat.token, i=given, r="FREQ=WEEKLY;COUNT=2", c=client())
    assert code == "FORBIDDEN"
    [row] = await rows(house, ALL)
    one = await ask(house, APPOINTMENT, house.desk, i=made["appointments"][0]["id"])
    assert (row["n"], one["state"], one["version"]) == (2, "BOOKED", 1)


@st.composite
def odd_series(draw: st.DrawFn) -> tuple[ZoneInfo, Series, int, time]:
    """Return a series about an odd day of a zone, from which of it on it moves, and to what time of the day."""
    name, day = draw(st.sampled_from([each for each in ODD_DAYS if each not in SKIPPED]))
    count = draw(st.integers(2, 12))
    every, frequency = draw(st.integers(1, 3)), draw(st.sampled_from(["DAILY", "WEEKLY"]))
    step = every * (7 if frequency == "WEEKLY" else 1)
    first = day - timedelta(days=step * draw(st.integers(0, count - 1)))
    wall = st.times().map(lambda each: each.replace(second=0, microsecond=0))
    series = Series(
        id=UUID(int=1), type_id=None, kind=AppointmentKind.IN_PERSON,
        rule=f"FREQ={frequency};INTERVAL={every};COUNT={count}", begins=datetime.combine(first, draw(wall)), zone=name,
        minutes=5, created_at=datetime.now(UTC), created_by=UUID(int=2), ended_at=None,
    )  # fmt: skip
    return zone(name), series, draw(st.integers(0, count - 1)), draw(wall)


@pytest.mark.rule("S6", "S7")
@pytest.mark.promise("S2")
@given(odd_series(), st.integers(-3, 3))
@settings(max_examples=300, deadline=None)
def test_whatever_the_zone_a_series_and_its_moved_rest_keep_their_days_and_wall_times(
    drawn: tuple[ZoneInfo, Series, int, time], days_on: int
) -> None:
    its, series, number, at_time = drawn
    planned = series.starts()
    step = int(series.rule.split("INTERVAL=")[1].split(";")[0]) * (7 if "WEEKLY" in series.rule else 1)

    def shown_first(at: datetime, wall: datetime) -> bool:
        """Tell whether clocks show a wall time, or a later one, for the first time then."""
        clock, moment = at.astimezone(its), (at - timedelta(seconds=1)).astimezone(its)
        return moment.replace(tzinfo=None) < wall <= clock.replace(tzinfo=None)

    walls = [series.begins + timedelta(days=step * each) for each in range(40)]
    kept = [wall for wall in walls if any(shown_first(each, wall) for each in planned)][: len(planned)]
    assert len(kept) == len(planned)
    assert all(shown_first(each, wall) for each, wall in zip(planned, kept, strict=True))
    number = min(number, len(planned) - 1)
    later = planned[number:]
    moved = moved_rest(series, {each: each for each in later}, at_time, days=days_on)
    assert list(moved) == later
    for before, wall in zip(later, kept[number:], strict=True):
        there = datetime.combine(wall.date() + timedelta(days=days_on), at_time)
        assert shown_first(moved[before], there), (before, moved[before])
    same = moved_rest(series, {each: each for each in later}, None)
    assert list(same.values()) == later
