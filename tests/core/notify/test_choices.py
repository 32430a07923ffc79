"""What people and practices choose: channels switched off, quiet hours, languages, zones."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from notify_stage import PREFER, SETTINGS, Ward, until
from notify_stage import ward as ward_

from bedside_core.database import acting
from bedside_core.notify import Channel, Recipient
from bedside_core.notify.preferences import Preferences, prefer
from bedside_core.notify.quiet import quiet_until
from bedside_core.testing import Database


@pytest_asyncio.fixture
async def ward(fresh_database: Database) -> AsyncGenerator[Ward]:
    async with ward_(fresh_database) as ward:
        yield ward


async def choose(ward: Ward, whom: Recipient, **choices: object) -> None:
    """Store a patient's choices, who have no page of their own yet."""
    assert whom.id is not None
    with acting(ward.practice.id):
        await prefer(ward.practice.id, whom.id, Preferences(**choices))  # type: ignore[arg-type]


async def outcomes(ward: Ward, whom: Recipient) -> dict[str, tuple[str, str | None]]:
    return {entry["channel"]: (entry["state"], entry["reason"]) for entry in await ward.log(str(whom.id))}


@pytest.mark.rule("N2")
async def test_the_mail_about_a_message_comes_although_everything_is_switched_off(ward: Ward) -> None:
    pat = await ward.patient(phone="+12125550131", email="pat@patients.example")
    await choose(ward, pat, switched_off=frozenset({Channel.EMAIL, Channel.SMS, Channel.PUSH}))
    await ward.send("ward.message", pat, key="talk")
    await ward.pass_time(seconds=125)
    await until(lambda: len(ward.mail.mails) == 1, "the mail")
    await ward.settled()
    told = await outcomes(ward, pat)
    assert told["EMAIL"] == ("sent", None)
    assert told["SMS"] == ("switched_off", "switched off by the person")
    assert ward.phone.taken == []
    await ward.send("ward.round", pat, data={"time": ward.deployment.platform.clock.now()}, after=timedelta())
    await ward.settled()
    assert len(ward.mail.mails) == 1  # what is not required can be switched off


@pytest.mark.rule("N2")
async def test_sms_is_switched_off_by_the_practice_except_for_who_has_nothing_but_a_phone(ward: Ward) -> None:
    both = await ward.patient(phone="+12125550132", email="both@patients.example")
    phone = await ward.patient(phone="+12125550133", email=None)
    await choose(ward, phone, switched_off=frozenset({Channel.SMS}))
    await ward.deployment.data(SETTINGS, ward.owner.token, p={"sms": False})
    for whom in (both, phone):
        await ward.send("ward.message", whom, key="talk")
    await ward.pass_time(seconds=125)
    await until(lambda: len(ward.phone.taken) == 1, "the SMS")
    await ward.settled()
    assert [taken.to for taken in ward.phone.taken] == ["+12125550133"]
    assert (await outcomes(ward, both))["SMS"] == ("switched_off", "switched off by the practice")
    assert (await outcomes(ward, both))["EMAIL"] == ("sent", None)


@pytest.mark.rule("N6")
async def test_quiet_hours_hold_back_all_but_what_is_urgent_and_gather_meanwhile(ward: Ward) -> None:
    now = ward.deployment.platform.clock.now()
    zone = ZoneInfo("Asia/Tokyo")  # the person's, not the practice's
    begins, ends = (now + timedelta(minutes=span) for span in (-30, 90))
    quiet = {"quietFrom": f"{begins.astimezone(zone):%H:%M}", "quietUntil": f"{ends.astimezone(zone):%H:%M}"}
    told = await ward.prefer(ward.ada, zone="Asia/Tokyo", **quiet)
    assert told == {"language": None, "zone": "Asia/Tokyo", **quiet, "switchedOff": [], "calls": False}
    for item in "12":
        await ward.send("ward.message", key="talk", item=item)
        await ward.pass_time(minutes=5)
        await ward.settled()
    assert await ward.states("EMAIL") == []
    assert await ward.states("IN_APP") == ["delivered"]  # without a sound
    await ward.send("ward.alarm")
    await until(lambda: len(ward.mail.mails) == 1, "what is urgent")
    await ward.pass_time(minutes=85)
    await until(lambda: len(ward.mail.mails) == 2, "the rest, in one")
    await ward.settled()
    assert [mail.subject.split(" ")[0] for mail in ward.mail.mails] == ["You", "A"]
    assert await ward.prefer(ward.ada, quietFrom=None, quietUntil=None, zone=None) == {
        "language": None, "zone": None, "quietFrom": None, "quietUntil": None, "switchedOff": [], "calls": False,
    }  # fmt: skip


@pytest.mark.rule("N7")
async def test_nobody_is_called_who_has_not_chosen_it(ward: Ward) -> None:
    profile = "mutation($p: ProfilePatch!) { updateProfile(patch: $p) { phone } }"
    await ward.deployment.data(profile, ward.ada.token, p={"phone": "+12125550177"})
    await ward.send("ward.alarm")
    await until(lambda: len(ward.phone.taken) == 1, "the SMS")
    await ward.settled()
    [entry] = [entry for entry in await ward.log() if entry["channel"] == "VOICE"]
    assert (entry["state"], entry["reason"]) == ("switched_off", "not chosen by the person")
    assert (await ward.prefer(ward.ada, calls=True))["calls"] is True
    await ward.send("ward.alarm")
    await until(lambda: len(ward.phone.taken) == 3, "SMS and call")
    assert [taken.kind for taken in ward.phone.taken].count("Calls") == 1
    assert (await ward.prefer(ward.ada, calls=None))["calls"] is False
    await ward.send("ward.alarm")
    await until(lambda: len(ward.phone.taken) == 4, "the SMS alone")
    await ward.settled()
    assert await ward.states("VOICE") == ["switched_off", "sent", "switched_off"]


@pytest.mark.rule("N6", "N3")
async def test_what_was_read_in_the_application_during_quiet_hours_is_not_sent_after_them(ward: Ward) -> None:
    now = ward.deployment.platform.clock.now()
    zone = ZoneInfo("America/New_York")
    span = [f"{(now + timedelta(minutes=m)).astimezone(zone):%H:%M}" for m in (-30, 60)]
    await ward.prefer(ward.ada, quietFrom=span[0], quietUntil=span[1])
    made = await ward.send("ward.message", key="talk")
    await ward.pass_time(minutes=3)
    await ward.settled()
    read = "mutation($i: ID!) { markNotificationRead(id: $i) { readAt } }"
    assert (await ward.deployment.data(read, ward.ada.token, i=str(made)))["markNotificationRead"]["readAt"]
    await ward.pass_time(minutes=70)
    await ward.settled()
    assert ward.mail.mails == []


@pytest.mark.rule("N8")
async def test_texts_and_times_are_in_the_recipient_s_language_and_zone(ward: Ward) -> None:
    await ward.prefer(ward.ada, language="SPANISH", zone="Asia/Tokyo")
    at = datetime(2027, 3, 1, 23, 30, tzinfo=UTC)
    pat = await ward.patient(phone=None, email="pat@patients.example")
    for whom in (ward.to_ada, pat):
        await ward.send("ward.round", whom, data={"time": at}, after=timedelta())
    await until(lambda: len(ward.mail.mails) == 2, "both mails")
    [spanish], [english] = ward.mail.to(ward.ada.email), ward.mail.to("pat@patients.example")
    assert spanish.subject == "La ronda comienza el 2 de marzo de 2027, 08:30 (JST) en Bay View"
    assert english.subject == "The round begins on March 1, 2027, 6:30 PM (EST) at Bay View"
    assert (spanish.message["Content-Language"], english.message["Content-Language"]) == ("es", "en")


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"quietFrom": "22:00"}, "quietFrom"),
        ({"quietFrom": "25:00", "quietUntil": "07:00"}, "quietFrom"),
        ({"switchedOff": ["IN_APP"]}, "switchedOff"),
    ],
)
async def test_what_can_not_be_chosen_is_refused_and_changes_nothing(
    ward: Ward, patch: dict[str, object], field: str
) -> None:
    body = await ward.deployment.ask(PREFER, ward.ada.token, p=patch)
    [error] = body["errors"]
    assert (error["extensions"]["code"], error["extensions"]["field"]) == ("INVALID_INPUT", ["patch", field])
    shown = "{ notificationPreferences { quietFrom quietUntil switchedOff } }"
    data = await ward.deployment.data(shown, ward.ada.token)
    assert data["notificationPreferences"] == {"quietFrom": None, "quietUntil": None, "switchedOff": []}


@pytest.mark.rule("N6")
def test_quiet_hours_go_over_midnight_and_follow_the_clock_on_the_wall() -> None:
    def ends(text: str, begin: str, end: str, zone: str = "America/New_York") -> str | None:
        now = datetime.fromisoformat(text)
        found = quiet_until(now, zone, time.fromisoformat(begin), time.fromisoformat(end))
        return found and found.astimezone(UTC).isoformat()

    night = ("22:00", "07:00")
    assert ends("2026-01-10T03:30:00+00:00", *night) == "2026-01-10T12:00:00+00:00"
    assert ends("2026-01-10T11:59:00+00:00", *night) == "2026-01-10T12:00:00+00:00"
    assert ends("2026-01-10T12:00:00+00:00", *night) is None
    assert ends("2026-01-11T02:59:00+00:00", *night) is None
    assert ends("2026-03-08T04:00:00+00:00", *night) == "2026-03-08T11:00:00+00:00"  # the night is an hour shorter
    assert ends("2026-01-10T18:00:00+00:00", "12:00", "14:00") == "2026-01-10T19:00:00+00:00"
    assert ends("2026-01-10T18:00:00+00:00", "12:00", "12:00") is None


@pytest.mark.rule("N6")
@given(
    now=st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),
    begin=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    end=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    zone=st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo"]),
)
def test_quiet_hours_always_end_within_a_day_or_so(now: datetime, begin: time, end: time, zone: str) -> None:
    found = quiet_until(now, zone, begin, end)
    if found is not None:
        assert now < found <= now + timedelta(hours=25)
        if found > now + timedelta(minutes=1):
            assert quiet_until(found, zone, begin, end) is None or found.astimezone(ZoneInfo(zone)).time() != end
