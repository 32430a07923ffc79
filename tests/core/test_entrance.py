"""What stands before every route: hosts, headers, and when a cookie counts."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
import websockets
from deployment import APPS, Deployment, Person, served

from bedside_core.auth import COOKIE, DEVICE_COOKIE
from bedside_core.config import Config
from bedside_core.entrance import host_allowed
from bedside_core.origins import is_own_origin
from bedside_core.testing import Database

VIEWER = {"query": "{ viewer { role } }"}


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def deployment(fresh_database: Database) -> AsyncGenerator[Deployment, None]:
    async with served(fresh_database, allowed_origins=("https://partner.example",)) as running:
        yield running


@pytest_asyncio.fixture
async def ada(deployment: Deployment) -> Person:
    return await deployment.person(await deployment.practice())


@pytest.mark.rule("G1")
async def test_a_browser_signs_in_by_a_cookie_that_scripts_can_t_read(deployment: Deployment, ada: Person) -> None:
    query = (
        "mutation($e: String!, $p: String!) { signIn(email: $e, password: $p, cookie: true) { token viewer { role } } }"
    )
    variables = {"e": ada.email, "p": "a tall glass of water"}
    answer = await deployment.http.post("/graphql", json={"query": query, "variables": variables})
    assert answer.json()["data"] == {"signIn": {"token": None, "viewer": {"role": "PRACTITIONER"}}}
    device, session = sorted(answer.headers.get_list("set-cookie"), key=lambda one: one.startswith(f"{COOKIE}="))
    value, _, attributes = session.partition("; ")
    assert attributes == "Path=/; Max-Age=43200; Secure; HttpOnly; SameSite=Lax"
    assert device.startswith(f"{DEVICE_COOKIE}=") and device.endswith("; Secure; HttpOnly; SameSite=Strict")
    headers = {"cookie": value, "x-bedside-csrf": "1"}
    answer = await deployment.http.post("/graphql", json=VIEWER, headers=headers)
    assert answer.json()["data"] == {"viewer": {"role": "PRACTITIONER"}}
    answer = await deployment.http.post("/graphql", json={"query": "mutation { signOut }"}, headers=headers)
    assert answer.headers["set-cookie"] == f"{COOKIE}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"
    answer = await deployment.http.post("/graphql", json=VIEWER, headers=headers)
    assert answer.json()["data"] == {"viewer": None}


@pytest.mark.promise("G2")
@pytest.mark.parametrize(
    ("headers", "counts"),
    [
        ({}, False),
        ({"x-bedside-csrf": "1"}, True),
        ({"origin": "OWN"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "https://evil.example", "x-bedside-csrf": "1"}, False),
        ({"origin": "null"}, False),
        ({"origin": "null", "x-bedside-csrf": "1"}, False),
        ({"origin": "https://partner.example"}, False),
        ({"origin": "https://partner.example", "x-bedside-csrf": "1"}, False),
        ({"origin": "http://["}, False),
    ],
)
async def test_a_cookie_counts_only_on_requests_of_our_own_pages(
    deployment: Deployment, ada: Person, headers: dict[str, str], counts: bool
) -> None:
    headers = {name: deployment.url if value == "OWN" else value for name, value in headers.items()}
    sent = {"cookie": f"other=1; {COOKIE}={ada.token}", **headers}
    await deployment.http.post("/graphql", json={"query": "mutation { signOut }"}, headers=sent)
    still = await deployment.http.post("/graphql", json=VIEWER, headers={"authorization": f"Bearer {ada.token}"})
    assert (still.status_code == 401 or "errors" in still.json()) is counts


@pytest.mark.promise("G2")
@pytest.mark.parametrize(
    ("origin", "admitted"), [(None, False), ("OWN", True), ("null", False), ("https://evil.example", False)]
)
async def test_a_socket_with_a_cookie_is_refused_to_other_pages(
    deployment: Deployment, ada: Person, origin: str | None, admitted: bool
) -> None:
    address = deployment.url.replace("http", "ws", 1) + "/graphql"
    given = None if origin is None else websockets.Origin(deployment.url if origin == "OWN" else origin)
    headers = {"cookie": f"{COOKIE}={ada.token}"}
    protocol = [websockets.Subprotocol("graphql-transport-ws")]
    try:
        async with websockets.connect(
            address,
            subprotocols=protocol,
            additional_headers=headers,
            origin=given,
        ) as raw:
            await raw.send(json.dumps({"type": "connection_init"}))
            assert json.loads(await raw.recv())["type"] == "connection_ack"
            await raw.send(json.dumps({"id": "1", "type": "subscribe", "payload": VIEWER}))
            data = json.loads(await raw.recv())["payload"]["data"]
            assert data == {"viewer": {"role": "PRACTITIONER"} if admitted else None}
    except (websockets.InvalidStatus, websockets.ConnectionClosed):
        assert origin not in {None, "OWN"}


@pytest.mark.promise("G3")
async def test_every_answer_has_safe_headers_and_a_request_id(deployment: Deployment) -> None:
    seen: set[str] = set()
    for method, path in (("GET", "/health/live"), ("GET", "/nothing/here"), ("POST", "/graphql"), ("GET", "/web/../x")):
        answer = await deployment.http.request(method, path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["cache-control"] == "no-store"
        seen.add(answer.headers["x-request-id"])
    assert len(seen) == 4


@pytest.mark.rule("G3")
async def test_a_route_that_is_not_there_is_told_with_code_and_request_id(deployment: Deployment) -> None:
    answer = await deployment.http.get("/nothing/here")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json() == {
        "title": "There is nothing here.",
        "status": 404,
        "code": "NOT_FOUND",
        "retryable": False,
        "requestId": answer.headers["x-request-id"],
    }


@pytest.mark.parametrize(
    "path", ["/web/%2e%2e/app.py", "/web/..%2f..%2fpyproject.toml", "/web/assets", "/web//etc/passwd"]
)
async def test_nothing_beside_the_client_is_served(deployment: Deployment, path: str) -> None:
    assert (await deployment.http.get(path)).status_code == 404


async def test_ready_tells_the_plugins(deployment: Deployment) -> None:
    answer = await deployment.http.get("/health/ready")
    body = answer.json()
    assert (answer.status_code, body["ready"], body["database"], body["failed"]) == (200, True, True, {})
    assert body["plugins"]["chat"] == "ACTIVE"
    assert (await deployment.http.get("/health/live")).json() == {"alive": True}


async def test_demo_routes_are_not_there_outside_the_demo(deployment: Deployment) -> None:
    assert (await deployment.http.get("/demo")).status_code == 404
    assert (await deployment.http.post("/demo/clock", json={"seconds": 60})).status_code == 404


async def test_the_bare_address_is_a_page_that_says_what_this_is_and_leads_on(deployment: Deployment) -> None:
    page = await deployment.http.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "<h1>Bedside</h1>" in page.text
    assert re.findall(r'(?:href|src)="([^"]*)"', page.text) == ["/sign-in", "/graphiql"]
    assert "<script" not in page.text
    assert "<style" not in page.text


async def test_the_bare_address_leads_nowhere_without_a_schema(fresh_database: Database) -> None:
    async with served(fresh_database, plugins=()) as deployment:
        page = await deployment.http.get("/")
    assert page.status_code == 200
    assert "graph" not in page.text


def test_hosts_and_origins() -> None:
    demo, public, plain = Config(demo=True), Config(public_url="https://bay.example"), Config()
    hosts = ("localhost:8000", "127.0.0.1", "[::1]:8", "evil.example", "", "[")
    assert [host for host in hosts if host_allowed(host, demo)] == [
        "localhost:8000", "127.0.0.1", "[::1]:8",
    ]  # fmt: skip
    assert [host for host in ("bay.example", "evil.example", "localhost") if host_allowed(host, public)] == [
        "bay.example", "localhost",
    ]  # fmt: skip
    assert is_own_origin("https://bay.example", "anything", public)
    assert not is_own_origin("http://bay.example", "bay.example", public)
    assert is_own_origin("http://10.0.0.1:8000", "10.0.0.1:8000", plain)
    assert not is_own_origin("null", "", plain)
