"""Reads and writes imports: what was asked for, each step that is followed live, and the rows that were refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import msgspec

from bedside_core.database import DB, Row, Work, unit
from bedside_core.imports.bulk import batches
from bedside_core.imports.model import (
    STREAM,
    Encoding,
    Fault,
    Options,
    PatientImport,
    Problem,
    RefusedRow,
    State,
)
from bedside_core.live import Topic

SELECT = """SELECT id, "position", state, options, rows, checked, refused, imported, encoding, delimiter, ignored,
    problem, report_id, created_at, ended_at FROM patient_import"""


def import_of(row: Row) -> PatientImport:
    """Return the import in a row of `SELECT`."""
    stored = {name: row[name] for name in PatientImport.__dataclass_fields__}
    stored["state"] = State(row["state"])
    stored["options"] = msgspec.convert(row["options"], Options)
    stored["encoding"] = Encoding(row["encoding"]) if row["encoding"] else None
    stored["problem"] = msgspec.convert(row["problem"], Problem) if row["problem"] else None
    return PatientImport(**stored)


def refusal_of(row: Row) -> RefusedRow:
    """Return the refused row in a row of its table."""
    return RefusedRow(line=row["line"], faults=msgspec.convert(row["faults"], list[Fault]))


def json_of(value: object) -> str:
    """Return a value as JSON text, as asyncpg takes it."""
    return msgspec.json.encode(value).decode()


_STEP = """UPDATE patient_import SET "position" = "position" + 1, state = coalesce($2, state),
    rows = coalesce($3, rows), checked = coalesce($4, checked), refused = coalesce($5, refused),
    imported = coalesce($6, imported), encoding = coalesce($7, encoding),
    delimiter = coalesce($8, delimiter), ignored = coalesce($9, ignored),
    problem = coalesce($10, problem), report_id = coalesce($11, report_id), ended_at = coalesce($12, ended_at)
WHERE id = $1 RETURNING "position" """
_STEPS = (
    "state", "rows", "checked", "refused", "imported", "encoding", "delimiter", "ignored", "problem", "report_id",
    "ended_at",
)  # fmt: skip


async def step(work: Work, import_id: UUID, changes: Mapping[str, Any]) -> None:
    """Change an import, and tell those who follow it.

    Args:
        work: the unit of work.
        import_id: the import.
        changes: column -> new value; what is not named or None stays.
    """
    position = await DB.fetchval(_STEP, import_id, *(changes.get(name) for name in _STEPS))
    if position is not None:
        work.publish(Topic(STREAM, import_id), position)


async def advance(import_id: UUID, changes: Mapping[str, Any]) -> None:
    """Make a step of an import in a transaction of its own."""
    async with unit() as work:
        await step(work, import_id, changes)


async def keep_refusals(practice_id: UUID, import_id: UUID, refused: Sequence[RefusedRow]) -> None:
    """Write down refused rows, a thousand by one statement."""
    for batch in batches(refused):
        await DB.execute(
            """INSERT INTO patient_import_refusal (practice_id, import_id, line, faults)
            SELECT $1, $2, line, faults::jsonb FROM unnest($3::integer[], $4::text[]) AS refused (line, faults)""",
            practice_id,
            import_id,
            [row.line for row in batch],
            [json_of([asdict(fault) for fault in row.faults]) for row in batch],
        )
