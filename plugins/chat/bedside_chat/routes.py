"""The page to which guests' links lead, and the exchange of a link's secret for a bearer (C6, promise A6)."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from litestar import MediaType, Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from bedside_chat.guests import Guests
from bedside_core.api import InvalidInput, Platform, Route, network, public_route

WEB = Path(__file__).parent / "web"
_KINDS = {
    "guest.js": "text/javascript",
    "guest-texts.js": "text/javascript",
    "guest.css": "text/css",
    "icon.svg": "image/svg+xml",
}
# Photos are fetched with the bearer and shown out of memory, hence `blob:`.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_LONGEST_BODY = 1_000


@get("/guest", guards=[public_route], media_type=MediaType.HTML, sync_to_thread=False)
def guest_page() -> Response[bytes]:
    """Return the page; the link's secret stands behind `#` and never comes here (A7)."""
    return Response(
        (WEB / "guest.html").read_bytes(),
        media_type=MediaType.HTML,
        headers={"content-security-policy": _POLICY, "cache-control": "no-cache"},
    )


@get("/{conversation_id:uuid}", guards=[public_route], sync_to_thread=False)
def conversation_page(conversation_id: FromPath[UUID]) -> Redirect:
    """Lead whoever follows the link of a notification to the front page, where a practice has no client of its own."""
    return Redirect("/")


@post("/guest/exchange", guards=[public_route], status_code=200)
async def exchange(request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
    """Give a bearer for a link's secret: `{"secret": "…", "dateOfBirth": "1980-02-03"}`, the date for patients alone.

    The bearer reaches one conversation. It lasts an hour after it was used last, and never longer than the link.
    """
    secret, date_of_birth = _asked(await request.body())
    platform: Platform = request.app.state.platform
    came_from = network(request.client.host if request.client else "")
    entered = await platform.service(Guests).exchange(secret, date_of_birth, came_from)
    told = {
        "token": entered.bearer.token,
        "expiresAt": entered.bearer.expires_at.isoformat(),
        "conversationId": str(entered.conversation_id),
        "personId": str(entered.bearer.actor.guest),
        "practice": entered.practice,
    }
    return Response(told, headers={"cache-control": "no-store"})


def _asked(body: bytes) -> tuple[str, date | None]:
    """Return secret and date of birth out of a body.

    Raises:
        InvalidInput: it is nothing of the kind.
    """
    try:
        given: Any = json.loads(body) if len(body) <= _LONGEST_BODY else None
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise InvalidInput('Send JSON: {"secret": "…", "dateOfBirth": "1980-02-03"}.')
    values = cast("dict[str, Any]", given)
    secret, born = values.get("secret"), values.get("dateOfBirth")
    if not isinstance(secret, str) or not secret.isascii() or "\0" in secret:
        raise InvalidInput("The secret is what stands behind # in the link.", field=("secret",))
    try:
        return secret, date.fromisoformat(born) if born is not None else None
    except (TypeError, ValueError):
        raise InvalidInput("A date is written like 1980-02-03.", field=("dateOfBirth",)) from None


def _file(name: str, kind: str) -> Route:
    @get(f"/{name}", guards=[public_route], sync_to_thread=False, name=f"chat-{name}")
    def file() -> Response[bytes]:
        return Response((WEB / name).read_bytes(), media_type=kind, headers={"cache-control": "no-cache"})

    return file


def chat_routes() -> list[Route]:
    """Return the routes, which Bedside mounts below `/chat/`."""
    return [guest_page, conversation_page, exchange, *(_file(name, kind) for name, kind in _KINDS.items())]
