"""The page on which an invitation is followed: plain files, nothing inline, no other host."""

from __future__ import annotations

from pathlib import Path

from litestar import MediaType, Response, get

from bedside_core.api import PAGE_POLICY, Route, public_route

WEB = Path(__file__).parent / "web"
_KINDS = {"register.js": "text/javascript", "register.css": "text/css", "icon.svg": "image/svg+xml"}


@get("/register", guards=[public_route], media_type=MediaType.HTML, sync_to_thread=False)
def register_page() -> Response[bytes]:
    """Return the page; the link's secret stands behind `#` and never comes here (A7)."""
    return Response(
        (WEB / "register.html").read_bytes(),
        media_type=MediaType.HTML,
        headers={"content-security-policy": PAGE_POLICY, "cache-control": "no-cache"},
    )


def _file(name: str, kind: str) -> Route:
    @get(f"/{name}", guards=[public_route], sync_to_thread=False, name=f"portal-{name}")
    def file() -> Response[bytes]:
        return Response((WEB / name).read_bytes(), media_type=kind, headers={"cache-control": "no-cache"})

    return file


def portal_routes() -> list[Route]:
    """Return the routes, which Bedside mounts below `/portal/`."""
    return [register_page, *(_file(name, kind) for name, kind in _KINDS.items())]
