"""Serves the plain sign-in page and those that links in mails lead to; opening one changes nothing (A7)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.params import FromPath

from bedside_core import errors
from bedside_core.accounts.way_back import RETURN, is_way_back
from bedside_core.client import PAGE_POLICY
from bedside_core.routes import Route, public_route

FOLDER = Path(__file__).parent / "pages"
PAGES = ("sign-in", "register", "reset", "confirm-email", "terms")
"""Names of the pages, which are their addresses."""
FILES: Mapping[str, str] = {
    "account.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(("common.js", "texts.js", *(f"{name}.js" for name in PAGES)), "text/javascript; charset=utf-8"),
}
"""What they load, from below /account/, with its type."""


@cache
def _content(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def _page(name: str) -> Route:
    @get(f"/{name}", guards=[public_route], media_type=MediaType.HTML, sync_to_thread=False, name=f"account-{name}")
    def page(request: Request[Any, Any, Any]) -> Response[bytes]:
        if not all(map(is_way_back, request.query_params.getall(RETURN, []))):
            raise errors.InvalidInput("The way back leads to a path of this deployment.", field=(RETURN,))
        headers = {"content-security-policy": PAGE_POLICY, "cache-control": "no-cache"}
        return Response(_content(f"{name}.html"), media_type=MediaType.HTML, headers=headers)

    return page


@get("/account/{name:str}", guards=[public_route], sync_to_thread=False)
def account_file(name: FromPath[str]) -> Response[bytes]:
    """Return what a page loads."""
    if name not in FILES:
        raise errors.NotFound("There is nothing here.")
    return Response(_content(name), media_type=FILES[name], headers={"cache-control": "no-cache"})


def account_routes() -> list[Route]:
    """Return the routes."""
    return [*(_page(name) for name in PAGES), account_file]
