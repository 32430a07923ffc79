"""The browsers that a person wants pushes in."""

from __future__ import annotations

import base64
import binascii

from bedside_core import errors
from bedside_core.auth import Actor
from bedside_core.clock import Clock
from bedside_core.database import DB
from bedside_core.ids import uuid7
from bedside_core.notify.channels.push import endpoint_fault

MOST = 20
"""Browsers of one person; the oldest goes."""


async def subscribe(actor: Actor, endpoint: str, public_key: str, secret: str, clock: Clock) -> None:
    """Note a browser's subscription, as the Push API gives it.

    Args:
        actor: whose browser.
        endpoint: where pushes go; never an address inside the house.
        public_key: `p256dh`, base64url.
        secret: `auth`, base64url.
        clock: the product's time.

    Raises:
        errors.InvalidInput: an endpoint or a key that can't be one.
    """
    practice_id, person_id = actor.as_person()
    if fault := endpoint_fault(endpoint):
        raise errors.InvalidInput(fault, field=("endpoint",))
    for name, value, length in (("publicKey", public_key, 65), ("secret", secret, 16)):
        if _length(value) != length:
            raise errors.InvalidInput("This is not a key of the Push API.", field=(name,))
    await DB.execute(
        """WITH known AS (
            INSERT INTO push_subscription (id, practice_id, person_id, endpoint, public_key, secret, created_at,
                account_id)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $9)
            ON CONFLICT (practice_id, person_id, endpoint)
            DO UPDATE SET public_key = excluded.public_key, secret = excluded.secret, account_id = excluded.account_id
        )
        DELETE FROM push_subscription WHERE id IN (
            SELECT id FROM push_subscription WHERE person_id = $3 ORDER BY created_at DESC, id DESC OFFSET $8)""",
        uuid7(),
        practice_id,
        person_id,
        endpoint,
        public_key,
        secret,
        clock.now(),
        MOST - 1,
        actor.account_id,
    )


async def unsubscribe(actor: Actor, endpoint: str) -> bool:
    """Forget a browser; tells whether it was known."""
    _, person_id = actor.as_person()
    done = await DB.execute("DELETE FROM push_subscription WHERE person_id = $1 AND endpoint = $2", person_id, endpoint)
    return done != "DELETE 0"


def _length(text: str) -> int:
    try:
        return len(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return -1
