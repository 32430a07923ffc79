"""Calendar files of mails: what a notification is about, as it stands at the moment of sending (S8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bedside_core.notify.kinds import Language, Recipient


@dataclass(frozen=True, kw_only=True)
class CalendarFile:
    """An iCalendar object for a recipient (RFC 5545).

    Args:
        method: what it asks for, `REQUEST` or `CANCEL` (RFC 5546, 1.4); also said in the part's Content-Type.
        content: the object.
    """

    method: str
    content: str


class CalendarAttachments(Protocol):
    """Renders what notifications with `calendar=True` are about; a plugin that declares such kinds provides it."""

    async def calendar(self, to: Recipient, key: str, *, address: str, language: Language) -> CalendarFile | None:
        """Return the file for a mail that is about to be sent, for the acting practice; None where there is none.

        It is asked anew at each attempt, so that what arrives late is not outdated. Where it raises, or takes too long,
        the mail is tried again later, and goes without a file at the third attempt.

        Args:
            to: for whom.
            key: what it is about, as the notification was sent with.
            address: the e-mail address that the mail goes to.
            language: of the mail.
        """
        ...
