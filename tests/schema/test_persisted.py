"""The allow-list of documents in a whole deployment: the operator's policy counts always, a practice's with a list."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from deployment import APPS, served

from bedside_core.auth import Role
from bedside_core.testing import Database

INSIST = "mutation ($only: Boolean!) { updateGraphqlSettings(patch: { persistedOnly: $only }) { persistedOnly } }"
VIEWER = "{ viewer { role } }"


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


def listed(file: Path, *documents: str) -> Path:
    """Write an allow-list."""
    file.write_text(json.dumps({hashlib.sha256(text.encode()).hexdigest(): text for text in documents}))
    return file


@pytest.mark.rule("G10")
async def test_an_empty_list_of_the_operators_lets_nothing_through(
    fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEDSIDE_GRAPHQL_PERSISTED_DOCUMENTS", str(listed(tmp_path / "documents.json")))
    monkeypatch.setenv("BEDSIDE_GRAPHQL_PERSISTED_ONLY", "true")
    async with served(fresh_database) as deployment:
        ada = await deployment.person(await deployment.practice(), Role.OWNER)
        for token in (None, ada.token):
            assert await deployment.code(VIEWER, token) == "PERSISTED_DOCUMENT_REQUIRED"
        assert await deployment.code(INSIST, ada.token, only=True) == "PERSISTED_DOCUMENT_REQUIRED"


@pytest.mark.rule("G10")
async def test_a_practice_does_not_lock_itself_out_where_no_list_is_loaded(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        ada = await deployment.person(await deployment.practice(), Role.OWNER)
        for only in (True, False):
            data = await deployment.data(INSIST, ada.token, only=only)
            assert data["updateGraphqlSettings"] == {"persistedOnly": only}
            assert (await deployment.data(VIEWER, ada.token))["viewer"] == {"role": "OWNER"}


@pytest.mark.rule("G10")
async def test_a_practice_that_insists_on_a_loaded_list_gets_it(
    fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEDSIDE_GRAPHQL_PERSISTED_DOCUMENTS", str(listed(tmp_path / "documents.json", VIEWER, INSIST)))
    async with served(fresh_database) as deployment:
        ada = await deployment.person(await deployment.practice("Bay View"), Role.OWNER)
        bea = await deployment.person(await deployment.practice("Hill Top"), Role.OWNER)
        await deployment.data(INSIST, ada.token, only=True)
        assert await deployment.code("{ practice { name } }", ada.token) == "PERSISTED_DOCUMENT_REQUIRED"
        assert (await deployment.data(VIEWER, ada.token))["viewer"] == {"role": "OWNER"}
        assert (await deployment.data("{ practice { name } }", bea.token))["practice"] == {"name": "Hill Top"}
        await deployment.data(INSIST, ada.token, only=False)
        assert (await deployment.data("{ practice { name } }", ada.token))["practice"] == {"name": "Bay View"}
