"""A sign-in that is open, as its owner sees it among their others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Session:
    """A sign-in that is open, as its owner sees it.

    Args:
        id: the session's.
        created_at: when it was opened.
        last_seen_at: when something was done with it last, to ten seconds.
        device: what the browser or client called itself.
        application: the application it was opened in (G1); None for our own client.
    """

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    device: str
    application: str | None
