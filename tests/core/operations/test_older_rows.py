"""Rows of before a migration are brought up to what code expects of them now."""

from __future__ import annotations

import importlib
import secrets
from collections.abc import AsyncGenerator, Callable
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from deployment import APPS

from bedside_core.database import EmbeddedServer, migrate, prepare_roles
from bedside_core.ids import uuid7
from bedside_core.testing import Database

Older = Callable[..., Any]


@pytest_asyncio.fixture
async def older(postgres_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Older]:
    """Make databases as they were without some migrations, and return their owner's connection and URL."""
    module = importlib.import_module("bedside_core.database.migrate")
    read_app, made = module.read_app, list[tuple[str, Any]]()

    async def make(*without: str) -> tuple[asyncpg.Connection, str]:
        name = f"older_{secrets.token_hex(4)}"
        await postgres_server.create_database(name)
        database = Database(name, postgres_server.application_dsn(name), postgres_server.owner_dsn(name))
        await prepare_roles(database.owner_dsn, database.dsn)

        def as_before(path: str, earlier: Any) -> Any:
            app = read_app(path, earlier)
            kept = {key: value for key, value in app.migrations.items() if key not in without}
            return module.App(app.module, app.name, app.files, kept, app.kinds)

        with monkeypatch.context() as patched:
            patched.setattr(module, "read_app", as_before)
            assert (await migrate(database.owner_dsn, APPS)).failed == {}
        owner = await asyncpg.connect(database.owner_dsn)
        made.append((name, owner))
        return owner, database.owner_dsn

    yield make
    for name, owner in made:
        await owner.close()
        await postgres_server.drop_database(name)


async def practice(owner: asyncpg.Connection, name: str, *, sandbox: bool = False) -> Any:
    made = uuid7()
    await owner.execute(
        "INSERT INTO practice (id, name, zone, created_at, sandbox) VALUES ($1, $2, 'UTC', now(), $3)",
        made, name, sandbox,
    )  # fmt: skip
    return made


@pytest.mark.rule("C11")
@pytest.mark.promise("F2")
async def test_an_export_that_does_not_know_what_it_contains_goes(older: Older) -> None:
    owner, dsn = await older("core_2026_11_22t02_41")
    of, knows, not_yet, old = await practice(owner, "Bay View"), uuid7(), uuid7(), uuid7()
    for export, state, patients in ((knows, "ready", [uuid7()]), (not_yet, "waiting", []), (old, "ready", [])):
        file = uuid7()
        await owner.execute(
            """INSERT INTO data_export (id, practice_id, made_by, client_id, asked_by, state, file_id, size, created_at,
                ended_at, expires_at, patients)
            VALUES ($1, $2, $1, 'c', '{}', $3, $4, 9, now(), now(), now() + interval '6 days', $5)""",
            export, of, state, file, patients,
        )  # fmt: skip
        if state == "ready":
            await owner.execute(
                """INSERT INTO file (id, practice_id, made_by, client_id, state, name, media_type, size, upload_size,
                    upload_sha256, owner_kind, owner_id, created_at, attached_at)
                VALUES ($1, $2, $1, 'c', 'attached', 'practice.zip', 'application/zip', 9, 9, sha256('x'),
                    'data_export', $3, now(), now())""",
                file, of, export,
            )  # fmt: skip
            await owner.execute(
                """INSERT INTO file_object (key, practice_id, file_id, kind, size, created_at)
                VALUES ($1::text, $2, $3, 'content', 9, now())""",
                str(export), of, file,
            )  # fmt: skip
    assert "core_2026_11_22t02_41" in (await migrate(dsn, APPS)).applied["bedside_core.piccolo_app"]
    rows = await owner.fetch(
        """SELECT e.id, e.state, e.file_id IS NULL AS without, f.state AS file, f.name, o.file_id IS NULL AS doomed
        FROM data_export e LEFT JOIN file f ON f.owner_id = e.id LEFT JOIN file_object o ON o.key = e.id::text
        ORDER BY e.id"""
    )
    assert [tuple(row) for row in rows] == [
        (knows, "ready", False, "attached", "practice.zip", False),
        (not_yet, "waiting", False, None, None, True),
        (old, "expired", True, "deleted", None, True),
    ]


@pytest.mark.rule("A4")
@pytest.mark.rule("G8")
async def test_an_account_that_acts_for_patients_alone_is_known_for_the_sandbox_s_or_not(older: Older) -> None:
    owner, dsn = await older("portal_2026_11_22t02_41")
    sandbox, real = await practice(owner, "Sandbox", sandbox=True), await practice(owner, "Bay View")

    async def account(name: str, *ties: Any, sandbox: bool) -> Any:
        made = uuid7()
        await owner.execute(
            "INSERT INTO account (id, email, operator, created_at, sandbox) VALUES ($1, $2, false, now(), $3)",
            made, f"{name}@example.org", sandbox,
        )  # fmt: skip
        for of in ties:
            patient = uuid7()
            await owner.execute(
                """INSERT INTO patient (id, practice_id, first_name, last_name, date_of_birth, mrn, gender, email,
                    created_at)
                VALUES ($1, $2, 'Pat', 'Reed', '1980-02-03', $3, 'female', 'p@example.org', now())""",
                patient, of, str(patient),
            )  # fmt: skip
            await owner.execute(
                """INSERT INTO portal_holder (id, practice_id, patient_id, account_id, channel, address, invited_by,
                    client_id, created_at, sent_at, expires_at, registered_at)
                VALUES ($1, $2, $3, $4, 'email', 'p@example.org', $1, 'c', now(), now(), now(), now())""",
                uuid7(), of, patient, made,
            )  # fmt: skip
        return made

    unmarked = await account("unmarked", sandbox, sandbox=False)
    both = await account("both", sandbox, real, sandbox=True)
    kept = [
        await account("new", sandbox, sandbox=True),
        await account("real", real, sandbox=False),
        await account("nobody", sandbox=False),
        await account("member", sandbox=True),
    ]
    before = {row["id"]: row["sandbox"] for row in await owner.fetch("SELECT id, sandbox FROM account")}
    await migrate(dsn, APPS)
    after = {row["id"]: row["sandbox"] for row in await owner.fetch("SELECT id, sandbox FROM account")}
    assert after == {**before, unmarked: True, both: False}
    assert {after[each] for each in kept} == {True, False}


@pytest.mark.rule("G8")
@pytest.mark.rule("P2")
async def test_what_the_sandbox_was_connected_to_it_is_no_more(older: Older) -> None:
    owner, dsn = await older("core_2026_11_22t02_42")
    sandbox = await practice(owner, "Sandbox", sandbox=True)
    near, far, away = [await practice(owner, name) for name in ("Near", "Far", "Away")]
    pairs = ((sandbox, near, "accepted"), (far, sandbox, "asked"), (away, sandbox, "declined"), (near, far, "accepted"))
    for asker, asked, state in pairs:
        await owner.execute(
            """INSERT INTO connection (id, asker, asked, named, state, created_at, changed_at)
            VALUES ($1, $2, $3, 'x', $4, now(), now())""",
            uuid7(), asker, asked, state,
        )  # fmt: skip
    await migrate(dsn, APPS)
    rows = await owner.fetch("SELECT state FROM connection ORDER BY id")
    assert [row["state"] for row in rows] == ["ended", "ended", "declined", "accepted"]
