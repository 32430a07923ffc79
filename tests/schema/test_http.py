"""POST /graphql against the text of GraphQL over HTTP; the ids are those of the audits that check the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import ANY

import pytest
import pytest_asyncio
from graphql_documents import HOSTILE
from graphql_stage import Stage, codes, stage

from bedside_core.auth import COOKIE
from bedside_core.config import Config

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
HELLO = {"query": "{ hello }"}
NO_FIELD = {"query": "{ 8f31403dfe404bccbb0e835f2629c6a7 }"}
UNKNOWN_FIELD = {"query": "{ doesNotExist }"}
BAD_VARIABLE = {"query": "query Q($to: String!) { echo(text: $to) }", "variables": {"to": None}}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Stage]:
    async with stage(address_budget=10_000_000) as running:
        yield running


@pytest.fixture
def here(server: Stage) -> Stage:
    server.world.reset()
    return server


async def send(
    here: Stage, body: object, *, accept: str | None = None, content_type: str | None = JSON, **headers: str
) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"accept": accept or ""} if accept is not None else {}
    if content_type:
        named["content-type"] = content_type
    request = here.http.build_request("POST", here.url, content=content, headers=named | headers)
    if accept is None:
        del request.headers["accept"]
    return await here.http.send(request)


MEDIA: list[Any] = [
    pytest.param(GRAPHQL, GRAPHQL, id="22EB"),
    pytest.param(JSON, JSON, id="4655"),
    pytest.param("*/*", JSON, id="47DE"),
    pytest.param(None, JSON, id="80D8"),
    pytest.param("", JSON, id="empty"),
    pytest.param("application/*", JSON, id="range"),
    pytest.param(f"{GRAPHQL}, {JSON};q=0.9", GRAPHQL, id="recommended"),
    pytest.param(f"{JSON}, {GRAPHQL}", GRAPHQL, id="alike"),
    pytest.param(f"{GRAPHQL};q=0.1, {JSON}", JSON, id="json preferred"),
    pytest.param(f"{JSON}, */*", JSON, id="json named"),
    pytest.param(f"{GRAPHQL}, */*", GRAPHQL, id="newer named"),
    pytest.param(f"{JSON};q=0.5, */*", GRAPHQL, id="wildcard preferred"),
    pytest.param(f"{JSON};q=0, */*", GRAPHQL, id="json forbidden"),
    pytest.param("Application/JSON;charset=UTF-8", JSON, id="case"),
    pytest.param(f"text/html, {GRAPHQL}", GRAPHQL, id="among others"),
]


@pytest.mark.parametrize(("accept", "media"), MEDIA)
async def test_the_answer_has_the_media_type_that_the_client_prefers(
    here: Stage, accept: str | None, media: str
) -> None:
    answer = await send(here, {"query": "{ __typename }"}, accept=accept)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{media}; charset=utf-8"
    assert answer.json()["data"] == {"__typename": "Query"}
    assert "errors" not in answer.json()


@pytest.mark.parametrize("accept", ["text/html", "application/xml", f"{JSON};q=0", f"{JSON};q=none", "image/*"])
async def test_a_client_that_takes_neither_media_type_gets_406(here: Stage, accept: str) -> None:
    answer = await send(here, {"query": "mutation { bump }"}, accept=accept)
    assert (answer.status_code, codes(answer.json())) == (406, ["NOT_ACCEPTABLE"])
    assert here.world.bumps == 0


DEEP = b'{"query":"{hello}","variables":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001
PARTS = "multipart/form-data; boundary=x"

BODIES: list[Any] = [
    # What is sent, the type it is said to be, and the status and code due whatever the client accepts.
    pytest.param(b"", JSON, 400, "BAD_REQUEST", id="A5BF"),
    pytest.param(b'{ "not a JSON', JSON, 400, "BAD_REQUEST", id="BCF8"),
    pytest.param(b'{"query":', JSON, 400, "BAD_REQUEST", id="cut"),
    pytest.param(b"NONSENSE", JSON, 400, "BAD_REQUEST", id="nonsense"),
    pytest.param(b'{"query":"{hello}"} trailing', JSON, 400, "BAD_REQUEST", id="trailing"),
    pytest.param(b'{"query":"\xff"}', JSON, 400, "BAD_REQUEST", id="not UTF-8"),
    pytest.param(b'{"query":"\\ud800"}', JSON, 400, "BAD_REQUEST", id="lone surrogate"),
    pytest.param(b'{"variables":' + b"[" * 100_000, JSON, 400, "BAD_REQUEST", id="nested"),
    pytest.param(
        b'{"query":"{hello}","variables":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001, JSON, 400, "BAD_REQUEST", id="deep"
    ),
    pytest.param(b"null", JSON, 400, "BAD_REQUEST", id="null"),
    pytest.param(b'"text"', JSON, 400, "BAD_REQUEST", id="string"),
    pytest.param(b"7", JSON, 400, "BAD_REQUEST", id="number"),
    pytest.param([HELLO, HELLO], JSON, 400, "BATCHING_NOT_SUPPORTED", id="batch"),
    pytest.param(b"  [ ]", JSON, 400, "BATCHING_NOT_SUPPORTED", id="empty batch"),
    pytest.param({"notquery": "{ hello }"}, JSON, 400, "BAD_REQUEST", id="423L"),
    pytest.param({"qeury": "{ hello }"}, JSON, 400, "BAD_REQUEST", id="3E3A"),
    pytest.param({"query": None}, JSON, 400, "BAD_REQUEST", id="null query"),
    pytest.param({"query": {"obj": "ect"}}, JSON, 400, "BAD_REQUEST", id="LKJ0"),
    pytest.param({"query": 0}, JSON, 400, "BAD_REQUEST", id="LKJ1"),
    pytest.param({"query": False}, JSON, 400, "BAD_REQUEST", id="LKJ2"),
    pytest.param({"query": ["array"]}, JSON, 400, "BAD_REQUEST", id="LKJ3"),
    pytest.param({**HELLO, "operationName": {"obj": "ect"}}, JSON, 400, "BAD_REQUEST", id="6C00"),
    pytest.param({**HELLO, "operationName": 0}, JSON, 400, "BAD_REQUEST", id="6C01"),
    pytest.param({**HELLO, "operationName": False}, JSON, 400, "BAD_REQUEST", id="6C02"),
    pytest.param({**HELLO, "operationName": ["array"]}, JSON, 400, "BAD_REQUEST", id="6C03"),
    pytest.param({**HELLO, "variables": "string"}, JSON, 400, "BAD_REQUEST", id="4760"),
    pytest.param({**HELLO, "variables": 0}, JSON, 400, "BAD_REQUEST", id="4761"),
    pytest.param({**HELLO, "variables": False}, JSON, 400, "BAD_REQUEST", id="4762"),
    pytest.param({**HELLO, "variables": ["array"]}, JSON, 400, "BAD_REQUEST", id="4763"),
    pytest.param({**HELLO, "extensions": "string"}, JSON, 400, "BAD_REQUEST", id="58B0"),
    pytest.param({**HELLO, "extensions": 0}, JSON, 400, "BAD_REQUEST", id="58B1"),
    pytest.param({**HELLO, "extensions": False}, JSON, 400, "BAD_REQUEST", id="58B2"),
    pytest.param({**HELLO, "extensions": ["array"]}, JSON, 400, "BAD_REQUEST", id="58B3"),
    pytest.param({**HELLO, "documentId": "sha256:00"}, JSON, 400, "BAD_REQUEST", id="both documents"),
    pytest.param({"documentId": 7}, JSON, 400, "BAD_REQUEST", id="number documentId"),
    pytest.param(HELLO, None, 415, "UNSUPPORTED_MEDIA_TYPE", id="9ABE"),
    pytest.param(HELLO, "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE", id="plain text"),
    pytest.param(HELLO, "application/graphql", 415, "UNSUPPORTED_MEDIA_TYPE", id="graphql text"),
    pytest.param(HELLO, "application/json; charset=utf-16", 415, "UNSUPPORTED_MEDIA_TYPE", id="utf-16"),
    pytest.param(HELLO, "application/jsonp", 415, "UNSUPPORTED_MEDIA_TYPE", id="nearly JSON"),
    pytest.param(b"query=%7Bhello%7D", "application/x-www-form-urlencoded", 415, "UNSUPPORTED_MEDIA_TYPE", id="form"),
    pytest.param(b"--x\r\n\r\n{}\r\n--x--", PARTS, 415, "UNSUPPORTED_MEDIA_TYPE", id="multipart"),
]


@pytest.mark.rule("G3")
@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
@pytest.mark.parametrize(("body", "content_type", "status", "code"), BODIES)
async def test_a_malformed_request_is_refused_with_a_code(
    here: Stage, body: object, content_type: str | None, status: int, code: str, accept: str
) -> None:
    answer = await send(here, body, accept=accept, content_type=content_type)
    assert (answer.status_code, codes(answer.json())) == (status, [code])
    assert answer.headers["content-type"] == f"{accept}; charset=utf-8"
    assert "data" not in answer.json()
    assert answer.json()["errors"][0]["extensions"]["requestId"] == answer.headers["x-request-id"]


FINE: list[Any] = [
    pytest.param(HELLO, id="34A2 13EE"),
    pytest.param({"query": "query Query { hello }", "operationName": "Query"}, id="8161 B8B3"),
    pytest.param({**HELLO, "variables": None}, id="94B0 0220"),
    pytest.param({**HELLO, "operationName": None}, id="94B1 0221"),
    pytest.param({**HELLO, "extensions": None}, id="94B2 0222"),
    pytest.param({**HELLO, "operationName": ""}, id="empty operationName"),
    pytest.param({**HELLO, "extensions": {"some": "value"}}, id="428F 1B7A"),
    pytest.param({**HELLO, "somethingNew": [1]}, id="unknown member"),
    pytest.param(
        {"query": 'query Q($t: String = "x") { hello echo(text: $t) }', "variables": {"t": "y"}}, id="2EA1 28B9"
    ),
]


@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
@pytest.mark.parametrize("body", FINE)
async def test_a_well_formed_request_is_answered(here: Stage, body: dict[str, Any], accept: str) -> None:
    answer = await send(here, body, accept=accept)
    assert answer.status_code == 200
    assert answer.json()["data"]["hello"] == "hello"
    assert "errors" not in answer.json()


@pytest.mark.parametrize(
    "content_type", [JSON, f"{JSON}; charset=utf-8", f'{JSON}; charset="UTF-8"', "Application/Json"]
)
async def test_requests_are_utf_8(here: Stage, content_type: str) -> None:  # 03D4, BF61, 78D5, 82A3
    answer = await send(here, {"query": '{ echo(text: "Run🏃Swim🏊") }'}, content_type=content_type)
    assert answer.status_code == 200
    assert json.loads(answer.content.decode("utf-8"))["data"]["echo"] == "Run🏃Swim🏊"


DOCUMENTS: list[Any] = [
    pytest.param({"query": "{"}, "GRAPHQL_PARSE_FAILED", id="572B 865D 556A D586"),
    pytest.param({"query": ""}, "GRAPHQL_PARSE_FAILED", id="empty"),
    pytest.param(NO_FIELD, "GRAPHQL_PARSE_FAILED", id="digit"),
    pytest.param(UNKNOWN_FIELD, "GRAPHQL_VALIDATION_FAILED", id="FDE2 51FE 74FF 5E5B"),
    pytest.param({"query": "type A { a: Int }"}, "GRAPHQL_VALIDATION_FAILED", id="definition"),
    pytest.param(BAD_VARIABLE, "INVALID_INPUT", id="7B9B 86EE"),
    pytest.param({"query": "query A { hello } query B { hello }"}, "OPERATION_UNKNOWN", id="ambiguous"),
    pytest.param({**HELLO, "operationName": "Other"}, "OPERATION_UNKNOWN", id="unknown operation"),
    pytest.param({"query": "fragment F on Query { hello }"}, "GRAPHQL_VALIDATION_FAILED", id="no operation"),
    pytest.param({"query": "subscription { count(to: 1) }"}, "SUBSCRIPTION_NEEDS_SOCKET", id="subscription"),
]


@pytest.mark.parametrize(("body", "code"), DOCUMENTS)
async def test_a_document_at_fault_is_400_and_with_the_older_media_type_200(
    here: Stage, body: dict[str, Any], code: str
) -> None:
    newer = await send(here, body, accept=GRAPHQL)
    assert (newer.status_code, codes(newer.json())) == (400, [code])
    older = await send(here, body, accept=JSON)
    assert (older.status_code, codes(older.json())) == (200, [code])
    assert "data" not in newer.json()
    assert "data" not in older.json()


@pytest.mark.parametrize("accept", [JSON, GRAPHQL])
async def test_an_answer_with_data_is_200_though_a_field_failed(here: Stage, accept: str) -> None:
    answer = await send(here, {"query": "{ hello coded team }"}, accept=accept)
    assert answer.status_code == 200
    assert answer.json()["data"] == {"hello": "hello", "coded": None, "team": None}
    assert codes(answer.json()) == ["INVALID_INPUT", "UNAUTHENTICATED"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
async def test_other_methods_are_405_and_change_nothing(here: Stage, method: str) -> None:  # 9C48
    answer = await here.http.request(method, here.url, params={"query": "mutation { bump }"})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST, OPTIONS"
    assert here.world.bumps == 0


@pytest.mark.rule("G3")
async def test_an_error_has_code_retry_request_id_field_and_way_on(here: Stage) -> None:
    answer = await send(here, {"query": "{ coded }"})
    assert answer.json()["errors"] == [
        {
            "message": "Too long.",
            "locations": [{"line": 1, "column": 3}],
            "path": ["coded"],
            "extensions": {
                "code": "INVALID_INPUT",
                "retryable": False,
                "requestId": answer.headers["x-request-id"],
                "wayOn": "Shorten it.",
                "field": ["patch", "awayMessage"],  # a service names it as Python does
                "longest": 3,
            },
        }
    ]


@pytest.mark.parametrize(("code", "document"), [pytest.param(*each[1:], id=each[0]) for each in HOSTILE])
async def test_a_refused_document_is_200_for_clients_of_application_json(here: Stage, code: str, document: str) -> None:
    answer = await send(here, {"query": document}, accept=JSON)
    status = 413 if code == "DOCUMENT_TOO_LARGE" else 200
    assert (answer.status_code, codes(answer.json())) == (status, [code])


NUL_FIELD: list[Any] = [
    pytest.param(r'{ echo(text: "a\u0000") }', {}, ["query"], id="escaped"),
    pytest.param(r'{ echo(text: "\u{0000}") }', {}, ["query"], id="braces"),
    pytest.param(r'{ echo(text: "\\\u0000") }', {}, ["query"], id="after an escaped backslash"),
    pytest.param("query ($t: String!) { echo(text: $t) }", {"t": "\0"}, ["variables"], id="variable"),
    pytest.param("query ($t: String!) { echo(text: $t) }", {"t": "a", "\0": 1}, ["variables"], id="variable's name"),
]


@pytest.mark.parametrize(("query", "variables", "field"), NUL_FIELD)
async def test_nul_is_refused_where_it_stands(
    here: Stage, query: str, variables: dict[str, str], field: list[str]
) -> None:
    answer = await send(here, {"query": query, "variables": variables})
    assert (answer.status_code, codes(answer.json())) == (400, ["BAD_REQUEST"])
    assert answer.json()["errors"][0]["extensions"]["field"] == field


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (r'{ echo(text: "\\u0000") }', r"\u0000"),
        (r'{ echo(text: "\\\\u{0}") }', r"\\u{0}"),
        (r'{ echo(text: """\u0000""") }', r"\u0000"),
        (r'{ echo(text: "a") } # \u0000', "a"),
    ],
)
async def test_what_only_looks_like_nul_is_a_text(here: Stage, query: str, text: str) -> None:
    assert (await send(here, {"query": query})).json() == {"data": {"echo": text}, "extensions": ANY}


@pytest.mark.rule("G3")
@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"amount": 1, "words": ["a", 7]}, ["wish", "words", "1"]),
        ({"words": []}, ["wish", "amount"]),
        ({"amount": 1, "words": [], "foo": 1}, ["wish", "foo"]),
        ({"amount": 1, "words": [], "f" * 300: 1}, ["wish", "f" * 100]),
        ([{"amount": 1}], ["wish"]),
        (None, ["wish"]),
    ],
)
async def test_a_wrong_variable_is_told_by_the_path_of_its_field(here: Stage, wish: object, field: list[str]) -> None:
    body = {"query": "query ($wish: Wish!) { wish(wish: $wish) }", "variables": {"wish": wish}}
    answer = await send(here, body, accept=GRAPHQL)
    assert (answer.status_code, codes(answer.json())) == (400, ["INVALID_INPUT"])
    assert answer.json()["errors"][0]["extensions"]["field"] == field


@pytest.mark.rule("G3")
@pytest.mark.parametrize("how", ["lost", "closed", "refused", "late", "deadlock"])
async def test_a_database_that_is_away_is_told_as_worth_a_retry(here: Stage, how: str) -> None:
    answer = await here.post("query ($how: String!) { away(how: $how) }", how=how)
    (error,) = answer.json()["errors"]
    assert (error["extensions"]["code"], error["extensions"]["retryable"]) == ("UNAVAILABLE", True)


@pytest.mark.promise("P1")
@pytest.mark.parametrize("name", ["fails", "quits", "cancels"])
async def test_whatever_a_resolver_raises_stays_in_its_field(here: Stage, name: str) -> None:
    answer = await here.post(f"{{ hello {name} later: hello }}")
    assert answer.json()["data"] == {"hello": "hello", name: None, "later": "hello"}
    assert codes(answer.json()) == ["INTERNAL"]
    assert answer.json()["errors"][0]["message"] == "Something failed on our side."


async def test_a_value_that_does_not_fit_its_type_is_our_fault_and_not_told(here: Stage) -> None:
    answer = await here.post("{ huge }")
    assert codes(answer.json()) == ["INTERNAL"]
    assert str(2**40) not in answer.text


async def test_an_operation_past_its_deadline_is_stopped() -> None:
    async with stage(deadline_seconds=0.05) as here:
        answer = await here.post("{ hello hangs }")
        assert (answer.status_code, codes(answer.json())) == (503, ["DEADLINE_EXCEEDED"])
        assert answer.json()["errors"][0]["extensions"]["retryable"] is True
        assert here.world.hanging == 0


async def test_a_body_that_does_not_arrive_is_408() -> None:
    async with stage(deadline_seconds=0.05) as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        head = f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {JSON}\r\nContent-Length: 50\r\n\r\n"
        writer.write(head.encode() + b'{"query":')
        assert await reader.readline() == b"HTTP/1.1 408 Request Timeout\r\n"
        writer.close()


async def test_a_cookie_set_by_a_resolver_reaches_the_browser(here: Stage) -> None:
    answer = await here.post("mutation { signIn }")
    assert answer.headers["set-cookie"] == f"{COOKIE}=fresh; Path=/; Secure; HttpOnly; SameSite=Lax"


async def test_a_token_that_has_ended_is_401(here: Stage) -> None:
    answer = await here.post("mutation { bump }", token="ended")
    assert (answer.status_code, codes(answer.json())) == (401, ["UNAUTHENTICATED"])
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert here.world.bumps == 0


async def test_a_request_waits_for_no_database_that_is_away(here: Stage) -> None:
    here.world.database_away = True
    answer = await here.post("mutation { bump }", token="any")
    assert (answer.status_code, codes(answer.json())) == (503, ["UNAVAILABLE"])
    assert here.world.bumps == 0


OUR_COOKIE = {"cookie": f"{COOKIE}=ours"}
FOREIGN: list[Any] = [
    pytest.param({"origin": "https://evil.example"}, JSON, 403, id="evil origin"),
    pytest.param({"origin": "null"}, JSON, 403, id="null origin"),
    pytest.param({"origin": "https://evil.example", "x-bedside-csrf": "1"}, JSON, 403, id="with our header"),
    pytest.param({"origin": "https://evil.example"}, "text/plain", 403, id="evil text"),
    pytest.param({}, "text/plain", 415, id="text/plain"),
    pytest.param({}, "application/x-www-form-urlencoded", 415, id="form"),
    pytest.param({}, PARTS, 415, id="multipart"),
]


@pytest.mark.rule("G1")
@pytest.mark.promise("G2")
@pytest.mark.parametrize(("headers", "content_type", "status"), FOREIGN)
async def test_another_page_changes_nothing(
    here: Stage, headers: dict[str, str], content_type: str, status: int
) -> None:
    here.world.sign_in("ours")
    answer = await send(here, {"query": "mutation { bump }"}, content_type=content_type, **headers, **OUR_COOKIE)
    assert answer.status_code == status
    assert here.world.bumps == 0


@pytest.mark.rule("G1")
@pytest.mark.promise("G2")
async def test_a_cookie_counts_only_on_requests_of_our_own_pages(here: Stage) -> None:
    actor = here.world.sign_in("ours")
    bare = await send(here, {"query": "{ me }"}, **OUR_COOKIE)
    assert bare.json()["data"] == {"me": None}
    for proof in ({"origin": here.origin}, {"x-bedside-csrf": "1"}):
        answer = await send(here, {"query": "{ me }"}, **OUR_COOKIE, **proof)
        assert answer.json()["data"] == {"me": str(actor.account_id)}


@pytest.mark.rule("G1")
async def test_pages_of_listed_origins_may_read_the_answer_and_others_may_not_ask() -> None:
    async with stage(core=Config(plugins=(), allowed_origins=("https://partner.example",))) as here:
        asking = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        listed = await here.http.options(here.url, headers={"origin": "https://partner.example", **asking})
        assert listed.status_code == 204
        assert listed.headers["access-control-allow-origin"] == "https://partner.example"
        assert listed.headers["access-control-allow-methods"] == "GET, HEAD, POST, PUT, PATCH, DELETE"
        assert "authorization" in listed.headers["access-control-allow-headers"]
        assert "access-control-allow-credentials" not in listed.headers
        evil = await here.http.options(here.url, headers={"origin": "https://evil.example", **asking})
        assert evil.status_code == 403
        assert "access-control-allow-origin" not in evil.headers
        answer = await send(here, HELLO, origin="https://partner.example")
        assert answer.json()["data"] == {"hello": "hello"}
        assert answer.headers["access-control-allow-origin"] == "https://partner.example"
        assert "ratelimit" in answer.headers["access-control-expose-headers"]
        assert answer.headers["vary"] == "origin"
