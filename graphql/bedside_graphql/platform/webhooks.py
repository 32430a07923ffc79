"""Webhooks: where a practice's partners are told of its events, and what was delivered (G6)."""

from datetime import datetime
from typing import Annotated

import strawberry

from bedside_core import webhooks
from bedside_core.paging import USUAL_PAGE
from bedside_graphql.context import Info
from bedside_graphql.gate import gate
from bedside_graphql.part import GraphQLPart
from bedside_graphql.types import After, ClientId, Connection, First, client_id_of, connection, uuid_of

WebhookId = Annotated[strawberry.ID, strawberry.argument(description="The webhook's id.")]


@strawberry.type(description="A type of events that webhooks may be told of.")
class WebhookEventType:
    """A type of events."""

    key: str = strawberry.field(description="Its stable name, `type` in what is sent.")
    description: str = strawberry.field(description="When it is told.")
    ids: list[str] = strawberry.field(description="The names of the ids in `data`.")


@strawberry.type(description="A receiver that is told of the practice's events.")
class Webhook:
    """A webhook."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    url: str = strawberry.field(description="The receiver's URL.")
    types: list[str] = strawberry.field(description="The types of events it is told of.")
    enabled: bool = strawberry.field(description="Whether it is told of anything.")
    created_at: datetime = strawberry.field(description="When it was registered.")
    old_secret_until: datetime | None = strawberry.field(
        description="Until when the secret before the present one signs too; null where there was none."
    )
    failing_since: datetime | None = strawberry.field(description="When the first of a row of failures was.")
    disabled_reason: str | None = strawberry.field(description="Why it was switched off by itself.")


@strawberry.type(description="A webhook with its secret.")
class WebhookSecret:
    """What registering and rotating give."""

    webhook: Webhook = strawberry.field(description="The webhook.")
    secret: str | None = strawberry.field(
        description="What deliveries are signed with, `whsec_…`; told this once. Null where the clientId was used "
        "before: rotate it if it was lost."
    )


@strawberry.type(description="An event on its way to a receiver. Kept for a month after its end.")
class WebhookDelivery:
    """A delivery."""

    id: strawberry.ID = strawberry.field(description="Opaque id.")
    message_id: str = strawberry.field(description="`webhook-id`, the same for every attempt and replay.")
    webhook_id: strawberry.ID = strawberry.field(description="The webhook.")
    type: str = strawberry.field(description="The event's type.")
    body: str = strawberry.field(description="What is sent, JSON: ids only.")
    state: webhooks.DeliveryState = strawberry.field(description="How it fares.")
    attempts: int = strawberry.field(description="How often it was sent.")
    status: int | None = strawberry.field(description="HTTP status of the last answer; null where there was none.")
    reason: str | None = strawberry.field(description="Why the last attempt failed.")
    milliseconds: int | None = strawberry.field(description="How long the last attempt took.")
    created_at: datetime = strawberry.field(description="When the event happened.")
    next_attempt_at: datetime | None = strawberry.field(description="When it is tried next; null once it has ended.")
    ended_at: datetime | None = strawberry.field(description="When it was delivered or given up.")


@strawberry.input(description="What of a webhook is changed; what is left out stays.")
class WebhookPatch:
    """A change of a webhook."""

    url: str | None = strawberry.field(default=None, description="The receiver's URL, https.")
    types: list[str] | None = strawberry.field(default=None, description="The types of events it is told of.")
    enabled: bool | None = strawberry.field(
        default=None, description="Whether it is told of anything; switched on again, earlier failures are forgotten."
    )


def _webhook(found: webhooks.Endpoint) -> Webhook:
    return Webhook(
        id=strawberry.ID(str(found.id)),
        url=found.url,
        types=list(found.types),
        enabled=found.enabled,
        created_at=found.created_at,
        old_secret_until=found.before_until,
        failing_since=found.failing_since,
        disabled_reason=found.disabled_reason,
    )


def _delivery(found: webhooks.Delivery) -> WebhookDelivery:
    return WebhookDelivery(
        id=strawberry.ID(str(found.id)),
        message_id=webhooks.message_id(found.id),
        webhook_id=strawberry.ID(str(found.endpoint_id)),
        type=found.type,
        body=found.body,
        state=found.state,
        attempts=found.attempts,
        status=found.status,
        reason=found.reason,
        milliseconds=found.milliseconds,
        created_at=found.created_at,
        next_attempt_at=found.due_at if found.ended_at is None else None,
        ended_at=found.ended_at,
    )


@strawberry.type
class WebhooksQuery:
    """Queries of webhooks."""

    @strawberry.field(
        description="The types of events that webhooks may be told of.", extensions=[gate("webhooks.read")]
    )
    async def webhook_event_types(self, info: Info) -> list[WebhookEventType] | None:
        """Return the types, by name."""
        events = info.context.platform.webhooks.events
        return [
            WebhookEventType(key=key, description=event.doc, ids=list(event.names))
            for key, event in sorted(events.items())
        ]

    @strawberry.field(
        description="The practice's webhooks, the oldest first; twenty at most.", extensions=[gate("webhooks.read")]
    )
    async def webhooks(self, info: Info) -> list[Webhook] | None:
        """Return the webhooks."""
        return [_webhook(each) for each in await info.context.platform.webhooks.endpoints()]

    @strawberry.field(
        description="What a webhook's receiver was told, the newest first.", extensions=[gate("webhooks.read")]
    )
    async def webhook_deliveries(
        self, info: Info, webhook_id: WebhookId, first: First = USUAL_PAGE, after: After = None
    ) -> Connection[WebhookDelivery] | None:
        """Return a page of deliveries."""
        page = await info.context.platform.webhooks.deliveries(uuid_of(webhook_id), first=first, after=after)
        return connection(page, _delivery)


@strawberry.type
class WebhooksMutation:
    """Mutations of webhooks."""

    @strawberry.mutation(
        description="Register a receiver of events. Deliveries are signed as Standard Webhooks says.",
        extensions=[gate("webhooks.change")],
    )
    async def create_webhook(
        self,
        info: Info,
        url: Annotated[str, strawberry.argument(description="The receiver's URL, https; on the Internet.")],
        types: Annotated[list[str], strawberry.argument(description="Types of events, of `webhookEventTypes`.")],
        client_id: ClientId,
    ) -> WebhookSecret | None:
        """Register a webhook."""
        made, secret = await info.context.platform.webhooks.create(
            info.context.signed_in(), url=url, types=types, client_id=client_id_of(client_id)
        )
        return WebhookSecret(webhook=_webhook(made), secret=secret)

    @strawberry.mutation(description="Change a webhook.", extensions=[gate("webhooks.change")])
    async def update_webhook(
        self,
        info: Info,
        id: WebhookId,
        patch: Annotated[WebhookPatch, strawberry.argument(description="What is changed.")],
    ) -> Webhook | None:
        """Change a webhook."""
        changed = await info.context.platform.webhooks.change(
            uuid_of(id), url=patch.url, types=patch.types, enabled=patch.enabled
        )
        return _webhook(changed)

    @strawberry.mutation(
        description="Give a webhook a new secret; the old one signs too for 24 hours.",
        extensions=[gate("webhooks.change")],
    )
    async def rotate_webhook_secret(self, info: Info, id: WebhookId) -> WebhookSecret | None:
        """Rotate a secret."""
        rotated, secret = await info.context.platform.webhooks.rotate(uuid_of(id))
        return WebhookSecret(webhook=_webhook(rotated), secret=secret)

    @strawberry.mutation(
        description="Delete a webhook with its log; what waits is not sent.", extensions=[gate("webhooks.change")]
    )
    async def delete_webhook(self, info: Info, id: WebhookId) -> bool | None:
        """Delete a webhook."""
        await info.context.platform.webhooks.delete(uuid_of(id))
        return True

    @strawberry.mutation(
        description="Send a delivery again, with the same `webhook-id` and body.", extensions=[gate("webhooks.change")]
    )
    async def replay_webhook_delivery(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The delivery's id.")]
    ) -> WebhookDelivery | None:
        """Replay a delivery."""
        return _delivery(await info.context.platform.webhooks.replay(uuid_of(id)))


PART = GraphQLPart(query=WebhooksQuery, mutation=WebhooksMutation)
