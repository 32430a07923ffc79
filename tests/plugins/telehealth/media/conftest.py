"""An engine on loopback, and browsers that are closed behind the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from ipaddress import IPv4Address
from uuid import UUID, uuid4

import pytest
from plugins.telehealth.media.browsers import Browser

from bedside_telehealth.media.forwarder import Forwarder
from bedside_telehealth.media.settings import MediaSettings


@pytest.fixture(autouse=True)
def on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """The browsers' side: aioice leaves loopback out."""
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])


@pytest.fixture
def settings() -> MediaSettings:
    return MediaSettings(addresses=(IPv4Address("127.0.0.1"),))


@pytest.fixture
async def engine(settings: MediaSettings) -> AsyncIterator[Forwarder]:
    engine = Forwarder(settings)
    yield engine
    await engine.close()


@pytest.fixture
def room() -> UUID:
    return uuid4()


@pytest.fixture
async def browser(engine: Forwarder, room: UUID) -> AsyncIterator[Callable[[], Browser]]:
    """Make browsers for the room."""
    made = list[Browser]()

    def make() -> Browser:
        made.append(Browser(engine, room))
        return made[-1]

    yield make
    for each in made:
        await each.close()
