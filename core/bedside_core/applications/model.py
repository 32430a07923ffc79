"""What an application is, and which redirect URIs, origins and names one may have (RFC 6749, 8252, 9700)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from bedside_core import errors

_MOST_URIS = 10
_MOST_SCOPES = 100
_LONGEST_NAME = 100
_LONGEST_URI = 500
_PLAIN = re.compile(r"[!#-&(-;=?-\[\]_a-z~]+")
"""Of a URI: printable ASCII without spaces, quotes, angle brackets, backslash, caret, backtick and braces."""
_NATIVE = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:/[^/].*|[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:/")
"""A scheme that is a domain turned round, and a path with one slash (RFC 8252, 7.1)."""
_HOST = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]|[a-z0-9-]+|\d{1,3}(\.\d{1,3}){3}")
_LOOPBACK = frozenset({"127.0.0.1", "[::1]"})


@dataclass(frozen=True, kw_only=True)
class Application:
    """A program of another origin, or on a device, in which people may sign in (G1). All are public clients.

    Args:
        id: OAuth's `client_id`.
        practice_id: whose people may use it; None where everybody's may.
        name: what people are asked about.
        redirect_uris: where codes may be sent, compared character by character (RFC 9700, 4.1.3), of loopback
            addresses without the port (RFC 8252, 7.3).
        origins: the browser origins it runs on.
        scopes: the permissions it may ask for.
        created_at: when it was registered.
        removed_at: when it was taken away; what was opened in it ended then.
    """

    id: UUID
    practice_id: UUID | None
    name: str
    redirect_uris: Sequence[str]
    origins: Sequence[str]
    scopes: Sequence[str]
    created_at: datetime
    removed_at: datetime | None

    def redirects_to(self, uri: str) -> bool:
        """Tell whether a redirect URI is one of the registered."""
        if uri in self.redirect_uris:
            return True
        # urlsplit leaves line breaks, tabs and an empty fragment out, with which the answer would go elsewhere.
        if "#" in uri or not _PLAIN.fullmatch(uri) or not _is_loopback(uri):
            return False
        return _without_port(uri) in {_without_port(each) for each in self.redirect_uris}


def checked_name(name: str) -> str:
    """Return a name without spaces around it.

    Raises:
        errors.InvalidInput: it is empty, too long, or has characters that don't show.
    """
    tidy = name.strip()
    if not 1 <= len(tidy) <= _LONGEST_NAME or not tidy.isprintable():
        raise errors.InvalidInput(
            f"An application has a name of 1 to {_LONGEST_NAME} characters.", field=("input", "name")
        )
    return tidy


def checked_redirects(uris: Sequence[str]) -> list[str]:
    """Return redirect URIs that a code may be sent to.

    Raises:
        errors.InvalidInput: there are none or too many, or one can't be had.
    """
    if not 1 <= len(uris) <= _MOST_URIS:
        raise errors.InvalidInput(f"Give 1 to {_MOST_URIS} redirect URIs.", field=("input", "redirectUris"))
    for uri in uris:
        if len(uri) > _LONGEST_URI or not (_is_https(uri) or _is_loopback(uri) or _NATIVE.fullmatch(uri)):
            raise errors.InvalidInput(
                "A redirect URI is https://host/path, http://127.0.0.1/path or http://[::1]/path, or that of a native "
                "application with a scheme like com.example.app:/path; without fragment and user name.",
                field=("input", "redirectUris"),
            )
        if "*" in uri or "#" in uri or not _PLAIN.fullmatch(uri):
            raise errors.InvalidInput(
                "A redirect URI is compared character by character: it has no fragment, wildcard, space or quote.",
                field=("input", "redirectUris"),
            )
    return list(dict.fromkeys(uris))


def checked_origins(origins: Sequence[str]) -> list[str]:
    """Return origins as browsers write them.

    Raises:
        errors.InvalidInput: there are too many, or one is none.
    """
    if len(origins) > _MOST_URIS:
        raise errors.InvalidInput(f"Give up to {_MOST_URIS} origins.", field=("input", "origins"))
    tidy = [origin.strip().rstrip("/").lower() for origin in origins]
    for origin in tidy:
        if not _is_origin(origin):
            raise errors.InvalidInput(
                "An origin is https://host, with its port if that is not 443; or http:// of localhost or 127.0.0.1.",
                field=("input", "origins"),
            )
    return list(dict.fromkeys(tidy))


def checked_scopes(scopes: Collection[str], known: Collection[str]) -> list[str]:
    """Return scopes in order.

    Args:
        scopes: what was given.
        known: the permissions an application can be given.

    Raises:
        errors.InvalidInput: there are none or too many, or one is not known.
    """
    wanted = sorted(set(scopes))
    if not 1 <= len(wanted) <= _MOST_SCOPES:
        raise errors.InvalidInput(f"Give 1 to {_MOST_SCOPES} scopes.", field=("input", "scopes"))
    for scope in wanted:
        if scope not in known:
            raise errors.InvalidInput(
                f"An application can't have the scope {scope[:100]!r}.",
                way_on="Take permissions, none of inviting, granting, applications, keys, plans or accounts.",
                field=("input", "scopes"),
            )
    return wanted


def form_target(uri: str) -> str:
    """Return the source expression by which a page's policy lets a form's answer go on to a redirect URI."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else f"{parts.scheme}:"


def _is_https(uri: str) -> bool:
    host = _host(uri)
    return uri.startswith("https://") and host is not None and bool(_HOST.fullmatch(host))


def _is_loopback(uri: str) -> bool:
    return uri.startswith("http://") and _host(uri) in _LOOPBACK


def _is_origin(origin: str) -> bool:
    scheme, _, rest = origin.partition("://")
    if "/" in rest or "?" in rest or "#" in rest or not _PLAIN.fullmatch(rest):
        return False
    host = _host(origin)
    if scheme == "https":
        return host is not None and bool(_HOST.fullmatch(host)) and not rest.endswith(":443")
    return scheme == "http" and host in _LOOPBACK | {"localhost"} and not rest.endswith(":80")


def _host(uri: str) -> str | None:
    """Return a URI's host as it is written; None where it has none, a user name, or a port that is no number."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return None
    if "@" in parts.netloc or not parts.netloc or port == 0:
        return None
    host = parts.netloc if port is None else parts.netloc.removesuffix(f":{port}")
    return None if host.endswith(":") else host


def _without_port(uri: str) -> str:
    parts = urlsplit(uri)
    return parts._replace(netloc=_host(uri) or "").geturl()
