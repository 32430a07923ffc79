"""The Terms of Use (A3): published in versions, read by anybody, accepted by each account; both are recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bedside_core import audit, errors
from bedside_core.auth import Actor, Role
from bedside_core.clock import Clock
from bedside_core.database import DB, Row, acting, unit
from bedside_core.notify.kinds import Language

LONGEST_TERMS = 100_000
"""Characters of one version in one language."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """A version of the Terms of Use.

    Args:
        version: 1 and up; a higher one takes the place of the lower.
        english: the text, plain, paragraphs apart by an empty line.
        spanish: the same in Spanish.
        published_at: since when it is the newest.
    """

    version: int
    english: str
    spanish: str
    published_at: datetime

    def text(self, language: Language) -> str:
        """Return the text in a language."""
        return self.spanish if language is Language.SPANISH else self.english


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """That an account has accepted a version."""

    version: int
    accepted_at: datetime


class TermsOfUse:
    """Publishes, shows and has accepted.

    Args:
        clock: the product's time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def version(self, version: int | None = None) -> Terms:
        """Return a version, the newest where none is named.

        Raises:
            errors.NotFound: there is none of this number.
        """
        row = None
        if version is None or 0 < version < 2**31:
            row = await DB.fetchrow("SELECT * FROM terms_version($1)", version)
        if row is None:
            raise errors.NotFound("There is no such version of the Terms of Use.")
        return _terms(row)

    async def publish(self, actor: Actor | None, english: str, spanish: str, client_id: str) -> Terms:
        """Publish a new version, which everybody is asked to accept at their next sign-in.

        Args:
            actor: the operator; None is a command on the machine.
            english: the text.
            spanish: the same in Spanish.
            client_id: the operator's own id of it; a retry gives the same version (G9).

        Raises:
            errors.Forbidden: the actor is not the operator.
            errors.InvalidInput: a text is missing or too long.
            errors.Conflict: the client id has published another text.
        """
        if actor is not None and actor.role is not Role.OPERATOR:
            raise errors.Forbidden("Only the operator of this deployment may.")
        texts = (english.strip(), spanish.strip())
        for name, text in zip(("english", "spanish"), texts, strict=True):
            if not text or len(text) > LONGEST_TERMS or "\0" in text:
                raise errors.InvalidInput(f"A text has 1 to {LONGEST_TERMS} characters.", field=(name,))
        with acting(audit.DEPLOYMENT):
            async with unit():
                row = await DB.fetchrow(
                    "SELECT * FROM terms_publish($1, $2, $3, $4)", *texts, self._clock.now(), client_id
                )
                assert row is not None
                if row["fresh"]:
                    audit.did("terms.publish", kind="terms", target=row["version"])
        if (row["english"], row["spanish"]) != texts:
            raise errors.Conflict("This clientId was used with other content.", field=("clientId",))
        return _terms(row)

    async def check(self, version: int) -> None:
        """Refuse what is not the newest version.

        Raises:
            errors.InvalidInput: it is not.
        """
        newest = await self.version()
        if version != newest.version:
            raise errors.InvalidInput(
                "These are not the Terms of Use that count now.",
                way_on="Read the newest version and accept that.",
                field=("termsVersion",),
                detail={"newest": newest.version},
            )

    async def record(self, account_id: UUID, version: int) -> None:
        """Record within a unit of work that an account has accepted a version."""
        await DB.execute("SELECT terms_accept($1, $2, $3)", account_id, version, self._clock.now())
        audit.did("terms.accept", kind="account", target=account_id, detail={"version": str(version)})

    async def accepted(self, account_id: UUID) -> Sequence[Accepted]:
        """Return what an account has accepted, the newest first."""
        rows = await DB.fetch("SELECT * FROM terms_accepted($1)", account_id)
        return [Accepted(version=row["version"], accepted_at=row["accepted_at"]) for row in rows]

    async def owed(self, account_id: UUID) -> Terms | None:
        """Return the version that an account has yet to accept; None where it has accepted the newest."""
        newest = await self.version()
        latest = await self.accepted(account_id)
        return None if latest and latest[0].version >= newest.version else newest

    async def accept(self, actor: Actor, version: int) -> None:
        """Have the actor's account accept the newest version; repeating it changes nothing.

        Raises:
            errors.InvalidInput: it is not the newest.
        """
        actor.oneself().complete()
        await self.check(version)
        with acting(actor.practice_id or audit.DEPLOYMENT, actor.person_id):
            async with unit():
                await self.record(actor.account_id, version)


def _terms(row: Row) -> Terms:
    return Terms(
        version=row["version"], english=row["english"], spanish=row["spanish"], published_at=row["published_at"]
    )
