"""Deleting a message or one file of it: nothing of it is anywhere afterwards, and live readers see it go (C11, F2)."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncGenerator
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from audit_stage import trail
from files_stage import DELETE, FILE, photo
from plugins.chat.cabinet import DELETE_MESSAGE, SEND, Cabinet, cabinet_at

from bedside_core.auth import Role
from bedside_core.records import archive
from bedside_core.testing import Database

CANARY = "canary4713"
EVENTS = """subscription($i: ID!, $a: String) { conversationEvents(conversationId: $i, after: $a) {
    ... on MessageChanged { cursor added message { id body deletedAt attachments { id } } } } }"""
PATIENTS_DELETE = "mutation($on: Boolean!) { updateChatSettings(patch: { patientsDelete: $on }) { patientsDelete } }"
EXPORT = "mutation($c: String!) { exportPractice(clientId: $c) { id state url } }"
ONE = "query($i: ID!) { dataExport(id: $i) { state url } }"


@pytest_asyncio.fixture
async def cabinet(fresh_database: Database, tmp_path: Path) -> AsyncGenerator[Cabinet, None]:
    async with cabinet_at(fresh_database, tmp_path) as cabinet:
        yield cabinet


@pytest.mark.rule("C11")
async def test_one_file_goes_and_the_message_keeps_the_rest_until_nothing_is_left(cabinet: Cabinet) -> None:
    first, second, third = [await cabinet.uploaded(f"file {n}".encode(), f"{n}.txt") for n in range(3)]
    words = await cabinet.send(cabinet.direct, cabinet.ada, "see these", first)
    files = await cabinet.send(cabinet.direct, cabinet.ada, "", second, third)
    async with cabinet.deployment.socket(cabinet.bea.token) as socket:
        key = await socket.subscribe(EVENTS, i=cabinet.direct, a=files["cursor"])

        async def gone(file: str) -> dict[str, Any]:
            tomb = (await cabinet.deployment.data(DELETE, cabinet.ada.token, i=file))["deleteFile"]
            assert (tomb["id"], tomb["state"], tomb["name"]) == (file, "DELETED", None)
            assert (await cabinet.get(f"/files/{file}")).status_code == 404
            event = (await socket.next(key))["conversationEvents"]
            assert event["added"] is False
            return event["message"]

        message = await gone(first)
        assert message == {"id": words["id"], "body": "see these", "deletedAt": None, "attachments": []}
        message = await gone(second)
        assert message == {"id": files["id"], "body": "", "deletedAt": None, "attachments": [{"id": third}]}
        assert (await cabinet.get(f"/files/{third}", cabinet.bea)).content == b"file 2"
        message = await gone(third)
        assert message["deletedAt"]
        assert message == {**message, "id": files["id"], "body": "", "attachments": []}
    assert (await cabinet.message(words["id"], cabinet.bea))["deletedAt"] is None
    for person in (cabinet.ada, cabinet.bea):  # whoever read them sees the tombstones
        assert (await cabinet.deployment.data(FILE, person.token, i=third))["file"]["state"] == "DELETED"
    assert (cabinet.kept(), await cabinet.count("message_attachment")) == ([], 0)
    acts = [entry.action for entry in await trail(cabinet.practice.id)]
    assert (acts.count("files.delete"), acts.count("chat.delete")) == (3, 1)


@pytest.mark.rule("C11")
async def test_files_are_deleted_by_who_may_delete_the_message_and_nobody_else(cabinet: Cabinet) -> None:
    ben = await cabinet.deployment.person(cabinet.practice, name="Ben")
    manager = await cabinet.deployment.person(cabinet.practice, Role.MANAGER, "Mia")
    outside = await cabinet.deployment.person(cabinet.practice, Role.MANAGER, "Otto")
    people = [ben.id, manager.id]
    made = await cabinet.deployment.data(
        """mutation($p: [ID!]) { createGroup(name: "Ward", clientId: "g", personIds: $p) { id } }""",
        cabinet.ada.token,
        p=people,
    )
    group = made["createGroup"]["id"]
    upload = await cabinet.uploaded(b"hello")
    sent = await cabinet.send(group, cabinet.ada, "", upload)
    for person, code in ((ben, "FORBIDDEN"), (outside, "NOT_FOUND"), (cabinet.bea, "NOT_FOUND")):
        assert await cabinet.deployment.code(DELETE, person.token, i=upload) == code
        assert (await cabinet.get(f"/files/{upload}", ben)).content == b"hello"
        assert (await cabinet.message(sent["id"], ben))["deletedAt"] is None
    tomb = (await cabinet.deployment.data(DELETE, manager.token, i=upload))["deleteFile"]
    assert tomb["deletedBy"] == {"id": manager.id}
    assert (await cabinet.message(sent["id"], ben))["deletedAt"]
    theirs = await cabinet.send(cabinet.direct, cabinet.bea, "", await cabinet.uploaded(b"hers", by=cabinet.bea))
    [file] = theirs["attachments"]
    await cabinet.rows(  # as a moderator of the practice that owns the conversation, though another's member wrote it
        "UPDATE participant SET person_id = $1 WHERE person_id = $2 AND conversation_id = $3",
        manager.member.id, cabinet.ada.member.id, cabinet.direct,
    )  # fmt: skip
    assert (await cabinet.deployment.data(DELETE, manager.token, i=file["id"]))["deleteFile"]["state"] == "DELETED"


@pytest.mark.rule("C11")
async def test_a_patient_deletes_what_they_sent_only_where_the_practice_allows_it(cabinet: Cabinet) -> None:
    pat = await cabinet.deployment.held(cabinet.practice)
    conversation = await cabinet.with_patient(cabinet.ada, pat.id)
    own = await cabinet.handed_in(b"mine", "mine.txt", pat)
    other = await cabinet.uploaded(b"from the practice")
    await cabinet.send(conversation, pat, "", own)
    await cabinet.send(conversation, cabinet.ada, "", other)
    for file in (own, other):
        assert await cabinet.deployment.code(DELETE, pat.token, i=file) == "FORBIDDEN"
        assert (await cabinet.get(f"/files/{file}", pat)).status_code == 200  # type: ignore[arg-type]
    await cabinet.deployment.data(PATIENTS_DELETE, cabinet.olga.token, on=True)
    assert await cabinet.deployment.code(DELETE, pat.token, i=other) == "FORBIDDEN"
    assert (await cabinet.deployment.data(DELETE, pat.token, i=own))["deleteFile"]["state"] == "DELETED"
    assert [path.read_bytes() for path in cabinet.kept()] == [b"from the practice"]
    deleted = [entry for entry in await trail(cabinet.practice.id) if entry.action == "files.delete"]
    assert [(entry.person_id, entry.target) for entry in deleted] == [(pat.patient.id, own)]


async def traces(cabinet: Cabinet) -> list[str]:
    """Return where the canary still is: in any row of any table, the index and the queue among them, or file."""
    found = [f"row: {row[:300]}" for row in (await cabinet.everything()).splitlines() if CANARY in row]
    for path in cabinet.folder.rglob("*"):
        if path.is_file() and (CANARY in path.name or CANARY.encode() in _plain(path)):
            found.append(f"file: {path}")
    return found


def _plain(path: Path) -> bytes:
    """Return a file's bytes; of an archive those of all that is in it."""
    content = path.read_bytes()
    if content[:4] != b"PK\x03\x04":
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        return b"".join(name.encode() + opened.read(name) for name in opened.namelist())


async def exported(cabinet: Cabinet, client_id: str) -> dict[str, Any]:
    [begun] = (await cabinet.deployment.data(EXPORT, cabinet.olga.token, c=client_id)).values()
    await cabinet.run("export_data", export_id=begun["id"])
    return {"id": begun["id"], **(await cabinet.deployment.data(ONE, cabinet.olga.token, i=begun["id"]))["dataExport"]}


@pytest.mark.rule("C11")
@pytest.mark.promise("F2")
@pytest.mark.parametrize("kind", ["direct", "patient"])
async def test_of_a_deleted_message_nothing_is_left_anywhere(
    cabinet: Cabinet, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    conversation = cabinet.direct
    if kind == "patient":
        pat = await cabinet.deployment.held(cabinet.practice)
        conversation = await cabinet.with_patient(cabinet.ada, pat.id)
    else:
        await exported(cabinet, "older")
    files = [
        await cabinet.uploaded(f"{CANARY} in a text".encode(), f"{CANARY}.txt"),
        await cabinet.uploaded(photo(), f"{CANARY}.jpg"),
    ]
    if kind == "patient":
        settings = "mutation { updateChatSettings(patch: { patientsInPortal: true }) { patientsInPortal } }"
        await cabinet.deployment.data(settings, cabinet.olga.token)
    sent = await cabinet.send(conversation, cabinet.ada, f"the {CANARY} sings", *files)
    kept = await cabinet.send(conversation, cabinet.ada, "this one stays")
    made = await exported(cabinet, "newer")
    assert (made["state"], bool(made["url"])) == ("READY", True)
    before = await traces(cabinet)
    assert len([each for each in before if each.startswith("file")]) == 2  # the text, and the export
    assert len([each for each in before if each.startswith("row")]) == 3  # the message with its index, two files
    await cabinet.deployment.data(DELETE_MESSAGE, cabinet.ada.token, i=sent["id"])
    assert await traces(cabinet) == []
    assert (await cabinet.deployment.data(ONE, cabinet.olga.token, i=made["id"]))["dataExport"]["state"] == "EXPIRED"
    if kind == "direct":
        states = await cabinet.rows("SELECT state FROM data_export ORDER BY created_at")
        assert [row["state"] for row in states] == ["ready", "expired"]  # the older one never had it
    assert (await cabinet.message(kept["id"], cabinet.ada))["body"] == "this one stays"
    again = await exported(cabinet, "after")
    assert again["state"] == "READY"
    assert await traces(cabinet) == []
    told = capsys.readouterr()
    assert CANARY not in told.out + told.err


@pytest.mark.rule("C11")
@pytest.mark.promise("F2")
async def test_a_message_deleted_while_an_export_is_made_is_not_in_it(
    cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = await cabinet.send(cabinet.direct, cabinet.ada, f"the {CANARY} sings")
    write, left = archive.write, [sent["id"]]

    async def meanwhile(*given: Any) -> Any:
        contents = await write(*given)
        if left:
            delete = cabinet.deployment.data(DELETE_MESSAGE, cabinet.ada.token, i=left.pop())
            await asyncio.get_running_loop().create_task(delete, context=Context())
        return contents

    monkeypatch.setattr(archive, "write", meanwhile)
    made = await exported(cabinet, "one")
    assert made["state"] == "READY"
    answer = await cabinet.get(made["url"], cabinet.olga)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as opened:
        assert not [name for name in opened.namelist() if CANARY.encode() in opened.read(name)]


@pytest.mark.rule("C11")
async def test_deleting_at_once_by_several_ends_in_one_tombstone(cabinet: Cabinet) -> None:
    files = [await cabinet.uploaded(f"file {n}".encode()) for n in range(3)]
    sent = await cabinet.send(cabinet.direct, cabinet.ada, "", *files)
    answers = await asyncio.gather(
        *(cabinet.deployment.data(DELETE, cabinet.ada.token, i=file) for file in files * 2),
        cabinet.deployment.data(DELETE_MESSAGE, cabinet.ada.token, i=sent["id"]),
    )
    assert len(answers) == 7
    assert (await cabinet.message(sent["id"], cabinet.bea))["deletedAt"]
    acts = [entry.action for entry in await trail(cabinet.practice.id)]
    assert (acts.count("files.delete"), acts.count("chat.delete")) == (3, 1)
    assert (cabinet.kept(), await cabinet.count("file_object")) == ([], 0)


@pytest.mark.rule("C13")
async def test_a_retry_after_a_file_was_deleted_returns_the_first_message(cabinet: Cabinet) -> None:
    files = [await cabinet.uploaded(f"file {n}".encode()) for n in range(2)]
    values = {"i": cabinet.direct, "b": "", "u": files, "c": "once"}
    first = (await cabinet.deployment.data(SEND, cabinet.ada.token, **values))["sendMessage"]
    await cabinet.deployment.data(DELETE, cabinet.ada.token, i=files[0])
    again = (await cabinet.deployment.data(SEND, cabinet.ada.token, **values))["sendMessage"]
    assert (again["id"], [each["id"] for each in again["attachments"]]) == (first["id"], files[1:])
    fresh = await cabinet.uploaded(b"another")
    for other in ([*files, fresh], [fresh, files[1]]):
        assert await cabinet.deployment.code(SEND, cabinet.ada.token, **{**values, "u": other}) == "CONFLICT"
    assert await cabinet.count("message") == 1
