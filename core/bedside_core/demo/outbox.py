"""The demo's outbox: a page of everything that would have been sent, with links to click, and the same as JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from litestar import MediaType, Response, get
from litestar.params import FromQuery

from bedside_core.demo.look import HEADERS, page
from bedside_core.notify.channels.outbox import Kept, kept
from bedside_core.routes import Route, public_route

SHOWN = 200
"""Letters on the page, and in the JSON at most."""

_LINK = re.compile(r"https?://[^\s<>\"']+")
_CHANNELS = {"email": "E-mail", "sms": "Text message", "push": "Push message"}


@get("/demo/outbox.json", guards=[public_route])
async def outbox_json(first: FromQuery[int] = SHOWN) -> Response[list[dict[str, object]]]:
    """Return the letters as JSON, the newest first; for programs."""
    return Response(
        [
            {
                "id": str(letter.id),
                "at": letter.sent_at.isoformat(),
                "practice": letter.practice,
                "channel": letter.channel,
                "to": letter.address,
                "subject": letter.subject,
                "text": letter.body,
                "links": links(letter.body),
                "calendar": letter.calendar,
            }
            for letter in await kept(max(1, min(first, SHOWN)))
        ]
    )


@get("/demo/outbox", guards=[public_route], media_type=MediaType.HTML)
async def outbox_page() -> Response[str]:
    """Show the letters, the newest first."""
    return Response(_page(await kept(SHOWN)), media_type=MediaType.HTML, headers=HEADERS)


def links(text: str) -> list[str]:
    """Return the links in a text."""
    return list(dict.fromkeys(_LINK.findall(text)))


def _page(letters: Sequence[Kept]) -> str:
    shown = "\n".join(map(_letter, letters)) or "<p>Nothing yet. What is delayed comes when its time has come.</p>"
    return page(
        "Outbox",
        f"""<p>What the demo would have sent, the newest first. <a href="/demo/outbox">Look again</a> &middot;
<a href="/demo/outbox.json">as JSON</a> &middot; <a href="/demo">the demo</a></p>
{shown}""",
    )


def _letter(letter: Kept) -> str:
    return f"""<article>
<h2>{escape(letter.subject or _CHANNELS.get(letter.channel, letter.channel))}</h2>
<p>{_CHANNELS.get(letter.channel, escape(letter.channel))} to {escape(letter.address)} from {escape(letter.practice)},
<time datetime="{letter.sent_at.isoformat()}">{letter.sent_at:%Y-%m-%d %H:%M:%S} UTC</time></p>
<pre>{_linked(letter.body)}</pre>{_calendar(letter)}
</article>"""


def _calendar(letter: Kept) -> str:
    """Show the calendar file that would have gone with a letter, if there is one."""
    if letter.calendar is None:
        return ""
    return f"\n<details><summary>appointment.ics</summary><pre>{escape(letter.calendar)}</pre></details>"


def _linked(text: str) -> str:
    """Return a text as HTML with its links to click."""
    parts: list[str] = []
    end = 0
    for found in _LINK.finditer(text):
        url = escape(found.group())
        parts += [escape(text[end : found.start()]), f'<a href="{url}" rel="noreferrer">{url}</a>']
        end = found.end()
    return "".join([*parts, escape(text[end:])])


def outbox_routes() -> list[Route]:
    """Return the routes."""
    return [outbox_json, outbox_page]
