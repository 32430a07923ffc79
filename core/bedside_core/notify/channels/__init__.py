"""The ways out of the house, each behind the same Protocol; what goes wrong is either temporary or permanent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from bedside_core.notify.attachments import CalendarFile
from bedside_core.notify.kinds import Channel, Language
from bedside_core.notify.texts import Rendered

STOPPED = "the number has written STOP (Twilio 21610)"
"""The reason in the delivery log where a number takes no SMS any more."""


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One delivery, ready to go.

    Args:
        id: the delivery's; the same however often it is tried, so that the other side can tell a second one.
        practice_id: whose it is.
        practice: that practice's name, or the deployment's.
        address: e-mail address, phone number (E.164) or id of a push subscription.
        content: what it says.
        language: of the content.
        written_at: when the delivery was made; the mail's date.
        calendar: what it is about, for the recipient's calendar; of mails alone.
    """

    id: UUID
    practice_id: UUID
    practice: str
    address: str
    content: Rendered
    language: Language
    written_at: datetime
    calendar: CalendarFile | None = None


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The other side has taken it over.

    Args:
        provider_id: under which it knows the delivery.
    """

    provider_id: str | None = None


class Temporary(Exception):
    """It did not work now and may later. The text stands in the delivery log.

    Args:
        reason: why, without any content.
        channel: nothing can go on this channel now, so that it is of no use to try the next letter.
    """

    def __init__(self, reason: str, *, channel: bool = False) -> None:
        super().__init__(reason)
        self.channel = channel


class Permanent(Exception):
    """It will never work; the text is the reason in the delivery log."""


class OptedOut(Permanent):
    """Somebody has written STOP from the number, so that it takes no SMS any more."""

    def __init__(self) -> None:
        super().__init__(STOPPED)


class Way(Protocol):
    """A way out of the house."""

    async def send(self, letter: Letter) -> Receipt:
        """Hand a letter over.

        Raises:
            Temporary: try again later.
            Permanent: don't.
        """
        ...


Ways = Mapping[Channel, Way]
"""The channels that this deployment has; in-application needs none."""
