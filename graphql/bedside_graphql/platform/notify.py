"""One's own notifications as GraphQL shows them, and how they come."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, time
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import UNSET, Maybe

from bedside_core import errors
from bedside_core.notify import browsers, shown
from bedside_core.notify.channels.push import public_key
from bedside_core.notify.kinds import Channel, Language
from bedside_core.notify.optouts import opted_in
from bedside_core.notify.preferences import NONE, Preferences, prefer, preferences
from bedside_core.paging import USUAL_PAGE, cursor_of
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart
from bedside_graphql.types import (
    After,
    Connection,
    First,
    Zone,
    connection,
    uuid_of,
)


@strawberry.type(description="A notification to the viewer.")
class Notification:
    """A notification."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    kind: str = strawberry.field(description="What it is about, as in `notificationTemplates`.")
    title: str = strawberry.field(description="Its title, in the viewer's language.")
    text: str = strawberry.field(description="What it says, in the viewer's language.")
    link: str | None = strawberry.field(description="Path that it leads to.")
    shown_at: datetime = strawberry.field(description="When it came.")
    read_at: datetime | None = strawberry.field(description="When it was read; null while it is not.")
    cursor: str = strawberry.field(
        description="Where it stands; give the last one to the subscription `notifications` as `after`."
    )


@strawberry.type(description="How the viewer's notifications come.")
class NotificationPreferences:
    """A person's choices."""

    language: Language | None = strawberry.field(description="Language of the texts; null is the practice's.")
    zone: Zone | None = strawberry.field(description="Time zone of times and quiet hours; null is the practice's.")
    quiet_from: str | None = strawberry.field(description="When quiet hours begin each day, HH:MM; null for none.")
    quiet_until: str | None = strawberry.field(description="When they end, HH:MM.")
    switched_off: list[Channel] = strawberry.field(
        description="Channels not wanted. What is required comes all the same (N2)."
    )
    calls: bool = strawberry.field(
        description="Whether calls are wanted, for what calls are made for: off unless chosen (N7)."
    )


@strawberry.input(description="Only what is given changes; null takes a choice back.")
class NotificationPreferencesPatch:
    """Changes of a person's choices."""

    language: Maybe[Language | None] = strawberry.field(description="Language of the texts.", default=None)
    zone: Maybe[Zone | None] = strawberry.field(description="Time zone of times and quiet hours.", default=None)
    quiet_from: Maybe[str | None] = strawberry.field(description="When quiet hours begin, HH:MM.", default=None)
    quiet_until: Maybe[str | None] = strawberry.field(description="When they end, HH:MM.", default=None)
    switched_off: Maybe[list[Channel] | None] = strawberry.field(description="Channels not wanted.", default=None)
    calls: Maybe[bool | None] = strawberry.field(description="Whether calls are wanted (N7).", default=None)


def notification_type(found: shown.Notification) -> Notification:
    """Return a notification as GraphQL shows one."""
    return Notification(
        id=strawberry.ID(str(found.id)),
        kind=found.kind,
        title=found.title,
        text=found.text,
        link=found.link,
        shown_at=found.shown_at,
        read_at=found.read_at,
        cursor=cursor_of(found.position),
    )


def _preferences(chosen: Preferences) -> NotificationPreferences:
    return NotificationPreferences(
        language=chosen.language,
        zone=Zone(chosen.zone) if chosen.zone else None,
        quiet_from=f"{chosen.quiet_from:%H:%M}" if chosen.quiet_from else None,
        quiet_until=f"{chosen.quiet_until:%H:%M}" if chosen.quiet_until else None,
        switched_off=sorted(chosen.switched_off),
        calls=chosen.calls,
    )


def _clock(text: str | None, field: str) -> time | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - a time on a wall has no zone
    except ValueError:
        raise errors.InvalidInput("This is not a time like 22:00.", field=("patch", field)) from None


async def _own(info: Info) -> tuple[UUID, UUID, Preferences]:
    practice_id, person_id = info.context.signed_in().as_person()
    return practice_id, person_id, (await preferences([person_id])).get(person_id, NONE)


@strawberry.type
class NotifyQuery:
    """Queries of notifications."""

    @strawberry.field(
        description="The viewer's notifications, the newest first.", extensions=[gate("notifications.own")]
    )
    async def notifications(
        self,
        info: Info,
        unread: Annotated[bool, strawberry.argument(description="Only those that are not read.")] = False,
        first: First = USUAL_PAGE,
        after: After = None,
    ) -> Connection[Notification] | None:
        """Return a page of notifications."""
        reader = shown.Shown(info.context.platform)
        page = await reader.page(info.context.signed_in(), unread=unread, first=first, after=after)
        return connection(page, notification_type)

    @strawberry.field(description="How the viewer's notifications come.", extensions=[gate("notifications.own")])
    async def notification_preferences(self, info: Info) -> NotificationPreferences | None:
        """Return the viewer's choices."""
        return _preferences((await _own(info))[2])

    @strawberry.field(
        description="The key with which a browser subscribes to pushes; null where there are none.",
        extensions=[gate("notifications.own")],
    )
    async def push_key(self, info: Info) -> str | None:
        """Return the public VAPID key."""
        key = info.context.platform.config.push_key
        return public_key(key.get_secret_value()) if key is not None else None


@strawberry.type
class NotifyMutation:
    """Mutations of notifications."""

    @strawberry.mutation(
        description="Mark a notification as read. What of it waits to go out by mail or otherwise, goes no more.",
        extensions=[gate("notifications.own")],
    )
    async def mark_notification_read(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The notification's id.")]
    ) -> Notification | None:
        """Mark one as read."""
        return notification_type(await shown.Shown(info.context.platform).read(info.context.signed_in(), uuid_of(id)))

    @strawberry.mutation(
        description="Choose how one's notifications come; what is not given stays. To give `switchedOff` without SMS "
        "has a number that has written STOP texted again, once START was written from it.",
        extensions=[gate("notifications.own")],
    )
    async def update_notification_preferences(
        self,
        info: Info,
        patch: Annotated[NotificationPreferencesPatch, strawberry.argument(description="What to change.")],
    ) -> NotificationPreferences | None:
        """Change the viewer's choices."""
        practice_id, person_id, chosen = await _own(info)
        given: dict[str, Any] = {
            name: value.value
            for name in ("language", "zone", "quiet_from", "quiet_until", "switched_off", "calls")
            if (value := getattr(patch, name)) is not None and value is not UNSET
        }
        for name, field in (("quiet_from", "quietFrom"), ("quiet_until", "quietUntil")):
            if name in given:
                given[name] = _clock(given[name], field)
        if "switched_off" in given:
            given["switched_off"] = frozenset(given["switched_off"] or ())
        if "calls" in given:
            given["calls"] = bool(given["calls"])
        chosen = replace(chosen, **given)
        await prefer(practice_id, person_id, chosen)
        if "switched_off" in given and Channel.SMS not in chosen.switched_off:
            await opted_in(person_id)
        return _preferences(chosen)

    @strawberry.mutation(
        description="Have pushes sent to this browser, with what its Push API gives.",
        extensions=[gate("notifications.own")],
    )
    async def subscribe_to_push(
        self,
        info: Info,
        endpoint: Annotated[str, strawberry.argument(description="`endpoint`, an https URL on the Internet.")],
        public_key: Annotated[str, strawberry.argument(description="`keys.p256dh`.")],
        secret: Annotated[str, strawberry.argument(description="`keys.auth`.")],
    ) -> bool | None:
        """Note a browser."""
        clock = info.context.platform.clock
        await browsers.subscribe(info.context.signed_in(), endpoint, public_key, secret, clock)
        return True

    @strawberry.mutation(
        description="Send no more pushes to this browser; tells whether it was known.",
        extensions=[gate("notifications.own")],
    )
    async def unsubscribe_from_push(
        self, info: Info, endpoint: Annotated[str, strawberry.argument(description="The browser's `endpoint`.")]
    ) -> bool | None:
        """Forget a browser."""
        return await browsers.unsubscribe(info.context.signed_in(), endpoint)


@strawberry.type
class NotifySubscription:
    """The subscription to notifications."""

    @strawberry.subscription(
        description="The viewer's notifications live: each new one, and each again once it is read, after a replay "
        "of what came after the cursor.",
        extensions=[gate("notifications.own")],
    )
    async def notifications(self, info: Info, after: After = None) -> AsyncGenerator[Notification, None]:
        """Follow the viewer's notifications."""
        stream = shown.Shown(info.context.platform).added(info.context.signed_in(), after)
        async with aclosing(stream) as found:
            async for notification in found:
                yield notification_type(notification)


@strawberry.type(name="Portal")
class PortalNotifications:
    """What is added to what a patient has in the portal, where there is one (S10)."""

    @strawberry.field(
        description="How notifications about the patient come: `updateNotificationPreferences` changes it.",
        extensions=[gate("notifications.own")],
    )
    async def notification_preferences(self, info: Info) -> NotificationPreferences | None:
        """Return the patient's choices."""
        return _preferences((await _own(info))[2])


PART = GraphQLPart(
    query=NotifyQuery, mutation=NotifyMutation, subscription=NotifySubscription, extend=(PortalNotifications,)
)
