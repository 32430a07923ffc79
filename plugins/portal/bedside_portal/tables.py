"""The portal's tables as Piccolo knows them; the migrations make them."""

from __future__ import annotations

from piccolo.columns import UUID, Boolean, Date, Integer, Text, Timestamptz
from piccolo.table import Table

from bedside_core.api import DB, Kind


class PortalSuspension(Table, tablename="portal_suspension", db=DB):
    """A patient whose portal account lets nobody in."""

    patient_id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    suspended_at = Timestamptz()
    suspended_by = UUID(help_text="The member.")


class PortalHolder(Table, tablename="portal_holder", db=DB):
    """Somebody who acts for a patient, or is invited to; who does no more stays, for the audit trail names them."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    patient_id = UUID()
    account_id = UUID(null=True, help_text="Who signs in; none until somebody has registered.")
    relationship = Text(null=True, help_text="What a guardian is to the patient; none is the patient.")
    first_name = Text(null=True, help_text="A guardian's.")
    last_name = Text(null=True)
    channel = Text(help_text="How they were invited: `email` or `sms`.")
    address = Text(help_text="Where the invitation went.")
    invited_by = UUID(help_text="The member who did at first.")
    client_id = Text(help_text="The client's own id of the invitation (G9).")
    created_at = Timestamptz()
    sent_at = Timestamptz(help_text="When the link was sent last.")
    expires_at = Timestamptz(help_text="Until when it can be used.")
    failures = Integer(help_text="How often the date of birth was wrong since then.")
    chosen = Text(null=True, help_text="The address that somebody invited by SMS has chosen last.")
    letters = Integer(default=0, help_text="How many links went to addresses so chosen.")
    registered_at = Timestamptz(null=True)
    registration_id = Text(null=True, help_text="The client's own id of the registration (G9).")
    removed_at = Timestamptz(null=True)
    ends_on = Date(null=True, help_text="The last day on which a guardian acts; none is without end.")


class PortalBooking(Table, tablename="portal_booking", db=DB):
    """A patient who books by themselves, or does not, whatever the practice's setting says."""

    patient_id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    allowed = Boolean()
    decided_at = Timestamptz()
    decided_by = UUID(help_text="The member.")


TABLE_KINDS = {
    "portal_suspension": Kind.PRACTICE,
    "portal_holder": Kind.PRACTICE,
    "portal_booking": Kind.PRACTICE,
}
