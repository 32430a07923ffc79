"""What a practice sets about its people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import phonenumbers

from bedside_core.settings import setting

MOST_REGIONS = 20


def regions_fault(value: Sequence[str]) -> str | None:
    """Return what is wrong with a list of regions, or None."""
    if not 1 <= len(value) <= MOST_REGIONS:
        return f"A practice has 1 to {MOST_REGIONS} regions."
    if unknown := [region for region in value if region not in phonenumbers.SUPPORTED_REGIONS]:
        return f"{unknown[0][:20]!r} is no region with telephone numbers: use ISO 3166 codes such as US."
    return None


@dataclass(frozen=True)
class PeopleSettings:
    """Which telephone numbers a practice takes."""

    phone_regions: tuple[str, ...] = setting(
        ("US",),
        "Regions whose telephone numbers are valid for patients and contacts, as ISO 3166 codes; a number without its "
        "country's code is one of the first. Puerto Rico is a region of its own, PR (P4).",
        check=regions_fault,
    )
