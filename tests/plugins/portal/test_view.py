"""What the patient has in one place over GraphQL, whoever is signed in for them, and what the practice decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from audit_stage import trail
from plugins.portal.desk import MISSING, SUSPEND, SWITCH, Desk, opened
from plugins.portal.test_own import bare, filed

from bedside_core.database import acting
from bedside_core.testing import Database, statements
from bedside_portal.api import PortalRules

PORTAL = """query($n: Int) { portal { practice zone welcomeText waitingText
    patient { id name email phone timeline(first: $n) { nodes { kind } } }
    booking { allowed code message wayOn } people { name relationship you }
    conversations(first: $n) { nodes { id kind } } files(first: $n) { nodes { name uploadedBy { name } attachedAt } }
    accesses(first: $n) { nodes { action name relationship staff } }
    notificationPreferences { language zone quietFrom quietUntil switchedOff calls } } }"""
BOOKING = "{ portal { booking { allowed code message wayOn } } }"
SET_BOOKING = "mutation($p: ID!, $a: Boolean) { setPatientBooking(patientId: $p, allowed: $a) { booking } }"
SETTINGS = """mutation($p: PortalSettingsPatch!) { updatePortalSettings(patch: $p) {
    selfBooking welcomeText waitingText namesInAccessLog } }"""
START = "mutation($p: ID!, $c: String!) { startPatientConversation(patientId: $p, clientId: $c) { id } }"
RECORD = "{ ownRecord { id } }"
NAMES = "{ portal { accesses(first: 50) { nodes { action name relationship staff } } } }"


async def allowed(desk: Desk, token: str) -> bool:
    return (await desk.deployment.data(BOOKING, token))["portal"]["booking"]["allowed"]


@pytest.mark.rule("S10", "P8", "A14", "N6")
async def test_a_patient_finds_all_that_is_theirs_in_one_place_and_nothing_of_others(
    fresh_database: Database, tmp_path: Path
) -> None:
    async with opened(fresh_database, data=tmp_path) as desk:
        door = desk.deployment
        held, other = await door.held(desk.practice), await door.held(desk.practice)
        await door.held(desk.practice, held.patient, relationship="aunt")
        await filed(desk, held.id, "mine.txt")
        await filed(desk, other.id, "theirs.txt")
        talks = [(await desk.data(START, p=each.id, c=f"start-{each.id}"))["id"] for each in (held, other)]
        await desk.data(SETTINGS, desk.owner, p={"welcomeText": "Good day.", "waitingText": "One moment."})
        prefer = """mutation { updateNotificationPreferences(patch: { zone: "America/Chicago", calls: true,
            quietFrom: "21:00", quietUntil: "07:00", switchedOff: [PUSH] }) { calls } }"""
        assert (await door.data(prefer, held.token))["updateNotificationPreferences"] == {"calls": True}
        shown = (await door.data(PORTAL, held.token, n=10))["portal"]
        [file] = shown.pop("files")["nodes"]
        assert (file["name"], file["uploadedBy"]["name"]) == ("mine.txt", desk.staff.member.name)
        assert file["attachedAt"] is not None
        accesses = shown.pop("accesses")["nodes"]
        assert {
            "action": "files.attach",
            "name": desk.staff.member.name,
            "relationship": None,
            "staff": True,
        } in accesses
        assert shown == {
            "practice": desk.practice.name, "zone": desk.practice.zone,
            "welcomeText": "Good day.", "waitingText": "One moment.",
            "patient": {
                "id": held.id, "name": held.patient.name, "email": held.patient.email, "phone": held.patient.phone,
                "timeline": {"nodes": [
                    {"kind": "core.file_added"}, {"kind": "portal.registered"}, {"kind": "portal.registered"},
                    {"kind": "core.patient_created"},
                ]},
            },
            "booking": {"allowed": True, "code": None, "message": None, "wayOn": None},
            "people": [
                {"name": held.patient.name, "relationship": None, "you": True},
                {"name": "Gil Ward", "relationship": "aunt", "you": False},
            ],
            "conversations": {"nodes": [{"id": talks[0], "kind": "PATIENT"}]},
            "notificationPreferences": {
                "language": None, "zone": "America/Chicago", "quietFrom": "21:00", "quietUntil": "07:00",
                "switchedOff": ["PUSH"], "calls": True,
            },
        }  # fmt: skip
        whole = str(await door.ask(PORTAL, held.token, n=50))
        assert other.id not in whole and str(other.patient.mrn) not in whole and talks[1] not in whole
        assert await door.code(PORTAL, desk.owner.token, n=1) == "FORBIDDEN"
        assert await door.code(PORTAL, n=1) == "UNAUTHENTICATED"


@pytest.mark.rule("S11", "A15")
async def test_one_guardian_sees_for_each_of_several_patients_in_one_session_what_is_theirs(desk: Desk) -> None:
    door = desk.deployment
    first, second = [await door.patient(desk.practice, name) for name in ("Cal", "Sue")]
    gil = await door.held(desk.practice, first, relationship="mother")
    await door.hold(second, gil.account_id, gil.email, relationship="aunt")
    father = await door.held(desk.practice, first, relationship="father")
    chosen = "mutation($z: Zone!) { updateNotificationPreferences(patch: { zone: $z }) { zone } }"
    seen: list[Any] = []
    for patient, zone in ((first, "America/Denver"), (second, "America/Phoenix"), (first, None), (second, None)):
        await door.data(SWITCH, gil.token, p=str(patient.id))
        if zone is not None:
            await door.data(chosen, gil.token, z=zone)
            continue
        shown = (await door.data(PORTAL, gil.token, n=1))["portal"]
        you = [person["relationship"] for person in shown["people"] if person["you"]]
        seen.append((shown["patient"]["id"], shown["notificationPreferences"]["zone"], you))
    assert seen == [
        (str(first.id), "America/Denver", ["mother"]), (str(second.id), "America/Phoenix", ["aunt"]),
    ]  # fmt: skip
    shown = (await door.data(PORTAL, father.token, n=1))["portal"]
    assert (shown["patient"]["id"], shown["notificationPreferences"]["zone"]) == (str(first.id), "America/Denver")
    assert [(each["relationship"], each["you"]) for each in shown["people"]] == [("mother", False), ("father", True)]
    assert await door.code(SWITCH, father.token, p=str(second.id)) == "NOT_FOUND"


@pytest.mark.rule("S4", "S10")
async def test_the_practice_decides_who_books_and_staff_about_one_patient(desk: Desk) -> None:
    door = desk.deployment
    one, other = await door.held(desk.practice), await door.held(desk.practice)
    assert (await allowed(desk, one.token), await allowed(desk, other.token)) == (True, True)
    past = len(await trail(desk.practice.id))
    assert await desk.data(SET_BOOKING, p=one.id, a=False) == {"booking": False}
    assert await desk.data(SET_BOOKING, p=one.id, a=False) == {"booking": False}
    assert (await allowed(desk, one.token), await allowed(desk, other.token)) == (False, True)
    refused = (await door.data(BOOKING, one.token))["portal"]["booking"]
    assert refused == {
        "allowed": False, "code": "SWITCHED_OFF", "message": "Your practice makes appointments for you.",
        "wayOn": "Call or write to the practice.",
    }  # fmt: skip
    assert (await desk.data(SETTINGS, desk.owner, p={"selfBooking": False}))["selfBooking"] is False
    assert await desk.data(SET_BOOKING, p=one.id, a=True) == {"booking": True}
    assert (await allowed(desk, one.token), await allowed(desk, other.token)) == (True, False)
    assert await desk.data(SET_BOOKING, p=one.id, a=None) == {"booking": None}
    assert await allowed(desk, one.token) is False
    guardian = await door.held(desk.practice, other.patient, relationship="mother")
    await desk.data(SETTINGS, desk.owner, p={"selfBooking": True, "guardiansBook": False})
    assert (await allowed(desk, guardian.token), await allowed(desk, other.token)) == (False, True)
    entries = [e for e in await trail(desk.practice.id, past=past) if e.action == "portal.booking"]
    assert [(e.target, e.patients, e.detail["booking"]) for e in entries] == [
        (one.id, [one.patient.id], word) for word in ("not allowed", "allowed", "as the practice")
    ]
    assert await desk.code(SET_BOOKING, p=MISSING, a=True) == "NOT_FOUND"
    assert await door.code(SET_BOOKING, one.token, p=one.id, a=False) == "FORBIDDEN"
    assert await allowed(desk, one.token) is True
    with acting(desk.practice.id):
        rules = door.platform.service(PortalRules)
        for patient in (desk.patient, other.patient):
            refusal = await rules.may_book(patient.id, one.account_id)
            assert refusal is not None and refusal.code == "PORTAL_ACCOUNT_NEEDED"
        assert await rules.decided(one.patient.id) is None
        assert await rules.waiting_text() == "Thank you for your patience. Somebody will be with you soon."


@pytest.mark.rule("S10")
@pytest.mark.promise("A1")
async def test_nobody_decides_about_patients_of_another_practice(desk: Desk) -> None:
    door = desk.deployment
    elsewhere = await door.practice("Elsewhere")
    there = await door.held(elsewhere)
    missing = bare(await door.ask(SET_BOOKING, desk.staff.token, p=MISSING, a=False))
    assert bare(await door.ask(SET_BOOKING, desk.staff.token, p=there.id, a=False)) == missing
    assert await allowed(desk, there.token) is True


@pytest.mark.rule("S10", "A14")
async def test_the_practice_can_keep_its_people_s_names_out_of_access_logs(desk: Desk) -> None:
    door = desk.deployment
    held = await door.held(desk.practice)
    await desk.data("query($p: ID!) { patient(id: $p) { lastName } }", p=held.id)
    await door.data(RECORD, held.token)
    await desk.data(SETTINGS, desk.owner, p={"namesInAccessLog": False})
    told = (await door.data(NAMES, held.token))["portal"]["accesses"]["nodes"]
    seen = {(each["name"], each["staff"]) for each in told if each["action"] == "patients.read"}
    assert seen == {(None, True), (held.patient.name, False)}
    assert desk.staff.member.name not in str(told)


@pytest.mark.rule("S10")
async def test_texts_of_the_portal_have_an_end(desk: Desk) -> None:
    for name in ("welcomeText", "waitingText"):
        assert await desk.code(SETTINGS, desk.owner, p={name: "a" * 2001}) == "INVALID_INPUT"
    assert await desk.code(SETTINGS, desk.staff, p={"welcomeText": "mine"}) == "FORBIDDEN"
    held = await desk.deployment.held(desk.practice)
    assert (await desk.deployment.data(PORTAL, held.token, n=1))["portal"]["welcomeText"] == ""


@pytest.mark.rule("S10")
async def test_the_view_takes_a_constant_number_of_statements(quiet_desk: Desk) -> None:
    door = quiet_desk.deployment
    held = await door.held(quiet_desk.practice)
    costs: list[int] = []
    for people in (1, 6):
        for _ in range(people):
            await door.held(quiet_desk.practice, held.patient, relationship="aunt")
            member = await door.person(quiet_desk.practice)
            await door.data(START, member.token, p=held.id, c="start")
        await door.data(RECORD, held.token)
        with statements() as ran:
            shown = (await door.data(PORTAL, held.token, n=50))["portal"]
        assert len(shown["people"]) == len(shown["conversations"]["nodes"]) + 1
        costs.append(len(ran))
    assert costs[0] == costs[1]


@pytest.mark.rule("S9", "C2")
@pytest.mark.promise("A4")
async def test_a_suspended_patient_s_view_is_nobody_s(desk: Desk) -> None:
    held = await desk.deployment.held(desk.practice)
    await desk.data(SUSPEND, p=held.id)
    assert await desk.deployment.code(PORTAL, held.token, n=1) == "UNAUTHENTICATED"
