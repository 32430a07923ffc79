"""The export is a spreadsheet: streamed, safe to open, and of the caller's practice alone."""

from __future__ import annotations

import csv
from datetime import timedelta

import httpx
import pytest
from bedside_vitals import service
from bedside_vitals.routes import HEADINGS, cell_of
from vitals_stage import Clinic

pytestmark = pytest.mark.asyncio(loop_scope="module")

DECIDE = """mutation($n: Int!) { updateVitalsOwnSettings(patch: { exportDays: $n }) { exportDays } }"""
DECIDE_FOR_ALL = "mutation($n: Int!) { updateVitalsSettings(patch: { exportDays: $n }) { exportDays } }"


async def export(clinic: Clinic, token: str | None) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return await clinic.deployment.http.get("/vitals/export.csv", headers=headers)


def lines(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200
    return list(csv.DictReader(answer.text.splitlines()))


async def test_each_recording_is_a_line_with_whom_it_concerns(clinic: Clinic) -> None:
    patient = await clinic.patient(first_name="Ann", last_name="Hill", mrn="E-1")
    await clinic.record(patient, 165, n='lying down, "left" arm')
    answer = await export(clinic, clinic.max.token)
    assert tuple(answer.text.splitlines()[0].replace('"', "").split(",")) == HEADINGS
    [line] = [line for line in lines(answer) if line["mrn"] == "E-1"]
    assert {name: line[name] for name in HEADINGS[1:]} == {
        "mrn": "E-1",
        "last_name": "Hill",
        "first_name": "Ann",
        "systolic": "165",
        "diastolic": "70",
        "pulse": "60",
        "alert": "yes",
        "recorded_by": clinic.ada.member.name,
        "note": 'lying down, "left" arm',
    }


async def test_it_is_a_download_that_no_browser_guesses_at_or_keeps(clinic: Clinic) -> None:
    headers = (await export(clinic, clinic.ada.token)).headers
    told = ("content-type", "content-disposition", "x-content-type-options", "cache-control", "content-security-policy")
    assert {name: headers[name] for name in told} == {
        "content-type": "text/csv; charset=utf-8",
        "content-disposition": 'attachment; filename="vitals.csv"',
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    }
    assert "content-length" not in headers  # it is streamed


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "  ="])
async def test_a_cell_that_would_be_a_formula_is_text(sign: str) -> None:
    formula = f"{sign}HYPERLINK(1)"
    assert cell_of(formula) == f"'{formula}"


async def test_other_cells_are_as_they_are() -> None:
    assert [cell_of(value) for value in ("O'Neill", "a=b", "", -5)] == ["O'Neill", "a=b", "", -5]


async def test_a_formula_in_a_note_or_a_name_does_not_run(clinic: Clinic) -> None:
    patient = await clinic.patient(last_name="=Sum(A1)", mrn="@E-2")
    await clinic.record(patient, n='=cmd|"/c calc"!A1\n+1')
    [line] = [line for line in csv.DictReader(await text(clinic)) if line["mrn"] == "'@E-2"]
    assert (line["last_name"], line["note"]) == ("'=Sum(A1)", '\'=cmd|"/c calc"!A1\n+1')


async def text(clinic: Clinic) -> list[str]:
    """The lines of an export with their ends, as a reader of quoted line breaks needs them."""
    return (await export(clinic, clinic.ada.token)).text.splitlines(keepends=True)


async def test_a_long_export_is_read_in_pieces_and_complete(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    patient = await clinic.patient(mrn="E-3")
    for systolic in range(100, 108):
        await clinic.record(patient, systolic)
    monkeypatch.setattr(service, "BATCH", 3)
    found = [line["systolic"] for line in lines(await export(clinic, clinic.ada.token)) if line["mrn"] == "E-3"]
    assert found == [str(systolic) for systolic in range(100, 108)]


@pytest.mark.rule("P1")
async def test_it_is_of_the_callers_practice_alone(clinic: Clinic) -> None:
    patient = await clinic.patient(clinic.neighbour, mrn="N-1")
    await clinic.record(patient, by=clinic.eve)
    assert [line["mrn"] for line in lines(await export(clinic, clinic.eve.token))] == ["N-1"]
    assert "N-1" not in {line["mrn"] for line in lines(await export(clinic, clinic.ada.token))}


@pytest.mark.rule("L3")
async def test_it_is_refused_without_sign_in_feature_or_practice(clinic: Clinic) -> None:
    operator = await clinic.deployment.operator()
    for token, status, code in (
        (None, 401, "UNAUTHENTICATED"),
        ("nonsense", 401, "UNAUTHENTICATED"),
        (clinic.sam.token, 403, "FEATURE_NOT_IN_PLAN"),
        (operator, 403, "FORBIDDEN"),
    ):
        answer = await export(clinic, token)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_each_member_decides_how_far_back_their_own_reaches(clinic: Clinic) -> None:
    clock = clinic.deployment.platform.clock
    patient = await clinic.patient(mrn="E-4")
    await clinic.record(patient, 101)
    await clock.move(timedelta(days=50))
    await clinic.record(patient, 102)
    await clock.move(timedelta(days=50))

    async def reach(token: str) -> list[str]:
        return [line["systolic"] for line in lines(await export(clinic, token)) if line["mrn"] == "E-4"]

    assert await reach(clinic.ada.token) == ["102"]
    assert await clinic.data(DECIDE, clinic.ada.token, n=120) == {"updateVitalsOwnSettings": {"exportDays": 120}}
    assert (await reach(clinic.ada.token), await reach(clinic.max.token)) == (["101", "102"], ["102"])
    assert await clinic.data(DECIDE_FOR_ALL, clinic.max.token, n=10) == {"updateVitalsSettings": {"exportDays": 10}}
    assert (await reach(clinic.ada.token), await reach(clinic.max.token)) == (["101", "102"], [])
    for days, found in ((2**31 - 1, ["101", "102"]), (-5, [])):  # beyond all reason, and yet an answer
        await clinic.data(DECIDE, clinic.ada.token, n=days)
        assert await reach(clinic.ada.token) == found
