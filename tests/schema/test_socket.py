"""The WebSocket of /graphql against the text of graphql-transport-ws, on real sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from graphql_stage import PROTOCOL, Stage, codes, stage, until
from websockets.exceptions import InvalidStatus

from bedside_core.auth import COOKIE
from bedside_core.config import Config

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Stage]:
    async with stage(address_budget=10_000_000, session_budget=10_000_000, operations_per_socket=5) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def here(server: Stage) -> AsyncIterator[Stage]:
    server.world.reset()
    yield server
    await until(lambda: len(server.sockets) == 0)
    assert (server.sockets.running, server.sockets.followed, server.world.streams) == (0, 0, 0)


def subscribe(payload: object, id: object = "1") -> dict[str, Any]:
    return {"type": "subscribe", "id": id, "payload": payload}


HELLO = {"query": "{ hello }"}

MALFORMED: list[Any] = [
    # What is sent on an acknowledged socket; it is closed with 4400 for each.
    pytest.param("{not json", id="no JSON"),
    pytest.param("", id="empty"),
    pytest.param("[" * 50_000, id="nested"),
    pytest.param(b"\x00\x01", id="binary"),
    pytest.param(json.dumps({"type": "ping"}).encode(), id="binary JSON"),
    pytest.param([1], id="array"),
    pytest.param([{"type": "ping"}], id="batch"),
    pytest.param(None, id="null"),
    pytest.param(7, id="number"),
    pytest.param("text", id="string"),
    pytest.param(True, id="boolean"),
    pytest.param({}, id="no type"),
    pytest.param({"type": None}, id="null type"),
    pytest.param({"type": 7}, id="number type"),
    pytest.param({"type": ["ping"]}, id="array type"),
    pytest.param({"type": ""}, id="empty type"),
    pytest.param({"type": "start", "id": "1", "payload": HELLO}, id="type of the older protocol"),
    pytest.param({"type": "next", "id": "1", "payload": {}}, id="next is the server's"),
    pytest.param({"type": "error", "id": "1", "payload": []}, id="error is the server's"),
    pytest.param({"type": "connection_ack"}, id="ack is the server's"),
    pytest.param({"type": "ping", "payload": "text"}, id="ping string payload"),
    pytest.param({"type": "ping", "payload": [1]}, id="ping array payload"),
    pytest.param({"type": "ping", "payload": 0}, id="ping number payload"),
    pytest.param({"type": "pong", "payload": False}, id="pong boolean payload"),
    pytest.param({"type": "subscribe", "payload": HELLO}, id="no id"),
    pytest.param(subscribe(HELLO, None), id="null id"),
    pytest.param(subscribe(HELLO, 5), id="number id"),
    pytest.param(subscribe(HELLO, ["1"]), id="array id"),
    pytest.param(subscribe(HELLO, {"a": 1}), id="object id"),
    pytest.param(subscribe(HELLO, ""), id="empty id"),
    pytest.param(subscribe(HELLO, "x" * 256), id="long id"),
    pytest.param({"type": "subscribe", "id": "1"}, id="no payload"),
    pytest.param(subscribe(None), id="null payload"),
    pytest.param(subscribe("{ hello }"), id="string payload"),
    pytest.param(subscribe([HELLO]), id="array payload"),
    pytest.param(subscribe(7), id="number payload"),
    pytest.param(subscribe({}), id="no query"),
    pytest.param(subscribe({"query": None}), id="null query"),
    pytest.param(subscribe({"query": 7}), id="number query"),
    pytest.param(subscribe({"query": ["{ hello }"]}), id="array query"),
    pytest.param(subscribe({"query": {"a": 1}}), id="object query"),
    pytest.param(subscribe({**HELLO, "operationName": 7}), id="number operationName"),
    pytest.param(subscribe({**HELLO, "operationName": {"a": 1}}), id="object operationName"),
    pytest.param(subscribe({**HELLO, "operationName": ["a"]}), id="array operationName"),
    pytest.param(subscribe({**HELLO, "operationName": True}), id="boolean operationName"),
    pytest.param(subscribe({**HELLO, "variables": "text"}), id="string variables"),
    pytest.param(subscribe({**HELLO, "variables": 7}), id="number variables"),
    pytest.param(subscribe({**HELLO, "variables": [1]}), id="array variables"),
    pytest.param(subscribe({**HELLO, "variables": False}), id="boolean variables"),
    pytest.param(subscribe({**HELLO, "extensions": "text"}), id="string extensions"),
    pytest.param(subscribe({**HELLO, "extensions": 7}), id="number extensions"),
    pytest.param(subscribe({**HELLO, "extensions": ["a"]}), id="array extensions"),
    pytest.param({"type": "complete"}, id="complete without id"),
    pytest.param({"type": "complete", "id": 7}, id="complete number id"),
    pytest.param({"type": "complete", "id": ""}, id="complete empty id"),
]


@pytest.mark.parametrize("message", MALFORMED)
async def test_a_message_of_unknown_form_closes_with_4400(here: Stage, message: object) -> None:
    client = await here.ready()
    raw = message if isinstance(message, bytes) else message if isinstance(message, str) and message != "text" else None
    await client.connection.send(raw if raw is not None else json.dumps(message))
    code, reason = await client.closed()
    assert code == 4400
    assert reason


@pytest.mark.parametrize("payload", ["text", 7, [1], False])
async def test_an_init_payload_that_is_no_object_closes_with_4400(here: Stage, payload: object) -> None:
    client = await here.connect()
    await client.send({"type": "connection_init", "payload": payload})
    assert (await client.closed())[0] == 4400


@pytest.mark.parametrize("init", [{}, {"payload": None}, {"payload": {}}, {"payload": {"other": [1]}}, {"extra": 1}])
async def test_an_init_without_token_is_acknowledged(here: Stage, init: dict[str, Any]) -> None:
    client = await here.connect()
    await client.send({"type": "connection_init", **init})
    assert await client.receive() == {"type": "connection_ack"}
    await client.close()


async def test_a_second_init_closes_with_4429(here: Stage) -> None:
    client = await here.ready()
    await client.send({"type": "connection_init"})
    assert await client.closed() == (4429, "Too many initialisation requests")


async def test_two_inits_at_once_close_with_4429(here: Stage) -> None:
    client = await here.connect()
    await client.send({"type": "connection_init"})
    await client.send({"type": "connection_init"})
    assert await client.closed() == (4429, "Too many initialisation requests")


async def test_an_operation_before_the_acknowledgement_closes_with_4401(here: Stage) -> None:
    client = await here.connect()
    await client.subscribe("1", "mutation { bump }")
    assert await client.closed() == (4401, "Unauthorized")
    assert here.world.bumps == 0


@pytest.mark.parametrize("token", ["Bearer wrong", "Bearer ", "Basic wrong", "wrong", ["Bearer wrong"], 7, {"a": 1}])
async def test_a_wrong_token_closes_with_4403(here: Stage, token: object) -> None:
    here.world.sign_in("right")
    client = await here.connect()
    await client.send({"type": "connection_init", "payload": {"authorization": token}})
    assert await client.closed() == (4403, "Forbidden")


async def test_a_socket_that_says_nothing_closes_with_4408() -> None:
    async with stage(init_seconds=0.05) as here:
        assert await (await here.connect()).closed() == (4408, "Connection initialisation timeout")


async def test_an_id_in_use_closes_with_4409(here: Stage) -> None:
    client = await here.ready()
    await client.subscribe("same", "subscription { ticks }")
    await client.subscribe("same", "{ hello }")
    assert await client.closed() == (4409, "Subscriber for same already exists")


async def test_an_id_in_use_is_told_in_a_reason_of_bounded_length(here: Stage) -> None:
    client = await here.ready()
    for _ in range(2):
        await client.subscribe("ä" * 200, "subscription { ticks }")
    assert await client.closed() == (4409, f"Subscriber for {'ä' * 40} already exists")


@pytest.mark.parametrize("subprotocols", [["graphql-ws"], ["chat", "graphql-ws"], []])
async def test_another_subprotocol_closes_with_4406(here: Stage, subprotocols: list[str]) -> None:
    client = await here.connect(subprotocols=subprotocols)
    assert client.connection.subprotocol is None
    assert await client.closed() == (4406, "Subprotocol not acceptable")


async def test_ours_is_chosen_among_several_subprotocols(here: Stage) -> None:
    client = await here.connect(subprotocols=["graphql-ws", PROTOCOL])
    assert client.connection.subprotocol == PROTOCOL
    await client.close()


@pytest.mark.parametrize("payload", [None, {}, {"a": [1, None, "ä"]}])
async def test_a_pong_repeats_the_payload(here: Stage, payload: object) -> None:
    client = await here.connect()
    await client.send({"type": "ping", "payload": payload})
    assert await client.receive() == {"type": "pong", "payload": payload}
    await client.send({"type": "ping"})
    assert await client.receive() == {"type": "pong"}
    await client.send({"type": "pong", "payload": payload})
    await client.close()


async def test_a_query_and_a_mutation_answer_once_and_complete(here: Stage) -> None:
    client = await here.ready()
    await client.send(subscribe({"query": "query A { hello } mutation B { bump }", "operationName": "B"}, "m"))
    answer = await client.receive()
    assert (answer["type"], answer["id"], answer["payload"]["data"]) == ("next", "m", {"bump": 1})
    assert await client.receive() == {"type": "complete", "id": "m"}
    await client.subscribe("m", "{ hello coded }")
    answer = await client.receive()
    assert (answer["type"], answer["payload"]["data"]) == ("next", {"hello": "hello", "coded": None})
    assert codes(answer["payload"]) == ["INVALID_INPUT"]
    assert await client.receive() == {"type": "complete", "id": "m"}
    await client.close()


async def test_a_subscription_answers_each_event_and_completes(here: Stage) -> None:
    client = await here.ready()
    await client.subscribe('odd "id"\n', "subscription ($to: Int!) { count(to: $to) }", to=3)
    received = [await client.receive() for _ in range(4)]
    assert [message.get("payload") for message in received] == [{"data": {"count": number}} for number in range(3)] + [
        None
    ]
    assert {message["id"] for message in received} == {'odd "id"\n'}
    assert [message["type"] for message in received] == ["next", "next", "next", "complete"]
    await client.close()


FAULTY: list[Any] = [
    pytest.param({"query": "{"}, "GRAPHQL_PARSE_FAILED", id="syntax"),
    pytest.param({"query": "{ nothing }"}, "GRAPHQL_VALIDATION_FAILED", id="field"),
    pytest.param({"query": "query A { hello } query B { hello }"}, "OPERATION_UNKNOWN", id="ambiguous"),
    pytest.param({"query": "query ($t: String!) { echo(text: $t) }"}, "INVALID_INPUT", id="variable"),
    pytest.param({"query": "subscription ($t: Int!) { count(to: $t) }"}, "INVALID_INPUT", id="variable of a stream"),
    pytest.param({"query": "subscription { teamTicks }"}, "UNAUTHENTICATED", id="gate"),
    pytest.param({"query": "{ " + "a: hello " * 40 + "}"}, "TOO_MANY_ALIASES", id="limit"),
    pytest.param({"documentId": "sha256:00"}, "PERSISTED_DOCUMENT_UNKNOWN", id="document id"),
    pytest.param({"query": "#" * 70_000}, "DOCUMENT_TOO_LARGE", id="long document"),
    pytest.param({**HELLO, "variables": {"t": "x" * 300_000}}, "VARIABLES_TOO_LARGE", id="long variables"),
]


@pytest.mark.parametrize(("payload", "code"), FAULTY)
async def test_a_faulty_operation_ends_alone(here: Stage, payload: dict[str, Any], code: str) -> None:
    client = await here.ready()
    await client.subscribe("good", "subscription { ticks }")
    await until(lambda: here.world.streams == 1)
    await client.send(subscribe(payload, "bad"))
    answer = await client.receive()
    assert (answer["type"], answer["id"]) == ("error", "bad")
    assert codes({"errors": answer["payload"]}) == [code]
    await here.world.tick()
    assert (await client.receive())["payload"] == {"data": {"ticks": "1"}}
    await client.send(subscribe(HELLO, "bad"))  # the id is free again
    assert (await client.receive())["id"] == "bad"
    await client.close()


@pytest.mark.promise("P1")
@pytest.mark.parametrize("name", ['breaks(text: "x")', "quits"])
async def test_a_stream_that_breaks_ends_alone_with_a_coded_error(here: Stage, name: str) -> None:
    client = await here.ready()
    await client.subscribe("1", f"subscription {{ {name} }}")
    assert (await client.receive())["type"] == "next"
    answer = await client.receive()
    assert (answer["type"], codes({"errors": answer["payload"]})) == ("error", ["INTERNAL"])
    await client.subscribe("1", "{ hello }")
    assert (await client.receive())["payload"]["data"] == {"hello": "hello"}
    await client.close()


async def test_complete_ends_the_stream_and_frees_the_id(here: Stage) -> None:
    client = await here.ready()
    await client.subscribe("1", "subscription { ticks }")
    await until(lambda: here.world.streams == 1)
    await client.send({"type": "complete", "id": "1"})
    await until(lambda: here.world.streams == 0)
    await client.send({"type": "complete", "id": "1"})
    await client.send({"type": "complete", "id": "never"})
    await here.world.tick()
    await client.subscribe("1", "{ hello }")
    assert (await client.receive())["payload"]["data"] == {"hello": "hello"}
    await client.close()


async def test_complete_before_the_result_drops_it(here: Stage) -> None:
    client = await here.ready()
    await client.subscribe("1", "{ hangs }")
    await until(lambda: here.world.hanging == 1)
    await client.send({"type": "complete", "id": "1"})
    await until(lambda: here.world.hanging == 0)
    await client.send({"type": "ping"})
    assert await client.receive() == {"type": "pong"}
    await client.close()


async def test_a_stream_that_clings_to_life_is_not_heard_after_complete(here: Stage) -> None:
    client = await here.ready()
    await client.subscribe("1", "subscription { stubborn }")
    await until(lambda: here.world.streams == 1)
    await client.send({"type": "complete", "id": "1"})
    await until(lambda: here.world.stubborn == 1 and here.world.streams == 1)
    await here.world.tick()
    await until(lambda: here.world.streams == 0)
    await client.send({"type": "ping"})
    assert await client.receive() == {"type": "pong"}
    await client.close()


@pytest.mark.promise("G1")
async def test_a_flood_of_subscriptions_is_refused_one_by_one(here: Stage) -> None:
    client = await here.ready()
    for number in range(105):
        await client.subscribe(str(number), "subscription { ticks }")
    refused = [await client.receive() for _ in range(100)]
    assert {code for message in refused for code in codes({"errors": message["payload"]})} == {"TOO_MANY_OPERATIONS"}
    assert refused[0]["payload"][0]["extensions"]["limit"] == 5
    await until(lambda: here.world.streams == 5)
    assert here.sockets.running == 5
    await client.close()


@pytest.mark.promise("G1")
async def test_a_message_that_is_too_big_closes_with_1009(here: Stage) -> None:
    client = await here.ready()
    await client.connection.send(json.dumps({"type": "ping", "payload": {"a": "x" * 400_000}}))
    assert (await client.closed())[0] == 1009


@pytest.mark.rule("G1")
async def test_the_token_of_the_init_says_who_asks(here: Stage) -> None:
    actor = here.world.sign_in("right")
    client = await here.ready("right")
    await client.subscribe("1", "{ me }")
    assert (await client.receive())["payload"]["data"] == {"me": str(actor.account_id)}
    await client.close()


@pytest.mark.rule("G1")
@pytest.mark.promise("G2")
async def test_a_cookie_counts_only_for_pages_of_our_own(here: Stage) -> None:
    actor = here.world.sign_in("ours")
    for options, who in (({"origin": here.origin}, str(actor.account_id)), ({}, None)):
        client = await here.ready(additional_headers={"cookie": f"{COOKIE}=ours"}, **options)
        await client.subscribe("1", "{ me }")
        assert (await client.receive())["payload"]["data"] == {"me": who}
        await client.close()


@pytest.mark.rule("G1")
@pytest.mark.promise("G2")
@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_a_socket_of_another_page_is_refused(here: Stage, origin: str) -> None:
    here.world.sign_in("ours")
    with pytest.raises(InvalidStatus) as refused:
        await here.connect(origin=origin, additional_headers={"cookie": f"{COOKIE}=ours"})
    assert refused.value.response.status_code == 403


@pytest.mark.rule("G1")
async def test_a_socket_of_a_listed_origin_is_accepted() -> None:
    async with stage(core=Config(plugins=(), allowed_origins=("https://partner.example",))) as here:
        client = await here.ready(origin="https://partner.example")
        await client.close()


async def test_an_expired_cookie_is_nobody_and_not_refused(here: Stage) -> None:
    client = await here.ready(origin=here.origin, additional_headers={"cookie": f"{COOKIE}=old"})
    await client.subscribe("1", "{ me }")
    assert (await client.receive())["payload"]["data"] == {"me": None}
    await client.close()


async def test_a_database_that_is_away_closes_with_a_code_to_try_again(here: Stage) -> None:
    here.world.database_away = True
    client = await here.connect()
    await client.send({"type": "connection_init", "payload": {"authorization": "Bearer any"}})
    assert await client.closed() == (4503, "Try again in a few seconds")
