"""The links of a session: made of its id by the deployment's key, so that they can be shown again, and stored nowhere.

The guest link's secret stands behind `#` and holds the session's id and 192 bits that nobody makes without the key (T6,
A6). Renewing it raises the session's version, and older secrets are good for nothing from then on.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from bedside_core.api import Platform

PAGE = "/telehealth/visit"
"""Where both links lead."""
_GUESTS = "telehealth guest link"
_DRAFTS = "telehealth draft"
_ID, _TAG = 16, 24
LONGEST = 100
"""Characters of a secret or draft that are looked at; ours have 54."""


@dataclass(frozen=True, kw_only=True)
class SessionLinks:
    """The addresses of a session.

    Args:
        guest: for anyone, without signing in where the session is by invitation.
        participant: the camera preview's own, where one signs in first.
    """

    guest: str
    participant: str


def links_of(platform: Platform, session_id: UUID, version: int) -> SessionLinks:
    """Return the links of a session, or of one that does not exist yet."""
    base = f"{(platform.config.public_url or '').rstrip('/')}{PAGE}"
    return SessionLinks(guest=f"{base}#{secret_of(platform, session_id, version)}", participant=f"{base}/{session_id}")


def secret_of(platform: Platform, session_id: UUID, version: int) -> str:
    """Return the secret of a session's guest link, 54 characters."""
    return _packed(session_id, _tag(platform, _GUESTS, session_id.bytes + version.to_bytes(4, "big")))


def is_secret(platform: Platform, secret: str, session_id: UUID, version: int) -> bool:
    """Tell whether a secret is that of a session's guest link, in a time that tells nothing of it."""
    return hmac.compare_digest(secret.encode(), secret_of(platform, session_id, version).encode())


def draft_of(platform: Platform, session_id: UUID, member_id: UUID) -> str:
    """Return what stands for the id of a session that a member is about to create."""
    return _packed(session_id, _tag(platform, _DRAFTS, session_id.bytes + member_id.bytes))


def drafted(platform: Platform, draft: str, member_id: UUID) -> UUID | None:
    """Return the id in a member's draft; None where it is none of theirs."""
    session_id = session_in(draft)
    good = session_id is not None and hmac.compare_digest(
        draft.encode(), draft_of(platform, session_id, member_id).encode()
    )
    return session_id if good else None


def session_in(text: str) -> UUID | None:
    """Return the session that a secret or draft names, good or not; None where it is nothing of the kind."""
    if not text.isascii() or len(text) > LONGEST:
        return None
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return UUID(bytes=raw[:_ID]) if len(raw) == _ID + _TAG else None


def _tag(platform: Platform, purpose: str, text: bytes) -> bytes:
    return platform.auth.sealing.tag(purpose, text)[:_TAG]


def _packed(session_id: UUID, tag: bytes) -> str:
    return urlsafe_b64encode(session_id.bytes + tag).rstrip(b"=").decode()
