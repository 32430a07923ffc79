"""The audit trail's tables as Piccolo knows them; the migrations make them, and a test compares the two."""

from __future__ import annotations

from piccolo.columns import JSONB, UUID, Array, BigInt, Boolean, Bytea, Text, Timestamptz
from piccolo.table import Table

from bedside_core.database import DB, Kind


class AuditEntry(Table, tablename="audit_entry", db=DB):
    """What one operation did, or whose data it returned (A14); the application can only add."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID(help_text="Whose trail; nil is the deployment's own.")
    at = Timestamptz()
    account_id = UUID(null=True)
    person_id = UUID(null=True)
    role = Text(null=True)
    key_id = UUID(null=True, help_text="The API key it was done with.")
    operator = Boolean(help_text="Whether the deployment's operator did it.")
    action = Text()
    kind = Text(null=True)
    target = Text(null=True)
    patients = Array(base_column=UUID())
    request_id = Text()
    via = Text()
    detail = JSONB(help_text="Ids and names, never values.")


class AuditSeal(Table, tablename="audit_seal", db=DB):
    """An entry's place in its practice's chain of hashes."""

    practice_id = UUID(primary_key=True, default=None)
    number = BigInt()
    entry_id = UUID()
    previous = Bytea(help_text="Hash of the seal before; zeros before the first.")
    hash = Bytea(help_text="SHA-256 over previous, number and every column of the entry.")


class AuditUnsealed(Table, tablename="audit_unsealed", db=DB):
    """An entry that waits for its seal."""

    practice_id = UUID(primary_key=True, default=None)
    entry_id = UUID()
    since = Timestamptz()


TABLE_KINDS = {"audit_entry": Kind.PRACTICE, "audit_seal": Kind.PRACTICE, "audit_unsealed": Kind.PRACTICE}
