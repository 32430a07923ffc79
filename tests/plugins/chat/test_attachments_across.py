"""Files in a conversation of another practice: they become that practice's, and both read them (C12, L9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from audit_stage import trail
from files_stage import DELETE, FILE, MISSING, photo
from plugins.chat.cabinet import DELETE_MESSAGE, SEND, Cabinet, cabinet_at
from plugins.chat.connecting import part

from bedside_core import errors
from bedside_core.database import DB, acting
from bedside_core.files.store import Store, new_key
from bedside_core.testing import Database, statements

CONTENT = b"canary-4712 in a text"
LIMIT = """mutation($p: ID!, $a: Int!) {
    setPlanLimit(practiceId: $p, key: "storage_gb", amount: $a) { __typename } }"""
TAKES = "mutation($p: FileSettingsPatch!) { updateFilesSettings(patch: $p) { texts } }"


@pytest_asyncio.fixture
async def cabinet(fresh_database: Database, tmp_path: Path) -> AsyncGenerator[Cabinet, None]:
    async with cabinet_at(fresh_database, tmp_path) as cabinet:
        yield cabinet


async def owners(cabinet: Cabinet) -> set[tuple[str, str]]:
    """Return which practice has files, and which has bytes in the store."""
    rows = await cabinet.rows(
        "SELECT 'row' AS what, practice_id FROM file UNION SELECT 'key', practice_id FROM file_object"
    )
    names = {cabinet.practice.id: "own", cabinet.hill.id: "hill"}
    found = {(row["what"], names[row["practice_id"]]) for row in rows}
    folders = {path.parent.name for path in cabinet.kept()}
    return found | {("bytes", names[key]) for key in names if key.hex in folders}


@pytest.mark.rule("C12")
@pytest.mark.rule("L9")
async def test_what_a_connected_practice_s_member_sends_becomes_the_owning_practice_s(cabinet: Cabinet) -> None:
    upload, picture = (
        await cabinet.uploaded(CONTENT, by=cabinet.bea),
        await cabinet.uploaded(photo(), "p.jpg", cabinet.bea),
    )
    assert await owners(cabinet) == {("row", "hill"), ("key", "hill"), ("bytes", "hill")}
    sent = await cabinet.send(cabinet.direct, cabinet.bea, "two files", upload, picture)
    assert [(each["id"], each["name"], each["state"]) for each in sent["attachments"]] == [
        (upload, "a.txt", "ATTACHED"), (picture, "p.jpg", "ATTACHED"),
    ]  # fmt: skip
    assert await owners(cabinet) == {("row", "own"), ("key", "own"), ("bytes", "own")}
    assert len(cabinet.kept()) == 3  # the text, the photo and its preview
    stranger = await cabinet.deployment.person(cabinet.hill, name="Carl")
    colleague = await cabinet.deployment.person(cabinet.practice, name="Dora")
    past = len(await trail(cabinet.practice.id))
    elsewhere = len(await trail(cabinet.hill.id))
    for person in (cabinet.ada, cabinet.bea):
        assert (await cabinet.message(sent["id"], person))["attachments"][0]["url"] == f"/files/{upload}"
        assert (await cabinet.get(f"/files/{upload}", person)).content == CONTENT
        assert (await cabinet.get(f"/files/{picture}/preview", person)).headers["content-type"] == "image/jpeg"
        assert (await cabinet.deployment.data(FILE, person.token, i=upload))["file"]["name"] == "a.txt"
    for person in (stranger, colleague):
        for url in (f"/files/{upload}", f"/files/{picture}/preview"):
            assert (await cabinet.get(url, person)).status_code == 404
        told = [await cabinet.deployment.ask(FILE, person.token, i=each) for each in (upload, MISSING)]
        assert told[0]["errors"][0]["message"] == told[1]["errors"][0]["message"]
    entered = [(entry.action, entry.person_id, entry.target) for entry in await trail(cabinet.practice.id, past=past)]
    got = [
        ("files.download", person.member.id, each)
        for person in (cabinet.ada, cabinet.bea)
        for each in (upload, picture)
    ]
    assert entered == got
    assert len(await trail(cabinet.hill.id)) == elsewhere


@pytest.mark.rule("C12")
async def test_the_sweep_of_either_practice_leaves_what_was_handed_over(
    cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await cabinet.uploaded(CONTENT, by=cabinet.bea)
    await cabinet.send(cabinet.direct, cabinet.bea, "", upload)
    monkeypatch.setattr("bedside_core.files.sweep.GRACE", timedelta(hours=-1))  # nothing is too young to be an orphan
    for practice in (cabinet.hill, cabinet.practice):
        await cabinet.work(practice, "sweep_files")
    assert (await cabinet.get(f"/files/{upload}", cabinet.bea)).content == CONTENT
    assert (len(cabinet.kept()), await cabinet.count("file_object")) == (1, 1)


@pytest.mark.rule("L9")
async def test_the_owning_practice_decides_what_is_taken_and_how_much(cabinet: Cabinet) -> None:
    upload = await cabinet.uploaded(CONTENT, by=cabinet.bea)
    operator = await cabinet.deployment.operator()
    await cabinet.deployment.data(LIMIT, operator, p=str(cabinet.practice.id), a=0)
    assert (await cabinet.refused(cabinet.direct, cabinet.bea, "", upload))["code"] == "STORAGE_FULL"
    await cabinet.deployment.data(LIMIT, operator, p=str(cabinet.practice.id), a=1)
    await cabinet.deployment.data(LIMIT, operator, p=str(cabinet.hill.id), a=0)
    await cabinet.deployment.data(TAKES, cabinet.olga.token, p={"texts": False})
    assert (await cabinet.refused(cabinet.direct, cabinet.bea, "", upload))["code"] == "FILE_TYPE_NOT_ALLOWED"
    rows = await cabinet.rows("SELECT practice_id, state FROM file")
    assert [tuple(row.values()) for row in rows] == [(cabinet.hill.id, "stored")]
    assert (await cabinet.get(f"/files/{upload}", cabinet.bea)).content == CONTENT  # still her upload
    assert (await cabinet.get(f"/files/{upload}", cabinet.ada)).status_code == 404
    await cabinet.deployment.data(TAKES, cabinet.olga.token, p={"texts": True})
    await cabinet.send(cabinet.direct, cabinet.bea, "", upload)
    assert (await cabinet.get(f"/files/{upload}", cabinet.ada)).content == CONTENT


@pytest.mark.rule("C13")
async def test_a_retry_returns_the_first_also_when_both_come_at_once(cabinet: Cabinet) -> None:
    upload = await cabinet.uploaded(CONTENT, by=cabinet.bea)
    values = {"i": cabinet.direct, "b": "here", "u": [upload], "c": "once"}
    first, *again = await asyncio.gather(
        *(cabinet.deployment.data(SEND, cabinet.bea.token, **values) for _ in range(4))
    )
    assert again == [first] * 3
    assert [each["id"] for each in first["sendMessage"]["attachments"]] == [upload]
    assert (await cabinet.count("message"), await cabinet.count("file")) == (1, 1)
    assert await cabinet.deployment.code(SEND, cabinet.bea.token, **{**values, "u": []}) == "CONFLICT"


@pytest.mark.rule("C12")
async def test_a_hand_over_that_fails_leaves_the_uploads_where_they_were(
    cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload, other = await cabinet.uploaded(CONTENT, by=cabinet.bea), await cabinet.uploaded(b"Ada's")
    for second in (MISSING, other):
        assert (await cabinet.refused(cabinet.direct, cabinet.bea, "", upload, second))["code"] == "NOT_FOUND"
    unfinished = (await cabinet.announce(b"later", by=cabinet.bea))["id"]
    assert (await cabinet.refused(cabinet.direct, cabinet.bea, "", upload, unfinished))["code"] == "NOT_FOUND"

    async def down(self: Store, key: str, to: str) -> None:
        raise errors.Unavailable("stopped")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "copy", down)
        assert (await cabinet.refused(cabinet.direct, cabinet.bea, "", upload))["code"] == "UNAVAILABLE"
    state = await cabinet.rows("SELECT practice_id, state, owner_id FROM file WHERE id = $1", upload)
    assert [tuple(row.values()) for row in state] == [(cabinet.hill.id, "stored", None)]
    await cabinet.send(cabinet.direct, cabinet.bea, "", upload)
    assert (await cabinet.get(f"/files/{upload}")).content == CONTENT


@pytest.mark.rule("P2")
async def test_after_the_connection_ended_files_are_read_and_none_is_sent(cabinet: Cabinet) -> None:
    upload, later = [await cabinet.uploaded(CONTENT, by=cabinet.bea) for _ in range(2)]
    await cabinet.send(cabinet.direct, cabinet.bea, "", upload)
    await part(cabinet.deployment, cabinet.bea)
    assert (await cabinet.get(f"/files/{upload}", cabinet.bea)).content == CONTENT
    composer = await cabinet.composer(cabinet.direct, cabinet.bea)
    told = await cabinet.refused(cabinet.direct, cabinet.bea, "", later)
    assert composer["files"]["code"] == composer["text"]["code"] == told["code"] == "CONVERSATION_READ_ONLY"
    assert (await cabinet.get(f"/files/{later}", cabinet.bea)).content == CONTENT
    own = await cabinet.uploaded(CONTENT)
    await cabinet.send(cabinet.direct, cabinet.ada, "", own)
    assert (await cabinet.get(f"/files/{own}", cabinet.ada)).content == CONTENT
    assert (await cabinet.get(f"/files/{own}", cabinet.bea)).status_code == 404
    assert await cabinet.deployment.code(FILE, cabinet.bea.token, i=own) == "NOT_FOUND"


@pytest.mark.promise("A4")
async def test_who_has_left_or_was_removed_gets_nothing_more(cabinet: Cabinet) -> None:
    upload = await cabinet.uploaded(CONTENT, by=cabinet.bea)
    await cabinet.send(cabinet.direct, cabinet.bea, "", upload)
    await cabinet.rows("UPDATE participant SET left_at = now() WHERE person_id = $1", cabinet.bea.member.id)
    assert (await cabinet.get(f"/files/{upload}", cabinet.bea)).status_code == 404
    assert await cabinet.deployment.code(DELETE, cabinet.bea.token, i=upload) == "NOT_FOUND"
    assert (await cabinet.get(f"/files/{upload}")).content == CONTENT


@pytest.mark.rule("C11")
@pytest.mark.promise("F2")
@pytest.mark.parametrize("whole", [True, False], ids=["message", "file"])
async def test_the_sender_deletes_for_good_from_the_other_practice(cabinet: Cabinet, whole: bool) -> None:
    upload = await cabinet.uploaded(CONTENT, "canary-4712.txt", by=cabinet.bea)
    sent = await cabinet.send(cabinet.direct, cabinet.bea, "canary-4712" if whole else "", upload)
    assert await cabinet.deployment.code(DELETE, cabinet.ada.token, i=upload) == "FORBIDDEN"  # not hers
    for _ in range(2):
        if whole:
            await cabinet.deployment.data(DELETE_MESSAGE, cabinet.bea.token, i=sent["id"])
        else:
            tomb = (await cabinet.deployment.data(DELETE, cabinet.bea.token, i=upload))["deleteFile"]
            assert (tomb["state"], tomb["name"], tomb["url"]) == ("DELETED", None, None)
    for person in (cabinet.ada, cabinet.bea):
        seen = await cabinet.message(sent["id"], person)
        assert (bool(seen["deletedAt"]), seen["body"], seen["attachments"]) == (True, "", [])
        assert (await cabinet.get(f"/files/{upload}", person)).status_code == 404
    assert cabinet.kept() == []
    assert "canary-4712" not in await cabinet.everything()
    acts = [entry.action for entry in await trail(cabinet.practice.id)]
    assert (acts.count("files.delete"), acts.count("chat.delete")) == (1, 1)


async def test_attachments_of_a_page_take_a_constant_number_of_statements(cabinet: Cabinet) -> None:
    page = """query($i: ID!) { conversation(id: $i) { messages(first: 100) { nodes {
        body attachments { id url sharedBy { name } } } } } }"""
    counts: dict[str, set[int]] = {"ada": set(), "bea": set()}
    for _ in range(2):
        for person in (cabinet.ada, cabinet.bea, cabinet.bea):
            await cabinet.send(cabinet.direct, person, "", await cabinet.uploaded(CONTENT, by=person))
        for name, person in (("ada", cabinet.ada), ("bea", cabinet.bea)):
            with statements() as ran:
                data = await cabinet.deployment.data(page, person.token, i=cabinet.direct)
            nodes = data["conversation"]["messages"]["nodes"]
            assert all(node["attachments"][0]["sharedBy"]["name"] for node in nodes)
            counts[name].add(len(ran))
    assert [len(each) for each in counts.values()] == [1, 1], counts
    assert max(counts["bea"]) == max(counts["ada"]) + 1, counts


@pytest.mark.promise("A3")
async def test_the_database_hands_nothing_over_that_is_not_one_s_own(cabinet: Cabinet) -> None:
    upload = await cabinet.uploaded(CONTENT)
    far = await cabinet.deployment.practice("Far")
    key = (await cabinet.rows("SELECT key FROM file_object WHERE file_id = $1", upload))[0]["key"]
    ask = "SELECT file_hand_over($1, $2, NULL, 'chat_message', $1, now(), $3, $4)"
    for practice, person, to in (
        (cabinet.hill.id, cabinet.bea.member.id, cabinet.hill.id),  # another's, to oneself
        (cabinet.hill.id, cabinet.ada.member.id, cabinet.practice.id),
        (cabinet.practice.id, cabinet.olga.member.id, cabinet.hill.id),  # a colleague's
        (cabinet.practice.id, cabinet.ada.member.id, far.id),  # to a practice that is not connected
        (cabinet.practice.id, cabinet.ada.member.id, cabinet.practice.id),
    ):
        with acting(practice, person):
            assert await DB.fetchval(ask, upload, to, [key], [new_key("files", to)]) is None
    with acting(cabinet.practice.id, cabinet.ada.member.id), pytest.raises(Exception, match="without its bytes"):
        await DB.fetchval(ask, upload, cabinet.hill.id, [key], [new_key("files", far.id)])
    state = await cabinet.rows("SELECT practice_id, state FROM file")
    assert [tuple(row.values()) for row in state] == [(cabinet.practice.id, "stored")]


@pytest.mark.rule("P2", "C11")
async def test_the_side_that_only_reads_deletes_no_file(cabinet: Cabinet) -> None:
    upload = await cabinet.uploaded(CONTENT, by=cabinet.bea)
    sent = await cabinet.send(cabinet.direct, cabinet.bea, "with a file", upload)
    await part(cabinet.deployment, cabinet.olga)
    for query, values in ((DELETE, {"i": upload}), (DELETE_MESSAGE, {"i": sent["id"]})):
        assert await cabinet.deployment.code(query, cabinet.bea.token, **values) == "CONVERSATION_READ_ONLY"
    assert (await cabinet.get(f"/files/{upload}", cabinet.bea)).content == CONTENT
    assert (await cabinet.message(sent["id"], cabinet.ada))["attachments"][0]["state"] == "ATTACHED"
    assert await owners(cabinet) == {("row", "own"), ("key", "own"), ("bytes", "own")}
