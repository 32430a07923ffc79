"""STOP is remembered: a number that has written it gets no SMS until somebody takes that back."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
import pytest_asyncio
from notify_stage import Ward, until, wants_calls
from notify_stage import ward as ward_

from bedside_core.auth import Role
from bedside_core.database import DB, acting
from bedside_core.notify.channels import STOPPED
from bedside_core.notify.kinds import Fact, Recipient
from bedside_core.testing import Database

TAKE_BACK = "mutation($p: String!) { takeBackOptOut(phone: $p) }"
NUMBER = "+12125550161"


@pytest_asyncio.fixture
async def ward(fresh_database: Database) -> AsyncGenerator[Ward]:
    async with ward_(fresh_database) as ward:
        yield ward


async def rounds(ward: Ward, to: Recipient, times: int = 1, after: timedelta = timedelta()) -> None:
    for _ in range(times):
        await ward.send("ward.round", to, data={Fact.TIME: ward.deployment.platform.clock.now()}, after=after)


async def texts(ward: Ward) -> list[tuple[str, str | None]]:
    """What became of the SMS, the oldest first."""
    return [(entry["state"], entry["reason"]) for entry in await ward.log() if entry["channel"] == "SMS"]


async def noted(ward: Ward) -> list[str]:
    with acting(ward.practice.id):
        return [row["address"] for row in await DB.fetch("SELECT address FROM notification_opt_out")]


@pytest.mark.rule("N5")
async def test_a_number_that_has_written_stop_is_not_tried_again_until_the_desk_takes_it_back(ward: Ward) -> None:
    pat = await ward.patient(phone=NUMBER, email=None)
    child = await ward.patient(phone=NUMBER, email=None)
    ward.phone.refusals = [(400, 21610)]
    await rounds(ward, pat, times=2, after=timedelta(seconds=5))
    await ward.pass_time(seconds=10)  # both are planned before the first of them is refused
    await until(lambda: ward.phone.asked == 1, "the attempt")
    await ward.settled()
    await rounds(ward, child)
    await ward.settled()
    assert await texts(ward) == [("failed", STOPPED), ("failed", STOPPED), ("impossible", STOPPED)]
    assert (ward.phone.asked, await noted(ward)) == (1, [NUMBER])

    deployment = ward.deployment
    desk = await deployment.person(ward.practice, Role.STAFF, name="Dee")
    stranger = await deployment.person(await deployment.practice("Elsewhere", tier=None), Role.OWNER)
    assert await deployment.data(TAKE_BACK, stranger.token, p=NUMBER) == {"takeBackOptOut": False}
    assert await deployment.code(TAKE_BACK, p=NUMBER) == "UNAUTHENTICATED"
    for strange in ("", "+", "call me", "1" * 5000):
        assert await deployment.code(TAKE_BACK, desk.token, p=strange) == "INVALID_INPUT"
    assert await noted(ward) == [NUMBER]
    assert await deployment.data(TAKE_BACK, desk.token, p="(212) 555-0161") == {"takeBackOptOut": True}
    assert await deployment.data(TAKE_BACK, desk.token, p=NUMBER) == {"takeBackOptOut": False}
    await rounds(ward, child)
    await until(lambda: len(ward.phone.taken) == 1, "the SMS after START")
    assert await noted(ward) == []


@pytest.mark.rule("N5")
async def test_twilio_s_word_on_an_sms_that_it_took_is_remembered_and_a_call_is_still_made(ward: Ward) -> None:
    pat = await ward.patient(phone=NUMBER, email=None)
    await wants_calls(pat)
    await ward.send("ward.alarm", pat)
    await until(lambda: len(ward.phone.taken) == 2, "SMS and call")
    await ward.settled()
    sms = next(taken for taken in ward.phone.taken if taken.kind == "Messages")
    told = {"at": ward.deployment.url, "more": {"ErrorCode": "21610"}}
    assert await ward.phone.tell(sms, "undelivered", **told, token="somebody else's") == 403
    assert await noted(ward) == []
    assert await ward.phone.tell(sms, "undelivered", **told) == 204
    assert (await texts(ward), await noted(ward)) == ([("failed", STOPPED)], [NUMBER])
    await ward.send("ward.alarm", pat)
    await until(lambda: len(ward.phone.taken) == 3, "the second call")
    await ward.settled()
    assert [taken.kind for taken in ward.phone.taken].count("Calls") == 2
    assert await texts(ward) == [("failed", STOPPED), ("impossible", STOPPED)]


@pytest.mark.rule("N5")
async def test_who_switches_sms_on_again_is_texted_again(ward: Ward) -> None:
    profile = "mutation($p: ProfilePatch!) { updateProfile(patch: $p) { phone } }"
    await ward.deployment.data(profile, ward.ada.token, p={"phone": NUMBER})
    ward.phone.refusals = [(400, 21610)]
    await rounds(ward, ward.to_ada)
    await until(lambda: ward.phone.asked == 1, "the attempt")
    await ward.settled()
    assert await noted(ward) == [NUMBER]
    await ward.prefer(ward.ada, language="SPANISH")  # says nothing on SMS
    await ward.prefer(ward.ada, switchedOff=["SMS"])
    assert await noted(ward) == [NUMBER]
    await ward.prefer(ward.ada, switchedOff=[])
    assert await noted(ward) == []


@pytest.mark.rule("N5")
async def test_the_number_of_nobody_that_has_an_account_is_taken_back_as_well(ward: Ward) -> None:
    guest = Recipient.address(practice_id=ward.practice.id, phone=NUMBER)
    ward.phone.refusals = [(400, 21610)]
    await ward.send("ward.alarm", guest)
    await ward.settled()
    assert await noted(ward) == [NUMBER]
    desk = await ward.deployment.person(ward.practice, Role.STAFF, name="Dee")
    assert await ward.deployment.data(TAKE_BACK, desk.token, p=NUMBER) == {"takeBackOptOut": True}
    assert await noted(ward) == []
