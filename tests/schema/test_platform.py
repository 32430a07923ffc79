"""Core's own part of the schema, asked over HTTP."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Literal

import asyncpg
import pytest
from argon2 import PasswordHasher
from deployment import APPS, PASSWORD, served

from bedside_core.auth import Role, passwords
from bedside_core.config import FIRST_PARTY
from bedside_core.testing import Database, statements

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


async def sessions(database: Database) -> int:
    """How many sign-ins are stored."""
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        return await owner.fetchval("SELECT count(*) FROM session")
    finally:
        await owner.close()


async def test_who_one_is_and_what_the_practice_has(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        practice = await deployment.practice("Bay View", "enhanced")
        ada = await deployment.person(practice, Role.OWNER)
        query = "{ viewer { role member { id name } } practice { name zone features { key enabled reason tier } } }"
        data = await deployment.data(query, ada.token)
        assert data["viewer"] == {"role": "OWNER", "member": {"id": ada.id, "name": ada.member.name}}
        features = {feature.pop("key"): feature for feature in data["practice"]["features"]}
        assert data["practice"]["name"] == "Bay View"
        assert features["team_chat"] == {"enabled": False, "reason": "NOT_IN_TIER", "tier": "premium"}
        assert features["file_share"] == {"enabled": True, "reason": "INCLUDED", "tier": "starter"}
        assert await deployment.data("{ viewer { role } }") == {"viewer": None}
        assert await deployment.code("{ practice { name } }") == "UNAUTHENTICATED"


async def test_all_plugins_are_active(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        data = await deployment.data("{ plugins { name status reason } }")
        assert {plugin["name"] for plugin in data["plugins"] if plugin["status"] == "ACTIVE"} == {
            "graphql", "plans", "chat", "telehealth", "portal", "scheduling",
        }  # fmt: skip


async def test_why_a_plugin_does_not_work_is_told_to_those_who_are_signed_in(
    fresh_database: Database,
) -> None:
    async with served(fresh_database, plugins=(*FIRST_PARTY, "nowhere"), strict=False) as deployment:
        ada = await deployment.person(await deployment.practice())
        told = [await deployment.data("{ plugins { name status reason } }", token) for token in (None, ada.token)]
        reasons = [{plugin["name"]: plugin["reason"] for plugin in data["plugins"]}["nowhere"] for data in told]
        assert reasons == [None, "enabled, but not installed"]


async def test_signing_in_and_out(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        ada = await deployment.person(await deployment.practice())
        assert (await deployment.data("{ viewer { role } }", ada.token))["viewer"] == {"role": "PRACTITIONER"}
        assert await deployment.data("mutation { signOut }", ada.token) == {"signOut": True}
        assert await deployment.code("{ viewer { role } }", ada.token) == "UNAUTHENTICATED"
        refused = 'mutation($e: String!) { signIn(email: $e, password: "no") { token } }'
        assert await deployment.code(refused, e=ada.email) == "UNAUTHENTICATED"
        assert await deployment.sign_in(ada.email, PASSWORD) != ada.token


SETTING = "query { graphqlSettings { persistedOnly } }"
INSIST = "updateGraphqlSettings(patch: { persistedOnly: true }) { persistedOnly }"


@pytest.mark.rule("A10")
async def test_what_follows_signing_out_in_the_same_document_is_done_as_nobody(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        practice = await deployment.practice()
        ada, ben = await deployment.person(practice, Role.OWNER), await deployment.person(practice, Role.OWNER)
        body = await deployment.ask(f"mutation {{ signOut {INSIST} }}", ada.token)
        assert body["data"] == {"signOut": True, "updateGraphqlSettings": None}
        [error] = body["errors"]
        assert (error["path"], error["extensions"]["code"]) == (["updateGraphqlSettings"], "UNAUTHENTICATED")
        assert (await deployment.data(SETTING, ben.token))["graphqlSettings"] == {"persistedOnly": False}


async def test_a_cookie_is_set_over_http_and_refused_over_a_socket(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        ada = await deployment.person(await deployment.practice())
        before = await sessions(fresh_database)
        sign_in = f'mutation {{ signIn(email: "{ada.email}", password: "{PASSWORD}", cookie: true) {{ token }} }}'
        async with deployment.socket() as socket:
            key = await socket.subscribe(sign_in)
            message = await socket.receive()
            [error] = message["payload"]["errors"]
            assert (message["id"], message["payload"]["data"]) == (key, {"signIn": None})
            assert (error["extensions"]["code"], error["extensions"]["field"]) == ("INVALID_INPUT", ["cookie"])
        assert await sessions(fresh_database) == before
        answer = await deployment.http.post("/graphql", json={"query": sign_in})
        assert answer.json()["data"] == {"signIn": {"token": None}}
        assert answer.headers["set-cookie"].startswith("__Host-bedside=")
        assert await sessions(fresh_database) == before + 1


@pytest.mark.rule("A6")
async def test_the_first_unknown_address_costs_no_more_than_the_next(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What unknown addresses are held against is there before anybody can ask."""
    made: list[str] = []

    class Counting(PasswordHasher):
        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            made.append("once")
            return super().hash(password, salt=salt)

    monkeypatch.setattr(passwords, "_passwords", Counting())
    passwords._nobody.cache_clear()
    async with served(fresh_database) as deployment:
        assert made == ["once"]
        attempt = 'mutation { signIn(email: "nobody@example.org", password: "no") { token } }'
        assert await deployment.code(attempt) == "UNAUTHENTICATED"
        assert made == ["once"]


@pytest.mark.rule("G4")
@pytest.mark.promise("G1")
async def test_a_second_sign_in_of_an_operation_is_refused_before_a_password_is_looked_at(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            verified.append("once")
            return super().verify(hash, password)

    async with served(fresh_database) as deployment:
        ada = await deployment.person(await deployment.practice())
        monkeypatch.setattr(passwords, "_passwords", Counting())
        sign_in = f'signIn(email: "{ada.email}", password: "{PASSWORD}") {{ token }}'
        before = await sessions(fresh_database)
        for document in (
            f"mutation {{ {sign_in} again: {sign_in} }}",
            f"mutation {{ ...M again: {sign_in} }} fragment M on Mutation {{ ... {{ {sign_in} }} }}",
            f"mutation {{ {' '.join(f'a{number}: {sign_in}' for number in range(30))} }}",
            f"mutation One {{ {sign_in} }} mutation Two {{ {sign_in} again: {sign_in} }}",
        ):
            answer = await deployment.http.post("/graphql", json={"query": document, "operationName": None})
            [error] = answer.json()["errors"]
            assert (error["extensions"]["code"], error["extensions"]["limit"]) == ("TOO_COSTLY", 1)
            assert error["message"] == "An operation has room for one signIn."
        assert verified == []
        assert await sessions(fresh_database) == before
        assert await deployment.sign_in(ada.email) != ada.token
        assert verified == ["once"]
        assert await sessions(fresh_database) == before + 1


async def test_a_sign_in_that_is_selected_twice_under_one_name_is_one(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        ada = await deployment.person(await deployment.practice())
        before = await sessions(fresh_database)
        sign_in = f'signIn(email: "{ada.email}", password: "{PASSWORD}")'
        document = (
            f"mutation {{ {sign_in} {{ token }} ...V }} fragment V on Mutation {{ {sign_in} {{ viewer {{ role }} }} }}"
        )
        assert (await deployment.data(document))["signIn"]["viewer"] == {"role": "PRACTITIONER"}
        assert await sessions(fresh_database) == before + 1


@pytest.mark.rule("A15")
async def test_the_operator_lists_the_practices_and_nobody_else_does(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        bay, abbey = await deployment.practice("Bay View"), await deployment.practice("Abbey", "starter")
        query = """query($a: String) { practices(first: 1, after: $a) {
            nodes { id name } pageInfo { hasNextPage endCursor } } }"""
        operator = await deployment.operator()
        first = (await deployment.data(query, operator))["practices"]
        assert first["nodes"] == [{"id": str(abbey.id), "name": "Abbey"}]
        assert first["pageInfo"]["hasNextPage"] is True
        rest = (await deployment.data(query, operator, a=first["pageInfo"]["endCursor"]))["practices"]
        assert (rest["nodes"], rest["pageInfo"]["hasNextPage"]) == ([{"id": str(bay.id), "name": "Bay View"}], False)
        owner = await deployment.person(bay, Role.OWNER)
        assert await deployment.code(query, owner.token) == "FORBIDDEN"
        assert await deployment.code("{ patients { nodes { id } } }", operator) == "FORBIDDEN"


CAN = "query($a: String!, $t: ID) { can(action: $a, target: $t) { allowed rule code message wayOn feature tier } }"


async def test_can_tells_why_not_and_the_way_on(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        ada = await deployment.person(await deployment.practice(tier="starter"))
        told = (await deployment.data(CAN, ada.token, a="chat.send"))["can"]
        assert told == {
            "allowed": False, "rule": "PLAN", "code": "FEATURE_NOT_IN_PLAN", "feature": "patient_messages",
            "tier": "enhanced", "message": "Messages with patients is not in your practice's plan.",
            "wayOn": "It comes with the enhanced plan; ask the owner of your practice.",
        }  # fmt: skip
        ben = await deployment.person(await deployment.practice(tier="premium"))
        assert (await deployment.data(CAN, ben.token, a="chat.start"))["can"]["allowed"] is True
        missing = "0199aaaa-0000-7000-8000-000000000000"
        assert (await deployment.data(CAN, ben.token, a="chat.send", t=missing))["can"]["code"] == "NOT_FOUND"
        assert (await deployment.data(CAN, None, a="chat.send"))["can"]["rule"] == "SIGN_IN"
        [unknown] = (await deployment.ask(CAN, ben.token, a="fly" * 500))["errors"]
        assert unknown["extensions"]["code"] == "INVALID_INPUT"
        assert unknown["message"] == f"There is no action {('fly' * 500)[:100]!r}."


@pytest.mark.parametrize("action", ["chat.send", "chat.read", "chat.start"])
async def test_a_target_that_is_no_id_is_told_like_one_that_is_nobodys(fresh_database: Database, action: str) -> None:
    async with served(fresh_database) as deployment:
        ada = await deployment.person(await deployment.practice())
        asked = []
        for target in ("0199aaaa-0000-7000-8000-000000000000", "nonsense", "", "\N{HOSPITAL}", "0" * 32):
            with statements() as ran:
                told = (await deployment.data(CAN, ada.token, a=action, t=target))["can"]
            asked.append((told, len(ran)))
        told, _ = asked[0]
        assert (told["allowed"], told["rule"], told["code"], told["wayOn"]) == (False, "MEMBERSHIP", "NOT_FOUND", None)
        # who asks and the target; before it the plan, where the action needs the same feature whatever the target
        assert asked == [(told, 3 if action == "chat.start" else 2)] * 5


async def test_a_target_of_an_action_that_has_none_is_the_askers_mistake(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        ada = await deployment.person(await deployment.practice())
        for target in (ada.id, "nonsense"):
            for token in (ada.token, None):
                body = await deployment.ask(CAN, token, a="chat.open_team", t=target)
                [error] = body["errors"]
                assert (error["extensions"]["code"], error["extensions"]["field"]) == ("INVALID_INPUT", ["target"])
                assert body["data"] == {"can": None}
        assert (await deployment.data(CAN, ada.token, a="chat.open_team"))["can"]["allowed"] is True


@pytest.mark.rule("G7")
async def test_the_schema_can_be_downloaded(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        answer = await deployment.http.get("/graphql/schema.graphql")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.text.strip() == (ROOT / "graphql" / "schema.graphql").read_text().strip()


async def test_the_check_of_the_schema_names_what_differs(tmp_path: Path) -> None:
    committed = ROOT / "graphql" / "schema.graphql"
    broken = tmp_path / "schema.graphql"
    broken.write_text(committed.read_text().replace("messageAdded(", "messageAppended("))
    program = Path(sys.executable).with_name("bedside")
    told = [
        await asyncio.to_thread(subprocess.run, [program, "schema", "--check", file], capture_output=True, text=True)
        for file in (committed, broken)
    ]
    assert [result.returncode for result in told] == [0, 1]
    assert "messageAppended" in told[1].stdout + told[1].stderr
