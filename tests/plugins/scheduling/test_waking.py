"""Who waits is offered what settings, terms and types open to them, and what the portal lets them have (S7, S9)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from plugins.scheduling.groupwork import ACCEPT, BOOK, CANCEL, DECLINE, ask, client, run, wanted
from plugins.scheduling.rota import ARCHIVE, CHANGE, HOST, at, monday, text, weekly
from plugins.scheduling.waiters import List

from bedside_core.database import acting, unit
from bedside_core.events import Event
from bedside_core.testing import until
from bedside_scheduling.api import TimeFreed
from bedside_scheduling.waking import wake

DEACTIVATE = "mutation($m: ID!) { deactivateMember(memberId: $m) { active } }"
SUSPEND = "mutation($p: ID!) { suspendPortalAccount(patientId: $p) { state } }"
REINSTATE = "mutation($p: ID!) { reinstatePortalAccount(patientId: $p) { state } }"
TERMS = "mutation($m: ID!, $p: BookingTermsPatch!) { setBookingTerms(memberId: $m, patch: $p) { noticeMinutes } }"
RELEASE = "mutation($i: ID!) { releaseSlot(id: $i) { state } }"
MONTH = 30 * 24 * 60
"""Of notice, in minutes: what opens on Monday in two or three weeks is not open yet."""
ON_MONDAY = {"from": text(at(monday(), 0))}


@pytest.mark.rule("S7", "S9")
async def test_who_is_suspended_is_offered_nothing_until_they_are_let_in_again(waiting: List) -> None:
    house, (first, second, third) = waiting.house, waiting.people
    nine = await waiting.book(await house.deployment.patient(house.practice))
    ten = await waiting.book(await house.deployment.patient(house.practice), hour=10)
    for who in (first, second):
        await waiting.wait(who, **ON_MONDAY)
    await ask(house, CANCEL, house.desk, i=nine)
    taken_back = await waiting.offered(first)
    # What one is offered goes to the next one at once, and so does what becomes free meanwhile.
    await ask(house, SUSPEND, house.desk, p=first.id)
    offer = await waiting.offered(second)
    assert offer["appointment"]["startsAt"] == text(at(monday(), 9))
    assert await house.deployment.code(ACCEPT, house.desk.token, i=taken_back["id"]) == "HOLD_OVER"
    await waiting.wait(third, **ON_MONDAY)
    await ask(house, CANCEL, house.desk, i=ten)
    assert (await waiting.offered(third))["appointment"]["startsAt"] == text(at(monday(), 10))
    await ask(house, DECLINE, second, i=offer["id"])
    assert (await waiting.entry(first, house.desk))["offer"] is None
    # What was taken back can be theirs again.
    await ask(house, REINSTATE, house.desk, p=first.id)
    assert (await waiting.offered(first, house.desk))["appointment"]["startsAt"] == text(at(monday(), 9))


@pytest.mark.rule("S7", "S9")
async def test_a_place_of_a_group_is_not_offered_to_who_is_suspended(waiting: List) -> None:
    house, (first, second, _) = waiting.house, waiting.people
    course = await house.type(house.ada, name="Course", capacity=2)
    for who in (first, second):
        await waiting.wait(who, typeId=course)
    await ask(house, SUSPEND, house.desk, p=first.id)
    patient = await house.deployment.patient(house.practice)
    given = wanted(monday(), 9, house.ada, patients=[patient], typeId=course)
    group = (await ask(house, BOOK, house.desk, i=given, c=client()))["appointment"]["id"]
    await run(house, "end_offers")
    assert (await waiting.entry(second))["offer"]["appointmentId"] == group
    assert (await waiting.entry(first, house.desk))["offer"] is None
    await ask(house, SUSPEND, house.desk, p=second.id)
    await ask(house, REINSTATE, house.desk, p=first.id)

    async def gone_on() -> bool:
        await run(house, "end_offers")
        return (await waiting.entry(first, house.desk))["offer"] is not None

    await until(gone_on, "the place of who is suspended", 60)
    assert (await waiting.entry(second, house.desk))["offer"] is None
    await ask(house, REINSTATE, house.desk, p=second.id)


@pytest.mark.rule("S4", "S7")
async def test_what_other_settings_open_is_offered_to_who_waits(waiting: List) -> None:
    house = waiting.house
    steps = (
        ({"noticeMinutes": MONTH}, {"noticeMinutes": 0}, 9),
        ({"horizonDays": 1}, {"horizonDays": 60}, 10),
        ({"slotStepMinutes": 240}, {"slotStepMinutes": 60}, 11),
    )
    for who, (before, after, hour) in zip(waiting.people, steps, strict=True):
        await house.set(**before)
        await waiting.wait(who, **ON_MONDAY)
        assert (await waiting.entry(who))["offer"] is None
        await house.set(**after)
        assert (await waiting.offered(who))["appointment"]["startsAt"] == text(at(monday(), hour)), after


@pytest.mark.rule("S7")
async def test_what_was_freed_while_there_was_no_list_is_offered_once_there_is(waiting: List) -> None:
    house, (first, *_) = waiting.house, waiting.people
    await waiting.wait(first, **ON_MONDAY)
    await house.set(waitingList=False)
    await house.set(waitingList=True)
    assert (await waiting.offered(first))["appointment"]["startsAt"] == text(at(monday(), 9))


@pytest.mark.rule("S3", "S4", "S7")
async def test_what_other_terms_and_types_open_is_offered_to_who_waits(waiting: List) -> None:
    house, (first, second, third) = waiting.house, waiting.people
    await ask(house, TERMS, house.desk, m=house.ada.id, p={"noticeMinutes": MONTH})
    await waiting.wait(first, **ON_MONDAY)
    await ask(house, TERMS, house.desk, m=house.ada.id, p={"noticeMinutes": 0})
    assert (await waiting.offered(first))["appointment"]["startsAt"] == text(at(monday(), 9))
    bens = await house.type(house.ben, name="With Ben")
    await waiting.wait(second, typeId=bens, **ON_MONDAY)
    await ask(house, CHANGE, house.olga, t=bens, p={"memberIds": [house.ada.id]})
    assert (await waiting.offered(second))["appointment"]["memberIds"] == [house.ada.id]
    course = await house.type(house.ada, name="Course", capacity=4)
    await waiting.wait(third, typeId=course, **ON_MONDAY)
    await ask(house, CHANGE, house.olga, t=course, p={"selfScheduling": False, "capacity": 1})
    await ask(house, ARCHIVE, house.olga, t=course, a=True)
    await ask(house, CHANGE, house.olga, t=course, p={"selfScheduling": True})
    assert await waiting.states() == {"open": 2}
    await ask(house, ARCHIVE, house.olga, t=course, a=False)
    assert (await waiting.offered(third))["appointment"]["startsAt"] == text(at(monday(), 11))


@pytest.mark.rule("S7")
async def test_an_offer_ends_with_the_time_that_is_let_go_and_the_next_one_gets_it(waiting: List) -> None:
    house, people = waiting.house, waiting.people
    taken = await waiting.book(await house.deployment.patient(house.practice))
    for who in people:
        await waiting.wait(who, **ON_MONDAY)
    await ask(house, CANCEL, house.desk, i=taken)
    for number, (who, by) in enumerate(zip(people, (people[0], house.desk, house.ada), strict=True), 1):
        offer = await waiting.offered(who)
        assert await house.deployment.code(RELEASE, people[number - 2].token, i=offer["appointmentId"]) == "NOT_FOUND"
        assert await ask(house, RELEASE, by, i=offer["appointmentId"]) == {"state": "LAPSED"}
        # At once, and not with the minute.
        assert (await waiting.entry(who))["offer"] is None
        ended = (await waiting.states())["declined"]
        assert (ended, await house.deployment.code(ACCEPT, who.token, i=offer["id"])) == (number, "HOLD_OVER")
    assert await waiting.states() == {"declined": 3}


@pytest.mark.rule("S3", "S7", "T1")
async def test_what_a_member_offers_by_video_is_offered_once_they_may_host_it(waiting: List) -> None:
    house, (first, *_) = waiting.house, waiting.people
    await house.deployment.data(HOST, house.olga.token, m=house.ada.id, e=True)
    await house.week(house.ada, weekly(monday(), "09:00", "12:00", mode="TELEHEALTH"))
    await house.deployment.data(HOST, house.olga.token, m=house.ada.id, e=False)
    await waiting.wait(first, **ON_MONDAY)
    assert (await waiting.entry(first))["offer"] is None
    await house.deployment.data(HOST, house.olga.token, m=house.ada.id, e=True)
    assert (await waiting.offered(first))["appointment"]["startsAt"] == text(at(monday(), 9))


@pytest.mark.rule("S1", "S7")
async def test_of_each_who_is_active_as_much_is_looked_at_as_patients_book_by_default(waiting: List) -> None:
    house, (first, *_) = waiting.house, waiting.people
    both = await house.type(house.ada, house.ben, name="With either")
    begins = at(monday(), 0)
    given = {"from": text(begins), "until": text(begins + timedelta(days=300))}
    await waiting.wait(first, typeId=both, **given)
    await ask(house, DEACTIVATE, house.olga, m=house.ben.id)
    emitted: list[Event] = []
    with acting(house.practice.id):
        async with unit() as work:
            work.emit = emitted.append  # type: ignore[method-assign]
            await wake(house.deployment.platform, work, house.practice.id)
    freed = [each for each in emitted if isinstance(each, TimeFreed)]
    assert {each.member_ids for each in freed} == {(house.ada.member.id,)}
    assert (len(freed), freed[0].starts_at, freed[-1].ends_at) == (9, begins, begins + timedelta(days=62))
