"""The demo's way out: nothing leaves the house, every letter is kept to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bedside_core.clock import Clock
from bedside_core.database import DB
from bedside_core.notify.channels import Letter, Receipt
from bedside_core.notify.kinds import Channel


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A letter as it is kept."""

    id: UUID
    practice: str
    channel: str
    address: str
    subject: str
    body: str
    sent_at: datetime
    calendar: str | None
    """The calendar file that would have gone with it (S8)."""


class Outbox:
    """Keeps letters.

    Args:
        channel: in whose place it stands.
        clock: the product's time.
    """

    def __init__(self, channel: Channel, clock: Clock) -> None:
        self._channel = channel
        self._clock = clock

    async def send(self, letter: Letter) -> Receipt:
        """Keep a letter, once."""
        content = letter.content
        link = content.link if content.link and content.link not in content.text else None
        await DB.execute(
            "SELECT outbox_put($1, $2, $3, $4, $5, $6, $7, $8)",
            letter.id,
            letter.practice,
            self._channel,
            letter.address,
            content.subject,
            f"{content.text}\n{link}" if link else content.text,
            self._clock.now(),
            letter.calendar.content if letter.calendar else None,
        )
        return Receipt()


async def kept(size: int) -> Sequence[Kept]:
    """Return the letters that were kept last, the newest first."""
    return [Kept(**dict(row)) for row in await DB.fetch("SELECT * FROM outbox_page($1)", size)]
