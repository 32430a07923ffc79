"""Retention and the portal: who uses it is not due, and of who is erased nothing is left, nor of accounts of nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from plugins.portal.desk import OWN, PASSWORD, Desk

from bedside_core.database import acting
from bedside_core.jobs.declared import JobRun
from bedside_core.testing import until

SET = """mutation { updateRecordsSettings(patch: { retentionYears: 2, retentionErases: true }) { retentionYears } }"""
MONTH = timedelta(days=30)
AGED = (
    """UPDATE patient SET created_at = created_at - interval '3 years', changed_at = changed_at - interval '3 years'
    WHERE id = $1""",
    """UPDATE portal_holder SET sent_at = sent_at - interval '3 years',
        registered_at = registered_at - interval '3 years', removed_at = removed_at - interval '3 years'
    WHERE patient_id = $1""",
    """UPDATE session SET created_at = created_at - interval '3 years', last_seen_at = last_seen_at - interval '3 years'
    WHERE patient_id = $1""",
)
"""As if nothing had happened for three years: with the record, with its portal account, and nobody signed in."""


async def rows(desk: Desk, sql: str, *values: Any) -> list[Any]:
    """Ask the database as its owner, whose changes no trigger sees."""
    owner = await asyncpg.connect(desk.database.owner_dsn)
    try:
        await owner.execute("SET session_replication_role = replica")
        return await owner.fetch(sql, *values)
    finally:
        await owner.close()


async def everything(desk: Desk) -> str:
    tables = await rows(desk, "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    found = [await rows(desk, f'SELECT to_jsonb(t)::text AS row FROM "{table["name"]}" t') for table in tables]
    return "\n".join(row["row"] for table in found for row in table).lower()


async def night(desk: Desk, later: timedelta = timedelta()) -> set[UUID]:
    """Let time pass, run the nightly job, and return who is due."""
    platform = desk.deployment.platform
    await platform.clock.move(later)
    with acting(desk.practice.id):
        run = JobRun(platform=platform, practice_id=desk.practice.id, payload={}, attempt=1)
        await platform.jobs.entries["core.retain"].function(run)
    return {row["patient_id"] for row in await rows(desk, "SELECT patient_id FROM retention_due")}


@pytest.mark.rule("S9")
async def test_whose_portal_is_used_is_not_due(desk: Desk) -> None:
    door, patient = desk.deployment, desk.patient.id
    await desk.registered()
    token = await door.sign_in(str(desk.patient.email), PASSWORD)
    assert (await door.data(OWN, token))["ownRecord"]["id"] == str(patient)
    await desk.deployment.data(SET, desk.owner.token)
    record, account, session = AGED
    await rows(desk, record, patient)
    assert await night(desk) == set()
    await rows(desk, account, patient)
    assert await night(desk) == set()  # somebody is signed in
    await rows(desk, session, patient)
    assert await night(desk) == {patient}
    # within the month they come back, and stay
    await door.sign_in(str(desk.patient.email), PASSWORD)
    assert await night(desk, MONTH + timedelta(hours=1)) == set()
    assert len(await rows(desk, "SELECT FROM patient WHERE id = $1", patient)) == 1


@pytest.mark.rule("S9")
@pytest.mark.rule("S11")
@pytest.mark.promise("F2")
async def test_of_an_erased_patient_no_account_of_nobody_and_no_invitation_is_left(desk: Desk) -> None:
    door, patient = desk.deployment, desk.patient
    aunt, _ = await desk.guarded(patient, "aunt@guardians.example", "aunt")
    email = await desk.registered()
    token = await door.sign_in(email, PASSWORD)
    move = "mutation($p: String!, $e: String!) { changeEmail(password: $p, email: $e) }"
    await door.data(move, token, p=PASSWORD, e="moved@patients.example")
    mother = await door.held(desk.practice, patient, relationship="mother")
    child = await door.patient(desk.practice, "Kid")
    await door.hold(child, mother.account_id, mother.email, relationship="mother")
    await desk.deployment.data(SET, desk.owner.token)
    for sql in AGED:
        await rows(desk, sql, patient.id)
    before = await everything(desk)
    words = [email.lower(), "aunt@guardians.example", "moved@patients.example"]
    assert [word for word in words if word not in before] == []
    assert await night(desk) == {patient.id}
    assert await night(desk, MONTH + timedelta(hours=1)) == set()
    assert await rows(desk, "SELECT FROM patient WHERE id = $1", patient.id) == []
    await until(lambda: _sent(desk), "what was waiting", 60)
    after = await everything(desk)
    assert [word for word in words if word in after] == []
    linked = "SELECT FROM link WHERE subject = $1::text::uuid"
    assert await rows(desk, linked, aunt["id"]) == []
    # the guardian of another patient signs in as before
    signed = await door.sign_in(mother.email)
    assert (await door.data(OWN, signed))["ownRecord"]["id"] == str(child.id)


async def _sent(desk: Desk) -> bool:
    return not await rows(desk, "SELECT FROM notification_delivery WHERE state = 'waiting'")
