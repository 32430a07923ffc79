"""Links end with what they were sent for: with the password that asked for them, and with the right to send them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from accounts_stage import CHANGE, SIGN_IN
from deployment import Person
from onboarding_stage import (
    ANEW,
    ANSWERS,
    INVITATIONS,
    NEW_PASSWORD,
    RESET,
    RESET_LOOK,
    House,
    account_of,
    code_of,
    secret_in,
)

from bedside_core.auth import Role
from bedside_core.auth.proof import Account, Proof

EMAIL = "mutation($p: String!, $e: String!) { changeEmail(password: $p, email: $e) }"
CONFIRM = "mutation($s: String!) { confirmEmail(secret: $s) { email } }"
ACCEPT = "mutation($s: String!, $c: String!) { acceptInvitation(secret: $s, clientId: $c) { persona } }"
DEACTIVATE = "mutation($i: ID!) { deactivateMember(memberId: $i) { id } }"
ROLE = "mutation($i: ID!, $r: Role!) { changeMemberRole(memberId: $i, role: $r) { id } }"
EVERYWHERE = "mutation { signOutEverywhere }"
OTHER = "nineteen copper kettles in the rain"
THIRD = "purple otters juggling seven moons"
ADDRESS = "nia@example.org"


async def reset(house: House, link: str, password: str) -> None:
    asked = (await house.data(RESET_LOOK, s=link))["passwordReset"]["question"]["key"]
    answer = next(each["answer"] for each in ANSWERS if each["question"] == asked)
    await house.data(RESET, s=link, p=password, a=answer, c=None, k=None)


async def by_reset(house: House, token: str) -> str:
    await reset(house, await house.reset_link(ADDRESS), OTHER)
    return OTHER


async def by_change(house: House, token: str) -> str:
    await house.data(CHANGE, token, c=NEW_PASSWORD, n=OTHER)
    return OTHER


async def by_leaving(house: House, token: str) -> str:
    await house.data(EVERYWHERE, token)
    return NEW_PASSWORD


@pytest.mark.rule("A4")
@pytest.mark.rule("A10")
@pytest.mark.parametrize("end", [by_reset, by_change, by_leaving])
async def test_what_was_sent_for_an_account_ends_with_its_sessions(
    house: House, end: Callable[[House, str], Awaitable[str]]
) -> None:
    token = await house.registered(ADDRESS)
    member = (await house.data("{ viewer { member { id } } }", token))["viewer"]["member"]["id"]
    await house.data(EMAIL, token, p=NEW_PASSWORD, e="evil@example.net")  # somebody else's, at an open screen
    away = secret_in(await house.mailed("evil@example.net"), "confirm-email")
    await house.data(ANEW, house.owner.token, m=member, c="n-1")
    anew = secret_in(await house.mailed(ADDRESS, 2))
    older = await house.reset_link(ADDRESS) if end is not by_reset else None
    password = await end(house, token)
    before = await house.counts()
    assert before["email_change"] == 0
    assert await house.code(CONFIRM, s=away) == "LINK_OVER"
    body = await house.register(anew, "r-9", p=THIRD)
    assert (code_of(body), body["errors"][0]["extensions"]["state"]) == ("LINK_OVER", "voided")
    if older is not None:
        assert await house.code(RESET_LOOK, s=older) == "LINK_OVER"
        assert await house.code(RESET, s=older, p=THIRD, a="whatever", c=None, k=None) == "LINK_OVER"
    assert await house.counts() == before
    assert await account_of("evil@example.net") is None
    await house.deployment.sign_in(ADDRESS, password)
    # and neither is in the way of newer ones
    await house.idle()  # what was mailed meanwhile has arrived
    await house.pass_time(minutes=3)
    await reset(house, await house.reset_link(ADDRESS), THIRD)
    assert (await house.ask(SIGN_IN, e=ADDRESS, p=THIRD))["data"]["signIn"]["viewer"]["role"] == "STAFF"


@pytest.mark.rule("A4")
@pytest.mark.rule("A10")
@pytest.mark.parametrize("end", [by_reset, by_change, by_leaving])
async def test_what_is_asked_for_while_it_ends_is_not_sent(
    house: House, end: Callable[[House, str], Awaitable[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await house.registered(ADDRESS)
    compared, ended, by_password = asyncio.Event(), asyncio.Event(), Proof.by_password

    async def slow(self: Proof, *given: Any, field: str = "password") -> Account:
        account = await by_password(self, *given, field=field)
        if field == "password":
            compared.set()
            await asyncio.wait_for(ended.wait(), 60)
        return account

    monkeypatch.setattr(Proof, "by_password", slow)
    asking = asyncio.create_task(house.ask(EMAIL, token, p=NEW_PASSWORD, e="evil@example.net"))
    await asyncio.wait_for(compared.wait(), 60)
    await end(house, token)
    await house.idle()
    before = await house.counts()
    ended.set()
    assert code_of(await asking) == ("UNAUTHENTICATED" if end is by_leaving else "INVALID_INPUT")
    await house.idle()
    assert await house.counts() == before
    assert house.mail.to("evil@example.net") == []


async def invited_by(house: House, inviter: Person, email: str, role: str) -> str:
    number = len(house.mail.to(email)) + 1
    await house.invite(email, token=inviter.token, client_id=email, role=role)
    return secret_in(await house.mailed(email, number))


@pytest.mark.rule("A1")
@pytest.mark.rule("A10")
async def test_invitations_end_with_the_right_to_send_them(house: House) -> None:
    boss = await house.deployment.person(house.practice, Role.OWNER, name="Boss")
    colleague = await house.deployment.person(await house.deployment.practice("Hill View", tier=None), name="Cleo")
    as_owner = await invited_by(house, boss, "mole@example.net", "OWNER")
    as_staff = await invited_by(house, boss, "nia@example.org", "STAFF")
    joining = await invited_by(house, boss, colleague.email, "MANAGER")
    other = await invited_by(house, house.owner, "kept@example.org", "OWNER")
    # A manager invites no owners; what else they have sent stays.
    await house.data(ROLE, house.owner.token, i=boss.id, r="MANAGER")
    before = await house.counts()
    assert code_of(await house.register(as_owner)) == "LINK_OVER"
    assert await house.counts() == before
    states = {
        node["email"]: node["state"]
        for node in (await house.data(INVITATIONS, house.owner.token))["invitations"]["nodes"]
    }
    assert states == {
        "mole@example.net": "REVOKED", "nia@example.org": "OPEN", colleague.email: "OPEN", "kept@example.org": "OPEN",
    }  # fmt: skip
    await house.data(DEACTIVATE, house.owner.token, i=boss.id)
    before = await house.counts()
    assert code_of(await house.register(as_staff)) == "LINK_OVER"
    assert await house.code(ACCEPT, colleague.token, s=joining, c="a-1") == "LINK_OVER"
    assert await house.counts() == before
    assert len(await house.trail("invitations.revoke")) == 3
    assert (await house.register(other, "r-2"))["data"]["register"] == {"email": "kept@example.org"}


@pytest.mark.rule("A1")
async def test_who_can_not_invite_any_more_is_asked_about_again_when_somebody_comes(house: House) -> None:
    boss = await house.deployment.person(house.practice, Role.OWNER, name="Boss")
    colleague = await house.deployment.person(await house.deployment.practice("Hill View", tier=None), name="Cleo")
    secret = await invited_by(house, boss, "mole@example.net", "OWNER")
    joining = await invited_by(house, boss, colleague.email, "STAFF")
    await house.rows("UPDATE member SET active = false WHERE id = $1", boss.member.id)  # whatever did it
    before = await house.counts()
    assert code_of(await house.register(secret)) == "CONFLICT"
    assert await house.code(ACCEPT, colleague.token, s=joining, c="a-1") == "CONFLICT"
    assert await house.counts() == before
