"""What browsers are told of STUN and TURN: addresses, and names at the relay that end by themselves (T19)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bedside_telehealth.media.settings import MediaSettings

LASTS_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class IceServer:
    """One entry of a browser's `iceServers`."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


def ice_servers(settings: MediaSettings, participant: UUID, now: datetime) -> tuple[IceServer, ...]:
    """Return what a participant's browser is to be given, with credentials for an hour, as coturn checks them.

    The relay knows the secret and keeps no accounts: the name says until when it is good, the password is its HMAC
    (coturn's `use-auth-secret`). Which addresses it may reach and how much is the relay's own configuration.

    Args:
        settings: the operator's.
        participant: whom the relay's log shall name.
        now: the time from which the hour counts.
    """
    found: list[IceServer] = []
    if settings.stun_url is not None:
        found.append(IceServer((settings.stun_url,)))
    if settings.browser_turn_urls and settings.turn_secret is not None:
        name = f"{int(now.timestamp()) + LASTS_SECONDS}:{participant}"
        # SHA-1 is what the relays' convention has; as a keyed hash it holds.
        digest = hmac.new(settings.turn_secret.get_secret_value().encode(), name.encode(), hashlib.sha1).digest()
        found.append(IceServer(settings.browser_turn_urls, name, base64.b64encode(digest).decode()))
    return tuple(found)
