"""Which pages may call what: GraphQL, uploads, downloads, tokens and sockets, by the allow-list of origins (G1, G5)."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio
import websockets
from accounts_stage import cheap_hashes, rows
from applications_stage import ORIGIN, REMOVE, Client, registered
from deployment import APPS, Deployment, Person, served

from bedside_core import origins
from bedside_core.auth import COOKIE, Role
from bedside_core.testing import Database

LISTED = "https://partner.example"
EVIL = "https://evil.example"
CREATE = """mutation($n: String!, $s: Int!, $h: String!) {
    createUpload(name: $n, size: $s, sha256: $h, clientId: "u") { id url } }"""
CONTENT = b"Some plain text for a file.\n"


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def deployment(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Deployment, None]:
    monkeypatch.setattr(origins, "REMEMBERED_SECONDS", 0.0)
    with cheap_hashes():
        async with served(fresh_database, allowed_origins=(LISTED,)) as running:
            yield running


@pytest_asyncio.fixture
async def owner(deployment: Deployment) -> Person:
    return await deployment.person(await deployment.practice(), Role.OWNER)


async def upload_of(deployment: Deployment, token: str) -> str:
    """Create an upload and return its path."""
    digest = hashlib.sha256(CONTENT).hexdigest()
    made = await deployment.data(CREATE, token, n="note.txt", s=len(CONTENT), h=digest)
    return made["createUpload"]["url"]


@pytest.mark.rule("G1")
@pytest.mark.rule("G5")
@pytest.mark.parametrize("origin", [LISTED, ORIGIN])
async def test_a_page_of_an_allowed_origin_uploads_and_downloads_with_a_token(
    deployment: Deployment, owner: Person, origin: str
) -> None:
    client = Client(deployment, await registered(deployment, owner.token, scopes=["files.upload", "files.download"]))
    token = (await client.tokens(owner.token))["access_token"]
    path = await upload_of(deployment, token)
    asking = {
        "origin": origin, "access-control-request-method": "PUT",
        "access-control-request-headers": "authorization,content-type,upload-offset,upload-complete",
    }  # fmt: skip
    asked = await deployment.http.options(path, headers=asking)
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, origin)
    assert "PUT" in asked.headers["access-control-allow-methods"].split(", ")
    sent = set(asked.headers["access-control-allow-headers"].split(", "))
    assert set(asking["access-control-request-headers"].split(",")) <= sent
    assert "access-control-allow-credentials" not in asked.headers
    ours = {"origin": origin, "authorization": f"Bearer {token}"}
    put = await deployment.http.put(path, content=CONTENT, headers=ours)
    assert (put.status_code, put.headers["access-control-allow-origin"]) == (200, origin)
    assert put.headers["vary"] == "origin"
    told = set(put.headers["access-control-expose-headers"].split(", "))
    assert {"upload-offset", "upload-complete", "upload-length", "x-request-id", "retry-after"} <= told
    got = await deployment.http.get(f"/files/{put.json()['id']}", headers=ours)
    assert (got.status_code, got.headers["access-control-allow-origin"]) == (200, origin)
    missing = await deployment.http.get("/files/nothing", headers=ours)
    assert (missing.status_code, missing.headers["access-control-allow-origin"]) == (404, origin)
    nobody = await deployment.http.get("/files/nothing", headers={"origin": origin})
    assert (nobody.status_code, nobody.headers["access-control-allow-origin"]) == (401, origin)


@pytest.mark.rule("G1")
async def test_a_page_of_an_application_gets_tokens_and_asks_and_no_more_once_it_is_taken_away(
    deployment: Deployment, owner: Person
) -> None:
    client = Client(deployment, await registered(deployment, owner.token))
    code = await client.code(owner.token)
    fields = {
        "client_id": client.id, "grant_type": "authorization_code", "code": code,
        "redirect_uri": client.redirect, "code_verifier": client.verifier,
    }  # fmt: skip
    answer = await deployment.http.post("/oauth/token", data=fields, headers={"origin": ORIGIN})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, ORIGIN)
    sent = {"origin": ORIGIN, "authorization": f"Bearer {answer.json()['access_token']}"}
    body = {"query": "{ patients { nodes { id } } }"}
    asked = await deployment.http.post("/graphql", json=body, headers=sent)
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert asked.json()["data"] == {"patients": {"nodes": []}}
    assert (await socket_of(deployment, ORIGIN)) is True
    await deployment.data(REMOVE, owner.token, i=client.id)
    asked = await deployment.http.post("/graphql", json=body, headers=sent)
    assert (asked.status_code, "access-control-allow-origin" in asked.headers) == (403, False)
    assert asked.json()["code"] == "ORIGIN_NOT_ALLOWED"
    assert (await socket_of(deployment, ORIGIN)) is False


async def socket_of(deployment: Deployment, origin: str) -> bool:
    """Tell whether a page of an origin may open a socket."""
    address = deployment.url.replace("http", "ws", 1) + "/graphql"
    protocol = [websockets.Subprotocol("graphql-transport-ws")]
    try:
        async with websockets.connect(address, subprotocols=protocol, origin=websockets.Origin(origin)):
            return True
    except websockets.InvalidStatus as refused:
        assert refused.response.status_code == 403
        return False


FOREIGN: list[Any] = [
    pytest.param({"origin": EVIL}, id="evil"),
    pytest.param({"origin": "null"}, id="null"),
    pytest.param({"origin": "https://partner.example.evil.example"}, id="longer"),
    pytest.param({"origin": "http://partner.example"}, id="other scheme"),
    pytest.param({"origin": "https://partner.example:8443"}, id="other port"),
    pytest.param({"origin": EVIL, "x-bedside-csrf": "1"}, id="with our header"),
]


@pytest.mark.rule("G1")
@pytest.mark.promise("G2")
@pytest.mark.parametrize("headers", FOREIGN)
async def test_other_pages_change_nothing_and_read_nothing_by_whatever_they_carry(
    deployment: Deployment, fresh_database: Database, owner: Person, headers: dict[str, str]
) -> None:
    path = await upload_of(deployment, owner.token)
    before = await rows(fresh_database, "SELECT * FROM file")
    sign_out = {"query": "mutation { signOut }"}
    for carried in ({"cookie": f"{COOKIE}={owner.token}"}, {"authorization": f"Bearer {owner.token}"}):
        sent = {**headers, **carried}
        form = {**sent, "content-type": "application/x-www-form-urlencoded"}
        for answer in (
            await deployment.http.post("/graphql", json=sign_out, headers=sent),
            await deployment.http.post(
                "/graphql", content='{"query": "mutation { signOut }"}', headers={**sent, "content-type": "text/plain"}
            ),
            await deployment.http.post("/graphql", content="query=mutation{signOut}", headers=form),
            await deployment.http.put(path, content=CONTENT, headers=sent),
            await deployment.http.patch(path, content=CONTENT, headers={**sent, "upload-offset": "0"}),
            await deployment.http.delete(path, headers=sent),
            await deployment.http.post("/oauth/revoke", data={"token": "x"}, headers=sent),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "ORIGIN_NOT_ALLOWED")
            assert "access-control-allow-origin" not in answer.headers
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
        seen = await deployment.http.head(path, headers=sent)  # no browser hands it on
        assert "access-control-allow-origin" not in seen.headers
        asking = {**headers, "access-control-request-method": "PUT"}
        for where in ("/graphql", path, "/oauth/token"):
            asked = await deployment.http.options(where, headers=asking)
            assert (asked.status_code, "access-control-allow-origin" in asked.headers) == (403, False)
    assert await rows(fresh_database, "SELECT * FROM file") == before
    assert (await deployment.data("{ viewer { role } }", owner.token))["viewer"] == {"role": "OWNER"}
    assert (await socket_of(deployment, headers["origin"])) is False


@pytest.mark.rule("G1")
@pytest.mark.promise("G2")
async def test_our_cookie_uploads_from_our_own_pages_only(deployment: Deployment, owner: Person) -> None:
    path = await upload_of(deployment, owner.token)
    cookie = {"cookie": f"{COOKIE}={owner.token}"}
    for headers in ({}, {"origin": LISTED}, {"origin": LISTED, "x-bedside-csrf": "1"}):
        refused = await deployment.http.put(path, content=CONTENT, headers={**cookie, **headers})
        assert refused.status_code == 401
    put = await deployment.http.put(path, content=CONTENT, headers={**cookie, "origin": deployment.url})
    assert (put.status_code, "access-control-allow-origin" in put.headers) == (200, False)


@pytest.mark.rule("G1")
async def test_it_is_remembered_for_a_moment_whether_an_origin_is_registered(
    deployment: Deployment, owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def registered_origin(origin: str) -> bool:
        asked.append(origin)
        return origin == ORIGIN

    there = origins.Origins(deployment.platform.config, registered_origin)
    monkeypatch.setattr(origins, "REMEMBERED_SECONDS", 60.0)
    for _ in range(3):
        assert await there.allowed(ORIGIN, "h.example") is True
        assert await there.allowed(EVIL, "h.example") is False
        assert await there.allowed(LISTED, "h.example") is True
        assert await there.allowed("https://h.example", "h.example") is True
        assert await there.allowed("null", "h.example") is False
    assert asked == [ORIGIN, EVIL]


@pytest.mark.promise("G3")
async def test_an_answer_to_an_unknown_host_has_safe_headers_too(fresh_database: Database) -> None:
    async with served(fresh_database, public_url="https://bay.example") as deployment:
        answer = await deployment.http.get("/health/live", headers={"host": "evil.example"})
        assert answer.status_code == 421
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["referrer-policy"] == "no-referrer"
