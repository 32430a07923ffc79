"""`/oauth/authorize`, `/oauth/token`, `/oauth/revoke` and the metadata that names them (RFC 6749, 7009, 8414)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from litestar import Request, Response, get, post

from bedside_core.accounts.way_back import sign_in_and_back
from bedside_core.applications import pages
from bedside_core.applications.authorize import NotForRedirect, Refused, Wish, answered, single, wish_of
from bedside_core.applications.grants import ACCESS_LASTS, Tokens
from bedside_core.applications.model import Application
from bedside_core.applications.protocol import CODE, GRANTS, Fault
from bedside_core.auth import Actor
from bedside_core.entrance import is_loopback
from bedside_core.platform import Platform
from bedside_core.routes import Route, actor_of, public_route

FORM = "application/x-www-form-urlencoded"
_LONGEST_FORM = 20_000
_MOST_FIELDS = 30


@get("/.well-known/oauth-authorization-server", guards=[public_route], sync_to_thread=False)
def metadata(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """Tell clients where everything is, and what is supported (RFC 8414)."""
    issuer = issuer_of(request)
    return Response(
        {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/oauth/authorize",
            "token_endpoint": f"{issuer}/oauth/token",
            "revocation_endpoint": f"{issuer}/oauth/revoke",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": list(GRANTS),
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
            "authorization_response_iss_parameter_supported": True,
        }
    )


@get("/oauth/authorize", guards=[public_route])
async def ask(request: Request[Any, Any, Any]) -> Response[Any]:
    """Ask whoever is signed in whether an application may act for them."""
    raw = request.scope["query_string"].decode("latin-1")
    return await _put(request, _pairs(raw), decision=None)


@post("/oauth/authorize", guards=[public_route], status_code=200)
async def decide(request: Request[Any, Any, Any]) -> Response[Any]:
    """Take the answer of the page's form; the cookie counts only where it comes from our own page (promise G2)."""
    pairs = await _form(request) or []
    decision = dict(pairs).get("decision")
    asked = [(name, value) for name, value in pairs if name != "decision"]
    return await _put(request, asked, decision=decision if decision in {"allow", "deny"} else None)


@post("/oauth/token", guards=[public_route], status_code=200)
async def token(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """Give tokens for a code or a refresh token."""
    platform: Platform = request.app.state.platform
    fields = single(await _form(request) or [])
    if not fields or fields.get("grant_type") not in GRANTS:
        known = fields is not None and "grant_type" in fields
        error = "unsupported_grant_type" if known else "invalid_request"
        return _fault(Fault(error=error, description=f"Send a {FORM} form, no field twice, with a grant_type."))
    application = await _application(platform, fields)
    if application is None:
        return _fault(Fault(error="invalid_client", description="The client is not registered."))
    grants = platform.applications.grants
    exchange = fields["grant_type"] == CODE
    given = await (grants.exchange(application, fields) if exchange else grants.refresh(application, fields))
    return _tokens(given) if isinstance(given, Tokens) else _fault(given)


@post("/oauth/revoke", guards=[public_route], status_code=200)
async def revoke(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """End the sign-in that a token belongs to, on every server within a second."""
    platform: Platform = request.app.state.platform
    fields = single(await _form(request) or [])
    if not fields or "token" not in fields:
        return _fault(Fault(error="invalid_request", description=f"Send a {FORM} form with client_id and token."))
    application = await _application(platform, fields)
    if application is None:
        return _fault(Fault(error="invalid_client", description="The client is not registered."))
    await platform.applications.grants.revoke(application, fields["token"])
    return Response({})


async def _put(request: Request[Any, Any, Any], pairs: list[tuple[str, str]], decision: str | None) -> Response[Any]:
    platform: Platform = request.app.state.platform
    scope: Any = request.scope
    if scope.get("refusal") is not None:  # who asks could not be told: the database is away
        raise scope["refusal"]
    try:
        wish = await wish_of(platform.applications.registry, pairs)
    except NotForRedirect as fault:
        return pages.told("This can't go on", f"{fault} Nothing was allowed.", 400)
    issuer = issuer_of(request)
    if isinstance(wish, Refused):
        fault = wish.fault
        uri = answered(wish.redirect_uri, issuer, wish.state, error=fault.error, error_description=fault.description)
        return _to(uri)
    actor = actor_of(request)
    if request.method == "GET" and (actor is None or actor.pending is not None):  # they are asked once they have
        return _to(sign_in_and_back(f"/oauth/authorize?{urlencode(pairs)}"))
    if (page := _kept_out(actor, wish)) is not None:
        return page
    assert actor is not None
    if decision is not None:
        await platform.auth.seen(actor.session_id)
    if decision == "deny":
        return _to(answered(wish.redirect_uri, issuer, wish.state, error="access_denied"))
    if decision == "allow":
        code = await platform.applications.grants.consent(
            actor, wish.application, wish.redirect_uri, wish.scopes, wish.challenge
        )
        return _to(answered(wish.redirect_uri, issuer, wish.state, code=code))
    docs = {key: permission.doc for key, permission in platform.access.permissions.items()}
    persona = next(iter(await platform.auth.personas(actor, only=actor.person_id)), None)
    return pages.consent(wish, docs, persona.name if persona else "", persona.practice if persona else "")


def _kept_out(actor: Actor | None, wish: Wish) -> Response[str] | None:
    """Return the page for whom an application can't act."""
    if actor is None or actor.scopes is not None:
        return pages.told(
            "Sign in first",
            f"{wish.application.name} asks to act for you. Sign in here with this browser, then load this page again.",
            401,
        )
    if actor.pending is not None:
        return pages.told(
            "Your sign-in is not complete",
            "It waits for your second factor. Complete it here with this browser, then load this page again.",
            403,
        )
    if actor.person_id is None:
        return pages.told(
            "Not for operators", "Applications act for the people of practices. Nothing was allowed.", 403
        )
    if wish.application.practice_id not in {None, actor.practice_id}:
        return pages.told(
            "Not for your practice",
            f"{wish.application.name} is registered for the people of another practice. Nothing was allowed.",
            403,
        )
    return None


async def _application(platform: Platform, fields: Mapping[str, str]) -> Application | None:
    return await platform.applications.registry.find(fields.get("client_id", ""))


def issuer_of(request: Request[Any, Any, Any]) -> str:
    """Return the issuer's identifier: the public address, or by what host we were called."""
    platform: Platform = request.app.state.platform
    if platform.config.public_url is not None:
        return platform.config.public_url.rstrip("/")
    host = request.headers.get("host", "")
    return f"{'http' if is_loopback(host) else 'https'}://{host}"


async def _form(request: Request[Any, Any, Any]) -> list[tuple[str, str]] | None:
    """Return a form's fields in order; None where the body is no form, or too long for one of these."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return None
    body = await request.body()
    return None if len(body) > _LONGEST_FORM else _pairs(body.decode("utf-8", "replace"))


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return []
    return [] if any("\0" in name or "\0" in value for name, value in pairs) else pairs


def _to(uri: str) -> Response[None]:
    return Response(None, status_code=303, headers={"location": uri})


def _fault(fault: Fault) -> Response[dict[str, Any]]:
    return Response({"error": fault.error, "error_description": fault.description}, status_code=400)


def _tokens(tokens: Tokens) -> Response[dict[str, Any]]:
    return Response(
        {
            "access_token": tokens.access,
            "token_type": "Bearer",
            "expires_in": int(ACCESS_LASTS.total_seconds()),
            "refresh_token": tokens.refresh,
            "scope": " ".join(tokens.scopes),
        }
    )


def application_routes() -> list[Route]:
    """Return the routes."""
    return [metadata, ask, decide, token, revoke]
