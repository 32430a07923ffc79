"""How long a practice keeps patients' records."""

from __future__ import annotations

from dataclasses import dataclass

from bedside_core.settings import setting

LONGEST_YEARS = 100


@dataclass(frozen=True, kw_only=True)
class RecordSettings:
    """What becomes of patients' records after a time."""

    retention_years: int = setting(
        0,
        "Years after the last activity at which a patient's record is archived or erased; 0 keeps it for ever. Owners "
        "are told a month before.",
        least=0,
        most=LONGEST_YEARS,
    )
    retention_erases: bool = setting(
        False, "Whether records are erased for good then; otherwise they are put into the archive."
    )
