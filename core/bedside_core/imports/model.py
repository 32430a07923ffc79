"""What an import of patients is: its options, states, refusals and problems, and the event that tells of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from bedside_core.events import Event, fact

MOST_BYTES = 25_000_000
"""Longest file that is imported, in bytes."""
MOST_ROWS = 50_000
"""Most patients of one file."""

STREAM = "patient_import"
"""Kind of live stream of one import; the position grows with each step."""
UPLOAD = "patient_import"
"""Kind of file owner: the table that was uploaded."""
REPORT = "patient_import_report"
"""Kind of file owner: the report on the refused rows."""


class State(StrEnum):
    """How far an import is."""

    WAITING = "waiting"
    CHECKING = "checking"
    IMPORTING = "importing"
    DONE = "done"
    REFUSED = "refused"


ENDED = frozenset({State.DONE, State.REFUSED})


class Dates(StrEnum):
    """How dates are written. Days as ISO 8601 writes them are understood with each."""

    ISO = "iso"
    MONTH_FIRST = "month_first"
    DAY_FIRST = "day_first"


class Encoding(StrEnum):
    """In what a file is written; the values are Python's names."""

    UTF_8 = "utf-8"
    WINDOWS_1252 = "windows-1252"


class FaultCode(StrEnum):
    """Why a row is refused."""

    INVALID_INPUT = "INVALID_INPUT"
    DATE_FORMAT = "DATE_FORMAT"
    MRN_TAKEN = "MRN_TAKEN"
    MRN_TWICE = "MRN_TWICE"
    ROW_MALFORMED = "ROW_MALFORMED"


class ProblemCode(StrEnum):
    """Why nothing of a file is imported, whatever its rows are."""

    EMPTY = "EMPTY"
    ENCODING = "ENCODING"
    COLUMNS_MISSING = "COLUMNS_MISSING"
    COLUMNS_UNCLEAR = "COLUMNS_UNCLEAR"
    TOO_LONG = "TOO_LONG"
    FILE_GONE = "FILE_GONE"
    NOT_ALLOWED = "NOT_ALLOWED"
    ROWS_REFUSED = "ROWS_REFUSED"


class Unreadable(Exception):
    """A file of which nothing is imported.

    Args:
        code: why.
        message: why, for a person; nothing of it comes out of a row.
        way_on: what can be done.
    """

    def __init__(self, code: ProblemCode, message: str, way_on: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.way_on = code, message, way_on


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a file is imported.

    Args:
        dry_run: look at everything and import nothing.
        skip_refused: import the other rows where some are refused; by default nothing is imported then.
        dates: how dates are written.
        encoding: in what the file is written; None takes UTF-8 where it can be that, else Windows-1252.
        mapping: header -> name of a `Field`.
    """

    dry_run: bool
    skip_refused: bool = False
    dates: Dates = Dates.ISO
    encoding: Encoding | None = None
    mapping: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is wrong with a row.

    Args:
        column: the field, by its name in `NewPatient`; None is the row itself.
        code: why.
        message: why, for a person; it names no value of the row.
    """

    column: str | None
    code: FaultCode
    message: str


@dataclass(frozen=True, kw_only=True)
class RefusedRow:
    """A row that is not imported.

    Args:
        line: number of the file's line it begins in; the header is in line 1.
        faults: all that is wrong with it.
    """

    line: int
    faults: Sequence[Fault]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why nothing of a file was imported."""

    code: ProblemCode
    message: str
    way_on: str | None = None


@dataclass(frozen=True, kw_only=True)
class PatientImport:
    """An import, as far as it is.

    Args:
        id: opaque.
        position: grows with each step.
        state: how far it is.
        options: how it was asked for.
        rows: of patients in the file, once they are counted.
        checked: rows that were looked at.
        refused: rows that are not imported.
        imported: patients that were created; in a dry run those that would be.
        encoding: in what the file was read.
        delimiter: what stands between its cells.
        ignored: headers of columns that are nothing to us.
        problem: why nothing was imported.
        report_id: the file with a line for each refused row.
        created_at: when it was asked for.
        ended_at: when it ended.
    """

    id: UUID
    position: int
    state: State
    options: Options
    rows: int | None
    checked: int
    refused: int
    imported: int
    encoding: Encoding | None
    delimiter: str | None
    ignored: Sequence[str]
    problem: Problem | None
    report_id: UUID | None
    created_at: datetime
    ended_at: datetime | None

    @property
    def progress(self) -> float:
        """The share of the rows that was looked at, from 0 to 1; 1 only once it has ended."""
        if self.state in ENDED:
            return 1.0
        return min(self.checked / self.rows, 0.99) if self.rows else 0.0


@dataclass(frozen=True, kw_only=True)
class PatientsImported(Event):
    """Patients were created in bulk; told for a thousand at a time, in place of a `PatientCreated` for each."""

    patient_ids: tuple[UUID, ...] = fact("The new patients.")
