"""Where the links of sessions lead, and the exchange of a guest link's secret for a bearer (T8, A6)."""

from __future__ import annotations

import json
from typing import Any, cast
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from bedside_core.api import InvalidInput, Platform, Route, actor_of, network, public_route
from bedside_telehealth.guests import GuestLinks

_LONGEST_BODY = 2_000


@get("/visit", guards=[public_route], sync_to_thread=False)
def guest_page() -> Redirect:
    """Lead whoever follows a guest link to the front page; the secret stands behind `#` and never comes here (A7)."""
    return Redirect("/")


@get("/visit/{session_id:uuid}", guards=[public_route], sync_to_thread=False)
def participant_page(session_id: FromPath[UUID]) -> Redirect:
    """Lead whoever follows a participant link to the front page, where a practice has no client of its own."""
    return Redirect("/")


@post("/visit/exchange", guards=[public_route], status_code=200)
async def exchange(request: Request[Any, Any, Any]) -> Response[dict[str, str | bool]]:
    """Exchange a guest link's secret: `{"secret": "…", "name": "Pat", "rejoin": "…"}`.

    Who is signed in and known to the session gets `recognised` and joins as themselves. Anybody else gets a bearer that
    reaches that one session, and by what the browser is known next time.
    """
    asked = _asked(await request.body())
    platform: Platform = request.app.state.platform
    entered = await platform.service(GuestLinks).exchange(
        asked["secret"] or "",
        name=asked["name"],
        rejoin=asked["rejoin"],
        actor=actor_of(request),
        network=network(request.client.host if request.client else ""),
    )
    told: dict[str, str | bool] = {"sessionId": str(entered.session_id), "recognised": entered.bearer is None}
    if entered.bearer is not None and entered.rejoin is not None:
        told |= {
            "token": entered.bearer.token,
            "expiresAt": entered.bearer.expires_at.isoformat(),
            "participantId": str(entered.bearer.actor.guest),
            "rejoin": entered.rejoin,
        }
    return Response(told, headers={"cache-control": "no-store"})


def _asked(body: bytes) -> dict[str, str | None]:
    """Return what is asked for out of a body.

    Raises:
        InvalidInput: it is nothing of the kind.
    """
    try:
        given: Any = json.loads(body) if len(body) <= _LONGEST_BODY else None
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise InvalidInput('Send JSON: {"secret": "…", "name": "Pat"}.')
    values = cast("dict[str, Any]", given)
    asked: dict[str, str | None] = {}
    for name in ("secret", "name", "rejoin"):
        value = values.get(name)
        if value is not None and (not isinstance(value, str) or "\0" in value or not _encodes(value)):
            raise InvalidInput("This is no text.", field=(name,))
        asked[name] = value
    if not asked["secret"]:
        raise InvalidInput("The secret is what stands behind # in the link.", field=("secret",))
    return asked


def _encodes(value: str) -> bool:
    """Tell whether a text can be written as UTF-8: JSON may hold half a pair of surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def telehealth_routes() -> list[Route]:
    """Return the routes, which Bedside mounts below `/telehealth/`."""
    return [guest_page, participant_page, exchange]
