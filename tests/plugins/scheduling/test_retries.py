"""A retry that comes late gets what the first try made, though nothing of it could be asked for now (G9)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from deployment import Held, Person
from plugins.scheduling.groupwork import BOOK, BOOK_SERIES, LEAVE, WAIT, ask, pass_time, rows, wanted
from plugins.scheduling.rota import CLOSE, Rota, at, monday, text, weekly

HOLD = "mutation($i: AppointmentInput!, $c: String!) { holdSlot(input: $i, clientId: $c) { id } }"
MADE = """SELECT (SELECT count(*) FROM appointment) + (SELECT count(*) FROM closure)
    + (SELECT count(*) FROM waiting_entry) AS made"""


async def refused(house: Rota, query: str, by: Person | Held, **given: Any) -> str:
    """Ask the same under another client id, to see that it can't be asked for any more."""
    return await house.deployment.code(query, by.token, **given | {"c": "another"})


@pytest.mark.rule("G9", "S3")
async def test_a_closure_is_told_to_who_asks_again_when_it_is_over(house: Rota) -> None:
    given = {"m": house.ada.id, "b": text(at(monday(), 9)), "e": text(at(monday(), 10)), "c": "c-1"}
    made = await ask(house, CLOSE, house.ada, **given)
    await pass_time(house, days=60)
    assert await ask(house, CLOSE, house.ada, **given) == made
    assert await refused(house, CLOSE, house.ada, **given) == "INVALID_INPUT"
    assert [row["made"] for row in await rows(house, MADE)] == [1]


@pytest.mark.rule("G9", "S4", "S7")
@pytest.mark.parametrize("query", [BOOK, HOLD, BOOK_SERIES])
async def test_an_appointment_is_told_to_who_asks_again_when_its_time_is_over(house: Rota, query: str) -> None:
    kind = await house.type(house.ada)
    await house.week(house.ada, weekly(monday(), "09:00", "12:00"))
    by: Person | Held = house.desk if query == BOOK_SERIES else house.pat
    given = {"i": wanted(monday(), 9, house.ada, patients=[house.pat], typeId=kind), "c": "a-1"}
    if query == BOOK_SERIES:
        given["r"] = "FREQ=WEEKLY;COUNT=2"
    made = await ask(house, query, by, **given)
    await pass_time(house, days=90)
    again = await ask(house, query, by, **given)
    assert _ids(again) == _ids(made)
    assert await refused(house, query, by, **given) == "INVALID_INPUT"


@pytest.mark.rule("G9", "S7")
async def test_an_entry_of_the_waiting_list_is_told_to_who_asks_again_when_there_is_no_list(house: Rota) -> None:
    await house.set(waitingList=True)
    kind = await house.type(house.ada)
    given = {"i": {"typeId": kind, "until": text(at(monday(), 0) + timedelta(days=6))}, "c": "w-1"}
    made = await ask(house, WAIT, house.pat, **given)
    left = await ask(house, LEAVE, house.pat, i=made["id"])
    await pass_time(house, days=60)
    assert await refused(house, WAIT, house.pat, **given) == "INVALID_INPUT"
    await house.set(waitingList=False)
    assert await ask(house, WAIT, house.pat, **given) == left
    assert await refused(house, WAIT, house.pat, **given) == "SWITCHED_OFF"
    assert [row["made"] for row in await rows(house, MADE)] == [1]


def _ids(made: dict[str, Any]) -> Any:
    """Return what names what was made."""
    return made.get("id") or made["appointment"]["id"]
