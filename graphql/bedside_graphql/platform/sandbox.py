"""The sandbox: what it would have sent, and putting it back as it was (G8)."""

from datetime import datetime

import strawberry

from bedside_core import sandbox
from bedside_core.notify.channels.outbox import Kept
from bedside_core.paging import USUAL_PAGE
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart
from bedside_graphql.types import After, Connection, First, connection
from bedside_graphql.weight import weighed

RESET_WEIGHT = 2000
"""What a reset counts as: it touches every table, and makes the sample patients anew."""


@strawberry.type(description="A letter that the sandbox would have sent.")
class SandboxLetter:
    """A letter."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    channel: str = strawberry.field(description="How it would have gone: email, sms, voice or push.")
    to: str = strawberry.field(description="The address or number it would have gone to.")
    subject: str = strawberry.field(description="Its title.")
    text: str = strawberry.field(description="What it says, with its links.")
    sent_at: datetime = strawberry.field(description="When it would have gone.")
    calendar: str | None = strawberry.field(
        description="The calendar file that would have gone with it, of a mail about an appointment (S8)."
    )


def _letter(kept: Kept) -> SandboxLetter:
    return SandboxLetter(
        id=strawberry.ID(str(kept.id)),
        channel=kept.channel,
        to=kept.address,
        subject=kept.subject,
        text=kept.body,
        sent_at=kept.sent_at,
        calendar=kept.calendar,
    )


@strawberry.type
class SandboxQuery:
    """Queries of the sandbox."""

    @strawberry.field(
        description="What the sandbox would have sent, the newest first; for the sandbox's owners.",
        extensions=[gate("sandbox.outbox")],
    )
    async def sandbox_outbox(
        self, info: Info, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[SandboxLetter] | None:
        """Return a page of letters."""
        return connection(await sandbox.letters(info.context.signed_in(), first=first, after=after), _letter)


@strawberry.type
class SandboxMutation:
    """Mutations of the sandbox."""

    @strawberry.mutation(
        description="Take away what was made in the sandbox and put the sample patients back; people, keys, "
        "applications, webhooks and settings stay. For the sandbox's owners.",
        extensions=[gate("sandbox.reset"), weighed(RESET_WEIGHT)],
    )
    async def reset_sandbox(self, info: Info) -> bool | None:
        """Reset the sandbox."""
        practice_id, _ = info.context.signed_in().in_practice()
        await sandbox.reset(info.context.platform, practice_id)
        return True


PART = GraphQLPart(query=SandboxQuery, mutation=SandboxMutation)
