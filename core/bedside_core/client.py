"""Serves the built client: pages at /<name>, hashed and precompressed files below /web/; and what stands at /."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.params import FromPath

from bedside_core import errors
from bedside_core.platform import Platform
from bedside_core.routes import Route, public_route

WEB = Path(__file__).parent / "web"
"""The built client, packed into the wheel; absent in a checkout that was not built."""

PAGES = ("graphiql",)
FOREVER = "public, max-age=31536000, immutable"

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


def _page(name: str) -> Route:
    @get(f"/{name}", guards=[public_route], media_type=MediaType.HTML, sync_to_thread=False, name=f"page-{name}")
    def page() -> Response[bytes]:
        file = WEB / f"{name}.html"
        if not file.is_file():
            raise errors.NotFound("The client is not built.", way_on="Run `make install`.")
        return Response(
            file.read_bytes(),
            media_type=MediaType.HTML,
            headers={"content-security-policy": PAGE_POLICY, "cache-control": "no-cache"},
        )

    return page


@get("/web/{path:path}", guards=[public_route], sync_to_thread=False)
def web_file(request: Request[Any, Any, Any], path: FromPath[Path]) -> Response[bytes]:
    """Return a file of the client, compressed where the browser takes that."""
    root = WEB.resolve()
    file = (root / str(path).lstrip("/")).resolve()
    if not file.is_relative_to(root) or not file.is_file() or file.suffix in {".html", ".gz"}:
        raise errors.NotFound("There is nothing here.")
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    lasting = file.is_relative_to(root / "assets")  # their names carry a hash of their content
    headers = {"cache-control": FOREVER if lasting else "no-cache", "vary": "accept-encoding"}
    compressed = file.with_name(file.name + ".gz")
    if "gzip" in request.headers.get("accept-encoding", "") and compressed.is_file():
        file = compressed
        headers["content-encoding"] = "gzip"
    return Response(file.read_bytes(), media_type=kind, headers=headers)


@get("/", guards=[public_route], media_type=MediaType.HTML, sync_to_thread=False)
def front_page(request: Request[Any, Any, Any]) -> str:
    """Say what this is to people who come by its bare address, and where developers go on."""
    platform: Platform = request.app.state.platform
    lines = ["<p>This is a server for programs. It runs.</p>"]
    if platform.plugins.active("graphql"):
        lines.append('<p><a href="/sign-in">Sign in</a></p>')
        lines.append("<p>Its API is at <code>/graphql</code>.</p>")
        if is_built():
            lines.append('<p><a href="/graphiql">GraphiQL</a> explores it.</p>')
    body = "\n".join(lines)
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Bedside</title></head>
<body>
<h1>Bedside</h1>
{body}
</body>
</html>
"""


def is_built() -> bool:
    """Tell whether every page of the client is there."""
    return all((WEB / f"{name}.html").is_file() for name in PAGES)


def client_routes() -> list[Route]:
    """Return the routes."""
    return [*(_page(name) for name in PAGES), web_file]
