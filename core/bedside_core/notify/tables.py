"""The tables of notifications as Piccolo knows them; the migration makes them."""

from __future__ import annotations

from piccolo.columns import JSONB, UUID, Array, BigInt, Boolean, Integer, Text, Time, Timestamptz
from piccolo.table import Table

from bedside_core.database import DB, Kind


class Notification(Table, tablename="notification", db=DB):
    """A notification in the outbox."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID(help_text="Of the recipient; the nil UUID stands for the deployment.")
    kind = Text()
    recipient = Text(help_text="`account`, `member`, `patient` or `address`.")
    recipient_id = UUID(null=True)
    address = JSONB(help_text="E-mail, phone and language of an address.")
    recipient_key = Text(help_text="Tells recipients apart.")
    facts = JSONB(help_text="What N4 allows; forgotten once a secret link is sent.")
    same_key = Text(null=True, help_text="Those with the same make one while it waits (N3).")
    once_key = Text(null=True, help_text="A second one with the same is never made.")
    items = Array(Text(), help_text="The single things it stands for.")
    item_facts = JSONB(help_text="What each of the newest items tells, where several can make one.")
    state = Text()
    created_at = Timestamptz()
    due_at = Timestamptz()


class NotificationDelivery(Table, tablename="notification_delivery", db=DB):
    """A notification on its way to one address."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    notification_id = UUID()
    channel = Text()
    address = Text()
    language = Text()
    zone = Text()
    state = Text()
    reason = Text(null=True)
    attempts = Integer()
    provider_id = Text(null=True)
    created_at = Timestamptz()
    due_at = Timestamptz()
    claimed_until = Timestamptz(null=True, help_text="In real time: until then a worker is sending it.")
    ended_at = Timestamptz(null=True)


class NotificationAttempt(Table, tablename="notification_attempt", db=DB):
    """One attempt at a delivery."""

    practice_id = UUID()
    delivery_id = UUID(primary_key=True, default=None)
    number = Integer()
    began_at = Timestamptz()
    ended_at = Timestamptz(null=True)
    outcome = Text(null=True)
    reason = Text(null=True)


class NotificationPreference(Table, tablename="notification_preference", db=DB):
    """What a person has chosen of their notifications (N2, N6)."""

    practice_id = UUID()
    person_id = UUID(primary_key=True, default=None)
    language = Text(null=True)
    zone = Text(null=True)
    quiet_from = Time(null=True)
    quiet_until = Time(null=True)
    switched_off = Array(Text())
    calls = Boolean(help_text="Whether calls are wanted (N7).")


class NotificationText(Table, tablename="notification_text", db=DB):
    """A practice's own template in place of ours (N8)."""

    practice_id = UUID()
    kind = Text(primary_key=True)
    language = Text()
    part = Text()
    template = Text()


class NotificationOptOut(Table, tablename="notification_opt_out", db=DB):
    """A number that has written STOP."""

    practice_id = UUID()
    address = Text(primary_key=True, default=None)
    person_id = UUID(null=True, help_text="Whom the letter was for that was refused.")
    since = Timestamptz()


class NotificationBox(Table, tablename="notification_box", db=DB):
    """How far a person's notifications have come."""

    practice_id = UUID()
    person_id = UUID(primary_key=True, default=None)
    position = BigInt()


class NotificationShown(Table, tablename="notification_shown", db=DB):
    """A notification in the application."""

    practice_id = UUID()
    notification_id = UUID(primary_key=True, default=None)
    person_id = UUID()
    position = BigInt()
    kind = Text()
    facts = JSONB()
    items = Array(Text())
    shown_at = Timestamptz()
    read_at = Timestamptz(null=True)


class PushSubscription(Table, tablename="push_subscription", db=DB):
    """A browser that a person wants pushes in."""

    id = UUID(primary_key=True, default=None)
    practice_id = UUID()
    person_id = UUID()
    endpoint = Text()
    public_key = Text()
    secret = Text()
    created_at = Timestamptz()
    account_id = UUID(null=True, help_text="Who signed in; none of those from before it was noted.")


class OutboxLetter(Table, tablename="outbox_letter", db=DB):
    """A letter that the demo has kept instead of sending it."""

    delivery_id = UUID(primary_key=True, default=None)
    practice = Text()
    channel = Text()
    address = Text()
    subject = Text()
    body = Text()
    sent_at = Timestamptz()
    calendar = Text(null=True, help_text="The calendar file that would have gone with it.")


TABLE_KINDS = {
    "notification": Kind.PRACTICE,
    "notification_delivery": Kind.PRACTICE,
    "notification_attempt": Kind.PRACTICE,
    "notification_preference": Kind.PRACTICE,
    "notification_text": Kind.PRACTICE,
    "notification_opt_out": Kind.PRACTICE,
    "notification_box": Kind.PRACTICE,
    "notification_shown": Kind.PRACTICE,
    "push_subscription": Kind.PRACTICE,
    "outbox_letter": Kind.DEPLOYMENT,
}
