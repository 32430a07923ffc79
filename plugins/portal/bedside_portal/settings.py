"""The portal's settings."""

from __future__ import annotations

from dataclasses import dataclass

from bedside_core.api import setting


@dataclass(frozen=True)
class PortalSettings:
    """Whom a practice lets into its portal."""

    guardians: bool = setting(
        True, "Whether guardians can be invited to act for patients; those who do already go on (S11)."
    )
