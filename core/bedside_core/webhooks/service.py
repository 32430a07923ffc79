"""A practice's webhooks: registered, changed, their secrets rotated, their deliveries listed and replayed (G6)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from bedside_core import audit, errors
from bedside_core.auth import Actor
from bedside_core.auth.sealing import Sealing
from bedside_core.clock import Clock
from bedside_core.config import Config
from bedside_core.database import DB, Row, current_scope, unit
from bedside_core.events import Event
from bedside_core.ids import uuid7
from bedside_core.paging import Page, key_of, page_of, page_size
from bedside_core.webhooks.declared import PublicEvent
from bedside_core.webhooks.model import OVERLAP, Delivery, DeliveryState, Endpoint
from bedside_core.webhooks.sending import Sender
from bedside_core.webhooks.signing import new_secret

_MOST_ENDPOINTS = 20
_PURPOSE = "webhooks"


class Webhooks:
    """The webhooks of one platform. Rights are the caller's to have asked (`webhooks.*`).

    Args:
        config: for the deployment's key and the networks that may be reached.
        clock: the product's time.
        events: every declared public event.

    Raises:
        ValueError: two events have the same key, or one class has two keys.
    """

    def __init__(self, config: Config, clock: Clock, events: Iterable[PublicEvent]) -> None:
        self._clock = clock
        secret = config.secret_key.get_secret_value() if config.secret_key else None
        self._sealing = Sealing(secret, config.data)
        self._plain = config.demo
        self.sender = Sender(config)
        """Sends deliveries."""
        self.events: dict[str, PublicEvent] = {}
        """Every public event by its key."""
        self._by_class: dict[type[Event], PublicEvent] = {}
        for event in events:
            if event.key in self.events or event.event in self._by_class:
                raise ValueError(f"the public event {event.key} is declared twice")
            self.events[event.key] = self._by_class[event.event] = event

    # -- events ----------------------------------------------------------------------------------------------------

    async def emitted(self, events: Sequence[Event]) -> None:
        """Make the deliveries of events and their jobs, in the emitter's transaction; one statement, however many."""
        public = [(event, self._by_class[type(event)]) for event in events if type(event) in self._by_class]
        if not public:
            return
        now = self._clock.now()
        at = now.isoformat().replace("+00:00", "Z")
        told = [{"type": kind.key, "timestamp": at, "data": kind.told(event)} for event, kind in public]
        await DB.fetchval(
            """SELECT count(webhook_emit(each.practice, each.key, each.told, $4))
            FROM unnest($1::uuid[], $2::text[], $3::text[]) AS each(practice, key, told)""",
            [event.practice_id for event, _ in public],
            [kind.key for _, kind in public],
            [msgspec.json.encode(each).decode() for each in told],
            now,
        )

    # -- endpoints -------------------------------------------------------------------------------------------------

    async def create(
        self, actor: Actor, *, url: str, types: Collection[str], client_id: str
    ) -> tuple[Endpoint, str | None]:
        """Register a receiver.

        Args:
            actor: who registers it.
            url: the receiver's.
            types: the types of events it is told of.
            client_id: a repeated one gives the first endpoint (G9).

        Returns:
            The endpoint, and its secret, told this once: None where the client id was used before.

        Raises:
            errors.InvalidInput: the URL or a type can't be had.
            errors.Conflict: there are too many, or the client id was used with other content.
        """
        practice_id, member_id = actor.in_practice()
        wanted = self._checked(types)
        await self._check_url(url)
        new_id, secret = uuid7(), new_secret()
        async with unit():
            made = await DB.fetchval(
                """INSERT INTO webhook_endpoint (id, practice_id, member_id, client_id, url, types, secret, created_at)
                SELECT $1, $2, $3, $4, $5, $6, $7, $8
                WHERE (SELECT count(*) FROM webhook_endpoint) < $9
                ON CONFLICT (practice_id, member_id, client_id) DO NOTHING RETURNING id""",
                new_id, practice_id, member_id, client_id, url, wanted, self._sealed(new_id, secret),
                self._clock.now(), _MOST_ENDPOINTS,
            )  # fmt: skip
            if made:
                audit.did("webhooks.create", kind="webhook", target=new_id, detail={"types": wanted})
        row = await DB.fetchrow(
            "SELECT * FROM webhook_endpoint WHERE member_id = $1 AND client_id = $2", member_id, client_id
        )
        if row is None:
            raise errors.Conflict(f"A practice has up to {_MOST_ENDPOINTS} webhooks.", way_on="Delete one first.")
        there = _endpoint(row)
        if not made and (there.url, [*there.types]) != (url, wanted):
            raise errors.Conflict("This clientId was used for another webhook.", field=("clientId",))
        return there, secret if made else None

    async def change(
        self, endpoint_id: UUID, *, url: str | None, types: Collection[str] | None, enabled: bool | None
    ) -> Endpoint:
        """Change what is given. Switched on again, it begins anew: earlier failures are forgotten.

        Raises:
            errors.NotFound: the practice has no such webhook.
            errors.InvalidInput: the URL or a type can't be had.
        """
        wanted = None if types is None else self._checked(types)
        if url is not None:
            await self._check_url(url)
        changed = [name for name, value in (("url", url), ("types", types), ("enabled", enabled)) if value is not None]
        async with unit():
            row = await DB.fetchrow(
                """UPDATE webhook_endpoint SET url = coalesce($2, url), types = coalesce($3, types),
                    enabled = coalesce($4, enabled),
                    failing_since = CASE WHEN $4 THEN NULL ELSE failing_since END,
                    disabled_reason = CASE WHEN $4 IS NULL THEN disabled_reason END
                WHERE id = $1 RETURNING *""",
                endpoint_id, url, wanted, enabled,
            )  # fmt: skip
            if row is None:
                raise errors.NotFound("There is no webhook with this id that you may see.")
            audit.did("webhooks.change", kind="webhook", target=endpoint_id, detail={"fields": changed})
        return _endpoint(row)

    async def rotate(self, endpoint_id: UUID) -> tuple[Endpoint, str]:
        """Give a webhook a new secret, told this once; the one before signs too for a day.

        Raises:
            errors.NotFound: the practice has no such webhook.
        """
        secret = new_secret()
        async with unit():
            row = await DB.fetchrow(
                """UPDATE webhook_endpoint SET secret_before = secret, before_until = $3, secret = $2
                WHERE id = $1 RETURNING *""",
                endpoint_id, self._sealed(endpoint_id, secret), self._clock.now() + OVERLAP,
            )  # fmt: skip
            if row is None:
                raise errors.NotFound("There is no webhook with this id that you may see.")
            audit.did("webhooks.rotate", kind="webhook", target=endpoint_id)
        return _endpoint(row), secret

    async def delete(self, endpoint_id: UUID) -> None:
        """Delete a webhook with its log; what waits is not sent.

        Raises:
            errors.NotFound: the practice has no such webhook.
        """
        async with unit():
            if not await DB.fetchval("DELETE FROM webhook_endpoint WHERE id = $1 RETURNING true", endpoint_id):
                raise errors.NotFound("There is no webhook with this id that you may see.")
            audit.did("webhooks.delete", kind="webhook", target=endpoint_id)

    async def endpoints(self) -> Sequence[Endpoint]:
        """Return the practice's webhooks, the oldest first."""
        rows = await DB.fetch("SELECT * FROM webhook_endpoint ORDER BY id LIMIT $1", _MOST_ENDPOINTS)
        return [_endpoint(row) for row in rows]

    # -- deliveries ------------------------------------------------------------------------------------------------

    async def deliveries(self, endpoint_id: UUID, *, first: int | None, after: str | None) -> Page[Delivery]:
        """Return a webhook's deliveries, the newest first.

        Raises:
            errors.NotFound: the practice has no such webhook.
        """
        if not await DB.fetchval("SELECT true FROM webhook_endpoint WHERE id = $1", endpoint_id):
            raise errors.NotFound("There is no webhook with this id that you may see.")
        size, key = page_size(first), key_of(after, datetime, UUID)
        rows = await DB.fetch(
            """SELECT * FROM webhook_delivery WHERE endpoint_id = $1
                AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
            ORDER BY created_at DESC, id DESC LIMIT $2""",
            endpoint_id, size + 1, *(key or (None, None)),
        )  # fmt: skip
        found = [_delivery(row) for row in rows]
        return page_of(found, size, lambda item: (item.created_at.isoformat(), str(item.id)), after=after)

    async def replay(self, delivery_id: UUID) -> Delivery:
        """Send a delivery again, from its first attempt on, with the same id and body.

        Raises:
            errors.NotFound: the practice has no such delivery.
            errors.Conflict: it waits to be sent anyhow, or its webhook is switched off.
        """
        now = self._clock.now()
        async with unit():
            row = await DB.fetchrow(
                """UPDATE webhook_delivery d SET state = 'waiting', attempts = 0, due_at = $2, claimed_until = NULL,
                    ended_at = NULL
                FROM webhook_endpoint e WHERE d.id = $1 AND d.state <> 'waiting' AND e.id = d.endpoint_id AND e.enabled
                RETURNING d.*""",
                delivery_id, now,
            )  # fmt: skip
            if row is None:
                if await DB.fetchval("SELECT true FROM webhook_delivery WHERE id = $1", delivery_id):
                    raise errors.Conflict("It waits to be sent, or its webhook is switched off.")
                raise errors.NotFound("There is no delivery with this id that you may see.")
            audit.did("webhooks.replay", kind="webhook_delivery", target=delivery_id)
            await DB.fetchval("SELECT webhook_enqueue($1, $2)", row["practice_id"], row["endpoint_id"])
        return _delivery(row)

    # -- for the job -----------------------------------------------------------------------------------------------

    def keys(self, endpoint: Row, now: datetime) -> list[str]:
        """Return the secrets that sign, the newest first."""
        sealed = [endpoint["secret"]]
        if endpoint["secret_before"] is not None and endpoint["before_until"] > now:
            sealed.append(endpoint["secret_before"])
        return [self._sealing.unseal(_PURPOSE, each, endpoint["id"].bytes).decode() for each in sealed]

    async def plain(self) -> bool:
        """Tell whether the acting practice's receivers may do without TLS."""
        return self._plain or bool(await DB.fetchval("SELECT practice_sandbox($1)", current_scope().practice_id))

    def _sealed(self, endpoint_id: UUID, secret: str) -> bytes:
        return self._sealing.seal(_PURPOSE, secret.encode(), endpoint_id.bytes)

    def _checked(self, types: Collection[str]) -> list[str]:
        wanted = sorted(set(types))
        if not wanted:
            raise errors.InvalidInput("A webhook is told of one type of events at least.", field=("types",))
        for name in wanted:
            if name not in self.events:
                raise errors.InvalidInput(
                    f"There is no type of events {name[:100]!r}.",
                    way_on="`webhookEventTypes` lists them.",
                    field=("types",),
                )
        return wanted

    async def _check_url(self, url: str) -> None:
        if fault := self.sender.url_fault(url, plain=await self.plain()):
            raise errors.InvalidInput(fault, field=("url",))


def _endpoint(row: Row) -> Endpoint:
    return Endpoint(**{name: row[name] for name in Endpoint.__dataclass_fields__})


def _delivery(row: Row) -> Delivery:
    facts: dict[str, Any] = {name: row[name] for name in Delivery.__dataclass_fields__}
    facts["state"] = DeliveryState(row["state"])
    return Delivery(**facts)
