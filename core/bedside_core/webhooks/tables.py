"""The tables of webhooks as Piccolo knows them."""

from __future__ import annotations

from piccolo.columns import UUID, Array, Boolean, Bytea, Integer, Text, Timestamptz
from piccolo.table import Table

from bedside_core.database import DB, Kind


class WebhookEndpoint(Table, tablename="webhook_endpoint", db=DB):
    """Where a practice is told of its events (G6)."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    member_id = UUID(help_text="Who registered it.")
    client_id = Text()
    url = Text()
    types = Array(base_column=Text())
    secret = Bytea(help_text="Sealed by the deployment's key.")
    secret_before = Bytea(null=True, help_text="The one before, which signs too until `before_until`.")
    before_until = Timestamptz(null=True)
    enabled = Boolean()
    created_at = Timestamptz()
    failing_since = Timestamptz(null=True, help_text="When the first of a row of failures was.")
    slow = Boolean(help_text="Whether its receiver was slow to answer, and has jobs of its own.")
    disabled_reason = Text(null=True, help_text="Why it was switched off by itself.")


class WebhookDelivery(Table, tablename="webhook_delivery", db=DB):
    """An event on its way to a receiver, and what came of it."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    endpoint_id = UUID()
    type = Text()
    body = Text(help_text="The very text that is signed and sent: ids only.")
    state = Text(help_text="waiting, delivered or failed.")
    attempts = Integer()
    status = Integer(null=True, help_text="HTTP status of the last answer.")
    reason = Text(null=True)
    milliseconds = Integer(null=True)
    created_at = Timestamptz()
    due_at = Timestamptz()
    claimed_until = Timestamptz(null=True)
    ended_at = Timestamptz(null=True)


TABLE_KINDS = {"webhook_endpoint": Kind.PRACTICE, "webhook_delivery": Kind.PRACTICE}
