"""Password reset from the sign-in page: a mail, a security question or the second factor, a new password (A4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from bedside_core import audit, errors
from bedside_core.accounts import questions
from bedside_core.accounts.letters import PASSWORD_CHANGED, RESET
from bedside_core.accounts.links import Link, LinkState
from bedside_core.accounts.model import ResetAsks
from bedside_core.auth import NOBODY, hash_password, policy
from bedside_core.auth.factors import RightCode
from bedside_core.database import DB, acting, unit
from bedside_core.notify.kinds import Fact, Recipient

if TYPE_CHECKING:
    from bedside_core.jobs import JobRun
    from bedside_core.platform import Platform

PURPOSE = "core.reset"
"""Of the links in these mails; their subject is the account."""
LASTS = timedelta(hours=1)
PAUSE = timedelta(minutes=2)
"""For so long after a mail no other is sent, however often somebody asks: nobody's mailbox can be filled this way."""
PAGE = "/reset"
SEND = "core.password_reset"
"""Full name of the job that finds out whether there is somebody to write to."""
LONGEST_EMAIL = 320


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What is shown besides the link; exactly one is given.

    Args:
        answer: to the security question.
        code: of the authenticator application, or a recovery code.
        passkey: a challenge's id, and what the authenticator made of it.
    """

    answer: str | None = None
    code: str | None = None
    passkey: tuple[UUID, str] | None = None


class Resets:
    """Has mails with links sent, and gives accounts new passwords.

    Args:
        platform: for its clock, links, queue and sign-ins.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def ask(self, email: str) -> None:
        """Have a mail sent where the address has an account. Known and unknown ones cost the same here (A6).

        Args:
            email: the user name, in any case; the job alone looks whose it is.
        """
        with acting(NOBODY):
            async with unit() as work:
                await work.enqueue(SEND, {"email": email.strip()[:LONGEST_EMAIL]})

    async def look(self, secret: str) -> ResetAsks:
        """Return what a link asks for; it stays as it is (A7).

        Raises:
            LinkOver: it leads nowhere any more.
        """
        link = await self._platform.links.look(PURPOSE, secret)
        factors = await self._platform.auth.factors.of(link.subject)
        return ResetAsks(
            question=questions.asked(list(await questions.answered(link.subject)), link.id),
            factor=factors.totp or factors.codes > 0,
            passkey=factors.passkeys > 0,
            expires_at=link.expires_at,
        )

    async def reset(self, secret: str, password: str, shown: Shown) -> None:
        """Use a link up: give the account a new password, and end all its sessions (A10).

        Raises:
            LinkOver: the link leads nowhere any more.
            WeakPassword: the password may not be chosen.
            errors.InvalidInput: what was shown is wrong, or not exactly one thing.
            Locked: it was wrong six times in a row.
        """
        if sum(each is not None for each in (shown.answer, shown.code, shown.passkey)) != 1:
            raise errors.InvalidInput(
                "Answer the security question, or show the second factor.",
                way_on="An account without either is invited anew by an owner or manager of the practice.",
                field=("answer",),
            )
        link = await self._platform.links.look(PURPOSE, secret)
        account = link.subject
        row = await DB.fetchrow("SELECT * FROM auth_account_of($1)", account)
        home = await DB.fetchrow("SELECT * FROM account_home($1)", account)
        if row is None or home is None:
            raise errors.NotFound("There is no such account.")
        words = (row["email"], *(row["words"] or ()))
        policy.check(password, words, with_factor=row["has_factor"], field="password")
        code = await self._prove(link, shown)
        hashed = await hash_password(password)
        with acting(home["practice_id"] or audit.DEPLOYMENT):
            async with unit() as work:
                await self._platform.auth.factors.hold_for(account, password, "password")
                await self._platform.links.consume(work, PURPOSE, secret)
                if code is not None:
                    await self._platform.auth.factors.use(code)
                await self._platform.auth.replace_password(work, account, hashed)
                await self._platform.notify.send(
                    work,
                    PASSWORD_CHANGED.key,
                    to=Recipient.account(account),
                    data={Fact.TIME: self._platform.clock.now()},
                )
                audit.did("account.password", kind="account", target=account, detail={"by": "reset"})

    async def _prove(self, link: Link, shown: Shown) -> RightCode | None:
        """Refuse who shows something wrong; what is wrong is counted, here and not for signing in.

        Returns:
            The code that was shown, to be used up with the link.

        Raises:
            errors.InvalidInput: it is wrong.
            Locked: it was wrong six times in a row.
        """
        account, auth = link.subject, self._platform.auth
        code: RightCode | None = None
        field = "answer" if shown.answer is not None else "code" if shown.code is not None else "passkey"
        if shown.answer is not None:
            stored = await questions.answered(account)
            key = questions.asked(list(stored), link.id)
            right = await questions.is_right(shown.answer, stored[key] if key else None)
        elif shown.code is not None:
            code = await auth.factors.right(account, shown.code)
            right = code is not None
        else:
            assert shown.passkey is not None
            try:
                right = (await auth.passkeys.prove(*shown.passkey)).account_id == account
            except errors.Unauthenticated:
                right = False
        if not await auth.attempts.settle(f"reset {account}", right, account=account):
            raise errors.InvalidInput("This is not right.", way_on="Try again, or ask your practice.", field=(field,))
        return code


async def send(run: JobRun) -> None:
    """Write to whom an address belongs, with a link to a new password; to nobody where it is nobody's."""
    platform = run.platform
    row = await DB.fetchrow("SELECT * FROM auth_account($1, NULL)", run.payload["email"])
    if row is None:
        return
    account: UUID = row["account_id"]
    newest = (await platform.links.newest(PURPOSE, [account])).get(account)
    if newest is not None and newest.state is LinkState.OPEN and platform.clock.now() - newest.created_at < PAUSE:
        return
    async with unit() as work:
        secret = await platform.links.issue(work, PURPOSE, account, lasts=LASTS)
        await platform.notify.send(work, RESET.key, to=Recipient.account(account), data={Fact.LINK: f"{PAGE}#{secret}"})
        audit.did("account.reset_mail", kind="account", target=account)
