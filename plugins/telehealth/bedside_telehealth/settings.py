"""Telehealth's settings."""

from __future__ import annotations

from dataclasses import dataclass

from bedside_core.api import Scope, setting


@dataclass(frozen=True)
class TelehealthSettings:
    """How a practice meets by video."""

    waiting_room: bool = setting(
        False,
        "Enable telehealth waiting room: patients and guests wait at every join of one's sessions until a chair admits "
        "them (T15).",
        scopes=(Scope.MEMBER,),
    )
