"""All that is kept of practices and patients, as core and the active plugins declare it, and its rows."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core.database import DB
from bedside_core.records.core import CONTRIBUTION
from bedside_core.records.declared import DataContribution, KeptTable

if TYPE_CHECKING:
    from bedside_core.platform import Platform

CORE = "core"
BATCH = 1000


def contributions(platform: Platform) -> Iterator[tuple[str, DataContribution]]:
    """Yield who contributes and what: core first, then the active plugins in their order."""
    yield CORE, CONTRIBUTION
    for name, manifest in platform.plugins.manifests.items():
        if manifest.data is not None:
            yield name, manifest.data


async def unknown_tables(platform: Platform) -> Sequence[str]:
    """Return the tables that hold something of the acting practice and that nobody declares now.

    They are those of plugins that are installed and not active: nobody can say which of their rows are about whom.
    """
    known = [table.name for _, data in contributions(platform) for table in data.tables]
    return [row["name"] for row in await DB.fetch("SELECT records_unknown($1) AS name", known)]


async def rows_of(table: KeptTable, patient_id: UUID | None) -> AsyncGenerator[str]:
    """Yield a table's rows of the acting practice as JSON, without what is hidden.

    Args:
        table: a declared one.
        patient_id: only rows about this patient.
    """
    place = "(0,0)"
    about, hidden = (None, table.hidden) if patient_id is None else (table.patient, table.hidden + table.of_others)
    while rows := await DB.fetch(
        "SELECT place, content FROM record_rows($1, $2, $3, $4, $5, $6)",
        table.name,
        about,
        patient_id,
        list(hidden),
        place,
        BATCH,
    ):
        for row in rows:
            yield row["content"]
        place = rows[-1]["place"]


async def files_of(platform: Platform, patient_id: UUID | None) -> Sequence[tuple[UUID, str, str | None]]:
    """Return id, name and key of the attached files: all of the acting practice's, or those about a patient.

    What was uploaded for an import, its reports and the exports themselves are none of them. The key is None where the
    store has lost the content.
    """
    about: list[str | None] = [None]
    if patient_id is not None:
        about = [condition for _, data in contributions(platform) for condition in data.files]
    found: dict[UUID, tuple[UUID, str, str | None]] = {}
    for condition in about:
        for row in await DB.fetch("SELECT id, name, key FROM record_files($1, $2)", condition, patient_id):
            found[row["id"]] = (row["id"], row["name"], row["key"])
    return list(found.values())
