"""Where heads and counts of the chains stand outside the database, so that whoever owns that can't rewrite them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import msgspec

NOWHERE = b""
"""Stands for two heads that were anchored under one number, which no chain can have."""


class Head(NamedTuple):
    """How far a practice's chain has come."""

    practice_id: UUID
    number: int
    hash: bytes


class _Line(msgspec.Struct, omit_defaults=True):
    practice: UUID
    count: int
    head: str
    at: str
    erased: bool = False


@dataclass(kw_only=True)
class Anchored:
    """What an anchor says.

    Args:
        heads: practice -> number of an entry -> the hash it was sealed with; `NOWHERE` where two were anchored.
        erased: the ends of chains with which their practices were erased, or were about to be.
        unreadable: lines that say nothing, such as one that a crash cut short.
    """

    heads: Mapping[UUID, dict[int, bytes]] = field(default_factory=lambda: defaultdict[UUID, dict[int, bytes]](dict))
    erased: set[Head] = field(default_factory=set[Head])
    unreadable: int = 0


class Anchor:
    """A folder of append-only files, one for each month; a line is a practice's count and head at a moment.

    Args:
        folder: outside the database's reach; made when something is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, heads: Iterable[Head], *, erased: bool = False) -> None:
        """Append heads, and return once they are on the disk. Blocks; several processes may append at once.

        Args:
            heads: the ends of chains.
            erased: whether the practices are erased with this, so that no more of their trails can be asked for.

        Raises:
            OSError: they are not.
        """
        now = datetime.now(UTC)  # the machine's: a clock that moves has no say in what proves an order
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{now:%Y-%m}.jsonl"
        made = not path.exists()
        lines = b"".join(
            msgspec.json.encode(_Line(practice_id, number, head.hex(), now.isoformat(), erased)) + b"\n"
            for practice_id, number, head in heads
        )
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(file).st_size
            torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"  # a crash has cut the last line short
            rest = memoryview(b"\n" + lines if torn else lines)
            while rest:
                rest = rest[os.write(file, rest) :]
            os.fsync(file)
        finally:
            os.close(file)
        if made:
            _sync_folder(self.folder)

    def read(self, practice_id: UUID | None = None) -> Anchored:
        """Return what is anchored, of one practice or of all.

        Raises:
            OSError: a file can't be read.
        """
        found, unreadable = Anchored(), 0
        decoder = msgspec.json.Decoder(_Line)
        for path in sorted(self.folder.glob("*.jsonl")):
            with path.open("rb") as file:
                for line in file:
                    try:
                        told = decoder.decode(line)
                        head = bytes.fromhex(told.head)
                    except (msgspec.DecodeError, ValueError):
                        unreadable += 1
                        continue
                    if practice_id is None or told.practice == practice_id:
                        known = found.heads[told.practice]
                        known[told.count] = head if known.get(told.count, head) == head else NOWHERE
                        if told.erased:
                            found.erased.add(Head(told.practice, told.count, head))
        found.unreadable = unreadable
        return found


def _sync_folder(folder: Path) -> None:
    """Have a new file's name on the disk too."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
