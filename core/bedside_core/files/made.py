"""Files that the server makes itself, such as reports and exports: kept and attached at once, without an upload."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from bedside_core.database import DB
from bedside_core.files.names import clean_name
from bedside_core.files.store import INCOMING, WHOLE, Store, new_key
from bedside_core.ids import uuid7

_PIECE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Bytes in the store that no row knows yet; the sweep takes them away if none comes.

    Args:
        key: where they are.
        size: how many.
        sha256: their hash.
    """

    key: str
    size: int
    sha256: bytes


@asynccontextmanager
async def room(data: Path) -> AsyncGenerator[Path]:
    """Give a folder to make files in, closed to other accounts; the files' sweep removes what a crash left in it.

    Args:
        data: the deployment's folder of data, `platform.config.data`.
    """
    incoming = data / "incoming"
    incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=incoming))
    try:
        yield folder
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def keep_made(store: Store, practice_id: UUID, content: Path | bytes) -> Kept:
    """Put bytes that the server made into the store; a file's own way in examines what others send.

    Args:
        store: where to.
        practice_id: whose they are.
        content: the bytes, or a local file with them; at least one.

    Raises:
        errors.Unavailable: the store does not take them now.
    """
    if isinstance(content, bytes):
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            return await keep_made(store, practice_id, Path(file.name))
    digest, size = hashlib.sha256(), 0
    with content.open("rb") as file:
        while piece := file.read(_PIECE):  # a megabyte is hashed in a millisecond
            digest.update(piece)
            size += len(piece)
    coming, key = new_key(INCOMING, practice_id), new_key(WHOLE, practice_id)
    await store.put_file(coming, content)
    await store.move(coming, key)
    return Kept(key=key, size=size, sha256=digest.digest())


async def attach_made(
    kept: Kept,
    *,
    practice_id: UUID,
    made_for: UUID,
    name: str,
    media_type: str,
    owner_kind: str,
    owner_id: UUID,
    now: datetime,
) -> UUID:
    """Make a file of kept bytes, in the caller's unit of work.

    Args:
        kept: the bytes.
        practice_id: whose file it is.
        made_for: the person who asked for it.
        name: what it is called.
        media_type: what it is.
        owner_kind: a declared kind of owner, whose rules say who may read and delete it.
        owner_id: what it belongs to.
        now: the present instant.

    Returns:
        The file's id.
    """
    file_id = uuid7()
    await DB.execute(
        """INSERT INTO file (id, practice_id, made_by, client_id, state, name, media_type, size, upload_size,
            upload_sha256, owner_kind, owner_id, created_at, attached_at)
        VALUES ($1, $2, $3, $1::uuid::text, 'attached', $4, $5, $6, $6, $7, $8, $9, $10, $10)""",
        file_id, practice_id, made_for, clean_name(name), media_type, kept.size, kept.sha256, owner_kind, owner_id, now,
    )  # fmt: skip
    await DB.execute(
        """INSERT INTO file_object (key, practice_id, file_id, kind, size, created_at)
        VALUES ($1, $2, $3, 'content', $4, $5)""",
        kept.key, practice_id, file_id, kept.size, now,
    )  # fmt: skip
    return file_id
