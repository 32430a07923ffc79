"""What an operator makes before anybody can be invited: their own account, and a practice with its first owner."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_stage import assembled_with

from bedside_core import errors
from bedside_core.auth import Role
from bedside_core.database import acting
from bedside_core.founding import FirstOwner, create_operator, found_practice
from bedside_core.platform import Platform
from bedside_core.testing import Database

PASSWORD = "a tall glass of water"
ADA = FirstOwner(email=" Ada@Bay.example ", password=PASSWORD, first_name=" Ada", last_name="Moss ")
ZONE = "America/Chicago"


async def practices(platform: Platform) -> int:
    return len(await platform.people.practice_ids())


@pytest.mark.rule("A15")
async def test_an_operator_s_account_signs_in_and_is_of_no_practice(fresh_database: Database) -> None:
    async with assembled_with(fresh_database) as platform:
        account = await create_operator(platform.people, "ops@bay.example", PASSWORD)
        _, actor = await platform.auth.sign_in("OPS@bay.example", PASSWORD)
    assert (actor.account_id, actor.role, actor.practice_id) == (account, Role.OPERATOR, None)


@pytest.mark.rule("A4")
@pytest.mark.rule("A15")
async def test_a_practice_begins_with_an_owner_who_can_sign_in(fresh_database: Database) -> None:
    async with assembled_with(fresh_database) as platform:
        made = await found_practice(platform.people, " Bay View ", zone=ZONE, owner=ADA)
        assert await platform.people.practice(made.id) == made
        assert (made.name, made.zone) == ("Bay View", ZONE)
        _, actor = await platform.auth.sign_in("ada@bay.example", PASSWORD)
        assert (actor.role, actor.practice_id) == (Role.OWNER, made.id)
        assert actor.member_id is not None
        with acting(made.id):
            [member] = (await platform.people.members_by_id([actor.member_id])).values()
        assert (member.first_name, member.last_name) == ("Ada", "Moss")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "ada"}, "email"),
        ({"email": "a da@bay.example"}, "email"),
        ({"email": "a@b@bay.example"}, "email"),
        ({"email": "a" * 250 + "@bay.example"}, "email"),
        ({"password": "fourteen chars"}, "password"),
        ({"password": "x" * 1025}, "password"),
        ({"first_name": " "}, "first_name"),
        ({"last_name": ""}, "last_name"),
        ({"last_name": "Mo\0ss"}, "last_name"),
    ],
)
async def test_without_what_an_owner_needs_nothing_is_made(
    fresh_database: Database, change: dict[str, str], field: str
) -> None:
    async with assembled_with(fresh_database) as platform:
        with pytest.raises(errors.InvalidInput) as refused:
            await found_practice(platform.people, "Bay View", zone=ZONE, owner=replace(ADA, **change))
        assert refused.value.field == (field,)
        if field in {"email", "password"}:
            given = {"email": ADA.email, "password": PASSWORD, **change}
            with pytest.raises(errors.InvalidInput):
                await create_operator(platform.people, **given)
        assert await practices(platform) == 0


@pytest.mark.parametrize(("name", "zone", "field"), [("  ", ZONE, "name"), ("Bay View", "Mars/Base", "zone")])
async def test_a_practice_needs_a_name_and_a_zone_that_there_is(
    fresh_database: Database, name: str, zone: str, field: str
) -> None:
    async with assembled_with(fresh_database) as platform:
        with pytest.raises(errors.InvalidInput) as refused:
            await found_practice(platform.people, name, zone=zone, owner=ADA)
        assert refused.value.field == (field,)
        assert await practices(platform) == 0


@pytest.mark.rule("A4")
async def test_an_address_that_has_an_account_makes_no_practice_and_no_other_account(fresh_database: Database) -> None:
    async with assembled_with(fresh_database) as platform:
        await found_practice(platform.people, "Bay View", zone=ZONE, owner=ADA)
        again = replace(ADA, email="ada@bay.example", password="another glass of water")
        with pytest.raises(errors.Conflict):
            await found_practice(platform.people, "Hill View", zone=ZONE, owner=again)
        with pytest.raises(errors.Conflict):
            await create_operator(platform.people, again.email, again.password)
        assert await practices(platform) == 1
        with pytest.raises(errors.Unauthenticated):
            await platform.auth.sign_in(again.email, again.password)
        _, actor = await platform.auth.sign_in(again.email, PASSWORD)
        assert actor.role is Role.OWNER
