"""The tables of coming to an account as Piccolo knows them."""

from __future__ import annotations

from piccolo.columns import UUID, Boolean, Bytea, Integer, Text, Timestamptz
from piccolo.table import Table

from bedside_core.database import DB, Kind


class Link(Table, tablename="link", db=DB):
    """A one-time link (A1, A7); its secret is stored as SHA-256 only."""

    id = UUID(primary_key=True, default=None)
    purpose = Text(help_text="What it is for.")
    subject = UUID(help_text="Id of what it is about.")
    secret_hash = Bytea()
    created_at = Timestamptz()
    expires_at = Timestamptz()
    voided_at = Timestamptz(null=True, help_text="When a newer one took its place or it was called off.")
    consumed_at = Timestamptz(null=True)
    beside = Boolean(help_text="Whether it was issued beside an open one, with which it is voided.")


class Invitation(Table, tablename="invitation", db=DB):
    """An invitation to be a member (A1), or of a member to register anew (A4); its links are in `link`."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    email = Text()
    first_name = Text()
    last_name = Text()
    role = Text()
    language = Text(help_text="Of its mails.")
    anew = Boolean(help_text="Whether it is for a member who can't get in any more.")
    member_id = UUID(null=True, help_text="Whom it made a member, or who is invited anew.")
    invited_by = UUID(null=True, help_text="The member who invites; none where the operator does.")
    client_id = Text(null=True, help_text="The operator's own id of it (G9).")
    created_at = Timestamptz()
    accepted_at = Timestamptz(null=True)
    accepted_client_id = Text(null=True, help_text="Of who accepted it, so that a retry is told the same (G9).")
    revoked_at = Timestamptz(null=True)


class SecurityAnswer(Table, tablename="security_answer", db=DB):
    """An answer to a security question (A3), as argon2id hash."""

    account_id = UUID(primary_key=True, default=None)
    question = Text(help_text="Its key in `accounts.questions`.")
    answer_hash = Text()
    answered_at = Timestamptz()


class Terms(Table, tablename="terms", db=DB):
    """A version of the Terms of Use (A3)."""

    version = Integer(primary_key=True)
    english = Text()
    spanish = Text()
    published_at = Timestamptz()
    client_id = Text(null=True, help_text="The operator's own id of it (G9).")


class TermsAcceptance(Table, tablename="terms_acceptance", db=DB):
    """Which version an account accepted, and when (A3)."""

    account_id = UUID(primary_key=True, default=None)
    version = Integer()
    accepted_at = Timestamptz()


class EmailChange(Table, tablename="email_change", db=DB):
    """The address an account is to have once a mail to it was answered (A8)."""

    account_id = UUID(primary_key=True, default=None)
    email = Text()
    asked_at = Timestamptz()


TABLE_KINDS = {
    "invitation": Kind.PRACTICE,
    **dict.fromkeys(("link", "security_answer", "terms", "terms_acceptance", "email_change"), Kind.DEPLOYMENT),
}
