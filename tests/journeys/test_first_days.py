"""A practice's first days from outside: founded, staffed, filled, used, left; and two other practices that look."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from accounts_stage import WIDE
from deployment import APPS
from files_stage import ATTACH, CREATE, FILE, LIST, sha256
from imports_stage import IMPORT, REFUSALS, STANDING, row, table
from onboarding_stage import FOUND, INVITE, NEW_PASSWORD, House, house, secret_in
from onboarding_stage import until as until_

from bedside_core.config import FIRST_PARTY
from bedside_core.testing import Database

PATIENTS = "{ patients(first: 50) { nodes { id lastName mrn } } }"
PATIENT = "query($i: ID!) { patient(id: $i) { lastName } }"
SEARCH = "query($t: String!) { search(text: $t) { nodes { kind name label patient { id } member { id email } } } }"
REQUEST = "mutation($p: String!, $c: String!) { requestConnection(practice: $p, clientId: $c) { id } }"
ACCEPT = "mutation($i: ID!) { acceptConnection(id: $i) { state } }"
END = "mutation($i: ID!) { endConnection(id: $i) { state } }"
CONNECTIONS = "{ connections { nodes { id state incoming practiceName } } }"
WHOLE = "query($p: ID!) { patientAccesses(patientId: $p) { nodes { action member { lastName } } } }"
LETTER = b"Dear Ruth, the result is fine.\n"


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def town(fresh_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[House]:
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)
    async with house(fresh_database, plugins=FIRST_PARTY, data=tmp_path) as running:
        yield running


@dataclass(frozen=True)
class Founded:
    """A practice that was founded from outside.

    Args:
        id: the practice's.
        owner: the owner's token.
    """

    id: str
    owner: str


async def registered(town: House, email: str) -> str:
    """Open the link in somebody's mail, register, and sign in; returns the token."""
    body = await town.register(secret_in(await town.mailed(email)), client_id=f"r-{email}")
    assert body["data"]["register"] == {"email": email}, body
    return await town.deployment.sign_in(email, NEW_PASSWORD)


async def founded(town: House, operator: str, name: str, email: str) -> Founded:
    """Have the operator create a practice whose owner registers from the mail."""
    owner = {"email": email, "firstName": "Olive", "lastName": f"Of{name.replace(' ', '')}"}
    made = await town.data(FOUND, operator, n=name, o=owner, c=f"f-{email}")
    return Founded(made["createPractice"]["id"], await registered(town, email))


async def imported(town: House, token: str, content: bytes) -> str:
    """Upload a file of patients and import what is right in it; returns the import's id."""
    what = {"name": "patients.csv", "size": len(content), "sha": sha256(content), "c": "u-csv"}
    upload = (await town.data(CREATE, token, **what))["createUpload"]
    await put(town, upload["url"], token, content)
    given = {"uploadId": upload["id"], "dryRun": False, "skipRefused": True}
    key = (await town.data(IMPORT, token, i=given, c="i-1"))["importPatients"]["id"]

    async def over() -> bool:
        return (await town.data(STANDING, token, i=key))["patientImport"]["endedAt"] is not None

    await until_(over, "the import's end")
    return key


async def put(town: House, url: str, token: str, content: bytes) -> None:
    answer = await town.deployment.http.put(url, content=content, headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["state"]) == (200, "stored"), answer.text


async def fetched(town: House, url: str, token: str) -> tuple[int, bytes]:
    answer = await town.deployment.http.get(url, headers={"authorization": f"Bearer {token}"})
    return answer.status_code, answer.content


async def found(town: House, token: str, text: str) -> list[dict[str, Any]]:
    return (await town.data(SEARCH, token, t=text))["search"]["nodes"]


@pytest.mark.timeout(300)
@pytest.mark.rule("A1")
@pytest.mark.rule("A3")
@pytest.mark.rule("A10")
@pytest.mark.rule("P1")
@pytest.mark.rule("P2")
@pytest.mark.rule("P5")
@pytest.mark.rule("P7")
async def test_a_practice_s_first_days_and_what_others_see_of_them(town: House) -> None:
    operator = await town.deployment.operator()
    bay = await founded(town, operator, "Bay Clinic", "olive@bay.example")
    assert await town.code(PATIENTS, operator) == "FORBIDDEN"

    # The owner invites a practitioner, who registers from the mail.
    wanted = {"email": "nia@bay.example", "firstName": "Nia", "lastName": "Vale", "role": "PRACTITIONER"}
    await town.data(INVITE, bay.owner, i=wanted, c="c-1")
    nia = await registered(town, "nia@bay.example")

    # Five patients by CSV, of whom two are at fault.
    rows = [row(1), row(2, born="1950-02-30"), row(3), row(4, phone="12", email=""), row(5)]
    key = await imported(town, bay.owner, table(rows))
    standing = (await town.data(STANDING, bay.owner, i=key))["patientImport"]
    assert (standing["state"], standing["imported"], standing["refused"]) == ("DONE", 3, 2)
    refused = (await town.data(REFUSALS, bay.owner, i=key))["importRefusals"]["nodes"]
    assert [(line["line"], [fault["column"] for fault in line["faults"]]) for line in refused] == [
        (3, ["dateOfBirth"]), (5, ["phone"]),
    ]  # fmt: skip
    patients = (await town.data(PATIENTS, nia))["patients"]["nodes"]
    assert sorted(patient["mrn"] for patient in patients) == ["I-1", "I-3", "I-5"]
    ruth = patients[0]

    # She shares a file.
    what = {"name": "letter.txt", "size": len(LETTER), "sha": sha256(LETTER), "c": "u-1"}
    upload = (await town.data(CREATE, nia, **what))["createUpload"]
    await put(town, upload["url"], nia, LETTER)
    file = (await town.data(ATTACH, nia, u=upload["id"], p=ruth["id"]))["attachToPatient"]
    assert await fetched(town, file["url"], bay.owner) == (200, LETTER)
    assert [node["id"] for node in (await town.data(LIST, bay.owner, p=ruth["id"]))["patientFiles"]["nodes"]] == [
        file["id"]
    ]

    # Two other practices: one is connected to Bay Clinic, the other is not.
    hill = await founded(town, operator, "Hill Practice", "olive@hill.example")
    moor = await founded(town, operator, "Moor Practice", "olive@moor.example")
    await town.data(REQUEST, hill.owner, p=bay.id, c="q-1")
    [asked] = (await town.data(CONNECTIONS, bay.owner))["connections"]["nodes"]
    assert (asked["incoming"], asked["practiceName"]) == (True, "Hill Practice")
    assert await found(town, hill.owner, "Vale") == []  # asked is not connected
    await town.data(ACCEPT, bay.owner, i=asked["id"])
    for intruder in (hill.owner, moor.owner):
        assert (await town.data(PATIENTS, intruder))["patients"]["nodes"] == []
        assert await found(town, intruder, ruth["lastName"]) == []
        for query, id in ((PATIENT, ruth["id"]), (FILE, file["id"]), (STANDING, key)):
            assert await town.code(query, intruder, i=id) == "NOT_FOUND"
        assert await town.code(LIST, intruder, p=ruth["id"]) == "NOT_FOUND"
        assert await town.code(WHOLE, intruder, p=ruth["id"]) == "NOT_FOUND"
        assert await town.code(ATTACH, intruder, u=upload["id"], p=ruth["id"]) == "NOT_FOUND"
        status, told = await fetched(town, file["url"], intruder)
        assert status == 404 and LETTER not in told
    [vale] = await found(town, hill.owner, "Vale")
    assert (vale["kind"], vale["name"], vale["label"], vale["patient"]) == ("MEMBER", "Nia Vale", "Bay Clinic", None)
    assert await found(town, moor.owner, "Vale") == []
    await town.data(END, hill.owner, i=asked["id"])
    assert await found(town, hill.owner, "Vale") == []

    # She signs out everywhere: on this device and the other, by HTTP and on an open socket.
    other = await town.deployment.sign_in("nia@bay.example", NEW_PASSWORD)
    async with town.deployment.socket(other) as socket:
        await town.data("mutation { signOutEverywhere }", nia)
        assert (await socket.closed())[0] == 4403
    for token in (nia, other):
        assert await town.code(PATIENTS, token) == "UNAUTHENTICATED"
        assert (await fetched(town, file["url"], token))[0] == 401

    # The owner reads who saw Ruth: nobody of another practice.
    seen = (await town.data(WHOLE, bay.owner, p=ruth["id"]))["patientAccesses"]["nodes"]
    assert {entry["member"]["lastName"] for entry in seen if entry["member"]} == {"Vale", "OfBayClinic"}
    assert {"patients.read", "files.attach", "files.download"} <= {entry["action"] for entry in seen}
