"""Automatic messages outside hours: once in a while, to patients alone, and never twice for one message."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from deployment import Held
from plugins.chat.lobby import UPLOAD, Lobby
from plugins.chat.outside import DELETE, SEND, Outside, outside

from bedside_chat.hours import closed_fault, hours_fault, is_open, spans_of
from bedside_core.access import Tier
from bedside_core.testing import Database
from bedside_plans.service import PlanService

CHANGE = """mutation($p: ChatSettingsPatch!) { updateChatSettings(patch: $p) {
    autoReply autoReplyText hoursMonday closedDays } }"""
CLOSED = {f"hours{day}": "" for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")}
TALK = """query($i: ID!) { conversation(id: $i) { unread lastMessage { automatic }
    messages(last: 50) { nodes { body automatic sender { name } } } } }"""
SHARE = """mutation($i: ID!, $b: String!, $c: String!, $u: [ID!]) {
    sendMessage(conversationId: $i, body: $b, clientId: $c, uploadIds: $u) { id } }"""
TEXT = "We are **closed**."


class Night:
    """A practice that is closed, a patient who has a conversation with ada."""

    def __init__(self, house: Outside, pat: Held, talk: str) -> None:
        self.house, self.pat, self.talk = house, pat, talk

    async def change(self, **patch: object) -> dict[str, Any]:
        data = await self.house.deployment.data(CHANGE, self.house.owner.token, p=patch)
        return data["updateChatSettings"]

    async def write(self, body: str = "hello?") -> dict[str, str]:
        return await self.house.send(body, self.pat, self.talk)

    async def share(self, name: str) -> None:
        """Have the patient send a file, and nothing else."""
        deployment, content = self.house.deployment, name.encode()
        given = {"n": name, "s": len(content), "h": hashlib.sha256(content).hexdigest(), "c": name}
        upload = (await deployment.data(UPLOAD, self.pat.token, **given))["createUpload"]
        bearer = {"authorization": f"Bearer {self.pat.token}"}
        answer = await deployment.http.put(upload["url"], content=content, headers=bearer)
        assert answer.status_code == 200, answer.text
        await deployment.data(SHARE, self.pat.token, i=self.talk, b="", c=name, u=[upload["id"]])

    async def seen(self, by: Any) -> dict[str, Any]:
        return (await self.house.deployment.data(TALK, by.token, i=self.talk))["conversation"]

    async def automatic(self) -> int:
        return sum(each["automatic"] for each in (await self.seen(self.pat))["messages"]["nodes"])


@pytest_asyncio.fixture
async def night(fresh_database: Database, tmp_path: Path) -> AsyncGenerator[Night]:
    async with outside(fresh_database, data=tmp_path) as house:
        night = Night(house, *await house.held())
        await night.change(autoReply=True, autoReplyText=TEXT, **CLOSED)
        yield night


@pytest.mark.rule("C17")
async def test_it_is_off_until_a_practice_switches_it_on(night: Night) -> None:
    await night.change(autoReply=False)
    await night.write()
    assert await night.automatic() == 0
    await night.change(autoReply=True)
    await night.write()
    found = (await night.seen(night.pat))["messages"]["nodes"]
    assert [each["automatic"] for each in found] == [False, False, True]
    assert found[-1] == {"body": TEXT, "automatic": True, "sender": None}


@pytest.mark.rule("C17", "C10")
async def test_it_counts_as_unread_for_the_patient_and_not_for_members_and_notifies_nobody(night: Night) -> None:
    await night.write()
    assert (await night.seen(night.pat))["unread"] == 1
    seen = await night.seen(night.house.ada)
    assert (seen["unread"], seen["lastMessage"]) == (1, {"automatic": True})
    listed = await night.house.deployment.data("{ conversations { nodes { id unread } } }", night.house.ada.token)
    assert {"id": night.talk, "unread": 1} in listed["conversations"]["nodes"]
    for by in (night.house.ada, night.pat):  # the badge agrees with the list
        badges = (await night.house.deployment.data("{ chatBadges { kind unread } }", by.token))["chatBadges"]
        assert {"kind": "PATIENT", "unread": 1} in badges
    rows = await night.house.rows(
        "SELECT recipient_id::text AS person, items FROM notification WHERE kind LIKE 'chat.%'"
    )
    assert [(row["person"], len(row["items"])) for row in rows] == [(night.house.ada.id, 1)]


@pytest.mark.rule("C17")
async def test_it_comes_at_most_once_in_fifteen_minutes_and_a_member_s_answer_resets_it(night: Night) -> None:
    await night.write()
    await night.write()
    await night.house.pass_time(minutes=14)
    await night.write()
    assert await night.automatic() == 1
    await night.house.send("I am here", night.house.ada, night.talk)
    await night.write()
    assert await night.automatic() == 2
    await night.house.pass_time(minutes=16)
    await night.write()
    assert await night.automatic() == 3


@pytest.mark.rule("C17", "C13")
async def test_many_messages_at_once_and_their_retries_get_one(night: Night) -> None:
    values = [{"i": night.talk, "b": f"m{number}", "c": f"k-{number}", "u": False} for number in range(4)]
    deployment, token = night.house.deployment, night.pat.token
    await asyncio.gather(*(deployment.data(SEND, token, **each) for each in values for _ in range(3)))
    assert await night.automatic() == 1
    assert len((await night.seen(night.pat))["messages"]["nodes"]) == 5


@pytest.mark.rule("C17", "C3", "L2")
async def test_a_file_gets_one_only_where_the_conversation_takes_text(night: Night) -> None:
    plans = night.house.deployment.platform.service(PlanService)
    await night.change(patientsInPortal=False)
    await night.share("one.txt")
    assert await night.automatic() == 0
    await night.change(patientsInPortal=True)
    await plans.change_plan(night.house.practice.id, Tier.STARTER)
    await night.share("two.txt")
    assert await night.automatic() == 0
    await plans.change_plan(night.house.practice.id, Tier.ENHANCED)
    await night.share("three.txt")
    assert await night.automatic() == 1


@pytest.mark.rule("C17", "C6", "L9")
async def test_a_contact_who_came_by_a_link_gets_one_and_a_file_of_theirs_where_text_is_closed_none(
    lobby: Lobby,
) -> None:
    await lobby.data(CHANGE, lobby.olga, p={"autoReply": True, "autoReplyText": TEXT, **CLOSED})
    conversation, _, first = await lobby.external()
    guest = await lobby.entered(first)
    plans = lobby.deployment.platform.service(PlanService)
    await plans.change_plan(lobby.practice.id, Tier.STARTER)
    upload = await lobby.uploaded(guest, b"a note", "note.txt")
    await lobby.data(SHARE, guest, i=conversation, b="", c="g-1", u=[upload])
    assert await lobby.read(conversation, guest) == [""]
    await plans.change_plan(lobby.practice.id, Tier.ENHANCED)
    await lobby.data(SHARE, guest, i=conversation, b="anybody?", c="g-2")
    assert await lobby.read(conversation, guest) == ["", "anybody?", TEXT]
    assert await lobby.read(conversation) == ["", "anybody?", TEXT]


@pytest.mark.rule("C17")
async def test_members_get_none_and_nobody_does_within_hours(night: Night) -> None:
    await night.house.send("how are you?", night.house.ada, night.talk)
    await night.house.send("and you?", night.house.ada)
    assert await night.automatic() == 0
    every = dict.fromkeys(CLOSED, "00:00-24:00")
    await night.change(**every)
    await night.write()
    assert await night.automatic() == 0
    now = night.house.deployment.platform.clock.now()
    days = [(now + timedelta(days=step)).date().isoformat() for step in (-1, 0, 1)]
    await night.change(closedDays=days)
    await night.write()
    assert await night.automatic() == 1


@pytest.mark.rule("C17", "C16")
async def test_who_follows_hears_it_once_after_the_message_that_it_answers(night: Night) -> None:
    follow = "subscription($i: ID!) { messageAdded(conversationId: $i) { body automatic sender { name } } }"
    async with night.house.deployment.socket(night.pat.token) as socket:
        key = await socket.subscribe(follow, i=night.talk)
        await asyncio.sleep(0)
        live = night.house.deployment.platform.live
        async with asyncio.timeout(30):
            while live.readers("conversation") != 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await night.write("anybody?")
        got = [(await socket.next(key))["messageAdded"] for _ in range(2)]
    assert [(each["body"], each["automatic"]) for each in got] == [("anybody?", False), (TEXT, True)]
    assert got[1]["sender"] is None


@pytest.mark.rule("C17", "C11")
async def test_one_who_moderates_deletes_it_like_any_other(night: Night) -> None:
    await night.write()
    [row] = await night.house.rows("SELECT id::text FROM message WHERE automatic")
    assert await night.house.deployment.code(DELETE, night.pat.token, i=row["id"]) == "FORBIDDEN"
    await night.house.deployment.data(DELETE, night.house.owner.token, i=row["id"])
    [row] = await night.house.rows("SELECT body, deleted_at IS NOT NULL AS gone FROM message WHERE automatic")
    assert tuple(row) == ("", True)
    assert (await night.seen(night.pat))["unread"] == 0
    await night.write()  # it has said so within a quarter of an hour, all the same
    assert await night.automatic() == 1


@pytest.mark.rule("C17")
@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"hoursMonday": "9-5"}, "hours_monday"),
        ({"hoursMonday": "17:00-09:00"}, "hours_monday"),
        ({"autoReplyText": "  "}, "auto_reply_text"),
        ({"autoReplyText": "x" * 2001}, "auto_reply_text"),
        ({"closedDays": ["24.12.2026"]}, "closed_days"),
    ],
)
async def test_settings_that_can_not_be_are_refused(night: Night, patch: dict[str, Any], field: str) -> None:
    before = await night.house.rows("SELECT stored::text FROM setting WHERE plugin = 'chat'")
    [error] = (await night.house.deployment.ask(CHANGE, night.house.owner.token, p=patch))["errors"]
    assert error["extensions"]["code"] == "INVALID_INPUT"
    assert error["extensions"]["field"][-1] in {field, next(iter(patch))}
    assert await night.house.rows("SELECT stored::text FROM setting WHERE plugin = 'chat'") == before
    assert await night.house.deployment.code(CHANGE, night.house.ada.token, p=patch) == "FORBIDDEN"


WEEK = ("09:00-12:30, 13:30-17:00",) * 5 + ("", "00:00-24:00")


@pytest.mark.rule("C17", "S6")
@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-03-02T14:00", True),  # Monday, 9:00 in New York
        ("2026-03-02T13:59", False),
        ("2026-03-02T17:29", True),
        ("2026-03-02T17:30", False),
        ("2026-03-02T18:30", True),
        ("2026-03-02T22:00", False),
        ("2026-03-07T16:00", False),  # Saturday
        ("2026-03-08T06:30", True),  # Sunday, on which summer time begins
        ("2026-03-09T13:00", True),  # 9:00 by summer time
        ("2026-03-09T12:59", False),
        ("2026-03-10T14:00", False),  # a closed day
    ],
)
def test_hours_are_by_the_clock_on_the_practice_s_wall(moment: str, expected: bool) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert is_open(WEEK, ["2026-03-10"], "America/New_York", now) is expected


def test_hours_are_written_in_one_way() -> None:
    assert spans_of("09:00-12:30, 13:30-17:00") == [(540, 750), (810, 1020)]
    assert spans_of("") == [] and spans_of("00:00-24:00") == [(0, 1440)]
    for text in (
        "9-5",
        "09:00",
        "10:00-09:00",
        "24:30-24:40",
        "09:00-12:00,11:00-13:00",
        ",".join(["00:00-00:01"] * 9),
    ):
        assert hours_fault(text) is not None, text
    assert hours_fault("08:00-09:00") is None
    assert closed_fault(["2026-12-24"]) is None
    for days in (["2026-13-01"], ["20261224"], ["2026-12-24"] * 201):
        assert closed_fault(days) is not None
