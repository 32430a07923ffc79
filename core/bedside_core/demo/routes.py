"""The demo's own routes: a page of its sign-ins, and a lever that moves its clock. Mounted in the demo only."""

from __future__ import annotations

from datetime import timedelta
from html import escape
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.response import Redirect

from bedside_core import errors
from bedside_core.demo.accounts import accounts
from bedside_core.demo.look import HEADERS, page
from bedside_core.demo.tries import tries
from bedside_core.platform import Platform
from bedside_core.routes import Route, public_route

LONGEST_SECONDS = 10 * 366 * 86_400
"""How far one move of the clock goes at most: ten years."""


class ClockMove(msgspec.Struct, frozen=True):
    """Body of `POST /demo/clock`."""

    seconds: float
    """By how much time is moved, negative for backwards."""


@post("/demo/clock", guards=[public_route], status_code=200)
async def move_clock(request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
    """Move the time of the demo, in every process on its database.

    Raises:
        errors.InvalidInput: no JSON, as which pages of other origins can't send anything; or too far.
    """
    platform: Platform = request.app.state.platform
    if request.content_type[0] != "application/json":
        raise errors.InvalidInput("Send application/json.")
    try:
        move = msgspec.json.decode(await request.body(), type=ClockMove)
    except msgspec.DecodeError as error:
        raise errors.InvalidInput('Send {"seconds": 3600}.', field=("seconds",)) from error
    if abs(move.seconds) > LONGEST_SECONDS:
        raise errors.InvalidInput("Time moves by at most ten years at once.", field=("seconds",))
    try:
        await platform.clock.move(timedelta(seconds=move.seconds))
    except ValueError as error:
        raise errors.InvalidInput("Time moves by a hundred years at most.", field=("seconds",)) from error
    return Response({"now": platform.clock.now().isoformat()})


@get("/", guards=[public_route], sync_to_thread=False)
def front() -> Redirect:
    """Lead who comes by the bare address to the page."""
    return Redirect("/demo")


@get("/demo", guards=[public_route], media_type=MediaType.HTML)
async def sign_ins(request: Request[Any, Any, Any]) -> Response[str]:
    """Show the sign-ins, where to go, and what to try."""
    platform: Platform = request.app.state.platform
    listed = await accounts(platform)
    schedule = _schedule(platform) if platform.plugins.active("scheduling") else ""
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{escape(value or '')}</td>" for value in values) + "</tr>"
        for values in ((a.practice, a.tier, a.role, a.email, a.password) for a in listed)
    )
    body = f"""<p>Everybody and everything here is made up. <a href="/graphiql">GraphiQL</a> explores the API at
<code>/graphql</code>; its schema is <a href="/graphql/schema.graphql">here</a>. Mail and text messages stay in the
<a href="/demo/outbox">outbox</a>.</p>
<div class="wide" role="region" aria-label="Sign-ins" tabindex="0">
<table>
<caption>Sign-ins</caption>
<thead><tr><th scope="col">Practice</th><th scope="col">Tier</th><th scope="col">Role</th><th scope="col">E-mail</th>\
<th scope="col">Password</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
{schedule}<p>The clock moves by <code>POST /demo/clock</code> with <code>{{"seconds": 3600}}</code> as JSON.</p>"""
    return Response(page("Bedside demo", body), media_type=MediaType.HTML, headers=HEADERS)


def _schedule(platform: Platform) -> str:
    """Return what can be tried with the schedule, as HTML."""
    shown = "\n".join(
        f"<article>\n<p>As <code>{escape(each.who)}</code>: {escape(each.what)}</p>\n"
        f"<pre><code>{escape(each.operation)}</code></pre>\n</article>"
        for each in tries(platform.clock.now())
    )
    return f"""<h2 id="schedule">The schedule</h2>
<p>Each practice has appointments around today. These are operations for GraphiQL, with whom to sign in as:</p>
{shown}
"""


def demo_routes() -> list[Route]:
    """Return the routes."""
    return [front, move_clock, sign_ins]
