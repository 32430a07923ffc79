"""Web push: encrypted for the browser, signed by us, and never to an address inside the house."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import http_ece
import pytest
import pytest_asyncio
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from deployment import Person
from notify_stage import Ward, until
from notify_stage import ward as ward_
from tls_stage import contexts

from bedside_core.database import DB, acting
from bedside_core.notify.channels.push import Push, endpoint_fault, public_key
from bedside_core.notify.kinds import Channel, Recipient
from bedside_core.outward import is_public
from bedside_core.testing import Database

SUBSCRIBE = """mutation($e: String!, $p: String!, $s: String!) {
    subscribeToPush(endpoint: $e, publicKey: $p, secret: $s) }"""


def text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


KEY = text((7).to_bytes(32, "big"))


@dataclass
class Browser:
    """A browser's keys, and the push service that it is reached by."""

    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    secret: bytes = field(default_factory=lambda: os.urandom(16))
    port: int = 0
    status: int = 201
    hanging: int = 0
    got: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)

    @property
    def public(self) -> str:
        return text(
            self.key.public_key().public_bytes(
                serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
            )
        )

    async def take(self, request: web.Request) -> web.Response:
        if request.match_info["id"] == "hang":
            self.hanging += 1
            await asyncio.Event().wait()
        self.got.append((await request.read(), dict(request.headers)))
        return web.Response(status=self.status, headers={"location": "http://127.0.0.1:1/"})


@pytest_asyncio.fixture
async def browser(tmp_path: Any) -> AsyncGenerator[Browser]:
    theirs: ssl.SSLContext
    theirs, _ = contexts(tmp_path)
    browser = Browser()
    app = web.Application()
    app.router.add_post("/push/{id}", browser.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=theirs)
    await site.start()
    browser.port = runner.addresses[0][1]
    yield browser
    await runner.cleanup()


@pytest_asyncio.fixture
async def ward(fresh_database: Database) -> AsyncGenerator[Ward]:
    async with ward_(fresh_database, push_key=KEY, push_contact="mailto:ops@clinic.example") as ward:
        yield ward


async def known(ward: Ward) -> list[str]:
    with acting(ward.practice.id):
        return [row["endpoint"] for row in await DB.fetch("SELECT endpoint FROM push_subscription ORDER BY id")]


async def at_this_machine(
    ward: Ward, browser: Browser, host: str = "localhost", *, person: Person | None = None, path: str = "1"
) -> None:
    """Note the browser past the check of its endpoint, which is inside the house."""
    member = (person or ward.ada).member
    with acting(member.practice_id):
        await DB.execute(
            "INSERT INTO push_subscription VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, now())",
            member.practice_id, member.id, f"https://{host}:{browser.port}/push/{path}", browser.public,
            text(browser.secret),
        )  # fmt: skip


def let_in(ward: Ward) -> None:
    """Have pushes go to this machine, whose certificate nobody has signed."""
    way = Push(KEY, "mailto:ops@clinic.example", reachable=lambda _: True, tls=False)
    ward.deployment.platform.notify.ways = {**ward.deployment.platform.notify.ways, Channel.PUSH: way}


@pytest.mark.rule("N1")
async def test_a_browser_gets_what_it_alone_can_read(ward: Ward, browser: Browser) -> None:
    let_in(ward)
    await at_this_machine(ward, browser)
    await ward.send("ward.message", key="talk")
    await ward.pass_time(seconds=125)
    await until(lambda: len(browser.got) == 1, "the push")
    [(body, headers)] = browser.got
    told = http_ece.decrypt(body, private_key=browser.key, auth_secret=browser.secret, version="aes128gcm")
    assert b'"body": "A message from Ben Stone at Bay View"' in told
    assert headers["Content-Encoding"] == "aes128gcm"
    assert headers["Authorization"].startswith("vapid t=")
    data = await ward.deployment.data("{ pushKey }", ward.ada.token)
    assert data["pushKey"] == public_key(KEY)
    assert data["pushKey"] in headers["Authorization"]
    await ward.settled()
    assert await ward.states("PUSH") == ["sent"]


@pytest.mark.rule("N5")
async def test_a_browser_that_has_unsubscribed_is_forgotten_and_redirects_are_not_followed(
    ward: Ward, browser: Browser
) -> None:
    let_in(ward)
    await at_this_machine(ward, browser)
    for status, left in ((302, 1), (410, 0)):
        browser.status = status
        await ward.send("ward.message", key=str(status))
        await ward.pass_time(seconds=125)
        await until(lambda: bool(browser.got), "the push")
        browser.got.clear()
        await ward.settled()
        assert len(await known(ward)) == left
    assert await ward.states("PUSH") == ["failed", "failed"]


@pytest.mark.rule("N1")
async def test_a_push_server_that_hangs_holds_up_no_other_practice(ward: Ward, browser: Browser) -> None:
    let_in(ward)
    eve = await ward.deployment.person(await ward.deployment.practice("Elsewhere", tier=None), name="Eve")
    await at_this_machine(ward, browser)
    for number in range(3):
        await at_this_machine(ward, browser, person=eve, path=f"hang?{number}")
    await ward.send("ward.message", Recipient.member(eve.member.id, eve.member.practice_id), key="talk")
    await ward.pass_time(seconds=125)
    await until(lambda: browser.hanging == 1, "a push to hang")
    await ward.send("ward.message", key="talk", after=timedelta())
    await until(lambda: len(browser.got) == 1, "the other practice's", 8)  # fewer seconds than one that hangs is given


@pytest.mark.rule("N1")
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "１２７.0.0.1", "127。0。0。1", "a" * 64 + ".example"])
async def test_nothing_is_sent_to_an_inner_address_whatever_its_name(ward: Ward, browser: Browser, host: str) -> None:
    await at_this_machine(ward, browser, host)
    await ward.send("ward.message", key="talk")
    await ward.pass_time(seconds=125)
    await until(lambda: len(ward.mail.mails) == 1, "the mail")
    await ward.settled()
    assert browser.got == []
    [entry] = [entry for entry in await ward.log() if entry["channel"] == "PUSH"]
    assert len(entry["attempts"]) == 1
    assert entry["reason"] is not None
    assert (entry["state"] == "failed") == (host != "localhost")  # a name may lead elsewhere tomorrow


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://push.example/1", "https://127.0.0.1/1", "https://[::1]/1", "https://10.0.0.7/", "https://localhost/1",
        "https://169.254.169.254/latest", "https://push.example:8080/1", "https://u:p@push.example/", "https://",
        "https://[::ffff:127.0.0.1]/", "https://[", "https://" + "x" * 1000 + ".example/",
        "https://１２７.0.0.1/", "https://127。0。0。1/", "https://①②⑦.0.0.1/", "https://ⓛocalhost.localdomain/",
        "https://" + "x" * 64 + ".example/", "https://a..example/",
    ],
)  # fmt: skip
async def test_an_endpoint_inside_the_house_is_refused_when_it_is_given(ward: Ward, endpoint: str) -> None:
    assert endpoint_fault(endpoint) is not None
    browser = Browser()
    given = {"e": endpoint, "p": browser.public, "s": text(browser.secret)}
    assert await ward.deployment.code(SUBSCRIBE, ward.ada.token, **given) == "INVALID_INPUT"
    assert await known(ward) == []


async def test_a_browser_subscribes_once_and_leaves(ward: Ward) -> None:
    browser = Browser()
    given = {"e": "https://push.example/abc", "p": browser.public, "s": text(browser.secret)}
    for _ in range(2):
        assert (await ward.deployment.data(SUBSCRIBE, ward.ada.token, **given))["subscribeToPush"] is True
    assert await known(ward) == ["https://push.example/abc"]
    for wrong in ({"p": "abc"}, {"s": "****"}):
        assert await ward.deployment.code(SUBSCRIBE, ward.ada.token, **{**given, **wrong}) == "INVALID_INPUT"
    leave = "mutation($e: String!) { unsubscribeFromPush(endpoint: $e) }"
    assert (await ward.deployment.data(leave, ward.owner.token, e=given["e"]))["unsubscribeFromPush"] is False
    assert await known(ward) == ["https://push.example/abc"]
    assert (await ward.deployment.data(leave, ward.ada.token, e=given["e"]))["unsubscribeFromPush"] is True
    assert await known(ward) == []


async def test_a_person_has_twenty_browsers_at_most(ward: Ward) -> None:
    browser = Browser()
    for number in range(22):
        given = {"e": f"https://push.example/{number}", "p": browser.public, "s": text(browser.secret)}
        await ward.deployment.data(SUBSCRIBE, ward.ada.token, **given)
    assert await known(ward) == [f"https://push.example/{number}" for number in range(2, 22)]


def test_addresses_of_the_internet_are_told_from_inner_ones() -> None:
    inner = ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1",
             "fe80::1", "fc00::1", "::ffff:10.0.0.1", "2002:7f00:1::", "224.0.0.1", "ff02::1", "nonsense"]  # fmt: skip
    assert [address for address in inner if is_public(address)] == []
    assert is_public("93.184.216.34")
    assert is_public("2606:4700:4700::1111")
