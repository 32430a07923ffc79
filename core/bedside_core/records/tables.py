"""The table of exports as Piccolo knows it; the migrations make it."""

from __future__ import annotations

from piccolo.columns import JSONB, UUID, Array, BigInt, Boolean, Bytea, Text, Timestamptz
from piccolo.table import Table

from bedside_core.database import DB, Kind


class DataExport(Table, tablename="data_export", db=DB):
    """An export of a patient's or a practice's data, also after its file is gone."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    made_by = UUID(help_text="The member who asked for it, and alone may download it.")
    client_id = Text(help_text="That member's own id of it (G9).")
    asked_by = JSONB(help_text="The actor who asked for it, for the audit trail.")
    patient_id = UUID(null=True, help_text="Whose data; none is all of the practice's.")
    state = Text(help_text="A value of `ExportState`.")
    reason = Text(null=True, help_text="Why it failed.")
    file_id = UUID(null=True)
    size = BigInt(null=True, help_text="Bytes.")
    created_at = Timestamptz()
    ended_at = Timestamptz(null=True)
    expires_at = Timestamptz(null=True, help_text="When its file goes.")
    contained = Array(UUID(), default=[], help_text="The files in it, while it is ready.")
    stale = Boolean(help_text="Whether something that it may contain was deleted since it was begun.")
    patients = Array(UUID(), default=[], help_text="Everybody whose data is in it, once it is made.")


class RetentionDue(Table, tablename="retention_due", db=DB):
    """A patient whose record's time is over, of which owners were told."""

    practice_id = UUID()
    patient_id = UUID(primary_key=True, default=None)
    told_at = Timestamptz()
    erases = Boolean(help_text="Whether it is to be erased, not archived.")


class PracticeErasure(Table, tablename="practice_erasure", db=DB):
    """A practice's erasure; once it is done, all that is left of the practice."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    asked_by = UUID(null=True, help_text="The member who asked; none where the operator did, and once it is done.")
    asked_at = Timestamptz()
    due_at = Timestamptz()
    cancelled_at = Timestamptz(null=True)
    ended_at = Timestamptz(null=True)
    entries = BigInt(null=True, help_text="How many entries its audit trail had.")
    head = Bytea(null=True, help_text="The hash of the last of them, as it is anchored.")


TABLE_KINDS = {"data_export": Kind.PRACTICE, "practice_erasure": Kind.DEPLOYMENT, "retention_due": Kind.PRACTICE}
