"""Core's own part of the schema, asked over HTTP."""

from __future__ import annotations

import pytest
from deployment import APPS, PASSWORD, served

from bedside_core.auth import Role
from bedside_core.testing import Database


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


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


async def test_signing_in_and_out(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        ada = await deployment.person(await deployment.practice())
        assert (await deployment.data("{ viewer { role } }", ada.token))["viewer"] == {"role": "PRACTITIONER"}
        assert await deployment.data("mutation { signOut }", ada.token) == {"signOut": True}
        assert await deployment.code("{ viewer { role } }", ada.token) == "UNAUTHENTICATED"
        refused = 'mutation($e: String!) { signIn(email: $e, password: "no") { token } }'
        assert await deployment.code(refused, e=ada.email) == "UNAUTHENTICATED"
        assert await deployment.sign_in(ada.email, PASSWORD) != ada.token
