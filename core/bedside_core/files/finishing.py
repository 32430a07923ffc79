"""The end of an upload: its parts are put together, compared with the announced hash, examined, and kept or refused."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import structlog

from bedside_core import errors
from bedside_core.database import DB, unit
from bedside_core.files.examine import Examined, Examiner
from bedside_core.files.facts import FileState, StoredFile
from bedside_core.files.names import clean_name
from bedside_core.files.problems import HashMismatch, is_refusal, stored
from bedside_core.files.rows import file_by_id, objects_of, remove_doomed
from bedside_core.files.settings import FileSettings
from bedside_core.files.store import INCOMING, WHOLE, Store, new_key

if TYPE_CHECKING:
    from bedside_core.platform import Platform

log = structlog.get_logger("bedside.files")

LASTS = timedelta(hours=24)
"""How long an upload waits to be finished, and then to be attached."""
AT_ONCE = 2
"""Uploads that one process puts together at once."""


class Finisher:
    """Makes files out of uploads that have arrived.

    Args:
        platform: clock and settings.
        store: where bytes are and go.
        examiner: what looks at them before.
        folder: where one upload is put together; nothing in it outlives that.
    """

    def __init__(self, platform: Platform, store: Store, examiner: Examiner, folder: Path) -> None:
        self._platform = platform
        self._store = store
        self._examiner = examiner
        self._folder = folder
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def finish(self, file_id: UUID) -> StoredFile:
        """Put the parts together, examine the whole, and keep it.

        Raises:
            errors.NotFound: it was cancelled meanwhile.
            HashMismatch: the bytes are others than were announced; it begins anew.
            errors.Unavailable: store, scanner or disk fail; it can be finished later.
            errors.Problem: what `Examiner.examine` refuses; the upload is over then.
        """
        async with self._turns:
            try:
                return await self._finish(file_id)
            except OSError as error:
                log.warning("an upload can't be put together", failure=type(error).__name__)
                raise errors.Unavailable("The server has no room to look at the file.") from error

    async def _finish(self, file_id: UUID) -> StoredFile:
        row = await DB.fetchrow("SELECT practice_id, name, upload_sha256, state FROM file WHERE id = $1", file_id)
        if row is None:
            raise missing()
        if row["state"] != FileState.UPLOADING:  # another request of the same upload has done it
            return await present(file_id)
        settings = await self._platform.settings.read(FileSettings)
        async with self._room() as folder:
            whole = folder / "whole"
            if await self._assemble(file_id, whole) != row["upload_sha256"]:
                if (file := await present(file_id)).state is not FileState.UPLOADING:
                    return file  # another request of the same upload was quicker, and has taken the parts away
                await self.restart(file_id)
                raise HashMismatch("What arrived is not what was announced.", way_on="Send it from its beginning.")
            try:
                examined = await self._examiner.examine(whole, settings)
            except errors.Problem as problem:
                if is_refusal(problem):
                    await self._refuse(file_id, problem)
                raise
            return await self._keep(file_id, row["practice_id"], row["name"], examined)

    async def _assemble(self, file_id: UUID, whole: Path) -> bytes:
        digest = hashlib.sha256()
        with whole.open("wb") as file:
            for key, _ in await objects_of(file_id, "part"):
                try:
                    async for piece in self._store.read(key):
                        digest.update(piece)  # a piece is less than a millisecond's work
                        file.write(piece)
                except FileNotFoundError:
                    return b""  # a lost part: told like any other content that is not what was announced
        return digest.digest()

    async def _keep(self, file_id: UUID, practice_id: UUID, name: str, examined: Examined) -> StoredFile:
        """Write content and preview whole under keys of their own, then say so in one transaction."""
        kept: list[tuple[str, str, int]] = []
        for kind, path in (("content", examined.path), ("preview", examined.preview)):
            if path is not None:
                coming, key = new_key(INCOMING, practice_id), new_key(WHOLE, practice_id)
                await self._store.put_file(coming, path)
                await self._store.move(coming, key)
                kept.append((key, kind, path.stat().st_size))
        now = self._platform.clock.now()
        async with unit():
            done = await DB.fetchval(
                """UPDATE file SET state = 'stored', name = $2, media_type = $3, size = $4, expires_at = $5
                WHERE id = $1 AND state = 'uploading' RETURNING true""",
                file_id, clean_name(name, examined.type.endings), examined.type.media_type, kept[0][2], now + LASTS,
            )  # fmt: skip
            if done:
                await DB.execute("UPDATE file_object SET file_id = NULL WHERE file_id = $1", file_id)
            for key, kind, size in kept:
                await DB.execute(
                    """INSERT INTO file_object (key, practice_id, file_id, kind, size, created_at)
                    VALUES ($1, $2, $3, $4, $5, $6)""",
                    key, practice_id, file_id if done else None, kind, size, now,
                )  # fmt: skip
        await self.tidy()
        return await present(file_id)

    async def _refuse(self, file_id: UUID, problem: errors.Problem) -> None:
        async with unit():
            refused = await DB.fetchval(
                "UPDATE file SET state = 'refused', refusal = $2 WHERE id = $1 AND state = 'uploading' RETURNING true",
                file_id,
                msgspec.json.encode(stored(problem)).decode(),
            )
            if refused:  # else another request has kept it, under settings that have changed since
                await DB.execute("UPDATE file_object SET file_id = NULL WHERE file_id = $1", file_id)
        await self.tidy()

    async def restart(self, file_id: UUID) -> None:
        """Throw away what has arrived of an upload, which stands at its beginning then."""
        await DB.execute("UPDATE file_object SET file_id = NULL WHERE file_id = $1 AND kind = 'part'", file_id)
        await self.tidy()

    async def tidy(self) -> None:
        """Take away at once what nobody wants any more; what fails, the sweep does."""
        try:
            await remove_doomed(self._store)
        except errors.Unavailable:
            log.warning("bytes are left to the sweep")

    @asynccontextmanager
    async def _room(self) -> AsyncGenerator[Path]:
        """Give a folder for the time of the block, closed to other accounts of the machine."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            yield folder
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def present(file_id: UUID) -> StoredFile:
    """Return a file as it is now.

    Raises:
        errors.NotFound: it was cancelled.
    """
    file = await file_by_id(file_id)
    if file is None:
        raise missing()
    return file


def missing() -> errors.NotFound:
    """Return the problem of an upload that is not there, or is another's."""
    return errors.NotFound("There is no upload with this id that you may see.")
