"""Exports of conversations: by whom, what is in them, for their makers alone, gone with what is deleted (C15)."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
import pytest_asyncio
from deployment import Held, Person, served
from plugins.chat.hall import ACKNOWLEDGE, DELETE, LEAVE, MARK, REACT, URGENT, allow, group, said, with_patient
from plugins.chat.ward import SEND, START, Ward

from bedside_chat import paper
from bedside_core.auth import Role
from bedside_core.database import DB, acting
from bedside_core.jobs.declared import JobRun
from bedside_core.testing import Database, statements

FIELDS = "{ id conversationId format state reason url megabytes createdAt endedAt expiresAt }"
EXPORT = f"""mutation($i: ID!, $f: ConversationExportFormat! = JSON, $c: String!, $p: String) {{
    exportConversation(conversationId: $i, format: $f, clientId: $c, purpose: $p) {FIELDS} }}"""
ONE = f"query($i: ID!) {{ conversationExport(id: $i) {FIELDS} }}"
MANY = "{ conversationExports { nodes { id state } } }"
AUDIT = """{ auditEntries(first: 20) { nodes { action kind target detail { name values } patientIds } } }"""


@pytest_asyncio.fixture
async def ward(fresh_database: Database, tmp_path: Path) -> AsyncGenerator[Ward, None]:
    """The ward of the other tests, with its files in a folder."""
    async with served(fresh_database, data=tmp_path) as deployment:
        practice = await deployment.practice()
        ada, ben = await deployment.person(practice, name="Ada"), await deployment.person(practice, name="Ben")
        data = await deployment.data(START, ada.token, m=ben.id, c="start-1")
        yield Ward(deployment, practice, ada, ben, data["startConversation"]["id"])


async def run(ward: Ward, name: str, practice: UUID | None = None, **payload: str) -> None:
    """Run a job of chat's for a practice, as a worker does."""
    platform, practice_id = ward.deployment.platform, practice or ward.practice.id
    with acting(practice_id):
        await platform.jobs.entries[f"chat.{name}"].function(
            JobRun(platform=platform, practice_id=practice_id, payload=payload, attempt=1)
        )


async def begun(ward: Ward, who: Person | Held, conversation: str, key: str = "e-1", **values: Any) -> dict[str, Any]:
    return (await ward.deployment.data(EXPORT, who.token, i=conversation, c=key, **values))["exportConversation"]


async def made(ward: Ward, who: Person | Held, conversation: str, key: str = "e-1", **values: Any) -> dict[str, Any]:
    """Ask for an export, have it made, and return it."""
    asked = await begun(ward, who, conversation, key, **values)
    assert (asked["state"], asked["url"]) == ("WAITING", None)
    await run(ward, "export_conversation", export_id=asked["id"])
    return (await ward.deployment.data(ONE, who.token, i=asked["id"]))["conversationExport"]


async def fetched(ward: Ward, url: str, who: Person | Held) -> httpx.Response:
    return await ward.deployment.http.get(url, headers={"authorization": f"Bearer {who.token}"})


@pytest.mark.rule("C15")
async def test_a_conversation_is_exported_with_all_that_was_said_and_done_in_it(ward: Ward) -> None:
    deployment = ward.deployment
    first = await ward.send("¿Mañana, señor? 👍 漢字", "m-1")
    urgent = (await deployment.data(URGENT, ward.ada.token, i=ward.conversation, b="Now!", c="m-2"))["sendMessage"]
    await deployment.data(ACKNOWLEDGE, ward.ben.token, m=urgent["id"])
    await deployment.data(REACT, ward.ben.token, m=first["id"], e="👍")
    gone = await ward.send("the canary", "m-3")
    await deployment.data(DELETE, ward.ada.token, m=gone["id"])
    reply = SEND.replace("$c: String!)", "$c: String!, $r: ID!)").replace("clientId: $c)", "clientId: $c, replyTo: $r)")
    await deployment.data(reply, ward.ben.token, i=ward.conversation, b="Sí", c="m-4", r=first["id"])
    found = await made(ward, ward.ben, ward.conversation)
    assert (found["state"], found["reason"], found["format"]) == ("READY", None, "JSON")
    answer = await fetched(ward, found["url"], ward.ben)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["content-disposition"].startswith("attachment")
    document = json.loads(answer.content)
    ada, ben = ({"id": each.id, "name": each.member.name} for each in (ward.ada, ward.ben))
    assert document["format"] == "bedside.conversation/1"
    assert (document["practice"], document["exportedBy"]) == ("Bay View", ben)
    assert (document["conversation"]["id"], document["conversation"]["kind"]) == (ward.conversation, "direct")
    assert [(each["id"], each["readUpTo"]) for each in document["participants"]] == [(ward.ada.id, 3), (ward.ben.id, 4)]
    one, two, three, four = document["messages"]
    assert (one["number"], one["body"], one["sender"]) == (1, "¿Mañana, señor? 👍 漢字", ada)
    assert one["reactions"] == [{"emoji": "👍", "by": [ben]}]
    assert (two["urgent"], [each["by"] for each in two["acknowledgements"]]) == (True, [ben])
    assert two["acknowledgements"][0]["at"] is not None
    assert (three["body"], three["deletedBy"], three["deletedAt"] is not None) == ("", ada, True)
    assert (four["body"], four["replyTo"], four["sender"]) == ("Sí", first["id"], ben)
    assert b"canary" not in answer.content


@pytest.mark.rule("C15")
async def test_times_are_told_in_the_practice_s_zone(ward: Ward, fresh_database: Database) -> None:
    owner = await asyncpg.connect(fresh_database.owner_dsn)
    await owner.execute("UPDATE practice SET zone = 'Asia/Kolkata'")
    await owner.close()
    await ward.send("hello", "m-1")
    found = await made(ward, ward.ada, ward.conversation)
    document = json.loads((await fetched(ward, found["url"], ward.ada)).content)
    assert document["zone"] == "Asia/Kolkata"
    assert document["messages"][0]["sentAt"].endswith("+05:30")


@pytest.mark.rule("C15")
async def test_a_pdf_is_made_by_a_process_of_its_own(ward: Ward) -> None:
    await ward.send("¿Mañana, señor Łukasz? Ω Ж שלום → 👍 ❤️ 😀 漢字\n\n" + "long " * 60, "m-1")
    found = await made(ward, ward.ada, ward.conversation, f="PDF")
    answer = await fetched(ward, found["url"], ward.ada)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.content.startswith(b"%PDF-") and answer.content.rstrip().endswith(b"%%EOF")


@pytest.mark.rule("C15")
def test_a_pdf_names_what_its_fonts_lack_and_breaks_lines(tmp_path: Path) -> None:
    shown = paper.Paper(tmp_path)._shown("¿Mañana, señor Łukasz? Ω Ж שלום → 👍🏽 ❤️ 😀 漢\u0007")
    assert shown == "¿Mañana, señor Łukasz? Ω Ж שלום → 👍 ❤ [grinning face] [U+6F22]"
    lines = list(paper_lines(tmp_path, "word " * 100 + "x" * 400))
    assert max(width for _, width in lines) <= paper.WIDTH and "".join(text for text, _ in lines).count("x") == 400


def paper_lines(folder: Path, text: str) -> list[tuple[str, float]]:
    sheet = paper.Paper(folder)
    sheet.set_font("text", "", 10)
    return [(line, sheet.get_string_width(line)) for line in sheet._lines(text, paper.WIDTH)]


@pytest.mark.rule("C15")
@pytest.mark.promise("A1")
async def test_who_is_not_in_it_exports_nothing_and_nobody_has_another_s_export(ward: Ward) -> None:
    await ward.send("between us", "m-1")
    manager = await ward.deployment.person(ward.practice, Role.MANAGER, "Mia")
    eve = await ward.deployment.person(await ward.deployment.practice("Hill"), Role.OWNER, "Eve")
    for person in (manager, eve):
        for target in (ward.conversation, "0199aaaa-0000-7000-8000-000000000000"):
            assert await ward.deployment.code(EXPORT, person.token, i=target, c="e", p="curious") == "NOT_FOUND"
    assert await ward.count("conversation_export") == 0
    found = await made(ward, ward.ada, ward.conversation)
    for person in (ward.ben, manager, eve):
        assert await ward.deployment.code(ONE, person.token, i=found["id"]) == "NOT_FOUND"
        assert (await fetched(ward, found["url"], person)).status_code == 404
        assert (await ward.deployment.data(MANY, person.token))["conversationExports"]["nodes"] == []
    assert (await fetched(ward, found["url"], ward.ada)).status_code == 200


@pytest.mark.rule("C15")
@pytest.mark.rule("A14")
async def test_an_owner_who_is_not_in_it_says_why_and_stands_in_the_trail(ward: Ward) -> None:
    held = await ward.deployment.held(ward.practice)
    await allow(ward, patientsInPortal=True)
    conversation = await with_patient(ward, held)
    await said(ward, conversation, "for the record", "m-1")
    owner = await ward.deployment.person(ward.practice, Role.OWNER, "Otto")
    for purpose in (None, "", "  ", "x" * 501):
        assert await ward.deployment.code(EXPORT, owner.token, i=conversation, c="e", p=purpose) == "INVALID_INPUT"
    assert await ward.count("conversation_export") == 0
    found = await made(ward, owner, conversation, p="Complaint 12")
    document = json.loads((await fetched(ward, found["url"], owner)).content)
    assert document["exportedBy"] == {"id": owner.id, "name": owner.member.name}
    assert [each["body"] for each in document["messages"]] == ["for the record"]
    with acting(ward.practice.id):
        rows = await DB.fetch("SELECT action, kind, target, patients, detail FROM audit_entry ORDER BY at, id")
    entries = [row for row in rows if row["target"] == conversation and row["action"].startswith("chat.export")]
    assert [row["action"] for row in entries] == ["chat.export_as_owner", "chat.exported"]
    assert entries[0]["detail"]["purpose"] == "Complaint 12"
    assert all(held.patient.id in row["patients"] for row in entries)
    downloads = [row for row in rows if row["action"] == "files.download"]
    assert [list(row["patients"]) for row in downloads] == [[held.patient.id]]
    # who takes part needs no reason, and the trail tells the two apart
    await made(ward, ward.ada, conversation)
    with acting(ward.practice.id):
        plain = await DB.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'chat.export'")
    assert plain == 1


@pytest.mark.rule("C15")
async def test_a_patient_exports_their_own_and_no_other(ward: Ward) -> None:
    await allow(ward, patientsInPortal=True)
    one, two = await ward.deployment.held(ward.practice), await ward.deployment.held(ward.practice)
    mine, other = await with_patient(ward, one), await with_patient(ward, two)
    await said(ward, mine, "yours alone", "m-1")
    found = await made(ward, one, mine)
    answer = await fetched(ward, found["url"], one)
    assert [each["body"] for each in json.loads(answer.content)["messages"]] == ["yours alone"]
    read = {each["kind"]: each["readUpTo"] for each in json.loads(answer.content)["participants"]}
    assert read == {"patient": 0, "member": None}  # what members have read is not theirs to know (C14)
    assert await ward.deployment.code(EXPORT, one.token, i=other, c="x") == "NOT_FOUND"
    assert await ward.deployment.code(EXPORT, one.token, i=ward.conversation, c="x") == "NOT_FOUND"
    assert (await fetched(ward, found["url"], two)).status_code == 404
    assert (await fetched(ward, found["url"], ward.ada)).status_code == 404


@pytest.mark.rule("C15")
@pytest.mark.rule("C11")
@pytest.mark.promise("F2")
async def test_an_export_goes_with_the_first_deletion_in_it(ward: Ward, tmp_path: Path) -> None:
    sent = await ward.send("the canary", "m-1")
    other = await group(ward)
    await said(ward, other, "elsewhere", "m-1")
    found, kept = await made(ward, ward.ben, ward.conversation), await made(ward, ward.ada, other)
    await ward.deployment.data(DELETE, ward.ada.token, m=sent["id"])
    assert (await fetched(ward, found["url"], ward.ben)).status_code == 404
    after = (await ward.deployment.data(ONE, ward.ben.token, i=found["id"]))["conversationExport"]
    assert (after["state"], after["url"]) == ("EXPIRED", None)
    assert (await fetched(ward, kept["url"], ward.ada)).status_code == 200
    with acting(ward.practice.id):
        await ward.deployment.platform.jobs.entries["core.remove_bytes"].function(
            JobRun(platform=ward.deployment.platform, practice_id=ward.practice.id, payload={}, attempt=1)
        )
    assert b"canary" not in everything(tmp_path)


def everything(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.rule("C15")
@pytest.mark.promise("F2")
async def test_what_is_deleted_while_an_export_is_made_is_not_in_it(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bedside_chat import exporting
    from bedside_core.api import keep_made

    sent = await ward.send("the canary", "m-1")
    await ward.send("stays", "m-2")
    keep, deleted = keep_made, False

    async def slow(*args: Any) -> Any:
        nonlocal deleted
        if not deleted:
            deleted = True
            await ward.deployment.data(DELETE, ward.ada.token, m=sent["id"])
        return await keep(*args)

    monkeypatch.setattr(exporting, "keep_made", slow)
    found = await made(ward, ward.ben, ward.conversation)
    answer = await fetched(ward, found["url"], ward.ben)
    assert found["state"] == "READY" and b"canary" not in answer.content and b"stays" in answer.content


@pytest.mark.rule("C15")
async def test_an_export_ends_with_its_week_and_with_the_right_to_it(ward: Ward) -> None:
    carl = await ward.deployment.person(ward.practice, name="Carl")
    other = await group(ward, carl)
    await said(ward, other, "hello", "m-1")
    found = await made(ward, carl, other)
    waiting = await begun(ward, carl, other, "e-2")
    await ward.deployment.data(LEAVE, carl.token, i=other)
    assert (await fetched(ward, found["url"], carl)).status_code == 404
    await run(ward, "export_conversation", export_id=waiting["id"])
    failed = (await ward.deployment.data(ONE, carl.token, i=waiting["id"]))["conversationExport"]
    assert (failed["state"], failed["url"]) == ("FAILED", None)
    assert failed["reason"] == "Who asked for this export may not any more."
    mine = await made(ward, ward.ada, other, "e-3")
    with acting(ward.practice.id):
        await DB.execute("UPDATE conversation_export SET expires_at = now() - $1::interval", timedelta(seconds=1))
    await run(ward, "expire_exports")
    assert (await fetched(ward, mine["url"], ward.ada)).status_code == 404
    gone = (await ward.deployment.data(ONE, ward.ada.token, i=mine["id"]))["conversationExport"]
    assert (gone["state"], gone["url"]) == ("EXPIRED", None)


@pytest.mark.rule("G9")
async def test_a_retry_returns_the_first_export_and_three_may_wait(ward: Ward) -> None:
    first = await begun(ward, ward.ada, ward.conversation)
    assert (await begun(ward, ward.ada, ward.conversation))["id"] == first["id"]
    assert await ward.deployment.code(EXPORT, ward.ada.token, i=ward.conversation, c="e-1", f="PDF") == "CONFLICT"
    for number in (2, 3):
        await begun(ward, ward.ada, ward.conversation, f"e-{number}")
    assert await ward.deployment.code(EXPORT, ward.ada.token, i=ward.conversation, c="e-4") == "RATE_LIMITED"
    assert await ward.count("conversation_export") == 3
    await run(ward, "export_conversation", export_id=first["id"])
    await run(ward, "export_conversation", export_id=first["id"])  # as after a worker that ended before it told
    assert await ward.count("file") == 1


async def test_writing_an_export_costs_no_more_statements_for_more_messages(ward: Ward) -> None:
    costs = []
    for round_ in range(2):
        for number in range(5):
            sent = await ward.send(f"note {round_} {number}", f"m-{round_}-{number}")
            await ward.deployment.data(REACT, ward.ben.token, m=sent["id"], e="👍")
        await ward.deployment.data(MARK, ward.ben.token, i=ward.conversation, u=sent["cursor"])
        asked = await begun(ward, ward.ada, ward.conversation, f"e-{round_}")
        with statements() as ran:
            await run(ward, "export_conversation", export_id=asked["id"])
        costs.append(len(ran))
    assert costs[0] == costs[1], costs


@pytest.mark.rule("C15")
async def test_an_export_that_is_never_made_fails_and_leaves_room_for_others(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bedside_chat import exporting

    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit(1)")
    monkeypatch.setattr(exporting, "PAPER", broken)
    failing, lost = [await begun(ward, ward.ada, ward.conversation, f"e-{n}", f="PDF") for n in range(2)]
    with pytest.raises(RuntimeError, match="the PDF could not be set"):
        await run(ward, "export_conversation", export_id=failing["id"])  # as in each attempt, until it is held
    await ward.deployment.platform.clock.move(timedelta(hours=2))
    recent = await begun(ward, ward.ada, ward.conversation, "e-3", f="PDF")
    await run(ward, "expire_exports")
    assert await ward.deployment.code(EXPORT, ward.ada.token, i=ward.conversation, c="e-4") == "RATE_LIMITED"
    await ward.deployment.platform.clock.move(timedelta(hours=1, minutes=1))
    for _ in range(2):
        await run(ward, "expire_exports")
    states = []
    for each in (failing, lost, recent):
        found = (await ward.deployment.data(ONE, ward.ada.token, i=each["id"]))["conversationExport"]
        states.append((found["state"], found["reason"]))
    told = "It could not be made. Ask for another one."
    assert states == [("FAILED", told), ("FAILED", told), ("WAITING", None)]
    await run(ward, "export_conversation", export_id=lost["id"])  # a job that comes late makes nothing
    assert (await ward.deployment.data(ONE, ward.ada.token, i=lost["id"]))["conversationExport"]["state"] == "FAILED"
    assert (await made(ward, ward.ada, ward.conversation, "e-4"))["state"] == "READY"
    with acting(ward.practice.id):
        failed = await DB.fetch("SELECT target FROM audit_entry WHERE action = 'chat.export_failed'")
    assert [row["target"] for row in failed] == [ward.conversation] * 2
