"""Six failed attempts in a row lock for fifteen minutes, nobody else's device, and nobody learns who has an account."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any, Literal
from unittest.mock import patch

import pytest
import pytest_asyncio
from accounts_stage import SIGN_IN, WIDE, cheap_hashes, give_cheap_password, rows
from argon2 import PasswordHasher
from core_stage import plugin
from deployment import APPS, PASSWORD, Deployment, served

import bedside_graphql.plugin
from bedside_core.auth import AccountLocked, Role, passwords
from bedside_core.database import DB
from bedside_core.events import on
from bedside_core.jobs import WorkerState
from bedside_core.plugins import from_module
from bedside_core.testing import Database, statements, until
from rulebook import full_size, size


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def deployment(fresh_database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Deployment, None]:
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)
    with cheap_hashes():
        async with served(fresh_database) as running:
            yield running


def told(body: dict[str, Any]) -> dict[str, Any]:
    """An answer without what names the request and what it cost."""
    for error in body["errors"]:
        error["extensions"].pop("requestId")
    return {key: body[key] for key in ("data", "errors")}


async def attempt(deployment: Deployment, email: str, password: str = "wrong", device: str | None = None) -> str:
    """Try once; returns the code, or "in"."""
    body = await deployment.ask(SIGN_IN, e=email, p=password, d=device)
    return body["errors"][0]["extensions"]["code"] if "errors" in body else "in"


async def sessions(database: Database) -> int:
    return (await rows(database, "SELECT count(*) FROM session"))[0][0]


@pytest.mark.rule("A5")
async def test_the_sixth_failure_in_a_row_locks_for_fifteen_minutes_and_nothing_makes_it_longer(
    deployment: Deployment, fresh_database: Database
) -> None:
    ada = await deployment.person(await deployment.practice())
    before = await sessions(fresh_database)
    assert [await attempt(deployment, ada.email) for _ in range(5)] == ["UNAUTHENTICATED"] * 5
    body = await deployment.ask(SIGN_IN, e=ada.email, p="wrong")
    facts = body["errors"][0]["extensions"]
    assert (facts["code"], facts["retryable"], facts["retryAfter"]) == ("SIGN_IN_LOCKED", True, 900)
    await deployment.platform.clock.move(timedelta(minutes=14))
    for _ in range(3):  # right or wrong, and none of them counts
        assert await attempt(deployment, ada.email, PASSWORD) == "SIGN_IN_LOCKED"
        assert await attempt(deployment, ada.email) == "SIGN_IN_LOCKED"
    body = await deployment.ask(SIGN_IN, e=ada.email, p=PASSWORD)
    assert 0 < body["errors"][0]["extensions"]["retryAfter"] <= 60
    assert await sessions(fresh_database) == before
    await deployment.platform.clock.move(timedelta(minutes=1))
    # The row of six is over, and another begins.
    assert [await attempt(deployment, ada.email) for _ in range(5)] == ["UNAUTHENTICATED"] * 5
    assert await attempt(deployment, ada.email, PASSWORD) == "in"
    assert await sessions(fresh_database) == before + 1


@pytest.mark.rule("A5")
async def test_success_ends_the_row(deployment: Deployment) -> None:
    ada = await deployment.person(await deployment.practice())
    for _ in range(3):
        assert [await attempt(deployment, ada.email.upper()) for _ in range(5)] == ["UNAUTHENTICATED"] * 5
        assert await attempt(deployment, f" {ada.email}", PASSWORD) == "in"


@pytest.mark.rule("A5")
@pytest.mark.promise("A5")
async def test_failures_elsewhere_do_not_lock_a_known_device_and_failures_on_it_do(deployment: Deployment) -> None:
    practice = await deployment.practice()
    ada, ben = await deployment.person(practice), await deployment.person(practice, name="Ben")
    phone = (await deployment.data(SIGN_IN, e=ada.email, p=PASSWORD))["signIn"]["deviceToken"]
    for _ in range(7):
        await attempt(deployment, ada.email)
    assert await attempt(deployment, ada.email, PASSWORD) == "SIGN_IN_LOCKED"
    assert await attempt(deployment, ada.email, PASSWORD, "a device of nobody's") == "SIGN_IN_LOCKED"
    signed_in = (await deployment.data(SIGN_IN, e=ada.email, p=PASSWORD, d=phone))["signIn"]
    assert signed_in["viewer"]["member"] == {"id": ada.id}
    # The device has another token from then on, and success there lifts no lock elsewhere.
    assert await attempt(deployment, ada.email, PASSWORD, phone) == "SIGN_IN_LOCKED"
    assert await attempt(deployment, ada.email, PASSWORD) == "SIGN_IN_LOCKED"
    phone = signed_in["deviceToken"]
    assert [await attempt(deployment, ada.email, device=phone) for _ in range(6)] == [
        *["UNAUTHENTICATED"] * 5, "SIGN_IN_LOCKED",
    ]  # fmt: skip
    assert await attempt(deployment, ada.email, PASSWORD, phone) == "SIGN_IN_LOCKED"
    # Ada's device is none of Ben's.
    assert [await attempt(deployment, ben.email, device=phone) for _ in range(6)][-1] == "SIGN_IN_LOCKED"
    assert await attempt(deployment, ben.email, PASSWORD) == "SIGN_IN_LOCKED"


@pytest.mark.rule("A6")
@pytest.mark.promise("A5")
async def test_unknown_addresses_are_answered_counted_and_locked_as_known_ones(deployment: Deployment) -> None:
    verified: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            verified.append("once")
            return super().verify(hash, password)

    ada = await deployment.person(await deployment.practice())
    counting = Counting(time_cost=1, memory_cost=8, parallelism=1)
    bodies: dict[str, list[Any]] = {}
    # Inside the test: monkeypatch is undone after the fixture's own hasher, and would leave a cheap one to later tests.
    with patch.object(passwords, "_passwords", counting):
        for email in (ada.email, "nobody@example.org"):
            for _ in range(8):
                with statements() as ran:
                    body = told(await deployment.ask(SIGN_IN, e=email, p="wrong"))
                waits = [error["extensions"].pop("retryAfter", None) for error in body["errors"]]
                assert all(wait is None or 890 <= wait <= 900 for wait in waits)
                bodies.setdefault(email, []).append((body, len(ran), len(verified)))
                verified.clear()
    assert bodies[ada.email] == bodies["nobody@example.org"]
    # One argon2 verification always, locked or not: and three statements (the account, the count, the audit's entry),
    # with one more where the lock is written.
    assert [(ran, times) for _, ran, times in bodies[ada.email]] == [(3, 1)] * 5 + [(4, 1)] + [(3, 1)] * 2


@pytest.mark.rule("A5")
async def test_attempts_that_come_at_once_are_heard_as_if_they_came_one_by_one(
    deployment: Deployment, fresh_database: Database
) -> None:
    ada = await deployment.person(await deployment.practice())
    await give_cheap_password(ada, PASSWORD)
    codes = await asyncio.gather(*(attempt(deployment, ada.email) for _ in range(16)))
    assert sorted(codes) == [*["SIGN_IN_LOCKED"] * 11, *["UNAUTHENTICATED"] * 5]
    [row] = await rows(fresh_database, "SELECT failures, locked_until - last_at AS span FROM attempt")
    assert (row["failures"], row["span"]) == (6, timedelta(minutes=15))
    [jobs] = await rows(fresh_database, "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'core.account_locked'")
    assert jobs[0] == 1


@pytest.mark.rule("A5")
async def test_right_sign_ins_that_come_at_once_lock_nobody(deployment: Deployment) -> None:
    ada = await deployment.person(await deployment.practice())
    await give_cheap_password(ada, PASSWORD)
    assert await asyncio.gather(*(attempt(deployment, ada.email, PASSWORD) for _ in range(16))) == ["in"] * 16


@pytest.mark.rule("A5")
@pytest.mark.rule("G4")
@pytest.mark.promise("A5")
async def test_a_hundred_attempts_are_counted_as_a_hundred_however_they_are_sent(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEDSIDE_GRAPHQL_SIGN_INS_PER_ACCOUNT", "100")
    monkeypatch.setenv("BEDSIDE_GRAPHQL_SIGN_INS_PER_ADDRESS", "150")
    monkeypatch.setenv("BEDSIDE_GRAPHQL_ADDRESS_BUDGET", "1000000000")
    with cheap_hashes():
        async with served(fresh_database) as deployment:
            ada = await deployment.person(await deployment.practice())
            many = " ".join(f'a{n}: signIn(email: "{ada.email}", password: "no") {{ token }}' for n in range(100))
            assert await deployment.code(f"mutation {{ {many} }}") in {"TOO_MANY_ALIASES", "TOO_COSTLY"}
            assert await rows(fresh_database, "SELECT * FROM attempt") == []
            async with deployment.socket() as socket:
                for number in range(50):  # of sockets and of HTTP alike
                    key = await socket.subscribe(SIGN_IN, e=ada.email, p="no", d=None)
                    assert (await socket.receive())["payload"]["data"] == {"signIn": None}
                    assert await socket.receive() == {"id": key, "type": "complete"}
                    assert await attempt(deployment, ada.email) == (
                        "UNAUTHENTICATED" if number < 2 else "SIGN_IN_LOCKED"
                    )
            # The window slides: at a turn of the minute it has room for some more, and never for twice as many.
            sent = 100
            while await attempt(deployment, ada.email) != "RATE_LIMITED":
                sent += 1
                assert sent < 200
            # The caller's address has its own, whomever they try.
            while await attempt(deployment, f"nobody{sent}@example.org") != "RATE_LIMITED":
                sent += 1
                assert sent < 300
            body = await deployment.ask(SIGN_IN, e="nobody@example.org", p="no")
            assert 0 < body["errors"][0]["extensions"]["retryAfter"] <= 120


@pytest.mark.rule("A5")
async def test_the_owner_is_told_once_for_each_lock_and_nobody_of_an_address_that_is_nobody_s(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[AccountLocked] = []

    async def hear(event: AccountLocked) -> None:
        heard.append(event)

    ear = plugin("ear", listeners=lambda platform: [on(AccountLocked, hear, durable=True)])
    sources = {"graphql": from_module(bedside_graphql.plugin, name="graphql"), "ear": ear}
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)
    with cheap_hashes():
        async with served(fresh_database, sources=sources, plugins=("graphql", "ear"), worker=True) as deployment:
            await until(lambda: deployment.platform.jobs.state is WorkerState.RUNNING, "a worker", seconds=60)
            practice = await deployment.practice(tier=None)
            ada = await deployment.person(practice)
            for email in ("nobody@example.org", ada.email, ada.email):
                for _ in range(8):
                    await attempt(deployment, email)
            await until(lambda: len(heard) == 1, "the first", seconds=60)
            [account] = await rows(fresh_database, "SELECT id FROM account")
            assert (heard[0].account_id, heard[0].practice_id) == (account["id"], practice.id)
            await deployment.platform.clock.move(timedelta(minutes=16))
            for _ in range(8):
                await attempt(deployment, ada.email)
            await until(lambda: len(heard) == 2, "the second", seconds=60)
            left = "SELECT count(*) FROM pgqueuer WHERE status IN ('queued', 'picked')"

            async def done() -> bool:
                return (await rows(fresh_database, left))[0][0] == 0

            await until(done, "an empty queue", seconds=60)
            assert len({event.lock_id for event in heard}) == len(heard) == 2


@pytest.mark.rule("A6")
async def test_a_password_that_is_longer_than_any_is_wrong_and_costs_the_same(deployment: Deployment) -> None:
    ada = await deployment.person(await deployment.practice(), Role.OWNER)
    longest = "x" * 1024
    await give_cheap_password(ada, longest)
    assert await attempt(deployment, ada.email, longest + "y") == "UNAUTHENTICATED"
    assert await attempt(deployment, ada.email, longest[:-1]) == "UNAUTHENTICATED"
    assert await attempt(deployment, ada.email, longest) == "in"


@pytest.mark.rule("A6")
@pytest.mark.promise("A5")
@pytest.mark.timeout(900)
async def test_known_and_unknown_addresses_take_the_same_time(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)
    many = size(12, 500)
    async with served(fresh_database) as deployment:
        practice = await deployment.practice()
        known = [(await deployment.person(practice)).email for _ in range(many)]
        unknown = [f"nobody{number}@example.org" for number in range(many)]
        spans: dict[str, list[float]] = {"known": [], "unknown": []}
        bodies: list[Any] = []
        for pair in zip(known, unknown, strict=True):  # in turns, so that a busy machine meets both alike
            for kind, email in zip(spans, pair, strict=True):
                began = time.perf_counter()
                body = await deployment.ask(SIGN_IN, e=email, p="wrong")
                spans[kind].append(time.perf_counter() - began)
                bodies.append(told(body))
        assert bodies == [bodies[0]] * (2 * many)
        apart = abs(statistics.median(spans["known"]) - statistics.median(spans["unknown"]))
        print(f"medians of {many}: {[round(statistics.median(each) * 1000, 2) for each in spans.values()]} ms")
        assert not full_size() or apart < 0.005


@pytest.mark.rule("A5")
async def test_what_is_counted_of_addresses_is_their_hash(deployment: Deployment, fresh_database: Database) -> None:
    await attempt(deployment, "somebody.else@example.org")
    [row] = await rows(fresh_database, "SELECT attempt::text AS whole, octet_length(key) AS length FROM attempt")
    assert "somebody" not in row["whole"]
    assert row["length"] == 32
    with pytest.raises(Exception, match="permission denied"):
        await DB.fetch("SELECT * FROM attempt")
