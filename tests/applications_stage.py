"""What tests of applications share: one is registered, somebody consents in a browser, and a client asks for tokens."""

from __future__ import annotations

import base64
import hashlib
import html
import itertools
import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from deployment import Deployment

from bedside_core.auth import COOKIE

REGISTER = """mutation($i: ApplicationInput!, $c: String!) { registerApplication(input: $i, clientId: $c) {
    id name redirectUris origins scopes everybody removedAt } }"""
REMOVE = "mutation($i: ID!) { removeApplication(id: $i) }"
CALLBACK = "https://app.example/callback"
ORIGIN = "https://app.example"
_numbers = itertools.count()


def given(**changes: Any) -> dict[str, Any]:
    """What an application is registered with."""
    usual = {"name": "Front Desk", "redirectUris": [CALLBACK], "origins": [ORIGIN], "scopes": ["patients.read"]}
    return {**usual, **changes}


async def registered(deployment: Deployment, token: str, **changes: Any) -> str:
    """Register an application and return its client_id."""
    made = await deployment.data(REGISTER, token, i=given(**changes), c=f"a{next(_numbers)}")
    return made["registerApplication"]["id"]


@dataclass
class Client:
    """An application's program, and the browser of whoever uses it."""

    deployment: Deployment
    id: str
    redirect: str = CALLBACK
    scope: str | None = None
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    def asked(self, **changes: str | None) -> dict[str, str]:
        """The parameters of an authorization request."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).decode().rstrip("=")
        parameters = {
            "response_type": "code", "client_id": self.id, "redirect_uri": self.redirect, "state": "s p&c",
            "code_challenge": challenge, "code_challenge_method": "S256", "scope": self.scope, **changes,
        }  # fmt: skip
        return {name: value for name, value in parameters.items() if value is not None}

    async def page(self, token: str | None, **changes: str | None) -> httpx.Response:
        """Open the page in a browser that is signed in by its cookie."""
        headers = {"cookie": f"{COOKIE}={token}"} if token else {}
        return await self.deployment.http.get("/oauth/authorize", params=self.asked(**changes), headers=headers)

    async def answer(self, token: str, page: httpx.Response, decision: str = "allow") -> httpx.Response:
        """Press a button of the page's form."""
        fields = {name: html.unescape(value) for name, value in hidden(page)}
        headers = {"cookie": f"{COOKIE}={token}", "origin": self.deployment.url}
        sent = {**fields, "decision": decision}
        return await self.deployment.http.post("/oauth/authorize", data=sent, headers=headers)

    async def code(self, token: str, **changes: str | None) -> str:
        """Have somebody consent and return the code."""
        page = await self.page(token, **changes)
        assert page.status_code == 200, page.text
        answer = await self.answer(token, page)
        assert answer.status_code == 303, answer.text
        return told(answer)["code"]

    async def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form."""
        return await self.deployment.http.post(path, data={"client_id": self.id, **fields})

    async def exchange(self, code: str, **changes: str) -> httpx.Response:
        """Ask for tokens with a code."""
        fields = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect,
            "code_verifier": self.verifier, **changes,
        }  # fmt: skip
        return await self.post("/oauth/token", **fields)

    async def refresh(self, token: str, **changes: str) -> httpx.Response:
        """Ask for tokens with a refresh token."""
        return await self.post("/oauth/token", grant_type="refresh_token", refresh_token=token, **changes)

    async def tokens(self, token: str) -> dict[str, Any]:
        """Have somebody consent and return the tokens."""
        answer = await self.exchange(await self.code(token))
        assert answer.status_code == 200, answer.text
        return answer.json()


def hidden(page: httpx.Response) -> list[tuple[str, str]]:
    """Return the hidden fields of a page's form as they are written."""
    return re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text)


def told(answer: httpx.Response) -> dict[str, str]:
    """Return what a redirect tells in its query."""
    query = parse_qs(urlsplit(answer.headers["location"]).query, keep_blank_values=True)
    return {name: value for name, [value] in query.items()}
