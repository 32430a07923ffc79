"""What patients see in the portal: their record, their files, their notifications, who saw them, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from files_stage import ATTACH, CREATE, sha256
from plugins.portal.desk import MISSING, Desk, opened

from bedside_core.access import EVERYONE, PATIENTS
from bedside_core.auth import Role
from bedside_core.database import acting, unit
from bedside_core.notify import Fact, Recipient
from bedside_core.testing import Database, statements, until

ACCESSES = (
    "query($n: Int, $a: String) { ownAccesses(first: $n, after: $a) { nodes { action name relationship staff } } }"
)
PATIENT = "query($p: ID!) { patient(id: $p) { lastName } }"
PATIENTS_LIST = "{ patients { nodes { lastName } } }"
FILES = "{ ownFiles { nodes { id name url uploadedBy { name email phone } } } }"
FILE = "query($i: ID!) { file(id: $i) { id name } }"
PREFER = """mutation { updateNotificationPreferences(patch: { language: SPANISH, switchedOff: [SMS] }) {
    language switchedOff } }"""
NOTIFICATIONS = "{ notifications { nodes { id title text readAt } } }"
TEXT = b"Keep this somewhere.\n"


async def filed(desk: Desk, patient_id: str, name: str) -> str:
    """Put a file with a patient; returns its id."""
    what = {"name": name, "size": len(TEXT), "sha": sha256(TEXT), "c": name}
    announced = (await desk.deployment.data(CREATE, desk.staff.token, **what))["createUpload"]
    headers = {"authorization": f"Bearer {desk.staff.token}"}
    assert (await desk.deployment.http.put(announced["url"], content=TEXT, headers=headers)).status_code == 200
    ids = {"u": announced["id"], "p": patient_id}
    return (await desk.deployment.data(ATTACH, desk.staff.token, **ids))["attachToPatient"]["id"]


def bare(body: dict[str, Any]) -> dict[str, Any]:
    """An answer without what differs from request to request."""
    body.pop("extensions", None)
    for error in body.get("errors", ()):
        error["extensions"].pop("requestId")
    return body


@pytest.mark.rule("A14")
async def test_a_patient_reads_who_saw_their_record_and_nothing_of_others(desk: Desk) -> None:
    held, other = await desk.deployment.held(desk.practice), await desk.deployment.held(desk.practice)
    guardian = await desk.deployment.held(desk.practice, held.patient, relationship="aunt")
    await desk.deployment.data(PATIENTS_LIST, desk.staff.token)
    await desk.deployment.data(PATIENT, desk.owner.token, p=held.id)
    await desk.deployment.data(PATIENT, desk.owner.token, p=other.id)
    await desk.deployment.data("{ ownRecord { mrn } }", guardian.token)
    body = await desk.deployment.ask(ACCESSES, held.token, n=3)
    assert body["data"]["ownAccesses"]["nodes"] == [
        {"action": "patients.read", "name": "Gil Ward", "relationship": "aunt", "staff": False},
        {"action": "patients.read", "name": desk.owner.member.name, "relationship": None, "staff": True},
        {"action": "patients.read", "name": desk.staff.member.name, "relationship": None, "staff": True},
    ]
    assert other.id not in str(body) and str(other.patient.last_name) not in str(body)
    again = (await desk.deployment.data(ACCESSES, held.token, n=1))["ownAccesses"]["nodes"]
    assert again == [{"action": "audit.read", "name": held.patient.name, "relationship": None, "staff": False}]
    assert await desk.deployment.code(ACCESSES, desk.owner.token) == "FORBIDDEN"


@pytest.mark.rule("A14")
async def test_the_access_log_takes_a_constant_number_of_statements(quiet_desk: Desk) -> None:
    desk = quiet_desk
    held = await desk.deployment.held(desk.practice)
    costs: list[int] = []
    for times in (2, 20):
        for number in range(times):
            by = desk.staff if number % 2 else desk.owner
            await desk.deployment.data(PATIENT, by.token, p=held.id)
        await desk.deployment.data("{ ownRecord { mrn } }", held.token)
        with statements() as ran:
            found = await desk.deployment.data(ACCESSES, held.token, n=times)
        assert len(found["ownAccesses"]["nodes"]) == times
        costs.append(len(ran))
    assert costs[0] == costs[1]


@pytest.mark.rule("S10")
@pytest.mark.promise("A1")
async def test_a_patient_has_their_own_files_and_no_other_s(fresh_database: Database, tmp_path: Path) -> None:
    async with opened(fresh_database, data=tmp_path) as desk:
        held, other = await desk.deployment.held(desk.practice), await desk.deployment.held(desk.practice)
        own, foreign = await filed(desk, held.id, "mine.txt"), await filed(desk, other.id, "theirs.txt")
        told = (await desk.deployment.data(FILES, held.token))["ownFiles"]["nodes"]
        assert told == [
            {
                "id": own,
                "name": "mine.txt",
                "url": f"/files/{own}",
                "uploadedBy": {"name": desk.staff.member.name, "email": None, "phone": None},
            }
        ]
        assert (await desk.deployment.data(FILE, held.token, i=own))["file"] == {"id": own, "name": "mine.txt"}
        missing = bare(await desk.deployment.ask(FILE, held.token, i=MISSING))
        assert bare(await desk.deployment.ask(FILE, held.token, i=foreign)) == missing
        headers = {"authorization": f"Bearer {held.token}"}
        answer = await desk.deployment.http.get(f"/files/{own}", headers=headers)
        assert (answer.status_code, answer.content) == (200, TEXT)
        for id in (foreign, MISSING):
            assert (await desk.deployment.http.get(f"/files/{id}", headers=headers)).status_code == 404
        for query in ("mutation($i: ID!) { deleteFile(id: $i) { id } }",):
            assert await desk.deployment.code(query, held.token, i=own) == "FORBIDDEN"
        assert (await desk.deployment.http.get(f"/files/{own}", headers=headers)).status_code == 200
        log = (await desk.deployment.data(ACCESSES, held.token, n=20))["ownAccesses"]["nodes"]
        assert ("files.download", held.patient.name) in {(entry["action"], entry["name"]) for entry in log}


@pytest.mark.rule("S10")
async def test_a_patient_chooses_how_notifications_come_and_reads_them(desk: Desk) -> None:
    held, other = await desk.deployment.held(desk.practice), await desk.deployment.held(desk.practice)
    told = await desk.deployment.data(PREFER, held.token)
    assert told["updateNotificationPreferences"] == {"language": "SPANISH", "switchedOff": ["SMS"]}
    facts = {Fact.SENDER: "Olga", Fact.TIME: desk.deployment.platform.clock.now(), Fact.LINK: "/"}
    with acting(desk.practice.id):
        async with unit() as work:
            to = Recipient.patient(held.patient.id, desk.practice.id)
            await desk.deployment.platform.notify.send(work, "core.trial", to=to, data=facts)
    found: list[dict[str, Any]] = []

    async def shown() -> bool:
        found[:] = (await desk.deployment.data(NOTIFICATIONS, held.token))["notifications"]["nodes"]
        return bool(found)

    await until(shown, "the notification to be shown", 60)
    assert found[0]["title"].startswith("Una prueba de")
    read = "mutation($i: ID!) { markNotificationRead(id: $i) { readAt } }"
    missing = bare(await desk.deployment.ask(read, other.token, i=MISSING))
    assert bare(await desk.deployment.ask(read, other.token, i=found[0]["id"])) == missing
    assert (await desk.deployment.data(read, held.token, i=found[0]["id"]))["markNotificationRead"]["readAt"]
    assert (await desk.deployment.data(NOTIFICATIONS, other.token))["notifications"]["nodes"] == []


@pytest.mark.rule("A12")
async def test_what_patients_may_do_is_written_out_and_members_permissions_name_no_patient_by_accident(
    desk: Desk,
) -> None:
    permissions = desk.deployment.platform.access.permissions.values()
    may = {permission.key for permission in permissions if Role.PATIENT in permission.roles}
    assert may == {
        "account.own", "chat.delete", "chat.export", "chat.follow", "chat.leave", "chat.read", "chat.search",
        "chat.send", "chat.share_files", "chat.start_with_practitioner", "files.delete", "files.download",
        "files.upload", "inbox.follow", "notifications.own", "portal.own", "scheduling.book",
        "scheduling.cancel", "scheduling.feeds", "scheduling.find_slots", "scheduling.make_feed", "scheduling.read",
        "scheduling.self_schedule", "settings.as_patient", "telehealth.join", "telehealth.read", "timeline.read",
    }  # fmt: skip
    assert not EVERYONE & PATIENTS


@pytest.mark.rule("A10")
async def test_a_patient_changes_the_password_and_sees_their_sessions(desk: Desk) -> None:
    await desk.registered()
    email = str(desk.patient.email)
    first, second = [await desk.deployment.sign_in(email, "nine quiet herons by a lake") for _ in range(2)]
    assert len((await desk.deployment.data("{ sessions { id } }", first))["sessions"]) == 2
    change = "mutation($c: String!, $n: String!) { changePassword(current: $c, new: $n) }"
    changed = {"c": "nine quiet herons by a lake", "n": "three grey geese on a pond"}
    assert await desk.deployment.data(change, first, **changed)
    assert await desk.deployment.code("{ ownRecord { id } }", second) == "UNAUTHENTICATED"
    assert await desk.deployment.sign_in(email, "three grey geese on a pond")
