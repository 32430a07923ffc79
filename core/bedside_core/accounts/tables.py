"""The tables of coming to an account as Piccolo knows them."""

from __future__ import annotations

from piccolo.columns import UUID, Bytea, Text, Timestamptz
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


TABLE_KINDS = {"link": Kind.DEPLOYMENT}
