"""What an operator makes before anybody can be invited: their own account, and a practice with its first owner."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from core_stage import assembled_with

from bedside_core import errors
from bedside_core.accounts.model import NewInvitation, Registering
from bedside_core.auth import Role
from bedside_core.database import acting
from bedside_core.founding import create_operator, found_practice
from bedside_core.people import Practice
from bedside_core.platform import Platform
from bedside_core.testing import Database

PASSWORD = "a tall glass of water"
ADA = NewInvitation(email=" Ada@Bay.example ", first_name=" Ada", last_name="Moss ", role=Role.OWNER)
ZONE = "America/Chicago"
ANSWERS = (("first_job", "Springfield"), ("first_book", "The Wind"), ("first_teacher", "Mr. Marsh"))


async def practices(platform: Platform) -> int:
    return len(await platform.people.practice_ids())


async def found(
    platform: Platform, name: str = " Bay View ", zone: str = ZONE, owner: Any = ADA
) -> tuple[Practice, str]:
    made, secret = await found_practice(platform, None, name, zone=zone, owner=owner, client_id="c-1")
    assert secret is not None
    return made, secret


@pytest.mark.rule("A15")
async def test_an_operator_s_account_signs_in_and_is_of_no_practice(fresh_database: Database) -> None:
    async with assembled_with(fresh_database) as platform:
        account = await create_operator(platform.people, "ops@bay.example", PASSWORD)
        _, actor = await platform.auth.sign_in("OPS@bay.example", PASSWORD)
    assert (actor.account_id, actor.role, actor.practice_id) == (account, Role.OPERATOR, None)


@pytest.mark.parametrize(
    ("email", "password", "field"),
    [
        ("ada", PASSWORD, "email"),
        ("a da@bay.example", PASSWORD, "email"),
        ("a@b@bay.example", PASSWORD, "email"),
        ("a" * 250 + "@bay.example", PASSWORD, "email"),
        ("ops@bay.example", "fourteen chars", "password"),
        ("ops@bay.example", "x" * 1025, "password"),
    ],
)
async def test_an_operator_needs_an_address_and_a_password_that_may_be_chosen(
    fresh_database: Database, email: str, password: str, field: str
) -> None:
    async with assembled_with(fresh_database) as platform:
        with pytest.raises(errors.InvalidInput) as refused:
            await create_operator(platform.people, email, password)
        assert refused.value.field == (field,)


@pytest.mark.rule("A1")
@pytest.mark.rule("A15")
async def test_a_practice_begins_with_an_owner_who_registers_by_a_link(fresh_database: Database) -> None:
    async with assembled_with(fresh_database) as platform:
        made, secret = await found(platform)
        assert await platform.people.practice(made.id) == made
        assert (made.name, made.zone) == ("Bay View", ZONE)
        given = Registering(password=PASSWORD, answers=ANSWERS, terms=1)
        assert await platform.accounts.registration.register(secret, given, "r-1") == "Ada@Bay.example"
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
        ({"email": "a" * 250 + "@bay.example"}, "email"),
        ({"first_name": " "}, "firstName"),
        ({"last_name": ""}, "lastName"),
        ({"last_name": "Mo\0ss"}, "lastName"),
        ({"role": Role.PATIENT}, "role"),
    ],
)
async def test_without_what_an_owner_needs_nothing_is_made(
    fresh_database: Database, change: dict[str, Any], field: str
) -> None:
    async with assembled_with(fresh_database) as platform:
        with pytest.raises(errors.InvalidInput) as refused:
            await found(platform, owner=replace(ADA, **change))
        assert refused.value.field == ("owner", field)
        assert await practices(platform) == 0


@pytest.mark.parametrize(("name", "zone", "field"), [("  ", ZONE, "name"), ("Bay View", "Mars/Base", "zone")])
async def test_a_practice_needs_a_name_and_a_zone_that_there_is(
    fresh_database: Database, name: str, zone: str, field: str
) -> None:
    async with assembled_with(fresh_database) as platform:
        with pytest.raises(errors.InvalidInput) as refused:
            await found(platform, name, zone)
        assert refused.value.field == (field,)
        assert await practices(platform) == 0


@pytest.mark.rule("A15")
async def test_an_owner_of_one_practice_is_invited_to_found_another_with_the_same_account(
    fresh_database: Database,
) -> None:
    async with assembled_with(fresh_database) as platform:
        given = Registering(password=PASSWORD, answers=ANSWERS, terms=1)
        _, first = await found(platform)
        await platform.accounts.registration.register(first, given, "r-1")
        made, second = await found(platform, "Hill View")
        assert (await platform.accounts.registration.look(second)).has_account
        with pytest.raises(errors.Conflict):
            await platform.accounts.registration.register(second, given, "r-2")
        with pytest.raises(errors.Conflict):
            await create_operator(platform.people, "ada@bay.example", "another glass of water")
        _, actor = await platform.auth.sign_in("ada@bay.example", PASSWORD)
        member = await platform.accounts.registration.accept(actor, second, "r-3")
        assert {persona.id for persona in await platform.auth.personas(actor)} == {actor.member_id, member}
        with acting(made.id):
            [found_] = (await platform.people.members_by_id([member])).values()
        assert found_.role is Role.OWNER
