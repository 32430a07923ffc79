"""Downloads: rights at each one, headers that make a browser save and never show, ranges, and a patient's Files."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from deployment import APPS
from files_stage import ATTACH, DELETE, FILE, LIST, MISSING, Desk, a_patient, desk_at, photo

from bedside_core.auth import Role
from bedside_core.testing import Database, statements

BODY = b"0123456789" * 300_000  # three megabytes: more than one piece out of the store


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def desk(fresh_database: Database, tmp_path: Path) -> AsyncGenerator[Desk, None]:
    async with desk_at(fresh_database, tmp_path) as desk:
        yield desk


@pytest.mark.promise("F1")
@pytest.mark.promise("G3")
async def test_a_browser_saves_it_and_never_shows_it(desk: Desk) -> None:
    file = await desk.attached(photo(), "Röntgen.jpg")
    for url, ending in ((file["url"], ""), (file["previewUrl"], ".preview.jpg")):
        got = await desk.get(url)
        assert got.status_code == 200
        headers = got.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "sandbox; default-src 'none'; frame-ancestors 'none'"
        assert headers["cache-control"] == "private, no-store"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert headers["content-disposition"] == (
            f"attachment; filename=\"Rontgen.jpg{ending}\"; filename*=UTF-8''R%C3%B6ntgen.jpg{ending}"
        )
        assert headers["content-type"] == "image/jpeg"
        assert int(headers["content-length"]) == len(got.content)


@pytest.mark.promise("A8")
async def test_a_download_is_something_done_and_holds_the_sign_out_back(desk: Desk) -> None:
    url = (await desk.attached(photo(), "a.jpg"))["url"]
    idle = "mutation { updateAccountsSettings(patch: { idleMinutes: 5 }) { idleMinutes } }"
    await desk.deployment.data(idle, desk.olga.token)
    for _ in range(3):
        await desk.deployment.platform.clock.move(timedelta(minutes=4))
        assert (await desk.get(url)).status_code == 200
    await desk.deployment.platform.clock.move(timedelta(minutes=6))
    assert (await desk.get(url)).status_code == 401


@pytest.mark.parametrize(
    ("asked", "status", "first", "last"),
    [
        ("bytes=0-9", 206, 0, 9),
        ("bytes=1500000-1500009", 206, 1_500_000, 1_500_009),
        ("bytes=2999990-", 206, 2_999_990, 2_999_999),
        ("bytes=-5", 206, 2_999_995, 2_999_999),
        ("bytes=-9999999", 200, 0, 2_999_999),
        ("bytes=2999999-9999999999", 206, 2_999_999, 2_999_999),
        ("bytes=5-2", 200, 0, 2_999_999),
        ("bytes=0-1,5-6", 200, 0, 2_999_999),
        ("lines=1-2", 200, 0, 2_999_999),
        ("bytes=-", 200, 0, 2_999_999),
    ],
)
async def test_a_range_is_answered_with_that_range(desk: Desk, asked: str, status: int, first: int, last: int) -> None:
    file = await desk.attached(BODY)
    got = await desk.get(file["url"], range=asked)
    assert (got.status_code, got.content) == (status, BODY[first : last + 1])
    assert got.headers.get("content-range") == (f"bytes {first}-{last}/3000000" if status == 206 else None)
    assert got.headers["accept-ranges"] == "bytes"


async def test_a_range_beyond_the_end_is_refused_and_one_of_another_file_is_the_whole(desk: Desk) -> None:
    file = await desk.attached(BODY)
    for asked in ("bytes=3000000-", "bytes=-0"):
        got = await desk.get(file["url"], range=asked)
        assert (got.status_code, got.headers["content-range"], got.content) == (416, "bytes */3000000", b"")
    etag = (await desk.get(file["url"], range="bytes=0-0")).headers["etag"]
    for if_range, status in ((etag, 206), ('"another"', 200)):
        got = await desk.get(file["url"], range="bytes=0-0", if_range=if_range)
        assert got.status_code == status


@pytest.mark.promise("A1")
@pytest.mark.rule("C12")
async def test_rights_are_asked_at_each_download_and_others_files_are_not_there(desk: Desk) -> None:
    file = await desk.attached(photo(), "secret-name.jpg")
    eve = await desk.deployment.person(await desk.deployment.practice("Hill"), Role.OWNER, "Eve")
    operator = await desk.deployment.operator()
    answers = set()
    for id in (file["id"], MISSING, "nonsense"):
        for path in ("", "/preview"):
            got = await desk.get(f"/files/{id}{path}", eve)
            told = got.json()
            answers.add((got.status_code, told["code"], told["title"]))
        for query in (FILE, DELETE):
            [error] = (await desk.deployment.ask(query, eve.token, i=id))["errors"]
            answers.add((404, error["extensions"]["code"], error["message"]))
    assert {answer[:2] for answer in answers} == {(404, "NOT_FOUND")}
    assert len({title for *_, title in answers if "file" in title}) == 1
    for id in (str(desk.patient.id), MISSING, "nonsense"):
        assert await desk.deployment.code(LIST, eve.token, p=id) == "NOT_FOUND"
    assert (await desk.deployment.http.get(file["url"])).status_code == 401
    got = await desk.deployment.http.get(file["url"], headers={"authorization": f"Bearer {operator}"})
    assert (got.status_code, got.json()["code"]) == (403, "FORBIDDEN")
    assert (await desk.get(file["url"], desk.olga)).status_code == 200
    await desk.deployment.person(desk.practice, Role.OWNER, "Olaf")  # a practice keeps an owner
    [left] = await desk.rows("UPDATE member SET active = false WHERE id = $1 RETURNING id", desk.olga.member.id)
    assert left
    assert (await desk.get(file["url"], desk.olga)).status_code == 401


async def test_attaching_is_for_one_s_own_uploads_and_patients_of_one_s_practice(desk: Desk) -> None:
    hill = await desk.deployment.practice("Hill")
    eve = await desk.deployment.person(hill, Role.OWNER, "Eve")
    theirs = await a_patient(desk.deployment, hill)
    upload = await desk.uploaded(b"mine")
    for token, patient in (
        (desk.ada.token, str(theirs.id)),
        (desk.ada.token, MISSING),
        (eve.token, str(theirs.id)),
        (desk.olga.token, str(desk.patient.id)),
    ):
        assert await desk.deployment.code(ATTACH, token, u=upload, p=patient) == "NOT_FOUND"
    assert await desk.rows("SELECT state FROM file") == [("stored",)]
    first = await desk.deployment.data(ATTACH, desk.ada.token, u=upload, p=str(desk.patient.id))
    again = await desk.deployment.data(ATTACH, desk.ada.token, u=upload, p=str(desk.patient.id))
    assert first == again
    other = await a_patient(desk.deployment, desk.practice)
    assert await desk.deployment.code(ATTACH, desk.ada.token, u=upload, p=str(other.id)) == "CONFLICT"


@pytest.mark.rule("P8")
@pytest.mark.rule("G2")
async def test_a_patient_s_files_are_listed_the_latest_first_with_a_constant_number_of_statements(desk: Desk) -> None:
    names = [f"{number}.txt" for number in range(5)]
    for name in names:
        await desk.attached(b"text", name)
    await desk.uploaded(b"not attached", "x.txt")
    page = (await desk.deployment.data(LIST, desk.olga.token, p=str(desk.patient.id), f=2))["patientFiles"]
    assert ([node["name"] for node in page["nodes"]], page["pageInfo"]["hasNextPage"]) == (["4.txt", "3.txt"], True)
    await desk.attached(b"text", "5.txt")
    cursor = page["pageInfo"]["endCursor"]
    rest = (await desk.deployment.data(LIST, desk.olga.token, p=str(desk.patient.id), f=9, a=cursor))["patientFiles"]
    assert ([node["name"] for node in rest["nodes"]], rest["pageInfo"]["hasNextPage"]) == (names[2::-1], False)
    several = """query($p: ID!, $f: Int) { patientFiles(patientId: $p, first: $f) {
        nodes { name previewUrl uploadedBy { name } } } }"""
    counted = []
    for first in (1, 100):
        with statements() as ran:
            await desk.deployment.data(several, desk.olga.token, p=str(desk.patient.id), f=first)
        counted.append(len(ran))
    assert counted == [5, 5], ran  # who asks, the patient, the files, who uploaded them, the audit's entry
