"""How sockets live and end: sessions, plans, pings, clients that take nothing, and the process that stops."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from graphql_stage import PATIENCE, PROTOCOL, Client, Stage, codes, stage, until

from bedside_core import wire
from rulebook import size

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Stage]:
    async with stage(sockets_per_session=3, sockets_per_address=2) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def here(server: Stage) -> AsyncIterator[Stage]:
    server.world.reset()
    yield server
    await until(lambda: len(server.sockets) == 0)
    assert (server.sockets.running, server.sockets.followed, server.world.streams) == (0, 0, 0)


@pytest.mark.promise("A4")
async def test_the_end_of_a_session_closes_its_sockets_and_no_others(here: Stage) -> None:
    ended, other = here.world.sign_in("ended"), here.world.sign_in("other")
    mine = [await here.ready("ended") for _ in range(2)]
    theirs = await here.ready("other")
    await mine[0].subscribe("1", "subscription { ticks }")
    await until(lambda: here.world.streams == 1)
    del here.world.sessions["ended"]
    here.world.move("session", ended.session_id)
    assert [await client.closed() for client in mine] == [(4403, "Session ended")] * 2
    await until(lambda: here.world.streams == 0)
    await theirs.subscribe("1", "{ me }")
    assert (await theirs.receive())["payload"]["data"] == {"me": str(other.account_id)}
    await theirs.close()


@pytest.mark.promise("A4")
async def test_a_changed_role_closes_the_socket_so_that_it_comes_back_as_the_new_one(here: Stage) -> None:
    before = here.world.sign_in("token")
    client = await here.ready("token")
    here.world.sign_in("token", before.practice_id)
    here.world.move("session", before.session_id)
    assert await client.closed() == (4403, "Session changed")


async def test_news_of_a_session_that_lasts_changes_nothing(here: Stage) -> None:
    actor = here.world.sign_in("token")
    client = await here.ready("token")
    here.world.move("session", actor.session_id)
    await client.subscribe("1", "{ me }")
    assert (await client.receive())["payload"]["data"] == {"me": str(actor.account_id)}
    await client.close()


@pytest.mark.promise("A4")
async def test_an_end_between_the_look_and_the_following_is_seen(here: Stage) -> None:
    here.world.sign_in("token")
    attach = here.world.attach

    def ends_meanwhile(topic: tuple[str, Any]) -> Any:
        here.world.sessions.clear()
        return attach(topic)

    here.sockets._following._attach = ends_meanwhile
    try:
        client = await here.connect()
        await client.send({"type": "connection_init", "payload": {"authorization": "Bearer token"}})
        assert await client.closed() == (4403, "Session ended")
    finally:
        here.sockets._following._attach = attach


async def test_an_expired_session_is_noticed_without_news() -> None:
    async with stage(ping_seconds=0.02, pong_seconds=0.02, recheck_seconds=0.02) as here:
        here.world.sign_in("token")
        client = await here.ready("token")
        await client.send({"type": "pong"})
        here.world.sessions.clear()
        answering = asyncio.create_task(_pongs(client))
        assert (await answering) == (4403, "Session ended")


async def _pongs(client: Any) -> tuple[int, str]:
    """Answer pings until the close."""
    try:
        while True:
            if (await client.receive())["type"] == "ping":
                await client.send({"type": "pong"})
    except Exception:
        return await client.closed()


@pytest.mark.rule("L4")
async def test_a_lost_feature_ends_its_streams_with_the_reason_and_a_regained_one_works_on_the_same_socket(
    here: Stage,
) -> None:
    practice = here.world.sign_in("token").practice_id
    here.world.features["team"].add(practice)
    client = await here.ready("token")
    await client.subscribe("gated", "subscription { teamTicks }")
    await client.subscribe("open", "subscription { ticks }")
    await until(lambda: here.world.streams == 2)
    here.world.features["team"].clear()
    here.world.move("practice", practice)
    ended = await client.receive()
    assert (ended["type"], ended["id"]) == ("error", "gated")
    assert codes({"errors": ended["payload"]}) == ["FEATURE_NOT_IN_PLAN"]
    assert ended["payload"][0]["extensions"]["feature"] == "team"
    await until(lambda: here.world.streams == 1)
    await here.world.tick()
    assert (await client.receive())["payload"] == {"data": {"ticks": "1"}}
    await client.subscribe("gated", "subscription { teamTicks }")
    assert codes({"errors": (await client.receive())["payload"]}) == ["FEATURE_NOT_IN_PLAN"]
    here.world.features["team"].add(practice)
    here.world.move("practice", practice)
    await client.subscribe("gated", "subscription { teamTicks }")
    await until(lambda: here.world.streams == 2)
    await here.world.tick()
    assert {(await client.receive())["id"] for _ in range(2)} == {"gated", "open"}
    await client.close()


@pytest.mark.rule("L8")
async def test_a_gate_that_can_not_be_asked_ends_the_stream(here: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    practice = here.world.sign_in("token").practice_id
    here.world.features["team"].add(practice)
    client = await here.ready("token")
    await client.subscribe("1", "subscription { teamTicks }")
    await until(lambda: here.world.streams == 1)
    monkeypatch.setattr(here.world, "features", None)
    here.world.move("practice", practice)
    ended = await client.receive()
    assert (ended["type"], codes({"errors": ended["payload"]})) == ("error", ["INTERNAL"])
    await client.close()


async def test_news_of_a_practice_ask_the_gates_of_all_its_sockets(here: Stage) -> None:
    practice = here.world.sign_in("one").practice_id
    here.world.sign_in("two", practice)
    here.world.features["team"].add(practice)
    clients = [await here.ready(token) for token in ("one", "two")]
    for client in clients:
        await client.subscribe("1", "subscription { teamTicks }")
    await until(lambda: here.world.streams == 2)
    assert (here.world.checks, here.sockets.followed) == (2, 3)
    here.world.move("practice", practice)
    await until(lambda: here.world.checks == 4)
    await here.world.tick()
    assert [(await client.receive())["type"] for client in clients] == ["next", "next"]
    for client in clients:
        await client.close()


async def test_one_more_socket_of_a_session_than_allowed_closes_with_4430(here: Stage) -> None:
    here.world.sign_in("many")
    here.world.sign_in("other")
    clients = [await here.ready("many") for _ in range(3)]
    further = await here.connect()
    await further.send({"type": "connection_init", "payload": {"authorization": "Bearer many"}})
    assert await further.closed() == (4430, "Too many sockets")
    await (await here.ready("other")).close()
    await clients.pop().close()
    await until(lambda: len(here.sockets) == 2)
    clients.append(await here.ready("many"))
    for client in clients:
        await client.close()


async def test_one_more_socket_of_an_address_without_sign_in_closes_with_4430(here: Stage) -> None:
    clients = [await here.ready() for _ in range(2)]
    further = await here.connect()
    await further.send({"type": "connection_init"})
    assert await further.closed() == (4430, "Too many sockets")
    for client in clients:
        await client.close()


@pytest.mark.promise("G1")
async def test_sockets_that_have_not_begun_are_counted_by_their_address(here: Stage) -> None:
    here.world.sign_in("token")
    silent = [await here.connect() for _ in range(2)]
    await until(lambda: len(here.sockets) == 2)
    further = await here.connect()
    assert await further.closed() == (4430, "Too many sockets")
    assert len(here.sockets) == 2
    for client in silent:  # once they have begun they count on their sign-in, and others may begin
        await client.send({"type": "connection_init", "payload": {"authorization": "Bearer token"}})
        assert await client.receive() == {"type": "connection_ack"}
    silent.append(await here.ready())
    for client in silent:
        await client.close()


@pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION"])
async def test_the_token_is_found_however_its_name_is_written(here: Stage, name: str) -> None:
    actor = here.world.sign_in("token")
    client = await here.connect()
    await client.send({"type": "connection_init", "payload": {name: "Bearer token"}})
    assert await client.receive() == {"type": "connection_ack"}
    await client.subscribe("1", "{ me }")
    assert (await client.receive())["payload"]["data"] == {"me": str(actor.account_id)}
    await client.close()


async def test_the_server_pings_and_closes_with_4432_where_no_pong_comes() -> None:
    async with stage(ping_seconds=0.02, pong_seconds=0.1) as here:
        client = await here.ready()
        assert await client.receive() == {"type": "ping"}
        await client.send({"type": "pong"})
        assert await client.receive() == {"type": "ping"}
        assert await client.closed() == (4432, "No pong")


@pytest.mark.promise("D4")
async def test_a_client_that_takes_nothing_is_closed_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HANG_UP_SECONDS", 0.01)
    async with stage(send_seconds=0.2) as here:
        good = await here.ready()
        await good.subscribe("1", "subscription { ticks }")
        deaf = await _deaf(here)
        await until(lambda: here.world.streams == 2)
        async with asyncio.timeout(PATIENCE):
            number = 0
            while len(here.sockets) == 2:
                await here.world.tick()
                number += 1
                assert (await good.receive())["payload"]["data"] == {"ticks": str(number)}
        await until(lambda: here.world.streams == 1)
        await here.world.tick()
        assert (await good.receive())["payload"]["data"] == {"ticks": str(number + 1)}
        assert here.sockets.running == 1
        await until(lambda: len(here.server.server_state.connections) == 1)  # what it never took is gone too
        await good.close()
        deaf.close()


@pytest.mark.promise("D4")
async def test_a_client_that_reads_again_is_told_that_it_was_too_slow() -> None:
    async with stage(send_seconds=0.2) as here:
        good, slow = await here.ready(), await here.ready()
        await good.subscribe("1", "subscription { ticks }")
        await slow.subscribe("1", "subscription { ticks(size: 200000) }")
        await until(lambda: here.world.streams == 2)
        async with asyncio.timeout(PATIENCE):
            while len(here.sockets) == 2:
                await here.world.tick()
                await good.receive()
        assert await slow.closed() == (4431, "Messages were not taken in time")
        await good.close()


async def _deaf(here: Stage) -> socket.socket:
    """Open a socket that asks for much and reads nothing of it."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(deaf, ("127.0.0.1", here.port))
    lines = [
        "GET /graphql HTTP/1.1",
        f"Host: 127.0.0.1:{here.port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Protocol: {PROTOCOL}",
    ]
    await loop.sock_sendall(deaf, ("\r\n".join(lines) + "\r\n\r\n").encode())
    assert (await loop.sock_recv(deaf, 4096)).startswith(b"HTTP/1.1 101 ")
    subscription = '{"type":"subscribe","id":"1","payload":{"query":"subscription { ticks(size: 200000) }"}}'
    for text in ('{"type":"connection_init"}', subscription):
        mask, length = b"\x00\x00\x00\x00", len(text)
        assert length < 126
        await loop.sock_sendall(deaf, bytes([0x81, 0x80 | length]) + mask + text.encode())
    return deaf


@pytest.mark.promise("D6")
async def test_a_process_that_stops_closes_its_sockets_with_a_reason_and_lets_no_more_in() -> None:
    async with stage() as here:
        here.world.sign_in("token")
        clients = [await here.ready("token"), await here.connect()]
        await clients[0].subscribe("1", "subscription { ticks }")
        await until(lambda: here.world.streams == 1)
        await here.sockets.shutdown()
        assert [await client.closed() for client in clients] == [(1012, "Service restart")] * 2
        assert (len(here.sockets), here.sockets.followed, here.world.streams) == (0, 0, 0)
        assert await (await here.connect()).closed() == (1012, "Service restart")


@pytest.mark.promise("D8")
async def test_sockets_that_are_cut_leave_nothing() -> None:
    async with stage() as here:
        await _cut(here)


async def _cut(here: Stage) -> None:
    number = size(60, 500)
    practice = here.world.sign_in("some").practice_id
    here.world.features["team"].add(practice)
    tokens = [f"t{session}" for session in range(number // 10)]
    for token in tokens:
        here.world.sign_in(token, practice)
    before = len(asyncio.all_tasks())
    clients: list[Client] = [await here.ready(tokens[index // 10]) for index in range(number)]
    for client in clients:
        await client.subscribe("1", "subscription { ticks }")
        await client.subscribe("2", "subscription { teamTicks }")
    await until(lambda: here.world.streams == 2 * number)
    await here.world.tick()
    assert (len(here.sockets), here.sockets.running, here.sockets.followed) == (number, 2 * number, len(tokens) + 1)
    for client in clients:
        transport: Any = client.connection.transport
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, linger
        )  # cut, without a farewell
        transport.abort()
    await until(lambda: (len(here.sockets), here.sockets.running, here.sockets.followed) == (0, 0, 0))
    await until(lambda: here.world.streams == 0 and not any(here.world.attached.values()))
    await until(lambda: len(asyncio.all_tasks()) <= before)
