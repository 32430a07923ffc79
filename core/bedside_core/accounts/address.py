"""A change of the address one signs in with: confirmed by a mail to the new one, told to the old one (A8)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

from bedside_core import audit, errors
from bedside_core.accounts.letters import CONFIRM_EMAIL, EMAIL_CHANGED
from bedside_core.auth import Actor
from bedside_core.database import DB, acting, unit
from bedside_core.notify.kinds import Fact, Language, Recipient
from bedside_core.people import checks
from bedside_core.reserved import refuse_real_address

if TYPE_CHECKING:
    from uuid import UUID

    from bedside_core.platform import Platform

PURPOSE = "core.email"
"""Of the links in these mails; their subject is the account."""
LASTS = timedelta(days=1)
PAGE = "/confirm-email"


class Addresses:
    """Changes the addresses of accounts.

    Args:
        platform: for its clock, links and sign-ins.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def ask(self, actor: Actor, password: str, email: str) -> None:
        """Send a link to a new address; until it is used nothing changes. Whether it is somebody's is not told (A6).

        Raises:
            errors.InvalidInput: the password is wrong, or it is no address.
            Locked: the password was wrong six times in a row.
        """
        actor.oneself().complete()
        wanted = checks.email(email, ("email",))
        account = await self._platform.auth.proof.by_password(actor, password)
        language = await _language(actor.account_id)
        with acting(actor.practice_id or audit.DEPLOYMENT, actor.person_id):
            await refuse_real_address(wanted, ("email",))
            async with unit() as work:
                await self._platform.auth.proof.still(actor, account)
                await DB.execute(
                    "SELECT email_change_ask($1, $2, $3)", actor.account_id, wanted, self._platform.clock.now()
                )
                secret = await self._platform.links.issue(work, PURPOSE, actor.account_id, lasts=LASTS)
                await self._platform.notify.send(
                    work,
                    CONFIRM_EMAIL.key,
                    to=Recipient.address(email=wanted, language=language, about=actor.account_id),
                    data={Fact.LINK: f"{PAGE}#{secret}"},
                )
                audit.did("account.email_ask", kind="account", target=actor.account_id)

    async def look(self, secret: str) -> None:
        """Refuse a link that leads nowhere; it stays as it is (A7).

        Raises:
            LinkOver: it leads nowhere any more.
        """
        await self._platform.links.look(PURPOSE, secret)

    async def confirm(self, secret: str) -> str:
        """Use a link up: the account is signed in to with the new address, and the old one is told.

        Returns:
            The new address.

        Raises:
            LinkOver: the link leads nowhere any more.
            errors.Conflict: the address has an account.
        """
        link = await self._platform.links.look(PURPOSE, secret)
        home = await DB.fetchrow("SELECT * FROM account_home($1)", link.subject)
        if home is None:
            raise errors.NotFound("There is no such account.")
        language = await _language(link.subject)
        try:
            with acting(home["practice_id"] or audit.DEPLOYMENT):
                async with unit() as work:
                    await self._platform.auth.factors.held(link.subject)
                    await self._platform.links.consume(work, PURPOSE, secret)
                    made = await DB.fetchval(
                        "SELECT email_change_make($1, $2)", link.subject, self._platform.clock.now()
                    )
                    await self._platform.notify.send(
                        work,
                        EMAIL_CHANGED.key,
                        to=Recipient.address(email=home["email"], language=language, about=link.subject),
                        data={Fact.TIME: self._platform.clock.now()},
                    )
                    audit.did("account.email", kind="account", target=link.subject)
        except asyncpg.UniqueViolationError:
            raise errors.Conflict("This address can't be used.", way_on="Take another one.") from None
        return made


async def _language(account_id: UUID) -> Language | None:
    chosen = await DB.fetchval("SELECT notify_account_language($1)", account_id)
    return Language(chosen) if chosen else None
