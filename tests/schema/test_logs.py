"""Nothing that a client wrote reaches a log: no document, literal, variable, alias, token or value in an exception."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from graphql_stage import Stage, codes, stage, until

from bedside_core.auth import COOKIE
from bedside_graphql.errors import quiet

WORD = "CANARY7f3a"


class Everything:
    """All that was logged by anybody, at any level, as text."""

    def __init__(self) -> None:
        self.text = io.StringIO()

    def holds(self, word: str) -> bool:
        return word in self.text.getvalue()

    def __str__(self) -> str:
        return self.text.getvalue()


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Everything]:
    everything = Everything()
    handler = logging.StreamHandler(everything.text)
    handler.setLevel(logging.DEBUG)
    names = (
        "",
        "uvicorn",
        "uvicorn.error",
        "uvicorn.access",
        "asyncio",
        "websockets",
        "websockets.server",
        "strawberry",
    )
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger, logger.level, logger.handlers[:], logger.propagate, logger.disabled) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.handlers, logger.propagate, logger.disabled = [handler], False, False
    # The client's end runs in this process, too, and logs its own frames under another name.
    logging.getLogger("websockets.client").propagate = False
    monkeypatch.setattr(sys, "stderr", everything.text)
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=repr)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.PrintLoggerFactory(everything.text),
        cache_logger_on_first_use=False,
    )
    yield everything
    for logger, level, handlers, propagate, disabled in before:
        logger.setLevel(level)
        logger.handlers, logger.propagate, logger.disabled = handlers, propagate, disabled


REQUESTS: list[Any] = [
    # A request with the word in it, and the code of its answer.
    pytest.param({"query": f'{{ echo(text: "{WORD}") }}'}, None, id="literal"),
    pytest.param({"query": "query ($t: String!) { echo(text: $t) }", "variables": {"t": WORD}}, None, id="variable"),
    pytest.param({"query": f"{{ {WORD}: hello }}"}, None, id="alias"),
    pytest.param({"query": f"query {WORD} {{ hello }}", "operationName": WORD}, None, id="operation name"),
    pytest.param({"query": f"{{ hello }} # {WORD}"}, None, id="comment"),
    pytest.param({"query": "{ hello }", "extensions": {WORD: WORD}}, None, id="extensions"),
    pytest.param({"query": f'{{ echo(text: "{WORD}"'}, "GRAPHQL_PARSE_FAILED", id="syntax"),
    pytest.param({"query": f'{{ echo(text: "{WORD}\n") }}'}, "GRAPHQL_PARSE_FAILED", id="unterminated string"),
    pytest.param({"query": f"{{ {WORD} }}"}, "GRAPHQL_VALIDATION_FAILED", id="unknown field"),
    pytest.param(
        {"query": f'{{ items(first: "{WORD}") {{ nodes {{ name }} }} }}'}, "GRAPHQL_VALIDATION_FAILED", id="type"
    ),
    pytest.param(
        {"query": "query ($n: Int) { items(first: $n) { nodes { name } } }", "variables": {"n": WORD}},
        "INVALID_INPUT",
        id="variable type",
    ),
    pytest.param({"query": "{ hello }", "operationName": WORD}, "OPERATION_UNKNOWN", id="operation"),
    pytest.param({"query": "{ hello }", "variables": WORD}, "BAD_REQUEST", id="variables type"),
    pytest.param({"documentId": f"sha256:{WORD}"}, "PERSISTED_DOCUMENT_UNKNOWN", id="document id"),
    pytest.param({"query": f'{{ fails(text: "{WORD}") }}'}, "INTERNAL", id="exception"),
    pytest.param({"query": f'{{ {WORD}: fails(text: "{WORD}") }}'}, "INTERNAL", id="exception behind an alias"),
    pytest.param(
        {"query": "query ($t: String!) { fails(text: $t) a: fails(text: $t) }", "variables": {"t": WORD}},
        "INTERNAL",
        id="exceptions with a variable",
    ),
    pytest.param({"query": f"{{ a: hello {'b: hello ' * 40} }} # {WORD}"}, "TOO_MANY_ALIASES", id="limit"),
]


async def _frames(here: Stage, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Send the request by socket; return the errors."""
    client = await here.ready(WORD)
    await client.send({"type": "subscribe", "id": WORD, "payload": body})
    if "variables" in body and not isinstance(body["variables"], dict):
        assert (await client.closed())[0] == 4400
        return [{"extensions": {"code": "BAD_REQUEST"}}]
    answer = await client.receive()
    await client.close()
    return answer["payload"] if answer["type"] == "error" else answer["payload"].get("errors", [])


@pytest.mark.promise("A2")
@pytest.mark.parametrize(("body", "code"), REQUESTS)
async def test_a_request_leaves_no_word_of_itself(logs: Everything, body: dict[str, Any], code: str | None) -> None:
    async with stage() as here:
        asyncio.get_running_loop().set_exception_handler(quiet)
        here.world.sign_in(WORD)
        headers = {"authorization": f"Bearer {WORD}", "cookie": f"{COOKIE}={WORD}"}
        answer = await here.http.post(here.url, json=body, headers=headers)
        assert set(codes(answer.json())) == ({code} if code else set())
        assert {error["extensions"]["code"] for error in await _frames(here, body)} == ({code} if code else set())
        await until(lambda: len(here.sockets) == 0)
    gc.collect()
    assert not logs.holds(WORD), str(logs)
    assert logs.holds('"request"')  # the log was listened to at all
    if code == "INTERNAL":
        assert logs.holds("ValueError")
        assert logs.holds("graphql_world.py")
        assert logs.holds('"path": "fails"')
        assert logs.holds(answer.headers["x-request-id"])


@pytest.mark.promise("A2")
async def test_a_broken_stream_and_malformed_messages_leave_no_word_of_themselves(logs: Everything) -> None:
    async with stage() as here:
        asyncio.get_running_loop().set_exception_handler(quiet)
        here.world.sign_in(WORD)
        client = await here.ready(WORD)
        await client.send({"type": "ping", "payload": {"said": WORD}})
        assert await client.receive() == {"type": "pong", "payload": {"said": WORD}}
        await client.subscribe("1", f'subscription {{ breaks(text: "{WORD}") }}')
        await client.receive()
        assert codes({"errors": (await client.receive())["payload"]}) == ["INTERNAL"]
        await client.send([WORD])
        assert (await client.closed())[0] == 4400
        for text in (
            f'{{"{WORD}',
            json.dumps({"type": WORD}),
            json.dumps({"type": "connection_init", "payload": WORD}),
        ):
            client = await here.connect()
            await client.connection.send(text)
            assert (await client.closed())[0] == 4400
        client = await here.connect()
        await client.send({"type": "connection_init", "payload": {"authorization": f"Bearer no {WORD}"}})
        assert (await client.closed())[0] == 4403
        answer = await here.http.post(here.url, content=f'{{"{WORD}', headers={"content-type": "application/json"})
        assert codes(answer.json()) == ["BAD_REQUEST"]
        await until(lambda: len(here.sockets) == 0)
    gc.collect()
    assert not logs.holds(WORD), str(logs)
    assert logs.holds("ValueError")
    assert logs.holds('"path": "breaks"')


@pytest.mark.promise("A2")
async def test_an_exception_that_nobody_took_is_logged_without_its_message(logs: Everything) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(quiet)

    async def fails() -> None:
        raise ValueError(WORD)

    task = asyncio.create_task(fails())
    await asyncio.wait([task])
    del task
    gc.collect()
    assert logs.holds("ValueError")
    assert logs.holds("Task exception was never retrieved")
    assert not logs.holds(WORD), str(logs)


@pytest.mark.promise("A2")
async def test_the_handshake_and_frames_are_not_logged_where_the_server_logs_at_its_lowest_level(
    logs: Everything,
) -> None:
    async with stage() as here:
        client = await here.ready()
        # Short enough to be logged whole: of a long frame the middle is left out.
        await client.send({"type": "ping", "payload": {"a": WORD}})
        assert await client.receive() == {"type": "pong", "payload": {"a": WORD}}
        await client.close()
    assert logs.holds("[accepted]")
    assert not logs.holds(WORD), str(logs)
