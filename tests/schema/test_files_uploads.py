"""Uploads, driven over HTTP: announced, sent in pieces, broken off and gone on with, cancelled, expired (G5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from deployment import APPS
from files_stage import ATTACH, CREATE, FILE, MISSING, UPLOAD, Desk, desk_at, sha256

from bedside_core.auth import Role
from bedside_core.files import uploads
from bedside_core.testing import Database, until

BODY = b"".join(b"line %07d\n" % number for number in range(400_000))  # 5.2 MB: two parts and a bit
HALF = len(BODY) // 2


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def desk(fresh_database: Database, tmp_path: Path) -> AsyncGenerator[Desk, None]:
    async with desk_at(fresh_database, tmp_path) as desk:
        yield desk


def standing(answer: Any) -> tuple[str | None, str | None, str | None]:
    return tuple(answer.headers.get(f"upload-{name}") for name in ("offset", "length", "complete"))  # type: ignore[return-value]


async def head(desk: Desk, url: str) -> Any:
    return await desk.deployment.http.head(url, headers={"authorization": f"Bearer {desk.ada.token}"})


@pytest.mark.rule("G5")
@pytest.mark.rule("C12")
async def test_what_was_announced_is_sent_attached_and_got_back(desk: Desk) -> None:
    upload = await desk.announce(BODY, "Befund März.txt")
    assert (upload["state"], upload["progress"], upload["name"]) == ("UPLOADING", 0.0, "Befund März.txt")
    sent = await desk.put(upload["url"], BODY)
    assert (sent.status_code, sent.json()["state"]) == (200, "stored")
    assert standing(sent) == (str(len(BODY)), str(len(BODY)), "?1")
    data = await desk.deployment.data(ATTACH, desk.ada.token, u=upload["id"], p=str(desk.patient.id))
    file = data["attachToPatient"]
    assert file["state"] == "ATTACHED"
    assert file["mediaType"] == "text/plain"
    assert file["megabytes"] == len(BODY) / 1_000_000
    assert file["uploadedBy"] == {"id": desk.ada.id}
    got = await desk.get(file["url"], desk.olga)
    assert (got.status_code, got.content) == (200, BODY)
    [kept] = desk.kept()
    assert kept.read_bytes() == BODY
    assert kept.parent == desk.folder / "files" / "files" / desk.practice.id.hex
    assert (desk.folder / "files").stat().st_mode & 0o777 == 0o700


@pytest.mark.rule("G9")
async def test_announcing_twice_with_one_client_id_is_announcing_once(desk: Desk) -> None:
    first = await desk.announce(b"one", client_id="c")
    again = await asyncio.gather(*(desk.announce(b"one", client_id="c") for _ in range(5)))
    assert again == [first] * 5
    values = {"name": "b.txt", "size": 3, "sha": sha256(b"two"), "c": "c"}
    assert await desk.deployment.code(CREATE, desk.ada.token, **values) == "CONFLICT"
    other = await desk.announce(b"two", client_id="c", by=desk.olga)
    assert other["id"] != first["id"]
    assert await desk.count("file") == 2


@pytest.mark.parametrize(
    ("size", "sha", "code", "field"),
    [
        (0, sha256(b""), "INVALID_INPUT", ["size"]),
        (-1, sha256(b""), "INVALID_INPUT", ["size"]),
        (3, "abc", "INVALID_INPUT", ["sha256"]),
        (3, " " + "0" * 63, "INVALID_INPUT", ["sha256"]),
        (50_000_001, sha256(b""), "FILE_TOO_LARGE", ["size"]),
    ],
)
async def test_what_can_t_be_is_not_announced(desk: Desk, size: int, sha: str, code: str, field: list[str]) -> None:
    body = await desk.deployment.ask(CREATE, desk.ada.token, name="a", size=size, sha=sha, c="c")
    assert (body["errors"][0]["extensions"]["code"], body["errors"][0]["extensions"]["field"]) == (code, field)
    assert await desk.count("file") == 0


@pytest.mark.rule("G5")
async def test_an_upload_goes_on_where_it_stands(desk: Desk) -> None:
    upload = await desk.announce(BODY)
    first = await desk.put(upload["url"], BODY[:HALF])
    assert first.json()["state"] == "uploading"
    assert standing(first) == (str(HALF), str(len(BODY)), "?0")
    told = await head(desk, upload["url"])
    assert (told.status_code, *standing(told)) == (204, str(HALF), str(len(BODY)), "?0")
    seen = (await desk.deployment.data(UPLOAD, desk.ada.token, i=upload["id"]))["upload"]
    assert (seen["state"], seen["progress"]) == ("UPLOADING", HALF / len(BODY))
    assert await desk.deployment.code(ATTACH, desk.ada.token, u=upload["id"], p=str(desk.patient.id)) == "CONFLICT"
    wrong = await desk.put(upload["url"], BODY[HALF + 1 :], upload_offset=str(HALF + 1))
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["offset"]) == (409, "UPLOAD_OFFSET_MISMATCH", HALF)
    rest = await desk.put(upload["url"], BODY[HALF:], upload_offset=str(HALF))
    assert (rest.json()["state"], standing(rest)[2]) == ("stored", "?1")
    assert (await desk.get(f"/files/{upload['id']}")).content == BODY
    assert len(desk.kept()) == 1


@pytest.mark.rule("G5")
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_broken_connection_loses_nothing_that_arrived(desk: Desk, method: str) -> None:
    upload = await desk.announce(BODY)
    host = urlsplit(desk.deployment.url)
    _, writer = await asyncio.open_connection(host.hostname, host.port)
    writer.write(
        f"PUT {upload['url']} HTTP/1.1\r\nHost: {host.netloc}\r\nAuthorization: Bearer {desk.ada.token}\r\n"
        f"Content-Length: {len(BODY)}\r\n\r\n".encode()
    )
    writer.write(BODY[:HALF])
    await writer.drain()
    await until(lambda: _arrived(desk, upload["url"]), "a part's arrival", 30)
    writer.transport.abort()
    await until(lambda: _arrived(desk, upload["url"], HALF), "the rest of what was sent", 30)
    sent = {"authorization": f"Bearer {desk.ada.token}", "upload-offset": str(HALF)}
    rest = await desk.deployment.http.request(method, upload["url"], content=BODY[HALF:], headers=sent)
    assert rest.json()["state"] == "stored", rest.text
    assert (await desk.get(f"/files/{upload['id']}")).content == BODY


async def _arrived(desk: Desk, url: str, least: int = 1) -> bool:
    return int((await head(desk, url)).headers["upload-offset"]) >= least


@pytest.mark.rule("G5")
async def test_two_senders_of_one_upload_never_mix_their_bytes(desk: Desk) -> None:
    upload = await desk.announce(BODY)
    answers = await asyncio.gather(*(desk.put(upload["url"], BODY, upload_offset="0") for _ in range(3)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    offset = int((await head(desk, upload["url"])).headers["upload-offset"])
    if offset < len(BODY):
        assert (await desk.put(upload["url"], BODY[offset:], upload_offset=str(offset))).status_code == 200
    assert (await desk.get(f"/files/{upload['id']}")).content == BODY
    assert len(desk.kept()) == 1


@pytest.mark.rule("G5")
async def test_other_bytes_than_announced_are_not_kept_and_can_be_sent_anew(desk: Desk) -> None:
    upload = await desk.announce(BODY)
    wrong = await desk.put(upload["url"], BODY[:-1] + b"!")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "FILE_HASH_MISMATCH")
    assert (standing(await head(desk, upload["url"])), desk.kept()) == (("0", str(len(BODY)), "?0"), [])
    assert (await desk.get(f"/files/{upload['id']}")).status_code == 404
    assert (await desk.put(upload["url"], BODY)).json()["state"] == "stored"


async def test_a_put_without_offset_begins_anew(desk: Desk) -> None:
    upload = await desk.announce(BODY)
    await desk.put(upload["url"], b"x" * HALF)
    assert (await desk.put(upload["url"], BODY)).json()["state"] == "stored"
    assert (await desk.get(f"/files/{upload['id']}")).content == BODY


async def test_more_than_announced_is_refused_told_or_not(desk: Desk) -> None:
    upload = await desk.announce(b"12345")
    told = await desk.put(upload["url"], b"123456")
    assert (told.status_code, told.json()["code"]) == (400, "INVALID_INPUT")

    async def chunked() -> AsyncGenerator[bytes, None]:
        yield b"123"
        yield b"456"

    untold = await desk.put(upload["url"], chunked())
    assert (untold.status_code, untold.json()["code"]) == (400, "INVALID_INPUT")
    assert (standing(await head(desk, upload["url"]))[0], desk.kept()) == ("0", [])
    for offset in ("-1", "x", "1e3", "9" * 30):
        assert (await desk.put(upload["url"], b"12345", upload_offset=offset)).status_code == 400
    patch = await desk.deployment.http.patch(
        upload["url"], content=b"12345", headers={"authorization": f"Bearer {desk.ada.token}"}
    )
    assert patch.status_code == 400


@pytest.mark.promise("A1")
async def test_only_its_maker_knows_of_an_upload(desk: Desk) -> None:
    upload = await desk.announce(b"mine")
    eve = await desk.deployment.person(await desk.deployment.practice("Hill"), Role.OWNER, "Eve")
    for person in (desk.olga, eve):
        answers = []
        for id in (upload["id"], MISSING, "nonsense"):
            token = {"authorization": f"Bearer {person.token}"}
            for answer in (
                await desk.deployment.http.put(f"/files/uploads/{id}", content=b"mine", headers=token),
                await desk.deployment.http.delete(f"/files/uploads/{id}", headers=token),
                await desk.deployment.http.get(f"/files/{id}", headers=token),
            ):
                body = answer.json()
                answers.append((answer.status_code, body["code"]))
            head = await desk.deployment.http.head(f"/files/uploads/{id}", headers=token)
            answers.append((head.status_code, "NOT_FOUND"))
            for query in (UPLOAD, FILE, "mutation($i: ID!) { cancelUpload(id: $i) }"):
                answers.append((404, await desk.deployment.code(query, person.token, i=id)))
        assert set(answers) == {(404, "NOT_FOUND")}
    assert (await desk.deployment.http.put(upload["url"], content=b"mine")).status_code == 401
    assert (await desk.put(upload["url"], b"mine")).json()["state"] == "stored"
    assert await desk.deployment.code(ATTACH, desk.olga.token, u=upload["id"], p=str(desk.patient.id)) == "NOT_FOUND"
    assert (await desk.get(f"/files/{upload['id']}", desk.olga)).status_code == 404
    assert (await desk.get(f"/files/{upload['id']}")).content == b"mine"


@pytest.mark.promise("G2")
async def test_another_site_s_page_can_t_send_with_our_cookie(desk: Desk) -> None:
    upload = await desk.announce(b"mine")
    cookie = {"cookie": f"__Host-bedside={desk.ada.token}"}
    evil = await desk.deployment.http.put(
        upload["url"], content=b"mine", headers={**cookie, "origin": "https://evil.example"}
    )
    assert (evil.status_code, evil.json()["code"]) == (403, "ORIGIN_NOT_ALLOWED")
    own = await desk.deployment.http.put(
        upload["url"], content=b"mine", headers={**cookie, "origin": desk.deployment.url}
    )
    assert own.status_code == 200


@pytest.mark.rule("G5")
async def test_cancelling_leaves_nothing(desk: Desk) -> None:
    upload = await desk.announce(BODY)
    await desk.put(upload["url"], BODY[:HALF])
    assert len(desk.kept()) == HALF // uploads.PART_BYTES + 1
    gone = await desk.deployment.http.delete(upload["url"], headers={"authorization": f"Bearer {desk.ada.token}"})
    assert gone.status_code == 204
    assert (desk.kept(), await desk.count("file"), await desk.count("file_object")) == ([], 0, 0)
    assert (await head(desk, upload["url"])).status_code == 404
    stored = await desk.uploaded(b"done")
    cancel = "mutation($i: ID!) { cancelUpload(id: $i) }"
    assert await desk.deployment.data(cancel, desk.ada.token, i=stored) == {"cancelUpload": True}
    assert (desk.kept(), await desk.count("file")) == ([], 0)
    kept = await desk.attached(b"kept")
    assert await desk.deployment.code(cancel, desk.ada.token, i=kept["id"]) == "CONFLICT"
    assert (await desk.get(kept["url"])).content == b"kept"


@pytest.mark.rule("G5")
async def test_what_is_not_finished_or_not_attached_goes_after_a_day(desk: Desk) -> None:
    upload = await desk.announce(BODY)
    await desk.put(upload["url"], BODY[:HALF])
    stored = await desk.uploaded(b"never attached")
    kept = await desk.attached(b"attached")
    await desk.deployment.platform.clock.move(timedelta(hours=23))
    await desk.run("expire_uploads")
    assert await desk.count("file") == 3
    await desk.deployment.platform.clock.move(timedelta(hours=2))
    await desk.run("expire_uploads")
    assert (await head(desk, upload["url"])).status_code == 404
    assert (await desk.get(f"/files/{stored}")).status_code == 404
    assert (await desk.get(kept["url"])).content == b"attached"
    assert (len(desk.kept()), await desk.count("file"), await desk.count("file_object")) == (1, 1, 1)


@pytest.mark.rule("L6")
async def test_a_plan_s_storage_is_not_exceeded_by_many_at_once(desk: Desk) -> None:
    operator, practice = await desk.deployment.operator(), str(desk.practice.id)
    limit = """mutation($p: ID!, $a: Int!) {
        setPlanLimit(practiceId: $p, key: "storage_gb", amount: $a) { __typename } }"""
    await desk.deployment.data(limit, operator, p=practice, a=0)
    body = await desk.deployment.ask(CREATE, desk.ada.token, name="a", size=1, sha=sha256(b"a"), c="c")
    told = body["errors"][0]["extensions"]
    assert (told["code"], told["limit"], told["used"], bool(told["wayOn"])) == ("STORAGE_FULL", 0, 0, True)
    assert await desk.count("file") == 0
    await desk.deployment.data(limit, operator, p=practice, a=1)
    await desk.rows(
        """INSERT INTO file (id, practice_id, made_by, client_id, state, name, media_type, size, upload_size,
            upload_sha256, created_at, expires_at)
        SELECT gen_random_uuid(), $1, $2, 'big', 'stored', 'big', 'text/plain', 999999990, 1,
            decode(repeat('00', 32), 'hex'), now(), now() + interval '1 day'""",
        desk.practice.id, desk.olga.member.id,
    )  # fmt: skip
    answers = await asyncio.gather(
        *(
            desk.deployment.ask(CREATE, desk.ada.token, name="a", size=3, sha=sha256(b"abc"), c=f"c{number}")
            for number in range(8)
        )
    )
    codes = [body["errors"][0]["extensions"]["code"] if "errors" in body else "OK" for body in answers]
    assert (codes.count("OK"), codes.count("STORAGE_FULL")) == (3, 5)
    assert await desk.count("file") == 4


async def test_nobody_begins_uploads_without_end(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "UNFINISHED", 3)
    for _ in range(3):
        await desk.announce(b"abc")
    values = {"name": "a", "size": 3, "sha": sha256(b"abc"), "c": "one-more"}
    assert await desk.deployment.code(CREATE, desk.ada.token, **values) == "RATE_LIMITED"
    assert await desk.count("file") == 3


async def test_a_silent_sender_is_let_go_and_keeps_what_came(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "PATIENCE_SECONDS", 0.2)
    upload = await desk.announce(b"12345")
    host = urlsplit(desk.deployment.url)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    writer.write(
        f"PUT {upload['url']} HTTP/1.1\r\nHost: {host.netloc}\r\nAuthorization: Bearer {desk.ada.token}\r\n"
        "Content-Length: 5\r\n\r\n123".encode()
    )
    async with asyncio.timeout(30):
        answer = await reader.readuntil(b"}")
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"UPLOAD_INTERRUPTED","retryable":true' in answer
    assert standing(await head(desk, upload["url"]))[0] == "3"
    assert (await desk.put(upload["url"], b"45", upload_offset="3")).json()["state"] == "stored"


async def test_one_person_sends_four_at_once_and_no_more(desk: Desk) -> None:
    urls = [(await desk.announce(b"12345"))["url"] for _ in range(5)]
    go_on = asyncio.Event()

    async def slow() -> AsyncGenerator[bytes, None]:
        yield b"123"
        await go_on.wait()
        yield b"45"

    senders = [asyncio.create_task(desk.put(url, slow())) for url in urls[:4]]
    each = desk.deployment.platform.files.uploads._each
    await until(lambda: each[desk.ada.member.id] == 4, "four senders", 30)
    fifth = await desk.put(urls[4], b"12345")
    assert (fifth.status_code, fifth.json()["code"]) == (429, "RATE_LIMITED")
    go_on.set()
    assert [answer.json()["state"] for answer in await asyncio.gather(*senders)] == ["stored"] * 4
    assert not each
