"""Chat's settings."""

from __future__ import annotations

from dataclasses import dataclass

from bedside_chat.hours import closed_fault, hours_fault
from bedside_core.api import Scope, setting

_PERSONAL = (Scope.MEMBER, Scope.PATIENT)
_HOURS = "The practice's hours on {}, in its zone, such as 09:00-12:30, 13:30-17:00; empty is closed (C17)."
LONGEST_AUTO_REPLY = 2000


SHORTEST_REMINDER, LONGEST_REMINDER = 5, 7 * 24 * 60
_REMINDER = (
    "After how many minutes one is reminded by {} of messages that one has not read, once for each conversation until "
    "more is written in it: 5 to 10,080; 0 is never (N6)."
)


def _minutes_fault(minutes: int) -> str | None:
    if minutes == 0 or SHORTEST_REMINDER <= minutes <= LONGEST_REMINDER:
        return None
    return f"The time is 0 for never, or from {SHORTEST_REMINDER} to {LONGEST_REMINDER} minutes."


def _text_fault(text: str) -> str | None:
    if not text.strip() or "\0" in text:
        return "An automatic message needs a text."
    return f"It has at most {LONGEST_AUTO_REPLY} characters." if len(text) > LONGEST_AUTO_REPLY else None


@dataclass(frozen=True)
class ChatSettings:
    """How a practice chats."""

    longest_message: int = setting(10_000, "Most characters of one message; 1 to 10,000.", least=1, most=10_000)
    patients_in_portal: bool = setting(
        False, "Chat for your patients available in Patient Portal: they can write, and be written to, there (C3)."
    )
    outsiders_in_groups: bool = setting(
        False, "Whether groups may have contacts, and members of connected practices, in them (C7)."
    )
    patients_delete: bool = setting(
        False, "Whether patients, and guests who came by a link, may delete what they wrote (C11)."
    )
    guest_days: int = setting(
        14,
        "Days for which people without an account can use the link they were sent (C6); 1 to 90.",
        least=1,
        most=90,
    )
    presence_for_patients: bool = setting(
        False,
        "Whether patients, and guests who came by a link, see which members are there, who is typing, and what members "
        "have read and acknowledged (C14).",
    )
    available_for_patients: bool = setting(
        True,
        "Available for Chat with Patients: off, patients can't start a conversation with this practitioner; "
        "conversations that there are go on (C4).",
        scopes=(Scope.MEMBER,),
    )
    urgent_reminders: bool = setting(
        True,
        "Whether one is reminded of urgent messages that one has not acknowledged: every 5 minutes, six times at most, "
        "in quiet hours too (N6).",
        scopes=_PERSONAL,
    )
    unread_email_minutes: int = setting(0, _REMINDER.format("e-mail"), scopes=_PERSONAL, check=_minutes_fault)
    unread_sms_minutes: int = setting(0, _REMINDER.format("SMS"), scopes=_PERSONAL, check=_minutes_fault)
    auto_reply: bool = setting(
        False, "Whether patients and contacts who write outside the practice's hours get an automatic message (C17)."
    )
    auto_reply_text: str = setting(
        "Thank you for your message. We are closed now, and will answer when we are open again. In an emergency, call "
        "the emergency number.",
        f"The automatic message, in Markdown; up to {LONGEST_AUTO_REPLY:,} characters.",
        check=_text_fault,
    )
    hours_monday: str = setting("09:00-17:00", _HOURS.format("Mondays"), check=hours_fault)
    hours_tuesday: str = setting("09:00-17:00", _HOURS.format("Tuesdays"), check=hours_fault)
    hours_wednesday: str = setting("09:00-17:00", _HOURS.format("Wednesdays"), check=hours_fault)
    hours_thursday: str = setting("09:00-17:00", _HOURS.format("Thursdays"), check=hours_fault)
    hours_friday: str = setting("09:00-17:00", _HOURS.format("Fridays"), check=hours_fault)
    hours_saturday: str = setting("", _HOURS.format("Saturdays"), check=hours_fault)
    hours_sunday: str = setting("", _HOURS.format("Sundays"), check=hours_fault)
    closed_days: tuple[str, ...] = setting(
        (),
        "Days on which the practice is closed whatever its hours, such as 2026-12-24; at most 200.",
        check=closed_fault,
    )

    @property
    def week(self) -> tuple[str, ...]:
        """The hours of each day, Monday first."""
        return (
            self.hours_monday,
            self.hours_tuesday,
            self.hours_wednesday,
            self.hours_thursday,
            self.hours_friday,
            self.hours_saturday,
            self.hours_sunday,
        )
