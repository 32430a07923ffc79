"""Who may invite invites by mail; the link works for 21 days, until a newer one, and is used up by one POST alone."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from deployment import PASSWORD
from onboarding_stage import (
    ACCEPT,
    ANEW,
    FOUND,
    INVITATIONS,
    INVITE,
    LOOK,
    NEW_PASSWORD,
    OWNER,
    REGISTER,
    RESEND,
    REVOKE,
    SUPPORT,
    House,
    code_of,
    secret_in,
)
from onboarding_stage import house as house_

from bedside_core.auth import Role
from bedside_core.testing import Database, statements

WHO = "{ viewer { role member { id name } personas { id practice role current } } }"
FIRST = {"email": "first@example.org", "firstName": "Fay", "lastName": "Hill"}


async def state(house: House, secret: str) -> str:
    """What a link is good for, as its reader is told; the support contact stands on those that are over."""
    body = await house.ask(LOOK, s=secret)
    if "errors" not in body:
        return "open"
    facts = body["errors"][0]["extensions"]
    assert (facts["code"], facts["support"]) == ("LINK_OVER", SUPPORT)
    assert SUPPORT in facts["wayOn"]
    return facts["state"]


@pytest.mark.rule("A1")
@pytest.mark.rule("A4")
async def test_an_invited_person_gets_a_mail_registers_and_signs_in_with_their_address(house: House) -> None:
    made = await house.invite("nia@example.org", role="PRACTITIONER")
    assert (made["state"], made["email"], made["invitedBy"]) == ("OPEN", "nia@example.org", {"id": house.owner.id})
    mail = await house.mailed("nia@example.org")
    assert mail.subject == f"{house.owner.member.name} invites you to Bay View"
    secret = secret_in(mail)
    found = (await house.data(LOOK, s=secret))["invitation"]
    assert found.pop("expiresAt") == made["expiresAt"]
    assert found == {
        "practice": "Bay View", "email": "nia@example.org", "firstName": "Nia", "lastName": "Vale",
        "role": "PRACTITIONER", "inviter": house.owner.member.name, "anew": False, "hasAccount": False,
    }  # fmt: skip
    assert (await house.register(secret, f="Nina"))["data"] == {"register": {"email": "nia@example.org"}}
    token = await house.deployment.sign_in("NIA@example.org", NEW_PASSWORD)
    viewer = (await house.data(WHO, token))["viewer"]
    assert (viewer["role"], viewer["member"]["name"]) == ("PRACTITIONER", "Nina Vale")
    [listed] = (await house.data(INVITATIONS, house.owner.token))["invitations"]["nodes"]
    assert (listed["state"], listed["member"]) == ("ACCEPTED", {"id": viewer["member"]["id"]})
    assert await state(house, secret) == "consumed"
    [created], [accepted] = await house.trail("invitations.create"), await house.trail("invitations.accept")
    assert (created["target"], accepted["target"]) == (made["id"], made["id"])
    assert str(created["person_id"]) == house.owner.id
    assert await house.rows("SELECT 1 FROM notification n WHERE n::text LIKE '%' || $1 || '%'", secret) == []


@pytest.mark.rule("A1")
async def test_the_mail_is_in_the_language_asked_for(house: House) -> None:
    await house.invite("nia@example.org", language="SPANISH")
    assert (await house.mailed("nia@example.org")).subject == f"{house.owner.member.name} le invita a Bay View"


@pytest.mark.rule("A1")
@pytest.mark.rule("A12")
async def test_leaders_invite_and_owners_alone_invite_owners(house: House) -> None:
    manager = await house.deployment.person(house.practice, Role.MANAGER)
    given = {"email": "new@example.org", "firstName": "Nia", "lastName": "Vale"}
    for role in (Role.PRACTITIONER, Role.STAFF):
        person = await house.deployment.person(house.practice, role)
        assert await house.code(INVITE, person.token, i={**given, "role": "STAFF"}, c="c") == "FORBIDDEN"
        assert await house.code(INVITATIONS, person.token) == "FORBIDDEN"
    assert await house.code(INVITE, i={**given, "role": "STAFF"}, c="c") == "UNAUTHENTICATED"
    assert await house.code(INVITE, manager.token, i={**given, "role": "OWNER"}, c="c") == "FORBIDDEN"
    for role in ("OPERATOR", "PATIENT"):
        assert await house.code(INVITE, house.owner.token, i={**given, "role": role}, c="c") == "INVALID_INPUT"
    assert await house.rows("SELECT 1 FROM invitation UNION ALL SELECT 1 FROM link") == []
    made = await house.invite("owner@example.org", role="OWNER")
    assert await house.code(RESEND, manager.token, i=made["id"]) == "FORBIDDEN"
    assert (await house.invite("staff@example.org", manager.token))["invitedBy"] == {"id": manager.id}


@pytest.mark.rule("A1")
@pytest.mark.rule("G9")
async def test_a_retry_is_one_invitation_with_one_mail_and_other_content_is_refused(house: House) -> None:
    made = await asyncio.gather(*(house.invite() for _ in range(4)))
    assert len({each["id"] for each in made}) == 1
    await house.idle()
    assert len(house.mail.to("new@example.org")) == 1
    other = {"email": "other@example.org", "firstName": "Nia", "lastName": "Vale", "role": "STAFF"}
    assert await house.code(INVITE, house.owner.token, i=other, c="c-1") == "CONFLICT"
    # Invited again, with another role say, the newest counts.
    old = secret_in(house.mail.to("new@example.org")[0])
    again = await house.invite("NEW@example.org", client_id="c-2", role="MANAGER")
    assert (again["state"], again["role"]) == ("OPEN", "MANAGER")
    assert await state(house, old) == "voided"
    listed = (await house.data(INVITATIONS, house.owner.token))["invitations"]["nodes"]
    assert [each["state"] for each in listed] == ["OPEN", "REVOKED"]


@pytest.mark.rule("A2")
async def test_the_link_works_for_21_days_and_not_a_second_longer(house: House) -> None:
    secret = await house.invited()
    [sent] = (await house.data(INVITATIONS, house.owner.token))["invitations"]["nodes"]
    span = datetime.fromisoformat(sent["expiresAt"]) - datetime.fromisoformat(sent["sentAt"])
    assert span == timedelta(days=21)
    await house.pass_time(days=21, seconds=-30)
    assert await state(house, secret) == "open"
    await house.pass_time(seconds=30)
    before = await house.counts()
    assert await state(house, secret) == "expired"
    assert code_of(await house.register(secret)) == "LINK_OVER"
    assert await house.counts() == before
    owner = await house.deployment.sign_in(house.owner.email, PASSWORD)
    [listed] = (await house.data(INVITATIONS, owner))["invitations"]["nodes"]
    assert listed["state"] == "EXPIRED"
    fresh = (await house.data(RESEND, owner, i=listed["id"]))["resendInvitation"]
    assert fresh["state"] == "OPEN"
    assert code_of(await house.register(secret)) == "LINK_OVER"
    again = secret_in(await house.mailed("new@example.org", 2))
    assert (await house.register(again))["data"]["register"] is not None


@pytest.mark.rule("A2")
async def test_sent_again_the_older_link_is_void_and_what_is_revoked_leads_nowhere(house: House) -> None:
    old = await house.invited()
    [made] = (await house.data(INVITATIONS, house.owner.token))["invitations"]["nodes"]
    await house.data(RESEND, house.owner.token, i=made["id"])
    new = secret_in(await house.mailed("new@example.org", 2))
    assert [await state(house, old), await state(house, new)] == ["voided", "open"]
    assert code_of(await house.register(old)) == "LINK_OVER"
    for _ in range(2):
        assert (await house.data(REVOKE, house.owner.token, i=made["id"]))["revokeInvitation"]["state"] == "REVOKED"
    assert await state(house, new) == "voided"
    before = await house.counts()
    assert code_of(await house.register(new)) == "LINK_OVER"
    assert await house.counts() == before
    assert await house.code(RESEND, house.owner.token, i=made["id"]) == "CONFLICT"
    # The address is free for another invitation.
    assert (await house.invite(client_id="c-2"))["state"] == "OPEN"


@pytest.mark.rule("A7")
@pytest.mark.promise("A6")
async def test_a_mail_scanner_that_follows_the_link_and_asks_for_it_changes_nothing(house: House) -> None:
    secret = await house.invited()
    before = await house.rows("SELECT * FROM link")
    for method in ("GET", "HEAD"):
        await house.deployment.http.request(method, "/register")
        await house.deployment.http.request(method, f"/register?secret={secret}")
        query = {"query": REGISTER, "variables": "{}"}
        answer = await house.deployment.http.request(method, "/graphql", params=query)
        assert answer.status_code in {400, 404, 405}
    for _ in range(3):
        assert await state(house, secret) == "open"
    assert await house.rows("SELECT * FROM link") == before
    done = await asyncio.gather(*(house.register(secret, f"r-{number}") for number in range(6)))
    assert len([body for body in done if "errors" not in body]) == 1
    assert {code_of(body) for body in done if "errors" in body} <= {"LINK_OVER", "CONFLICT"}
    assert len(await house.rows("SELECT 1 FROM account WHERE email = 'new@example.org'")) == 1


@pytest.mark.rule("A1")
@pytest.mark.rule("A15")
async def test_who_has_an_account_joins_with_it_and_can_act_for_both_practices(house: House) -> None:
    other = await house.deployment.practice("Hill View", tier=None)
    ben = await house.deployment.person(other, Role.MANAGER, "Ben")
    secret = await house.invited(ben.email, role="PRACTITIONER")
    assert (await house.data(LOOK, s=secret))["invitation"]["hasAccount"] is True
    before = await house.counts()
    assert code_of(await house.register(secret)) == "CONFLICT"
    assert await house.code(ACCEPT, s=secret, c="a-1") == "UNAUTHENTICATED"
    operator = await house.deployment.operator()
    assert await house.code(ACCEPT, operator, s=secret, c="a-1") == "FORBIDDEN"
    assert await house.counts() == {**before, "account": before["account"] + 1, "credential": before["credential"] + 1,
                                    "session": before["session"] + 1}  # fmt: skip
    joined = [await house.data(ACCEPT, ben.token, s=secret, c="a-1") for _ in range(2)]
    assert joined[0] == joined[1]
    assert await house.code(ACCEPT, ben.token, s=secret, c="a-2") == "LINK_OVER"
    viewer = (await house.data(WHO, ben.token))["viewer"]
    assert {(each["practice"], each["role"], each["current"]) for each in viewer["personas"]} == {
        ("Hill View", "MANAGER", True), ("Bay View", "PRACTITIONER", False),
    }  # fmt: skip
    persona = joined[0]["acceptInvitation"]["persona"]
    await house.data("mutation($p: ID!) { switchTo(persona: $p) { role } }", ben.token, p=persona)
    assert (await house.data(WHO, ben.token))["viewer"]["member"]["id"] == persona
    # A second invitation into the same practice finds them there already.
    again = await house.invite(ben.email, client_id="c-2")
    secret = secret_in(await house.mailed(ben.email, 2))
    assert await house.code(ACCEPT, ben.token, s=secret, c="a-3") == "CONFLICT"
    assert await state(house, secret) == "open"
    assert again["state"] == "OPEN"


@pytest.mark.rule("A1")
@pytest.mark.rule("A15")
async def test_the_operator_invites_a_practice_s_first_owner_and_nobody_else(house: House) -> None:
    operator = await house.deployment.operator()
    made = [await house.data(FOUND, operator, n="Hill View", o=FIRST, c="p-1") for _ in range(2)]
    assert made[0] == made[1]
    practice = made[0]["createPractice"]["id"]
    mail = await house.mailed("first@example.org")
    assert mail.subject == "Hill View is ready for you"
    changed = {**FIRST, "email": "second@example.org"}
    assert await house.code(FOUND, operator, n="Hill View", o=changed, c="p-1") == "CONFLICT"
    second = (await house.data(OWNER, operator, p=practice, o=changed, c="o-1"))["inviteFirstOwner"]
    assert (second["role"], second["invitedBy"]) == ("OWNER", None)
    assert await state(house, secret_in(mail)) == "voided"
    secret = secret_in(await house.mailed("second@example.org"))
    assert (await house.data(LOOK, s=secret))["invitation"]["inviter"] is None
    assert (await house.register(secret))["data"]["register"] == {"email": "second@example.org"}
    token = await house.deployment.sign_in("second@example.org", NEW_PASSWORD)
    assert (await house.data(WHO, token))["viewer"]["role"] == "OWNER"
    assert await house.code(OWNER, operator, p=practice, o=FIRST, c="o-2") == "CONFLICT"
    assert await house.code(OWNER, operator, p=str(house.practice.id), o=FIRST, c="o-3") == "CONFLICT"
    given = {"email": "x@example.org", "firstName": "Nia", "lastName": "Vale", "role": "STAFF"}
    assert await house.code(INVITE, operator, i=given, c="c") == "FORBIDDEN"
    assert await house.code(OWNER, house.owner.token, p=practice, o=FIRST, c="o-4") == "FORBIDDEN"
    # The new practice's owner sees the operator's acts.
    entries = await house.data("{ auditEntries(first: 50) { nodes { action operator } } }", token)
    acts = {(each["action"], each["operator"]) for each in entries["auditEntries"]["nodes"]}
    assert {("practices.create", True), ("invitations.create", True), ("invitations.revoke", True)} <= acts


@pytest.mark.rule("A1")
@pytest.mark.rule("G9")
async def test_the_operator_s_retries_at_once_are_one_invitation_with_one_mail(house: House) -> None:
    operator = await house.deployment.operator()
    practice = (await house.data(FOUND, operator, n="Hill View", o=None, c="p-1"))["createPractice"]["id"]
    asked = (house.ask(OWNER, operator, p=practice, o=FIRST, c="same") for _ in range(8))
    told = [body["data"] for body in await asyncio.gather(*asked)]
    assert told == [told[0]] * 8 and told[0]["inviteFirstOwner"]["email"] == FIRST["email"], told
    await house.idle()
    assert len(house.mail.to(FIRST["email"])) == 1
    other = {**FIRST, "email": "second@example.org"}
    asked = (house.ask(OWNER, operator, p=practice, o=given, c="next") for given in (FIRST, other))
    assert sorted("CONFLICT" if "errors" in body else "" for body in await asyncio.gather(*asked)) == ["", "CONFLICT"]


@pytest.mark.rule("A1")
@pytest.mark.rule("A12")
async def test_a_manager_calls_no_owner_s_invitation_off(house: House) -> None:
    manager = await house.deployment.person(house.practice, Role.MANAGER)
    made = await house.invite("owner@example.org", role="OWNER")
    secret = secret_in(await house.mailed("owner@example.org"))
    assert await house.code(REVOKE, manager.token, i=made["id"]) == "FORBIDDEN"
    given = {"email": "OWNER@example.org", "firstName": "Nia", "lastName": "Vale", "role": "STAFF"}
    assert await house.code(INVITE, manager.token, i=given, c="c-2") == "FORBIDDEN"
    assert await state(house, secret) == "open"
    [listed] = (await house.data(INVITATIONS, manager.token))["invitations"]["nodes"]
    assert (listed["id"], listed["state"], listed["role"]) == (made["id"], "OPEN", "OWNER")
    staff = await house.invite("staff@example.org", client_id="c-3")
    assert (await house.data(REVOKE, manager.token, i=staff["id"]))["revokeInvitation"]["state"] == "REVOKED"
    assert (await house.data(REVOKE, house.owner.token, i=made["id"]))["revokeInvitation"]["state"] == "REVOKED"


@pytest.mark.rule("P1")
@pytest.mark.promise("A1")
async def test_another_practice_s_invitation_is_told_like_one_that_is_missing(house: House) -> None:
    made = await house.invite()
    stranger = await house.deployment.person(await house.deployment.practice("Away", tier=None), Role.OWNER)
    for operation in (RESEND, REVOKE):
        bodies = []
        for id in (made["id"], "0199aaaa-0000-7000-8000-000000000000"):
            [error] = (await house.ask(operation, stranger.token, i=id))["errors"]
            error["extensions"].pop("requestId")
            bodies.append(error)
        assert bodies[0] == bodies[1]
        assert bodies[0]["extensions"]["code"] == "NOT_FOUND"
    assert (await house.data(INVITATIONS, stranger.token))["invitations"]["nodes"] == []
    assert await house.code(ANEW, stranger.token, m=house.owner.id, c="x") == "NOT_FOUND"


@pytest.mark.rule("G2")
async def test_the_list_takes_a_constant_number_of_statements_and_pages(fresh_database: Database) -> None:
    async with house_(fresh_database, worker=False) as house:  # whose statements would be counted too
        for number in range(7):
            await house.invite(f"new{number}@example.org", client_id=f"c-{number}")
        counts: list[int] = []
        for size in (2, 7):
            with statements() as ran:
                await house.data(INVITATIONS, house.owner.token, f=size)
            counts.append(len(ran))
        assert counts[0] == counts[1] <= 5
        first = (await house.data(INVITATIONS, house.owner.token, f=4))["invitations"]
        rest = (await house.data(INVITATIONS, house.owner.token, f=4, a=first["pageInfo"]["endCursor"]))["invitations"]
        listed = [node["email"] for node in (*first["nodes"], *rest["nodes"])]
        assert listed == [f"new{number}@example.org" for number in range(6, -1, -1)]


@pytest.mark.rule("A13")
async def test_an_api_key_invites_nobody(house: House) -> None:
    make = """mutation($s: [String!]!) { createApiKey(name: "k", scopes: $s, expiresAt: "2027-01-01T00:00:00Z",
        clientId: "k") { token } }"""
    assert await house.code(make, house.owner.token, s=["members.invite"]) != ""
    token = (await house.data(make, house.owner.token, s=["practice.read"]))["createApiKey"]["token"]
    given = {"email": "new@example.org", "firstName": "Nia", "lastName": "Vale", "role": "STAFF"}
    assert await house.code(INVITE, token, i=given, c="c") == "FORBIDDEN"
    assert await house.rows("SELECT 1 FROM invitation") == []
