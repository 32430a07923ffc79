"""What hostile or greedy documents meet: a code, before anything of them is executed (promise G1, rules G2, G4)."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from graphql import get_introspection_query
from graphql_documents import HOSTILE, HOSTILE_VALUES
from graphql_stage import Stage, codes, stage
from graphql_world import SCHEMA, Context, World

from bedside_core.errors import Problem
from bedside_graphql.request import read_request

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Stage]:
    async with stage(address_budget=10_000_000) as running:
        yield running


@pytest.fixture
def here(server: Stage) -> Stage:
    server.world.reset()
    return server


@pytest.mark.promise("G1")
@pytest.mark.parametrize(("code", "document"), [pytest.param(*each[1:], id=each[0]) for each in HOSTILE])
async def test_a_hostile_document_is_refused_with_its_code(here: Stage, code: str, document: str) -> None:
    answer = await here.post(document)
    assert codes(answer.json()) == [code]
    assert "data" not in answer.json()
    assert here.world.bumps == 0


@pytest.mark.promise("G1")
@pytest.mark.parametrize(
    ("code", "document", "variables"), [pytest.param(*each[1:], id=each[0]) for each in HOSTILE_VALUES]
)
async def test_hostile_variables_are_refused_with_their_code(
    here: Stage, code: str, document: str, variables: dict[str, Any]
) -> None:
    answer = await here.post(document, **variables)
    assert codes(answer.json()) == [code]
    assert "data" not in answer.json()
    assert len(answer.content) < 3_000


@pytest.mark.promise("G1")
@pytest.mark.parametrize(
    ("document", "variables"),
    [
        *(pytest.param(document, {}, id=name) for name, _, document in HOSTILE),
        *(pytest.param(document, variables, id=name) for name, _, document, variables in HOSTILE_VALUES),
    ],
)
async def test_refusing_keeps_a_core_busy_for_less_than_100_ms(
    here: Stage, document: str, variables: dict[str, Any]
) -> None:
    body = json.dumps({"query": document, "variables": variables}).encode()
    context = Context(None, "request", "127.0.0.1", False, World())
    busy: list[float] = []
    for _ in range(3):  # the least of three: Python's collecting of garbage is none of the refusal's work
        began = time.thread_time()
        try:
            answer = await here.executor.execute(read_request(body, here.executor.config), context)
        except Problem as problem:
            answer = await here.executor.refusal(problem, context)
        busy.append(time.thread_time() - began)
        assert answer.refused is not None
    assert min(busy) < 0.1


@pytest.mark.promise("G1")
async def test_variables_within_the_limits_are_taken(here: Stage) -> None:
    values = [list(range(39)) for _ in range(49)]
    answer = await here.post("query ($m: [[Int!]!]!) { matrix(rows: $m) }", m=values)
    assert answer.json()["data"] == {"matrix": 49}
    refused = await here.post("query ($m: [[Int!]!]!) { matrix(rows: $m) }", m=[*values, values[0], values[0]])
    extensions = refused.json()["errors"][0]["extensions"]
    assert (extensions["code"], extensions["limit"], extensions["unit"]) == ("VARIABLES_TOO_LARGE", 2_000, "values")
    assert extensions["field"] == ["variables"]


@pytest.mark.promise("G1")
async def test_a_document_of_twenty_like_fragments_is_no_harm(here: Stage) -> None:
    fragments = " ".join(f"fragment F{number} on Query {{ hello me team plain {{ name }} }}" for number in range(20))
    document = "{ " + " ".join(f"...F{number}" for number in range(20)) + " } " + fragments
    assert (await here.post(document)).json()["data"]["hello"] == "hello"


@pytest.mark.promise("G1")
async def test_hostile_documents_are_forgotten_and_valid_ones_remembered(here: Stage) -> None:
    before = len(here.executor.documents)
    for _, _, document in HOSTILE:
        await here.post(document)
    assert len(here.executor.documents) == before
    await here.post("{ hello  }")
    await here.post("{ hello  }")
    assert len(here.executor.documents) == before + 1


@pytest.mark.promise("G1")
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_long_is_413(here: Stage, chunked: bool) -> None:
    body = b'{"query":"mutation { bump } #' + b"a" * 400_000 + b'"}'

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000]

    headers = {"content-type": "application/json"}
    answer = await here.http.post(here.url, content=pieces() if chunked else body, headers=headers)
    assert (answer.status_code, codes(answer.json())) == (413, ["DOCUMENT_TOO_LARGE"])
    assert answer.json()["errors"][0]["extensions"]["limit"] == here.executor.config.max_message_bytes
    assert here.world.bumps == 0


@pytest.mark.promise("G1")
async def test_variables_that_are_too_long_are_413(here: Stage) -> None:
    answer = await here.post("query ($t: String!) { echo(text: $t) }", t="x" * 262_200)
    assert (answer.status_code, codes(answer.json())) == (413, ["VARIABLES_TOO_LARGE"])


@pytest.mark.rule("G2")
@pytest.mark.rule("G4")
async def test_the_cost_is_told_and_bounded(here: Stage) -> None:
    nested = "query ($n: Int) { items(first: $n) { nodes { items(first: $n) { nodes { name } } } } }"
    fine = await here.post(nested, n=10)
    cost = fine.json()["extensions"]["cost"]
    assert (cost["requested"], cost["limit"]) == (221, 10_000)
    assert fine.json()["data"]["items"]["nodes"][0]["items"]["nodes"] == [{"name": "leaf"}]
    refused = await here.post(nested, n=100)
    assert codes(refused.json()) == ["TOO_COSTLY"]
    extensions = refused.json()["errors"][0]["extensions"]
    assert (extensions["cost"], extensions["limit"]) == (20_201, 10_000)


@pytest.mark.rule("G4")
async def test_the_budget_is_told_and_when_it_is_spent_so_is_the_wait() -> None:
    async with stage(max_cost=100, session_budget=100, address_budget=1_000) as here:
        here.world.sign_in("poor")
        here.world.sign_in("other")
        first = await here.post("mutation { bump }", token="poor")
        assert first.headers["ratelimit-policy"] == '"session";q=100;w=60'
        left, seconds = first.headers["ratelimit"].removeprefix('"session";r=').split(";t=")
        assert (left, 1 <= int(seconds) <= 120) == ("90", True)
        assert first.json()["extensions"]["cost"] == {"requested": 10, "limit": 100, "remaining": 90}
        for _ in range(9):
            await here.post("mutation { bump }", token="poor")
        refused = await here.post("mutation { bump }", token="poor")
        assert (refused.status_code, codes(refused.json())) == (429, ["RATE_LIMITED"])
        extensions = refused.json()["errors"][0]["extensions"]
        assert extensions["retryable"] is True
        assert refused.headers["retry-after"] == str(extensions["retryAfter"])
        assert refused.headers["ratelimit"].startswith('"session";r=0;t=')
        assert here.world.bumps == 10
        assert (await here.post("mutation { bump }", token="other")).json()["data"] == {"bump": 11}
        assert (await here.post("{ hello }")).headers["ratelimit-policy"] == '"address";q=1000;w=60'
        client = await here.ready("poor")
        await client.subscribe("1", "mutation { bump }")
        answer = await client.receive()
        assert (answer["type"], codes({"errors": answer["payload"]})) == ("error", ["RATE_LIMITED"])
        assert answer["payload"][0]["extensions"]["retryAfter"] >= 1
        assert here.world.bumps == 11
        await client.close()


@pytest.mark.promise("G1")
async def test_refused_documents_are_paid_for() -> None:
    async with stage(max_cost=100, address_budget=100) as here:
        for _ in range(10):
            assert codes((await here.post("{ nothing }")).json()) == ["GRAPHQL_VALIDATION_FAILED"]
        assert codes((await here.post("{ nothing }")).json()) == ["RATE_LIMITED"]


@pytest.mark.promise("G1")
@pytest.mark.parametrize(
    "document",
    [
        pytest.param("{ " + "a" * 900 + " }", id="field"),
        pytest.param("{ hello(" + "a" * 900 + ": 1) }", id="argument"),
        pytest.param('{ items(first: "' + "a b " * 225 + '") { nodes { name } } }', id="value"),
        pytest.param("{ ..." + "a" * 900 + " }", id="fragment"),
        pytest.param("query ($" + "a" * 900 + ": Int) { hello }", id="variable"),
        pytest.param("{ hello } " + "a" * 900, id="syntax"),
    ],
)
async def test_no_message_repeats_more_than_a_hundred_characters_of_the_clients(here: Stage, document: str) -> None:
    [error] = (await here.post(document)).json()["errors"]
    assert len(error["message"]) < 250
    assert "a" * 101 not in error["message"]


@pytest.mark.promise("G1")
async def test_no_message_repeats_more_than_a_hundred_characters_of_a_variable(here: Stage) -> None:
    answer = await here.post("query ($n: Int) { items(first: $n) { nodes { name } } }", n="a b " * 225)
    [error] = answer.json()["errors"]
    assert error["extensions"]["code"] == "INVALID_INPUT"
    assert len(error["message"]) < 250


async def test_a_number_that_is_too_large_is_told_as_that(here: Stage) -> None:
    for member in ("variables", "extensions"):
        body = '{"query": "{ hello }", "' + member + '": {"n": ' + "9" * 5_000 + "}}"
        answer = await here.http.post(here.url, content=body, headers={"content-type": "application/json"})
        [error] = answer.json()["errors"]
        assert error["message"] == f"`{member}` holds a number that is too large."
        assert (error["extensions"]["code"], error["extensions"]["field"]) == ("BAD_REQUEST", [member])


LISTED = "{ hello }"
LISTED_ID = f"sha256:{hashlib.sha256(LISTED.encode()).hexdigest()}"


@pytest.mark.rule("G10")
async def test_a_listed_document_runs_by_its_id_and_others_are_refused_where_only_listed_ones_are_accepted(
    tmp_path: Path,
) -> None:
    file = tmp_path / "documents.json"
    documents = {LISTED_ID.removeprefix("sha256:"): LISTED}
    file.write_text(json.dumps(documents))
    async with stage(documents=documents, persisted_only=True, persisted_documents=file) as here:
        by_id = await here.http.post(here.url, json={"documentId": LISTED_ID})
        assert by_id.json()["data"] == {"hello": "hello"}
        assert (await here.post(LISTED)).json()["data"] == {"hello": "hello"}
        refused = await here.post("mutation { bump }")
        assert (refused.status_code, codes(refused.json())) == (403, ["PERSISTED_DOCUMENT_REQUIRED"])
        assert here.world.bumps == 0


@pytest.mark.rule("G10")
@pytest.mark.parametrize(
    "id", ["sha256:" + "0" * 64, LISTED_ID.removeprefix("sha256:"), LISTED_ID.upper(), "", "x-a:b"]
)
async def test_an_unknown_document_id_is_told(id: str) -> None:
    async with stage(documents={LISTED_ID.removeprefix("sha256:"): LISTED}) as here:
        headers = {"accept": "application/graphql-response+json"}
        answer = await here.http.post(here.url, json={"documentId": id}, headers=headers)
        assert (answer.status_code, codes(answer.json())) == (404, ["PERSISTED_DOCUMENT_UNKNOWN"])


@pytest.mark.rule("G10")
async def test_a_practice_can_accept_listed_documents_only() -> None:
    async with stage(documents={LISTED_ID.removeprefix("sha256:"): LISTED}) as here:
        strict, lenient = here.world.sign_in("strict").practice_id, here.world.sign_in("lenient").practice_id
        assert strict is not None
        here.world.listed_only.add(strict)
        refused = await here.post("mutation { bump }", token="strict")
        assert codes(refused.json()) == ["PERSISTED_DOCUMENT_REQUIRED"]
        assert here.world.bumps == 0
        assert (await here.post(LISTED, token="strict")).json()["data"] == {"hello": "hello"}
        assert lenient is not None
        assert (await here.post("mutation { bump }", token="lenient")).json()["data"] == {"bump": 1}


@pytest.mark.rule("G10")
async def test_an_empty_list_that_the_deployment_insists_on_lets_nothing_through(tmp_path: Path) -> None:
    file = tmp_path / "documents.json"
    file.write_text("{}")
    async with stage(documents={}, persisted_only=True, persisted_documents=file) as here:
        here.world.sign_in("token")
        for token in (None, "token"):
            refused = await here.post("mutation { bump }", token=token)
            assert (refused.status_code, codes(refused.json())) == (403, ["PERSISTED_DOCUMENT_REQUIRED"])
        assert here.world.bumps == 0


@pytest.mark.rule("G10")
@pytest.mark.parametrize(
    ("policy", "anybody", "signed_in"), [("everyone", True, True), ("signed_in", False, True), ("nobody", False, False)]
)
async def test_who_may_introspect_is_the_deployments_choice(policy: str, anybody: bool, signed_in: bool) -> None:
    async with stage(introspection=policy) as here:
        here.world.sign_in("token")
        for token, may in (("token", signed_in), (None, anybody), ("token", signed_in)):
            for document in (get_introspection_query(), '{ hello __type(name: "Query") { name } }'):
                answer = await here.post(document, token=token)
                assert codes(answer.json()) == ([] if may else ["INTROSPECTION_OFF"])
                assert ("data" in answer.json()) is may
            wrong = (await here.post("{ hallo }", token=token)).json()["errors"][0]["message"]
            assert ("hello" in wrong) is may  # a suggestion would tell the schema, too


async def test_the_schema_is_told_as_graphql_core_tells_it(here: Stage) -> None:
    answers = [(await here.post(get_introspection_query())).json()["data"] for _ in range(2)]
    assert answers[0] == answers[1] == SCHEMA.introspect()
    by_name = "query ($n: String!) { __type(name: $n) { name } }"
    names = ("Item", "Query", "Item", "Nothing")
    told = [(await here.post(by_name, n=name)).json()["data"]["__type"] for name in names]
    assert told == [{"name": "Item"}, {"name": "Query"}, {"name": "Item"}, None]
    assert codes((await here.post(by_name, n=7)).json()) == ["INVALID_INPUT"]
