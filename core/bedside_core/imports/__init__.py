"""Patients imported in bulk from a CSV file (P5): a dry run, a report line for each refused row, nothing by halves."""

from __future__ import annotations

from bedside_core.imports.columns import Field
from bedside_core.imports.model import (
    MOST_BYTES,
    MOST_ROWS,
    Dates,
    Encoding,
    Fault,
    FaultCode,
    Options,
    PatientImport,
    PatientsImported,
    Problem,
    ProblemCode,
    RefusedRow,
    State,
)

__all__ = [
    "MOST_BYTES",
    "MOST_ROWS",
    "Dates",
    "Encoding",
    "Fault",
    "FaultCode",
    "Field",
    "Options",
    "PatientImport",
    "PatientsImported",
    "Problem",
    "ProblemCode",
    "RefusedRow",
    "State",
]
