"""What a practice sets about how its people sign in."""

from __future__ import annotations

from dataclasses import dataclass

from bedside_core.settings import setting

PLUGIN = "accounts"
"""Under this name the values are stored; the migrations' functions read them there."""


@dataclass(frozen=True)
class AccountsSettings:
    """How a practice's people sign in."""

    second_factor_required: bool = setting(
        False,
        "Let nobody in who has shown no second factor; who has none sets one up before anything else (A9). A key whose "
        "maker has none is closed meanwhile (A13).",
        personal=True,
    )
    idle_minutes: int = setting(
        0,
        "Sign people out who have done nothing for so many minutes; 0 never does. Being in a call counts as doing.",
        least=0,
        most=720,
    )
