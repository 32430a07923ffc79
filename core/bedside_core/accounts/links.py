"""One-time links: a secret in a mail that lets its reader do one thing, once, for a while (A1, A2, A7)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NoReturn
from uuid import UUID

from bedside_core import errors
from bedside_core.auth.tokens import LONGEST_TOKEN, token_hash
from bedside_core.clock import Clock
from bedside_core.database import DB, Row, Work
from bedside_core.ids import uuid7

SECRET_BYTES = 32
"""Random bytes of a secret: 256 bits, which nobody finds by trying (promise A6)."""


class LinkState(StrEnum):
    """What a link is good for."""

    OPEN = "open"
    EXPIRED = "expired"
    VOIDED = "voided"
    """A newer one took its place, or what it was for was called off."""
    CONSUMED = "consumed"


class LinkOver(errors.Problem):
    """The link leads nowhere any more."""

    code = "LINK_OVER"
    meaning = (
        "The link leads nowhere: `state` is `expired`, `voided` (a newer one was sent, or it was called off), "
        "`consumed` (it was used) or `unknown`; `support` is whom to ask, where the operator has named somebody (A2)."
    )
    status = 410


@dataclass(frozen=True, kw_only=True)
class Link:
    """A link that was sent; its secret is in the mail alone.

    Args:
        id: the link's.
        purpose: what it is for, `core.register`; one of another purpose is unknown.
        subject: the id of what it is about, which the purpose gives a meaning.
        created_at: when it was issued.
        expires_at: until when it can be used.
        state: what it is good for now.
    """

    id: UUID
    purpose: str
    subject: UUID
    created_at: datetime
    expires_at: datetime
    state: LinkState


class Links:
    """Issues links, looks at them and consumes them. Who may do so is for the caller to ask.

    Args:
        clock: the product's time.
        support_contact: whom the operator names to those whose link is over.
    """

    def __init__(self, clock: Clock, support_contact: str = "") -> None:
        self._clock = clock
        self._support = support_contact

    async def issue(self, work: Work, purpose: str, subject: UUID, *, lasts: timedelta) -> str:
        """Issue a link within a unit of work; those issued for the same purpose and subject before are void (A2).

        Args:
            work: the unit's, in which the mail is sent too.
            purpose: what it is for, `<plugin>.<name>`.
            subject: the id of what it is about.
            lasts: how long it can be used.

        Returns:
            The secret, 43 characters to stand behind `#`; it is stored as its hash only.
        """
        _open(work)
        secret, now = secrets.token_urlsafe(SECRET_BYTES), self._clock.now()
        await DB.execute(
            "SELECT link_issue($1, $2, $3, $4, $5, $6)",
            uuid7(), purpose, subject, token_hash(secret), now, now + lasts,
        )  # fmt: skip
        return secret

    async def add(self, work: Work, purpose: str, subjects: Sequence[UUID]) -> Mapping[UUID, str]:
        """Issue, beside links that are open, further ones that last as long and are voided with them.

        For links that are looked at and not consumed: a later letter leads where the first one did.

        Args:
            work: the unit's, in which the letters are sent too.
            purpose: what they are for.
            subjects: the ids of what they are about, each once.

        Returns:
            Subject -> secret, of those that have an open link; one statement.
        """
        _open(work)
        made = {subject: secrets.token_urlsafe(SECRET_BYTES) for subject in subjects}
        rows = await DB.fetch(
            "SELECT link_add($1, $2, $3, $4, $5) AS subject",
            [uuid7() for _ in made], purpose, list(made), [token_hash(each) for each in made.values()],
            self._clock.now(),
        )  # fmt: skip
        return {row["subject"]: made[row["subject"]] for row in rows}

    async def look(self, purpose: str, secret: str) -> Link:
        """Return the link of a secret, which stays as it is however often it is looked at (A7).

        Raises:
            LinkOver: it is unknown, void, consumed or expired.
        """
        link = await self.whatever(purpose, secret)
        if link is None or link.state is not LinkState.OPEN:
            self._refuse(link)
        return link

    async def consume(self, work: Work, purpose: str, secret: str) -> Link:
        """Use a link up within a unit of work: of several at once, one does; it is unused where the unit is undone.

        Raises:
            LinkOver: it is unknown, void, consumed or expired.
        """
        _open(work)
        now = self._clock.now()
        row = await DB.fetchrow("SELECT * FROM link_consume($1, $2, $3)", purpose, _hash(secret), now)
        if row is None:
            self._refuse(await self.whatever(purpose, secret))
        return self._link(row)

    async def void(self, work: Work, purpose: str, subject: UUID) -> bool:
        """Void what was issued for a subject within a unit of work; returns whether a link was open."""
        _open(work)
        return bool(await DB.fetchval("SELECT link_void($1, $2, $3)", purpose, subject, self._clock.now()))

    async def newest(self, purpose: str, subjects: Sequence[UUID]) -> Mapping[UUID, Link]:
        """Return subject -> the newest link issued for it, in one statement; for lists of what was sent."""
        rows = await DB.fetch("SELECT * FROM link_newest($1, $2)", purpose, list(subjects))
        return {row["subject"]: self._link(row) for row in rows}

    async def whatever(self, purpose: str, secret: str) -> Link | None:
        """Return the link of a secret, in whatever state it is; None where there is none."""
        row = await DB.fetchrow("SELECT * FROM link_look($1, $2)", purpose, _hash(secret))
        return self._link(row) if row else None

    def _link(self, row: Row) -> Link:
        if row["consumed_at"] is not None:
            state = LinkState.CONSUMED
        elif row["voided_at"] is not None:
            state = LinkState.VOIDED
        else:
            state = LinkState.OPEN if row["expires_at"] > self._clock.now() else LinkState.EXPIRED
        return Link(
            id=row["id"],
            purpose=row["purpose"],
            subject=row["subject"],
            created_at=row["created_at"],
            expires_at=row["expires_at"],
            state=state,
        )

    def _refuse(self, link: Link | None) -> NoReturn:
        told = {
            LinkState.EXPIRED: "This link has expired.",
            LinkState.VOIDED: "This link is not good any more; a newer one may have been sent.",
            LinkState.CONSUMED: "This link was used already.",
        }
        support = f" or {self._support}" if self._support else ""
        state = link.state if link is not None else None
        raise LinkOver(
            told.get(state, "There is no such link.") if state else "There is no such link.",
            way_on=f"Use the newest mail, or ask those who sent it{support}.",
            detail={"state": state or "unknown", "support": self._support or None},
        )


def _hash(secret: str) -> bytes:
    return token_hash(secret[: LONGEST_TOKEN + 1])


def _open(work: Work) -> None:
    if work.over:
        raise RuntimeError("links are issued, voided and consumed in an open unit of work")
