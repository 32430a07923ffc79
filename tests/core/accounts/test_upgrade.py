"""A deployment that is upgraded keeps its sessions and its passwords."""

from __future__ import annotations

import importlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from argon2 import PasswordHasher
from core_stage import PASSWORD, assembled_with

from bedside_core.auth import Role, token_hash
from bedside_core.database import EmbeddedServer, migrate, prepare_roles
from bedside_core.ids import uuid7
from bedside_core.testing import Database

OLD = "core_2026_11_22t00"
BEFORE = {
    "practice", "account", "credential", "session", "clock", "job_attempt", "job_schedule", "member", "patient",
    "setting",
}  # fmt: skip


@pytest.mark.rule("A10")
async def test_sessions_and_passwords_of_before_go_on(
    postgres_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("bedside_core.database.migrate")
    name = f"upgraded_{secrets.token_hex(4)}"
    await postgres_server.create_database(name)
    database = Database(name, postgres_server.application_dsn(name), postgres_server.owner_dsn(name))
    await prepare_roles(database.owner_dsn, database.dsn)
    read_app = module.read_app

    def as_before(path: str, earlier: Any) -> Any:
        app = read_app(path, earlier)
        kept = {key: value for key, value in app.migrations.items() if key.startswith(OLD)}
        kinds = {key: kind for key, kind in app.kinds.items() if key in BEFORE}
        return module.App(app.module, app.name, app.files, kept, kinds)

    with monkeypatch.context() as patched:
        patched.setattr(module, "read_app", as_before)
        await migrate(database.owner_dsn, ())
    token, account, practice, member = secrets.token_urlsafe(32), uuid7(), uuid7(), uuid7()
    now = datetime.now(UTC)
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        await owner.execute(
            "INSERT INTO practice (id, name, zone, created_at) VALUES ($1, 'Bay', 'UTC', $2)", practice, now
        )
        await owner.execute(
            "SELECT account_create($1, 'ada@example.org', $2, false, $3)", account, PasswordHasher().hash(PASSWORD), now
        )
        await owner.execute(
            """INSERT INTO member (id, practice_id, account_id, first_name, last_name, role, created_at)
            VALUES ($1, $2, $3, 'Ada', 'Moss', 'owner', $4)""", member, practice, account, now,
        )  # fmt: skip
        await owner.execute(
            "SELECT auth_open_session($1, $2, $3, $4, $5, $6)",
            uuid7(), account, member, token_hash(token), now, now + timedelta(hours=12),
        )  # fmt: skip
    finally:
        await owner.close()
    assert len((await migrate(database.owner_dsn, ())).applied["bedside_core.piccolo_app"]) >= 2
    async with assembled_with(database) as platform:
        actor = await platform.auth.authenticate(token)
        assert actor is not None
        assert (actor.member_id, actor.role, actor.pending) == (member, Role.OWNER, None)
        assert len(await platform.auth.sessions(actor)) == 1
        _, again = await platform.auth.sign_in("ada@example.org", PASSWORD)
        assert again.member_id == member
        await platform.auth.sign_out(actor)
        assert await platform.auth.authenticate(token) is None
