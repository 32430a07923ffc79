"""Tells whether a backup is whole: every part by its hash, and when asked the database by restoring it aside."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bedside_core.audit.anchor import Anchor
from bedside_core.audit.verify import verify as verdicts
from bedside_core.backup import layout
from bedside_core.backup.layout import BackupFailed, Manifest
from bedside_core.database import DB, EmbeddedServer, prepare_roles
from bedside_core.database.dump import (
    Content,
    DumpFailed,
    Snapshot,
    differences,
    readable,
    restore,
    snapshot,
)

_QUICK = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off"}
_OBJECTS = "SELECT key, size FROM file_object WHERE file_id IS NOT NULL AND key > $1 ORDER BY key LIMIT 500"
MOST_TOLD = 20
"""Faults of one kind that are told one by one."""


@dataclass
class Verified:
    """What was found out about a backup.

    Args:
        manifest: what it says of itself.
        faults: what is wrong with it, in words.
        entries: sealed entries of the audit trail that were followed, where the database was restored.
    """

    manifest: Manifest
    faults: list[str] = field(default_factory=list[str])
    entries: int = 0


async def verify(folder: Path) -> Verified:
    """Read a backup from one end to the other, without a database.

    Args:
        folder: the backup.

    Raises:
        BackupFailed: it is no backup, or an unfinished one.
    """
    manifest = await asyncio.to_thread(layout.read_manifest, folder)
    found = Verified(manifest, await asyncio.to_thread(_parts, folder, manifest))
    if not found.faults:
        found.faults += await asyncio.to_thread(_files, folder, manifest)
        if why := await readable(folder / layout.DUMP):
            found.faults.append(f"{layout.DUMP} can't be read: {why}")
    return found


async def verify_deeply(folder: Path) -> Verified:
    """Verify a backup, and restore its database into a private server of its own, which is thrown away.

    Every table is compared with what the manifest says, the files with the rows that name them, and the audit trail
    is followed and compared with its anchor. It needs as much room in the temporary folder as the database takes.

    Args:
        folder: the backup.

    Raises:
        BackupFailed: it is no backup, or an unfinished one.
        ServerFailed: the private server does not start.
    """
    found = await verify(folder)
    if found.faults:
        return found
    async with _aside() as server:
        await prepare_roles(server.owner_dsn(), server.application_dsn())
        try:
            await restore(server.owner_dsn(), folder / layout.DUMP)
        except DumpFailed as error:
            found.faults.append(str(error))
            return found
        async with snapshot(server.owner_dsn()) as seen:
            found.faults += await compared(seen, found.manifest)
            found.faults += await _referenced(seen, folder)
        await DB.open(server.application_dsn(), max_size=2)
        try:
            async for verdict in verdicts(Anchor(folder / layout.ANCHOR)):
                found.entries += verdict.sealed
                if verdict.fault is not None:
                    found.faults.append(f"the audit trail of {verdict.practice_id}: {verdict.fault.message}")
        finally:
            await DB.close()
    return found


async def compared(seen: Snapshot, manifest: Manifest) -> list[str]:
    """Return where a restored database differs from what the manifest says of it."""
    expected = {name: Content(table.rows, table.hash) for name, table in manifest.tables.items()}
    faults = differences(expected, await seen.contents())
    sequences = await seen.sequences()
    # A sequence belongs to no moment: the dump may have it later, never earlier.
    faults += [
        f"the sequence {name} stands at {sequences.get(name)}, before {value}"
        for name, value in manifest.sequences.items()
        if (sequences.get(name) or 0) < (value or 0) or name not in sequences
    ]
    return faults


def _parts(folder: Path, manifest: Manifest) -> list[str]:
    faults: list[str] = []
    for name, part in sorted(manifest.parts.items()):
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise BackupFailed(f"{layout.MANIFEST} names {name}, which is not in the backup")
        faults += _fault(path, name, part.size, part.sha256)
    known = {*manifest.parts, layout.MANIFEST, layout.CHECKSUM}
    for path in (*folder.iterdir(), *(folder / layout.ANCHOR).glob("*")):
        name = str(path.relative_to(folder))
        if name not in known and name not in {layout.FILES, layout.ANCHOR}:
            faults.append(f"{name} is no part of the backup")
    required = {layout.DUMP, layout.LISTING} - set(manifest.parts)
    return faults + [f"{layout.MANIFEST} names no {name}" for name in sorted(required)]


def _files(folder: Path, manifest: Manifest) -> list[str]:
    faults, files, size, missing = list[str](), 0, 0, 0
    for stored in layout.listed(folder):
        if stored.sha256 is None:
            missing += 1
            continue
        files, size = files + 1, size + stored.size
        faults += _fault(folder / layout.FILES / stored.key, stored.key, stored.size, stored.sha256)
    if (files, size, missing) != (manifest.files, manifest.file_bytes, manifest.files_gone + manifest.files_lost):
        faults.append(f"{layout.LISTING} lists {files} files, and the manifest says {manifest.files}")
    there = sum(len(names) for _, _, names in os.walk(folder / layout.FILES))
    if there > files:
        faults.append(f"{there - files} files belong to nothing")
    return faults[:MOST_TOLD] + [f"and {len(faults) - MOST_TOLD} more"] * (len(faults) > MOST_TOLD)


def _fault(path: Path, name: str, size: int, sha256: str) -> list[str]:
    try:
        if path.stat().st_size != size:
            return [f"{name} has {path.stat().st_size} bytes, not {size}"]
        if layout.part_of(path).sha256 != sha256:
            return [f"{name} is not what was backed up"]
    except OSError as error:
        return [f"{name} can't be read: {error.strerror}"]
    return []


async def _referenced(seen: Snapshot, folder: Path) -> list[str]:
    """Return whether listing and rows name the same objects."""
    faults, after, lines = list[str](), "", layout.listed(folder)
    while rows := await seen.connection.fetch(_OBJECTS, after):
        for row in rows:
            stored = await asyncio.to_thread(next, lines, None)
            if stored is None or (stored.key, stored.size) != (row["key"], row["size"]):
                return [f"{layout.LISTING} and the rows name different files from {row['key']} on"]
        after = rows[-1]["key"]
    if await asyncio.to_thread(next, lines, None) is not None:
        faults.append(f"{layout.LISTING} names files that no row does")
    return faults


@asynccontextmanager
async def _aside() -> AsyncGenerator[EmbeddedServer]:
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="bedside-verify-"))
    try:
        server = await EmbeddedServer.start(folder, settings=_QUICK)
        try:
            yield server
        finally:
            await server.stop()
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def summary(manifest: Manifest) -> Mapping[str, object]:
    """Return a backup's figures, for a command to show."""
    return {
        "made_at": manifest.made_at,
        "bedside": manifest.bedside,
        "postgres": manifest.postgres,
        "tables": len(manifest.tables),
        "rows": sum(table.rows for table in manifest.tables.values()),
        "files": manifest.files,
        "file_bytes": manifest.file_bytes,
        "files_gone": manifest.files_gone,
        "files_lost": manifest.files_lost,
        "key": "included" if layout.SEALED_KEY in manifest.parts else "left out" if manifest.key else "none",
    }
