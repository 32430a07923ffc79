"""Files of messages: how many, which, how long, never shown by a browser, and in the patient's Files (C12, P8)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from audit_stage import trail
from files_stage import ATTACH, CREATE, MISSING, archive, photo, png_bomb, sha256
from plugins.chat.cabinet import Cabinet, cabinet_at
from plugins.chat.hall import LEAVE

from bedside_core.database import acting, unit
from bedside_core.records.erasing import erase_patient
from bedside_core.testing import Database, statements

SETTINGS = "mutation($p: FileSettingsPatch!) { updateFilesSettings(patch: $p) { texts } }"
NODES = "{ nodes { id name attachedAt sharedBy { id kind name label } } pageInfo { endCursor hasNextPage } }"
PANEL = f"query($p: ID!, $f: Int, $a: String) {{ patientFiles(patientId: $p, first: $f, after: $a) {NODES} }}"
OWN = f"query($f: Int, $a: String) {{ ownFiles(first: $f, after: $a) {NODES} }}"


@pytest_asyncio.fixture
async def cabinet(fresh_database: Database, tmp_path: Path) -> AsyncGenerator[Cabinet, None]:
    async with cabinet_at(fresh_database, tmp_path) as cabinet:
        yield cabinet


@pytest.mark.rule("C12")
async def test_a_message_takes_ten_files_in_their_order_and_not_one_more(cabinet: Cabinet) -> None:
    uploads = [await cabinet.uploaded(f"file {n}".encode(), f"{n}.txt") for n in range(11)]
    told = await cabinet.refused(cabinet.direct, cabinet.ada, "", *uploads)
    assert (told["code"], told["field"]) == ("INVALID_INPUT", ["uploadIds"])
    states = await cabinet.rows("SELECT DISTINCT state FROM file")
    assert [row["state"] for row in states] == ["stored"]
    given = [*uploads[5:10], *uploads[:5]]
    sent = await cabinet.send(cabinet.direct, cabinet.ada, "", *given, given[0])  # one named twice is one
    assert [each["id"] for each in sent["attachments"]] == given
    seen = await cabinet.message(sent["id"], cabinet.bea)
    assert [each["id"] for each in seen["attachments"]] == given
    assert seen["attachments"][0]["sharedBy"] == {
        "id": cabinet.ada.id, "kind": "MEMBER", "name": cabinet.ada.member.name, "label": cabinet.practice.name,
    }  # fmt: skip


@pytest.mark.rule("C12")
async def test_only_one_s_own_finished_uploads_are_attached_and_once(cabinet: Cabinet) -> None:
    ben = await cabinet.deployment.person(cabinet.practice, name="Ben")
    theirs, unfinished = await cabinet.uploaded(b"Ben's", by=ben), (await cabinet.announce(b"later"))["id"]
    own = await cabinet.uploaded(b"mine")
    for upload, code in ((theirs, "NOT_FOUND"), (MISSING, "NOT_FOUND"), (unfinished, "CONFLICT")):
        assert (await cabinet.refused(cabinet.direct, cabinet.ada, "with text", own, upload))["code"] == code
    await cabinet.send(cabinet.direct, cabinet.ada, "", own)
    assert (await cabinet.refused(cabinet.direct, cabinet.ada, "again", own))["code"] == "CONFLICT"
    put = await cabinet.deployment.ask(ATTACH, cabinet.ada.token, u=own, p=str(cabinet.patient.id))
    assert put["errors"][0]["extensions"]["code"] == "CONFLICT"


@pytest.mark.rule("C12")
@pytest.mark.promise("F1")
async def test_the_practice_decides_what_its_conversations_take_and_content_tells_what_it_is(cabinet: Cabinet) -> None:
    for content, code in (
        (b"<html><script>alert(1)</script>", "FILE_TYPE_NOT_ALLOWED"),
        (archive(), "FILE_TYPE_NOT_ALLOWED"),
        (png_bomb(), "FILE_UNSAFE"),
    ):
        status, told, _ = await cabinet.refusal(content, "holiday.jpg")
        assert (told, status in {415, 422}) == (code, True)
    [refused, *_] = [row["id"] for row in await cabinet.rows("SELECT id::text FROM file WHERE state = 'refused'")]
    assert (await cabinet.refused(cabinet.direct, cabinet.ada, "", refused))["code"] == "CONFLICT"
    patch = {"texts": False, "documentMegabytes": 1, "photoMegabytes": 1}
    await cabinet.deployment.data(SETTINGS, cabinet.olga.token, p=patch)
    assert (await cabinet.refusal(b"a text"))[1] == "FILE_TYPE_NOT_ALLOWED"
    values = {"name": "a.pdf", "size": 1_000_001, "sha": sha256(b""), "c": "long"}
    assert await cabinet.deployment.code(CREATE, cabinet.ada.token, **values) == "FILE_TOO_LARGE"


@pytest.mark.rule("C12")
@pytest.mark.promise("F1")
@pytest.mark.promise("G3")
async def test_a_browser_saves_what_was_sent_and_never_shows_it(cabinet: Cabinet) -> None:
    name = "../../etc/<svg onload=alert(1)>\r\nx: y.html"
    for content, ending in ((photo(), ".jpg"), (b"<not really markup".replace(b"<", b""), ".txt")):
        upload = await cabinet.uploaded(content, name)
        await cabinet.send(cabinet.direct, cabinet.ada, "", upload)
        for person in (cabinet.ada, cabinet.bea):
            got = await cabinet.get(f"/files/{upload}", person)
            assert got.headers["content-disposition"].startswith('attachment; filename="')
            assert f'{ending}"' in got.headers["content-disposition"]
            assert "<" not in got.headers["content-disposition"]
            assert got.headers["x-content-type-options"] == "nosniff"
            assert got.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
            assert got.headers["content-type"].partition(";")[0] in {"image/jpeg", "text/plain"}
            assert got.headers["cache-control"] == "private, no-store"
            assert b"GPS" not in got.content
            assert b"NotaPhone" not in got.content


@pytest.mark.rule("C9")
@pytest.mark.rule("C12")
@pytest.mark.promise("A4")
async def test_rights_are_asked_at_each_download(cabinet: Cabinet) -> None:
    upload = await cabinet.uploaded(b"hello")
    await cabinet.send(cabinet.direct, cabinet.ada, "", upload)
    assert (await cabinet.get(f"/files/{upload}")).status_code == 200
    await cabinet.deployment.data(LEAVE, cabinet.ada.token, i=cabinet.direct)
    assert (await cabinet.get(f"/files/{upload}")).status_code == 404  # though she sent it
    assert (await cabinet.get(f"/files/{upload}", cabinet.bea)).status_code == 200
    await cabinet.send(cabinet.direct, cabinet.bea, "Are you there?")  # which brings it back to her
    assert (await cabinet.get(f"/files/{upload}")).status_code == 200


async def pages(cabinet: Cabinet, query: str, token: str, **values: Any) -> list[dict[str, Any]]:
    """Return all nodes of a list, read by twos; who uploaded them takes three statements at most."""
    found, after, counts = list[dict[str, Any]](), None, set[int]()
    while True:
        with statements() as ran:
            [page] = (await cabinet.deployment.data(query, token, f=2, a=after, **values)).values()
        counts.add(len(ran))
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            assert max(counts) <= 7, counts
            return found


@pytest.mark.rule("P8")
@pytest.mark.rule("A12")
async def test_a_patient_s_files_are_those_shared_where_one_takes_part_and_by_whom(cabinet: Cabinet) -> None:
    pat, other = await cabinet.deployment.held(cabinet.practice), await cabinet.deployment.held(cabinet.practice)
    ben = await cabinet.deployment.person(cabinet.practice, name="Ben")
    with_ada, with_ben = await cabinet.with_patient(cabinet.ada, pat.id), await cabinet.with_patient(ben, pat.id)
    with_other = await cabinet.with_patient(cabinet.ada, other.id)
    order: list[tuple[str, str]] = []

    async def shared(where: str, by: Any, name: str) -> None:
        upload = await (cabinet.handed_in(b"x", name, by) if by in (pat, other) else cabinet.uploaded(b"x", name, by))
        await cabinet.send(where, by, "", upload)
        order.insert(0, (name, upload))

    await shared(with_ada, cabinet.ada, "one.txt")
    record = await cabinet.uploaded(b"record", "record.txt")
    await cabinet.deployment.data(ATTACH, cabinet.ada.token, u=record, p=pat.id)
    order.insert(0, ("record.txt", record))
    await shared(with_ada, pat, "two.txt")
    await shared(with_ben, ben, "three.txt")
    await shared(with_other, cabinet.ada, "other.txt")
    await shared(cabinet.direct, cabinet.ada, "direct.txt")
    await shared(with_ben, pat, "four.txt")
    ids = dict(order)

    async def names(person: Any) -> list[str]:
        own = person in (pat, other)
        nodes = await pages(cabinet, OWN if own else PANEL, person.token, **({} if own else {"p": pat.id}))
        assert [node["id"] for node in nodes] == [ids[node["name"]] for node in nodes]
        for node in nodes:  # what is listed is what can be had
            assert (await cabinet.get(f"/files/{node['id']}", person)).status_code == 200
        return [node["name"] for node in nodes]

    assert await names(cabinet.ada) == ["two.txt", "record.txt", "one.txt"]
    assert await names(ben) == ["four.txt", "three.txt", "record.txt"]
    assert await names(cabinet.olga) == ["record.txt"]  # no role reads a conversation that it is not in
    assert await names(pat) == ["four.txt", "three.txt", "two.txt", "record.txt", "one.txt"]
    assert await names(other) == ["other.txt"]
    by = {node["name"]: node["sharedBy"] for node in await pages(cabinet, PANEL, cabinet.ada.token, p=pat.id)}
    assert by["two.txt"] == {"id": pat.id, "kind": "PATIENT", "name": pat.patient.name, "label": "Patient"}
    assert by["one.txt"] == {"id": cabinet.ada.id, "kind": "MEMBER", "name": cabinet.ada.member.name, "label": None}
    assert await cabinet.deployment.code(PANEL, cabinet.bea.token, p=pat.id) == "NOT_FOUND"
    await cabinet.rows("UPDATE participant SET left_at = now() WHERE person_id = $1", ben.member.id)
    assert await names(ben) == ["record.txt"]


@pytest.mark.rule("A14")
async def test_a_download_of_a_patient_s_file_names_them_in_the_trail(cabinet: Cabinet) -> None:
    pat = await cabinet.deployment.held(cabinet.practice)
    conversation = await cabinet.with_patient(cabinet.ada, pat.id)
    upload = await cabinet.uploaded(b"x")
    await cabinet.send(conversation, cabinet.ada, "", upload)
    past = len(await trail(cabinet.practice.id))
    for person in (cabinet.ada, pat):
        assert (await cabinet.get(f"/files/{upload}", person)).status_code == 200  # type: ignore[arg-type]
    entered = [(each.action, each.person_id, each.patients) for each in await trail(cabinet.practice.id, past=past)]
    assert entered == [
        ("files.download", cabinet.ada.member.id, [pat.patient.id]),
        ("files.download", pat.patient.id, [pat.patient.id]),
    ]


@pytest.mark.rule("P8")
async def test_files_of_conversations_come_to_the_kept_record_and_go_with_an_erased_one(cabinet: Cabinet) -> None:
    pat, twin = await cabinet.deployment.held(cabinet.practice), await cabinet.deployment.held(cabinet.practice)
    for held, word in ((pat, b"kept"), (twin, b"merged")):
        conversation = await cabinet.with_patient(cabinet.ada, held.id)
        await cabinet.send(conversation, cabinet.ada, "", await cabinet.uploaded(word, f"{word.decode()}.txt"))
        await cabinet.send(conversation, held, "", await cabinet.handed_in(word + b" own", "own.txt", held))
    merge = """mutation($k: ID!, $m: ID!) {
        mergePatients(keepId: $k, mergeId: $m, clientId: "m") { __typename } }"""
    answer = await cabinet.deployment.ask(merge, cabinet.olga.token, k=pat.id, m=twin.id)
    assert "errors" not in answer, answer
    listed = await pages(cabinet, PANEL, cabinet.ada.token, p=pat.id)
    assert sorted(node["name"] for node in listed) == ["kept.txt", "merged.txt", "own.txt", "own.txt"]
    await cabinet.send(cabinet.direct, cabinet.ada, "", await cabinet.uploaded(b"stays"))
    with acting(cabinet.practice.id):
        async with unit() as work:
            await erase_patient(cabinet.deployment.platform, work, cabinet.practice.id, pat.patient.id)
    await cabinet.run("remove_bytes")
    assert [path.read_bytes() for path in cabinet.kept()] == [b"stays"]
    assert (await cabinet.count("file"), await cabinet.count("message_attachment")) == (1, 1)


@pytest.mark.rule("C12")
async def test_a_scanner_that_finds_something_or_is_away_keeps_it_out_of_conversations(
    fresh_database: Database, tmp_path: Path
) -> None:
    answer = b"stream: Eicar FOUND\0"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\0")
        while length := int.from_bytes(await reader.readexactly(4)):
            await reader.readexactly(length)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with cabinet_at(fresh_database, tmp_path, clamd_url=f"tcp://127.0.0.1:{port}") as cabinet:
        upload = await cabinet.announce(b"infected")
        put = await cabinet.put(upload["url"], b"infected")
        assert (put.status_code, put.json()["code"]) == (422, "FILE_INFECTED")
        assert (await cabinet.refused(cabinet.direct, cabinet.ada, "", upload["id"]))["code"] == "CONFLICT"
        answer = b"stream: OK\0"
        await cabinet.send(cabinet.direct, cabinet.ada, "", await cabinet.uploaded(b"clean"))
        server.close()
        upload = await cabinet.announce(b"unseen")
        assert (await cabinet.put(upload["url"], b"unseen")).json()["code"] == "UNAVAILABLE"
        assert (await cabinet.refused(cabinet.direct, cabinet.ada, "", upload["id"]))["code"] == "CONFLICT"


async def test_a_message_with_files_takes_a_constant_number_of_statements(cabinet: Cabinet) -> None:
    counts: dict[str, list[int]] = {}
    for number in (1, 1, 10):
        for name, person in (("own", cabinet.ada), ("connected", cabinet.bea)):
            uploads = [await cabinet.uploaded(b"x", by=person) for _ in range(number)]
            with statements() as ran:
                await cabinet.send(cabinet.direct, person, "", *uploads)
            counts.setdefault(name, []).append(len(ran))
    print(counts)
