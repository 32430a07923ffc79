"""The REST route of vitals: an export for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncGenerator
from typing import Any

from litestar import Request, get
from litestar.response import Stream

from bedside_core.api import Gate, Platform, Route, actor_of
from bedside_vitals.service import Exported, VitalsService

HEADINGS = (
    "recorded_at", "mrn", "last_name", "first_name", "systolic", "diastolic", "pulse", "alert", "recorded_by", "note",
)  # fmt: skip

_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a cell that a spreadsheet takes for a formula begins with; full-width signs count too."""


def vitals_routes(platform: Platform) -> list[Route]:
    """Return the routes, which Bedside mounts below `/vitals/`."""

    @get("/export.csv", guards=[Gate("vitals.read", "vitals")])
    async def export(request: Request[Any, Any, Any]) -> Stream:
        actor = actor_of(request)
        assert actor is not None  # the gate lets nobody else pass
        exported = await platform.service(VitalsService).export(actor)
        return Stream(
            _lines(exported),
            media_type="text/csv",
            headers={"content-disposition": 'attachment; filename="vitals.csv"'},
        )

    return [export]


async def _lines(exported: AsyncGenerator[Exported, None]) -> AsyncGenerator[str, None]:
    yield _line(*HEADINGS)
    async for vitals, patient, recorded_by in exported:
        yield _line(
            vitals.recorded_at.isoformat(),
            patient.mrn,
            patient.last_name,
            patient.first_name,
            vitals.systolic,
            vitals.diastolic,
            vitals.pulse,
            "yes" if vitals.alert else "no",
            recorded_by.name if recorded_by else "",
            vitals.note,
        )


def _line(*cells: str | int) -> str:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow([cell_of(cell) for cell in cells])
    return line.getvalue()


def cell_of(value: str | int) -> str | int:
    """Return a cell that a spreadsheet shows and does not run: text that begins like a formula gets an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULAS) else value
