"""Chains what was entered, practice by practice, within a second, and anchors each head outside the database (A14)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

import structlog

from bedside_core.audit.anchor import Anchor, Head
from bedside_core.audit.entries import GENESIS, sealed
from bedside_core.database import DB, acting

log = structlog.get_logger("bedside.audit")

LOOK_SECONDS = 0.3
"""Time between looks at what waits; with the sealing itself it stays below the second of A14."""

RETRY_SECONDS = 5.0
"""The same while the database or the anchor's disk is away."""

BATCH = 500
"""Entries sealed in one transaction."""

_WAITING = "SELECT e.* FROM audit_unsealed u JOIN audit_entry e ON e.id = u.entry_id ORDER BY e.id LIMIT $1"

_LOCK = 0x61756469  # "audi": the first half of the advisory locks' key


class Sealer:
    """Gives each committed entry the next number of its practice and a hash over it and the one before.

    Several processes may run one: a lock for each practice lets one at a time seal. An entry whose transaction ends
    late gets a later number, and none is passed over, for each entry is noted as waiting until it is sealed.

    Args:
        anchor: where heads are written.
    """

    def __init__(self, anchor: Anchor) -> None:
        self._anchor = anchor
        self._owed: dict[UUID, Head] = {}
        """Heads that are still to be anchored."""

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Seal during the block, and once more at its end."""
        with DB.outside(), acting(None):
            task = asyncio.create_task(self._run(), name="audit sealer")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            try:
                with DB.outside(), acting(None):
                    await self.seal()
            except Exception as error:
                log.warning("the last audit entries wait for their seal", failure=type(error).__name__)

    async def _run(self) -> None:
        known = False
        while True:
            pause = LOOK_SECONDS
            try:
                if not known:
                    # What the process before has sealed and, killed, not anchored.
                    await self._owe_all()
                    known = True
                await self.seal()
            except Exception as error:
                log.error("the audit trail could not be sealed", failure=type(error).__name__)  # noqa: TRY400
                pause = RETRY_SECONDS
            await asyncio.sleep(pause)

    async def seal(self) -> int:
        """Seal what waits, and anchor it; returns how many entries were sealed by this process.

        Raises:
            Unavailable: the database is away.
            OSError: the anchor can't be written; it is tried again at the next look.
        """
        total = 0
        for row in await DB.fetch("SELECT practice_id FROM audit_unsealed_practices()"):
            while count := await self._seal(row["practice_id"]):
                total += count
        if self._owed:
            heads = list(self._owed.values())
            await asyncio.to_thread(self._anchor.write, heads)
            for head in heads:
                if self._owed.get(head.practice_id) == head:
                    del self._owed[head.practice_id]
        return total

    async def _owe_all(self) -> None:
        for row in await DB.fetch("SELECT audit_practices() AS id"):
            with acting(row["id"]):
                number, last = await _head(row["id"])
            if number:
                self._owed[row["id"]] = Head(row["id"], number, last)

    async def _seal(self, practice_id: UUID) -> int:
        """Seal a batch of a practice's entries; nothing where another process is at it."""
        with acting(practice_id):
            async with DB.transaction():
                if not await DB.fetchval("SELECT pg_try_advisory_xact_lock($1, hashtext($2))", _LOCK, str(practice_id)):
                    return 0
                rows = await DB.fetch(_WAITING, BATCH)
                if not rows:
                    return 0
                number, last = await _head(practice_id)
                seals: list[tuple[int, UUID, bytes, bytes]] = []
                for row in rows:
                    number += 1
                    previous, last = last, sealed(number, last, row)
                    seals.append((number, row["id"], previous, last))
                numbers, ids, before, hashes = zip(*seals, strict=True)
                await DB.execute(
                    """INSERT INTO audit_seal (practice_id, "number", entry_id, previous, hash)
                    SELECT $1, * FROM unnest($2::bigint[], $3::uuid[], $4::bytea[], $5::bytea[])""",
                    practice_id,
                    numbers,
                    ids,
                    before,
                    hashes,
                )
                await DB.execute("DELETE FROM audit_unsealed WHERE entry_id = ANY($1)", ids)
        self._owed[practice_id] = Head(practice_id, number, last)
        return len(rows)


async def _head(practice_id: UUID) -> tuple[int, bytes]:
    """Return number and hash of the acting practice's last seal; 0 and zeros where there is none."""
    row = await DB.fetchrow(
        'SELECT "number", hash FROM audit_seal WHERE practice_id = $1 ORDER BY "number" DESC LIMIT 1', practice_id
    )
    return (row["number"], row["hash"]) if row else (0, GENESIS)
