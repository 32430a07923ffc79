"""Carries an import out: everything is looked at first, then all of it is created in one transaction or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from bedside_core import audit
from bedside_core.database import DB, Work, unit
from bedside_core.ids import uuid7
from bedside_core.imports.checking import Checker, Good, taken
from bedside_core.imports.columns import Field
from bedside_core.imports.model import Options, PatientsImported, ProblemCode, RefusedRow, Unreadable
from bedside_core.imports.reading import Table, table_of

if TYPE_CHECKING:
    from bedside_core.platform import Platform

T = TypeVar("T")

BATCH = 1000
"""Rows of one statement."""

Progress = Callable[[Table, int, int], Awaitable[None]]
"""Told the table, how many of its rows were looked at, and how many of those are refused."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of an import.

    Args:
        table: what was read.
        refused: the rows that are not imported, by line.
        imported: patients that were created; in a dry run those that would be.
        problem: why nothing was imported.
    """

    table: Table | None
    refused: Sequence[RefusedRow] = ()
    imported: int = 0
    problem: Unreadable | None = None


class _Raced(Exception):
    """MRNs were taken while the rows were looked at; what was created is undone."""

    def __init__(self, rows: Sequence[RefusedRow]) -> None:
        super().__init__()
        self.rows = rows


@dataclass
class _Looked:
    good: list[Good] = field(default_factory=list[Good])
    refused: list[RefusedRow] = field(default_factory=list[RefusedRow])


async def carry_out(
    platform: Platform,
    practice_id: UUID,
    content: bytes,
    options: Options,
    *,
    progress: Progress,
    begin: Callable[[Work], Awaitable[bool]],
    end: Callable[[Work, Outcome], Awaitable[None]],
) -> None:
    """Import patients, of the acting practice.

    Args:
        platform: people and clock.
        practice_id: whose patients they become.
        content: the file.
        options: how.
        progress: told once the file is read and then after each batch; outside of any transaction.
        begin: called first in the transaction; False leaves everything as it is, for another has done it already.
        end: called last in the transaction with what became of it.
    """
    try:
        table = await asyncio.to_thread(table_of, content, options)
    except Unreadable as problem:
        return await _ended(begin, end, Outcome(table=None, problem=problem))
    looked = await _look(platform, practice_id, table, options, progress)
    while True:
        if looked.refused and not options.skip_refused:
            count = len(looked.refused)
            problem = Unreadable(
                ProblemCode.ROWS_REFUSED,
                f"{count} {'row is' if count == 1 else 'rows are'} refused, so nothing was imported.",
                "Mend them and upload the file again, or import the other rows with `skipRefused`.",
            )
            found = Outcome(table=table, refused=looked.refused, problem=problem)
            return await _ended(begin, end, found)
        if options.dry_run:
            return await _ended(begin, end, Outcome(table=table, refused=looked.refused, imported=len(looked.good)))
        try:
            async with unit() as work:
                if await begin(work):
                    await _insert(platform, practice_id, work, looked.good)
                    await end(work, Outcome(table=table, refused=looked.refused, imported=len(looked.good)))
        except _Raced as raced:
            lines = {row.line for row in raced.rows}
            looked = _Looked(
                [good for good in looked.good if good.line not in lines],
                sorted([*looked.refused, *raced.rows], key=lambda row: row.line),
            )
        else:
            return None


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield items as many at a time as one statement takes."""
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


async def _ended(
    begin: Callable[[Work], Awaitable[bool]], end: Callable[[Work, Outcome], Awaitable[None]], outcome: Outcome
) -> None:
    async with unit() as work:
        if await begin(work):
            await end(work, outcome)


async def _look(platform: Platform, practice_id: UUID, table: Table, options: Options, progress: Progress) -> _Looked:
    """Look at all rows, a batch at a time beside the event loop, with one statement for each."""
    people = platform.people
    regions = await people.regions() if Field.PHONE in table.layout.places else ()
    checker = Checker(table.layout, options.dates, await people.today(practice_id), regions)
    looked, seen = _Looked(), 0
    await progress(table, 0, 0)
    for rows in batches(table.rows):
        found = await asyncio.to_thread(checker.check, rows)
        good = [row for row in found if isinstance(row, Good)]
        known = {
            row["mrn"]
            for row in await DB.fetch("SELECT mrn FROM patient WHERE mrn = ANY($1)", [row.patient.mrn for row in good])
        }
        for row in found:
            if isinstance(row, RefusedRow):
                looked.refused.append(row)
            elif row.patient.mrn in known:
                looked.refused.append(taken(row))
            else:
                looked.good.append(row)
        seen += len(rows)
        await progress(table, seen, len(looked.refused))
    return looked


async def _insert(platform: Platform, practice_id: UUID, work: Work, rows: Sequence[Good]) -> None:
    """Create patients, a thousand by one statement.

    Raises:
        _Raced: some of their MRNs were taken meanwhile.
    """
    now, made, raced = platform.clock.now(), list[UUID](), list[RefusedRow]()
    for batch in batches(rows):
        ids = [uuid7() for _ in batch]
        patients = [row.patient for row in batch]
        inserted = await DB.fetch(
            """INSERT INTO patient (id, practice_id, first_name, last_name, date_of_birth, mrn, gender, phone, email,
                created_at)
            SELECT id, $1, first_name, last_name, date_of_birth, mrn, gender, phone, email, $2
            FROM unnest($3::uuid[], $4::text[], $5::text[], $6::date[], $7::text[], $8::text[], $9::text[], $10::text[])
                AS new (id, first_name, last_name, date_of_birth, mrn, gender, phone, email)
            ON CONFLICT (practice_id, mrn) DO NOTHING RETURNING id""",
            practice_id,
            now,
            ids,
            *([getattr(patient, name) for patient in patients] for name in type(patients[0]).__dataclass_fields__),
        )
        there = {row["id"] for row in inserted}
        raced += [taken(row) for id, row in zip(ids, batch, strict=True) if id not in there]
        made += ids
        work.emit(PatientsImported(practice_id=practice_id, patient_ids=tuple(ids)))
    if raced:
        raise _Raced(raced)
    audit.did("patients.import", kind="patient", patients=made)
