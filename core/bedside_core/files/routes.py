"""`PUT /files/uploads/<id>` and `GET /files/<id>`: bytes in and out.

Resuming speaks the header fields of the IETF's "Resumable Uploads for HTTP" (draft-ietf-httpbis-resumable-upload):
`Upload-Offset`, `Upload-Complete` and `Upload-Length`; HEAD tells where an upload stands, DELETE cancels it, and a body
goes on from there by PUT or by PATCH.
"""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from litestar import HttpMethod, Request, Response, delete, get, head, route
from litestar.params import FromPath
from litestar.response import Stream

from bedside_core import errors
from bedside_core.auth import Actor
from bedside_core.files.facts import FileState, StoredFile
from bedside_core.files.names import attachment
from bedside_core.platform import Platform
from bedside_core.routes import Gate, Route, actor_of

# Nobody's browser shows it, guesses what it might be, runs anything in it, keeps it, or lends it to other pages.
_SAFE = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "cache-control": "private, no-store",
    "cross-origin-resource-policy": "same-origin",
    "x-download-options": "noopen",
}
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def _asked(request: Request[Any, Any, Any], file_id: str) -> tuple[Platform, Actor, UUID]:
    platform: Platform = request.app.state.platform
    actor = actor_of(request)
    if actor is None:  # the gate has refused it
        raise errors.Unauthenticated("You are not signed in.")
    try:
        return platform, actor, UUID(file_id)
    except ValueError:
        raise errors.NotFound("There is no file with this id that you may see.") from None


def _standing(file: StoredFile) -> dict[str, str]:
    """Return the header fields that say how far an upload has come."""
    return {
        "upload-offset": str(file.received),
        "upload-length": str(file.upload_size),
        "upload-complete": "?0" if file.state is FileState.UPLOADING else "?1",
        "cache-control": "no-store",
    }


def _number(request: Request[Any, Any, Any], name: str) -> int | None:
    text = request.headers.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,18}", text):
        raise errors.InvalidInput(f"{name} is not a number of bytes.")
    return int(text)


@route(
    "/files/uploads/{file_id:str}",
    http_method=[HttpMethod.PUT, HttpMethod.PATCH],
    guards=[Gate("files.upload")],
    request_max_body_size=None,
    status_code=200,
)
async def receive(request: Request[Any, Any, Any], file_id: FromPath[str]) -> Response[dict[str, Any]]:
    """Take the bytes of an upload: all of them, or those from `Upload-Offset` on.

    A PATCH goes on and needs the header; a PUT without it sends the whole, anew if something came before.
    """
    platform, actor, key = _asked(request, file_id)
    offset = _number(request, "upload-offset")
    if offset is None and request.method == HttpMethod.PATCH:
        raise errors.InvalidInput("PATCH goes on from `Upload-Offset`, which is missing.")
    length = _number(request, "content-length")
    file = await platform.files.uploads.receive(actor, key, offset, length, request.stream())
    told = {"id": str(file.id), "state": file.state, "received": file.received, "size": file.upload_size}
    return Response(told, headers=_standing(file))


@head("/files/uploads/{file_id:str}", guards=[Gate("files.upload")], status_code=204)
async def standing(request: Request[Any, Any, Any], file_id: FromPath[str]) -> Response[None]:
    """Tell where an upload stands."""
    platform, actor, key = _asked(request, file_id)
    return Response(None, headers=_standing(await platform.files.uploads.of(actor, key)))


@delete("/files/uploads/{file_id:str}", guards=[Gate("files.upload")], status_code=204)
async def cancel(request: Request[Any, Any, Any], file_id: FromPath[str]) -> None:
    """Take an upload away that is attached to nothing."""
    platform, actor, key = _asked(request, file_id)
    await platform.files.uploads.cancel(actor, key)


@get("/files/{file_id:str}", guards=[Gate("files.download")])
async def download(request: Request[Any, Any, Any], file_id: FromPath[str]) -> Stream | Response[str]:
    """Hand out a file, or the range of it that is asked for."""
    return await _handed_out(request, file_id, preview=False)


@get("/files/{file_id:str}/preview", guards=[Gate("files.download")])
async def preview(request: Request[Any, Any, Any], file_id: FromPath[str]) -> Stream | Response[str]:
    """Hand out the small picture of a photo."""
    return await _handed_out(request, file_id, preview=True)


async def _handed_out(request: Request[Any, Any, Any], file_id: str, *, preview: bool) -> Stream | Response[str]:
    platform, actor, key = _asked(request, file_id)
    file, stored, size = await platform.files.content(actor, key, preview=preview)
    etag = f'"{file.id.hex}{"-preview" if preview else ""}"'
    headers = {**_SAFE, "accept-ranges": "bytes", "etag": etag}
    asked = request.headers.get("range")
    if request.headers.get("if-range") not in {None, etag}:
        asked = None
    span = _span(asked, size)
    if span is None:
        headers["content-range"] = f"bytes */{size}"
        return Response("", media_type="text/plain", status_code=416, headers=headers)
    start, end = span
    if (end - start) != size:
        headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
    headers["content-length"] = str(end - start)
    name = file.name or "file"
    headers["content-disposition"] = attachment(f"{name}.preview.jpg" if preview else name)
    pieces = await platform.files.read(actor, file, stored, start, end, preview=preview)
    return Stream(
        pieces,
        status_code=206 if "content-range" in headers else 200,
        media_type="image/jpeg" if preview else file.media_type or "application/octet-stream",
        headers=headers,
    )


def _span(asked: str | None, size: int) -> tuple[int, int] | None:
    """Return first byte and the one after the last of a range (RFC 9110, 14.1.2), or None where it lies outside.

    What is no single range of bytes is answered with the whole, as the RFC allows.
    """
    found = _RANGE.fullmatch(asked.replace(" ", "")) if asked else None
    if found is None or not (found[1] or found[2]):
        return 0, size
    if not found[1]:
        last = int(found[2])
        return (max(0, size - last), size) if last else None
    start = int(found[1])
    if found[2] and int(found[2]) < start:
        return 0, size
    end = min(int(found[2]) + 1, size) if found[2] else size
    return (start, end) if start < size else None


def file_routes() -> list[Route]:
    """Return the routes."""
    return [receive, standing, cancel, download, preview]
