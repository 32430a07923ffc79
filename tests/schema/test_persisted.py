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
SETTING = "{ graphqlSettings { persistedOnly } }"


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
@pytest.mark.parametrize(
    "documents",
    [
        None,
        [],
        [VIEWER],
        [VIEWER, "mutation { updateGraphqlSettings(patch: { persistedOnly: true }) { persistedOnly } }"],
        [VIEWER, "mutation { updateGraphqlSettings(patch: {}) { persistedOnly } }"],
        [VIEWER, "mutation { updateGraphqlSettings(patch: { persistedOnly: false }) { isNoFieldOfTheSchema } }"],
        [VIEWER, "{ viewer { role } } # updateGraphqlSettings(patch: { persistedOnly: false })"],
        [VIEWER, "{ updateGraphqlSettings: viewer { role } }", "updateGraphqlSettings ("],
    ],
)
async def test_a_practice_does_not_lock_itself_out_where_no_listed_document_leads_back(
    fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, documents: list[str] | None
) -> None:
    if documents is not None:
        monkeypatch.setenv("BEDSIDE_GRAPHQL_PERSISTED_DOCUMENTS", str(listed(tmp_path / "documents.json", *documents)))
    async with served(fresh_database) as deployment:
        ada = await deployment.person(await deployment.practice(), Role.OWNER)
        body = await deployment.ask(INSIST, ada.token, only=True)
        assert body["data"] == {"updateGraphqlSettings": None}
        [error] = body["errors"]
        assert (error["extensions"]["code"], error["extensions"]["field"]) == ("CONFLICT", ["patch", "persistedOnly"])
        assert error["extensions"]["wayOn"].startswith("Have the operator add a mutation with updateGraphqlSettings(")
        assert (await deployment.data(SETTING, ada.token))["graphqlSettings"] == {"persistedOnly": False}
        data = await deployment.data(INSIST, ada.token, only=False)
        assert data["updateGraphqlSettings"] == {"persistedOnly": False}


@pytest.mark.rule("G10")
@pytest.mark.parametrize(
    ("back", "variables"),
    [
        ("mutation { updateGraphqlSettings(patch: { persistedOnly: false }) { persistedOnly } }", {}),
        (
            "mutation ($p: GraphQLSettingsPatch!) { ...F } "
            "fragment F on Mutation { off: updateGraphqlSettings(patch: $p) { persistedOnly } }",
            {"p": {"persistedOnly": False}},
        ),
    ],
)
async def test_a_practice_that_insists_goes_back_by_the_listed_document_that_allowed_it(
    fresh_database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    back: str,
    variables: dict[str, object],
) -> None:
    monkeypatch.setenv("BEDSIDE_GRAPHQL_PERSISTED_DOCUMENTS", str(listed(tmp_path / "documents.json", VIEWER, back)))
    async with served(fresh_database) as deployment:
        ada = await deployment.person(await deployment.practice(), Role.OWNER)
        await deployment.data(INSIST, ada.token, only=True)
        assert await deployment.code(SETTING, ada.token) == "PERSISTED_DOCUMENT_REQUIRED"
        assert await deployment.code(INSIST, ada.token, only=False) == "PERSISTED_DOCUMENT_REQUIRED"
        [settings] = (await deployment.data(back, ada.token, **variables)).values()
        assert settings == {"persistedOnly": False}
        assert (await deployment.data(SETTING, ada.token))["graphqlSettings"] == {"persistedOnly": False}


@pytest.mark.rule("G10")
async def test_what_a_practice_set_does_not_count_once_the_list_is_gone(
    fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEDSIDE_GRAPHQL_PERSISTED_DOCUMENTS", str(listed(tmp_path / "documents.json", INSIST)))
    async with served(fresh_database) as deployment:
        ada = await deployment.person(await deployment.practice(), Role.OWNER)
        await deployment.data(INSIST, ada.token, only=True)
        assert await deployment.code(VIEWER, ada.token) == "PERSISTED_DOCUMENT_REQUIRED"
    monkeypatch.delenv("BEDSIDE_GRAPHQL_PERSISTED_DOCUMENTS")
    async with served(fresh_database) as deployment:
        assert (await deployment.data(VIEWER, ada.token))["viewer"] == {"role": "OWNER"}
        assert (await deployment.data(SETTING, ada.token))["graphqlSettings"] == {"persistedOnly": True}


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
