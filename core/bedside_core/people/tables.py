"""Tables of connections, contacts and search as Piccolo knows them; the migrations make them."""

from __future__ import annotations

from piccolo.columns import UUID, Bytea, Text, Timestamptz
from piccolo.table import Table

from bedside_core.database import DB, Kind


class Contact(Table, tablename="contact", db=DB):
    """An outside person reached by e-mail or mobile number (P6)."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    first_name = Text()
    last_name = Text()
    phone = Text(null=True, help_text="E.164.")
    email = Text(null=True)
    created_at = Timestamptz()


class Connection(Table, tablename="connection", db=DB):
    """Two practices that are connected, were, or might be (P2)."""

    id = UUID(primary_key=True, default=None)
    asker = UUID(help_text="The practice that asked.")
    asked = UUID(help_text="The practice that was asked.")
    named = Text(help_text="By what the asker named the other practice: its handle or id.")
    state = Text(help_text="`asked`, `accepted`, `declined` or `ended`.")
    created_at = Timestamptz()
    accepted_at = Timestamptz(null=True)
    changed_at = Timestamptz()


class Creation(Table, tablename="creation", db=DB):
    """What a client id made, so that a retry returns it (G9)."""

    practice_id = UUID()
    person_id = UUID(help_text="Who made it.")
    action = Text(help_text="What was made: `patient`, `contact`, `connection`.")
    client_id = Text()
    made_id = UUID(primary_key=True, default=None)
    digest = Bytea(help_text="SHA-256 of what was asked for.")


class PersonWord(Table, tablename="person_word", db=DB):
    """A word of somebody's name, as search compares it; kept by triggers (P7)."""

    practice_id = UUID()
    word = Text()
    person_id = UUID(primary_key=True, default=None)
    kind = Text(help_text="`member`, `patient` or `contact`.")
    sort = Text(help_text="Last and first name, by which results are ordered.")


TABLE_KINDS = {
    "connection": Kind.DEPLOYMENT,
    "contact": Kind.PRACTICE,
    "creation": Kind.PRACTICE,
    "person_word": Kind.PRACTICE,
}
