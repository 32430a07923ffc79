"""What authlib checks of a token request (RFC 6749, 7636), on what was read from the database before.

authlib's grants ask for clients, codes and tokens by synchronous methods; here each is answered by the one that the
request names, which the caller has taken from the database in its transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge

from bedside_core.applications.model import Application

CODE = "authorization_code"
REFRESH = "refresh_token"
GRANTS = (CODE, REFRESH)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Why a token request is refused (RFC 6749, 5.2).

    Args:
        error: one of the registered codes.
        description: for the client's developer, ASCII.
    """

    error: str
    description: str


@dataclass(frozen=True, kw_only=True)
class ShownCode:
    """A code that was taken: what it was given out for.

    Args:
        redirect_uri: where it was sent.
        scopes: what its owner consented to.
        challenge: SHA-256 of the verifier, in base64url.
    """

    redirect_uri: str
    scopes: Sequence[str]
    challenge: str


def code_fault(application: Application, fields: Mapping[str, str], code: ShownCode | None) -> Fault | None:
    """Return what is wrong with the exchange of a code, or None.

    Args:
        application: which the request's `client_id` names.
        fields: of the request's form.
        code: which the request's `code` names; None where it is unknown, used or expired.
    """
    grant: Any = _CodeGrant(_Request(fields), _Server(application))
    grant.shown = code
    CodeChallenge(required=True)(grant)
    return _fault_of(grant)


def refresh_fault(application: Application, fields: Mapping[str, str], scopes: Sequence[str] | None) -> Fault | None:
    """Return what is wrong with a refresh, or None.

    Args:
        application: which the request's `client_id` names.
        fields: of the request's form.
        scopes: of the session whose refresh token it is; None where that is unknown, used, expired or over.
    """
    grant: Any = _RefreshGrant(_Request(fields), _Server(application))
    grant.shown = None if scopes is None else _Refresh(scopes)
    return _fault_of(grant)


def _fault_of(grant: Any) -> Fault | None:
    try:
        grant.validate_token_request()
    except OAuth2Error as error:
        described = getattr(error, "description", "") or "The token is unknown, used, expired or not this client's."
        return Fault(error=str(error.error), description=str(described))
    return None


class _Request(OAuth2Request):
    def __init__(self, fields: Mapping[str, str]) -> None:
        # authlib looks at the scheme alone
        super().__init__("POST", "https://oauth.invalid/token")  # pyright: ignore[reportUnknownMemberType]
        self._fields = dict(fields)
        self.payload = BasicOAuth2Payload(self._fields)

    @property
    def form(self) -> dict[str, str]:
        return self._fields


class _Client(ClientMixin):
    """A public client, as authlib asks about it."""

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "none"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in GRANTS


class _Server(AuthorizationServer):
    def __init__(self, application: Application) -> None:
        super().__init__()
        self._application = application

    def query_client(self, client_id: str) -> _Client | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _Client() if client_id == str(self._application.id) else None

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""


class _Code:
    """A code, as authlib asks about it."""

    code_challenge_method = "S256"

    def __init__(self, shown: ShownCode) -> None:
        self._shown = shown
        self.code_challenge = shown.challenge

    def get_redirect_uri(self) -> str:
        return self._shown.redirect_uri


class _Refresh:
    """A refresh token, as authlib asks about it; it was looked up by its client already."""

    def __init__(self, scopes: Sequence[str]) -> None:
        self._scopes = scopes

    def check_client(self, client: _Client) -> bool:
        return True

    def get_scope(self) -> str:
        return " ".join(self._scopes)


class _CodeGrant(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["none"]  # noqa: RUF012 - as authlib declares it
    shown: ShownCode | None = None

    def query_authorization_code(self, code: str, client: ClientMixin) -> _Code | None:
        return None if self.shown is None else _Code(self.shown)


class _RefreshGrant(RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["none"]  # noqa: RUF012 - as authlib declares it
    shown: _Refresh | None = None

    def authenticate_refresh_token(self, refresh_token: str) -> _Refresh | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.shown
