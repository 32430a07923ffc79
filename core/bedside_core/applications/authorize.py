"""What a request to `/oauth/authorize` asks for, and why it can't have it (RFC 6749, 4.1.1; 7636, 4.3; 9700, 2.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from bedside_core.applications.model import Application
from bedside_core.applications.protocol import Fault
from bedside_core.applications.registry import Registry

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
"""SHA-256 in base64url without padding."""
_LONGEST_STATE = 2000


class NotForRedirect(Exception):
    """The request is told on a page: nothing says that its redirect URI is the application's."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A request that can be put to somebody.

    Args:
        application: who asks.
        redirect_uri: where the answer goes.
        scopes: what is asked for.
        challenge: SHA-256 of the verifier.
        state: given back as it came.
    """

    application: Application
    redirect_uri: str
    scopes: Sequence[str]
    challenge: str
    state: str | None


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A request that is answered at its redirect URI (RFC 6749, 4.1.2.1)."""

    redirect_uri: str
    state: str | None
    fault: Fault


def single(pairs: Sequence[tuple[str, str]]) -> dict[str, str] | None:
    """Return parameters by name; None where one comes twice (RFC 6749, 3.1). Empty ones count as absent."""
    fields = dict(pairs)
    return {name: value for name, value in fields.items() if value} if len(fields) == len(pairs) else None


async def wish_of(registry: Registry, pairs: Sequence[tuple[str, str]]) -> Wish | Refused:
    """Return what a request asks for.

    Raises:
        NotForRedirect: who asks is not known, or not where the answer may go.
    """
    fields = single(pairs)
    if fields is None:
        raise NotForRedirect("A parameter of the request comes twice.")
    application = await registry.find(fields.get("client_id", ""))
    if application is None:
        raise NotForRedirect("The application that sent you here is not registered.")
    uri = fields.get("redirect_uri", "")
    if not application.redirects_to(uri):
        raise NotForRedirect("The application that sent you here named an address that is not registered.")
    state = fields.get("state")
    fault = _fault_of(application, fields)
    if fault is not None:
        return Refused(redirect_uri=uri, state=state, fault=fault)
    scopes = sorted(set(fields.get("scope", "").split())) or list(application.scopes)
    return Wish(
        application=application, redirect_uri=uri, scopes=scopes, challenge=fields["code_challenge"], state=state
    )


def _fault_of(application: Application, fields: Mapping[str, str]) -> Fault | None:
    if fields.get("response_type") != "code":
        return Fault(error="unsupported_response_type", description="response_type must be code")
    if fields.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(fields.get("code_challenge", "")):
        return Fault(error="invalid_request", description="PKCE is required: code_challenge_method must be S256")
    if len(fields.get("state", "")) > _LONGEST_STATE:
        return Fault(error="invalid_request", description="state is too long")
    if not set(fields.get("scope", "").split()) <= set(application.scopes):
        return Fault(error="invalid_scope", description="the application is not registered for one of the scopes")
    return None


def answered(redirect_uri: str, issuer: str, state: str | None, **told: str) -> str:
    """Return a redirect URI with the answer in its query, and who answers (RFC 9207)."""
    parts = urlsplit(redirect_uri)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *told.items()]
    if state is not None:
        query.append(("state", state))
    encoded = urlencode([*query, ("iss", issuer)])
    # Not by urlunsplit: com.example.app:/path would become com.example.app:///path.
    return f"{redirect_uri.partition('?')[0]}?{encoded}"
