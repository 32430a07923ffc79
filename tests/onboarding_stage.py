"""A deployment that writes mails about accounts to a real mail server, and what its links are used with."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from accounts_stage import cheap_hashes, rows
from deployment import Deployment, Person, served
from smtp_stage import SENDER, Mail, MailServer, mail_server

from bedside_core.auth import Role
from bedside_core.database import DB
from bedside_core.people import Practice
from bedside_core.testing import Database
from bedside_core.testing import until as until_

PUBLIC_URL = "https://clinic.example"
SUPPORT = "help@clinic.example"
NEW_PASSWORD = "forty quiet lanterns by the sea"
KEYS = ("first_job", "first_book", "first_teacher")
ANSWERS = [{"question": key, "answer": f"The {key} of mine!"} for key in KEYS]

INVITATION = "id email firstName lastName role state anew sentAt expiresAt invitedBy { id } member { id }"
INVITE = f"""mutation($i: InvitationInput!, $c: String!) {{
    inviteMember(input: $i, clientId: $c) {{ {INVITATION} }} }}"""
ANEW = f"mutation($m: ID!, $c: String!) {{ inviteAnew(memberId: $m, clientId: $c) {{ {INVITATION} }} }}"
RESEND = f"mutation($i: ID!) {{ resendInvitation(id: $i) {{ {INVITATION} }} }}"
REVOKE = f"mutation($i: ID!) {{ revokeInvitation(id: $i) {{ {INVITATION} }} }}"
INVITATIONS = f"""query($f: Int, $a: String) {{ invitations(first: $f, after: $a) {{
    nodes {{ {INVITATION} }} pageInfo {{ hasNextPage endCursor }} }} }}"""
OWNER = f"""mutation($p: ID!, $o: FirstOwnerInput!, $c: String!) {{
    inviteFirstOwner(practiceId: $p, owner: $o, clientId: $c) {{ {INVITATION} }} }}"""
FOUND = """mutation($n: String!, $o: FirstOwnerInput, $c: String!) {
    createPractice(name: $n, zone: "America/Chicago", owner: $o, clientId: $c) { id name } }"""
LOOK = """query($s: String!) { invitation(secret: $s) {
    practice email firstName lastName role inviter anew hasAccount expiresAt } }"""
REGISTER = """mutation($s: String!, $p: String!, $a: [SecurityAnswerInput!]!, $t: Int!, $c: String!, $f: String) {
    register(secret: $s, password: $p, answers: $a, termsVersion: $t, clientId: $c, firstName: $f) { email } }"""
ACCEPT = "mutation($s: String!, $c: String!) { acceptInvitation(secret: $s, clientId: $c) { persona } }"
ASK = "mutation($e: String!) { requestPasswordReset(email: $e) }"
RESET_LOOK = """query($s: String!) { passwordReset(secret: $s, language: SPANISH) {
    question { key text } factor passkey expiresAt } }"""
RESET = """mutation($s: String!, $p: String!, $a: String, $c: String, $k: PasskeyAnswerInput) {
    resetPassword(secret: $s, password: $p, answer: $a, code: $c, passkey: $k) }"""


class House:
    """A practice with an owner, and the mail that its people get."""

    def __init__(
        self, deployment: Deployment, database: Database, practice: Practice, owner: Person, mail: MailServer
    ) -> None:
        self.deployment = deployment
        self.database = database
        self.practice = practice
        self.owner = owner
        self.mail = mail
        self.data = deployment.data
        self.code = deployment.code
        self.ask = deployment.ask

    async def mailed(self, address: str, number: int = 1) -> Mail:
        """Wait for somebody's mail of a number, and return it."""
        await until(lambda: len(self.mail.to(address)) >= number, f"mail {number} for {address}")
        assert len(self.mail.to(address)) == number
        return self.mail.to(address)[-1]

    async def invite(
        self, email: str = "new@example.org", token: str | None = None, client_id: str = "c-1", **given: Any
    ) -> dict[str, Any]:
        """Invite somebody, and return the invitation."""
        wanted = {"email": email, "firstName": "Nia", "lastName": "Vale", "role": "STAFF", **given}
        return (await self.data(INVITE, token or self.owner.token, i=wanted, c=client_id))["inviteMember"]

    async def invited(self, email: str = "new@example.org", **given: Any) -> str:
        """Invite somebody, and return the secret in the mail."""
        await self.invite(email, **given)
        return secret_in(await self.mailed(email))

    async def register(self, secret: str, client_id: str = "r-1", **other: Any) -> dict[str, Any]:
        """Register, and return the whole answer."""
        given: dict[str, Any] = {"s": secret, "p": NEW_PASSWORD, "a": ANSWERS, "t": 1, "c": client_id, **other}
        return await self.ask(REGISTER, **given)

    async def registered(self, email: str = "new@example.org", **given: Any) -> str:
        """Invite somebody who registers, and return their token."""
        body = await self.register(await self.invited(email, **given))
        assert body["data"]["register"] == {"email": email}, body
        return await self.deployment.sign_in(email, NEW_PASSWORD)

    async def reset_link(self, email: str) -> str:
        """Ask for a new password, and return the secret in the mail."""

        def letters() -> list[Mail]:  # others may arrive meanwhile
            return [mail for mail in self.mail.to(email) if "/reset#" in mail.text]

        number = len(letters()) + 1
        assert (await self.data(ASK, e=email)) == {"requestPasswordReset": True}
        await until(lambda: len(letters()) >= number, f"reset letter {number} to {email}")
        return secret_in(letters()[number - 1], "reset")

    async def pass_time(self, **span: float) -> None:
        await self.deployment.platform.clock.move(timedelta(**span))

    async def rows(self, sql: str, *arguments: Any) -> list[Any]:
        """Rows as the owner of the tables sees them."""
        return await rows(self.database, sql, *arguments)

    async def counts(self) -> dict[str, int]:
        """How many rows there are of what links make, to compare before and after."""
        tables = ("account", "credential", "member", "session", "security_answer", "terms_acceptance", "email_change")
        return {name: (await self.rows(f"SELECT count(*) FROM {name}"))[0][0] for name in tables}

    async def idle(self) -> None:
        """Wait until no job is left to be done."""

        async def done() -> bool:
            left = "SELECT count(*) FROM pgqueuer WHERE status IN ('queued', 'picked')"
            return (await self.rows(left))[0][0] == 0

        await until(done, "an empty queue")

    async def trail(self, action: str) -> list[Any]:
        """The entries of the audit trail about an action."""
        return await self.rows("SELECT * FROM audit_entry WHERE action = $1 ORDER BY id", action)


def secret_in(mail: Mail, page: str = "register") -> str:
    """Return the secret of a mail's link, which stands behind `#` in text and button alike."""
    return link_in(mail, page).partition("#")[2]


def link_in(mail: Mail, page: str = "register") -> str:
    """Return the only link of a mail."""
    found = re.findall(rf"https?://[^/\s]+/{page}#[A-Za-z0-9_-]{{43}}(?![A-Za-z0-9_-])", mail.text)
    assert len(found) == 1, mail.text
    assert f'href="{found[0]}"' in mail.html
    return found[0]


def code_of(body: dict[str, Any]) -> str:
    """Return the code of an answer's only error."""
    [error] = body["errors"]
    return error["extensions"]["code"]


async def account_of(email: str) -> Any:
    """Return the id of an address's account."""
    return await DB.fetchval("SELECT account_id FROM auth_account($1, NULL)", email)


async def until(condition: Any, what: str) -> None:
    """Wait until something holds; machines that tests run on may be busy."""
    await until_(condition, what, 40.0)


@asynccontextmanager
async def house(database: Database, **config: Any) -> AsyncGenerator[House]:
    """Serve a practice whose mails are sent to a mail server of the test's own."""
    async with mail_server() as mail:
        given = {
            "plugins": ("graphql",),
            "worker": True,
            "smtp_url": mail.url,
            "mail_sender": SENDER,
            "public_url": PUBLIC_URL,
            "support_contact": SUPPORT,
            **config,
        }
        with cheap_hashes():
            async with served(database, **given) as deployment:
                practice = await deployment.practice(tier=None)
                owner = await deployment.person(practice, Role.OWNER, name="Olga")
                yield House(deployment, database, practice, owner, mail)
