"""A plugin attaches files to things of its own: by its rules, in its units, and heard of by whoever listens."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest
from core_stage import as_, assembled_with, plugin, practice_with

from bedside_core import errors
from bedside_core.access import Refusal, Rule
from bedside_core.auth import Actor, Role
from bedside_core.database import DB, unit
from bedside_core.events import Event, Listener, on
from bedside_core.files import FileAttached, FileDeleted, FileDownloaded, FileOwner, FileState, StoredFile
from bedside_core.ids import uuid7
from bedside_core.jobs import JobRun
from bedside_core.manifest import Manifest
from bedside_core.platform import Platform
from bedside_core.testing import Database, until


@dataclass
class Shelf:
    """A plugin with boxes that files lie in; who may look into them is set by the test."""

    readers: set[UUID | None] = field(default_factory=set)
    heard: list[Event] = field(default_factory=list)

    async def may_read(self, platform: Platform, actor: Actor, file: StoredFile) -> Refusal | None:
        allowed = actor.member_id in self.readers
        return None if allowed else Refusal(rule=Rule.ROLE, message="Not your box.")

    async def may_delete(self, platform: Platform, actor: Actor, file: StoredFile) -> Refusal | None:
        return None if file.made_by == actor.member_id else Refusal(rule=Rule.SWITCH, message="Not your file.")

    def listeners(self) -> Iterable[Listener]:
        async def hear(event: Event) -> None:
            self.heard.append(event)

        return [on(kind, hear) for kind in (FileAttached, FileDownloaded, FileDeleted)]


@asynccontextmanager
async def shelf_at(database: Database, folder: Path) -> AsyncGenerator[tuple[Platform, Shelf], None]:
    shelf = Shelf()
    owner = FileOwner(kind="box", doc="What lies in a box.", may_read=shelf.may_read, may_delete=shelf.may_delete)
    manifest = Manifest(name="shelf", title="Shelf", api=">=1.0,<2", file_owners=(owner,))
    source = plugin("shelf", manifest, listeners=lambda: shelf.listeners())
    async with assembled_with(database, source, data=folder) as platform:
        yield platform, shelf


def kept(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def handed_in(platform: Platform, actor: Actor, content: bytes, client_id: str = "c") -> UUID:
    uploads = platform.files.uploads
    upload = await uploads.create(actor, "a.txt", len(content), hashlib.sha256(content).hexdigest(), client_id)

    async def body() -> AsyncGenerator[bytes, None]:
        yield content

    stored = await uploads.receive(actor, upload.id, None, None, body())
    assert stored.state is FileState.STORED
    return upload.id


async def fetched(platform: Platform, actor: Actor, file_id: UUID) -> bytes:
    file, key, size = await platform.files.content(actor, file_id)
    pieces = await platform.files.read(actor, file, key, 0, size, preview=False)
    return b"".join([piece async for piece in pieces])


@pytest.mark.rule("C12")
async def test_the_owner_s_rule_is_asked_each_time_and_a_no_is_told_as_not_there(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with shelf_at(fresh_database, tmp_path) as (platform, shelf):
        practice, [ada, ben] = await practice_with(platform, Role.STAFF, Role.OWNER)
        box = uuid7()
        with as_(ada):
            file_id = await handed_in(platform, ada, b"hello")
            async with unit():
                [file] = await platform.files.attach(ada, [file_id], "box", box)
            assert (file.state, file.owner_kind, file.owner_id, file.expires_at) == (
                FileState.ATTACHED,
                "box",
                box,
                None,
            )
            with pytest.raises(errors.NotFound):
                await platform.files.file(ada, file_id)  # uploading it gives no right to it
        shelf.readers = {ben.member_id}
        with as_(ben):
            assert await fetched(platform, ben, file_id) == b"hello"
            with pytest.raises(errors.SwitchedOff):
                await platform.files.delete(ben, file_id)
            assert await fetched(platform, ben, file_id) == b"hello"
        shelf.readers = {ada.member_id}
        with as_(ben), pytest.raises(errors.NotFound):
            await fetched(platform, ben, file_id)
        with as_(ada):
            assert (await platform.files.delete(ada, file_id)).state is FileState.DELETED
        await until(lambda: len(shelf.heard) == 4, "the events", 30)
        told = {"practice_id": practice.id, "file_id": file_id, "owner_kind": "box", "owner_id": box}
        assert ada.member_id and ben.member_id
        assert sorted(shelf.heard, key=lambda event: type(event).__name__) == [
            FileAttached(**told, attached_by=ada.member_id),
            FileDeleted(**told, deleted_by=ada.member_id),
            *[FileDownloaded(**told, downloaded_by=ben.member_id, preview=False)] * 2,
        ]


@pytest.mark.rule("G5")
async def test_what_the_owner_takes_back_is_attached_to_nothing(fresh_database: Database, tmp_path: Path) -> None:
    async with shelf_at(fresh_database, tmp_path) as (platform, shelf):
        practice, [ada] = await practice_with(platform, Role.STAFF)
        shelf.readers = {ada.member_id}
        box = uuid7()
        with as_(ada):
            first, second = [await handed_in(platform, ada, b"hello", name) for name in ("1", "2")]
            with pytest.raises(errors.NotFound):
                async with unit():
                    await platform.files.attach(ada, [first, uuid7()], "box", box)
            assert (await platform.files.file(ada, first)).state is FileState.STORED
            with pytest.raises(LookupError):
                await platform.files.attach(ada, [first], "drawer", box)
            await platform.files.attach(ada, [first, second], "box", box)
            with pytest.raises(RuntimeError):
                async with unit():
                    assert await platform.files.delete_owned(ada, "box", box) == 2
                    raise RuntimeError("the owner could not be deleted")
            assert await fetched(platform, ada, first) == b"hello"
            async with unit():
                assert await platform.files.delete_owned(ada, "box", box) == 2
            assert (await platform.files.file(ada, first)).state is FileState.DELETED
            assert await DB.fetchval("SELECT count(*) FROM file_object WHERE file_id IS NULL") == 2
            run = JobRun(platform=platform, practice_id=practice.id, payload={}, attempt=1)
            await platform.jobs.entries["core.remove_bytes"].function(run)
            assert await DB.fetchval("SELECT count(*) FROM file_object") == 0
        assert await asyncio.to_thread(kept, tmp_path) == []


@pytest.mark.promise("A3")
async def test_files_of_a_plugin_that_is_not_active_are_nobody_s(fresh_database: Database, tmp_path: Path) -> None:
    async with shelf_at(fresh_database, tmp_path) as (platform, shelf):
        _, [ada] = await practice_with(platform, Role.OWNER)
        shelf.readers = {ada.member_id}
        with as_(ada):
            file_id = await handed_in(platform, ada, b"hello")
            await platform.files.attach(ada, [file_id], "box", uuid7())
            assert await fetched(platform, ada, file_id) == b"hello"
    async with assembled_with(fresh_database, plugin("other"), data=tmp_path) as platform:
        with as_(ada):
            for looks in (platform.files.file, platform.files.delete):
                with pytest.raises(errors.NotFound):
                    await looks(ada, file_id)
