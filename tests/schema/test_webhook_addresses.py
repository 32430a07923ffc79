"""Webhooks never reach an inner address, whatever a name says when it is asked again (G6)."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import tls_stage
from accounts_stage import rows
from deployment import APPS, Deployment, Person, served
from webhooks_stage import CREATE, LOOPBACK, hooked, receiving

from bedside_core.auth import Role
from bedside_core.config import Config
from bedside_core.outward import is_public
from bedside_core.testing import Database
from bedside_core.webhooks import sending
from bedside_core.webhooks.sending import Sender

INNER = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "100.127.255.254", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe", "100::1", "not an address", "", "1.1.1", "0x7f.1", "2130706433",
]  # fmt: skip
OUTER = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.rule("G6")
def test_which_addresses_are_of_the_internet() -> None:
    assert [address for address in INNER if is_public(address)] == []
    assert [address for address in OUTER if not is_public(address)] == []


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def strict(fresh_database: Database) -> AsyncGenerator[Deployment, None]:
    async with served(fresh_database, worker=True) as running:
        yield running


@pytest_asyncio.fixture
async def owner(strict: Deployment) -> Person:
    return await strict.person(await strict.practice(), Role.OWNER)


REFUSED = [
    "http://partner.example/", "ftp://partner.example/", "https://user:secret@partner.example/", "https://", "partner",
    "https://partner.example/#part", "https://partner.example:0/", "https://partner.example:99999/", "https://[::1",
    "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/", "https://169.254.169.254/latest/meta-data",
    "https://10.0.0.1:8443/", "https://[64:ff9b::7f00:1]/", "https://partner.example/a b", "https://pärtner.example/",
    "https://partner.example/" + "x" * 1000, "file:///etc/passwd", "https://100.64.0.1/",
]  # fmt: skip


@pytest.mark.rule("G6")
async def test_what_can_t_be_a_receiver_is_not_registered(
    strict: Deployment, fresh_database: Database, owner: Person
) -> None:
    for url in REFUSED:
        body = await strict.ask(CREATE, owner.token, u=url, t=["contact.added"], c="c")
        facts = body["errors"][0]["extensions"]
        assert (facts["code"], facts["field"]) == ("INVALID_INPUT", ["url"]), url
    assert await rows(fresh_database, "SELECT * FROM webhook_endpoint") == []


def pretend(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Answer lookups of hooks.example one after the other, the last for ever; returns the names that were asked."""
    asked: list[str] = []
    really = socket.getaddrinfo

    def resolved(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        if host not in {"hooks.example", b"hooks.example", "localhost", "rebound.example"}:
            return really(host, port, *rest, **options)
        asked.append(str(host))
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    return asked


@pytest.mark.rule("G6")
@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.5", "169.254.169.254", "100.64.0.1"])
async def test_a_name_that_leads_to_an_inner_address_is_not_sent_to(
    strict: Deployment, owner: Person, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    async with receiving() as receiver:
        pretend(monkeypatch, [address])
        hook = await hooked(strict, owner, f"https://hooks.example:{receiver.port}/")
        await hook.happens()
        tried = await hook.tried(1)
        assert (tried["state"], tried["status"], tried["reason"]) == (
            "WAITING", None, "The name leads to an inner address.",
        )  # fmt: skip
        assert receiver.connections == 0


@pytest.mark.rule("G6")
async def test_the_address_that_was_checked_is_the_one_that_is_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = tls_stage.contexts(tmp_path)
    async with receiving(server) as receiver:
        # To the first who asks the name is the receiver's; to any later one it is an inner address, and the reverse.
        sender = Sender(Config(webhook_networks=("127.0.0.1/32",)), tls=client)
        asked = pretend(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
        outcome = await sender.post(receiver.url("localhost"), b"{}", {}, plain=False)
        assert (outcome.status, outcome.delivered, len(asked)) == (204, True, 1)
        outcome = await sender.post(receiver.url("localhost"), b"{}", {}, plain=False)
        assert (outcome.status, outcome.reason) == (None, "The name leads to an inner address.")
        assert receiver.connections == 1


@pytest.mark.rule("G6")
async def test_of_several_addresses_inner_ones_are_never_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as receiver:
        pretend(monkeypatch, ["10.0.0.1", "127.0.0.1"])
        sender = Sender(Config(webhook_networks=LOOPBACK))
        outcome = await sender.post(f"http://hooks.example:{receiver.port}/", b"{}", {}, plain=False)
        assert (outcome.status, receiver.connections) == (204, 1)


@pytest.mark.rule("G6")
async def test_the_certificate_is_checked_by_name_though_the_address_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = tls_stage.contexts(tmp_path)
    async with receiving(server) as receiver:
        pretend(monkeypatch, ["127.0.0.1"])
        networks = Config(webhook_networks=LOOPBACK)
        good = await Sender(networks, tls=client).post(receiver.url("localhost"), b"{}", {}, plain=False)
        assert good.status == 204
        other = await Sender(networks, tls=client).post(receiver.url("hooks.example"), b"{}", {}, plain=False)
        assert (other.status, other.delivered) == (None, False)
        unknown = await Sender(networks).post(receiver.url("localhost"), b"{}", {}, plain=False)
        assert (unknown.status, unknown.delivered) == (None, False)
        assert len(receiver.got) == 1


@pytest.mark.rule("G6")
async def test_redirects_are_not_followed_and_answers_are_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as inner, receiving() as receiver:
        sender = Sender(Config(webhook_networks=LOOPBACK))
        receiver.answers += [
            f"HTTP/1.1 307 Go\r\nlocation: {inner.url()}\r\ncontent-length: 0\r\n\r\n".encode(),
            b"HTTP/1.1 200 OK\r\ncontent-length: 100000000000\r\n\r\n" + b"x" * 100_000,
            b"HTTP/1.1 200 OK\r\nbig: " + b"x" * 100_000 + b"\r\n\r\n",
            b"nothing that is HTTP\r\n\r\n",
        ]
        redirected = await sender.post(receiver.url(), b"{}", {}, plain=False)
        assert (redirected.status, redirected.delivered, inner.connections) == (307, False, 0)
        endless = await sender.post(receiver.url(), b"{}", {}, plain=False)
        assert (endless.status, endless.delivered) == (200, True)
        for _ in range(2):
            odd = await sender.post(receiver.url(), b"{}", {}, plain=False)
            assert (odd.status, odd.delivered) == (None, False)


@pytest.mark.rule("G6")
async def test_a_receiver_that_never_answers_is_left_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sender = Sender(Config(webhook_networks=LOOPBACK))
        outcome = await sender.post(f"http://127.0.0.1:{silent.getsockname()[1]}/", b"{}", {}, plain=False)
    assert (outcome.status, outcome.reason) == (None, "The receiver took longer than 0.2 s.")
    assert outcome.milliseconds >= 150


@pytest.mark.rule("G6")
async def test_without_tls_only_the_operator_s_own_networks_are_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, ["1.1.1.1"])
    sender = Sender(Config(webhook_networks=LOOPBACK))
    outcome = await sender.post("http://hooks.example/", b"{}", {}, plain=False)
    assert (outcome.status, outcome.reason) == (None, "The name leads to an inner address.")
