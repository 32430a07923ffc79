"""API keys: within their scopes and their maker's present permissions, told once, and over everywhere when revoked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from accounts_stage import (
    BEGIN_TOTP,
    CHANGE,
    CONFIRM_TOTP,
    DEMAND,
    MAKE_KEY,
    OTHER_PASSWORD,
    SESSIONS,
    cheap_hashes,
    everything,
    rows,
)
from deployment import APPS, PASSWORD, Deployment, Person, served
from pyotp.totp import TOTP

from bedside_core.auth import Role
from bedside_core.database import DB, acting
from bedside_core.testing import Database, statements

REVOKE = "mutation($i: ID!) { revokeApiKey(id: $i) }"
LIST = """query($f: Int, $a: String) { apiKeys(first: $f, after: $a) {
    nodes { id name makerId lastUsedAt revokedAt } pageInfo { endCursor hasNextPage } } }"""
ACTIVATE = "mutation($i: ID!) { %sactivateMember(memberId: $i) { id } }"
PATIENTS = "{ patients { nodes { id } } }"
PRACTICE = "{ practice { name } }"


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def deployment(fresh_database: Database) -> AsyncGenerator[Deployment, None]:
    with cheap_hashes():
        async with served(fresh_database) as running:
            yield running


def asked(deployment: Deployment, client: str = "c1", **changes: Any) -> dict[str, Any]:
    """What a key is asked for with."""
    until = (deployment.platform.clock.now() + timedelta(days=30)).replace(microsecond=0).isoformat()
    return {"n": "Website", "s": ["patients.read"], "u": until, "c": client, **changes}


async def key_of(deployment: Deployment, maker: Person, *scopes: str, client: str = "c1") -> tuple[str, str]:
    """Make a key; returns its id and its token."""
    wanted = asked(deployment, client, s=list(scopes))
    made = (await deployment.data(MAKE_KEY, maker.token, **wanted))["createApiKey"]
    return made["key"]["id"], made["token"]


@pytest.mark.rule("A13")
@pytest.mark.rule("A14")
@pytest.mark.rule("G9")
async def test_a_key_is_told_once_and_stored_as_its_hash(deployment: Deployment, fresh_database: Database) -> None:
    owner = await deployment.person(await deployment.practice(), Role.OWNER)
    wanted = asked(deployment)
    made = (await deployment.data(MAKE_KEY, owner.token, **wanted))["createApiKey"]
    assert made["token"].startswith("bedside_key_")
    assert (made["key"]["name"], made["key"]["scopes"]) == ("Website", ["patients.read"])
    again = (await deployment.data(MAKE_KEY, owner.token, **wanted))["createApiKey"]
    assert (again["token"], again["key"]) == (None, made["key"])
    assert await deployment.code(MAKE_KEY, owner.token, **{**wanted, "n": "Other"}) == "CONFLICT"
    [row] = await rows(fresh_database, "SELECT token_hash, api_key::text AS whole FROM api_key")
    assert row["token_hash"] == hashlib.sha256(made["token"].encode()).digest()
    assert made["token"] not in row["whole"]
    entries = await rows(fresh_database, "SELECT target, detail FROM audit_entry WHERE action = 'keys.make'")
    assert [(str(entry["target"]), json.loads(entry["detail"])["scopes"]) for entry in entries] == [
        (made["key"]["id"], ["patients.read"])
    ]
    assert (await deployment.data(PATIENTS, made["token"]))["patients"] == {"nodes": []}
    with statements() as ran:
        await deployment.data("{ viewer { role } }", made["token"])
    assert len(ran) == 2


@pytest.mark.rule("A13")
async def test_a_key_does_what_its_scopes_and_its_maker_s_present_role_allow(deployment: Deployment) -> None:
    practice = await deployment.practice()
    owner = await deployment.person(practice, Role.OWNER)
    _, narrow = await key_of(deployment, owner, "patients.read")
    _, wide = await key_of(deployment, owner, "practice.read", "settings.practice", client="c2")
    body = await deployment.ask(PRACTICE, narrow)
    facts = body["errors"][0]["extensions"]
    assert (facts["code"], facts["wayOn"]) == ("FORBIDDEN", "Use a key with the scope practice.read.")
    assert (await deployment.data(PRACTICE, wide))["practice"] == {"name": "Bay View"}
    change = "mutation { updateAccountsSettings(patch: { idleMinutes: 0 }) { idleMinutes } }"
    assert await deployment.code(change, narrow) == "FORBIDDEN"
    await deployment.data(change, wide)
    await deployment.person(practice, Role.OWNER)  # a practice keeps an owner
    with acting(practice.id):
        await DB.execute("UPDATE member SET role = 'staff' WHERE id = $1", owner.member.id)
    assert await deployment.code(change, wide) == "FORBIDDEN"
    assert (await deployment.data(PRACTICE, wide))["practice"] == {"name": "Bay View"}
    with acting(practice.id):
        await DB.execute("UPDATE member SET active = false WHERE id = $1", owner.member.id)
    assert await deployment.code(PRACTICE, wide) == "UNAUTHENTICATED"  # it ends with its maker


@pytest.mark.rule("A13")
async def test_a_key_never_makes_keys_changes_plans_or_touches_how_its_maker_signs_in(
    deployment: Deployment, fresh_database: Database
) -> None:
    owner = await deployment.person(await deployment.practice(), Role.OWNER)
    for scope in (
        "keys.make",
        "keys.read",
        "plans.preview",
        "account.own",
        "no.such",
        "plans.change",
        "practices.list",
    ):
        body = await deployment.ask(MAKE_KEY, owner.token, **asked(deployment, s=["practice.read", scope]))
        facts = body["errors"][0]["extensions"]
        assert (facts["code"], facts["field"]) == ("INVALID_INPUT", ["scopes"]), scope
    _, token = await key_of(deployment, owner, "practice.read")
    # Not even where the database says so.
    [row] = await rows(fresh_database, "SELECT id FROM api_key")
    await rows(
        fresh_database, "UPDATE api_key SET scopes = scopes || $2::text[] WHERE id = $1 RETURNING id",
        row["id"], ["keys.make", "account.own", "plans.read"],
    )  # fmt: skip
    before = await everything(fresh_database)
    for query, variables in (
        (MAKE_KEY, asked(deployment, "c9")),
        (CHANGE, {"c": PASSWORD, "n": OTHER_PASSWORD}),
        (SESSIONS, {}),
        (BEGIN_TOTP, {"p": PASSWORD}),
        ("{ plan { tier } }", {}),
        ("mutation { signOut }", {}),
        ("mutation { signOutEverywhere }", {}),
        ("mutation($i: ID!) { switchTo(persona: $i) { role } }", {"i": owner.id}),
    ):
        assert await deployment.code(query, token, **variables) == "FORBIDDEN", query
    assert await everything(fresh_database) == before


@pytest.mark.rule("A13")
async def test_who_may_not_make_keys_makes_none_and_odd_ones_are_refused(
    deployment: Deployment, fresh_database: Database
) -> None:
    practice = await deployment.practice()
    owner, ada = await deployment.person(practice, Role.OWNER), await deployment.person(practice)
    before = await everything(fresh_database)
    assert await deployment.code(MAKE_KEY, ada.token, **asked(deployment)) == "FORBIDDEN"
    assert await deployment.code(LIST, ada.token) == "FORBIDDEN"
    past = (deployment.platform.clock.now() - timedelta(minutes=1)).isoformat()
    late = (deployment.platform.clock.now() + timedelta(days=800)).isoformat()
    odds: list[dict[str, Any]] = [{"n": " "}, {"n": "x" * 101}, {"s": []}, {"u": past}, {"u": late}, {"c": ""}]
    for odd in odds:
        assert await deployment.code(MAKE_KEY, owner.token, **asked(deployment, **odd)) == "INVALID_INPUT", odd
    assert await everything(fresh_database) == before


@pytest.mark.rule("A13")
@pytest.mark.promise("A4")
async def test_a_revoked_or_expired_key_ends_for_http_and_sockets(
    deployment: Deployment, fresh_database: Database
) -> None:
    practice = await deployment.practice()
    owner, manager = await deployment.person(practice, Role.OWNER), await deployment.person(practice, Role.MANAGER)
    stranger = await deployment.person(await deployment.practice("Abbey"), Role.OWNER)
    first, token = await key_of(deployment, owner, "practice.read")
    _, other = await key_of(deployment, manager, "practice.read", client="c2")
    before = await everything(fresh_database)
    for missing in (first, "nothing", practice.id):
        assert await deployment.code(REVOKE, stranger.token, i=str(missing)) == "NOT_FOUND"
    assert await everything(fresh_database) == before
    async with deployment.socket(token) as socket, deployment.socket(other) as lasting:
        key = await socket.subscribe(PRACTICE)
        assert (await socket.next(key))["practice"] == {"name": "Bay View"}
        assert await deployment.data(REVOKE, manager.token, i=first) == {"revokeApiKey": True}
        assert await socket.closed() == (4403, "Session ended")
        assert await deployment.code(PRACTICE, token) == "UNAUTHENTICATED"
        await deployment.platform.clock.move(timedelta(days=31))
        assert await lasting.closed() == (4403, "Session ended")
    assert await deployment.code(PRACTICE, other) == "UNAUTHENTICATED"


@pytest.mark.rule("A13")
@pytest.mark.rule("G2")
async def test_the_practice_s_keys_are_listed_the_newest_first(deployment: Deployment) -> None:
    practice = await deployment.practice()
    owner, manager = await deployment.person(practice, Role.OWNER), await deployment.person(practice, Role.MANAGER)
    ids = [(await key_of(deployment, maker, "practice.read", client=f"c{n}"))[0]
           for n, maker in enumerate((owner, manager, owner))]  # fmt: skip
    await deployment.data(REVOKE, owner.token, i=ids[1])
    stranger = await deployment.person(await deployment.practice("Abbey"), Role.OWNER)
    assert (await deployment.data(LIST, stranger.token))["apiKeys"]["nodes"] == []
    page = (await deployment.data(LIST, manager.token, f=2))["apiKeys"]
    assert [each["id"] for each in page["nodes"]] == [ids[2], ids[1]]
    assert [each["revokedAt"] is None for each in page["nodes"]] == [True, False]
    assert [each["makerId"] for each in page["nodes"]] == [owner.id, manager.id]
    rest = (await deployment.data(LIST, manager.token, f=2, a=page["pageInfo"]["endCursor"]))["apiKeys"]
    assert ([each["id"] for each in rest["nodes"]], rest["pageInfo"]["hasNextPage"]) == ([ids[0]], False)


@pytest.mark.rule("A13")
@pytest.mark.promise("A4")
async def test_a_key_that_ended_with_its_maker_stays_so_when_they_come_back(
    deployment: Deployment, fresh_database: Database
) -> None:
    practice = await deployment.practice()
    owner, boss = await deployment.person(practice, Role.OWNER), await deployment.person(practice, Role.OWNER)
    id, token = await key_of(deployment, owner, "practice.read")
    _, lasting = await key_of(deployment, boss, "practice.read", client="c2")
    async with deployment.socket(token) as socket:
        key = await socket.subscribe(PRACTICE)
        assert (await socket.next(key))["practice"] == {"name": "Bay View"}
        await deployment.data(ACTIVATE % "de", boss.token, i=owner.id)
        assert await socket.closed() == (4403, "Session ended")
    await deployment.data(ACTIVATE % "re", boss.token, i=owner.id)
    assert await deployment.code(PRACTICE, token) == "UNAUTHENTICATED"
    [mine, its] = (await deployment.data(LIST, boss.token))["apiKeys"]["nodes"]
    assert (mine["revokedAt"], its["id"], its["revokedAt"] is None) == (None, id, False)
    [entry] = await rows(fresh_database, "SELECT target FROM audit_entry WHERE action = 'keys.revoke'")
    assert entry["target"] == id
    assert (await deployment.data(PRACTICE, lasting))["practice"] == {"name": "Bay View"}


@pytest.mark.rule("A13")
@pytest.mark.rule("A9")
async def test_a_key_is_closed_while_its_maker_lacks_the_factor_that_is_demanded(deployment: Deployment) -> None:
    owner = await deployment.person(await deployment.practice(), Role.OWNER)
    _, token = await key_of(deployment, owner, "practice.read", "settings.practice")
    async with deployment.socket(token) as socket:
        key = await socket.subscribe(PRACTICE)
        assert (await socket.next(key))["practice"] == {"name": "Bay View"}
        await deployment.data(DEMAND, owner.token, on=True)
        assert await deployment.code(DEMAND, token, on=False) == "UNAUTHENTICATED"
        assert await socket.closed() == (4403, "Session ended")
    secret = (await deployment.data(BEGIN_TOTP, owner.token, p=PASSWORD))["beginTotp"]["secret"]
    code = TOTP(secret).at(deployment.platform.clock.now())
    await deployment.data(CONFIRM_TOTP, owner.token, c=code)
    assert (await deployment.data(PRACTICE, token))["practice"] == {"name": "Bay View"}
    # Whether a second factor is demanded is for people to say.
    facts = (await deployment.ask(DEMAND, token, on=False))["errors"][0]["extensions"]
    assert (facts["code"], facts["field"]) == ("FORBIDDEN", ["patch", "secondFactorRequired"])
    read = "{ accountsSettings { secondFactorRequired } }"
    assert (await deployment.data(read, owner.token))["accountsSettings"] == {"secondFactorRequired": True}
    await deployment.data(DEMAND, owner.token, on=False)
