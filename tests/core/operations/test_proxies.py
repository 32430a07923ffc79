"""Who asks is told by trusted proxies alone: a header that a client wrote itself changes nothing (G4)."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from deployment import Deployment, served

from bedside_core.proxies import Style, look_through
from bedside_core.testing import Database
from bedside_graphql.config import GraphQLConfig

PROXIES = [ip_network(text) for text in ("10.0.0.0/8", "127.0.0.1", "fd00::/8")]


def seen(
    peer: str, *headers: tuple[str, str], style: Style = "x-forwarded", kind: str = "http"
) -> tuple[str, str, str]:
    """Client, scheme and host as they come out."""
    raw = [(b"host", b"inner:8000"), *((name.encode(), value.encode("latin-1")) for name, value in headers)]
    scope: dict[str, Any] = {"type": kind, "client": (peer, 4711), "scheme": "http", "headers": raw}
    look_through(scope, PROXIES, style)
    [host] = [value.decode() for name, value in scope["headers"] if name == b"host"]
    return scope["client"][0], scope["scheme"], host


XFF, PROTO, HOST = "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"


@pytest.mark.rule("G4")
@pytest.mark.parametrize(
    ("peer", "headers", "found"),
    [
        # Not through a proxy of ours: nothing is believed.
        ("198.51.100.9", [(XFF, "203.0.113.7"), (PROTO, "https"), (HOST, "evil.example")], "198.51.100.9"),
        ("not an address", [(XFF, "203.0.113.7")], "not an address"),
        ("10.0.0.1", [(XFF, "203.0.113.7")], "203.0.113.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        # The client wrote the left part.
        ("10.0.0.1", [(XFF, "1.1.1.1, 203.0.113.7")], "203.0.113.7"),
        ("10.0.0.1", [(XFF, "127.0.0.1, 10.9.9.9, 203.0.113.7")], "203.0.113.7"),
        ("10.0.0.1", [(XFF, "1.1.1.1"), (XFF, "203.0.113.7")], "203.0.113.7"),
        # Through two of ours.
        ("10.0.0.1", [(XFF, "1.1.1.1, 203.0.113.7, 10.0.0.2")], "203.0.113.7"),
        ("10.0.0.1", [(XFF, "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
        # What is no address ends it: the one who said so counts.
        ("10.0.0.1", [(XFF, "203.0.113.7, unknown")], "10.0.0.1"),
        ("10.0.0.1", [(XFF, "203.0.113.7, unknown, 10.0.0.2")], "10.0.0.2"),
        ("10.0.0.1", [(XFF, "203.0.113.7,")], "10.0.0.1"),
        ("10.0.0.1", [(XFF, "'; DROP TABLE--")], "10.0.0.1"),
        ("10.0.0.1", [(XFF, "203.0.113.7:4711")], "203.0.113.7"),
        ("10.0.0.1", [(XFF, "[2001:db8::1]:4711")], "2001:db8::1"),
        ("::ffff:10.0.0.1", [(XFF, "2001:db8::1")], "2001:db8::1"),
        ("10.0.0.1", [(XFF, "::ffff:203.0.113.7")], "203.0.113.7"),
        ("fd00::1", [(XFF, "203.0.113.7, fd00::2")], "203.0.113.7"),
        ("10.0.0.1", [(XFF, ", ".join(["10.1.1.1"] * 5000))], "10.1.1.1"),
        ("10.0.0.1", [("Forwarded", "for=1.1.1.1"), (XFF, "203.0.113.7")], "203.0.113.7"),
        ("10.0.0.1", [("Forwarded", "for=1.1.1.1")], "10.0.0.1"),
    ],
)
def test_the_rightmost_address_that_is_no_proxys_asks(peer: str, headers: list[tuple[str, str]], found: str) -> None:
    assert seen(peer, *headers)[0] == found


def test_scheme_and_host_come_from_the_nearest_proxy_and_have_to_be_such() -> None:
    given = [(XFF, "203.0.113.7"), (PROTO, "gopher, https"), (HOST, "evil.example, clinic.example:8443")]
    assert seen("10.0.0.1", *given) == ("203.0.113.7", "https", "clinic.example:8443")
    assert seen("10.0.0.1", *given, kind="websocket")[1] == "wss"
    assert seen("198.51.100.9", *given) == ("198.51.100.9", "http", "inner:8000")
    for wrong in ("javascript", "", "https evil"):
        assert seen("10.0.0.1", (XFF, "203.0.113.7"), (PROTO, wrong))[1] == "http"
    for wrong in ("a b", "a/b", "a@b", "", "a\x00b", "[::1", "a" * 300):
        assert seen("10.0.0.1", (XFF, "203.0.113.7"), (HOST, wrong))[2] == "inner:8000"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ('for=203.0.113.7;proto=https;host="clinic.example"', ("203.0.113.7", "https", "clinic.example")),
        ('For="[2001:db8::1]:4711"; Proto=HTTPS', ("2001:db8::1", "https", "inner:8000")),
        ('for=1.1.1.1;host=evil.example, for="203.0.113.7";proto=https', ("203.0.113.7", "https", "inner:8000")),
        ('for=203.0.113.7, for="10.0.0.2"', ("203.0.113.7", "http", "inner:8000")),
        ("for=203.0.113.7, for=_hidden", ("10.0.0.1", "http", "inner:8000")),
        ('for="1.1.1.1, for=203.0.113.7', ("10.0.0.1", "http", "inner:8000")),
        ("", ("10.0.0.1", "http", "inner:8000")),
    ],
)
def test_the_standards_header_is_read_where_the_operator_says_so(value: str, found: tuple[str, str, str]) -> None:
    assert seen("10.0.0.1", ("Forwarded", value), (XFF, "6.6.6.6"), style="forwarded") == found


async def left_for(deployment: Deployment, **headers: str) -> int:
    """Ask as nobody, and return what is left of the budget of wherever that came from."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"query": "{ plugins { name } }"}
    answer = await deployment.http.post("/graphql", json=body, headers=given)
    return answer.json()["extensions"]["cost"]["remaining"]


@pytest.mark.rule("G4")
async def test_budgets_are_counted_by_the_address_that_a_trusted_proxy_tells(fresh_database: Database) -> None:
    assert GraphQLConfig()  # the usual limits
    async with served(fresh_database, plugins=("graphql",)) as behind:
        first = await left_for(behind, x_forwarded_for="203.0.113.7")
        assert await left_for(behind, x_forwarded_for="198.51.100.9") == first
        assert await left_for(behind, x_forwarded_for="1.1.1.1, 203.0.113.7") < first
    async with served(fresh_database, plugins=("graphql",), trusted_proxies=()) as open_:
        first = await left_for(open_, x_forwarded_for="203.0.113.7")
        for spoofed in ("198.51.100.9", "127.0.0.1", ""):
            before, first = first, await left_for(open_, x_forwarded_for=spoofed)
            assert first < before


@pytest.mark.rule("G1")
async def test_the_public_url_decides_about_host_and_origin_whatever_headers_say(fresh_database: Database) -> None:
    async with served(
        fresh_database, plugins=("graphql",), public_url="https://clinic.example", trusted_proxies=()
    ) as open_:
        spoofed = {"host": "evil.example", "x-forwarded-host": "clinic.example"}
        assert (await open_.http.get("/health/live", headers=spoofed)).status_code == 421
    async with served(fresh_database, plugins=("graphql",), public_url="https://clinic.example") as behind:
        assert (await behind.http.get("/health/live", headers={"x-forwarded-for": "203.0.113.7", "host": "evil.example",
                "x-forwarded-host": "evil.example"})).status_code == 421  # fmt: skip
        for origin, status in (("https://clinic.example", 200), ("https://evil.example", 403)):
            answer = await behind.http.post(
                "/graphql",
                json={"query": "{ plugins { name } }"},
                headers={"origin": origin, "x-forwarded-for": "203.0.113.7", "x-forwarded-host": "clinic.example"},
            )
            assert answer.status_code == status


@pytest.mark.rule("G1")
async def test_cookies_are_secure_however_the_request_came(fresh_database: Database) -> None:
    async with served(fresh_database, plugins=("graphql",)) as deployment:
        person = await deployment.person(await deployment.practice(tier=None))
        for scheme in ("http", "https"):
            answer = await deployment.http.post(
                "/graphql",
                json={
                    "query": "mutation($e: String!, $p: String!) { signIn(email: $e, password: $p) { token } }",
                    "variables": {"e": person.email, "p": "a tall glass of water"},
                },
                headers={"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": scheme, "x-bedside-csrf": "1"},
            )
            cookies = answer.headers.get_list("set-cookie")
            assert all(cookie.startswith("__Host-") and "; Secure;" in cookie for cookie in cookies)
