"""Who waits longest is offered what becomes free, alone and for a while; then the next one is (S7)."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from deployment import Socket
from notify_stage import PREFER
from plugins.scheduling.groupwork import (
    ACCEPT,
    APPOINTMENT,
    BOOK,
    CANCEL,
    DECLINE,
    LEAVE,
    LIST,
    MISSING,
    WAIT,
    ask,
    client,
    clock_at,
    pass_time,
    rows,
    run,
    settings_settled,
    wanted,
)
from plugins.scheduling.rota import at, monday, rota, text, weekly
from plugins.scheduling.waiters import List

from bedside_core.auth import Role
from bedside_core.database import acting
from bedside_core.testing import Database, statements, until
from bedside_scheduling.answering import answer_until
from bedside_scheduling.offers import Offers

CONFIRM = "mutation($i: ID!) { confirmAppointment(id: $i) { appointment { id state } } }"
RELEASE = "mutation($i: ID!) { releaseSlot(id: $i) { id state } }"
INBOX = """subscription { inbox { __typename ... on WaitingListInboxChanged { entry {
  id outcome offer { id appointment { startsAt } } } } } }"""


@pytest.mark.rule("S7")
async def test_a_freed_time_is_offered_to_whoever_waits_longest_and_accepting_books_it(waiting: List) -> None:
    house, (first, second, _) = waiting.house, waiting.people
    taken = await waiting.book(await house.deployment.patient(house.practice))
    await waiting.wait(first)
    await waiting.wait(second)
    await ask(house, CANCEL, house.desk, i=taken)
    offer = await waiting.offered(first)
    assert (offer["appointment"]["startsAt"], offer["appointment"]["state"]) == (text(at(monday(), 9)), "HELD")
    assert offer["appointment"]["memberIds"] == [house.ada.id]
    assert (await waiting.entry(second))["offer"] is None
    # It is theirs: nobody else has it meanwhile.
    given = wanted(monday(), 9, house.ada, typeId=waiting.kind)
    assert await house.deployment.code(BOOK, second.token, i=given, c=client()) == "SLOT_TAKEN"
    booked = await ask(house, ACCEPT, first, i=offer["id"])
    assert booked == {
        "id": offer["appointmentId"], "state": "BOOKED", "heldUntil": None, "startsAt": text(at(monday(), 9)),
    }  # fmt: skip
    assert await ask(house, ACCEPT, first, i=offer["id"]) == booked
    assert ((await waiting.entry(first))["outcome"], (await waiting.entry(first))["offer"]) == ("BOOKED", None)
    assert ((await waiting.entry(second))["outcome"], await waiting.states()) == (None, {"taken": 1})
    assert await house.deployment.code(DECLINE, first.token, i=offer["id"]) == "CONFLICT"


@pytest.mark.rule("S7", "N4")
async def test_the_offer_is_told_at_once_by_mail_and_live_in_the_inbox(waiting: List) -> None:
    house, (first, *_) = waiting.house, waiting.people
    taken = await waiting.book(await house.deployment.patient(house.practice))
    async with house.deployment.socket(first.token) as socket:
        key = await socket.subscribe(INBOX)
        assert (await socket.next(key))["inbox"]["__typename"] == "InboxOpened"
        entry = await waiting.wait(first)
        assert await told(socket, key) == {"id": entry, "outcome": None, "offer": None}
        await ask(house, CANCEL, house.desk, i=taken)
        seen = await told(socket, key)
        assert (seen["id"], seen["offer"]["appointment"]["startsAt"]) == (entry, text(at(monday(), 9)))
        await until(lambda: len(waiting.letters(first)) == 1, "the mail", 60)
        await ask(house, DECLINE, first, i=seen["offer"]["id"])
        assert await told(socket, key) == {"id": entry, "outcome": None, "offer": None}
    [letter] = waiting.letters(first)
    assert letter.subject == "An appointment at Bay View has become free"
    assert "Visit" not in letter.text


async def told(socket: Socket, key: str) -> Any:
    """Return the next entry of the waiting list that the inbox tells of."""
    while True:
        event = (await socket.next(key))["inbox"]
        if event["__typename"] == "WaitingListInboxChanged":
            return event["entry"]


@pytest.mark.rule("S7")
async def test_what_is_declined_or_not_answered_in_time_goes_to_the_next_and_comes_back_to_nobody(
    waiting: List,
) -> None:
    house, (first, second, third) = waiting.house, waiting.people
    taken = await waiting.book(await house.deployment.patient(house.practice))
    for who in waiting.people:
        await waiting.wait(who)
    await ask(house, CANCEL, house.desk, i=taken)
    offer = await waiting.offered(first)
    declined = await ask(house, DECLINE, first, i=offer["id"])
    assert (declined["offer"], declined["outcome"]) == (None, None)
    assert await house.deployment.code(ACCEPT, first.token, i=offer["id"]) == "HOLD_OVER"
    offer = await waiting.offered(second)
    await pass_time(house, minutes=59)
    assert (await waiting.entry(second))["offer"]["id"] == offer["id"]
    await pass_time(house, minutes=2)
    last = await waiting.offered(third)
    assert await house.deployment.code(ACCEPT, second.token, i=offer["id"]) == "HOLD_OVER"
    assert last["appointment"]["startsAt"] == text(at(monday(), 9))
    await ask(house, DECLINE, third, i=last["id"])
    # Now it is free for everybody, and nobody is asked twice.
    given = wanted(monday(), 9, house.ada, typeId=waiting.kind)
    await ask(house, BOOK, first, i=given, c=client())
    await waiting.over(first, "BOOKED")
    assert await waiting.states() == {"declined": 2, "over": 1}


@pytest.mark.rule("S7")
async def test_only_what_somebody_waits_for_and_patients_may_book_is_offered(waiting: List) -> None:
    house, (first, second, third) = waiting.house, waiting.people
    outside = await waiting.book(await house.deployment.patient(house.practice), hour=15)
    inside = await waiting.book(await house.deployment.patient(house.practice), hour=10)
    other = await house.type(house.ben, name="Other")
    await waiting.wait(first, kind="TELEHEALTH")
    await waiting.wait(first, typeId=other)
    await waiting.wait(first, **{"from": text(at(monday(), 11))})
    await waiting.wait(first, until=text(at(monday(), 10)))
    await waiting.wait(second, memberId=house.ada.id, kind="IN_PERSON")
    await waiting.wait(third)
    await ask(house, CANCEL, house.desk, i=outside)
    await ask(house, CANCEL, house.desk, i=inside)
    offer = await waiting.offered(second)
    assert offer["appointment"]["startsAt"] == text(at(monday(), 10))
    assert [each["offer"] for each in (await ask(house, LIST, house.desk))["nodes"]].count(None) == 5
    assert await waiting.states() == {"open": 1}


@pytest.mark.rule("S7")
async def test_a_long_time_is_offered_to_several_each_a_part_of_it(waiting: List) -> None:
    house, (first, second, third) = waiting.house, waiting.people
    given = wanted(monday(), 9, house.ada, patients=[await house.deployment.patient(house.practice)], minutes=120)
    taken = (await ask(house, BOOK, house.desk, i=given, c=client()))["appointment"]["id"]
    for who in waiting.people:
        await waiting.wait(who, until=text(at(monday(), 11)))
    await ask(house, CANCEL, house.desk, i=taken)
    starts = [(await waiting.offered(who))["appointment"]["startsAt"] for who in (first, second)]
    assert starts == [text(at(monday(), 9)), text(at(monday(), 10))]
    assert ((await waiting.entry(third))["offer"], await waiting.states()) == (None, {"open": 2})


@pytest.mark.rule("S7")
async def test_whoever_has_what_they_wait_for_is_offered_nothing_more(waiting: List) -> None:
    house, (first, second, third) = waiting.house, waiting.people
    taken = await waiting.book(await house.deployment.patient(house.practice))
    for who in waiting.people:
        await waiting.wait(who)
    await ask(house, CANCEL, house.desk, i=taken)
    await waiting.offered(first)
    # Another time within what they wait for: the offer goes to the next one. One that is not, is none of it.
    later = await waiting.book(first, day=monday() + timedelta(days=14))
    assert (await waiting.entry(first))["outcome"] is None
    await ask(house, BOOK, first, i=wanted(monday(), 11, house.ada, typeId=waiting.kind), c=client())
    await waiting.over(first, "BOOKED")
    offer = await waiting.offered(second)
    # What is offered can be confirmed as what is held, and let go as such: the offer ends with it, and goes on.
    await ask(house, RELEASE, second, i=offer["appointmentId"])
    assert (await waiting.entry(second))["offer"] is None
    assert await house.deployment.code(ACCEPT, second.token, i=offer["id"]) == "HOLD_OVER"
    offer = await waiting.offered(third)
    await ask(house, CONFIRM, third, i=offer["appointmentId"])
    await waiting.over(third, "BOOKED")
    assert await waiting.states() == {"declined": 1, "over": 1, "taken": 1}
    assert (await ask(house, APPOINTMENT, first, i=later))["state"] == "BOOKED"


@pytest.mark.rule("S7")
async def test_leaving_lets_go_what_is_offered_and_waiting_in_vain_ends(waiting: List) -> None:
    house, (first, second, _) = waiting.house, waiting.people
    taken = await waiting.book(await house.deployment.patient(house.practice))
    one, _ = await waiting.wait(first), await waiting.wait(second)
    await ask(house, CANCEL, house.desk, i=taken)
    await waiting.offered(first)
    left = await ask(house, LEAVE, first, i=one)
    assert (left["outcome"], left["offer"]) == ("LEFT", None)
    assert await ask(house, LEAVE, first, i=one) == left
    await waiting.offered(second)
    assert await waiting.states() == {"declined": 1, "open": 1}
    await pass_time(house, days=30)
    await waiting.over(second, "OVER")
    assert (await ask(house, LIST, house.desk))["nodes"] == []


@pytest.mark.rule("S7", "N6")
async def test_nobody_has_to_answer_at_night(waiting: List) -> None:
    house, (first, second, _) = waiting.house, waiting.people
    taken = await waiting.book(await house.deployment.patient(house.practice))
    for who in (first, second):
        await waiting.wait(who)
    quiet = {"zone": "Europe/Berlin", "quietFrom": "21:30", "quietUntil": "07:00"}
    await house.deployment.data(PREFER, first.token, p=quiet)
    evening = await clock_at(house, 22)
    await ask(house, CANCEL, house.desk, i=taken)
    offer = await waiting.offered(first)
    assert offer["expiresAt"] == text(evening + timedelta(hours=11))  # at nine in the morning
    await pass_time(house, hours=8)
    assert ((await waiting.entry(first))["offer"]["id"], waiting.letters(first)) == (offer["id"], [])
    await pass_time(house, hours=1, minutes=5)
    await until(lambda: len(waiting.letters(first)) == 1, "the mail in the morning", 60)
    assert await waiting.states() == {"open": 1}
    await pass_time(house, hours=2)
    assert (await waiting.offered(second))["id"] != offer["id"]
    assert await house.deployment.code(ACCEPT, first.token, i=offer["id"]) == "HOLD_OVER"


@pytest.mark.rule("S6", "S7")
@pytest.mark.parametrize(
    ("now", "minutes", "expected"),
    [
        ((27, 12, 0), 60, (27, 13, 0)),
        ((27, 19, 30), 60, (27, 20, 30)),
        ((27, 20, 0), 60, (28, 9, 0)),  # when clocks are put forward in between, too
        ((27, 23, 59), 5, (28, 9, 0)),
        ((28, 7, 0), 59, (28, 9, 0)),
        ((28, 7, 0), 60, (28, 8, 0)),
        ((27, 15, 0), 1440, (28, 15, 0)),
    ],
)
def test_what_would_end_at_night_ends_an_hour_after_the_morning(
    now: tuple[int, int, int], minutes: int, expected: tuple[int, int, int]
) -> None:
    def berlin(day: int, hour: int, minute: int) -> datetime:
        return at(date(2027, 3, day), hour, minute)

    late = berlin(30, 9, 0)
    expected_at = berlin(*expected)
    if minutes == 1440:  # of the day that has 23 hours
        expected_at += timedelta(hours=1)
    assert answer_until(berlin(*now), minutes, "Europe/Berlin", late) == expected_at
    assert answer_until(berlin(*now), minutes, "Europe/Berlin", berlin(*now)) == berlin(*now)


@pytest.mark.rule("S5", "S7")
async def test_a_freed_time_told_of_many_times_at_once_is_offered_to_one_person_once(waiting: List) -> None:
    house = waiting.house
    for who in waiting.people:
        await waiting.wait(who, until=text(at(monday(), 10)))
    offers = house.deployment.platform.service(Offers)
    begins, ends = at(monday(), 9), at(monday(), 10)
    with acting(house.practice.id):
        made = await asyncio.gather(
            *(offers.time_freed(house.practice.id, [house.ada.member.id], begins, ends) for _ in range(10))
        )
    assert sorted(made) == [0] * 9 + [1]
    assert (await waiting.entry(waiting.people[0]))["offer"]["appointment"]["startsAt"] == text(begins)
    assert await waiting.states() == {"open": 1}


@pytest.mark.rule("S7")
async def test_one_person_who_waits_is_offered_one_time_though_many_become_free_at_once(waiting: List) -> None:
    house, (first, *_) = waiting.house, waiting.people
    await house.week(house.ben, weekly(monday(), "09:00", "12:00"))
    both = await house.type(house.ada, house.ben, name="With either")
    await waiting.wait(first, typeId=both)
    offers = house.deployment.platform.service(Offers)
    with acting(house.practice.id):
        made = await asyncio.gather(
            *(
                offers.time_freed(house.practice.id, [who.member.id], at(monday(), hour), at(monday(), hour + 1))
                for who in (house.ada, house.ben)
                for hour in (9, 10, 11)
            )
        )
    assert (sorted(made), await waiting.states()) == ([0] * 5 + [1], {"open": 1})


@pytest.mark.rule("S7", "G9")
async def test_the_list_is_off_by_default_and_staff_puts_patients_on_it_once_it_is_on(
    waiting: List, fresh_database: Database
) -> None:
    house, (first, *_) = waiting.house, waiting.people
    patient = await house.deployment.patient(house.practice)
    await house.set(waitingList=False)
    for who, more in ((first, {}), (house.desk, {"patientId": str(patient.id)})):
        code = await house.deployment.code(WAIT, who.token, i=waiting.wish(**more), c=client())
        assert code == "SWITCHED_OFF"
    await house.set(waitingList=True)
    await settings_settled(fresh_database)
    given = {"i": waiting.wish(patientId=str(patient.id)), "c": client()}
    made = await ask(house, WAIT, house.desk, **given)
    assert (await ask(house, WAIT, house.desk, **given))["id"] == made["id"]
    other = given | {"i": waiting.wish(patientId=first.id)}
    assert await house.deployment.code(WAIT, house.desk.token, **other) == "CONFLICT"
    taken = await waiting.book(await house.deployment.patient(house.practice))
    await house.set(waitingList=False)
    await ask(house, CANCEL, house.desk, i=taken)
    with acting(house.practice.id):
        offers = house.deployment.platform.service(Offers)
        freed = (house.practice.id, [house.ada.member.id], at(monday(), 9), at(monday(), 10))
        assert await offers.time_freed(*freed) == 0
    await house.set(waitingList=True)

    async def offered() -> bool:
        return await waiting.states() == {"open": 1}

    await until(offered, "what became free meanwhile to be offered", 60)
    [entry] = (await ask(house, LIST, house.desk))["nodes"]
    assert (entry["patient"]["id"], entry["type"]["name"], entry["member"]) == (str(patient.id), "Visit", None)
    assert (await ask(house, ACCEPT, house.desk, i=entry["offer"]["id"]))["state"] == "BOOKED"


@pytest.mark.rule("S7")
@pytest.mark.promise("A1")
async def test_what_is_others_is_told_as_missing_and_stays_as_it_is(waiting: List) -> None:
    house, (first, second, _) = waiting.house, waiting.people
    taken = await waiting.book(await house.deployment.patient(house.practice))
    entry = await waiting.wait(first)
    await ask(house, CANCEL, house.desk, i=taken)
    offer = await waiting.offered(first)
    owner = await house.deployment.person(await house.deployment.practice("Elsewhere"), Role.OWNER)
    for who in (second, owner):
        for id in (entry, MISSING):
            assert await house.deployment.code(LEAVE, who.token, i=id) == "NOT_FOUND"
        for id in (offer["id"], MISSING):
            assert await house.deployment.code(ACCEPT, who.token, i=id) == "NOT_FOUND"
            assert await house.deployment.code(DECLINE, who.token, i=id) == "NOT_FOUND"
        assert (await ask(house, LIST, who))["nodes"] == []
    assert await house.deployment.code(LIST, second.token, p=first.id) == "NOT_FOUND"
    code = await house.deployment.code(WAIT, second.token, i=waiting.wish(patientId=first.id), c=client())
    assert code == "NOT_FOUND"
    closed = await house.type(house.ada, name="Closed", selfScheduling=False)
    staff = {"patientId": first.id}
    for who, more, said in (
        (first, {"typeId": MISSING}, "NOT_FOUND"),
        (first, {"typeId": closed}, "NOT_FOUND"),
        (first, {"memberId": house.ben.id}, "NOT_FOUND"),
        (first, {"until": text(at(monday() - timedelta(days=60), 9))}, "INVALID_INPUT"),
        (house.desk, {}, "INVALID_INPUT"),
        (house.desk, staff | {"typeId": closed}, "INVALID_INPUT"),
        (house.desk, {"patientId": MISSING}, "NOT_FOUND"),
    ):
        assert await house.deployment.code(WAIT, who.token, i=waiting.wish(**more), c=client()) == said, more
    seen = await waiting.entry(first)
    assert (seen["offer"]["id"], seen["outcome"], await waiting.states()) == (offer["id"], None, {"open": 1})
    assert len(await rows(house, "SELECT id FROM waiting_entry")) == 1


@pytest.mark.rule("S7")
async def test_a_patient_waits_for_ten_things_at_once_at_most(waiting: List) -> None:
    house, (first, *_) = waiting.house, waiting.people
    tries = [house.deployment.ask(WAIT, first.token, i=waiting.wish(), c=client()) for _ in range(12)]
    codes = [body["errors"][0]["extensions"]["code"] for body in await asyncio.gather(*tries) if "errors" in body]
    assert (codes, len(await rows(house, "SELECT id FROM waiting_entry"))) == (["CONFLICT"] * 2, 10)


@pytest.mark.rule("S7")
async def test_the_list_is_read_in_as_many_statements_however_long_it_is(fresh_database: Database) -> None:
    async with rota(fresh_database) as house:
        await house.set(waitingList=True, noticeMinutes=0)
        await house.week(house.ada, weekly(monday(), "09:00", "12:00"))
        await clock_at(house, 10)
        people = [await house.deployment.held(house.practice) for _ in range(4)]
        waiting = List(house, await house.type(house.ada), people)

        async def cost() -> int:
            with statements() as ran:
                await ask(house, LIST, house.desk)
            return len(ran)

        for who in people[:2]:
            await waiting.wait(who, memberId=house.ada.id)
        with acting(house.practice.id):
            offers = house.deployment.platform.service(Offers)
            made = await offers.time_freed(house.practice.id, [house.ada.member.id], at(monday(), 9), at(monday(), 11))
        assert made == 2
        await cost()
        few = await cost()
        for who in people[2:]:
            await waiting.wait(who, memberId=house.ada.id)
        with acting(house.practice.id):
            await offers.time_freed(house.practice.id, [house.ada.member.id], at(monday(), 11), at(monday(), 12))
        assert await cost() == few
        # What nobody answers in time is over, with no worker having been there in time.
        await pass_time(house, hours=2)
        assert [each["offer"] for each in (await ask(house, LIST, house.desk))["nodes"]] == [None] * 4
        await run(house, "end_offers")
        assert await waiting.states() == {"over": 3}
        held = await rows(house, "SELECT DISTINCT state FROM appointment")
        assert [row["state"] for row in held] == ["lapsed"]
