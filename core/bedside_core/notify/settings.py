"""What a practice sets of its notifications."""

from __future__ import annotations

from dataclasses import dataclass

from bedside_core.settings import setting

USUAL_DELAY_SECONDS = 120
NAME = "notifications"
"""Under this name the settings are stored; the function `notify_put` reads the delay there."""


@dataclass(frozen=True)
class NotificationSettings:
    """How the practice notifies its people."""

    delay_seconds: int = setting(
        USUAL_DELAY_SECONDS,
        "How long a notification waits for more of its kind, in seconds; 0 to 3,600 (N3).",
        least=0,
        most=3600,
    )
    sms: bool = setting(True, "Whether people get SMS who have an e-mail address as well (N2).")
    voice: bool = setting(True, "Whether people are called.")
    spanish: bool = setting(False, "Whether people who have chosen no language are written to in Spanish.")
