"""The ward's tables."""

from __future__ import annotations

from piccolo.columns import JSONB, UUID, Integer, Text
from piccolo.table import Table

from bedside_core.database import DB, Kind
from bedside_core.ids import uuid7


class Note(Table, tablename="note", db=DB):
    """What a practice writes down."""

    id = UUID(primary_key=True, default=uuid7)
    practice_id = UUID()
    body = Text()
    data = JSONB(default={})
    rank = Integer(default=0)


TABLE_KINDS = {
    "practice": Kind.DEPLOYMENT,
    "note": Kind.PRACTICE,
    "label": Kind.PRACTICE,
    "room": Kind.SHARED,
    "guest": Kind.SHARED,
}
