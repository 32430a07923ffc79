"""Types of the links by which people without an account reach a conversation (C6)."""

import enum
from datetime import datetime
from typing import Annotated

import strawberry

from bedside_chat import guest_links


@strawberry.enum(description="How a link to a conversation is sent.")
class LinkChannel(enum.Enum):
    """Ways to send a link."""

    EMAIL = strawberry.enum_value("email", description="By e-mail.")
    SMS = strawberry.enum_value("sms", description="By SMS.")


ByChannel = Annotated[
    LinkChannel | None,
    strawberry.argument(description="How links are sent; by default by e-mail where there is an address, else by SMS."),
]


@strawberry.enum(description="What a link to a conversation is good for.")
class GuestLinkState(enum.Enum):
    """States of links."""

    OPEN = strawberry.enum_value("open", description="It lets its person in.")
    EXPIRED = strawberry.enum_value("expired", description="Its time is over (setting `guest_days`).")
    REVOKED = strawberry.enum_value("revoked", description="It was called off, or its person left or was removed.")
    LOCKED = strawberry.enum_value("locked", description="The patient's date of birth was wrong five times.")


@strawberry.type(description="The link that a participant without an account was sent last (C6).")
class GuestLink:
    """A link."""

    channel: LinkChannel = strawberry.field(description="How it was sent.")
    address: str = strawberry.field(description="Where its newest letter went, masked: `a•••@example.org`, `•••0143`.")
    sent_at: datetime = strawberry.field(description="When it was sent.")
    expires_at: datetime = strawberry.field(description="Until when it can be used.")
    entered_at: datetime | None = strawberry.field(description="When its person last came by it, or by an older one.")
    state: GuestLinkState = strawberry.field(description="What it is good for now; `sendGuestLink` sends another.")


def link_type(link: guest_links.GuestLink) -> GuestLink:
    """Return a link as GraphQL shows one."""
    return GuestLink(
        channel=LinkChannel(link.channel.value),
        address=link.address,
        sent_at=link.sent_at,
        expires_at=link.expires_at,
        entered_at=link.entered_at,
        state=GuestLinkState(link.state.value),
    )


def channel_of(channel: LinkChannel | None) -> guest_links.LinkChannel | None:
    """Return a channel as the service takes it."""
    return guest_links.LinkChannel(channel.value) if channel else None
