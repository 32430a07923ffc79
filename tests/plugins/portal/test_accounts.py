"""Portal accounts as staff keeps them, and what they are for sign-in: switching, suspending, and their sockets' end."""

from __future__ import annotations

import asyncio

import pytest
from audit_stage import trail
from deployment import PASSWORD
from plugins.portal.desk import (
    BORN,
    CONFIRM,
    MISSING,
    OWN,
    REGISTER,
    REINSTATE,
    STATE,
    SUSPEND,
    SWITCH,
    Desk,
)

from bedside_core.auth import Role
from bedside_core.database import acting
from bedside_core.testing import statements, until
from bedside_portal.api import PortalAccounts, PortalState

SIGN_IN = "mutation($e: String!, $p: String!) { signIn(email: $e, password: $p) { token } }"
LIST = "query($n: Int) { patients(first: $n) { nodes { id portalAccount { state holders { name } } } } }"
FOLLOW = "subscription { notifications { id } }"
RECORD = "{ ownRecord { id } }"
WHO = "{ viewer { role personas { id role current } } }"


@pytest.mark.rule("A10")
@pytest.mark.rule("S9")
@pytest.mark.promise("A4")
async def test_suspending_ends_what_acts_as_the_patient_and_nothing_else(desk: Desk) -> None:
    door = desk.deployment
    held = await door.held(desk.practice)
    guardian = await door.held(desk.practice, held.patient, relationship="father")
    beside = await door.held(desk.practice)
    async with (
        door.socket(held.token) as first,
        door.socket(guardian.token) as second,
        door.socket(beside.token) as spared,
    ):
        for socket in (first, second, spared):
            await socket.subscribe(FOLLOW)
        assert (await door.data(OWN, held.token))["ownRecord"]["id"] == held.id
        assert (await desk.data(SUSPEND, p=held.id))["state"] == "SUSPENDED"
        for token in (held.token, guardian.token):
            assert await door.code(RECORD, token) == "UNAUTHENTICATED"
        closed = await asyncio.gather(first.closed(), second.closed())
        assert closed == [(4403, "Session ended")] * 2
        assert (await door.data(OWN, beside.token))["ownRecord"]["id"] == beside.id
        key = await spared.subscribe(WHO)
        assert (await spared.next(key))["viewer"]["role"] == "PATIENT"
    assert await door.code(SIGN_IN, e=held.email, p=PASSWORD) == "UNAUTHENTICATED"

    told = await desk.data(REINSTATE, p=held.id)
    assert told == {"state": "ACTIVE", "suspendedAt": None}
    assert await door.code(RECORD, held.token) == "UNAUTHENTICATED"  # they sign in anew
    fresh = await door.sign_in(held.email)
    assert (await door.data(OWN, fresh))["ownRecord"]["id"] == held.id
    by_staff = [entry for entry in await trail(desk.practice.id) if str(entry.person_id) == desk.staff.id]
    acts = [entry.action for entry in by_staff if entry.target == held.id]
    assert acts == ["portal.suspend", "portal.reinstate"]


@pytest.mark.rule("S9")
async def test_suspending_twice_is_once_and_nobody_s_account_can_t_be(desk: Desk) -> None:
    assert await desk.code(SUSPEND, p=str(desk.patient.id)) == "CONFLICT"
    held = await desk.deployment.held(desk.practice)
    first, second = await desk.data(SUSPEND, p=held.id), await desk.data(SUSPEND, p=held.id)
    assert first == second and first["suspendedAt"] is not None
    assert (await desk.account(held.patient))["holders"][0]["state"] == "ACTIVE"
    for _ in range(2):
        assert (await desk.data(REINSTATE, p=held.id))["state"] == "ACTIVE"
    assert await desk.code(SUSPEND, p=MISSING) == await desk.code(REINSTATE, p=MISSING) == "NOT_FOUND"


@pytest.mark.rule("S9")
async def test_nobody_registers_for_a_suspended_account(desk: Desk) -> None:
    _, secret = await desk.invited()
    await desk.data(SUSPEND, p=str(desk.patient.id))
    assert await desk.deployment.code(REGISTER, s=secret, b=BORN, p=PASSWORD) == "FORBIDDEN"
    assert await desk.deployment.code(SIGN_IN, e=desk.patient.email, p=PASSWORD) == "UNAUTHENTICATED"
    assert (await desk.data(REINSTATE, p=str(desk.patient.id)))["state"] == "INVITED"
    assert await desk.deployment.data(REGISTER, s=secret, b=BORN, p=PASSWORD)


@pytest.mark.rule("A15")
async def test_a_member_who_is_a_patient_elsewhere_uses_one_account_and_switches(desk: Desk) -> None:
    other = await desk.deployment.practice("Hill Road")
    nurse = await desk.deployment.person(other, Role.PRACTITIONER, name="Nia")
    patient = desk.patient
    await desk.data(
        "mutation($p: ID!, $e: String!) { updatePatient(id: $p, patch: { email: $e }) { id } }",
        p=str(patient.id), e=nurse.email.upper(),
    )  # fmt: skip
    holder = await desk.data(
        'mutation($p: ID!) { invitePatient(patientId: $p, channel: EMAIL, clientId: "n") { invitation { address } } }',
        p=str(patient.id),
    )
    secret = await desk.secret(holder["invitation"]["address"])
    confirmed = (await desk.deployment.data(CONFIRM, s=secret, b=BORN))["confirmPortalInvitation"]
    assert confirmed["known"] is True
    body = await desk.deployment.ask(REGISTER, s=secret, b=BORN, p="none of hers at all")
    assert body["errors"][0]["extensions"]["field"] == ["password"]
    assert await desk.deployment.data(REGISTER, s=secret, b=BORN, p=PASSWORD)

    token = await desk.deployment.sign_in(nurse.email)
    viewer = (await desk.deployment.data(WHO, token))["viewer"]
    assert viewer["role"] == "PRACTITIONER"
    assert [(p["role"], p["current"]) for p in viewer["personas"]] == [("PRACTITIONER", True), ("PATIENT", False)]
    assert await desk.deployment.code("{ ownRecord { id } }", token) == "FORBIDDEN"
    async with desk.deployment.socket(token) as socket:
        await socket.subscribe(FOLLOW)
        assert (await desk.deployment.data(SWITCH, token, p=str(patient.id)))["switchTo"]["role"] == "PATIENT"
        assert await socket.closed() == (4403, "Session changed")
    assert (await desk.deployment.data(OWN, token))["ownRecord"]["id"] == str(patient.id)
    assert await desk.deployment.code("{ patients { nodes { id } } }", token) == "FORBIDDEN"
    assert await desk.deployment.code(SWITCH, token, p=MISSING) == "NOT_FOUND"
    stranger = await desk.deployment.held(desk.practice)
    assert await desk.deployment.code(SWITCH, token, p=stranger.id) == "NOT_FOUND"
    back = await desk.deployment.data(SWITCH, token, p=nurse.id)
    assert back["switchTo"]["role"] == "PRACTITIONER"


@pytest.mark.rule("A5")
async def test_wrong_passwords_of_a_known_address_count_as_at_sign_in(desk: Desk) -> None:
    held = await desk.deployment.held(desk.practice)
    _, sms = await desk.invited(channel="SMS")
    secret = await desk.chosen(sms, held.email)
    codes = [
        await desk.deployment.code(REGISTER, s=secret, b=BORN, p=f"wrong word number {n}", e=held.email)
        for n in range(6)
    ]
    assert codes == ["INVALID_INPUT"] * 5 + ["SIGN_IN_LOCKED"]
    assert await desk.deployment.code(SIGN_IN, e=held.email, p=PASSWORD) == "SIGN_IN_LOCKED"


@pytest.mark.rule("A15")
async def test_the_operator_s_account_never_becomes_a_patient_s(desk: Desk) -> None:
    await desk.deployment.platform.people.create_account("op@example.org", PASSWORD, operator=True)
    _, sms = await desk.invited(channel="SMS")
    secret = await desk.chosen(sms, "op@example.org")
    body = await desk.deployment.ask(REGISTER, s=secret, b=BORN, p=PASSWORD, e="op@example.org")
    assert body["errors"][0]["extensions"]["field"] == ["email"]
    assert (await desk.account())["state"] == "INVITED"


@pytest.mark.rule("S9")
async def test_a_hundred_patients_with_their_portal_accounts_take_a_constant_number_of_statements(
    quiet_desk: Desk,
) -> None:
    desk = quiet_desk
    costs: list[int] = []
    there = 1
    for wanted in (2, 100):
        for number in range(there, wanted):
            held = await desk.deployment.held(desk.practice)
            if number % 3 == 0:
                await desk.deployment.held(desk.practice, held.patient, relationship="mother")
        there = wanted
        with statements() as ran:
            found = await desk.data(LIST, n=wanted)
        assert len(found["nodes"]) == wanted
        assert sum("portal_holder" in sql for sql in ran) == 1
        costs.append(len(ran))
    assert costs[0] == costs[1]
    assert {node["portalAccount"]["state"] for node in found["nodes"]} == {"NONE", "ACTIVE"}


@pytest.mark.rule("C2")
async def test_other_plugins_ask_for_the_states_of_many_at_once(quiet_desk: Desk) -> None:
    desk = quiet_desk
    portal = desk.deployment.platform.service(PortalAccounts)
    held, suspended = [await desk.deployment.held(desk.practice) for _ in range(2)]
    child = await desk.deployment.patient(desk.practice)
    guardian = await desk.deployment.held(desk.practice, child, relationship="mother")
    await desk.data(SUSPEND, p=suspended.id)
    away = await desk.deployment.held(await desk.deployment.practice("Away"))
    ids = [desk.patient.id, held.patient.id, suspended.patient.id, child.id, away.patient.id]
    with acting(desk.practice.id), statements() as ran:
        states = await portal.states(ids)
    assert len(ran) == 1
    assert list(states.values()) == [
        PortalState.NONE, PortalState.ACTIVE, PortalState.SUSPENDED, PortalState.ACTIVE, PortalState.NONE,
    ]  # fmt: skip
    with acting(desk.practice.id), statements() as ran:
        acting_for = await portal.acting(ids)
    assert len(ran) == 1
    assert [[h.account_id for h in acting_for[id]] for id in ids] == [
        [], [held.account_id], [], [guardian.account_id], [],
    ]  # fmt: skip


@pytest.mark.rule("P1")
async def test_another_practice_sees_nothing_of_a_portal_account(desk: Desk) -> None:
    held = await desk.deployment.held(desk.practice)
    stranger = await desk.deployment.person(await desk.deployment.practice("Away"), Role.OWNER)
    assert await desk.deployment.code(STATE, stranger.token, p=held.id) == "NOT_FOUND"
    for query in (SUSPEND, REINSTATE):
        assert await desk.deployment.code(query, stranger.token, p=held.id) == "NOT_FOUND"
    assert (await desk.account(held.patient))["state"] == "ACTIVE"
    assert await desk.deployment.data(OWN, held.token)


@pytest.mark.rule("N8")
async def test_letters_about_a_patient_s_account_come_in_the_language_they_have_chosen(desk: Desk) -> None:
    door = desk.deployment
    held, other = await door.held(desk.practice), await door.held(desk.practice)
    choose = "mutation { updateNotificationPreferences(patch: { language: SPANISH }) { language } }"
    await door.data(choose, held.token)
    for email, subject in ((held.email, "Elija una nueva contraseña"), (other.email, "Choose a new password")):
        await door.data("mutation($e: String!) { requestPasswordReset(email: $e) }", e=email)
        await until(lambda email=email: len(desk.mail.to(email)) == 1, f"the mail to {email}", 60)
        assert desk.mail.to(email)[0].subject == subject
