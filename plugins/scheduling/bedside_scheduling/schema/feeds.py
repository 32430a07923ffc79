"""Calendar feeds (S8)."""

from datetime import datetime
from typing import Annotated

import strawberry

from bedside_graphql.api import ClientId, Info, client_id_of, gate, uuid_of
from bedside_scheduling import feeds
from bedside_scheduling.feeds import Feeds


@strawberry.type(description="A secret address at which a calendar application reads one's appointments (S8).")
class CalendarFeed:
    """A feed."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    created_at: datetime = strawberry.field(description="When it was made.")
    read_at: datetime | None = strawberry.field(description="When it was read last, to a minute; null is never.")


@strawberry.type(description="A calendar feed with its address.")
class CalendarFeedAddress:
    """What making a feed gives."""

    feed: CalendarFeed = strawberry.field(description="The feed.")
    url: str | None = strawberry.field(
        description="Where it is read; whoever has it reads the calendar, so keep it secret. Told this once. Null "
        "where the clientId was used before: revoke the feed and make another if it was lost."
    )


@strawberry.type
class FeedQuery:
    """Queries of feeds."""

    @strawberry.field(
        description="The calendar feeds that one has made of one's own appointments, or as a guardian of a patient's, "
        "the oldest first; ten at most.",
        extensions=[gate("scheduling.feeds")],
    )
    async def calendar_feeds(self, info: Info) -> list[CalendarFeed] | None:
        """Return the feeds."""
        return [_type(each) for each in await _service(info).mine(info.context.signed_in())]


@strawberry.type
class FeedMutation:
    """Mutations of feeds."""

    @strawberry.mutation(
        description="Make a calendar feed of the appointments of whom one acts as: 90 days back and two years ahead. "
        "It names the practice; members' feeds name patients and types only where the setting `namesInFeeds` says so.",
        extensions=[gate("scheduling.make_feed", "scheduling")],
    )
    async def make_calendar_feed(self, info: Info, client_id: ClientId) -> CalendarFeedAddress | None:
        """Make a feed."""
        made, url = await _service(info).make(info.context.signed_in(), client_id_of(client_id))
        return CalendarFeedAddress(feed=_type(made), url=url)

    @strawberry.mutation(
        description="Revoke a calendar feed of one's own: nobody reads it any more, whoever has its address.",
        extensions=[gate("scheduling.feeds")],
    )
    async def revoke_calendar_feed(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The feed's id.")]
    ) -> bool | None:
        """Revoke a feed."""
        await _service(info).revoke(info.context.signed_in(), uuid_of(id))
        return True


def _service(info: Info) -> Feeds:
    return info.context.platform.service(Feeds)


def _type(feed: feeds.CalendarFeed) -> CalendarFeed:
    return CalendarFeed(id=strawberry.ID(str(feed.id)), created_at=feed.created_at, read_at=feed.read_at)
