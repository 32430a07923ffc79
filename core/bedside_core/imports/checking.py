"""Looks at the rows of a table as `createPatient` looks at a patient, and at MRNs that stand there twice."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from bedside_core.imports.columns import Field, Layout
from bedside_core.imports.model import Dates, Fault, FaultCode, RefusedRow
from bedside_core.imports.reading import Raw
from bedside_core.people import NewPatient, checks

_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_REGIONAL = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})", re.ASCII)
_WRITTEN = {
    Dates.ISO: "YYYY-MM-DD",
    Dates.MONTH_FIRST: "MM/DD/YYYY or YYYY-MM-DD",
    Dates.DAY_FIRST: "DD/MM/YYYY or YYYY-MM-DD",
}


@dataclass(frozen=True, kw_only=True)
class Good:
    """A row that can be imported."""

    line: int
    patient: NewPatient


class Checker:
    """Looks at rows, in the order of the file.

    Args:
        layout: which column is what.
        dates: how dates are written.
        today: the day it is for the practice.
        regions: where its phone numbers may be from.
    """

    def __init__(self, layout: Layout, dates: Dates, today: date, regions: Sequence[str]) -> None:
        self._layout = layout
        self._dates = dates
        self._today = today
        self._regions = regions
        self._lines: dict[str, int] = {}
        """MRN -> the line where it stands first."""

    def check(self, rows: Sequence[Raw]) -> list[Good | RefusedRow]:
        """Look at some rows; blocks for about a fifth of a millisecond for each."""
        return [self._checked(row) for row in rows]

    def _checked(self, row: Raw) -> Good | RefusedRow:
        if row.cells is None:
            return _malformed(row, "Its quotation marks can't be read: one is not closed, or not doubled.")
        if len(row.cells) > self._layout.width and any(cell.strip() for cell in row.cells[self._layout.width :]):
            return _malformed(row, f"It has {len(row.cells)} cells, the first line has {self._layout.width}.")
        cells = {
            field: row.cells[place] if place < len(row.cells) else "" for field, place in self._layout.places.items()
        }
        typed = cells[Field.DATE_OF_BIRTH].strip()
        born = date_of(typed, self._dates)
        new = NewPatient(
            first_name=cells[Field.FIRST_NAME],
            last_name=cells[Field.LAST_NAME],
            date_of_birth=born or self._today,  # which is right, so that it is told of once
            mrn=cells[Field.MRN],
            gender=cells[Field.GENDER],
            phone=cells.get(Field.PHONE, "").strip() or None,
            email=cells.get(Field.EMAIL, "").strip() or None,
        )
        checked, wrong = checks.patient(new, self._today, self._regions, ())
        faults = [_fault(problem.field[-1], problem.message) for problem in wrong]
        if born is None:
            faults.append(_date_fault(typed, self._dates))
        if all(fault.column != Field.MRN for fault in faults):
            first = self._lines.setdefault(checked.mrn, row.line)
            if first != row.line:
                message = f"This MRN stands in line {first} already."
                faults.append(Fault(column=Field.MRN.value, code=FaultCode.MRN_TWICE, message=message))
        return RefusedRow(line=row.line, faults=faults) if faults else Good(line=row.line, patient=checked)


def date_of(typed: str, dates: Dates) -> date | None:
    """Return the day that is written, or None where it is none; years have four digits."""
    if found := _ISO.fullmatch(typed):
        year, month, day = found[1], found[2], found[3]
    elif dates is not Dates.ISO and (found := _REGIONAL.fullmatch(typed)):
        month, day = (found[1], found[3]) if dates is Dates.MONTH_FIRST else (found[3], found[1])
        year = found[4]
    else:
        return None
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def taken(good: Good) -> RefusedRow:
    """Return the refusal of a row whose MRN the practice has."""
    fault = Fault(
        column=Field.MRN.value,
        code=FaultCode.MRN_TAKEN,
        message="The practice already has a patient with this MRN.",
    )
    return RefusedRow(line=good.line, faults=[fault])


def _fault(column: str, message: str) -> Fault:
    return Fault(column=column, code=FaultCode.INVALID_INPUT, message=message)


def _date_fault(typed: str, dates: Dates) -> Fault:
    if not typed:
        return _fault(Field.DATE_OF_BIRTH.value, "This is required.")
    message = f"This is no day written as {_WRITTEN[dates]}."
    return Fault(column=Field.DATE_OF_BIRTH.value, code=FaultCode.DATE_FORMAT, message=message)


def _malformed(row: Raw, message: str) -> RefusedRow:
    return RefusedRow(line=row.line, faults=[Fault(column=None, code=FaultCode.ROW_MALFORMED, message=message)])
