"""An operator's own way back, by a command on the machine: nobody invites them, and they have answered no questions."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import asyncpg
import pytest
from argon2 import PasswordHasher
from cli_stage import logging_as_before
from click.testing import CliRunner, Result

from bedside_core import cli
from bedside_core.audit import DEPLOYMENT
from bedside_core.testing import Database

OLD, NEW = "seven green bicycles at dawn", "sixty slow trains in the rain"
FACTOR = "INSERT INTO totp (account_id, secret, confirmed_at) SELECT id, 'sealed', now() FROM account"
STATE = """SELECT (SELECT count(*) FROM totp) AS factors, (SELECT password_hash FROM credential) AS hash,
    (SELECT count(*) FROM notification) AS letters, (SELECT count(*) FROM audit_entry) AS entries"""


@pytest.mark.rule("A9")
@pytest.mark.rule("A14")
@pytest.mark.promise("A7")
def test_an_operator_who_has_lost_the_second_factor_is_given_a_new_password(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("BEDSIDE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BEDSIDE_DATABASE_URL", fresh_database.dsn)
    monkeypatch.setenv("BEDSIDE_PLUGINS", "graphql")

    def bedside(*arguments: str, typed: str = "") -> Result:
        with logging_as_before():
            return CliRunner().invoke(cli.bedside, arguments, input=typed)

    async def rows(sql: str) -> list[Any]:
        owner = await asyncpg.connect(fresh_database.owner_dsn)
        try:
            return await owner.fetch(sql)
        finally:
            await owner.close()

    assert bedside("operator", "create", "ops@example.org", typed=f"{OLD}\n").exit_code == 0
    asyncio.run(rows(FACTOR))
    before = asyncio.run(rows(STATE))
    for arguments, typed, why in (
        ((), "", "The person can't choose a new password by mail"),
        (("--new-password",), "zu9#kelp\n", "The password is shorter than 15 characters."),
    ):
        refused = bedside("account", "recover", "ops@example.org", *arguments, typed=typed)
        assert refused.exit_code == 1
        assert why in refused.stderr
    assert asyncio.run(rows(STATE)) == before
    done = bedside("account", "recover", "Ops@example.org", "--new-password", typed=f"{NEW}\n")
    assert done.exit_code == 0, done.output
    assert "an authenticator application." in done.stdout
    [after] = asyncio.run(rows(STATE))
    assert (after["factors"], after["letters"]) == (0, 1)
    assert PasswordHasher().verify(after["hash"], NEW)
    entries = asyncio.run(rows("SELECT practice_id, operator FROM audit_entry WHERE action = 'account.recover'"))
    assert [tuple(entry) for entry in entries] == [(DEPLOYMENT, True)]
