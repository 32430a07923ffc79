"""The job that carries an import out, and the one that takes old imports away.

Whatever the job is stopped at, it begins anew: patients, refusals and the import's end are one transaction.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from bedside_core import audit
from bedside_core.auth import Actor
from bedside_core.database import DB, Work, unit
from bedside_core.files.facts import FileState
from bedside_core.files.made import attach_made, keep_made
from bedside_core.files.rows import file_by_id, objects_of
from bedside_core.imports.bulk import Outcome, carry_out
from bedside_core.imports.model import (
    ENDED,
    REPORT,
    UPLOAD,
    Options,
    Problem,
    ProblemCode,
    RefusedRow,
    State,
    Unreadable,
)
from bedside_core.imports.reading import Table
from bedside_core.imports.rows import advance, json_of, keep_refusals, refusal_of, step
from bedside_core.jobs.declared import Job, JobRun
from bedside_core.jobs.rights import still_may

if TYPE_CHECKING:
    from bedside_core.platform import Platform

NAME = "core.import_patients"
PERMISSION = "patients.import"
KEPT = timedelta(days=30)
"""How long an import and its report are kept once it has ended."""


async def import_patients(run: JobRun) -> None:
    """Carry an import out; done already, nothing happens but that its report is there."""
    import_id = UUID(run.payload["import_id"])
    row = await DB.fetchrow("SELECT * FROM patient_import WHERE id = $1", import_id)
    if row is None:
        return
    actor = msgspec.convert(row["asked_by"], Actor)
    async with audit.operation(actor, via=audit.Via.JOB, detail={"job": NAME, "import": str(import_id)}):
        if State(row["state"]) not in ENDED:
            await _Run(run.platform, run.practice_id, import_id, actor).run(
                row["upload_id"], msgspec.convert(row["options"], Options)
            )
        await _report(run.platform, run.practice_id, import_id, actor)


class _Run:
    """One run of one import.

    Args:
        platform: people, files and clock.
        practice_id: whose import it is.
        import_id: the import.
        actor: who asked for it.
    """

    def __init__(self, platform: Platform, practice_id: UUID, import_id: UUID, actor: Actor) -> None:
        self._platform = platform
        self._practice_id = practice_id
        self._id = import_id
        self._actor = actor
        self._dry = False

    async def run(self, upload_id: UUID, options: Options) -> None:
        """Read the file and import it."""
        self._dry = options.dry_run
        try:
            await self._check_rights()
            content = await self._content(upload_id)
        except Unreadable as problem:
            async with unit() as work:
                if await self._begin(work):
                    await self._end(work, Outcome(table=None, problem=problem))
            return
        await carry_out(
            self._platform,
            self._practice_id,
            content,
            options,
            progress=self._progress,
            begin=self._begin,
            end=self._end,
        )

    async def _check_rights(self) -> None:
        """Ask for the rights that who asked has now.

        Raises:
            Unreadable: they may not any more.
        """
        if await still_may(self._platform, self._actor, PERMISSION):
            return
        raise Unreadable(ProblemCode.NOT_ALLOWED, "Who asked for this import may not import patients any more.")

    async def _content(self, upload_id: UUID) -> bytes:
        """Return the file's bytes.

        Raises:
            Unreadable: it was deleted.
        """
        file = await file_by_id(upload_id)
        if file is not None and file.state in {FileState.STORED, FileState.ATTACHED}:
            for key, _ in await objects_of(upload_id, "content"):
                try:
                    return b"".join([piece async for piece in self._platform.files.store.read(key)])
                except FileNotFoundError:
                    break
        raise Unreadable(ProblemCode.FILE_GONE, "The file is not there any more.", "Upload it again.")

    async def _progress(self, table: Table, seen: int, refused: int) -> None:
        whole = seen == len(table.rows) and not self._dry
        await advance(
            self._id,
            {
                "state": State.IMPORTING if whole else State.CHECKING,
                "rows": len(table.rows),
                "checked": seen,
                "refused": refused,
                **_read_as(table),
            },
        )

    async def _begin(self, work: Work) -> bool:
        """Tell whether the import is still to be done; another worker that does it at this moment is waited for."""
        await DB.execute("SELECT pg_advisory_xact_lock(hashtextextended('import ' || $1, 0))", str(self._id))
        state = await DB.fetchval("SELECT state FROM patient_import WHERE id = $1", self._id)
        return state is not None and State(state) not in ENDED

    async def _end(self, work: Work, outcome: Outcome) -> None:
        """Write down what became of the import, and delete the table that was uploaded for it."""
        found = outcome.problem
        problem = Problem(code=found.code, message=found.message, way_on=found.way_on) if found else None
        await keep_refusals(self._practice_id, self._id, outcome.refused)
        await self._platform.files.delete_owned(self._actor, UPLOAD, self._id)
        await step(
            work,
            self._id,
            {
                "state": State.REFUSED if problem else State.DONE,
                "problem": json_of(problem) if problem else None,
                "refused": len(outcome.refused),
                "imported": outcome.imported,
                "ended_at": self._platform.clock.now(),
                **(_read_as(outcome.table) if outcome.table else {}),
            },
        )
        did = "dry_run" if self._dry else "refused" if problem else "done"
        counts = {"imported": str(outcome.imported), "refused": str(len(outcome.refused))}
        audit.did(f"imports.{did}", kind="patient_import", target=self._id, detail=counts)


def _read_as(table: Table) -> dict[str, str]:
    return {"encoding": table.encoding, "delimiter": table.delimiter, "ignored": json_of(list(table.layout.ignored))}


async def _report(platform: Platform, practice_id: UUID, import_id: UUID, actor: Actor) -> None:
    """Make the report on an ended import that has refused rows and none yet."""
    rows = await DB.fetch(
        """SELECT line, faults FROM patient_import_refusal WHERE import_id = $1
            AND EXISTS (SELECT FROM patient_import WHERE id = $1 AND report_id IS NULL) ORDER BY line""",
        import_id,
    )
    if not rows:
        return
    kept = await keep_made(platform.files.store, practice_id, report_of([refusal_of(row) for row in rows]))
    async with unit() as work:
        waiting = await DB.fetchrow(
            "SELECT FROM patient_import WHERE id = $1 AND report_id IS NULL FOR UPDATE", import_id
        )
        if waiting is None:
            return
        report_id = await attach_made(
            kept,
            practice_id=practice_id,
            made_for=actor.in_practice()[1],
            name="refused rows.csv",
            media_type="text/csv; charset=utf-8",
            owner_kind=REPORT,
            owner_id=import_id,
            now=platform.clock.now(),
        )
        await step(work, import_id, {"report_id": report_id})


def report_of(refused: Sequence[RefusedRow]) -> bytes:
    """Return the report as CSV: a line for each refused row, with nothing in it that stood in the row.

    It begins with a byte order mark, without which spreadsheets take it for Windows-1252.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("line", "columns", "codes", "reasons"))
    for row in refused:
        columns = " | ".join(fault.column or "" for fault in row.faults)
        codes, reasons = (" | ".join(part) for part in zip(*((f.code, f.message) for f in row.faults), strict=True))
        writer.writerow((row.line, columns, codes, reasons))
    return text.getvalue().encode("utf-8-sig")


async def expire_imports(run: JobRun) -> None:
    """Take away the imports that ended long ago, with their reports."""
    before = run.platform.clock.now() - KEPT
    for row in await DB.fetch("SELECT id FROM patient_import WHERE ended_at < $1", before):
        async with unit():
            await run.platform.files.delete_owned(None, REPORT, row["id"])
            await DB.execute("DELETE FROM patient_import WHERE id = $1", row["id"])


JOBS = (
    Job(
        name="import_patients", function=import_patients, doc="Imports the patients of an uploaded table.", public=True
    ),
    Job(
        name="expire_imports",
        function=expire_imports,
        doc="Takes away imports that ended a month ago, with their reports.",
        schedule="41 3 * * *",
        public=True,
    ),
)
