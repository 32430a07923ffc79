"""Telehealth's service: all its verbs, from drafting a session to its end.

With `guests` and `records` it is the only writer of telehealth's tables.
"""

from __future__ import annotations

from bedside_telehealth.admission import Admission


class TelehealthService(Admission):
    """Reads, creates and changes sessions, and lets people in, each in a module of its own."""
