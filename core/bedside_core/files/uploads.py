"""Uploads: announced, received in parts that survive a broken connection, then examined and kept (G5).

A part is an object of a megabyte with a row that says where it begins. Each process writes what it gets as soon as a
part is full or the body ends, so any process can go on, and none holds more than a part of an upload in memory.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

from bedside_core import errors
from bedside_core.auth import Actor
from bedside_core.database import DB, unit
from bedside_core.files.examine import Examiner, too_large
from bedside_core.files.facts import FileState, StoredFile
from bedside_core.files.finishing import LASTS, Finisher, missing, present
from bedside_core.files.names import clean_name
from bedside_core.files.problems import OffsetMismatch, StorageFull, UploadInterrupted, restored
from bedside_core.files.rows import SELECT, file_by_id, file_of
from bedside_core.files.settings import FileSettings
from bedside_core.files.store import INCOMING, Store, new_key
from bedside_core.ids import uuid7

if TYPE_CHECKING:
    from bedside_core.platform import Platform

PART_BYTES = 1 << 20
RECEIVING = 16
"""Bodies that one process reads at once; the others' senders wait."""
RECEIVING_EACH = 4
"""Bodies of one person that one process reads at once."""
PATIENCE_SECONDS = 30.0
"""Longest silence of a sender, and longest wait for a turn."""
GIGABYTE = 1_000_000_000
UNFINISHED = 100
"""Uploads that one person may have begun and not attached."""


class Uploads:
    """The way of a file into the store.

    Args:
        platform: access, clock and settings.
        store: where bytes go.
        examiner: what looks at them before.
        folder: where one upload is put together; nothing in it outlives that.
    """

    def __init__(self, platform: Platform, store: Store, examiner: Examiner, folder: Path) -> None:
        self._platform = platform
        self._store = store
        self._finisher = Finisher(platform, store, examiner, folder)
        self._receiving = asyncio.Semaphore(RECEIVING)
        self._each: Counter[UUID] = Counter()

    async def create(self, actor: Actor, name: str, size: int, sha256: str, client_id: str) -> StoredFile:
        """Announce an upload, or return the one that was announced with the client id (G9).

        Args:
            actor: whose it is.
            name: what the client calls it; it is cleaned, and never becomes part of a key.
            size: bytes.
            sha256: of the bytes, 64 hexadecimal digits.
            client_id: the client's own id of it.

        Raises:
            errors.InvalidInput: size or hash can't be.
            errors.Conflict: the client id announced something else.
            FileTooLarge: the practice takes no file this long.
            StorageFull: the plan has no room for it (L6).
            errors.RateLimited: too many are begun and not attached.
        """
        practice_id, person_id = actor.as_person()
        await self._platform.access.require(actor, "files.upload")
        digest = _digest(sha256)
        if size < 1:
            raise errors.InvalidInput("A file has at least one byte.", field=("size",))
        longest = (await self._platform.settings.read(FileSettings)).longest()
        if size > longest:
            raise too_large(longest)
        limit = await self._platform.access.limit(practice_id, "storage_gb")
        now = self._platform.clock.now()
        async with unit():
            # Two that come at once would both find room: one practice's announcements are made one after the other.
            await DB.execute("SELECT pg_advisory_xact_lock(hashtextextended('file ' || $1, 0))", str(practice_id))
            row = await DB.fetchrow(f"{SELECT} WHERE f.made_by = $1 AND f.client_id = $2", person_id, client_id)
            if row is not None:
                if (row["upload_size"], row["upload_sha256"], row["bound_to"]) != (size, digest, actor.bound_to):
                    raise errors.Conflict("This clientId has announced another file.", field=("clientId",))
                return file_of(row)
            await self._check_room(person_id, size, limit)
            file_id = uuid7()
            await DB.execute(
                """INSERT INTO file (id, practice_id, made_by, client_id, state, name, upload_size, upload_sha256,
                    created_at, expires_at, bound_to) VALUES ($1, $2, $3, $4, 'uploading', $5, $6, $7, $8, $9, $10)""",
                file_id, practice_id, person_id, client_id, clean_name(name), size, digest, now, now + LASTS,
                actor.bound_to,
            )  # fmt: skip
            return await present(file_id)

    async def _check_room(self, person_id: UUID, size: int, limit: int | None) -> None:
        row = await DB.fetchrow(
            """SELECT coalesce(sum(coalesce(size, upload_size)) FILTER (WHERE state <> 'refused'), 0)::bigint AS used,
                count(*) FILTER (WHERE made_by = $1 AND expires_at IS NOT NULL) AS begun
            FROM file WHERE state <> 'deleted' AND owner_kind IS DISTINCT FROM 'data_export'""",
            person_id,
        )
        used, begun = (int(row["used"]), int(row["begun"])) if row else (0, 0)
        if limit is not None and used + size > limit * GIGABYTE:
            raise StorageFull(
                "There is no room for this file in your practice's plan.",
                way_on="Delete what is not needed, or ask the owner of your practice for a larger plan.",
                detail={"limit": limit * GIGABYTE, "used": used},
            )
        if begun >= UNFINISHED:
            raise errors.RateLimited(
                "Too many of your uploads are neither attached nor cancelled.",
                way_on="Attach or cancel some; after a day they go by themselves.",
            )

    async def of(self, actor: Actor, file_id: UUID) -> StoredFile:
        """Return an upload of the actor's own, attached or not.

        Raises:
            errors.NotFound: none of theirs.
        """
        actor.as_person()
        await self._platform.access.require(actor, "files.upload")
        file = await file_by_id(file_id)
        if file is None or not file.uploaded_by(actor) or file.state is FileState.DELETED:
            raise missing()
        return file

    async def receive(
        self, actor: Actor, file_id: UUID, offset: int | None, length: int | None, body: AsyncIterator[bytes]
    ) -> StoredFile:
        """Take the bytes of a body, and keep the file once all are there.

        Args:
            actor: whose upload it is.
            file_id: the upload.
            offset: where the body begins; None sends the whole anew.
            length: bytes of the body, where the sender tells.
            body: its pieces; what it raises is a broken connection.

        Returns:
            The upload as it stands. An empty body at its end has it examined again, after `UNAVAILABLE`.

        Raises:
            errors.NotFound: none of the actor's.
            OffsetMismatch: the body does not begin where the upload stands.
            errors.InvalidInput: more bytes than were announced.
            UploadInterrupted: the connection broke; what came is kept.
            errors.RateLimited: the person sends too many at once.
            errors.Problem: what `Examiner.examine` refuses; the upload is over then.
            HashMismatch: the bytes are others than were announced; it begins anew.
        """
        file = await self.of(actor, file_id)
        if file.state is FileState.REFUSED and file.refusal is not None:
            raise restored(file.refusal)
        if file.state is not FileState.UPLOADING:
            if offset in {None, file.upload_size}:
                return file
            raise _misplaced(file.upload_size)
        if offset is None and file.received:
            await self._finisher.restart(file_id)
            file = await present(file_id)
        if (offset or 0) != file.received:
            raise _misplaced(file.received)
        if length is not None and file.received + length > file.upload_size:
            raise _too_much()
        with self._turn(file.made_by):
            received = await self._take(file, body)
        if received < file.upload_size:
            return await present(file_id)
        return await self._finisher.finish(file_id)

    @contextmanager
    def _turn(self, person_id: UUID) -> Generator[None]:
        if self._each[person_id] >= RECEIVING_EACH:
            raise errors.RateLimited("You send too many files at once.", way_on="Send one after the other.")
        self._each[person_id] += 1
        try:
            yield
        finally:
            self._each[person_id] -= 1
            if not self._each[person_id]:
                del self._each[person_id]

    async def _take(self, file: StoredFile, body: AsyncIterator[bytes]) -> int:
        """Write the body's parts and return where the upload then stands."""
        position, part, failure = file.received, bytearray(), None
        async with _waiting(self._receiving):
            pieces = aiter(body)
            while True:
                try:
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        piece = await anext(pieces)
                except StopAsyncIteration:
                    break
                except errors.Problem:
                    raise
                except Exception as error:  # the server's word for a broken connection is not a type of its own
                    failure = error
                    break
                if position + len(part) + len(piece) > file.upload_size:
                    raise _too_much()
                part += piece
                while len(part) >= PART_BYTES:
                    position = await self._keep_part(file, position, part[:PART_BYTES])
                    del part[:PART_BYTES]
            if part:
                position = await self._keep_part(file, position, part)
        if failure is not None:
            raise UploadInterrupted(
                "The connection broke before the body's end.", way_on="Ask by HEAD where to go on."
            ) from failure
        return position

    async def _keep_part(self, file: StoredFile, position: int, part: bytearray) -> int:
        """Write a part, then its row; a part without a row is nobody's, and the sweep takes it away."""
        key = new_key(INCOMING, file.practice_id)
        await self._store.put(key, part)
        try:
            await DB.execute(
                """INSERT INTO file_object (key, practice_id, file_id, kind, "position", size, created_at)
                VALUES ($1, $2, $3, 'part', $4, $5, $6)""",
                key, file.practice_id, file.id, position, len(part), self._platform.clock.now(),
            )  # fmt: skip
        except asyncpg.UniqueViolationError:  # another request was quicker; where it stands now, HEAD tells
            await self._store.remove([key])
            raise _misplaced((await present(file.id)).received) from None
        except asyncpg.ForeignKeyViolationError:  # it was cancelled meanwhile
            await self._store.remove([key])
            raise missing() from None
        return position + len(part)

    async def cancel(self, actor: Actor, file_id: UUID) -> bool:
        """Take away an upload that is attached to nothing; tells whether there was one.

        Raises:
            errors.NotFound: none of the actor's.
            errors.Conflict: it is attached: a file is deleted, not cancelled.
        """
        file = await self.of(actor, file_id)
        if not await DB.fetchval("DELETE FROM file WHERE id = $1 AND expires_at IS NOT NULL RETURNING true", file.id):
            raise errors.Conflict("The file is attached already.", way_on="Delete it where it is.")
        await self._finisher.tidy()
        return True


@asynccontextmanager
async def _waiting(turns: asyncio.Semaphore) -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await turns.acquire()
    except TimeoutError:
        raise errors.Unavailable("The server takes many files at the moment.", way_on="Try again soon.") from None
    try:
        yield
    finally:
        turns.release()


def _digest(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != 32 or len(text) != 64:
        raise errors.InvalidInput("A SHA-256 has 64 hexadecimal digits.", field=("sha256",))
    return digest


def _misplaced(offset: int) -> OffsetMismatch:
    return OffsetMismatch(
        f"The upload stands at {offset} bytes.", way_on="Go on from there.", detail={"offset": offset}
    )


def _too_much() -> errors.InvalidInput:
    return errors.InvalidInput("The body is longer than the file that was announced.", field=("size",))
