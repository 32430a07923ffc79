"""The closures of the whole practice are listed in pages, for its people alone (S3)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from deployment import Held, Person
from plugins.scheduling.groupwork import ask
from plugins.scheduling.rota import CLOSE, Rota, at, monday, text

from bedside_core.auth import Role
from bedside_core.testing import statements

CLOSURES = """query($f: Date!, $t: Date!, $n: Int, $a: String) { closures(from: $f, to: $t, first: $n, after: $a) {
  nodes { id memberId startsAt endsAt reason } pageInfo { hasNextPage endCursor } } }"""


async def close(house: Rota, day: date, **more: Any) -> dict[str, Any]:
    """Close the practice on a day, or whoever is said, and return the closure."""
    given = {"b": text(at(day, 0)), "e": text(at(day + timedelta(days=1), 0)), "r": "Holiday"}
    return await ask(house, CLOSE, house.olga, **given | {"c": f"{day} {more}"} | more)


async def shown(house: Rota, who: Person | Held, first: date, last: date, **page: Any) -> dict[str, Any]:
    return await ask(house, CLOSURES, who, f=first.isoformat(), t=last.isoformat(), **page)


@pytest.mark.rule("S3", "G2")
async def test_the_practice_s_closures_are_listed_in_pages_and_as_many_statements(house: Rota) -> None:
    first = monday()
    made = [await close(house, first + timedelta(days=number)) for number in (4, 0, 2)]
    await close(house, first, m=house.ada.id)  # not the practice's
    await close(house, first + timedelta(days=5))
    in_order = [made[1], made[2], made[0]]
    last = first + timedelta(days=4)
    for who in (house.olga, house.ada, house.desk):
        assert (await shown(house, who, first, last))["nodes"] == in_order
    page = await shown(house, house.desk, first, last, n=2)
    assert (page["nodes"], page["pageInfo"]["hasNextPage"]) == (in_order[:2], True)
    rest = await shown(house, house.desk, first, last, n=2, a=page["pageInfo"]["endCursor"])
    assert (rest["nodes"], rest["pageInfo"]["hasNextPage"]) == (in_order[2:], False)
    # By the practice's own days: what ends at midnight is not of the next one.
    day = first + timedelta(days=1)
    assert (await shown(house, house.desk, day, day))["nodes"] == []
    costs: list[int] = []
    for days in (0, 365):
        with statements() as ran:
            await shown(house, house.desk, first, first + timedelta(days=days))
        costs.append(len(ran))
    assert costs[0] == costs[1]


@pytest.mark.rule("A12", "P1", "S3")
@pytest.mark.promise("A1")
async def test_they_are_for_the_practice_s_own_people_and_a_year_at_a_time(house: Rota) -> None:
    first = monday()
    made = await close(house, first)
    given = {"f": first.isoformat(), "t": first.isoformat()}
    assert await house.deployment.code(CLOSURES, house.pat.token, **given) == "FORBIDDEN"
    assert await house.deployment.code(CLOSURES, None, **given) == "UNAUTHENTICATED"
    eve = await house.deployment.person(await house.deployment.practice("Hill Top"), Role.OWNER, "Eve")
    assert (await shown(house, eve, first, first))["nodes"] == []
    assert (await shown(house, house.ben, first, first))["nodes"] == [made]
    for wrong in (
        {"t": (first - timedelta(days=1)).isoformat()},
        {"t": (first + timedelta(days=367)).isoformat()},
        {"f": "1800-01-01", "t": "8999-12-31"},
        {"a": "elsewhere"},
    ):
        assert await house.deployment.code(CLOSURES, house.desk.token, **given | wrong) == "INVALID_INPUT", wrong
