"""Odd input is told as the client's mistake, with the field at fault, and never as a failure of ours."""

from __future__ import annotations

import base64
import json

import pytest
from plugins.chat.test_live import FOLLOW
from plugins.chat.ward import READ, SEND, START, Ward

from bedside_core.auth import Role

ID = "0199aaaa-0000-7000-8000-000000000000"
LIST = "query($a: String) { conversations(after: $a) { nodes { id } } }"
MEMBERS = "query($a: String) { members(after: $a) { nodes { id } } }"
PATIENTS = "query($a: String) { patients(after: $a) { nodes { id } } }"

EXPORTS = "query($a: String) { conversationExports(after: $a) { nodes { id } } }"


def cursor(key: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


@pytest.mark.rule("G3")
async def test_foreign_cursors_are_the_client_s_mistake(ward: Ward) -> None:
    keys: list[object] = [
        [1, "zzz"], [1, "\0"], [1, f"urn:uuid:{ID}"], [10**30, ID], [2**60, ID], [-1, ID], [-(10**17), ID], [2**63],
        [True], ["a", "b", "c"], ["a", "\0", ID], [None], {}, 1, [], [1.5, ID], ["a"] * 5000,
    ]  # fmt: skip
    cursors = [*map(cursor, keys), base64.urlsafe_b64encode(b"[" * 3000).decode(), "zz", "=", "é", ""]
    cursors += [cursor(["2026", ID]), cursor(["2026-11-22T00:00:00+00:00", ID])]
    for query in (LIST, MEMBERS, PATIENTS, EXPORTS):
        for given in cursors:
            body = await ward.deployment.ask(query, ward.ada.token, a=given)
            [error] = body["errors"]
            assert (error["extensions"]["code"], error["extensions"]["field"]) == ("INVALID_INPUT", ["after"]), given
    for argument in ("after", "before"):
        for given in (cursor([2**63]), cursor([-1]), cursor(["x"]), "zz"):
            body = await ward.deployment.ask(READ, ward.ada.token, i=ward.conversation, **{argument: given})
            [error] = body["errors"]
            assert (error["extensions"]["code"], error["extensions"]["field"]) == ("INVALID_INPUT", [argument])


@pytest.mark.parametrize(
    ("page", "field"),
    [
        ({"last": 0}, "last"),
        ({"first": 0}, "first"),
        ({"first": 1, "before": "x"}, "last"),
        ({"after": "x", "last": 1}, "last"),
    ],
)
async def test_pages_that_are_none_name_the_argument(ward: Ward, page: dict[str, object], field: str) -> None:
    body = await ward.deployment.ask(READ, ward.ada.token, i=ward.conversation, **page)
    [error] = body["errors"]
    assert (error["extensions"]["code"], error["extensions"]["field"]) == ("INVALID_INPUT", [field])


async def test_a_bad_cursor_in_a_list_leaves_the_list(ward: Ward) -> None:
    body = await ward.deployment.ask(
        '{ conversations { nodes { id messages(after: "zz") { nodes { id } } } } }', ward.ada.token
    )
    assert body["data"]["conversations"]["nodes"] == [{"id": ward.conversation, "messages": None}]
    assert [error["extensions"]["code"] for error in body["errors"]] == ["INVALID_INPUT"]


@pytest.mark.rule("C16")
async def test_a_cursor_from_the_future_is_refused_for_it_would_be_deaf(ward: Ward) -> None:
    sent = await ward.send("one", "m-1")
    async with ward.deployment.socket(ward.ada.token) as socket:
        key = await socket.subscribe(FOLLOW, i=ward.conversation, a=cursor([99]))
        assert await socket.error(key) == "INVALID_INPUT"
        key = await socket.subscribe(FOLLOW, i=ward.conversation, a=sent["cursor"])
        await ward.quiet(1)
        await ward.send("two", "m-2")
        assert (await socket.next(key))["messageAdded"]["body"] == "two"


async def test_nul_is_refused_wherever_it_stands(ward: Ward) -> None:
    code = ward.deployment.code
    sign_in = "mutation($e: String!, $p: String!) { signIn(email: $e, password: $p) { token } }"
    assert await code(sign_in, e="a\0b@example.org", p="x") == "BAD_REQUEST"
    assert await code('mutation { signIn(email: "a\\u0000b", password: "x") { token } }') == "BAD_REQUEST"
    assert await code(SEND, ward.ada.token, i=ward.conversation, b="hello", c="a\0b") == "BAD_REQUEST"
    assert await code(SEND, ward.ada.token, i=ward.conversation, b="a\0b", c="c") == "BAD_REQUEST"
    assert await code(START, ward.ada.token, m=ward.ben.id, c="a\0b") == "BAD_REQUEST"
    assert (await ward.send("a \\u0000 spelt out", "c"))["body"] == "a \\u0000 spelt out"
    assert await ward.messages() == ["a \\u0000 spelt out"]


CHANGE = "updateChatSettings(patch: %s) { longestMessage }"


@pytest.mark.rule("G3")
@pytest.mark.parametrize(
    ("document", "variables", "code", "field"),
    [
        (
            "mutation($p: ChatSettingsPatch!) {" + CHANGE % "$p" + "}",
            {"p": {"longestMessage": None}},
            "INVALID_INPUT",
            ["p", "longestMessage"],
        ),
        ("mutation($p: ChatSettingsPatch!) {" + CHANGE % "$p" + "}", {"p": {"foo": 1}}, "INVALID_INPUT", ["p", "foo"]),
        (
            "mutation($n: Int) {" + CHANGE % "{ longestMessage: $n }" + "}",
            {"n": None},
            "INVALID_INPUT",
            ["patch", "longestMessage"],
        ),
        (
            "mutation {" + CHANGE % "{ longestMessage: null }" + "}",
            {},
            "GRAPHQL_VALIDATION_FAILED",
            ["patch", "longestMessage"],
        ),
    ],
)
async def test_a_patch_at_fault_is_told_by_its_path(
    ward: Ward, document: str, variables: dict[str, object], code: str, field: list[str]
) -> None:
    owner = await ward.deployment.person(ward.practice, Role.OWNER)
    [error] = (await ward.deployment.ask(document, owner.token, **variables))["errors"]
    assert (error["extensions"]["code"], error["extensions"]["field"]) == (code, field)
    assert "Maybe" not in error["message"]
    data = await ward.deployment.data("{ chatSettings { longestMessage } }", owner.token)
    assert data == {"chatSettings": {"longestMessage": 10_000}}


@pytest.mark.parametrize("value", [0, -5, 10_001, 2**31 - 1])
async def test_a_setting_keeps_its_bounds(ward: Ward, value: int) -> None:
    owner = await ward.deployment.person(ward.practice, Role.OWNER)
    change = "mutation($n: Int!) { updateChatSettings(patch: { longestMessage: $n }) { longestMessage } }"
    body = await ward.deployment.ask(change, owner.token, n=value)
    [error] = body["errors"]
    assert (error["extensions"]["code"], error["extensions"]["field"]) == (
        "INVALID_INPUT",
        ["patch", "longestMessage"],
    )
    assert (await ward.deployment.data("{ chatSettings { longestMessage } }", owner.token))["chatSettings"] == {
        "longestMessage": 10_000
    }


@pytest.mark.rule("G10")
@pytest.mark.parametrize(
    "instant",
    ["9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"],
)
async def test_instants_that_nobody_means_are_refused_and_change_nothing(ward: Ward, instant: str) -> None:
    operator = await ward.deployment.operator()
    change = "mutation($p: ID!, $t: DateTime) { changePlan(practiceId: $p, tier: premium, trialUntil: $t) { tier } }"
    assert await ward.deployment.code(change, operator, p=str(ward.practice.id), t=instant) == "INVALID_INPUT"
    plan = "query($p: ID!) { plan(practiceId: $p) { tier trial { tier } } }"
    assert await ward.deployment.data(plan, operator, p=str(ward.practice.id)) == {
        "plan": {"tier": "premium", "trial": None}
    }
