"""Practices, members and patients."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from core_stage import as_, assembled_with, practice_with

from bedside_core import errors
from bedside_core.auth import Role
from bedside_core.database import DB, acting
from bedside_core.people import NewPatient
from bedside_core.testing import Database, statements

RUTH = NewPatient(
    first_name="Ruth",
    last_name="Abel",
    date_of_birth=date(1950, 2, 3),
    mrn="M-1",
    gender="female",
    phone="(202) 555-0143",
)


@pytest.mark.rule("P3")
async def test_a_patient_has_what_is_required_and_the_phone_in_e164(fresh_database: Database) -> None:
    async with assembled_with(fresh_database) as platform:
        practice, (owner,) = await practice_with(platform, Role.OWNER)
        patient = await platform.people.create_patient(practice.id, RUTH)
        assert (patient.phone, patient.mrn, patient.practice_id) == ("+12025550143", "M-1", practice.id)
        by_mail = replace(RUTH, mrn="M-2", phone=None, email="ruth@example.org")
        assert (await platform.people.create_patient(practice.id, by_mail)).phone is None
        with as_(owner):
            assert await platform.people.patients_by_id([patient.id]) == {patient.id: patient}


@pytest.mark.rule("P3")
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"first_name": " "}, "first_name"),
        ({"last_name": ""}, "last_name"),
        ({"mrn": ""}, "mrn"),
        ({"gender": ""}, "gender"),
        ({"phone": None}, "phone"),
        ({"phone": "12"}, "phone"),
        ({"phone": "call me"}, "phone"),
    ],
)
async def test_a_patient_without_what_is_required_is_refused(
    fresh_database: Database, change: dict[str, str | None], field: str
) -> None:
    async with assembled_with(fresh_database) as platform:
        practice, _ = await practice_with(platform)
        with pytest.raises(errors.InvalidInput) as refused:
            await platform.people.create_patient(practice.id, replace(RUTH, **change))
        assert refused.value.field == ("input", field)
        with acting(practice.id):
            assert await DB.fetchval("SELECT count(*) FROM patient") == 0


@pytest.mark.rule("P3")
async def test_an_mrn_is_unique_within_the_practice_only(fresh_database: Database) -> None:
    async with assembled_with(fresh_database) as platform:
        one, _ = await practice_with(platform)
        other, _ = await practice_with(platform)
        await platform.people.create_patient(one.id, RUTH)
        await platform.people.create_patient(other.id, RUTH)
        with pytest.raises(errors.Conflict):
            await platform.people.create_patient(one.id, replace(RUTH, first_name="Ruthie"))
        with acting(one.id):
            assert [row["first_name"] for row in await DB.fetch("SELECT first_name FROM patient")] == ["Ruth"]


@pytest.mark.rule("P1")
async def test_nothing_of_one_practice_is_visible_to_another(fresh_database: Database) -> None:
    async with assembled_with(fresh_database) as platform:
        one, (owner,) = await practice_with(platform, Role.OWNER)
        _, (stranger,) = await practice_with(platform, Role.OWNER)
        patient = await platform.people.create_patient(one.id, RUTH)
        with as_(stranger):
            assert await platform.people.patients_by_id([patient.id]) == {}
            assert owner.member_id is not None
            assert await platform.people.members_by_id([owner.member_id]) == {}
            assert (await platform.people.patients(stranger, first=None, after=None)).items == []


@pytest.mark.rule("G2")
async def test_a_list_is_paged_by_stable_cursors_in_one_statement_each(fresh_database: Database) -> None:
    async with assembled_with(fresh_database) as platform:
        practice, (owner,) = await practice_with(platform, Role.OWNER)
        for number in range(7):
            await platform.people.create_patient(practice.id, replace(RUTH, mrn=f"M-{number}", first_name=f"R{number}"))
        with as_(owner):
            first = await platform.people.patients(owner, first=3, after=None)
            await platform.people.create_patient(practice.id, replace(RUTH, mrn="M-x", first_name="R0a"))
            with statements() as ran:
                second = await platform.people.patients(owner, first=3, after=first.cursors[-1])
            assert len(ran) == 1
            third = await platform.people.patients(owner, first=500, after=second.cursors[-1])
        seen = [patient.first_name for page in (first, second, third) for patient in page.items]
        assert seen == ["R0", "R1", "R2", "R3", "R4", "R5", "R6"]
        assert [page.more for page in (first, second, third)] == [True, True, False]
        assert [page.before for page in (first, second, third)] == [False, True, True]
