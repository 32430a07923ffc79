"""Many people who book one time over two processes: one has it, the others are told, and what is retried is one."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from deployment import Deployment, Held, Person
from journeys.processes import Site
from plugins.scheduling.agenda import BOOK, CANCEL, CONFIRM, HOLD, MOVE, wanted
from plugins.scheduling.rota import CREATE, SETTINGS, WEEK, text, weekly

from bedside_core.auth import Role
from bedside_core.database import DB, acting
from bedside_core.people import Practice
from rulebook import size

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Office:
    """A practice with a practitioner whom patients book by themselves."""

    def __init__(self, practice: Practice, owner: Person, ada: Person, kind: str) -> None:
        self.practice, self.owner, self.ada, self.kind = practice, owner, ada, kind
        self.day = datetime.now(UTC).date() + timedelta(days=14)

    def at(self, hour: int) -> datetime:
        """Return an instant of the day on which it is open."""
        return datetime(self.day.year, self.day.month, self.day.day, hour, tzinfo=UTC)

    def wanted(self, hour: int, **more: Any) -> dict[str, Any]:
        """Return what somebody wants."""
        return wanted(self.at(hour), self.ada, typeId=self.kind, **more)

    async def rows(self, state: str = "booked") -> list[Any]:
        """Return the appointments there are in a state."""
        with acting(self.practice.id):
            return await DB.fetch(
                """SELECT a.id, a.starts_at, p.patient_id FROM appointment a
                JOIN appointment_patient p ON p.appointment_id = a.id WHERE a.state = $1 ORDER BY a.starts_at""",
                state,
            )


async def office(here: Deployment) -> Office:
    """Make a practice that is open to patients on a day."""
    practice = await here.practice()
    owner, ada = await here.person(practice, Role.OWNER), await here.person(practice)
    await here.data(SETTINGS, owner.token, p={"slotStepMinutes": 60, "horizonDays": 60})
    given = {"name": "Visit", "minutes": 60, "selfScheduling": True, "memberIds": [ada.id]}
    made = await here.data(CREATE, owner.token, i=given, c="type")
    found = Office(practice, owner, ada, made["createAppointmentType"]["id"])
    # The whole day in any zone.
    days = [found.day + timedelta(days=number) for number in (-1, 0, 1)]
    await here.data(WEEK, ada.token, m=ada.id, s=[weekly(day, "00:00", "24:00") for day in days])
    return found


def code(body: dict[str, Any]) -> str:
    return body["errors"][0]["extensions"]["code"] if "errors" in body else "DONE"


@pytest.mark.rule("S5")
@pytest.mark.promise("S1")
@pytest.mark.timeout(600)
async def test_of_many_people_who_book_one_slot_over_two_processes_one_has_it(two: Site) -> None:
    many = size(30, 200)
    house = await office(two.doors[0])
    people: list[Held] = [await two.doors[0].held(house.practice) for _ in range(many)]
    bodies = await asyncio.gather(
        *(two.doors[number % 2].ask(BOOK, each.token, i=house.wanted(9), c="one") for number, each in enumerate(people))
    )
    codes = [code(body) for body in bodies]
    assert Counter(codes) == {"DONE": 1, "SLOT_TAKEN": many - 1}
    next_free = [text(house.at(hour)) for hour in (10, 11, 12)]
    told = [body["errors"][0]["extensions"]["next"] for body in bodies if "errors" in body]
    assert told == [next_free] * (many - 1)
    [row] = await house.rows()
    winner = people[codes.index("DONE")]
    assert str(row["patient_id"]) == winner.id
    with acting(house.practice.id):
        assert await DB.fetchval("SELECT count(*) FROM appointment") == 1
        sql = "SELECT kind, recipient_id FROM notification WHERE kind LIKE 'scheduling.%' ORDER BY kind"
        told = await DB.fetch(sql)
    assert [(each["kind"], str(each["recipient_id"])) for each in told] == [
        ("scheduling.booked", winner.id),
        ("scheduling.patient_booked", house.ada.id),
    ]


@pytest.mark.rule("S5")
@pytest.mark.rule("G9")
async def test_the_same_booking_at_two_processes_at_once_is_made_once(two: Site) -> None:
    house = await office(two.doors[0])
    pat = await two.doors[0].held(house.practice)
    for hour, (query, who, field) in enumerate(
        ((BOOK, pat, "bookAppointment"), (HOLD, pat, "holdSlot"), (BOOK, house.owner, "bookAppointment")), start=9
    ):
        given = house.wanted(hour, **({"patientIds": [pat.id]} if who is house.owner else {}))
        asked = [two.doors[number % 2].data(query, who.token, i=given, c=f"k{hour}") for number in range(8)]
        found = [body[field] for body in await asyncio.gather(*asked)]
        assert all(each == found[0] for each in found)
    # The same id for two practitioners, whose calendars do not wait for one another.
    ben = await two.doors[0].person(house.practice)
    for round_ in range(3):
        both = [
            two.doors[number].ask(
                BOOK, house.owner.token, i=wanted(house.at(14 + round_), member, patientIds=[pat.id]), c=f"two{round_}"
            )
            for number, member in enumerate((house.ada, ben))
        ]
        assert sorted(code(body) for body in await asyncio.gather(*both)) == ["CONFLICT", "DONE"]
    assert (len(await house.rows()), len(await house.rows("held"))) == (5, 1)


@pytest.mark.rule("S5")
async def test_moves_cancellations_and_bookings_at_two_processes_never_overlap(two: Site) -> None:
    here, there = two.doors
    house = await office(here)
    people = [await here.held(house.practice) for _ in range(4)]
    first = [
        (await here.data(BOOK, each.token, i=house.wanted(8 + number), c="first"))["bookAppointment"]["appointment"]
        for number, each in enumerate(people)
    ]
    for hour in (14, 15, 16):
        asked = [
            two.doors[number % 2].ask(MOVE, each.token, a=made["id"], s=text(house.at(hour)))
            for number, (each, made) in enumerate(zip(people, first, strict=True))
        ]
        asked.append(there.ask(BOOK, house.owner.token, i=house.wanted(hour, patientIds=[people[0].id]), c=f"b{hour}"))
        codes = Counter(code(body) for body in await asyncio.gather(*asked))
        assert codes == {"DONE": 1, "SLOT_TAKEN": 4}
        starts = [row["starts_at"] for row in await house.rows()]
        assert starts.count(house.at(hour)) == 1 and len(starts) == len(set(starts))
    held = (await here.data(HOLD, people[0].token, i=house.wanted(20), c="hold"))["holdSlot"]
    both = await asyncio.gather(
        here.ask(CONFIRM, people[0].token, a=held["id"]),
        there.ask(BOOK, people[1].token, i=house.wanted(20), c="late"),
    )
    assert [code(body) for body in both] == ["DONE", "SLOT_TAKEN"]
    cancelled = await asyncio.gather(
        *(two.doors[number % 2].ask(CANCEL, people[0].token, a=held["id"]) for number in range(6))
    )
    assert {code(body) for body in cancelled} == {"DONE"}
    assert len({body["data"]["cancelAppointment"]["version"] for body in cancelled}) == 1
