"""Media types of GraphQL over HTTP: what a body is, and what an answer may be (RFC 9110, sections 8.3 and 12.5.1)."""

from __future__ import annotations

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"


def split(value: str) -> tuple[str, dict[str, str]]:
    """Return a media type or range and its parameters, in lower case; quotes around values are taken off."""
    kind, *rest = value.split(";")
    parameters: dict[str, str] = {}
    for part in rest:
        name, _, given = part.partition("=")
        parameters[name.strip().lower()] = given.strip().strip('"').lower()
    return kind.strip().lower(), parameters


def readable(content_type: str | None, content_encoding: str | None) -> bool:
    """Tell whether a body is JSON in UTF-8, as it came.

    Anything else is refused unread: forms and plain text can be sent by pages of any origin without asking (G2).
    """
    if content_type is None or (content_encoding or "identity").strip().lower() != "identity":
        return False
    kind, parameters = split(content_type)
    return kind == JSON and parameters.get("charset", "utf-8") in {"utf-8", "utf8"}


def chosen(accept: str | None) -> str | None:
    """Return the media type of the answer, None if the client takes neither of ours.

    Clients that name neither, or nothing at all, get application/json; those that name both alike the newer one.
    """
    if accept is None or not accept.strip():
        return JSON
    qualities: dict[str, float] = {}
    for item in accept.split(","):
        kind, parameters = split(item)
        try:
            quality = float(parameters.get("q", "1"))
        except ValueError:
            quality = 0.0
        qualities[kind] = max(quality, qualities.get(kind, 0.0))
    best = max((JSON, GRAPHQL), key=lambda kind: _rank(kind, qualities))
    return best if _rank(best, qualities)[0] > 0 else None


def _rank(kind: str, qualities: dict[str, float]) -> tuple[float, bool, bool]:
    """Order by quality, then named before meant by a wildcard, then, if both are named, the newer first."""
    for candidate in (kind, "application/*", "*/*"):
        if candidate in qualities:
            named = candidate == kind
            return qualities[candidate], named, named and kind == GRAPHQL
    return 0.0, False, False
