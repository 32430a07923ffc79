"""Servers that refuse, hang or are away: each notification is delivered once after all, or ends with the reason."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from notify_stage import PUBLIC_URL, Ward, until, wants_calls
from notify_stage import ward as ward_
from smtp_stage import SENDER, mail_server
from tls_stage import contexts

from bedside_core.database import DB, acting
from bedside_core.ids import uuid7
from bedside_core.notify.channels import STOPPED, Letter, Temporary
from bedside_core.notify.channels.mail import Mail, MailServer
from bedside_core.notify.delivering import LONGEST_PAUSE, pause
from bedside_core.notify.kinds import Language, Recipient
from bedside_core.notify.texts import Rendered
from bedside_core.testing import Database
from rulebook import size


@pytest_asyncio.fixture
async def ward(fresh_database: Database) -> AsyncGenerator[Ward]:
    async with ward_(fresh_database) as ward:
        yield ward


@pytest.mark.rule("N5")
async def test_a_temporary_refusal_is_tried_again_later_each_time(ward: Ward) -> None:
    refusals = ["450 4.2.0 greylisted", "451 4.3.0 later"]
    ward.mail.answer = lambda _: refusals.pop(0) if refusals else None
    await ward.send("ward.alarm")
    for tried in (1, 2):
        await until(lambda tried=tried: ward.mail.asked == tried, "an attempt")
        await ward.settled()
        await ward.pass_time(seconds=10)  # too early
        await ward.settled()
        assert ward.mail.asked == tried
        await ward.pass_time(seconds=60)
    await until(lambda: len(ward.mail.mails) == 1, "the mail")
    await ward.settled()
    [entry] = [entry for entry in await ward.log() if entry["channel"] == "EMAIL"]
    assert entry["state"] == "sent"
    assert [(attempt["outcome"], attempt["reason"]) for attempt in entry["attempts"]] == [
        ("temporary", "450 4.2.0"),
        ("temporary", "451 4.3.0"),
        ("sent", None),
    ]


@pytest.mark.rule("N5")
async def test_a_permanent_refusal_ends_with_the_reason_in_the_log(ward: Ward) -> None:
    ward.mail.answer = lambda to: f"550 5.1.1 <{to.upper()}> unknown mailbox {to.partition('@')[0]}"
    await ward.send("ward.alarm")
    await until(lambda: ward.mail.asked == 1, "an attempt")
    await ward.settled()
    await ward.pass_time(hours=5)
    await ward.settled()
    assert ward.mail.asked == 1
    [entry] = [entry for entry in await ward.log() if entry["channel"] == "EMAIL"]
    assert (entry["state"], entry["reason"]) == ("failed", "550 5.1.1")
    assert [attempt["outcome"] for attempt in entry["attempts"]] == ["permanent"]
    assert entry["address"] == "a…@example.org"  # a member's own is not for the log (A8)


@pytest.mark.rule("N5")
async def test_after_two_days_it_is_given_up(ward: Ward) -> None:
    ward.mail.answer = lambda _: "450 4.2.2 mailbox full"
    await ward.send("ward.alarm")
    await until(lambda: ward.mail.asked == 1, "an attempt")
    await ward.settled()
    await ward.pass_time(hours=49)
    await until(lambda: ward.mail.asked == 2, "the last attempt")
    await ward.settled()
    [entry] = [entry for entry in await ward.log() if entry["channel"] == "EMAIL"]
    assert (entry["state"], entry["reason"]) == ("failed", "given up: 450 4.2.2")


@pytest.mark.rule("N5")
def test_pauses_grow_and_end_at_a_quarter_of_an_hour() -> None:
    pauses = [pause(number) for number in range(1, 12)]
    assert pauses[:3] == [timedelta(seconds=15), timedelta(seconds=30), timedelta(seconds=60)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE
    assert pause(100, 7) < 1.25 * LONGEST_PAUSE


@pytest.mark.rule("N5")
@pytest.mark.promise("N1")
@pytest.mark.parametrize("how", ["refuses", "hangs"])
async def test_mail_away_for_ten_minutes_delays_mail_and_nothing_else(ward: Ward, how: str) -> None:
    """100 notifications, and people go on working meanwhile."""
    count = size(30, 100)
    ask = "{ practice { name } patients(first: 5) { nodes { id } } }"

    async def latency() -> float:
        """The median of requests one after the other, in seconds."""
        taken: list[float] = []
        for _ in range(size(30, 200)):
            began = time.perf_counter()
            await ward.deployment.data(ask, ward.ada.token)
            taken.append(time.perf_counter() - began)
        return statistics.median(taken)

    quiet = await latency()
    back = asyncio.Event()

    async def hang(_: str) -> str | None:
        await back.wait()
        return "451 4.3.0 was away"

    if how == "refuses":
        await ward.mail.away()
    else:
        ward.mail.answer = hang
    whom = [Recipient.address(practice_id=ward.practice.id, email=f"p{n}@example.org") for n in range(count)]
    for one in whom:
        await ward.send("ward.round", one, data={"time": ward.deployment.platform.clock.now()}, after=timedelta())
    for minute in range(10):
        await ward.pass_time(minutes=1)
        if minute in {2, 6}:
            # Generous: machines that tests run on have other work. A request that waited for mail would take seconds.
            assert await latency() < 5 * quiet + 0.1
    assert ward.mail.mails == []
    ward.mail.answer = lambda _: None
    back.set()
    if how == "refuses":
        await ward.mail.open()

    async def all_there() -> bool:
        await ward.pass_time(seconds=30)
        return len(ward.mail.mails) >= count

    await until(all_there, "all mails", 60 + count)
    await ward.settled()
    assert sorted(mail.to for mail in ward.mail.mails) == sorted(one.email or "" for one in whom)
    assert set(ward.mail.copies().values()) == {1}


@pytest.mark.rule("N5")
@pytest.mark.promise("N1")
@pytest.mark.parametrize("how", ["refuses", "hangs up"])
async def test_letters_that_the_server_fails_over_hold_up_no_others(ward: Ward, how: str) -> None:
    """Two of them, which are due before the others each time, as for a domain that the relay can't cope with."""
    asked: list[str] = []

    def answer(to: str) -> str | None:
        asked.append(to)
        if to.startswith("good"):
            return None
        if how == "hangs up":
            ward.mail.hang_up()
        return "421 4.7.0 try later"

    ward.mail.answer = answer
    now = ward.deployment.platform.clock.now()
    for name in ("bad1", "bad2", "good1", "good2", "good3"):
        whom = Recipient.address(practice_id=ward.practice.id, email=f"{name}@example.org")
        await ward.send("ward.round", whom, data={"time": now}, after=timedelta(seconds=5))
    await ward.pass_time(seconds=10)
    await until(lambda: len(asked) >= 2, "the first two")
    await ward.settled()
    await ward.pass_time(seconds=60)
    await until(lambda: len(ward.mail.mails) == 3, "the mails that nothing is wrong with")
    await ward.settled()
    late = Recipient.address(practice_id=ward.practice.id, email="good4@example.org")
    await ward.pass_time(hours=1)
    await ward.send("ward.round", late, data={"time": now}, after=timedelta())
    await until(lambda: len(ward.mail.to("good4@example.org")) == 1, "a later one")
    assert set(ward.mail.copies().values()) == {1}


@pytest.mark.rule("N1")
async def test_twilio_tells_what_became_of_an_sms_and_of_a_call(ward: Ward) -> None:
    pat = await ward.patient(phone="+12125550125", email=None)
    await wants_calls(pat)
    await ward.send("ward.alarm", pat)
    await until(lambda: len(ward.phone.taken) == 2, "SMS and call")
    await ward.settled()
    sms = next(taken for taken in ward.phone.taken if taken.kind == "Messages")
    call = next(taken for taken in ward.phone.taken if taken.kind == "Calls")
    assert (sms.callback or "").startswith(f"{PUBLIC_URL}/notify/twilio/")
    at = ward.deployment.url
    assert await ward.phone.tell(sms, "sent", at=at) == 204
    assert await ward.states("SMS") == ["sent"]
    assert await ward.phone.tell(sms, "delivered", at=at, token="somebody else's") == 403
    assert await ward.states("SMS") == ["sent"]
    for _ in range(2):
        assert await ward.phone.tell(sms, "delivered", at=at) == 204
    assert await ward.phone.tell(sms, "failed", at=at) == 204  # late, and out of order
    assert await ward.states("SMS") == ["delivered"]
    assert await ward.phone.tell(call, "no-answer", at=at) == 204
    [entry] = [entry for entry in await ward.log() if entry["channel"] == "VOICE"]
    assert (entry["state"], entry["reason"]) == ("failed", "Twilio no-answer")


@pytest.mark.rule("N5")
async def test_twilio_s_temporary_answers_are_tried_again_and_its_refusals_are_not(ward: Ward) -> None:
    pat = await ward.patient(phone="+12125550126", email=None)
    ward.phone.refusals = [(429, 20429), (503, 0), (400, 21610)]
    await ward.send("ward.round", pat, data={"time": ward.deployment.platform.clock.now()}, after=timedelta())
    for asked in (1, 2, 3):
        await until(lambda asked=asked: ward.phone.asked == asked, "an attempt")
        await ward.settled()
        await ward.pass_time(minutes=3)
    await ward.settled()
    [entry] = [entry for entry in await ward.log() if entry["channel"] == "SMS"]
    assert (entry["state"], entry["reason"]) == ("failed", STOPPED)
    assert [attempt["outcome"] for attempt in entry["attempts"]] == ["temporary", "temporary", "permanent"]


@pytest.mark.rule("N5")
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (web.Response(text="<html>sign in to this network</html>"), "Twilio's answer can't be read: JSONDecodeError"),
        (web.Response(status=302, headers={"location": "http://127.0.0.1:1/"}), "Twilio 302"),
        (web.json_response({"type": "x", "title": "x", "status": "?", "code": 1}, status=400), "Twilio 1"),
    ],
)
async def test_what_twilio_never_answers_is_tried_again_with_pauses(
    ward: Ward, answer: web.Response, reason: str
) -> None:
    pat = await ward.patient(phone="+12125550126", email=None)
    ward.phone.answers = [answer]
    await ward.send("ward.round", pat, data={"time": ward.deployment.platform.clock.now()}, after=timedelta())
    await until(lambda: ward.phone.asked == 1, "an attempt")
    await ward.settled()
    await ward.pass_time(seconds=10)
    await ward.settled()
    assert ward.phone.asked == 1
    await ward.pass_time(seconds=30)
    await until(lambda: len(ward.phone.taken) == 1, "the SMS")
    await ward.settled()
    [entry] = [entry for entry in await ward.log() if entry["channel"] == "SMS"]
    assert entry["state"] == "sent"
    assert [(each["outcome"], each["reason"]) for each in entry["attempts"]] == [("temporary", reason), ("sent", None)]


@pytest.mark.rule("N5")
async def test_a_refusal_of_twilio_in_its_newer_form_is_permanent(ward: Ward) -> None:
    pat = await ward.patient(phone="+12125550126", email=None)
    problem = {"type": "https://twilio.example/x", "title": "Invalid", "status": 400, "code": 21211, "detail": "+1 …"}
    ward.phone.answers = [web.json_response(problem, status=400)]
    await ward.send("ward.round", pat, data={"time": ward.deployment.platform.clock.now()}, after=timedelta())
    await until(lambda: ward.phone.asked == 1, "an attempt")
    await ward.settled()
    [entry] = [entry for entry in await ward.log() if entry["channel"] == "SMS"]
    assert (entry["state"], entry["reason"]) == ("failed", "Twilio 21211")
    assert [attempt["outcome"] for attempt in entry["attempts"]] == ["permanent"]


@pytest.mark.rule("N5")
async def test_what_nobody_has_foreseen_is_tried_with_growing_pauses_and_given_up(ward: Ward) -> None:
    """A stored fact that is none any more; the others go out meanwhile."""
    await ward.send("ward.round", data={"time": ward.deployment.platform.clock.now()}, after=timedelta(seconds=30))
    with acting(ward.practice.id):
        await DB.execute("""UPDATE notification SET facts = '{"time": "noon"}'""")
    await ward.send("ward.alarm")
    await ward.pass_time(seconds=60)
    await until(lambda: len(ward.mail.mails) == 1, "the other mail")
    await ward.settled()
    for later in (10, 60):  # the first is too early
        await ward.pass_time(seconds=later)
        await ward.settled()
    await ward.pass_time(hours=49)
    await ward.settled()
    [entry] = [entry for entry in await ward.log() if entry["kind"] == "ward.round" and entry["channel"] == "EMAIL"]
    assert (entry["state"], entry["reason"]) == ("failed", "given up: unexpected: ValueError")
    assert [(attempt["outcome"]) for attempt in entry["attempts"]] == ["temporary"] * 3
    assert len(ward.mail.mails) == 1


def _letter() -> Letter:
    content = Rendered(subject="Ça va? \U0001f600", text="Hola\n", html="<p>Hola</p>")
    return Letter(
        id=uuid7(), practice_id=uuid7(), practice='Dr. "Q", y Ñ', address="ada@example.org", content=content,
        language=Language.SPANISH, written_at=datetime.now(UTC),
    )  # fmt: skip


async def test_mail_goes_out_under_tls_to_a_server_whose_certificate_is_right(tmp_path: Path) -> None:
    theirs, ours = contexts(tmp_path)
    async with mail_server(theirs) as server:
        where = MailServer.of(f"smtp://localhost:{server.port}?tls=starttls")
        letter = _letter()
        with pytest.raises(Temporary) as failure:  # the system does not know who has signed it
            await Mail(where, SENDER, 5).send(letter)
        assert failure.value.channel
        assert server.mails == []
        receipt = await Mail(where, SENDER, 5, context=ours).send(letter)
        [mail] = server.mails
        assert receipt.provider_id == mail.id == f"<{letter.id.hex}@clinic.example>"
        assert server.secure == [True]
        assert mail.subject == "Ça va? \U0001f600"
        assert mail.message["From"].addresses[0].display_name == 'Dr. "Q", y Ñ'
        assert mail.message["From"].addresses[0].addr_spec == "no-reply@clinic.example"


async def test_a_server_without_starttls_gets_no_mail_where_it_is_required() -> None:
    async with mail_server() as server:
        where = MailServer.of(f"smtp://localhost:{server.port}?tls=starttls")
        with pytest.raises(Temporary):
            await Mail(where, SENDER, 5).send(_letter())
        assert server.asked == 0


def test_where_mail_is_handed_in_is_read_from_a_url() -> None:
    assert MailServer.of("smtps://u%40x:p%2Fw@mail.example") == MailServer(
        host="mail.example", port=465, tls="implicit", username="u@x", password="p/w"
    )
    assert MailServer.of("smtp://mail.example").tls == "starttls"
    assert (MailServer.of("smtp://localhost").tls, MailServer.of("smtp://mail.lan?tls=none").tls) == ("none", "none")
    for wrong in ("http://mail.example", "smtp://", "smtp://mail.example?tls=maybe"):
        with pytest.raises(ValueError, match="BEDSIDE_SMTP_URL"):
            MailServer.of(wrong)
