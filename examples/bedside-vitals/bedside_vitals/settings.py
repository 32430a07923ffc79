"""The settings of vitals: what a practice, or one of its members, may decide."""

from __future__ import annotations

from dataclasses import dataclass

from bedside_core.api import Scope, setting


@dataclass(frozen=True)
class VitalsSettings:
    """When vitals stand out, and how far back an export reaches."""

    alert_systolic: int = setting(
        160, "From which upper blood pressure on, in mmHg, a recording is marked.", feature="vitals"
    )
    export_days: int = setting(
        90,
        "How many days back the CSV export reaches, 1 to 3650.",
        scopes=(Scope.PRACTICE, Scope.MEMBER),
        feature="vitals",
    )
