"""Sections, days and closures are kept by those whose they are, and never overlap (S1, S3, A12)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from plugins.scheduling.rota import (
    CLEAR,
    CLOSE,
    DAY,
    OF,
    REMOVE,
    WEEK,
    Rota,
    at,
    last_sunday,
    monday,
    section,
    text,
    weekly,
)

from bedside_core.auth import Role
from bedside_core.testing import statements

NOBODY = "0199aaaa-0000-7000-8000-000000000000"


async def kept(house: Rota, member: str, days: int = 13) -> dict[str, Any]:
    first = monday()
    given = {"f": first.isoformat(), "t": (first + timedelta(days=days)).isoformat()}
    return (await house.deployment.data(OF, house.olga.token, m=member, **given))["availability"]


@pytest.mark.rule("S3")
async def test_a_week_is_set_in_one_go_and_shown_with_its_days_and_closures(house: Rota) -> None:
    first, deployment, ada = monday(), house.deployment, house.ada
    assert await house.week(ada, weekly(first, "08:00", "09:00")) == [
        {
            "weekday": "MONDAY", "begins": "08:00", "ends": "09:00", "mode": "IN_PERSON", "selfScheduling": True,
            "fromDate": None, "untilDate": None,
        }
    ]  # fmt: skip
    friday = first + timedelta(days=4)
    wanted = [
        weekly(first, "13:00", "17:00", open=False),
        weekly(first, "09:00", "12:00"),
        weekly(friday, "22:00", "02:00", fromDate=friday.isoformat(), untilDate=friday.isoformat()),
        weekly(friday, "20:00", "22:00"),
    ]
    sections = await house.week(ada, *wanted)
    assert [(each["weekday"], each["begins"], each["ends"], each["selfScheduling"]) for each in sections] == [
        ("MONDAY", "09:00", "12:00", True),
        ("MONDAY", "13:00", "17:00", False),
        ("FRIDAY", "20:00", "22:00", True),
        ("FRIDAY", "22:00", "02:00", True),
    ]
    tuesday = (first + timedelta(days=1)).isoformat()
    own = [section("14:00", "15:00"), section("10:00", "11:00"), section("23:00", "24:00")]
    day = (await deployment.data(DAY, ada.token, m=ada.id, d=tuesday, s=own))["setDay"]
    assert [(each["begins"], each["ends"]) for each in day["sections"]] == [
        ("10:00", "11:00"), ("14:00", "15:00"), ("23:00", "00:00"),
    ]  # fmt: skip
    off = (await deployment.data(DAY, ada.token, m=ada.id, d=friday.isoformat(), s=[]))["setDay"]
    assert off == {"date": friday.isoformat(), "sections": []}
    mine = (
        await deployment.data(
            CLOSE, ada.token, m=ada.id, b=text(at(first, 9)), e=text(at(first, 10)), c="c-1", r=" Dentist "
        )
    )["addClosure"]
    ours = (await deployment.data(CLOSE, house.olga.token, b=text(at(friday, 0)), e=text(at(friday, 12)), c="c-1"))[
        "addClosure"
    ]
    assert (mine["memberId"], mine["reason"], ours["memberId"]) == (ada.id, "Dentist", None)
    with statements() as ran:
        found = await kept(house, ada.id)
    few = len(ran)
    assert (found["memberId"], found["zone"], found["telehealth"]) == (ada.id, "Europe/Berlin", False)
    assert found["sections"] == sections
    assert found["days"] == [day, off]
    assert found["closures"] == [mine, ours]
    for number in range(8):
        begins = at(first + timedelta(days=number), 6)
        await deployment.data(
            CLOSE, ada.token, m=ada.id, b=text(begins), e=text(begins + timedelta(hours=1)), c=f"more-{number}"
        )
        await deployment.data(
            DAY, ada.token, m=ada.id, d=(first + timedelta(days=number)).isoformat(), s=[section("10:00", "11:00")]
        )
    with statements() as ran:
        more = await kept(house, ada.id)
    assert (len(more["closures"]), len(more["days"]), len(ran)) == (10, 8, few)
    # The other practitioner has the practice's closure only.
    assert [each["id"] for each in (await kept(house, house.ben.id))["closures"]] == [ours["id"]]
    assert (await kept(house, ada.id, days=2))["days"] == more["days"][:3]


@pytest.mark.rule("S3")
@pytest.mark.rule("S6")
async def test_sections_that_overlap_are_refused_and_neighbours_are_not(house: Rota) -> None:
    first, deployment, ada = monday(), house.deployment, house.ada
    saturday, sunday = first + timedelta(days=5), first + timedelta(days=6)
    later = (first + timedelta(days=8)).isoformat()
    good = [
        [weekly(first, "09:00", "12:00"), weekly(first, "12:00", "13:00")],
        [weekly(sunday, "22:00", "02:00"), weekly(first, "02:00", "03:00")],
        [weekly(first, "09:00", "12:00", untilDate=first.isoformat()), weekly(first, "09:00", "12:00", fromDate=later)],
        [weekly(first, "00:00", "24:00"), weekly(first + timedelta(days=1), "00:00", "00:00")],
        # On the Sunday before the Monday that ends it there is one, on the one after it none.
        [weekly(sunday, "22:00", "02:00", fromDate=sunday.isoformat()), weekly(first, "01:00", "03:00", untilDate=first.isoformat())],  # noqa: E501
        [],
    ]  # fmt: skip
    for sections in good:
        assert len(await house.week(ada, *sections)) == len(sections)
    before = await house.week(ada, weekly(first, "08:00", "09:00"))
    bad = [
        [weekly(first, "09:00", "12:00"), weekly(first, "11:59", "13:00")],
        [weekly(first, "09:00", "09:00"), weekly(first, "08:00", "08:30"), weekly(first, "10:00", "11:00")],
        [weekly(sunday, "22:00", "02:00"), weekly(saturday, "10:00", "11:00"), weekly(first, "01:59", "03:00")],
        [weekly(first, "01:00", "03:00"), weekly(sunday, "22:00", "02:00")],
        [weekly(first, "09:00", "12:00", fromDate=first.isoformat()), weekly(first, "09:00", "10:00", fromDate=later)],
    ]
    for sections in bad:
        body = await deployment.ask(WEEK, ada.token, m=ada.id, s=sections)
        [error] = body["errors"]
        assert error["extensions"]["code"] == "INVALID_INPUT", sections
        assert error["extensions"]["field"] == ["sections", str(len(sections) - 1), "begins"]
    own = [section("22:00", "02:00"), section("00:00", "01:00"), section("23:00", "23:30")]
    body = await deployment.ask(DAY, ada.token, m=ada.id, d=first.isoformat(), s=own)
    assert body["errors"][0]["extensions"]["field"] == ["sections", "2", "begins"]
    found = await kept(house, ada.id)
    assert (found["sections"], found["days"]) == (before, [])


@pytest.mark.rule("S3")
async def test_of_weeks_that_are_set_at_once_one_stands_whole(house: Rota) -> None:
    first, deployment, ada = monday(), house.deployment, house.ada
    noons = [f"{10 + hour}:00" for hour in range(8)]
    weeks = [[weekly(first, "09:00", noon), weekly(first, noon, "20:00")] for noon in noons]
    people = [ada, house.desk, house.olga]
    answers = await asyncio.gather(
        *(deployment.data(WEEK, people[n % 3].token, m=ada.id, s=week) for n, week in enumerate(weeks))
    )
    sections = (await kept(house, ada.id))["sections"]
    assert sections in [each["setWeek"] for each in answers]
    days = [[section("09:00", noon)] for noon in noons]
    await asyncio.gather(
        *(deployment.data(DAY, people[n % 3].token, m=ada.id, d=first.isoformat(), s=day) for n, day in enumerate(days))
    )
    [day] = (await kept(house, ada.id))["days"]
    assert len(day["sections"]) == 1


@pytest.mark.rule("A12")
@pytest.mark.rule("S3")
@pytest.mark.promise("A1")
async def test_practitioners_keep_their_own_and_the_front_desk_everybody_s(house: Rota) -> None:
    first, deployment = monday(), house.deployment
    ada, ben = house.ada, house.ben
    other = await deployment.practice("Hill Top")
    eve = await deployment.person(other, Role.OWNER, "Eve")
    manager = await deployment.person(house.practice, Role.MANAGER, "Max")
    week, days = [weekly(first, "09:00", "12:00")], {"d": first.isoformat()}
    span = {"b": text(at(first, 9)), "e": text(at(first, 10))}

    async def codes(token: str, member: str, key: str) -> list[str]:
        """Return the code of each thing that can be done to a member's availability; an empty one where it is done."""
        asked = [
            await deployment.ask(WEEK, token, m=member, s=week),
            await deployment.ask(DAY, token, m=member, s=week and [section("10:00", "11:00")], **days),
            await deployment.ask(CLEAR, token, m=member, **days),
            await deployment.ask(CLOSE, token, m=member, c=key, **span),
        ]
        return [each["errors"][0]["extensions"]["code"] if "errors" in each else "" for each in asked]

    untouched = await kept(house, ben.id)
    assert (untouched["sections"], untouched["days"], untouched["closures"]) == ([], [], [])
    assert await codes(ada.token, ben.id, "k") == ["FORBIDDEN"] * 4
    assert await codes(eve.token, ben.id, "k") == ["NOT_FOUND"] * 4
    assert await codes(house.pat.token, ben.id, "k") == ["FORBIDDEN"] * 4
    assert await codes(house.olga.token, eve.id, "k") == ["NOT_FOUND"] * 4
    assert await codes(house.olga.token, house.pat.id, "k") == ["NOT_FOUND"] * 4
    assert await codes(house.olga.token, NOBODY, "k") == ["NOT_FOUND"] * 4
    assert await codes(house.olga.token, "x", "k") == ["NOT_FOUND"] * 4
    assert await kept(house, ben.id) == untouched
    for who in (ben, house.desk, manager, house.olga):
        assert await codes(who.token, ben.id, who.id) == [""] * 4
    closure = (await kept(house, ben.id))["closures"][0]["id"]
    assert await deployment.code(REMOVE, ada.token, i=closure) == "FORBIDDEN"
    assert await deployment.code(REMOVE, eve.token, i=closure) == "NOT_FOUND"
    assert await deployment.code(REMOVE, house.pat.token, i=closure) == "FORBIDDEN"
    assert len((await kept(house, ben.id))["closures"]) == 4
    assert (await deployment.data(REMOVE, house.desk.token, i=closure))["removeClosure"] is True
    assert len((await kept(house, ben.id))["closures"]) == 3
    assert await deployment.code(REMOVE, house.desk.token, i=closure) == "NOT_FOUND"
    # The whole practice is closed, and opened again, by leaders.
    for who in (ada, house.desk):
        assert await deployment.code(CLOSE, who.token, c="all", **span) == "FORBIDDEN"
    all_of_us = (await deployment.data(CLOSE, manager.token, c="all", **span))["addClosure"]["id"]
    assert await deployment.code(REMOVE, house.desk.token, i=all_of_us) == "FORBIDDEN"
    assert all_of_us in [each["id"] for each in (await kept(house, ada.id))["closures"]]
    await deployment.data(REMOVE, house.olga.token, i=all_of_us)
    assert (await kept(house, ada.id))["closures"] == []
    # Who is not of the practice sees none of it.
    asked = {"f": first.isoformat(), "t": first.isoformat()}
    assert await deployment.code(OF, eve.token, m=ada.id, **asked) == "NOT_FOUND"
    assert await deployment.code(OF, house.pat.token, m=ada.id, **asked) == "FORBIDDEN"
    assert await deployment.code(OF, None, m=ada.id, **asked) == "UNAUTHENTICATED"
    assert (await deployment.data(OF, ada.token, m=ben.id, **asked))["availability"]["memberId"] == ben.id


@pytest.mark.rule("S1")
@pytest.mark.rule("S3")
@pytest.mark.rule("T1")
async def test_telehealth_sections_need_a_practitioner_who_may_host(house: Rota) -> None:
    first, deployment, ada = monday(), house.deployment, house.ada
    before = await house.week(ada, weekly(first, "08:00", "09:00"))
    for mode in ("TELEHEALTH", "BOTH"):
        sections = [weekly(first, "09:00", "10:00"), weekly(first, "10:00", "12:00", mode)]
        body = await deployment.ask(WEEK, ada.token, m=ada.id, s=sections)
        told = body["errors"][0]["extensions"]
        assert (told["code"], told["field"]) == ("TELEHEALTH_NOT_OFFERED", ["sections", "1", "mode"])
        day = {"d": first.isoformat(), "s": [section("10:00", "12:00", mode)]}
        assert await deployment.code(DAY, ada.token, m=ada.id, **day) == "TELEHEALTH_NOT_OFFERED"
    found = await kept(house, ada.id)
    assert (found["sections"], found["days"], found["telehealth"]) == (before, [], False)
    await house.host(ada)
    await house.week(ada, weekly(first, "09:00", "10:00", "TELEHEALTH"), weekly(first, "10:00", "12:00", "BOTH"))
    found = await kept(house, ada.id)
    assert ([each["mode"] for each in found["sections"]], found["telehealth"]) == (["TELEHEALTH", "BOTH"], True)


async def test_what_can_t_be_used_is_refused_with_a_code_and_changes_nothing(house: Rota) -> None:
    first, deployment, ada = monday(), house.deployment, house.ada
    before = await house.week(ada, weekly(first, "08:00", "09:00"))
    for wrong in ("9:00", "25:00", "12:60", "", "noon", "09:00:00", "-1:00", "٠٩:٠٠"):
        assert await deployment.code(WEEK, ada.token, m=ada.id, s=[weekly(first, wrong, "12:00")]) == "INVALID_INPUT"
        day = {"d": first.isoformat(), "s": [section("09:00", wrong)]}
        assert await deployment.code(DAY, ada.token, m=ada.id, **day) == "INVALID_INPUT"
    upside = weekly(first, "09:00", "10:00", fromDate="2031-02-02", untilDate="2031-02-01")
    assert await deployment.code(WEEK, ada.token, m=ada.id, s=[upside]) == "INVALID_INPUT"
    minutes = [f"{number // 60:02}:{number % 60:02}" for number in range(102)]
    many = [weekly(first, *pair) for pair in pairwise(minutes)]
    assert await deployment.code(WEEK, ada.token, m=ada.id, s=many) == "INVALID_INPUT"
    some = [section(*pair) for pair in pairwise(minutes[:23])]
    assert await deployment.code(DAY, ada.token, m=ada.id, d=first.isoformat(), s=some) == "INVALID_INPUT"
    assert await deployment.code(DAY, ada.token, m=ada.id, d="8999-12-31", s=[]) == "INVALID_INPUT"
    for day in ("1800-01-01", "8999-12-31"):
        assert (await deployment.data(CLEAR, ada.token, m=ada.id, d=day))["clearDay"] is True
    nine = text(at(first, 9))
    for begins, ends in (
        (nine, nine), (text(at(first, 10)), nine), ("1800-01-01T00:00:00Z", "1801-01-01T00:00:00Z"),
        ("8999-01-01T00:00:00Z", "8999-01-02T00:00:00Z"), (nine, "8999-12-31T00:00:00Z"),
    ):  # fmt: skip
        assert await deployment.code(CLOSE, ada.token, m=ada.id, b=begins, e=ends, c="c-1") == "INVALID_INPUT"
    span = {"m": ada.id, "b": nine, "e": text(at(first, 10))}
    assert await deployment.code(CLOSE, ada.token, c="c-1", r="x" * 201, **span) == "INVALID_INPUT"
    for client_id in ("", "x" * 101):
        assert await deployment.code(CLOSE, ada.token, c=client_id, **span) == "INVALID_INPUT"
    for first_day, last_day in (
        ("2027-01-02", "2027-01-01"),
        ("2027-01-01", "2028-01-03"),
        ("1800-01-01", "8999-12-31"),
    ):
        assert await deployment.code(OF, ada.token, m=ada.id, f=first_day, t=last_day) == "INVALID_INPUT"
    far = await deployment.data(OF, ada.token, m=ada.id, f="8999-12-31", t="8999-12-31")
    assert far["availability"]["sections"] == before
    found = await kept(house, ada.id)
    assert (found["days"], found["closures"]) == ([], [])


@pytest.mark.rule("G9")
async def test_a_closure_is_made_once_for_a_client_id(house: Rota) -> None:
    first, deployment, ada = monday(), house.deployment, house.ada
    span = {"m": ada.id, "b": text(at(first, 9)), "e": text(at(first, 10)), "c": "c-1"}
    made = await deployment.data(CLOSE, ada.token, **span)
    assert await deployment.data(CLOSE, ada.token, **span) == made
    assert await deployment.code(CLOSE, ada.token, **span | {"r": "another"}) == "CONFLICT"
    assert (await kept(house, ada.id))["closures"] == [made["addClosure"]]
    await deployment.data(REMOVE, ada.token, i=made["addClosure"]["id"])
    assert await deployment.code(CLOSE, ada.token, **span) == "CONFLICT"
    assert (await kept(house, ada.id))["closures"] == []


@pytest.mark.rule("A14")
async def test_who_changes_availability_stands_in_the_trail(house: Rota) -> None:
    first, deployment, ada = monday(), house.deployment, house.ada
    await deployment.data(WEEK, house.desk.token, m=ada.id, s=[weekly(first, "09:00", "12:00")])
    await deployment.data(CLOSE, house.olga.token, b=text(at(first, 9)), e=text(at(first, 10)), c="c-1", r="Canary")
    trail = "{ auditEntries(first: 50) { nodes { action kind target memberId details { name values } } } }"
    found = (await deployment.data(trail, house.olga.token))["auditEntries"]["nodes"]
    entries = [each for each in found if each["action"] == "scheduling.availability"]
    assert [(each["kind"], each["target"], each["memberId"]) for each in entries] == [
        ("practice", str(house.practice.id), house.olga.id),
        ("member", ada.id, house.desk.id),
    ]
    assert "Canary" not in str(entries)


@pytest.mark.rule("S6")
async def test_closures_are_asked_for_by_the_practice_s_own_days(house: Rota) -> None:
    """The days on which clocks change have 23 and 25 hours; what ends at midnight is not of the next day."""
    for month in (3, 10):
        day, deployment, ada = last_sunday(month), house.deployment, house.ada
        begins, ends = at(day, 0), at(day + timedelta(days=1), 0)
        assert ends - begins == timedelta(hours=23 if month == 3 else 25)
        made = await deployment.data(CLOSE, ada.token, m=ada.id, b=text(begins), e=text(ends), c=f"m-{month}")
        for number, found in ((-1, []), (0, [made["addClosure"]]), (1, [])):
            asked = (day + timedelta(days=number)).isoformat()
            shown = await deployment.data(OF, ada.token, m=ada.id, f=asked, t=asked)
            assert shown["availability"]["closures"] == found
