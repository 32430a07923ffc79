"""The tables of imports as Piccolo knows them; the migrations make them."""

from __future__ import annotations

from piccolo.columns import JSONB, UUID, BigInt, Integer, Text, Timestamptz
from piccolo.table import Table

from bedside_core.database import DB, Kind


class ImportRow(Table, tablename="patient_import", db=DB):
    """An import of patients (P5), from when it was asked for until its report's time is over."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    made_by = UUID(help_text="The member who asked for it.")
    client_id = Text(help_text="That member's own id of it (G9).")
    asked_by = JSONB(help_text="The actor who asked for it, for the audit trail.")
    upload_id = UUID(help_text="The file.")
    options = JSONB(help_text="`Options`.")
    state = Text(help_text="A value of `State`.")
    position = BigInt(help_text="Grows with each step, for those who follow it.")
    rows = Integer(null=True, help_text="Patients in the file, once they are counted.")
    checked = Integer()
    refused = Integer()
    imported = Integer(help_text="Patients created; in a dry run those that would be.")
    encoding = Text(null=True, help_text="In what the file was read.")
    delimiter = Text(null=True)
    ignored = JSONB(help_text="Headers of columns that are nothing to us.")
    problem = JSONB(null=True, help_text="Why nothing was imported: code, message and way on.")
    report_id = UUID(null=True, help_text="The file with a line for each refused row.")
    created_at = Timestamptz()
    ended_at = Timestamptz(null=True)


class ImportRefusal(Table, tablename="patient_import_refusal", db=DB):
    """A row that was refused: where it stands and why, nothing of what stands in it."""

    practice_id = UUID()
    import_id = UUID(primary_key=True, default=None)
    line = Integer(help_text="Number of the file's line.")
    faults = JSONB(help_text="Column, code and message of each.")


TABLE_KINDS = {"patient_import": Kind.PRACTICE, "patient_import_refusal": Kind.PRACTICE}
