"""Where calendar applications read feeds, and where links about appointments lead (S8)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from litestar import HttpMethod, Request, Response, get, route
from litestar.params import FromPath
from litestar.response import Redirect

from bedside_core.api import NotFound, Platform, Route, acting, network, public_route
from bedside_scheduling.feeds import MISSES, READS, Feeds
from bedside_scheduling.ical import digest_of, text_of

_END = ".ics"
_TYPE = "text/calendar"


@route("/calendar/{file:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD], guards=[public_route])
async def calendar(request: Request[Any, Any, Any], file: FromPath[str]) -> Response[bytes]:
    """Return a feed: `<secret>.ics`, the one address of ours with a secret in its path, which nothing ever logs.

    What is not changed since `If-None-Match` is answered with 304, and enters nothing in the audit trail; what is
    handed out is entered.

    Raises:
        NotFound: the secret opens nothing, whatever the reason; all reasons look alike.
        RateLimited: too many that open nothing were asked for from one address, or one feed was read too often.
    """
    platform: Platform = request.app.state.platform
    feeds = platform.service(Feeds)
    reader = await feeds.open(file.removesuffix(_END)) if file.endswith(_END) else None
    if reader is None:
        # Counted once it was looked up, in one statement: many read their calendars from one address, and whoever has
        # the secret is served, however often others of theirs ask for what there is no more.
        await feeds.limits.spend(MISSES, network(request.client.host if request.client else ""), 1)
        raise NotFound("There is no calendar at this address.")
    await feeds.limits.spend(READS, str(reader.feed_id), 1)
    with acting(reader.actor.practice_id, reader.actor.person_id):
        sheet = await feeds.sheet(reader)
        tag = f'W/"{await asyncio.to_thread(digest_of, sheet)}"'
        headers = {"etag": tag, "cache-control": "private, no-cache"}
        await feeds.read(reader)
        if _has(request.headers.get("if-none-match", ""), tag):
            return Response(b"", status_code=304, headers=headers)
        if request.method == HttpMethod.HEAD:
            return Response(b"", status_code=200, media_type=_TYPE, headers=headers)
        text = await asyncio.to_thread(text_of, sheet, platform.clock.now())
        await feeds.handed_out(reader)
        headers["content-disposition"] = 'attachment; filename="appointments.ics"'
        return Response(text.encode(), status_code=200, media_type=_TYPE, headers=headers)


@get("/{appointment_id:uuid}", guards=[public_route], sync_to_thread=False)
def appointment_page(appointment_id: FromPath[UUID]) -> Redirect:
    """Lead whoever follows a link about an appointment to the front page, where a practice has no client of its own."""
    return Redirect("/")


def _has(given: str, tag: str) -> bool:
    """Tell whether `If-None-Match` names a tag, weakly compared (RFC 9110, 13.1.2)."""
    tags = {each.strip().removeprefix("W/") for each in given.split(",")}
    return "*" in tags or tag.removeprefix("W/") in tags


def scheduling_routes() -> list[Route]:
    """Return the routes, which Bedside mounts below `/scheduling/`."""
    return [calendar, appointment_page]
