"""Guardians: several for a patient, several patients for one, each known in the audit trail as themselves (S11)."""

from __future__ import annotations

import pytest
from audit_stage import trail
from plugins.portal.desk import (
    BORN,
    CONFIRM,
    GUARDIAN,
    MISSING,
    OWN,
    PASSWORD,
    REGISTER,
    REMOVE,
    REVOKE,
    SWITCH,
    Desk,
)

from bedside_core.auth import Role

WHO = "{ viewer { role personas { id name current } } }"
ENTRIES = """query($p: ID!) { auditEntries(patientId: $p, action: "patients.read", first: 100) { nodes {
    role memberId member { name } patientIds portalHolder { name relationship } } } }"""
GIL = {"firstName": "Gil", "lastName": "Ward", "relationship": "mother", "email": "gil@home.example"}
FOLLOW = "subscription { notifications { id } }"


@pytest.mark.rule("S11")
@pytest.mark.rule("A15")
async def test_a_guardian_acts_for_several_patients_and_a_patient_has_several_guardians(desk: Desk) -> None:
    sister = await desk.deployment.patient(desk.practice, "Sue")
    holder, secret = await desk.guarded(desk.patient, "gil@home.example")
    assert (holder["relationship"], holder["name"], holder["state"]) == ("mother", "Gil Ward", "INVITED")
    [letter] = desk.letters("gil@home.example")
    assert desk.patient.first_name not in letter and desk.patient.last_name not in letter
    assert (await desk.deployment.data(CONFIRM, s=secret, b=BORN))["confirmPortalInvitation"] == {
        "practice": desk.practice.name, "guardian": True, "email": "gil@home.example", "known": False,
    }  # fmt: skip
    assert await desk.deployment.data(REGISTER, s=secret, b=BORN, p=PASSWORD)
    _, second = await desk.guarded(sister, "gil@home.example")
    assert (await desk.deployment.data(CONFIRM, s=second, b=BORN))["confirmPortalInvitation"]["known"] is True
    assert await desk.deployment.data(REGISTER, s=second, b=BORN, p=PASSWORD)
    _, third = await desk.guarded(desk.patient, "father@home.example", "father")
    assert await desk.deployment.data(REGISTER, s=third, b=BORN, p=PASSWORD)

    account = await desk.account()
    assert account["state"] == "ACTIVE"
    assert [(h["relationship"], h["state"]) for h in account["holders"]] == [("mother", "ACTIVE"), ("father", "ACTIVE")]
    token = await desk.deployment.sign_in("gil@home.example", PASSWORD)
    personas = (await desk.deployment.data(WHO, token))["viewer"]["personas"]
    assert {persona["id"] for persona in personas} == {str(desk.patient.id), str(sister.id)}
    for patient in (sister, desk.patient):
        await desk.deployment.data(SWITCH, token, p=str(patient.id))
        assert (await desk.deployment.data(OWN, token))["ownRecord"]["id"] == str(patient.id)


@pytest.mark.rule("S11")
@pytest.mark.rule("A14")
async def test_a_guardian_s_acts_are_theirs_for_the_patient_in_the_audit_trail(desk: Desk) -> None:
    own = await desk.deployment.held(desk.practice)
    guardian = await desk.deployment.held(desk.practice, own.patient, relationship="aunt")
    for held in (own, guardian):
        await desk.deployment.data("{ ownRecord { mrn } }", held.token)
    entries = [e for e in await trail(desk.practice.id) if e.role == Role.PATIENT]
    assert [(e.account_id, e.person_id, e.action, e.patients) for e in entries] == [
        (held.account_id, own.patient.id, "patients.read", [own.patient.id]) for held in (own, guardian)
    ]
    told = (await desk.deployment.data(ENTRIES, desk.owner.token, p=own.id))["auditEntries"]["nodes"]
    acted = [entry for entry in told if entry["role"] == "PATIENT"]
    assert [entry["portalHolder"] for entry in acted] == [
        {"name": "Gil Ward", "relationship": "aunt"},
        {"name": own.patient.name, "relationship": None},
    ]
    assert {(entry["memberId"], entry["member"]) for entry in acted} == {(None, None)}


@pytest.mark.rule("S11")
@pytest.mark.rule("A10")
@pytest.mark.promise("A4")
async def test_a_guardian_who_is_removed_is_out_at_once_for_this_patient_alone(desk: Desk) -> None:
    child, sister = [await desk.deployment.patient(desk.practice, name) for name in ("Cal", "Sue")]
    own = await desk.deployment.held(desk.practice, child)
    gil = await desk.deployment.held(desk.practice, child, relationship="mother")
    await desk.deployment.hold(sister, gil.account_id, gil.email, relationship="mother")
    beside = await desk.deployment.sign_in(gil.email)
    await desk.deployment.data(SWITCH, beside, p=str(sister.id))
    [_, holder] = (await desk.account(child))["holders"]
    async with desk.deployment.socket(gil.token) as socket, desk.deployment.socket(own.token) as spared:
        await socket.subscribe(FOLLOW)
        removed = await desk.data(REMOVE, h=holder["id"])
        assert removed["state"] == "REMOVED"
        assert await desk.deployment.code("{ ownRecord { id } }", gil.token) == "UNAUTHENTICATED"
        assert await socket.closed() == (4403, "Session ended")
        key = await spared.subscribe("{ ownRecord { id } }")
        assert (await spared.next(key))["ownRecord"]["id"] == str(child.id)
    assert (await desk.deployment.data(OWN, beside))["ownRecord"]["id"] == str(sister.id)
    assert await desk.deployment.code(SWITCH, beside, p=str(child.id)) == "NOT_FOUND"
    assert [h["relationship"] for h in (await desk.account(child))["holders"]] == [None]
    assert (await desk.data(REMOVE, h=holder["id"]))["state"] == "REMOVED"
    assert [e.action for e in await trail(desk.practice.id) if e.target == holder["id"]] == ["portal.remove"]


@pytest.mark.rule("S11")
async def test_who_was_invited_is_not_removed_and_who_acts_is_not_revoked(desk: Desk) -> None:
    holder, secret = await desk.guarded(desk.patient, "gil@home.example")
    assert await desk.code(REMOVE, h=holder["id"]) == "CONFLICT"
    await desk.deployment.data(REGISTER, s=secret, b=BORN, p=PASSWORD)
    assert await desk.code(REVOKE, h=holder["id"]) == "CONFLICT"
    assert await desk.code(REMOVE, h=MISSING) == "NOT_FOUND"
    assert (await desk.account())["state"] == "ACTIVE"


@pytest.mark.rule("S11")
async def test_an_account_acts_for_a_patient_once(desk: Desk) -> None:
    _, first = await desk.guarded(desk.patient, "gil@home.example")
    _, second = await desk.guarded(desk.patient, "gil@home.example", "carer")
    await desk.deployment.data(REGISTER, s=first, b=BORN, p=PASSWORD)
    assert await desk.deployment.code(REGISTER, s=second, b=BORN, p=PASSWORD) == "CONFLICT"
    assert [h["state"] for h in (await desk.account())["holders"]] == ["ACTIVE", "INVITED"]


@pytest.mark.rule("S11")
@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"relationship": " "}, ["input", "relationship"]),
        ({"firstName": "7"}, ["input", "firstName"]),
        ({"email": None}, ["input", "email"]),
        ({"phone": "+12025550143"}, ["input", "email"]),
        ({"email": "nobody"}, ["input", "email"]),
        ({"email": None, "phone": "+493012345678"}, ["input", "phone"]),
    ],
)
async def test_a_guardian_needs_a_name_a_relationship_and_one_address(
    desk: Desk, changed: dict[str, str | None], field: list[str]
) -> None:
    body = await desk.deployment.ask(GUARDIAN, desk.staff.token, p=str(desk.patient.id), g={**GIL, **changed}, c="g")
    [error] = body["errors"]
    assert (error["extensions"]["code"], error["extensions"]["field"]) == ("INVALID_INPUT", field)
    assert (await desk.account())["holders"] == []


@pytest.mark.rule("S11")
async def test_a_practice_can_let_no_guardians_in(desk: Desk) -> None:
    set_ = "mutation { updatePortalSettings(patch: { guardians: false }) { guardians } }"
    assert (await desk.data(set_, desk.owner)) == {"guardians": False}
    assert await desk.code(GUARDIAN, p=str(desk.patient.id), g=GIL, c="g") == "SWITCHED_OFF"
    assert (await desk.account())["holders"] == []


@pytest.mark.rule("S11")
async def test_a_dozen_act_for_a_patient_at_most(desk: Desk) -> None:
    for number in range(12):
        given = {**GIL, "email": f"gil{number}@home.example"}
        await desk.data(GUARDIAN, p=str(desk.patient.id), g=given, c=f"g{number}")
    assert await desk.code(GUARDIAN, p=str(desk.patient.id), g=GIL, c="one more") == "CONFLICT"
    assert len((await desk.account())["holders"]) == 12
