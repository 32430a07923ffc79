"""The audit's anchor in a backup: what it said up to the dump's moment, and nothing that the dump can't answer for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import UUID

import msgspec

from bedside_core.audit.anchor import Anchor, Head
from bedside_core.database import Connection

Heads = Mapping[UUID, tuple[int, bytes]]
"""Practice -> number and hash of its chain's last seal."""


class _Line(msgspec.Struct):
    practice: UUID
    count: int


async def heads_of(connection: Connection) -> dict[UUID, tuple[int, bytes]]:
    """Return the last seal of each chain that a connection sees, as the tables' owner."""
    rows = await connection.fetch(
        """SELECT practice_id, "number", hash FROM audit_seal
        WHERE (practice_id, "number") IN (SELECT practice_id, max("number") FROM audit_seal GROUP BY practice_id)"""
    )
    return {row["practice_id"]: (row["number"], row["hash"]) for row in rows}


def copy_anchor(source: Path, before: Mapping[str, int], heads: Heads, target: Path) -> None:
    """Copy an anchor's files.

    What was anchored before the dump's moment is copied whatever it says: a chain that is shorter than that was cut,
    and the backup must not hide it. What came later is copied where the dump has the entry, else left out.

    Args:
        source: the deployment's anchor.
        before: how long each of its files was before that moment, in bytes.
        heads: how far each chain had come at that moment.
        target: an empty folder.
    """
    anchored: set[UUID] = set()
    """Practices of which something is copied."""
    later: set[UUID] = set()
    """Those of which only later heads were anchored."""
    for path in sorted(source.glob("*.jsonl")):
        old, copied = before.get(path.name, 0), False
        with path.open("rb") as file, os.fdopen(_made(target / path.name), "wb") as copy:
            for start, line in _lines(file):
                told = _told(line)
                if start < old or (told is not None and told.count <= heads.get(told.practice, (0, b""))[0]):
                    copy.write(line)
                    copied = True
                    anchored |= {told.practice} if told else set()
                elif told is not None:
                    later.add(told.practice)
        if not copied:
            (target / path.name).unlink()
    # The moment fell between a chain's first seals and their anchoring, which was of a later head.
    if fresh := [Head(id, *heads[id]) for id in later - anchored if id in heads]:
        Anchor(target).write(fresh)


def _made(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _lines(file: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield each line with where it begins."""
    start = 0
    for line in file:
        yield start, line
        start += len(line)


def _told(line: bytes) -> _Line | None:
    try:
        return msgspec.json.decode(line, type=_Line)
    except msgspec.MsgspecError:
        return None
