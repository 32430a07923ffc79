"""Deleting for good: nothing of a file is anywhere afterwards, wherever the machine stops in between (C11, F2)."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from deployment import APPS
from files_stage import DELETE, FILE, LIST, Desk, desk_at, photo, sha256

from bedside_core import errors
from bedside_core.auth import Role
from bedside_core.database import DB
from bedside_core.files.store import Store
from bedside_core.jobs import Jobs
from bedside_core.testing import Database

CANARY = "canary-4711"
EARLIER = time.time() - 7200
CONTENT = f"{CANARY} in a text".encode()


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def desk(fresh_database: Database, tmp_path: Path) -> AsyncGenerator[Desk, None]:
    async with desk_at(fresh_database, tmp_path) as desk:
        yield desk


async def traces(desk: Desk) -> list[str]:
    """Return where the canary still is: tables, the queue among them, and the whole data folder."""
    rows = await desk.everything()
    hashes = (sha256(CONTENT), CONTENT.hex())
    found = [f"row: {row[:200]}" for row in rows.splitlines() if CANARY in row or any(hash in row for hash in hashes)]
    for path in desk.folder.rglob("*"):
        if CANARY in path.name or (path.is_file() and CANARY.encode() in path.read_bytes()):
            found.append(f"file: {path}")
    return found


@pytest.mark.rule("C11")
@pytest.mark.promise("F2")
async def test_of_a_deleted_file_nothing_is_left_but_who_and_when(desk: Desk) -> None:
    file = await desk.attached(CONTENT, f"{CANARY}.txt")
    picture = await desk.attached(photo(), f"{CANARY}.jpg")
    other = await desk.attached(b"another", "other.txt")
    assert len(await traces(desk)) == 3  # two rows and a file
    for id in (file["id"], picture["id"]):
        tomb = (await desk.deployment.data(DELETE, desk.ada.token, i=id))["deleteFile"]
        assert tomb["deletedAt"]
        assert tomb == {
            "id": id, "state": "DELETED", "name": None, "mediaType": None, "url": None,
            "deletedAt": tomb["deletedAt"], "deletedBy": {"id": desk.ada.id},
        }  # fmt: skip
        again = (await desk.deployment.data(DELETE, desk.ada.token, i=id))["deleteFile"]
        assert again == tomb
        for path in ("", "/preview"):
            gone = await desk.get(f"/files/{id}{path}")
            assert (gone.status_code, gone.json()["code"]) == (404, "NOT_FOUND")
        seen = (await desk.deployment.data(FILE, desk.olga.token, i=id))["file"]
        assert (seen["state"], seen["name"]) == ("DELETED", None)
    assert await traces(desk) == []
    assert [path.read_bytes() for path in desk.kept()] == [b"another"]
    assert await desk.count("file_object") == 1
    listed = (await desk.deployment.data(LIST, desk.ada.token, p=str(desk.patient.id)))["patientFiles"]["nodes"]
    assert [node["id"] for node in listed] == [other["id"]]
    tombs = await desk.rows("SELECT to_jsonb(f)::text AS tomb FROM file f WHERE state = 'deleted'")
    left = {key for row in tombs for key, value in json.loads(row["tomb"]).items() if value is not None}
    assert left == {
        "id", "practice_id", "made_by", "state", "owner_kind", "owner_id", "lost", "created_at", "attached_at",
        "deleted_at", "deleted_by",
    }  # fmt: skip


@pytest.mark.rule("C11")
async def test_who_uploaded_it_deletes_it_and_leaders_do(desk: Desk) -> None:
    ben = await desk.deployment.person(desk.practice, name="Ben")
    file = await desk.attached(CONTENT)
    [error] = (await desk.deployment.ask(DELETE, ben.token, i=file["id"]))["errors"]
    assert (error["extensions"]["code"], error["extensions"]["permission"]) == ("FORBIDDEN", "files.moderate")
    assert (await desk.get(file["url"])).content == CONTENT
    manager = await desk.deployment.person(desk.practice, Role.MANAGER, "Mia")
    tomb = (await desk.deployment.data(DELETE, manager.token, i=file["id"]))["deleteFile"]
    assert tomb["deletedBy"] == {"id": manager.id}
    assert await traces(desk) == []


STEPS = ["the first statement", "the commit", "the store", "the last row"]


@pytest.mark.rule("C11")
@pytest.mark.promise("F2")
@pytest.mark.parametrize("step", STEPS)
async def test_a_deletion_that_is_cut_off_anywhere_is_whole_or_none(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    file = await desk.attached(CONTENT, f"{CANARY}.txt")
    with monkeypatch.context() as patch:
        _stop_at(patch, step)
        answer = await desk.deployment.ask(DELETE, desk.ada.token, i=file["id"])
    if step in {"the first statement", "the commit"}:
        assert "errors" in answer
        assert (await desk.get(file["url"])).content == CONTENT
        await desk.deployment.data(DELETE, desk.ada.token, i=file["id"])
    else:
        assert (await desk.get(file["url"])).status_code == 404
        assert await desk.count("file_object") == 1
        jobs = await desk.rows("SELECT entrypoint FROM pgqueuer WHERE entrypoint = 'core.remove_bytes'")
        assert len(jobs) == 1
        await desk.run("remove_bytes")
    assert (await traces(desk), desk.kept(), await desk.count("file_object")) == ([], [], 0)


def _stop_at(patch: pytest.MonkeyPatch, step: str) -> None:
    execute = DB.execute

    async def at(sql: str, *values: Any) -> Any:
        if step == "the first statement" and "SET file_id = NULL" in sql:
            raise errors.Unavailable("stopped")
        if step == "the last row" and sql.startswith("DELETE FROM file_object"):
            raise errors.Unavailable("stopped")
        return await execute(sql, *values)

    async def removing(self: Store, keys: Any) -> None:
        raise errors.Unavailable("stopped")

    async def enqueue(self: Any, *values: Any) -> None:
        raise errors.Unavailable("stopped")

    if step in {"the first statement", "the last row"}:
        patch.setattr(DB, "execute", at)
    elif step == "the commit":
        patch.setattr(Jobs, "enqueue", enqueue)
    else:
        patch.setattr(Store, "remove", removing)


@pytest.mark.rule("G5")
@pytest.mark.parametrize("step", ["put a part", "row of a part", "put the whole", "move", "row of the whole", "tidy"])
async def test_an_upload_that_is_cut_off_anywhere_goes_on_and_leaves_nothing_behind(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    upload = await desk.announce(CONTENT)
    stops = {
        "put a part": (Store, "put", None),
        "row of a part": (DB, "execute", "INSERT INTO file_object"),
        "put the whole": (Store, "put_file", None),
        "move": (Store, "move", None),
        "row of the whole": (DB, "fetchval", "UPDATE file SET state = 'stored'"),
        "tidy": (Store, "remove", None),
    }
    place, name, mark = stops[step]
    with monkeypatch.context() as patch:
        patch.setattr(place, name, _after(getattr(place, name), mark))
        cut = await desk.put(upload["url"], CONTENT)
        assert cut.status_code == (200 if step == "tidy" else 503)
    head = await desk.deployment.http.head(upload["url"], headers={"authorization": f"Bearer {desk.ada.token}"})
    offset = int(head.headers["upload-offset"])
    again = await desk.put(upload["url"], CONTENT[offset:], upload_offset=str(offset))
    assert again.json()["state"] == "stored"
    assert (await desk.get(f"/files/{upload['id']}")).content == CONTENT
    await _sweep_later(desk)
    assert [path.read_bytes() for path in desk.kept()] == [CONTENT]
    assert await desk.count("file_object") == 1


def _after(real: Any, mark: str | None) -> Any:
    """Return a function that does its work and is cut off before it can say so."""

    async def cut(*values: Any, **named: Any) -> Any:
        if mark is None or any(isinstance(value, str) and mark in value for value in values):
            if mark is None:
                await real(*values, **named)
            raise errors.Unavailable("stopped")
        return await real(*values, **named)

    return cut


async def _sweep_later(desk: Desk) -> None:
    for path in desk.folder.rglob("*"):
        os.utime(path, (EARLIER, EARLIER))
    await desk.run("sweep_files")


@pytest.mark.rule("G5")
async def test_the_sweep_takes_orphans_old_enough_and_nothing_else(desk: Desk) -> None:
    file = await desk.attached(CONTENT)
    hill = await desk.deployment.practice("Hill")
    files = desk.folder / "files" / "files" / desk.practice.id.hex
    incoming = desk.folder / "files" / "incoming" / desk.practice.id.hex
    theirs = desk.folder / "files" / "files" / hill.id.hex
    room = desk.folder / "incoming" / "tmpkilled"
    for folder in (theirs, room):
        folder.mkdir(parents=True, exist_ok=True)
    (files / "young").write_bytes(b"about to get its row")
    (files / "old").write_bytes(b"orphan")
    (incoming / "old").write_bytes(b"orphan")
    (incoming / "torn#1").write_bytes(b"half written")
    (theirs / "old").write_bytes(b"of another practice")
    (room / "whole").write_bytes(b"put together by a process that was killed")
    for path in (files / "old", incoming / "old", incoming / "torn#1", theirs / "old", room / "whole", room):
        os.utime(path, (EARLIER, EARLIER))
    await desk.run("sweep_files")
    assert {path.read_bytes() for path in desk.kept()} == {CONTENT, b"about to get its row", b"of another practice"}
    assert (await desk.get(file["url"])).content == CONTENT


@pytest.mark.rule("G5")
async def test_a_file_without_bytes_is_told_as_lost_and_found_again(desk: Desk) -> None:
    file, picture = await desk.attached(CONTENT), await desk.attached(photo(), "a.jpg")
    [path] = [path for path in desk.kept() if path.read_bytes() == CONTENT]
    preview = next(row["key"] for row in await desk.rows("SELECT key FROM file_object WHERE kind = 'preview'"))
    (desk.folder / "files" / preview).unlink()
    path.unlink()
    gone = await desk.get(file["url"])  # before any sweep
    assert (gone.status_code, gone.json()["code"]) == (500, "FILE_LOST")
    await _sweep_later(desk)
    assert [row["lost"] for row in await desk.rows("SELECT lost FROM file WHERE id = $1", file["id"])] == [True]
    assert (await desk.get(file["url"])).json()["code"] == "FILE_LOST"
    assert (await desk.get(picture["url"])).status_code == 200
    assert (await desk.deployment.data(FILE, desk.ada.token, i=picture["id"]))["file"]["previewUrl"] is None
    path.write_bytes(CONTENT)
    await _sweep_later(desk)
    assert (await desk.get(file["url"])).content == CONTENT
    path.unlink()
    await desk.deployment.data(DELETE, desk.ada.token, i=file["id"])  # a lost one is deleted as any other
    assert await desk.count("file_object") == 1


async def test_an_upload_whose_part_is_lost_is_sent_anew(desk: Desk) -> None:
    upload = await desk.announce(CONTENT)
    await desk.put(upload["url"], CONTENT[:5])
    [part] = desk.kept()
    part.unlink()
    await _sweep_later(desk)
    assert (await desk.put(upload["url"], CONTENT, upload_offset="0")).json()["state"] == "stored"


async def test_a_disk_that_is_full_is_told_and_the_upload_can_be_finished_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await desk.announce(CONTENT)

    def full(**_: Any) -> str:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("bedside_core.files.finishing.tempfile.mkdtemp", full)
        answer = await desk.put(upload["url"], CONTENT)
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
    done = await desk.put(upload["url"], b"", upload_offset=str(len(CONTENT)))
    assert done.json()["state"] == "stored"
