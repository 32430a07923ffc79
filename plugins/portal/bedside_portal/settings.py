"""The portal's settings."""

from __future__ import annotations

from dataclasses import dataclass

from bedside_core.api import setting

LONGEST_TEXT = 2000


def _text_fault(text: str) -> str | None:
    if "\0" in text:
        return "A text has no NUL in it."
    return f"A text has at most {LONGEST_TEXT} characters." if len(text) > LONGEST_TEXT else None


@dataclass(frozen=True)
class PortalSettings:
    """Whom a practice lets into its portal, what they may do there by themselves, and what is said to them."""

    guardians: bool = setting(
        True, "Whether guardians can be invited to act for patients; those who do already go on (S11)."
    )
    self_booking: bool = setting(
        True,
        "Whether patients with an active portal account, and who acts for them, book by themselves in the sections "
        "that are open to it (S4). `setPatientBooking` decides otherwise for one patient. Whoever may not book may "
        "still cancel.",
    )
    guardians_book: bool = setting(
        True, "Whether guardians book for the patients they act for, where these book by themselves (S4, S11)."
    )
    welcome_text: str = setting(
        "",
        f"What the portal says to patients first, as plain text; up to {LONGEST_TEXT:,} characters.",
        check=_text_fault,
    )
    waiting_text: str = setting(
        "Thank you for your patience. Somebody will be with you soon.",
        f"What is said to who waits, as plain text; up to {LONGEST_TEXT:,} characters (T15).",
        check=_text_fault,
    )
    names_in_access_log: bool = setting(
        True,
        "Whether patients see the names of those of the practice who saw their record; off, they see that it was "
        "somebody of the practice (S10).",
    )
