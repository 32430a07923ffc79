"""Signing in, what a token stands for, and its end."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import Literal

import asyncpg
import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from core_stage import PASSWORD, as_, assembled_with, joined, member_of, practice_with

from bedside_core import errors
from bedside_core.auth import SESSION_STREAM, Role, passwords, token_hash
from bedside_core.database import DB
from bedside_core.live import Topic
from bedside_core.testing import Database, statements


@pytest.mark.rule("A4")
async def test_the_user_name_is_the_address_in_any_case(fresh_database: Database) -> None:
    async with assembled_with(fresh_database) as platform:
        practice, _ = await practice_with(platform)
        member, email = await member_of(platform, practice, Role.STAFF)
        token, actor = await platform.auth.sign_in(f"  {email.upper()} ", PASSWORD)
        assert (actor.member_id, actor.practice_id, actor.role) == (member.id, practice.id, Role.STAFF)
        assert await platform.auth.authenticate(token) == actor


@pytest.mark.rule("A6")
async def test_unknown_and_known_addresses_are_refused_alike(fresh_database: Database) -> None:
    async with assembled_with(fresh_database) as platform:
        practice, _ = await practice_with(platform)
        _, email = await member_of(platform, practice, Role.STAFF)
        told = []
        for address in (email, "nobody@example.org", "", "x" * 5000):
            with pytest.raises(errors.Unauthenticated) as refused:
                await platform.auth.sign_in(address, "wrong")
            told.append((str(refused.value), refused.value.extensions()))
        assert told == [told[0]] * 4


@pytest.mark.rule("A2")
@pytest.mark.parametrize(
    ("contact", "way_on"),
    [
        ("", "Try again."),
        ("help@clinic.example", "Try again. If that does not help, ask help@clinic.example."),
    ],
)
async def test_who_can_not_sign_in_is_told_the_operators_contact(
    fresh_database: Database, contact: str, way_on: str
) -> None:
    async with assembled_with(fresh_database, support_contact=contact) as platform:
        with pytest.raises(errors.Unauthenticated) as refused:
            await platform.auth.sign_in("nobody@example.org", "wrong")
        assert refused.value.way_on == way_on


async def test_a_token_is_stored_as_its_hash_only_and_found_by_one_statement(fresh_database: Database) -> None:
    async with assembled_with(fresh_database) as platform:
        practice, _ = await practice_with(platform)
        _, email = await member_of(platform, practice, Role.OWNER)
        token, actor = await platform.auth.sign_in(email, PASSWORD)
        assert len(token) == 43
        with statements() as ran:
            assert await platform.auth.authenticate(token) == actor
        assert len(ran) == 1
        owner = await asyncpg.connect(fresh_database.owner_dsn)
        stored = await owner.fetch("SELECT token_hash, session::text AS whole FROM session")
        await owner.close()
        assert [row["token_hash"] for row in stored] == [token_hash(token)]
        assert token not in stored[0]["whole"]


@pytest.mark.parametrize("token", [None, "", "x", "y" * 43, "z" * 5000, "\0"])
async def test_a_token_that_is_none_stands_for_nobody(fresh_database: Database, token: str | None) -> None:
    async with assembled_with(fresh_database) as platform:
        assert await platform.auth.authenticate(token) is None


@pytest.mark.rule("A10")
async def test_signing_out_ends_this_session_alone_and_is_announced(fresh_database: Database) -> None:
    async with assembled_with(fresh_database) as platform:
        practice, (other,) = await practice_with(platform, Role.OWNER)
        _, email = await member_of(platform, practice, Role.STAFF)
        first, actor = await platform.auth.sign_in(email, PASSWORD)
        second, _ = await platform.auth.sign_in(email, PASSWORD)
        with platform.live.attach(Topic(SESSION_STREAM, actor.session_id), after=0) as wake:
            await platform.auth.sign_out(actor)
            assert await wake.wait() == 1
        assert await platform.auth.authenticate(first) is None
        assert await platform.auth.authenticate(second) is not None
        positions = await DB.fetch(
            "SELECT * FROM session_positions($1, $2)", [actor.session_id, other.session_id], platform.clock.now()
        )
        assert {row["id"]: row["position"] for row in positions} == {actor.session_id: 1, other.session_id: 0}


@pytest.mark.rule("A10")
@pytest.mark.promise("A4")
async def test_deactivation_moves_the_stream_of_a_session_that_was_changed_before(fresh_database: Database) -> None:
    async with assembled_with(fresh_database) as platform:
        _, (owner, changed) = await practice_with(platform, Role.OWNER, Role.STAFF)
        assert changed.member_id is not None
        with as_(owner):
            await platform.people.change_role(owner, changed.member_id, Role.MANAGER)
        with platform.live.attach(Topic(SESSION_STREAM, changed.session_id), after=2) as wake:
            with as_(owner):
                await platform.people.set_active(owner, changed.member_id, False)
            assert await wake.wait() == 3
        # A process that was not told finds it by the position.
        positions = await DB.fetch(
            "SELECT * FROM session_positions($1, $2)", [changed.session_id], platform.clock.now()
        )
        assert [row["position"] for row in positions] == [3]


async def test_a_session_ends_by_the_product_s_clock(fresh_database: Database) -> None:
    async with assembled_with(fresh_database, session_hours=2) as platform:
        practice, _ = await practice_with(platform)
        _, email = await member_of(platform, practice, Role.STAFF)
        token, _ = await platform.auth.sign_in(email, PASSWORD)
        await platform.clock.move(timedelta(hours=1, minutes=59))
        assert await platform.auth.authenticate(token) is not None
        await platform.clock.move(timedelta(minutes=1))
        assert await platform.auth.authenticate(token) is None


@pytest.mark.rule("A15")
async def test_the_operator_is_a_person_of_no_practice(fresh_database: Database) -> None:
    async with assembled_with(fresh_database) as platform:
        await platform.people.create_account("operator@example.org", PASSWORD, operator=True)
        _, actor = await platform.auth.sign_in("operator@example.org", PASSWORD)
        assert (actor.role, actor.practice_id, actor.member_id) == (Role.OPERATOR, None, None)
        with pytest.raises(errors.Forbidden):
            actor.in_practice()


async def test_the_application_role_reads_neither_accounts_nor_tokens(fresh_database: Database) -> None:
    async with assembled_with(fresh_database) as platform:
        practice, _ = await practice_with(platform)
        await joined(platform, practice, Role.OWNER)
        for table in ("account", "credential", "session", "practice", "clock"):
            with pytest.raises(Exception, match="permission denied"):
                await DB.fetch(f"SELECT * FROM {table}")


@pytest.mark.rule("G4")
@pytest.mark.promise("G1")
async def test_sign_ins_beyond_those_that_may_wait_are_refused_before_a_password_is_looked_at(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = passwords.HASHING_THREADS + passwords.HASHING_WAITING
    entered, leave = threading.Semaphore(0), threading.Event()

    class Slow(PasswordHasher):
        verified = 0

        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            self.verified += 1
            entered.release()
            assert leave.wait(20)
            raise VerifyMismatchError

    slow = Slow(time_cost=1, memory_cost=8, parallelism=1)
    async with assembled_with(fresh_database) as platform:
        monkeypatch.setattr(passwords, "_passwords", slow)
        waiting = [asyncio.create_task(platform.auth.sign_in(f"nobody{n}@example.org", "no")) for n in range(many)]
        try:
            for _ in range(passwords.HASHING_THREADS):
                assert await asyncio.to_thread(entered.acquire, timeout=20)
            async with asyncio.timeout(20):
                while passwords._places._value:  # noqa: ASYNC110 - a semaphore tells nobody that it is empty
                    await asyncio.sleep(0.01)
            for _ in range(3):
                with pytest.raises(errors.RateLimited) as refused:
                    await platform.auth.sign_in("nobody@example.org", "no")
                assert refused.value.detail == {"retryAfter": passwords.HASHING_RETRY_SECONDS}
            assert slow.verified == passwords.HASHING_THREADS  # the others wait their turn
        finally:
            leave.set()
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(each) for each in told] == [errors.Unauthenticated] * many
        assert slow.verified == many
        monkeypatch.undo()
        practice, _ = await practice_with(platform)
        _, email = await member_of(platform, practice, Role.STAFF)
        assert (await platform.auth.sign_in(email, PASSWORD))[1].role is Role.STAFF
