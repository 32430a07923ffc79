"""What a backup consists of: a folder with a dump, the files, the audit's anchor, and a manifest that names all parts.

    bedside-20261122T093000Z/
        database.dump       everything in PostgreSQL, in its custom format
        files.jsonl         a line for each object of the store: key, size, SHA-256
        files/<key>         its bytes
        anchor/<month>.jsonl
        secret.key.sealed   the deployment's key under a passphrase, where one was given
        manifest.json       versions, size and SHA-256 of each part, what each table holds
        manifest.sha256     of the manifest, as `sha256sum --check` reads it

The folder has another name until it is whole, and nothing with that name passes for a backup.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

FORMAT = 1
"""Grows when older versions of Bedside could misread a backup."""

DUMP = "database.dump"
LISTING = "files.jsonl"
FILES = "files"
ANCHOR = "anchor"
SEALED_KEY = "secret.key.sealed"
MANIFEST = "manifest.json"
CHECKSUM = "manifest.sha256"

PREFIX = "bedside-"
UNFINISHED = ".unfinished"
NAME = re.compile(r"bedside-\d{8}T\d{6}Z(-\d+)?")

KEY = re.compile(r"(files|incoming)/[0-9a-f]{32}/[0-9a-f]{32}")
"""A key of the store; nothing else is ever joined to a path."""

PIECE = 1 << 20


class BackupFailed(RuntimeError):
    """A backup can't be made, read or restored; the message tells the operator why."""


class Part(msgspec.Struct, frozen=True):
    """One file of a backup, beside those of the store."""

    size: int
    sha256: str


class Table(msgspec.Struct, frozen=True):
    """What a table held; see `bedside_core.database.dump.Content`."""

    rows: int
    hash: str


class Stored(msgspec.Struct, frozen=True):
    """One object of the store; without a hash it was deleted for good while the backup was made."""

    key: str
    size: int
    sha256: str | None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself."""

    format: int
    made_at: str
    bedside: str
    postgres: str
    migrations: dict[str, list[str]]
    tables: dict[str, Table]
    sequences: dict[str, int | None]
    files: int
    file_bytes: int
    files_gone: int
    """Deleted for good meanwhile: rows that will have no bytes."""
    files_lost: int
    """Already missing from the store before."""
    key: str | None
    """Fingerprint of the deployment's key; None where it has none yet."""
    settings: list[str]
    """Names of the variables that were set, none of their values: they are not in the backup."""
    parts: dict[str, Part]


def read_manifest(folder: Path) -> Manifest:
    """Return a backup's manifest.

    Raises:
        BackupFailed: it is no backup, an unfinished one, a damaged one, or a newer version's.
    """
    if folder.name.endswith(UNFINISHED):
        raise BackupFailed(f"{folder} was never finished")
    try:
        said = (folder / MANIFEST).read_bytes()
        checksum = (folder / CHECKSUM).read_text().split()
    except (FileNotFoundError, NotADirectoryError):
        raise BackupFailed(f"{folder} is no backup: it has no {MANIFEST} with a {CHECKSUM}") from None
    if checksum != [hashlib.sha256(said).hexdigest(), MANIFEST]:
        raise BackupFailed(f"{MANIFEST} is not what {CHECKSUM} says")
    try:
        format = msgspec.json.decode(said).get("format")
        if isinstance(format, int) and format > FORMAT:
            raise BackupFailed(f"the backup is of format {format}, which needs a newer version of Bedside")
        return msgspec.json.decode(said, type=Manifest)
    except (msgspec.MsgspecError, AttributeError) as error:
        raise BackupFailed(f"{MANIFEST} can't be read: {error}") from error


def write_manifest(folder: Path, manifest: Manifest) -> str:
    """Write a manifest with its checksum, which is returned."""
    said = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    checksum = hashlib.sha256(said).hexdigest()
    write(folder / MANIFEST, said)
    write(folder / CHECKSUM, f"{checksum}  {MANIFEST}\n".encode())
    return checksum


def listed(folder: Path) -> Iterator[Stored]:
    """Yield what the listing of files names, one by one.

    Raises:
        BackupFailed: a line can't be read, or names no key of ours.
    """
    decoder = msgspec.json.Decoder(Stored)
    with (folder / LISTING).open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                stored = decoder.decode(line)
            except msgspec.MsgspecError as error:
                raise BackupFailed(f"{LISTING}, line {number}: {error}") from error
            if not KEY.fullmatch(stored.key):
                raise BackupFailed(f"{LISTING}, line {number}: no key of the store")
            yield stored


def part_of(path: Path) -> Part:
    """Return size and hash of a file, a megabyte at a time."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            size += len(piece)
    return Part(size, digest.hexdigest())


def write(path: Path, data: bytes) -> None:
    """Write a small file that nobody else may read, and have it on the disk."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def make_folder(path: Path, root: Path) -> None:
    """Make a folder below another, and those in between, for nobody else to look into."""
    inner = path.relative_to(root)
    for folder in (*reversed(inner.parents), inner):
        (root / folder).mkdir(mode=0o700, exist_ok=True)


def sync(path: Path) -> None:
    """Have a file, or a folder's names, on the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
