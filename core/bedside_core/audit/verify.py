"""Finds the first bad entry of an audit trail: changed, removed, reordered, inserted, cut or rewritten (promise J1)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from bedside_core.audit.anchor import Anchor, Anchored, Head
from bedside_core.audit.entries import DEPLOYMENT, GENESIS, sealed
from bedside_core.database import DB, Row, acting

BATCH = 1000
"""Entries looked at by one statement."""

_CHAIN = """
SELECT s."number", s.entry_id, s.previous, s.hash, e.id, e.practice_id, e.at,
    e.account_id, e.person_id, e.role, e.key_id, e.operator, e.action, e.kind, e.target, e.patients, e.request_id,
    e.via, e.detail
FROM audit_seal s LEFT JOIN audit_entry e ON e.id = s.entry_id
WHERE s.practice_id = $1 AND s."number" > $2 ORDER BY s."number" LIMIT $3
"""


class Tampering(StrEnum):
    """What was done to a trail."""

    CHANGED = "changed"
    REMOVED = "removed"
    REORDERED = "reordered"
    INSERTED = "inserted"
    CUT = "cut"
    REWRITTEN = "rewritten"
    UNANCHORED = "unanchored"
    """Nothing of it is anchored here, so that nobody can tell whether it was rewritten."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """The first bad entry of a trail.

    Args:
        kind: what was done.
        number: its place in the chain, from 1; None where it has none.
        entry_id: the entry, where one is there or was.
        message: what was found.
    """

    kind: Tampering
    number: int | None
    entry_id: UUID | None
    message: str


@dataclass(kw_only=True)
class Verdict:
    """What was found out about one practice's trail.

    Args:
        practice_id: whose trail; nil is the deployment's own.
        sealed: how many entries were found in order, up to the first bad one.
        head: hash of the last of them.
        anchored: the highest number that the anchor knows.
        unsealed: how many entries wait for their seal.
        since: since when the oldest of those waits.
        erased: whether the practice has left: of its trail the length and the last hash remain.
        fault: the first bad entry.
    """

    practice_id: UUID
    erased: bool = False
    sealed: int = 0
    head: bytes = GENESIS
    anchored: int = 0
    unsealed: int = 0
    since: datetime | None = None
    fault: Fault | None = field(default=None)


async def verify(anchor: Anchor, practice_id: UUID | None = None) -> AsyncGenerator[Verdict]:
    """Yield a verdict on each trail that the database or the anchor knows of, or on one alone. Changes nothing.

    Args:
        anchor: where the heads were written.
        practice_id: whose trail; None is every one.

    Raises:
        Unavailable: the database is away.
        OSError: the anchor can't be read.
    """
    # The anchor first: what is sealed meanwhile is then in the table and not yet asked for.
    anchored = anchor.read(practice_id)
    erased = await _erased()
    if practice_id is not None:
        practices = {practice_id}
    else:
        practices = (
            {row["id"] for row in await DB.fetch("SELECT audit_practices() AS id")} | set(anchored.heads) | set(erased)
        )
    for each in sorted(practices):
        with acting(each):
            verdict = await _verdict(each, anchored, erased.get(each))
        yield verdict


async def _erased() -> Mapping[UUID, Row]:
    """Return what is left of the practices that have left, with what the deployment's own trail says of them."""
    with acting(DEPLOYMENT):
        rows = await DB.fetch(
            """SELECT p.*, EXISTS (SELECT FROM audit_entry e WHERE e.action = 'practices.erased'
                AND e.target = p.practice_id::text
                AND e.detail = jsonb_build_object('entries', p.entries::text, 'head', encode(p.head, 'hex'))) AS entered
            FROM practices_erased() p"""
        )
    return {row["practice_id"]: row for row in rows}


async def _verdict(practice_id: UUID, known: Anchored, erased: Row | None) -> Verdict:
    anchored = known.heads.get(practice_id, {})
    verdict = Verdict(practice_id=practice_id, anchored=max(anchored, default=0), erased=erased is not None)
    if erased is None:
        await _walk(verdict, anchored)
    else:
        end = Head(practice_id, erased["entries"], erased["head"])
        await _look_back(verdict, anchored, end, entered=erased["entered"], told=end in known.erased)
    waiting = await DB.fetchrow("SELECT count(*) AS entries, min(since) AS since FROM audit_unsealed")
    if waiting is not None:
        verdict.unsealed, verdict.since = waiting["entries"], waiting["since"]
    if verdict.fault is None:
        verdict.fault = await _stray() or _unanchored(verdict)
    return verdict


async def _walk(verdict: Verdict, anchored: Mapping[int, bytes]) -> None:
    """Follow the chain from its beginning to its end or first fault."""
    before = GENESIS
    """Hash of the one before the last."""
    last_id: UUID | None = None
    while rows := await DB.fetch(_CHAIN, verdict.practice_id, verdict.sealed, BATCH):
        for row in rows:
            if fault := _broken(verdict, row, before, last_id, anchored):
                verdict.fault = fault
                return
            before, last_id = verdict.head, row["entry_id"]
            verdict.sealed, verdict.head = row["number"], row["hash"]
    if verdict.anchored > verdict.sealed:
        verdict.fault = Fault(
            kind=Tampering.CUT,
            number=verdict.sealed + 1,
            entry_id=None,
            message=f"the trail ends at {verdict.sealed}, and {verdict.anchored} entries were anchored",
        )


async def _look_back(verdict: Verdict, anchored: Mapping[int, bytes], end: Head, *, entered: bool, told: bool) -> None:
    """Compare what is left of an erased practice's chain, its length and head, with what was said and anchored.

    Args:
        verdict: to be completed.
        anchored: number of an entry -> the hash it was sealed with.
        end: what is left of the chain.
        entered: whether the deployment's own trail says that the practice was erased with this end.
        told: whether the anchor says so, which nobody can write who has the database alone.
    """
    verdict.sealed, verdict.head = end.number, end.hash

    def fault(kind: Tampering, message: str, number: int | None = None) -> Fault:
        return Fault(kind=kind, number=number, entry_id=None, message=message)

    if not entered:
        unsaid = "the deployment's trail does not say that the practice was erased like this"
        verdict.fault = fault(Tampering.REMOVED, unsaid)
    elif left := await DB.fetchval("SELECT practice_remains($1)", verdict.practice_id):
        verdict.fault = fault(Tampering.INSERTED, f"the practice was erased, and {left} is there")
    elif verdict.anchored > verdict.sealed:
        cut = f"the trail was erased at {verdict.sealed}, and {verdict.anchored} entries were anchored"
        verdict.fault = fault(Tampering.CUT, cut, verdict.sealed + 1)
    elif verdict.sealed and anchored.get(verdict.sealed, verdict.head) != verdict.head:
        other = "the anchor knows another end of the erased trail"
        verdict.fault = fault(Tampering.REWRITTEN, other, verdict.sealed)
    elif not told:
        unproven = "the anchor does not say that the practice was erased: the product did not do it"
        verdict.fault = fault(Tampering.REMOVED, unproven)


def _broken(
    verdict: Verdict, row: Row, before: bytes, last_id: UUID | None, anchored: Mapping[int, bytes]
) -> Fault | None:
    """Return what is wrong with the next seal of a chain."""
    number, expected, entry_id = row["number"], verdict.sealed + 1, row["entry_id"]

    def fault(kind: Tampering, message: str) -> Fault:
        return Fault(kind=kind, number=expected, entry_id=entry_id, message=message)

    if number != expected:
        missing = f"number {expected} is missing; {number} follows"
        return Fault(kind=Tampering.REMOVED, number=expected, entry_id=None, message=missing)
    if row["previous"] != verdict.head:
        if row["previous"] == before and number > 1:
            inserted = f"number {number} follows the one before number {number - 1}, which was put between them"
            return Fault(kind=Tampering.INSERTED, number=number - 1, entry_id=last_id, message=inserted)
        return fault(Tampering.REORDERED, "it does not follow the one before it")
    if row["id"] is None:
        return fault(Tampering.REMOVED, "it was sealed and is no longer there")
    if sealed(number, verdict.head, row) != row["hash"]:
        return fault(Tampering.CHANGED, "what stands here is not what was sealed")
    if anchored.get(number, row["hash"]) != row["hash"]:
        return fault(Tampering.REWRITTEN, "the anchor knows another entry under this number")
    return None


async def _stray() -> Fault | None:
    """Return the first entry that nobody will ever seal, or that was taken away before anybody could."""
    row = await DB.fetchrow(
        """SELECT e.id FROM audit_entry e WHERE NOT EXISTS (SELECT FROM audit_seal s WHERE s.entry_id = e.id)
        AND NOT EXISTS (SELECT FROM audit_unsealed u WHERE u.entry_id = e.id) ORDER BY e.id LIMIT 1"""
    )
    if row is not None:
        message = "it has no seal and waits for none: it was put there past the product"
        return Fault(kind=Tampering.INSERTED, number=None, entry_id=row["id"], message=message)
    row = await DB.fetchrow(
        """SELECT u.entry_id AS id FROM audit_unsealed u
        WHERE NOT EXISTS (SELECT FROM audit_entry e WHERE e.id = u.entry_id) ORDER BY u.entry_id LIMIT 1"""
    )
    if row is not None:
        return Fault(
            kind=Tampering.REMOVED, number=None, entry_id=row["id"], message="it was taken away before its seal"
        )
    return None


def _unanchored(verdict: Verdict) -> Fault | None:
    if not verdict.sealed or verdict.anchored:
        return None
    message = f"{verdict.sealed} entries are sealed and none is anchored: had they been rewritten, nobody could tell"
    return Fault(kind=Tampering.UNANCHORED, number=1, entry_id=None, message=message)
