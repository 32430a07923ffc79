"""Reminders of appointments: when they come, once, and that nothing of what is no more is ever sent (N7)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from plugins.scheduling.reception import Reception, reception, soon

from bedside_core.auth import Role
from bedside_core.database import DB, acting, unit
from bedside_core.notify import Notify
from bedside_core.testing import Database, statements, until
from bedside_scheduling.consequences import changed
from bedside_scheduling.notices import NOTIFICATIONS

HOURS = "mutation($p: SchedulingSettingsPatch!) { updateSchedulingSettings(patch: $p) { reminderHours } }"
BOOKED, CHANGED, CANCELLED, REMINDER, VIDEO = (
    f"{before}{{practice}}{after}".format(practice="Bay View")
    for before, after in (
        ("Your appointment at ", ""),
        ("Your appointment at ", " has changed"),
        ("Your appointment at ", " is cancelled"),
        ("Reminder: your appointment at ", ""),
        ("Your video appointment at ", " begins soon"),
    )
)


@pytest.fixture
def worker() -> bool:
    """What is due is sent."""
    return True


def reminders(desk: Reception) -> list[str]:
    return [each for each in desk.subjects(desk.pat) if each in {REMINDER, VIDEO}]


@pytest.mark.rule("N7", "N4", "N6")
@pytest.mark.promise("S2")
async def test_the_standard_reminder_comes_a_day_before_once_and_in_quiet_hours_too(desk: Reception) -> None:
    start = soon(desk, days=3)
    await desk.prefer(desk.pat, zone="UTC", quietFrom="00:00", quietUntil="23:59")
    made = await desk.book(start)
    assert await desk.planned(made) == {("standard", desk.pat.id): start - timedelta(hours=24)}
    await desk.at(start - timedelta(hours=24, minutes=1))
    assert reminders(desk) == []
    await desk.at(start - timedelta(hours=23, minutes=59))
    assert (reminders(desk), len(desk.texts(made))) == ([REMINDER], 2)  # the first text confirmed the booking
    await desk.at(start - timedelta(hours=26))  # the clock steps back
    await desk.change(made)
    await desk.at(start - timedelta(hours=23))
    await desk.at(start - timedelta(minutes=1))
    assert (reminders(desk), len(desk.texts(made))) == ([REMINDER], 2)
    [mail] = [mail for mail in desk.mails(desk.pat) if mail.subject == REMINDER]
    assert f"https://clinic.example/scheduling/{made}" in mail.text
    for said in (mail.text, *desk.texts(made)):
        assert not {desk.pat.patient.last_name, desk.ada.member.name} & set(said.split())


@pytest.mark.rule("N7", "N6")
async def test_telehealth_is_reminded_of_half_an_hour_before_by_text_and_mail_once(desk: Reception) -> None:
    start = soon(desk, hours=30)
    made = await desk.book(start, telehealth=True, patients=[desk.pat, desk.quin])
    assert len(await desk.planned(made)) == 4
    await desk.at(start - timedelta(minutes=31))
    assert (reminders(desk), len(desk.texts(made))) == ([REMINDER], 4)
    await desk.at(start - timedelta(minutes=29))
    assert (reminders(desk), len(desk.texts(made))) == ([REMINDER, VIDEO], 6)
    assert desk.subjects(desk.quin).count(VIDEO) == 1
    await desk.change(made, "arrived_at = $2", desk.now())
    await desk.at(start - timedelta(minutes=14))
    assert (reminders(desk), len(desk.texts(made))) == ([REMINDER, VIDEO], 6)


@pytest.mark.rule("N7")
@pytest.mark.parametrize("how", ["converted", "booked"])
async def test_what_is_telehealth_later_than_that_is_reminded_of_at_once_by_the_worker(
    desk: Reception, how: str
) -> None:
    start = soon(desk, minutes=20)
    made = await desk.book(start, telehealth=how == "booked")
    if how == "converted":
        assert await desk.planned(made) == {}  # a booking so late is told of by its confirmation alone
        await desk.convert(made, "telehealth")
    await until(lambda: reminders(desk) == [VIDEO], "the reminder", 60)
    await desk.at(start - timedelta(minutes=1))
    assert reminders(desk) == [VIDEO]


@pytest.mark.rule("N7")
@pytest.mark.promise("N3")
@pytest.mark.parametrize("what", ["moved", "cancelled", "converted", "left"])
async def test_a_change_takes_back_what_is_in_the_outbox_and_not_sent(desk: Reception, what: str) -> None:
    start = soon(desk, hours=26)
    made = await desk.book(start, telehealth=True)
    await desk.after_the_delay()
    desk.mail.answer = lambda _: "451 4.3.0 try again"
    await desk.at(start - timedelta(minutes=29))

    async def tried() -> bool:
        waiting = "SELECT FROM notification_delivery WHERE state = 'waiting' AND attempts > 0 AND channel = 'email'"
        return len(await desk.rows(waiting)) == 2

    await until(tried, "attempts at both reminders", 60)
    later = start + timedelta(days=2)
    match what:
        case "moved":
            await desk.move(made, later)
            assert set((await desk.planned(made)).values()) == {
                later - timedelta(hours=24), later - timedelta(minutes=30)
            }  # fmt: skip
        case "cancelled":
            await desk.cancel(made)
        case "converted":
            await desk.convert(made, "in_person")
        case _:
            await desk.leaves(made, desk.pat)
    assert what == "moved" or await desk.planned(made) == {}
    desk.mail.answer = lambda _: None
    await desk.pass_time(minutes=20)
    await desk.settled()
    still = [REMINDER] if what == "converted" else []  # that of the day before is as true as it was
    assert reminders(desk) == still
    if what == "moved":
        await desk.at(later - timedelta(hours=23))
        assert reminders(desk) == [REMINDER]


@pytest.mark.rule("N7")
@pytest.mark.promise("N3")
async def test_a_reminder_of_an_older_version_is_never_sent(desk: Reception) -> None:
    start = soon(desk, days=3)
    made = await desk.book(start)
    with acting(desk.practice.id):  # past all that follows from a change
        await DB.execute("UPDATE appointment SET version = version + 1 WHERE id = $1", made)
    await desk.at(start - timedelta(hours=1))
    assert reminders(desk) == []
    assert await desk.planned(made) == {}


@pytest.mark.rule("N7", "N5")
async def test_what_no_server_took_until_the_start_is_not_sent_after_it(desk: Reception) -> None:
    start = soon(desk, hours=30)
    await desk.book(start)
    await desk.after_the_delay()
    desk.mail.answer = lambda _: "451 4.3.0 try again"
    await desk.at(start - timedelta(hours=23))
    assert REMINDER in await desk.shown(desk.pat)
    await desk.at(start + timedelta(minutes=1))
    desk.mail.answer = lambda _: None
    await desk.pass_time(hours=1)
    await desk.settled()
    assert reminders(desk) == []
    assert REMINDER not in await desk.shown(desk.pat)


@pytest.mark.rule("N7")
async def test_a_practice_that_wants_reminders_at_another_time_has_them_then_and_once(desk: Reception) -> None:
    owner = await desk.deployment.person(desk.practice, name="Olga", role=Role.OWNER)
    start = soon(desk, hours=60)
    made, near = await desk.book(start), await desk.book(soon(desk, hours=10), patients=[desk.quin])
    assert await desk.planned(near) == {}
    await desk.deployment.data(HOURS, owner.token, p={"reminderHours": 6})

    async def replanned() -> bool:
        return [*(await desk.planned(made)).values(), *(await desk.planned(near)).values()] == [
            start - timedelta(hours=6), soon(desk, hours=4),
        ]  # fmt: skip

    await until(replanned, "the reminders' new times", 60)
    await desk.at(start - timedelta(hours=5))
    assert reminders(desk) == [REMINDER]
    await desk.deployment.data(HOURS, owner.token, p={"reminderHours": 5})
    await desk.at(start - timedelta(hours=4))
    assert reminders(desk) == [REMINDER]


@pytest.mark.rule("N7", "N6")
async def test_patients_are_reminded_as_they_have_chosen_and_without_an_account_too(desk: Reception) -> None:
    start = soon(desk, days=3)
    await desk.prefer(desk.pat, switchedOff=["SMS"], language="SPANISH")
    stranger = await desk.deployment.patient(desk.practice, name="Nora")
    made = await desk.book(start)
    other = await desk.book(start + timedelta(hours=1), patients=[])
    with acting(desk.practice.id):
        await DB.execute(
            """INSERT INTO appointment_patient (appointment_id, patient_id, practice_id, added_at)
            VALUES ($1, $2, app_practice(), now())""",
            other, stranger.id,
        )  # fmt: skip
    await desk.change(other)
    await desk.at(start - timedelta(hours=22))
    assert desk.subjects(desk.pat)[-1] == "Recordatorio: su cita en Bay View"
    assert desk.texts(made) == []
    assert [mail.subject for mail in desk.mail.to(str(stranger.email))].count(REMINDER) == 1
    assert len(desk.texts(other)) == 2


@pytest.mark.rule("N7", "S11")
async def test_who_has_chosen_calls_is_called_and_guardians_are_reminded_too(desk: Reception) -> None:
    mother = await desk.deployment.held(desk.practice, desk.pat.patient, relationship="mother")
    await desk.prefer(desk.pat, calls=True)
    start = soon(desk, hours=10)
    made = await desk.book(start, telehealth=True, patients=[desk.pat, desk.quin])
    await desk.at(start - timedelta(minutes=29))
    assert [mail.subject for mail in desk.mail.to(mother.email)].count(VIDEO) == 1
    assert reminders(desk) == [VIDEO]
    calls = desk.texts(made, "Calls")
    assert len(calls) == 1  # and quin, who has not chosen them, is not called
    assert calls[0].startswith("This is a call from Bay View. Your video appointment begins on ")
    await desk.at(start - timedelta(minutes=1))
    assert len(desk.texts(made, "Calls")) == 1


@pytest.mark.rule("N7", "N5")
@pytest.mark.promise("N2")
async def test_a_process_that_ends_within_a_reminder_has_reminded_nobody_and_the_next_one_does(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with reception(fresh_database, worker=False) as desk:
        start = soon(desk, days=3)
        made = await desk.book(start)
        await desk.pass_time(days=2, hours=1)

        async def dies(*_: object, **__: object) -> int:
            raise KeyboardInterrupt

        with monkeypatch.context() as broken:
            broken.setattr(Notify, "send_all", dies)
            with pytest.raises(KeyboardInterrupt):
                await desk.remind()
        assert len(await desk.planned(made)) == 1
        await desk.remind()
        await desk.remind()
        assert await desk.planned(made) == {}
        kinds = await desk.rows("SELECT kind FROM notification WHERE kind = 'scheduling.reminder'")
        assert kinds == [("scheduling.reminder",)]


@pytest.mark.rule("N7")
async def test_what_follows_from_a_change_takes_as_many_statements_for_a_series_as_for_one(
    fresh_database: Database,
) -> None:
    async with reception(fresh_database, worker=False) as desk:

        async def counted(number: int) -> int:
            made = await desk.series(soon(desk, days=3, hours=number), number)
            with acting(desk.practice.id, desk.sam.member.id):
                async with unit() as work:
                    with statements() as seen:
                        for each in made:
                            changed(desk.deployment.platform, work, each)
                        await work.finish()
            return len(seen)

        assert await counted(2) == await counted(12)


@pytest.mark.rule("N8", "N4")
def test_no_kind_can_tell_more_than_when_and_where() -> None:
    assert {frozenset(kind.facts) for kind in NOTIFICATIONS} == {frozenset({"time", "link"})}
