"""Who is told of what becomes of appointments, by whom it was done, and what is true no more (N3, N4)."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from plugins.scheduling.reception import Reception, soon
from plugins.scheduling.test_reminders import BOOKED, CANCELLED, CHANGED

from bedside_core.database import DB, acting, unit
from bedside_scheduling.telling import offer_over, offered

VIDEO, THERE = f"{BOOKED} takes place by video", f"{BOOKED} takes place at the practice"
PATIENT_BOOKED = "A patient has booked with you"
PATIENT_MOVED = "A patient has moved their appointment"
PATIENT_CANCELLED = "A patient has cancelled their appointment"


@pytest.fixture
def worker() -> bool:
    """What is due is sent."""
    return True


def on(desk: Reception, days: int) -> str:
    """Return a day as mails tell it."""
    day = soon(desk, days=days).astimezone(ZoneInfo(desk.practice.zone))
    return f"{day:%B} {day.day}, {day.year}"


@pytest.mark.rule("S7", "N3")
@pytest.mark.promise("S1")
async def test_a_patient_s_own_booking_is_confirmed_to_them_and_told_to_the_practitioner_once(desk: Reception) -> None:
    made = await desk.book(soon(desk, days=3), by=desk.pat.patient.id)
    await desk.change(made)  # of something that concerns nobody
    await desk.after_the_delay()
    assert (desk.subjects(desk.pat), desk.subjects(desk.ada), desk.subjects(desk.sam)) == (
        [BOOKED], [PATIENT_BOOKED], [],
    )  # fmt: skip
    assert (await desk.shown(desk.pat), await desk.shown(desk.ada)) == ([BOOKED], [PATIENT_BOOKED])
    await desk.move(made, soon(desk, days=4), by=desk.pat.patient.id)
    await desk.after_the_delay()
    assert desk.subjects(desk.pat) == [BOOKED, CHANGED]
    assert (desk.subjects(desk.ada), await desk.shown(desk.ada)) == (
        [PATIENT_BOOKED, PATIENT_MOVED], [PATIENT_MOVED],
    )  # fmt: skip
    await desk.cancel(made, by=desk.pat.patient.id)
    await desk.after_the_delay()
    assert desk.subjects(desk.pat) == [BOOKED, CHANGED, CANCELLED]
    assert await desk.shown(desk.pat) == [CANCELLED]
    assert (desk.subjects(desk.ada)[2:], await desk.shown(desk.ada)) == ([PATIENT_CANCELLED], [PATIENT_CANCELLED])
    for mail in (*desk.mails(desk.pat), *desk.mails(desk.ada)):
        assert f"https://clinic.example/scheduling/{made}" in mail.text
        assert not {desk.pat.patient.first_name, desk.pat.patient.last_name} & set(mail.text.split())
    assert [text.count("Bay View") for text in desk.texts(made)] == [1, 1, 1]


@pytest.mark.rule("S7", "S1", "N3")
async def test_what_the_practice_does_is_told_to_patients_alone(desk: Reception) -> None:
    made = await desk.book(soon(desk, days=3), members=[desk.ada, desk.ben])
    await desk.after_the_delay()
    await desk.convert(made, "telehealth")
    await desk.after_the_delay()
    await desk.convert(made, "in_person")
    await desk.after_the_delay()
    await desk.cancel(made, by=desk.ada.member.id)
    await desk.after_the_delay()
    assert desk.subjects(desk.pat) == [BOOKED, VIDEO, THERE, CANCELLED]
    assert (desk.subjects(desk.ada), desk.subjects(desk.ben)) == ([], [])


@pytest.mark.rule("N3")
@pytest.mark.promise("N3")
async def test_what_was_changed_before_it_was_told_is_told_as_it_is_by_now_and_what_is_off_not_at_all(
    desk: Reception,
) -> None:
    own = desk.pat.patient.id
    moved = await desk.book(soon(desk, days=3), by=own)
    await desk.move(moved, soon(desk, days=4), by=own)
    await desk.move(moved, soon(desk, days=5), by=own)
    off = await desk.book(soon(desk, days=3), patients=[desk.quin], members=[desk.ben], by=desk.quin.patient.id)
    await desk.cancel(off, by=desk.quin.patient.id)
    await desk.after_the_delay()
    told = [desk.subjects(each) for each in (desk.pat, desk.ada, desk.quin, desk.ben)]
    assert told == [[BOOKED], [PATIENT_BOOKED], [], []]
    assert on(desk, 5) in desk.mails(desk.pat)[0].text
    assert (await desk.shown(desk.quin), await desk.shown(desk.ben)) == ([], [])
    # Once it was told, what becomes of it is told.
    await desk.cancel(moved, by=own)
    await desk.after_the_delay()
    assert (desk.subjects(desk.pat), desk.subjects(desk.ada)) == (
        [BOOKED, CANCELLED],
        [PATIENT_BOOKED, PATIENT_CANCELLED],
    )


@pytest.mark.rule("N3", "S1")
async def test_that_it_is_by_video_is_not_lost_in_a_move_that_follows_before_it_was_told(desk: Reception) -> None:
    made = await desk.book(soon(desk, days=3))
    await desk.after_the_delay()
    await desk.convert(made, "telehealth")
    await desk.move(made, soon(desk, days=4))
    await desk.after_the_delay()
    assert desk.subjects(desk.pat) == [BOOKED, VIDEO]
    assert on(desk, 4) in desk.mails(desk.pat)[-1].text
    await desk.move(made, soon(desk, days=5))
    await desk.after_the_delay()
    assert desk.subjects(desk.pat) == [BOOKED, VIDEO, CHANGED]


@pytest.mark.rule("S7", "N3")
async def test_a_series_that_was_not_told_of_yet_is_told_of_by_what_is_left_of_it(desk: Reception) -> None:
    first = soon(desk, days=3)
    made, others = await desk.series(first, 4), await desk.series(first + timedelta(hours=2), 2)
    await desk.cancel(made[0])
    await desk.move(made[2], first + timedelta(weeks=2, hours=1))
    with acting(desk.practice.id, desk.sam.member.id):
        async with unit():
            for each in others:
                await desk.cancel(each)
    await desk.after_the_delay()
    [mail] = desk.mails(desk.pat)
    assert (mail.subject, str(made[1]) in mail.text) == (BOOKED, True)
    await desk.cancel(made[1])
    await desk.after_the_delay()
    assert desk.subjects(desk.pat) == [BOOKED, CANCELLED]


@pytest.mark.rule("S7", "N3")
async def test_a_series_is_told_of_once_by_its_first_appointment(desk: Reception) -> None:
    first = soon(desk, days=3)
    made = await desk.series(first, 5)
    await desk.after_the_delay()
    assert desk.subjects(desk.pat) == [BOOKED]
    assert str(made[0]) in desk.mails(desk.pat)[0].text
    with acting(desk.practice.id, desk.sam.member.id):
        async with unit():
            for each in made:
                await desk.cancel(each)
    await desk.after_the_delay()
    assert desk.subjects(desk.pat) == [BOOKED, CANCELLED]
    assert await desk.rows("SELECT appointment_id FROM appointment_reminder") == []


@pytest.mark.rule("S7", "N3")
async def test_in_a_group_each_is_told_of_their_own(desk: Reception) -> None:
    made = await desk.book(soon(desk, days=3))
    await desk.comes(made, desk.quin)
    await desk.after_the_delay()
    assert (desk.subjects(desk.pat), desk.subjects(desk.quin)) == ([BOOKED], [BOOKED])
    assert desk.subjects(desk.ada) == []  # the practice did so
    await desk.leaves(made, desk.quin, by=desk.quin.patient.id)
    await desk.after_the_delay()
    assert (desk.subjects(desk.pat), desk.subjects(desk.quin)) == ([BOOKED], [BOOKED, CANCELLED])
    assert desk.subjects(desk.ada) == [PATIENT_CANCELLED]
    assert len(await desk.planned(made)) == 1
    assert (await desk.shown(desk.pat), await desk.shown(desk.quin)) == ([BOOKED], [CANCELLED])
    third = await desk.deployment.held(desk.practice)
    await desk.comes(made, third, by=third.patient.id)
    await desk.after_the_delay()
    assert desk.subjects(desk.ada) == [PATIENT_CANCELLED, PATIENT_BOOKED]


@pytest.mark.rule("S4", "S7")
async def test_nobody_is_told_of_what_is_held_or_past_and_what_is_confirmed_is_a_booking(desk: Reception) -> None:
    held = await desk.book(
        soon(desk, days=3), by=desk.pat.patient.id, held_until=desk.now() + timedelta(minutes=10)
    )  # fmt: skip
    lapsed = await desk.book(
        soon(desk, days=4), by=desk.pat.patient.id, held_until=desk.now() + timedelta(minutes=10)
    )  # fmt: skip
    await desk.change(lapsed, "state = 'lapsed'")
    await desk.book(soon(desk, days=-1), patients=[desk.quin])
    done = await desk.book(soon(desk, hours=-1), patients=[desk.quin], members=[desk.ben])
    await desk.change(done, "state = 'completed'")
    await desk.after_the_delay()
    assert (desk.mail.mails, await desk.shown(desk.quin), await desk.planned(held)) == ([], [], {})
    await desk.change(held, "state = 'booked'", by=desk.pat.patient.id)
    await desk.after_the_delay()
    assert (desk.subjects(desk.pat), desk.subjects(desk.ada)) == ([BOOKED], [PATIENT_BOOKED])
    assert len(await desk.planned(held)) == 1


@pytest.mark.rule("S7")
async def test_another_practitioner_is_told_to_the_patient_and_to_both(desk: Reception) -> None:
    made = await desk.book(soon(desk, days=3))
    await desk.after_the_delay()
    with acting(desk.practice.id, desk.pat.patient.id):
        async with unit():
            await DB.execute("DELETE FROM appointment_member WHERE appointment_id = $1", made)
            await DB.execute("INSERT INTO calendar (member_id, practice_id) VALUES ($1, app_practice())", desk.ben.id)
            await DB.execute(
                "INSERT INTO appointment_member (appointment_id, member_id, practice_id) VALUES ($1, $2, $3)",
                made, desk.ben.member.id, desk.practice.id,
            )  # fmt: skip
            await desk.change(made, by=desk.pat.patient.id)
    await desk.after_the_delay()
    assert desk.subjects(desk.pat) == [BOOKED, CHANGED]
    assert (desk.subjects(desk.ada), desk.subjects(desk.ben)) == ([PATIENT_CANCELLED], [PATIENT_BOOKED])


@pytest.mark.rule("S7", "N8")
async def test_an_offer_is_told_at_once_in_the_patient_s_language_and_taken_back(desk: Reception) -> None:
    await desk.prefer(desk.pat, language="SPANISH")
    until_then = desk.now() + timedelta(minutes=60)
    for patient, day in ((desk.pat, 3), (desk.quin, 4)):
        made = await desk.book(
            soon(desk, days=day), patients=[patient], by=patient.patient.id, held_until=until_then
        )  # fmt: skip
        with acting(desk.practice.id):
            async with unit() as work:
                await offered(desk.deployment.platform, work, await desk.appointment(made), patient.patient.id)
    await desk.settled()
    assert desk.subjects(desk.pat) == ["Ha quedado libre una cita en Bay View"]
    assert await desk.shown(desk.quin) == ["An appointment at Bay View has become free"]
    with acting(desk.practice.id):
        async with unit() as work:
            await offer_over(desk.deployment.platform, work, await desk.appointment(made), desk.quin.patient.id)
    assert await desk.shown(desk.quin) == []
