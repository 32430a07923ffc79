"""The tables of applications as Piccolo knows them; nothing but the functions of their migration reaches them."""

from __future__ import annotations

from piccolo.columns import UUID, Array, Bytea, Text, Timestamptz
from piccolo.table import Table

from bedside_core.database import DB, Kind


class Application(Table, tablename="application", db=DB):
    """A program of another origin, or on a device, in which people may sign in (G1)."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID(null=True, help_text="Whose people may use it; none where everybody's may.")
    account_id = UUID(null=True, help_text="Who registered it.")
    client_id = Text(help_text="The registration's own id (G9); OAuth's `client_id` is `id`.")
    name = Text()
    redirect_uris = Array(base_column=Text())
    origins = Array(base_column=Text())
    scopes = Array(base_column=Text())
    created_at = Timestamptz()
    removed_at = Timestamptz(null=True)


class ApplicationCode(Table, tablename="application_code", db=DB):
    """An authorization code, good once and for a minute; stored as SHA-256 only."""

    hash = Bytea(primary_key=True)
    application_id = UUID()
    session_id = UUID(help_text="The sign-in in which its owner consented.")
    redirect_uri = Text()
    scopes = Array(base_column=Text())
    challenge = Text(help_text="SHA-256 of the verifier, in base64url (RFC 7636).")
    expires_at = Timestamptz()
    used_at = Timestamptz(null=True)
    opened_id = UUID(null=True, help_text="The session it was good for; ended where the code is shown again.")


class ApplicationToken(Table, tablename="application_token", db=DB):
    """An access or refresh token of a session; stored as SHA-256 only."""

    hash = Bytea(primary_key=True)
    session_id = UUID()
    kind = Text(help_text="access, or refresh: good once.")
    expires_at = Timestamptz()
    used_at = Timestamptz(null=True)
    scopes = Array(Text(), null=True, help_text="Of an access token with fewer than its session.")


TABLE_KINDS = dict.fromkeys(("application", "application_code", "application_token"), Kind.DEPLOYMENT)
