"""How many signals one seat may send: a bucket that fills with time."""

from __future__ import annotations

import time

from bedside_telehealth.media.engine import MediaRefused, Why

BURST = 80
"""Signals at once: a browser's candidates for two connections, and then some."""
A_SECOND = 10.0


class Allowance:
    """What one seat may still send."""

    __slots__ = ("_at", "_left")

    def __init__(self) -> None:
        self._left, self._at = float(BURST), time.monotonic()

    def spend(self) -> None:
        """Count one signal.

        Raises:
            MediaRefused: too many in too short a time.
        """
        now = time.monotonic()
        self._left = min(float(BURST), self._left + (now - self._at) * A_SECOND)
        self._at = now
        if self._left < 1:
            raise MediaRefused(Why.RATE, f"A seat sends {A_SECOND:.0f} signals a second.")
        self._left -= 1
