"""Confirmations bring a calendar file: as things stand when it is sent, changed and taken back as calendars know it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from email.message import EmailMessage
from typing import Any, cast
from uuid import UUID

import pytest
import pytest_asyncio
from core_stage import plugin
from deployment import Held
from icalendar import Calendar
from notify_stage import PUBLIC_URL, settled, until
from plugins.scheduling.diary import Diary, diary, soon, weeks_before_change
from plugins.scheduling.readers import Occurrence, by_icalendar, by_icaljs, check_lines, components, values
from smtp_stage import SENDER, Mail, MailServer, mail_server

from bedside_core.config import FIRST_PARTY
from bedside_core.database import DB, acting, unit
from bedside_core.manifest import Manifest
from bedside_core.notify import CalendarAttachments, CalendarFile, Channel, Language, NotificationKind, Part, Recipient
from bedside_core.plugins import installed
from bedside_core.testing import Database

BOOK_SERIES = """mutation($i: AppointmentInput!, $r: String!, $c: String!) {
    bookSeries(input: $i, rule: $r, clientId: $c) { id appointments { id startsAt } } }"""
MOVE_ONE = "mutation($a: ID!, $s: DateTime!) { moveAppointment(id: $a, startsAt: $s) { appointment { id } } }"
MOVE_REST = "mutation($i: ID!, $f: DateTime!, $t: String!) { moveSeries(id: $i, from: $f, time: $t) { id rule } }"
TYPE = """mutation($i: AppointmentTypeInput!) { createAppointmentType(input: $i, clientId: "group") { id } }"""
BOOK_ONE = """mutation($i: AppointmentInput!) {
    bookAppointment(input: $i, clientId: "one") { appointment { id } } }"""
CONVERT = "mutation($a: ID!) { convertAppointment(id: $a, kind: TELEHEALTH) { appointment { id } } }"
HOST = "mutation($m: ID!) { setVideoHost(memberId: $m, enabled: true) { id } }"
ADD = "mutation($i: ID!, $p: ID!) { addToAppointment(id: $i, patientId: $p) { sequence } }"
TAKE_OFF = "mutation($i: ID!, $p: ID!) { removeFromAppointment(id: $i, patientId: $p) { sequence } }"
CANCEL_REST = "mutation($i: ID!, $f: DateTime!) { cancelSeries(id: $i, from: $f) { endedAt } }"

CONFIRMED = NotificationKind(
    key="slip.confirmed",
    doc="An appointment awaits.",
    facts=(),
    channels=(Channel.IN_APP, Channel.EMAIL),
    urgent=True,
    calendar=True,
    texts={
        language: dict.fromkeys((Part.SUBJECT, Part.BODY, Part.IN_APP), "An appointment awaits.")
        for language in Language
    },
)
SLIP = plugin("slip", Manifest(name="slip", title="Slip", api=">=1.0,<2", notifications=(CONFIRMED,)))


class Desk:
    """A diary whose people are sent confirmations."""

    def __init__(self, here: Diary, mail: MailServer) -> None:
        self.here = here
        self.mail = mail

    async def confirm(self, key: UUID, to: Recipient | None = None) -> None:
        """Confirm an appointment or a series, as `notices.py` does, and wait until that is sent."""
        before = len(self.mail.mails)
        await self.put(key, to)
        await until(lambda: len(self.mail.mails) > before, "the mail")
        await settled(self.here.deployment, self.here.practice)
        assert len(self.mail.mails) == before + 1

    async def put(self, key: UUID, to: Recipient | None = None) -> None:
        notify = self.here.deployment.platform.notify
        recipient = to or Recipient.patient(self.here.pat.patient.id, self.here.practice.id)
        with acting(self.here.practice.id):
            async with unit() as work:
                await notify.send(work, CONFIRMED.key, to=recipient, key=str(key))

    @property
    def file(self) -> str:
        """The calendar file of the newest mail."""
        return parts(self.mail.mails[-1].message)[0]

    def of(self, patient: Held) -> Recipient:
        return Recipient.patient(patient.patient.id, self.here.practice.id)


def parts(message: EmailMessage) -> tuple[str, EmailMessage]:
    """Return the calendar file that a mail offers, and the attachment with the same one."""
    assert message.get_content_type() == "multipart/mixed"
    alternatives, attached = cast("list[EmailMessage]", list(message.iter_parts()))
    assert alternatives.get_content_type() == "multipart/alternative"
    plain, html, calendar = cast("list[EmailMessage]", list(alternatives.iter_parts()))
    assert [each.get_content_type() for each in (plain, html, calendar)] == ["text/plain", "text/html", "text/calendar"]
    assert (attached.get_content_type(), attached.get_filename()) == ("application/ics", "appointment.ics")
    assert attached.get_content_disposition() == "attachment"
    text = attached.get_content().decode()
    check_lines(text)
    assert calendar.get_content().replace("\r\n", "\n") == text.replace("\r\n", "\n")
    assert [calendar.get_param("method"), calendar.get_param("charset")] == [values(text, "METHOD")[0], "utf-8"]
    return text, attached


@asynccontextmanager
async def desk_of(database: Database, **config: Any) -> AsyncGenerator[Desk]:
    async with mail_server() as mail:
        given = {
            "plugins": (*FIRST_PARTY, "slip"),
            "sources": {**installed(), "slip": SLIP},
            "worker": True,
            "smtp_url": mail.url,
            "mail_sender": SENDER,
            "public_url": PUBLIC_URL,
            "notify_seconds": 8.0,
            **config,
        }
        async with diary(database, **given) as here:
            yield Desk(here, mail)


@pytest_asyncio.fixture
async def desk(fresh_database: Database) -> AsyncGenerator[Desk]:
    async with desk_of(fresh_database) as made:
        yield made


@pytest.mark.rule("N4", "S8")
async def test_an_appointment_is_put_into_a_calendar_moved_there_and_taken_out_of_it(desk: Desk) -> None:
    here = desk.here
    made = await here.book(soon())
    for sequence, method, change in (
        (0, "REQUEST", None),
        (1, "REQUEST", here.move(made, timedelta(hours=2))),
        (2, "CANCEL", here.cancel(made)),
    ):
        if change is not None:
            await change
        await desk.confirm(made)
        calendar = Calendar.from_ical(desk.file)
        [event] = calendar.walk("VEVENT")
        assert (str(calendar["METHOD"]), event["SEQUENCE"], str(event["UID"])) == (method, sequence, str(made))
        assert str(event["STATUS"]) == ("CANCELLED" if method == "CANCEL" else "CONFIRMED")
        assert str(event["ORGANIZER"]) == "mailto:no-reply@clinic.example"  # as `From`, which Outlook compares
        assert event["ORGANIZER"].params["CN"] == "Bay View"
        assert str(event["ATTENDEE"]) == f"mailto:{here.pat.patient.email}"
        assert (event["ATTENDEE"].params["PARTSTAT"], event["ATTENDEE"].params["RSVP"]) == ("ACCEPTED", "FALSE")
        assert str(event["SUMMARY"]) == "Appointment at Bay View"
        assert str(event["URL"]) == f"{PUBLIC_URL}/scheduling/{made}"
        [now] = await here.of([made])
        assert by_icalendar(desk.file) == by_icaljs(desk.file) == [Occurrence(str(made), now.starts_at, now.ends_at)]
        assert [word for word in ("Pat", "Reed", "Ada", "Moss") if word in desk.file] == []


@pytest.mark.rule("N5", "S8")
async def test_what_is_tried_again_later_tells_how_things_stand_then_and_comes_once(desk: Desk) -> None:
    made = await desk.here.book(soon())
    asked = asyncio.Event()

    def away(to: str) -> str:
        asked.set()
        return "451 4.3.0 try later"

    desk.mail.answer = away
    await desk.put(made)
    await asyncio.wait_for(asked.wait(), 60)
    await desk.here.move(made, timedelta(days=1))
    desk.mail.answer = lambda _: None

    def confirmations() -> list[Mail]:  # the plugin itself tells of the move, too
        return [each for each in desk.mail.mails if each.subject == "An appointment awaits."]

    async def arrived() -> bool:
        await desk.here.deployment.platform.clock.move(timedelta(seconds=20))
        return bool(confirmations())

    await until(arrived, "the mail")
    await settled(desk.here.deployment, desk.here.practice)
    [mail] = confirmations()
    text, _ = parts(mail.message)
    [now] = await desk.here.of([made])
    assert values(text, "SEQUENCE") == ["1"]
    assert by_icalendar(text) == [Occurrence(str(made), now.starts_at, now.ends_at)]


@pytest.mark.rule("N5", "S8")
@pytest.mark.parametrize("failures", [2, 99])
async def test_a_confirmation_comes_though_its_file_can_not_be_made(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    made = await desk.here.book(soon())
    await settled(desk.here.deployment, desk.here.practice)
    asked: list[str] = []
    files = desk.here.deployment.platform.service(CalendarAttachments)
    right = files.calendar

    async def broken(to: Recipient, key: str, *, address: str, language: Language) -> CalendarFile | None:
        asked.append(key)
        if len(asked) <= failures:
            raise ValueError("no such zone")
        return await right(to, key, address=address, language=language)

    monkeypatch.setattr(files, "calendar", broken)
    desk.mail.mails.clear()
    await desk.put(made)

    async def arrived() -> bool:
        await desk.here.deployment.platform.clock.move(timedelta(seconds=10))
        return any(each.subject == "An appointment awaits." for each in desk.mail.mails)

    await until(arrived, "the mail")
    await settled(desk.here.deployment, desk.here.practice)
    [mail] = [each for each in desk.mail.mails if each.subject == "An appointment awaits."]
    assert asked.count(str(made)) >= 3
    assert mail.message.get_content_type() == ("multipart/alternative" if failures == 99 else "multipart/mixed")


@pytest.mark.rule("S7", "S8")
async def test_a_series_is_one_event_in_a_mail_and_one_of_it_is_told_by_when_it_was_to_be(desk: Desk) -> None:
    here = desk.here
    series_id, made = await here.series("FREQ=WEEKLY;COUNT=6", weeks_before_change())
    await desk.confirm(series_id)
    first = desk.file
    assert values(first, "METHOD") == ["REQUEST"]
    assert set(values(first, "UID")) == {str(series_id)}
    assert by_icalendar(first) == by_icaljs(first) == sorted(
        Occurrence(str(series_id), each.starts_at, each.ends_at) for each in await here.of(made)
    )  # fmt: skip
    await here.move(made[3], timedelta(hours=1))
    await here.cancel(made[2])
    await desk.confirm(series_id)
    assert by_icalendar(desk.file) == by_icaljs(desk.file) == sorted(
        Occurrence(str(series_id), each.starts_at, each.ends_at) for each in await here.of([*made[:2], *made[3:]])
    )  # fmt: skip
    assert set(values(desk.file, "SEQUENCE")) == {"2"}

    await desk.confirm(made[2])
    [event] = components(desk.file, "VEVENT")
    [cancelled] = await here.of([made[2]])
    assert (values(desk.file, "METHOD"), str(event["UID"])) == (["CANCEL"], str(series_id))
    assert event["RECURRENCE-ID"].dt == cancelled.occurrence_at
    assert "RRULE" not in event

    for each in (*made[:2], *made[3:]):
        await here.cancel(each)
    await desk.confirm(series_id)
    [event] = components(desk.file, "VEVENT")
    assert (values(desk.file, "METHOD"), str(event["UID"]), event["SEQUENCE"]) == (["CANCEL"], str(series_id), 7)
    assert "RECURRENCE-ID" not in event


@pytest.mark.rule("N4", "S8")
async def test_who_comes_no_more_to_a_group_has_it_taken_out_and_nobody_learns_of_the_others(desk: Desk) -> None:
    here = desk.here
    other = await here.deployment.held(here.practice)
    stranger = await here.deployment.held(here.practice)
    made = await here.book(soon(), here.pat, other)
    with acting(here.practice.id):
        await DB.execute("UPDATE appointment_patient SET cancelled_at = now() WHERE patient_id = $1", other.patient.id)
    for who, method in ((here.pat, "REQUEST"), (other, "CANCEL")):
        await desk.confirm(made, desk.of(who))
        assert values(desk.file, "METHOD") == [method]
        assert [each.partition("mailto:")[2] for each in values(desk.file, "ATTENDEE")] == [who.patient.email]
    await desk.confirm(made, Recipient.member(here.ada.member.id, here.practice.id))
    assert (values(desk.file, "METHOD"), len(values(desk.file, "ATTENDEE"))) == (["REQUEST"], 1)
    assert here.pat.patient.email is not None
    assert here.pat.patient.email not in desk.file
    await desk.confirm(made, desk.of(stranger))
    assert desk.mail.mails[-1].message.get_content_type() == "multipart/alternative"  # no file of what is not theirs


@pytest.mark.rule("S8")
async def test_what_is_only_held_or_is_over_comes_without_a_file(desk: Desk) -> None:
    now = soon()
    held = await desk.here.book(now, held_until=now)
    over = await desk.here.book(now + timedelta(hours=1))
    with acting(desk.here.practice.id):
        await DB.execute("UPDATE appointment SET state = 'completed' WHERE id = $1", over)
    for each in (held, over):
        await desk.confirm(each)
        assert desk.mail.mails[-1].message.get_content_type() == "multipart/alternative"


@pytest.mark.rule("G8", "S8")
async def test_the_demo_s_outbox_shows_the_file_that_would_have_gone(fresh_database: Database) -> None:
    async with desk_of(fresh_database, demo=True) as desk:
        made = await desk.here.book(soon())
        await desk.put(made)
        http = desk.here.deployment.http

        async def kept() -> list[dict[str, Any]]:
            return [each for each in (await http.get("/demo/outbox.json")).json() if each["channel"] == "email"]

        async def there() -> bool:
            return bool(await kept())

        await until(there, "the letter")
        [letter] = await kept()
        assert values(letter["calendar"], "UID") == [str(made)]
        page = await http.get("/demo/outbox")
        assert f"UID:{made}" in page.text
        assert "<summary>appointment.ics</summary>" in page.text
        assert desk.mail.mails == []


def test_a_kind_with_a_calendar_file_goes_by_mail_and_has_a_key() -> None:
    with pytest.raises(ValueError, match="a calendar file goes by mail"):
        NotificationKind(
            key="slip.other",
            doc="x",
            facts=(),
            channels=(Channel.IN_APP,),
            calendar=True,
            texts={language: {Part.SUBJECT: "x", Part.IN_APP: "x"} for language in Language},
        )


@pytest.mark.rule("S8")
async def test_a_kind_with_a_calendar_file_is_not_sent_without_a_key(desk: Desk) -> None:
    notify, to = desk.here.deployment.platform.notify, desk.of(desk.here.pat)
    with acting(desk.here.practice.id):
        async with unit() as work:
            with pytest.raises(ValueError, match="found by the key"):
                await notify.send(work, CONFIRMED.key, to=to)
            with pytest.raises(ValueError, match="found by the key"):
                await notify.send_all(work, CONFIRMED.key, to=[to])
            with pytest.raises(ValueError, match="found by the key"):
                await notify.send_each(work, CONFIRMED.key, [(to, {})])
        assert await DB.fetchval("SELECT count(*) FROM notification") == 0


@pytest.mark.rule("S7", "S8")
async def test_what_the_desk_does_to_a_series_is_so_in_the_calendar_of_whom_it_mails(desk: Desk) -> None:
    """Over GraphQL and the real notifications: a calendar that takes each file in has what the database has."""
    here = desk.here
    kept: dict[str, tuple[int, list[Occurrence]]] = {}
    taken = 0

    async def take_in() -> list[Occurrence]:
        """Do what a calendar does with mails that come: of a UID the newest SEQUENCE counts (RFC 5546, 2.1.5)."""
        nonlocal taken
        await settled(here.deployment, here.practice)
        for mail in desk.mail.mails[taken:]:
            text, _ = parts(mail.message)
            uid, sequence = values(text, "UID")[0], max(map(int, values(text, "SEQUENCE")))
            assert sequence >= kept.get(uid, (0, []))[0]
            cancels = values(text, "METHOD") == ["CANCEL"]
            kept[uid] = sequence, [] if cancels else by_icalendar(text)
        taken = len(desk.mail.mails)
        return sorted(each for _, found in kept.values() for each in found)

    async def come(many: int, what: str) -> None:
        await here.deployment.platform.clock.move(timedelta(minutes=3))  # several changes make one mail (N3)
        await until(lambda: len(desk.mail.mails) >= taken + many, what)

    async def there() -> list[Occurrence]:
        with acting(here.practice.id):
            rows = await DB.fetch("SELECT series_id, starts_at, ends_at FROM appointment WHERE state = 'booked'")
        return sorted(Occurrence(str(row["series_id"]), row["starts_at"], row["ends_at"]) for row in rows)

    wanted = {
        "kind": "IN_PERSON", "startsAt": soon(5).isoformat(), "memberIds": [here.ada.id], "patientIds": [here.pat.id],
    }  # fmt: skip
    made = await here.deployment.data(BOOK_SERIES, here.owner.token, i=wanted, r="FREQ=WEEKLY;COUNT=6", c="series")
    series, appointments = made["bookSeries"]["id"], made["bookSeries"]["appointments"]
    await come(1, "the confirmation")
    assert await take_in() == await there()
    assert len(kept) == 1

    await here.deployment.data(MOVE_ONE, here.owner.token, a=appointments[4]["id"], s=soon(35, 19).isoformat())
    await come(1, "the news of the one")
    assert await take_in() == await there()

    since = appointments[2]["startsAt"]
    await here.deployment.data(MOVE_REST, here.owner.token, i=series, f=since, t="13:30")
    await come(1, "the news of the rest")
    assert await take_in() == await there()
    assert len({each.starts_at.time() for each in kept[series][1]}) > 1

    await here.deployment.data(CANCEL_REST, here.owner.token, i=series, f=appointments[0]["startsAt"])
    await come(1, "the end")
    assert await take_in() == await there() == []
    assert list(kept) == [series]


@pytest.mark.rule("S1", "S7", "S8")
async def test_who_leaves_a_group_and_comes_back_is_told_so_under_a_newer_sequence_each_time(desk: Desk) -> None:
    here = desk.here
    ask, owner = here.deployment.data, here.owner.token
    group = {"name": "Group", "mode": "BOTH", "memberIds": [here.ada.id], "capacity": 3, "minutes": 30}
    type_id = (await ask(TYPE, owner, i=group))["createAppointmentType"]["id"]
    wanted = {
        "kind": "IN_PERSON", "startsAt": soon(5).isoformat(), "memberIds": [here.ada.id], "patientIds": [here.pat.id],
        "typeId": type_id,
    }  # fmt: skip
    made = (await ask(BOOK_ONE, owner, i=wanted))["bookAppointment"]["appointment"]["id"]
    other = await here.deployment.held(here.practice)

    def files() -> list[str]:
        return [parts(mail.message)[0] for mail in desk.mail.to(str(other.patient.email))]

    async def told(number: int) -> None:
        await here.deployment.platform.clock.move(timedelta(minutes=3))
        await until(lambda: len(files()) == number, "the mail")

    for number, query in enumerate((ADD, TAKE_OFF, ADD), start=1):
        await ask(query, owner, i=made, p=other.id)
        await told(number)
    await ask(HOST, owner, m=here.ada.id)
    await ask(CONVERT, owner, a=made)
    await told(4)
    methods = [(values(text, "METHOD")[0], int(values(text, "SEQUENCE")[0])) for text in files()]
    assert methods == [("REQUEST", 1), ("CANCEL", 2), ("REQUEST", 3), ("REQUEST", 4)]
    summaries = [values(text, "SUMMARY")[0] for text in files()]
    assert summaries == ["Appointment at Bay View"] * 3 + ["Video appointment with Bay View"]
