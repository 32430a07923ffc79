"""Scheduling's settings."""

from __future__ import annotations

from dataclasses import dataclass

from bedside_core.api import Scope, setting

_BOTH = (Scope.PRACTICE, Scope.MEMBER)
_OF = " A practitioner may have a value of their own."


@dataclass(frozen=True)
class SchedulingSettings:
    """How a practice makes appointments."""

    usual_minutes: int = setting(
        30, "Length of an appointment whose type says none, in minutes; 5 to 720.", least=5, most=720
    )
    buffer_before_minutes: int = setting(
        0,
        "Minutes that patients leave free before an appointment whose type says nothing of it; 0 to 240 (S4)." + _OF,
        scopes=_BOTH,
        least=0,
        most=240,
    )
    buffer_after_minutes: int = setting(
        0,
        "Minutes that patients leave free after an appointment whose type says nothing of it; 0 to 240 (S4)." + _OF,
        scopes=_BOTH,
        least=0,
        most=240,
    )
    slot_step_minutes: int = setting(
        15, "Minutes between the starts of the slots that are offered; 5 to 240.", least=5, most=240
    )
    notice_minutes: int = setting(
        120,
        "How long before its start patients book at the latest, in minutes; 0 to 43,200 (S4)." + _OF,
        scopes=_BOTH,
        least=0,
        most=43_200,
    )
    horizon_days: int = setting(
        60, "How many days ahead patients book; 1 to 730 (S4)." + _OF, scopes=_BOTH, least=1, most=730
    )
    unseen_patients_book: bool = setting(
        True,
        "Whether patients who have had no visit at the practice yet may book by themselves, too (S4), where the "
        "portal lets them; `setPatientBooking` lets one of them all the same.",
    )
    most_ahead: int = setting(
        10,
        "How many appointments that are still to come a patient has booked by themselves at most, held ones among "
        "them; 1 to 200 (S4). What the practice books for them does not count.",
        least=1,
        most=200,
    )
    hold_minutes: int = setting(
        10, "For how many minutes a time is held for somebody who is about to book it; 1 to 60.", least=1, most=60
    )
    change_hours: int = setting(
        24,
        "How many hours before its start patients may cancel or move an appointment at the latest; 0 to 720 (S7).",
        least=0,
        most=720,
    )
    reminder_hours: int = setting(
        24, "How many hours before an appointment its reminder is sent; 1 to 336 (N7).", least=1, most=336
    )
    waiting_list: bool = setting(False, "Whether times that become free are offered to those who wait for one (S7).")
    offer_minutes: int = setting(
        60,
        "For how many minutes a freed time is held for whoever it is offered to; 5 to 1,440. What would end at night, "
        "between 21:00 and 8:00 of the practice's clocks, is held until 9:00.",
        least=5,
        most=1440,
    )
    names_in_feeds: bool = setting(
        False,
        "Whether members' calendar feeds, which leave the house, name patients and the type of the appointment (S8).",
    )
