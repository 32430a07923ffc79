"""The tables of inboxes as Piccolo knows them; the migrations make them."""

from __future__ import annotations

from piccolo.columns import UUID, BigInt, Text, Timestamptz
from piccolo.table import Table

from bedside_core.database import DB, Kind


class InboxRow(Table, tablename="inbox", db=DB):
    """How far a person's inbox has come."""

    practice_id = UUID()
    person_id = UUID(primary_key=True, default=None)
    position = BigInt()
    floor = BigInt(help_text="Position of the last change that was forgotten.")


class InboxItem(Table, tablename="inbox_item", db=DB):
    """A thing that concerns a person, with its last change."""

    practice_id = UUID()
    person_id = UUID(primary_key=True, default=None)
    kind = Text()
    subject_id = UUID()
    position = BigInt()
    at = Timestamptz()


TABLE_KINDS = {"inbox": Kind.PRACTICE, "inbox_item": Kind.PRACTICE}
