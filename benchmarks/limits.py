"""`limits`: how long documents made to hurt keep the server busy, each refused with a code (promise G1)."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from .deployment import Deployment, deployed
from .load import Unexpected, ask, post
from .machine import described
from .query import OWN, QUERY, UNLIMITED
from .results import table
from .servers import Server, bedside, install_peers, peer

MOST_MS = 100.0
"""What no document may take, in milliseconds."""
PATIENCE = 20.0
"""How long the peer is waited for, in seconds."""

DEEP = "TOO_DEEP"
TOKENS = "TOO_MANY_TOKENS"
DEFINITIONS = "TOO_MANY_DEFINITIONS"
FIELDS = "TOO_MANY_FIELDS"
COSTLY = "TOO_COSTLY"
LARGE = "DOCUMENT_TOO_LARGE"
PARSE = "GRAPHQL_PARSE_FAILED"
INVALID = "GRAPHQL_VALIDATION_FAILED"
INPUT = "INVALID_INPUT"
VALUES = "VARIABLES_TOO_LARGE"


@dataclass(frozen=True)
class Hostile:
    """A request made to hurt.

    Args:
        name: what it is.
        code: what Bedside refuses it with.
        body: what is sent.
    """

    name: str
    code: str
    body: bytes


def _document(name: str, code: str, text: str, **variables: Any) -> Hostile:
    return Hostile(name, code, json.dumps({"query": text, "variables": variables}).encode())


def _each(count: int, text: str) -> str:
    """Return a text so many times, with its number for each `#`."""
    return " ".join(text.replace("#", str(number)) for number in range(count))


def _fragments(count: int, inner: str) -> str:
    """Return so many fragments, `#` in the selection being the fragment's number and `+` the next one's."""
    return " ".join(
        f"fragment F{number} on Query {{ {inner.replace('#', str(number)).replace('+', str(number + 1))} }}"
        for number in range(count)
    )


def _deep() -> Iterator[Hostile]:
    yield _document("fields 300 deep", DEEP, "{ conversations " + "{ nodes " * 300 + "{ id }" + " }" * 301)
    yield _document("fields 950 deep", DEEP, "{ conversations " * 950 + "}" * 950)
    yield _document("fields 10,000 deep", DEEP, "{a" * 10_000 + "}" * 10_000)
    yield _document("inline fragments 300 deep", DEEP, "{" + "... on Query {" * 300 + "__typename" + "}" * 301)
    yield _document(
        "list value 150 deep", INVALID, "{ conversations(first: " + "[" * 150 + "]" * 150 + ") { __typename } }"
    )
    yield _document(
        "list value 900 deep", DEEP, "{ conversations(first: " + "[" * 900 + "]" * 900 + ") { __typename } }"
    )
    yield _document(
        "object value 400 deep", DEEP, "{ conversations(first: " + "{a:" * 400 + "1" + "}" * 400 + ") { id } }"
    )
    yield _document("variable of a type 900 deep", DEEP, "query ($a: " + "[" * 900 + "Int" + "]" * 900 + ") { id }")
    types = "ofType { kind name " * 40 + "name" + " }" * 40
    yield _document("introspection 40 types deep", DEEP, "{ __schema { types { " + types + " } } }")
    fields = "fields { type { " * 15 + "name" + " } }" * 15
    yield _document("introspection of fields' types, 15 times", DEEP, "{ __schema { types { " + fields + " } } }")


def _broad() -> Iterator[Hostile]:
    yield _document("600 aliases", "TOO_MANY_ALIASES", "{" + _each(600, "a#: __typename") + "}")
    page = "a#: conversations(first: 100) { nodes { id } }"
    yield _document(
        "30 aliased pages of 100",
        COSTLY,
        "{" + _each(30, page.replace("id", "id activeAt kind messages { nodes { id } }")) + "}",
    )
    yield _document("250 aliased pages of 100", TOKENS, "{" + _each(250, page) + "}")
    yield _document("one field 1,900 times", FIELDS, "{" + "__typename " * 1_900 + "}")
    yield _document("900 unknown fields", INVALID, "{" + _each(900, "conversation#") + "}")
    pages = "conversations(first: %s) { nodes { messages(first: %s) { nodes { id sender { id } } } } }"
    yield _document("pages of 100 in pages of 100", COSTLY, "{ " + pages % (100, 100) + " }")
    yield _document(
        "page sizes by variable", COSTLY, "query ($n: Int = 1) { " + pages % ("$n", "$n") + " }", n=2**31 - 1
    )
    yield _document(
        "fields that must agree, 140 times",
        FIELDS,
        "{" + _each(140, "conversations { nodes { id kind createdAt activeAt } }") + "}",
    )
    yield _document("300 directives on a field", TOKENS, "{ __typename " + "@skip(if: false) " * 300 + "}")
    yield _document("900 unknown directives", INVALID, "{ __typename " + _each(900, "@d#") + "}")
    yield _document("100 operations", "OPERATION_UNKNOWN", _each(100, "query Q# { __typename }"))
    yield _document("350 operations", DEFINITIONS, _each(350, "query Q# { __typename }"))
    yield _document("300 unused variables", INVALID, "query (" + _each(300, "$v#: Int") + ") { __typename }")


def _spread() -> Iterator[Hostile]:
    last = " fragment F30 on Query { __typename }"
    yield _document("fragments that double 30 times", FIELDS, "{ ...F0 } " + _fragments(30, "...F+ ...F+") + last)
    yield _document(
        "a chain of 200 fragments",
        DEFINITIONS,
        "{ ...F0 } " + _fragments(200, "...F+") + " fragment F200 on Query { __typename }",
    )
    around = _each(20, "...F#")
    yield _document("20 fragments that all spread each other", INVALID, "{ ...F0 } " + _fragments(20, around))
    same = "conversations { nodes { id lastMessage { id body } } }"
    yield _document(
        "60 fragments to be compared with each other", FIELDS, "{" + _each(60, "...F#") + "} " + _fragments(60, same)
    )
    yield _document(
        "a fragment that spreads itself 500 times", INVALID, "{ ...F0 } fragment F0 on Query {" + "...F0 " * 500 + "}"
    )


def _compared() -> Iterator[Hostile]:
    side_by_side = "... on Query { viewer { role } } "
    yield _document("180 inline fragments side by side", FIELDS, "{" + side_by_side * 180 + "}")
    yield _document("240 inline fragments side by side", TOKENS, "{" + side_by_side * 240 + "}")
    small = "viewer { role } practice { name } plugins { name }"
    yield _document("95 overlapping fragments", FIELDS, "{" + _each(95, "...F#") + "} " + _fragments(95, small))


def _values() -> Iterator[Hostile]:
    patch = "mutation ($p: ChatSettingsPatch!) { updateChatSettings(patch: $p) { longestMessage } }"
    paged = "query ($n: Int) { conversations(first: $n) { nodes { id } } }"
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    yield _document("20,000 unknown keys", VALUES, patch, p={f"k{number}": 1 for number in range(20_000)})
    yield _document("1,900 unknown keys", INPUT, patch, p={f"k{number}": 1 for number in range(1_900)})
    yield _document("1,500 near misses", INPUT, patch, p={f"longestMessag{number}": 1 for number in range(1_500)})
    yield _document("20,000 unknown variables", VALUES, patch, **{f"k{number}": 1 for number in range(20_000)})
    yield _document("a list of 10,000 wrong items", VALUES, patch, p=["x"] * 10_000)
    yield _document("a list of 1,900 wrong items", INPUT, patch, p={"longestMessage": ["x"] * 1_900})
    yield _document("lists 400 deep in variables", INPUT, patch, p={"longestMessage": deep})
    yield _document("a text of 250 kB for a number", INPUT, paged, n="x" * 250_000)
    unknown = "mutation { updateChatSettings(patch: {" + _each(480, "longestMessag#: 1") + "}) { longestMessage } }"
    yield _document("480 near misses in the document", INVALID, unknown)


def _large() -> Iterator[Hostile]:
    yield _document("a document of a megabyte", LARGE, "{ __typename }" + " " * 2**20)
    yield _document("a document of 300 kB", LARGE, "{ __typename }" + " " * 300_000)
    yield _document("a comment of 32 kB", PARSE, "{ __typename } }#" + "x" * 32_000)
    yield _document("8,000 comments", TOKENS, "#\n" * 8_000 + "{ __typename }")
    yield _document("32 kB of commas", PARSE, "{ __typename" + " ," * 16_000 + "}}")
    yield _document("a name of 32,000 letters", INVALID, "{ " + "a" * 32_000 + " }")
    yield _document(
        "a number of 32,000 digits", INVALID, "{ conversations(first: " + "9" * 32_000 + ") { nodes { id } } }"
    )
    yield _document(
        "a string of 16,000 escapes, not closed", PARSE, '{ conversation(id: "' + "\\n" * 16_000 + ") { id } }"
    )
    yield _document(
        "a block string of 32,000 lines, not closed", PARSE, '{ conversation(id: """' + "\n" * 32_000 + ") { id } }"
    )
    yield _document("variables of 300 kB", VALUES, "{ __typename }", a=["x"] * 60_000)
    yield Hostile("JSON 100,000 deep", "BAD_REQUEST", b'{"query":"{ __typename }","variables":' + b"[" * 100_000)
    yield Hostile(
        "a batch of 1,000", "BATCHING_NOT_SUPPORTED", json.dumps([{"query": "{ __typename }"}] * 1_000).encode()
    )


HOSTILE = (*_deep(), *_broad(), *_spread(), *_compared(), *_values(), *_large())


async def run(runs: int) -> str:
    """Measure, and return the section for RESULTS.md."""
    install_peers()
    about = described()
    with tempfile.TemporaryDirectory(prefix="bedside-benchmark-") as folder:
        async with deployed(Path(folder)) as deployment:
            token = await deployment.token(await deployment.viewer(OWN))
            ours = await _ours(deployment, token, runs)
            theirs = {hostile.name: await _theirs(deployment, token, hostile) for hostile in HOSTILE}
    rows = [
        [each.name, each.code, median(ours[each.name]), max(ours[each.name]), theirs[each.name]] for each in HOSTILE
    ]
    worst = max(ours, key=lambda name: max(ours[name]))
    slow = [name for name in ours if max(ours[name]) >= MOST_MS]
    verdict = f"not below it are {', '.join(slow)}" if slow else "all are below it"
    about += [
        f"each document {runs} times, from sending it to the end of the answer, on a connection of its own",
        "the peer is Mercurius as it comes, whose limits are an application's to add; once, after an ordinary query",
    ]
    return "\n\n".join(
        (
            "\n".join(f"- {line}" for line in about),
            table(("document", "refused with", "median ms", "most ms", "Mercurius: ms, status"), rows),
            f"The limit is {MOST_MS:.0f} ms, and {verdict}; the slowest is {worst!r} with {max(ours[worst]):.0f} ms.",
        )
    )


async def _ours(deployment: Deployment, token: str, runs: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {hostile.name: [] for hostile in HOSTILE}
    log = deployment.folder / "servers.log"
    # Refusing costs a caller's budget; here one caller has to be refused more often than that allows.
    settings = {"database_url": deployment.dsn, "graphql_session_budget": UNLIMITED}
    async with bedside(log, ready=QUERY, token=token, **settings) as server:
        for _ in range(runs):
            for hostile in HOSTILE:
                milliseconds, _, body = await _timed(server, token, hostile)
                answer = json.loads(body)
                codes = [error["extensions"]["code"] for error in answer.get("errors", ())]
                if codes != [hostile.code] or "data" in answer:
                    raise Unexpected(f"{hostile.name}: {codes}, not {hostile.code}: {body[:300]!r}")
                found[hostile.name].append(milliseconds)
    return found


async def _theirs(deployment: Deployment, token: str, hostile: Hostile) -> str:
    """Return what the peer makes of a document; each gets a process of its own, for some keep one busy for long."""
    log = deployment.folder / "servers.log"
    async with peer("mercurius", deployment.owner_dsn, log, ready=QUERY, token=token) as server:
        try:
            async with asyncio.timeout(PATIENCE):
                milliseconds, status, _ = await _timed(server, token, hostile)
        except TimeoutError:
            server.kill()
            return f"no answer in {PATIENCE:g} s"
        except ConnectionError:
            return "connection lost"
    return f"{milliseconds:,.0f}, {status}"


async def _timed(server: Server, token: str, hostile: Hostile) -> tuple[float, int, bytes]:
    """Return how long an answer took, in milliseconds, with its status and body."""
    request = post(server.url, hostile.body, {"authorization": f"Bearer {token}"})
    began = time.perf_counter()
    status, body = await ask(server.url, request)
    return (time.perf_counter() - began) * 1e3, status, body
