"""Where bytes are kept: a local folder, or S3 by its URL, behind one interface (obstore).

Keys are random and say nothing: `incoming/<practice>/…` is anything half done, `files/<practice>/…` is whole.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog

from bedside_core import errors

if TYPE_CHECKING:
    from obstore.store import ObjectStore

log = structlog.get_logger("bedside.files")

CHUNK_BYTES = 1 << 18
"""How much is read from the store at once."""
_MULTIPART_BYTES = 8 << 20
"""S3 takes parts of 5 MiB and more, ten thousand of them; two are in memory at once."""

RETRY_SECONDS = 20.0
"""How long a request to S3 is tried again before who asked is told."""

INCOMING = "incoming"
WHOLE = "files"


def new_key(area: str, practice_id: UUID) -> str:
    """Return a key that is nobody else's, in `INCOMING` or `WHOLE`."""
    return f"{prefix_of(area, practice_id)}{secrets.token_hex(16)}"


def prefix_of(area: str, practice_id: UUID) -> str:
    """Return what all keys of a practice in an area begin with."""
    return f"{area}/{practice_id.hex}/"


class Store:
    """The store of one deployment.

    Args:
        url: `s3://bucket/folder`, `file:///folder`, or another that obstore knows; None is the folder.
        folder: where bytes are kept without a URL; made when the first come.
    """

    def __init__(self, url: str | None, folder: Path) -> None:
        self._url = url
        self._folder = folder.absolute()
        self._opened: ObjectStore | None = None
        self._root: Path | None = None

    async def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        """Keep the bytes of a part under a key. A machine's failure may lose them: then the part is sent again.

        Raises:
            errors.Unavailable: the store does not take them now.
        """
        await self._put(key, data)

    async def put_file(self, key: str, path: Path) -> None:
        """Keep a local file's bytes under a key, without holding them in memory; when this returns they are on disk.

        Raises:
            errors.Unavailable: the store does not take them now.
        """
        await self._put(key, path)
        await self._settle(key)

    async def _put(self, key: str, data: Any) -> None:
        import obstore

        with _telling("write"):
            store = self._store()
            chunk = CHUNK_BYTES if self._root is not None else _MULTIPART_BYTES
            await obstore.put_async(store, key, data, chunk_size=chunk, max_concurrency=2)

    async def move(self, key: str, to: str) -> None:
        """Give bytes another key, at once and wholly.

        Raises:
            errors.Unavailable: the store can't do it now.
        """
        import obstore

        with _telling("move"):
            await obstore.rename_async(self._store(), key, to)
        await self._settle(to)

    async def copy(self, key: str, to: str) -> None:
        """Put the bytes of a key under another one, too, without holding them in memory.

        Raises:
            FileNotFoundError: there is nothing under the key.
            errors.Unavailable: the store can't do it now.
        """
        import obstore

        with _telling("copy"):
            await obstore.copy_async(self._store(), key, to)
        await self._settle(to)

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes]:
        """Yield the bytes under a key in pieces of a quarter of a megabyte or so.

        Args:
            key: what to read.
            start: first byte.
            end: byte to stop before; None reads to the end.

        Raises:
            FileNotFoundError: there is nothing under the key. Raised before the first piece.
            errors.Unavailable: the store does not answer.
        """
        import obstore

        with _telling("read"):
            options: Any = None
            if end is not None:
                options = {"range": (start, end)}
            elif start:
                options = {"range": {"offset": start}}
            result = await obstore.get_async(self._store(), key, options=options)
            async for piece in result.stream(min_chunk_size=CHUNK_BYTES):
                yield piece

    async def has(self, key: str) -> bool:
        """Tell whether there is something under a key."""
        import obstore

        try:
            with _telling("look"):
                await obstore.head_async(self._store(), key)
        except FileNotFoundError:
            return False
        return True

    async def remove(self, keys: Sequence[str]) -> None:
        """Remove what is under keys; what is gone already is fine.

        Raises:
            errors.Unavailable: the store can't do it now; what is left may be removed again.
        """
        import obstore

        store = self._store()
        with _telling("remove"):
            for key in keys:  # a bulk request stops at the first key that is not there
                try:
                    await obstore.delete_async(store, key)
                except FileNotFoundError:
                    continue
            if self._root is not None:
                await asyncio.to_thread(_sync_folders, {(self._root / key).parent for key in keys})

    async def keys(self, prefix: str) -> AsyncGenerator[Sequence[tuple[str, datetime]]]:
        """Yield the keys that begin with a prefix and when each was written, a thousand at a time or fewer."""
        import obstore

        with _telling("list"):
            module: Any = obstore  # the types of `list` name a library that need not be there
            pages: AsyncIterator[Any] = module.list(self._store(), prefix, chunk_size=1000)
            async for page in pages:
                yield [(item["path"], item["last_modified"]) for item in page]

    async def remove_torn(self, prefix: str, before: datetime) -> None:
        """Remove what a process that was killed had half written below a prefix; listings leave it out.

        Args:
            prefix: as `prefix_of` gives it.
            before: what was written later may still be under way.
        """
        self._store()
        if self._root is not None:
            await asyncio.to_thread(_remove_torn, self._root / prefix, before.timestamp())

    def _store(self) -> ObjectStore:
        if self._opened is None:
            from obstore import store  # a tenth of a second, and only where there are files

            if self._url is None or self._url.startswith("file://"):
                root = self._folder if self._url is None else Path(self._url.removeprefix("file://"))
                root.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._root, self._opened = root, store.LocalStore(root)
            else:
                # A large file on a slow line takes longer than the 30 seconds that are usual for a request. What is
                # given here replaces what obstore reads from AWS_ALLOW_HTTP.
                plain = os.environ.get("AWS_ALLOW_HTTP", "").lower() in {"1", "true"}
                self._opened = store.from_url(
                    self._url,
                    client_options={"timeout": "10 minutes", "allow_http": plain},
                    retry_config={"max_retries": 5, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
                )
        return self._opened

    async def _settle(self, key: str) -> None:
        """See that a local file survives the machine's failure; S3 answers when it does."""
        if self._root is not None:
            with _telling("write"):
                await asyncio.to_thread(_sync, self._root / key)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
    _sync_folders({path.parent})


def _sync_folders(folders: set[Path]) -> None:
    for folder in folders:
        if folder.is_dir():
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _remove_torn(folder: Path, before: float) -> None:
    for path in folder.glob("*#*") if folder.is_dir() else ():  # obstore writes to `key#1` and renames
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()


@contextmanager
def _telling(what: str) -> Generator[None]:
    """Turn the store's failures into one that clients may retry; the log gets its kind, for it may name the bucket."""
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError, ValueError) as error:
        log.warning("the files' store failed", doing=what, failure=type(error).__name__)
        raise errors.Unavailable("The store of files does not answer.", way_on="Try again in a moment.") from error
