"""What core or a plugin keeps of practices and patients, declared once: so it is exported, merged and erased with them.

A table with a `practice_id` or a `patient_id` is named by one contribution; a test fails where one is named by nobody.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from bedside_core.platform import Platform


@dataclass(frozen=True, kw_only=True)
class KeptTable:
    """A table that holds something of practices.

    Args:
        name: the table; it has a `practice_id`.
        doc: what is in it, for people who read an export; where it is not exported, why not.
        patient: where its rows are about patients, the SQL condition by which a row `t` is about patient `$1`, such as
            `t.patient_id = $1`. None where none is.
        moves: where a merged patient's rows become the kept one's by changing one column, that column. None where
            `DataContribution.merge` does it, or nothing is about patients.
        hidden: columns that are never exported: hashes and secrets.
        of_others: further columns that are left out of one patient's export, since they tell of others.
        exported: False for what is derived, or nobody's but the server's.
        active: where its rows tell that something happens with a patient, the condition by which a row `t` tells so of
            patient `$1` since the instant `$2`: whoever has none for years is due by the practice's retention.
        erased: False where rows about an erased patient stay, or `DataContribution.erase` takes them away.
    """

    name: str
    doc: str
    patient: str | None = None
    moves: str | None = None
    hidden: tuple[str, ...] = ()
    of_others: tuple[str, ...] = ()
    exported: bool = True
    active: str | None = None
    erased: bool = True


Further = AsyncGenerator[tuple[str, Mapping[str, Any]], None]
"""Names of lists, and a row of each at a time."""


@dataclass(frozen=True, kw_only=True)
class DataContribution:
    """All that core or a plugin keeps of practices and patients; a plugin's stands in its manifest.

    Args:
        tables: its tables, each after those that it refers to.
        files: conditions by which a row `t` of the table `file` is about patient `$1`, for files that belong to its own
            things.
        further: what is exported beside the tables' rows; given the platform and the patient, or None for a practice.
            Runs in the export's transaction, for the acting practice.
        merge: does what moving columns can't when two records of one patient are merged; given the platform, the kept
            and the merged patient. Runs in the merge's transaction, before rows are moved.
        erase: takes away what deleting the rows about a patient can't; given the platform and the patient. Runs in the
            erasure's transaction, before rows are deleted, the last table's first.
    """

    tables: tuple[KeptTable, ...] = ()
    files: tuple[str, ...] = ()
    further: Callable[[Platform, UUID | None], Further] | None = None
    merge: Callable[[Platform, UUID, UUID], Awaitable[None]] | None = None
    erase: Callable[[Platform, UUID], Awaitable[None]] | None = None

    def __post_init__(self) -> None:
        names = [table.name for table in self.tables]
        if len(set(names)) < len(names):
            raise ValueError("a table is named twice")
        if wrong := [table.name for table in self.tables if table.moves is not None and table.patient is None]:
            raise ValueError(f"table {wrong[0]!r} moves with patients, and does not say which rows are about one")
