"""Makes a backup while the server runs: one moment of the database, and the files that its rows name."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

from bedside_core import audit
from bedside_core.audit.anchor import Anchor
from bedside_core.backup import layout
from bedside_core.backup.anchors import Heads, copy_anchor, heads_of
from bedside_core.backup.keys import fingerprint, present_key, sealed
from bedside_core.backup.layout import BackupFailed, Manifest, Part, Stored, Table
from bedside_core.backup.where import Where, database_of
from bedside_core.boot import NotReady
from bedside_core.config import Config
from bedside_core.database import DB, acting, pending
from bedside_core.database.dump import Snapshot, dump, snapshot
from bedside_core.files.store import Store

BATCH = 500
BEGUN, COMPLETE = "backup.create", "backup.complete"
"""Actions in the deployment's audit trail: that the data is about to leave, and that a backup of it is there."""

_OBJECTS = """SELECT key, size FROM file_object WHERE file_id IS NOT NULL AND key > $1 ORDER BY key LIMIT $2"""

Told = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Made:
    """A new backup.

    Args:
        folder: where it is.
        checksum: SHA-256 of its manifest, to be kept elsewhere.
        manifest: what it says of itself.
        removed: names of older backups that were removed.
    """

    folder: Path
    checksum: str
    manifest: Manifest
    removed: tuple[str, ...]


@dataclass
class _Copied:
    files: int = 0
    bytes: int = 0
    gone: list[str] = field(default_factory=list[str])


async def create(
    config: Config,
    into: Path,
    *,
    keep: int | None = None,
    passphrase: str | None = None,
    tell: Told = lambda what: None,
) -> Made:
    """Make a backup of the deployment.

    The database is dumped as it was at one moment. A file whose row that moment has is in the backup, unless it was
    deleted for good before it was copied. Nothing is held in memory beyond a megabyte or so.

    Args:
        config: the deployment's.
        into: folder of backups, made if absent; the new one gets a name of its own there.
        keep: how many backups stay in the folder, this one counted; None removes none.
        passphrase: puts the deployment's key into the backup, sealed with it; else the key is left out.
        tell: called with what is done next.

    Raises:
        BackupFailed: another backup is being made there, or something can't be read.
        NotReady: migrations are pending, or the owner's URL is missing.
        DumpFailed: `pg_dump` refused.
        Unavailable: database or store don't answer.
    """
    store = Store(config.files_url, config.data / "files")
    key = present_key(config)
    with _alone(into), _building(into) as (building, final):
        async with database_of(config) as where, _entered(where, final.name):
            anchor = Anchor(config.anchor)
            before = _sizes(anchor)
            async with snapshot(where.owner) as seen:
                sequences = await seen.sequences()  # before the dump, whose own are later then, if anything
                tell("dumping the database")
                await dump(where.owner, seen, building / layout.DUMP)
                tell("counting what the tables hold")
                contents = await seen.contents()
                heads = await heads_of(seen.connection)
                migrations = await seen.migrations()
                tell("copying files")
                copied = await _copy_files(seen, store, building)
            lost = await _still_wanted(where, copied.gone)
            _copy_anchor(anchor, before, heads, building)
            if key is not None and passphrase is not None:
                layout.write(building / layout.SEALED_KEY, await asyncio.to_thread(sealed, key, passphrase))
            tell("hashing the parts")
            manifest = Manifest(
                format=layout.FORMAT,
                made_at=datetime.now(UTC).isoformat(timespec="seconds"),  # the machine's time, as in the name
                bedside=version("bedside"),
                postgres=seen.version,
                migrations=migrations,
                tables={name: Table(content.rows, content.hash) for name, content in contents.items()},
                sequences=sequences,
                files=copied.files,
                file_bytes=copied.bytes,
                files_gone=len(copied.gone) - lost,
                files_lost=lost,
                key=None if key is None else fingerprint(key),
                settings=sorted(name for name in os.environ if name.startswith("BEDSIDE_")),
                parts=await asyncio.to_thread(_parts, building),
            )
            checksum = layout.write_manifest(building, manifest)
            layout.sync(building)
            building.rename(final)
            layout.sync(into)
        removed = () if keep is None else _remove_older(into, keep)
    return Made(folder=final, checksum=checksum, manifest=manifest, removed=removed)


@contextmanager
def _alone(into: Path) -> Generator[None]:
    """Have one process at a time make backups in a folder."""
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (into / ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupFailed(f"another backup is being made in {into}") from None
        yield


@contextmanager
def _building(into: Path) -> Generator[tuple[Path, Path]]:
    """Give the folder to build in and the name it gets when it is whole; what is not finished is removed.

    What a killed process left behind is removed by the next one, for it can't do so itself.
    """
    for left in into.glob(f"{layout.PREFIX}*{layout.UNFINISHED}"):
        shutil.rmtree(left)
    name = f"{layout.PREFIX}{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    final, number = into / name, 1
    while final.exists():
        number += 1
        final = into / f"{name}-{number}"
    building = final.with_name(final.name + layout.UNFINISHED)
    building.mkdir(mode=0o700)
    try:
        yield building, final
    finally:
        shutil.rmtree(building, ignore_errors=True)


@asynccontextmanager
async def _entered(where: Where, name: str) -> AsyncGenerator[None]:
    """Enter in the deployment's trail that a backup is made, before anything leaves, and that it is complete (A14)."""
    if missing := await pending(where.owner, []):
        raise NotReady(f"migrations are pending ({', '.join(missing)}): back up with the version that is in use")
    await DB.open(where.application, max_size=2)
    try:
        await _enter(BEGUN, name)
        yield
        await _enter(COMPLETE, name)
    finally:
        await DB.close()


async def _enter(action: str, name: str) -> None:
    async with audit.operation(via=audit.Via.COMMAND, detail={"command": "bedside backup create"}, operator=True):
        with acting(audit.DEPLOYMENT):
            audit.did(action, kind="backup", target=name)


async def _copy_files(seen: Snapshot, store: Store, building: Path) -> _Copied:
    copied, after = _Copied(), ""
    encoder = msgspec.json.Encoder()
    with os.fdopen(os.open(building / layout.LISTING, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as listing:
        while rows := await seen.connection.fetch(_OBJECTS, after, BATCH):
            for row in rows:
                stored = await _copy(store, row["key"], row["size"], building)
                listing.write(encoder.encode(stored) + b"\n")
                if stored.sha256 is None:
                    copied.gone.append(stored.key)
                else:
                    copied.files += 1
                    copied.bytes += stored.size
            after = rows[-1]["key"]
    layout.sync(building / layout.LISTING)
    return copied


async def _copy(store: Store, key: str, size: int, building: Path) -> Stored:
    if not layout.KEY.fullmatch(key):
        raise BackupFailed(f"the store has a key that is none of ours: {key}")
    path = building / layout.FILES / key
    layout.make_folder(path.parent, building)
    digest, length = hashlib.sha256(), 0
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        try:
            async for piece in store.read(key):
                digest.update(piece)
                length += len(piece)
                await asyncio.to_thread(file.write, piece)
        except FileNotFoundError:
            path.unlink()
            return Stored(key, size, None)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    if length != size:
        raise BackupFailed(f"{key} has {length} bytes in the store, and {size} by its row")
    return Stored(key, size, digest.hexdigest())


async def _still_wanted(where: Where, missing: list[str]) -> int:
    """Return how many of the objects without bytes belong to files that are there still: they were lost before."""
    if not missing:
        return 0
    async with snapshot(where.owner) as now:
        return await now.connection.fetchval(
            "SELECT count(*) FROM file_object WHERE file_id IS NOT NULL AND key = ANY($1::text[])", missing
        )


def _sizes(anchor: Anchor) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(anchor.folder.glob("*.jsonl"))}


def _copy_anchor(anchor: Anchor, before: dict[str, int], heads: Heads, building: Path) -> None:
    target = building / layout.ANCHOR
    target.mkdir(mode=0o700)
    copy_anchor(anchor.folder, before, heads, target)


def _parts(building: Path) -> dict[str, Part]:
    """Return what is in the backup besides the store's objects, whose hashes the listing has."""
    found = [path for path in building.iterdir() if path.is_file()] + sorted((building / layout.ANCHOR).iterdir())
    for path in found:
        layout.sync(path)
    return {str(path.relative_to(building)): layout.part_of(path) for path in sorted(found)}


def _remove_older(into: Path, keep: int) -> tuple[str, ...]:
    """Remove the oldest backups beyond a number; a name says when it was made."""
    found = sorted(
        (path for path in into.iterdir() if layout.NAME.fullmatch(path.name) and (path / layout.MANIFEST).is_file()),
        key=lambda path: (path.name[: len("bedside-00000000T000000Z")], len(path.name), path.name),
    )
    removed = found[: max(len(found) - keep, 0)]
    for path in removed:
        # Under the name of what is unfinished first: a removal that is interrupted leaves no half of a backup.
        doomed = path.with_name(path.name + layout.UNFINISHED)
        path.rename(doomed)
        shutil.rmtree(doomed)
    return tuple(path.name for path in removed)
