"""Which browser origins may call: our own, the operator's list, and those of registered applications (G1)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from bedside_core import errors
from bedside_core.config import Config

Registered = Callable[[str], Awaitable[bool]]
"""Tells whether a registered application runs on an origin."""

CSRF_HEADER = "x-bedside-csrf"
"""A browser sends a header of its own making to another origin only after asking, so it proves our own origin."""

_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_SENT = (
    b"accept, authorization, content-type, if-range, range, upload-complete, upload-length, upload-offset, "
    b"x-bedside-csrf"
)
_TOLD = (
    b"content-disposition, content-range, etag, ratelimit, ratelimit-policy, retry-after, upload-complete, "
    b"upload-length, upload-offset, www-authenticate, x-request-id"
)
_PREFLIGHT_SECONDS = b"600"

REMEMBERED_SECONDS = 2.0
"""How long it is remembered whether an origin is registered; what decides is the token that a request brings."""
_MOST_REMEMBERED = 1000
_LONGEST = 300


Headers = list[tuple[bytes, bytes]]


class OriginNotAllowed(errors.Problem):
    """A page of another origin asks."""

    code = "ORIGIN_NOT_ALLOWED"
    meaning = (
        "The page's origin is neither this deployment's, nor on the operator's list, nor a registered application's "
        "(G1)."
    )
    status = 403


def cors(origin: str) -> Headers:
    """Return what lets a page of an allowed origin read an answer; never with our cookie (G1)."""
    return [(b"access-control-allow-origin", origin.encode("latin-1")), (b"access-control-expose-headers", _TOLD)]


def preflight() -> Headers:
    """Return what tells a browser that a page of an allowed origin may send what uploads and operations need (G5)."""
    return [
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", _SENT),
        (b"access-control-max-age", _PREFLIGHT_SECONDS),
        (b"content-length", b"0"),
    ]


def is_own_origin(origin: str, host: str, config: Config) -> bool:
    """Tell whether an origin is ours; others on the allow-list bring tokens, never our cookie (G1)."""
    if config.public_url is not None:
        parts = urlsplit(config.public_url)
        return origin == f"{parts.scheme}://{parts.netloc}"
    return host != "" and origin in {f"https://{host}", f"http://{host}"}


class Origins:
    """The allow-list of origins.

    Args:
        config: for our own origin and the operator's list.
        registered: asked for the others.
    """

    def __init__(self, config: Config, registered: Registered) -> None:
        self._config = config
        self._registered = registered
        self._known: dict[str, tuple[bool, float]] = {}

    async def allowed(self, origin: str, host: str) -> bool:
        """Tell whether pages of an origin may call.

        Args:
            origin: the header's value.
            host: the request's Host header.

        Raises:
            errors.Unavailable: the database is away, and it is not one that needs no look.
        """
        if origin in self._config.allowed_origins or is_own_origin(origin, host, self._config):
            return True
        if "://" not in origin or len(origin) > _LONGEST:  # "null" among them
            return False
        now = time.monotonic()
        known = self._known.get(origin)
        if known is not None and known[1] > now:
            return known[0]
        found = await self._registered(origin)
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[origin] = (found, now + REMEMBERED_SECONDS)
        return found
