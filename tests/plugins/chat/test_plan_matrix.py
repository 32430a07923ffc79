"""What is open to whom on which plan: the composer and `can` tell it, sending does it (L2, L9, C2, C3, C4)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from deployment import Bearer, Held
from files_stage import MISSING
from plugins.chat import connecting
from plugins.chat.cabinet import Cabinet, cabinet_at
from plugins.chat.ward import START

from bedside_core.access import Tier
from bedside_core.people import Practice
from bedside_core.testing import Database
from bedside_plans.service import PlanService

CAN = "query($a: String!, $t: ID) { can(action: $a, target: $t) { allowed code message wayOn feature } }"
GROUP = """mutation($n: String!, $c: String!, $p: [ID!]) {
    createGroup(name: $n, clientId: $c, personIds: $p) { id } }"""
TEAM = 'mutation { openTeamConversation(clientId: "team") { id } }'
CONTACT = """mutation($e: String!) {
    addContact(input: { firstName: "Ida", lastName: "Lang", email: $e }, clientId: $e) { id } }"""
EXTERNAL = 'mutation($i: ID!) { startExternalConversation(contactId: $i, clientId: "x") { id } }'
PRACTITIONER = """mutation($m: ID!, $c: String!) {
    startPractitionerConversation(memberId: $m, clientId: $c) { id } }"""
PORTAL = "mutation($on: Boolean!) { updateChatSettings(patch: { patientsInPortal: $on }) { patientsInPortal } }"
OUTSIDERS = "mutation { updateChatSettings(patch: { outsidersInGroups: true }) { outsidersInGroups } }"
AVAILABLE = """mutation($on: Boolean!) {
    updateChatOwnSettings(patch: { availableForPatients: $on }) { availableForPatients } }"""
ADD = "mutation($i: ID!, $p: [ID!]!) { addParticipants(conversationId: $i, personIds: $p) { id } }"
SUSPEND = "mutation($p: ID!) { suspendPortalAccount(patientId: $p) { state } }"
REINSTATE = "mutation($p: ID!) { reinstatePortalAccount(patientId: $p) { state } }"
BODIES = "query($i: ID!) { conversation(id: $i) { messages { nodes { body attachments { id } } } } }"

PLAN, OPEN = "FEATURE_NOT_IN_PLAN", None
OUTSIDE = {"patient", "by link", "external"}
INSIDE = {"direct", "group", "team"}

# Tier -> kind of conversation -> what comes of text and of files, to a member of the owning practice (L2).
MATRIX: dict[str, dict[str, tuple[str | None, str | None]]] = {
    "starter": {**dict.fromkeys(OUTSIDE, (PLAN, OPEN)), **dict.fromkeys(INSIDE, (PLAN, PLAN))},
    "enhanced": {**dict.fromkeys(OUTSIDE, (OPEN, OPEN)), **dict.fromkeys(INSIDE, (PLAN, PLAN))},
    "premium": {**dict.fromkeys(OUTSIDE, (OPEN, OPEN)), **dict.fromkeys(INSIDE, (OPEN, OPEN))},
}
FEATURES = {"text": {True: "patient_messages", False: "team_chat"}, "files": {True: "file_share", False: "team_chat"}}


@dataclass(frozen=True)
class Guest:
    """Somebody who came by a link."""

    token: str


class Floor:
    """A practice with a conversation of each kind, all of them Ada's."""

    def __init__(self, cabinet: Cabinet, pat: Held, conversations: dict[str, str]) -> None:
        self.cabinet, self.pat, self.conversations = cabinet, pat, conversations

    async def plan(self, tier: str, practice: Practice | None = None) -> None:
        plans = self.cabinet.deployment.platform.service(PlanService)
        await plans.change_plan((practice or self.cabinet.practice).id, Tier(tier))

    async def switch(self, *, on: bool) -> None:
        await self.cabinet.deployment.data(PORTAL, self.cabinet.olga.token, on=on)

    async def guest(self, kind: str) -> Guest:
        """Come by the link that was sent for a conversation."""
        [row] = await self.cabinet.rows(
            """SELECT n.facts->>'link' AS link FROM notification n JOIN guest_link g ON g.id::text = n.same_key
            WHERE n.kind = 'chat.guest_link' AND g.conversation_id = $1""",
            UUID(self.conversations[kind]),
        )
        given = {"secret": row["link"].partition("#")[2], "dateOfBirth": self.cabinet.patient.date_of_birth.isoformat()}
        answer = await self.cabinet.deployment.http.post("/chat/guest/exchange", json=given)
        assert answer.status_code == 200, answer.text
        return Guest(answer.json()["token"])

    async def outcome(self, kind: str, by: Bearer | None = None) -> tuple[str | None, str | None]:
        """Return what comes of text and of files, once composer, `can` and sending were seen to agree on it."""
        who, conversation = by or self.cabinet.ada, self.conversations[kind]
        composer = await self.cabinet.composer(conversation, who)
        for part, permission in (("text", "chat.send"), ("files", "chat.share_files")):
            state = composer[part]
            told = (await self.cabinet.deployment.data(CAN, who.token, a=permission, t=conversation))["can"]
            assert told == {
                "allowed": state["open"], **{key: state[key] for key in ("code", "message", "wayOn", "feature")},
            }, (kind, part)  # fmt: skip
            assert (state["code"] is None) is state["open"]
            if state["open"]:
                assert (state["message"], state["wayOn"], state["feature"]) == (None, None, None)
                await self._goes_through(conversation, who, part)
            else:
                body, uploads = ("text", ()) if part == "text" else ("", (await self._upload(who),))
                refused = await self.cabinet.refused(conversation, who, body, *uploads)
                assert (refused["code"], refused["message"]) == (state["code"], state["message"]), (kind, part)
                assert refused.get("feature") == state["feature"]
                assert bool(state["wayOn"])
        return composer["text"]["code"], composer["files"]["code"]

    async def _goes_through(self, conversation: str, who: Bearer, part: str) -> None:
        if part == "text":
            assert (await self.cabinet.send(conversation, who, "hello"))["body"] == "hello"
        else:
            upload = await self._upload(who)
            sent = await self.cabinet.send(conversation, who, "", upload)
            assert [each["id"] for each in sent["attachments"]] == [upload]
            assert (await self.cabinet.get(f"/files/{upload}", who)).status_code == 200

    async def _upload(self, who: Bearer) -> str:
        if isinstance(who, Held):
            return await self.cabinet.handed_in(b"x", "a.txt", who)
        return await self.cabinet.uploaded(b"x", by=who)


@pytest_asyncio.fixture
async def floor(fresh_database: Database, tmp_path: Path) -> AsyncGenerator[Floor, None]:
    async with cabinet_at(fresh_database, tmp_path) as cabinet:
        ask, token = cabinet.deployment.data, cabinet.ada.token
        pat = await cabinet.deployment.held(cabinet.practice)
        ben = await cabinet.deployment.person(cabinet.practice, name="Ben")
        contact = (await ask(CONTACT, token, e="ida@example.org"))["addContact"]["id"]
        conversations = {
            "patient": await cabinet.with_patient(cabinet.ada, pat.id),
            "by link": await cabinet.with_patient(cabinet.ada, cabinet.patient.id, by_link=True),
            "external": (await ask(EXTERNAL, token, i=contact))["startExternalConversation"]["id"],
            "direct": (await ask(START, token, m=ben.id, c="own"))["startConversation"]["id"],
            "group": (await ask(GROUP, token, n="Ward", c="g", p=[ben.id]))["createGroup"]["id"],
            "team": (await ask(TEAM, token))["openTeamConversation"]["id"],
            "connected": cabinet.direct,
        }
        yield Floor(cabinet, pat, conversations)


@pytest.mark.rule("L2")
@pytest.mark.rule("L3")
@pytest.mark.parametrize("tier", MATRIX)
async def test_each_plan_opens_what_it_holds_and_the_composer_tells_what_sending_does(floor: Floor, tier: str) -> None:
    await floor.switch(on=True)
    await floor.plan(tier)
    for kind, expected in MATRIX[tier].items():
        assert await floor.outcome(kind) == expected, kind
        composer = await floor.cabinet.composer(floor.conversations[kind], floor.cabinet.ada)
        for part, code in zip(("text", "files"), expected, strict=True):
            assert composer[part]["feature"] == (FEATURES[part][kind in OUTSIDE] if code == PLAN else None)
    text, files = MATRIX[tier]["patient"]
    assert await floor.outcome("patient", floor.pat) == (text, files)  # the patient's practice is the same one


@pytest.mark.rule("L2")
async def test_on_starter_text_with_a_file_is_refused_as_text(floor: Floor) -> None:
    await floor.switch(on=True)
    await floor.plan("starter")
    upload = await floor.cabinet.uploaded(b"x")
    for kind in ("patient", "by link", "external"):
        told = await floor.cabinet.refused(floor.conversations[kind], floor.cabinet.ada, "see this", upload)
        assert (told["code"], told["feature"]) == ("FEATURE_NOT_IN_PLAN", "patient_messages")
    sent = await floor.cabinet.send(floor.conversations["patient"], floor.cabinet.ada, " \n ", upload)
    assert (sent["body"], len(sent["attachments"])) == ("", 1)  # blanks say nothing


@pytest.mark.rule("L4")
@pytest.mark.rule("L5")
async def test_a_downgrade_closes_at_once_and_what_was_there_stays_readable(floor: Floor) -> None:
    await floor.switch(on=True)
    cabinet, said = floor.cabinet, dict[str, Any]()
    for kind, conversation in floor.conversations.items():
        assert await floor.outcome(kind) == (OPEN, OPEN), kind
        said[kind] = (await cabinet.deployment.data(BODIES, cabinet.ada.token, i=conversation))["conversation"]
        assert len(said[kind]["messages"]["nodes"]) == 2
    await floor.plan("starter")
    for kind, conversation in floor.conversations.items():
        assert (await cabinet.refused(conversation, cabinet.ada, "text"))["code"] == "FEATURE_NOT_IN_PLAN", kind
        again = (await cabinet.deployment.data(BODIES, cabinet.ada.token, i=conversation))["conversation"]
        assert again == said[kind], kind
        [file] = [each["id"] for node in again["messages"]["nodes"] for each in node["attachments"]]
        assert (await cabinet.get(f"/files/{file}")).content == b"x"
    await floor.plan("premium")
    for kind in floor.conversations:
        assert await floor.outcome(kind) == (OPEN, OPEN), kind


@pytest.mark.rule("L9")
@pytest.mark.parametrize(
    ("own", "other", "ada", "bea"),
    [
        ("premium", "starter", (OPEN, OPEN), (PLAN, PLAN)),
        ("starter", "premium", (PLAN, PLAN), (OPEN, OPEN)),
        ("enhanced", "enhanced", (PLAN, PLAN), (PLAN, PLAN)),
        ("premium", "premium", (OPEN, OPEN), (OPEN, OPEN)),
    ],
)
async def test_between_practices_the_plan_of_who_acts_decides(
    floor: Floor, own: str, other: str, ada: tuple[str | None, str | None], bea: tuple[str | None, str | None]
) -> None:
    await floor.plan(own)
    await floor.plan(other, floor.cabinet.hill)
    assert await floor.outcome("connected") == ada
    assert await floor.outcome("connected", floor.cabinet.bea) == bea


@pytest.mark.rule("L2", "L9", "C3", "C6")
@pytest.mark.parametrize("tier", MATRIX)
async def test_a_guest_sends_what_the_owning_practice_s_plan_holds_whatever_its_switch(floor: Floor, tier: str) -> None:
    guests = {kind: await floor.guest(kind) for kind in ("by link", "external")}
    await floor.plan(tier)
    for on in (True, False):
        await floor.switch(on=on)
        for kind, guest in guests.items():
            assert await floor.outcome(kind, guest) == MATRIX[tier][kind], (kind, on)


@pytest.mark.rule("L9", "P2")
@pytest.mark.parametrize("tier", MATRIX)
async def test_on_no_plan_does_a_former_partner_send_anything(floor: Floor, tier: str) -> None:
    cabinet, expected = floor.cabinet, MATRIX[tier]["direct"]
    await cabinet.deployment.data(OUTSIDERS, cabinet.olga.token)
    made = await cabinet.deployment.data(GROUP, cabinet.ada.token, n="Mixed", c="m", p=[cabinet.bea.id])
    floor.conversations["mixed"] = made["createGroup"]["id"]
    await floor.plan(tier, cabinet.hill)
    for kind in ("connected", "mixed"):
        assert await floor.outcome(kind, cabinet.bea) == expected
    await connecting.part(cabinet.deployment, cabinet.olga)
    for kind in ("connected", "mixed"):
        assert await floor.outcome(kind, cabinet.bea) == ("CONVERSATION_READ_ONLY",) * 2
    await connecting.connect(cabinet.deployment, cabinet.olga, cabinet.bea, cabinet.hill, "again")
    for kind in ("connected", "mixed"):
        assert await floor.outcome(kind, cabinet.bea) == expected


@pytest.mark.rule("L9")
async def test_an_outsider_does_not_lift_a_group_out_of_its_gate(floor: Floor) -> None:
    cabinet = floor.cabinet
    await cabinet.deployment.data(OUTSIDERS, cabinet.olga.token)
    contact = await cabinet.deployment.data(CONTACT, cabinet.ada.token, e="ivo@example.org")
    people = [contact["addContact"]["id"], cabinet.bea.id]
    made = await cabinet.deployment.data(GROUP, cabinet.ada.token, n="Mixed", c="m", p=people)
    floor.conversations["mixed"] = made["createGroup"]["id"]
    for tier, expected in (("enhanced", (PLAN, PLAN)), ("starter", (PLAN, PLAN)), ("premium", (OPEN, OPEN))):
        await floor.plan(tier)
        assert await floor.outcome("mixed") == expected
        assert await floor.outcome("mixed", cabinet.bea) == (OPEN, OPEN)  # hers is premium


GONE = "NOT_REACHED"
LEAVE = "mutation($i: ID!) { leaveConversation(conversationId: $i) }"
REVOKE = "mutation($i: ID!, $p: ID!) { revokeGuestLink(conversationId: $i, personId: $p) { id } }"
SEND_LINK = "mutation($i: ID!, $p: ID!) { sendGuestLink(conversationId: $i, personId: $p) { id } }"


async def _left(floor: Floor, conversation: str) -> None:
    guest = await floor.guest("by link")
    await floor.cabinet.deployment.data(LEAVE, guest.token, i=conversation)


async def _revoked(floor: Floor, conversation: str) -> None:
    patient = str(floor.cabinet.patient.id)
    await floor.cabinet.deployment.data(REVOKE, floor.cabinet.ada.token, i=conversation, p=patient)


async def _expired(floor: Floor, conversation: str) -> None:
    await floor.cabinet.rows(
        "UPDATE guest_link SET expires_at = now() - interval '1 second' WHERE conversation_id = $1",
        UUID(conversation),
    )


@pytest.mark.rule("C6", "L2")
@pytest.mark.parametrize("end", [_left, _revoked, _expired], ids=["left", "revoked", "expired"])
async def test_a_link_that_is_over_closes_on_every_plan_and_a_new_one_opens(
    floor: Floor, end: Callable[[Floor, str], Any]
) -> None:
    conversation, patient = floor.conversations["by link"], str(floor.cabinet.patient.id)
    await end(floor, conversation)
    for tier in MATRIX:
        await floor.plan(tier)
        text = PLAN if tier == "starter" else GONE
        assert await floor.outcome("by link") == (text, GONE), tier
        assert await floor.outcome("external") == MATRIX[tier]["external"], tier  # its link is another
    await floor.cabinet.deployment.data(SEND_LINK, floor.cabinet.ada.token, i=conversation, p=patient)
    assert await floor.outcome("by link") == (OPEN, OPEN)


NEEDED, OFF = "PORTAL_ACCOUNT_NEEDED", "SWITCHED_OFF"


async def _none(floor: Floor) -> None:
    await floor.cabinet.rows("DELETE FROM portal_holder WHERE patient_id = $1", floor.pat.patient.id)


async def _invited(floor: Floor) -> None:
    await floor.cabinet.rows(
        "UPDATE portal_holder SET registered_at = NULL, account_id = NULL WHERE patient_id = $1", floor.pat.patient.id
    )


async def _suspended(floor: Floor) -> None:
    await floor.cabinet.deployment.data(SUSPEND, floor.cabinet.olga.token, p=floor.pat.id)


async def _active(floor: Floor) -> None:
    return None


STATES: dict[str, Callable[[Floor], Any]] = {
    "none": _none, "invited": _invited, "suspended": _suspended, "active": _active,
}  # fmt: skip


@pytest.mark.rule("C2")
@pytest.mark.rule("C3")
@pytest.mark.parametrize("on", [True, False], ids=["switched on", "switched off"])
@pytest.mark.parametrize("state", STATES)
async def test_the_portal_s_state_and_the_practice_s_switch_decide_and_links_know_neither(
    floor: Floor, state: str, on: bool
) -> None:
    await floor.switch(on=on)
    await STATES[state](floor)
    reached = state == "active"
    for tier in ("starter", "enhanced"):
        await floor.plan(tier)
        text = PLAN if tier == "starter" else NEEDED if not reached else OPEN if on else OFF
        assert await floor.outcome("patient") == (text, OPEN if reached else NEEDED), tier
        assert await floor.outcome("by link") == (PLAN if tier == "starter" else OPEN, OPEN), tier
    if reached:
        assert await floor.outcome("patient", floor.pat) == (OPEN if on else OFF, OPEN)
    else:
        start = """mutation($p: ID!) { startPatientConversation(patientId: $p, clientId: "new") { id } }"""
        carl = await floor.cabinet.deployment.person(floor.cabinet.practice, name="Carl")
        before = await floor.cabinet.count("conversation")
        assert await floor.cabinet.deployment.code(start, carl.token, p=floor.pat.id) == NEEDED
        assert await floor.cabinet.count("conversation") == before


@pytest.mark.rule("C4")
async def test_a_practitioner_who_is_not_available_is_not_started_with_and_what_runs_goes_on(floor: Floor) -> None:
    cabinet = floor.cabinet
    await floor.switch(on=True)
    carl = await cabinet.deployment.person(cabinet.practice, name="Carl")
    other = await cabinet.deployment.held(cabinet.practice)
    for person in (cabinet.ada, carl):
        await cabinet.deployment.data(AVAILABLE, person.token, on=False)
    before = await cabinet.count("conversation")
    for member in (cabinet.ada, carl):
        told = (await cabinet.deployment.data(CAN, other.token, a="chat.start_with_practitioner", t=member.id))["can"]
        answer = await cabinet.deployment.ask(PRACTITIONER, other.token, m=member.id, c=f"with-{member.id}")
        [error] = answer["errors"]
        assert error["extensions"]["code"] == told["code"] == "NOT_AVAILABLE"
        assert (error["message"], error["extensions"]["wayOn"]) == (told["message"], told["wayOn"])
    assert await cabinet.count("conversation") == before
    # what runs goes on, in both directions; and the patient who starts it again finds it
    assert await floor.outcome("patient", floor.pat) == (OPEN, OPEN)
    assert await floor.outcome("patient") == (OPEN, OPEN)
    # the practitioner still starts one, and is added to others
    started = await cabinet.with_patient(carl, other.id)
    await cabinet.send(started, other, "thank you for writing")
    await cabinet.deployment.data(ADD, cabinet.ada.token, i=floor.conversations["patient"], p=[carl.id])
    assert await floor.outcome("patient", carl) == (OPEN, OPEN)
    await cabinet.deployment.data(AVAILABLE, carl.token, on=True)
    third = await cabinet.deployment.held(cabinet.practice)
    data = await cabinet.deployment.data(PRACTITIONER, third.token, m=carl.id, c="now")
    await cabinet.send(data["startPractitionerConversation"]["id"], third, "hello")


@pytest.mark.promise("A1")
async def test_who_takes_no_part_is_told_of_no_plan(floor: Floor) -> None:
    await floor.plan("starter")
    stranger = await floor.cabinet.deployment.person(floor.cabinet.practice, name="Otto")
    for conversation in (floor.conversations["patient"], MISSING):
        told = (await floor.cabinet.deployment.data(CAN, stranger.token, a="chat.share_files", t=conversation))["can"]
        assert (told["allowed"], told["code"]) == (False, "NOT_FOUND")
        assert (await floor.cabinet.refused(conversation, stranger, "", MISSING))["code"] == "NOT_FOUND"
