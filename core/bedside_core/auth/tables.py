"""The tables of sign-in as Piccolo knows them; nothing but the functions of their migrations reaches them."""

from __future__ import annotations

from piccolo.columns import UUID, Array, BigInt, Boolean, Bytea, Integer, Text, Timestamptz
from piccolo.table import Table

from bedside_core.database import DB, Kind


class Session(Table, tablename="session", db=DB):
    """A sign-in; its token is stored as SHA-256 only."""

    id = UUID(primary_key=True, default=None)
    account_id = UUID()
    member_id = UUID(null=True, help_text="Which member it acts as; none for the operator and for patients.")
    patient_id = UUID(null=True, help_text="Which patient it acts as.")
    token_hash = Bytea()
    created_at = Timestamptz()
    last_seen_at = Timestamptz(help_text="When the person did something last, to ten seconds.")
    expires_at = Timestamptz()
    ended_at = Timestamptz(null=True)
    device_id = UUID(null=True, help_text="The known device it was opened on.")
    device = Text(help_text="What the browser or client calls itself.")
    application_id = UUID(null=True, help_text="The application it was opened in (G1).")
    scopes = Array(base_column=Text(), null=True, help_text="The permissions it is confined to there.")
    factor = Text(help_text="none: none was asked for; needed: it waits for the second factor; shown.")
    position = BigInt(help_text="Of its live stream: by two where it becomes another actor's, by one at its end.")


class Device(Table, tablename="device", db=DB):
    """A device on which somebody has signed in before; failures elsewhere do not lock it (A5)."""

    id = UUID(primary_key=True, default=None)
    account_id = UUID()
    token_hash = Bytea()
    created_at = Timestamptz()
    last_used_at = Timestamptz()


class Attempt(Table, tablename="attempt", db=DB):
    """Failed attempts in a row, of an address whether or not it is anybody's, or of a device (A5, A6)."""

    key = Bytea(primary_key=True, help_text="SHA-256 of what is counted.")
    failures = Integer()
    locked_until = Timestamptz(null=True)
    lock_id = UUID(null=True)
    told = Boolean(help_text="Whether the owner was told of this lock.")
    last_at = Timestamptz()


class Totp(Table, tablename="totp", db=DB):
    """An authenticator application (A9)."""

    account_id = UUID(primary_key=True, default=None)
    secret = Bytea(help_text="Sealed by the deployment's key.")
    confirmed_at = Timestamptz(null=True)
    last_step = BigInt(help_text="The last half minute whose code was used.")


class RecoveryCode(Table, tablename="recovery_code", db=DB):
    """A code that stands in for the second factor once."""

    account_id = UUID(primary_key=True, default=None)
    code_hash = Bytea()
    used_at = Timestamptz(null=True)


class Passkey(Table, tablename="passkey", db=DB):
    """A passkey (A9)."""

    id = UUID(primary_key=True, default=None)
    account_id = UUID()
    credential_id = Bytea()
    public_key = Bytea()
    sign_count = BigInt()
    name = Text()
    created_at = Timestamptz()
    last_used_at = Timestamptz(null=True)


class PasskeyChallenge(Table, tablename="passkey_challenge", db=DB):
    """What an authenticator is to sign, once and soon."""

    id = UUID(primary_key=True, default=None)
    account_id = UUID(null=True)
    purpose = Text()
    challenge = Bytea()
    expires_at = Timestamptz()


class ApiKey(Table, tablename="api_key", db=DB):
    """A key for programs (A13); stored as SHA-256 only."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    member_id = UUID(help_text="Who made it.")
    client_id = Text()
    name = Text()
    scopes = Array(base_column=Text())
    token_hash = Bytea()
    created_at = Timestamptz()
    expires_at = Timestamptz()
    last_used_at = Timestamptz(null=True)
    revoked_at = Timestamptz(null=True)


class GuestSession(Table, tablename="guest_session", db=DB):
    """What a link's secret was exchanged for: a guest's bearer (C6), by its SHA-256; gone once ended."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    person_id = UUID(help_text="The patient or contact.")
    bound_to = UUID(help_text="The one thing they reach, a conversation.")
    token_hash = Bytea()
    created_at = Timestamptz()
    expires_at = Timestamptz(help_text="Moves on while it is used, never beyond the link's end.")
    link_ends_at = Timestamptz()
    scopes = Array(base_column=Text(), null=True, help_text="The permissions they are confined to; null is all.")


TABLE_KINDS = dict.fromkeys(
    (
        "session",
        "device",
        "attempt",
        "totp",
        "recovery_code",
        "passkey",
        "passkey_challenge",
        "api_key",
        "guest_session",
    ),
    Kind.DEPLOYMENT,
)
