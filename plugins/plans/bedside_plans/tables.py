"""The tables of plans as Piccolo knows them; the migrations make them, and a test compares the two."""

from __future__ import annotations

from piccolo.columns import UUID, Boolean, Integer, Text, Timestamptz
from piccolo.table import Table

from bedside_core.api import DB, Kind


class PlanRow(Table, tablename="plan", db=DB):
    """A practice's plan; one without a row is on the lowest tier."""

    practice_id = UUID(primary_key=True, default=None)
    tier = Text(help_text="The practice's own tier.")
    trial_tier = Text(null=True, help_text="A higher tier for a while.")
    trial_ends_at = Timestamptz(null=True)
    changed_at = Timestamptz(help_text="When it was changed, or people were told that something in it ended.")


class PlanItemRow(Table, tablename="plan_item", db=DB):
    """An override, an add-on or a limit of one practice."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    kind = Text(help_text="override, add_on or limit.")
    key = Text(help_text="The feature's key, or the limit's.")
    enabled = Boolean(help_text="Whether an override switches on.")
    amount = Integer(null=True, help_text="A limit's height; none is no limit.")
    ends_at = Timestamptz(null=True)


TABLE_KINDS = {"plan": Kind.PRACTICE, "plan_item": Kind.PRACTICE}
