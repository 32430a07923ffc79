"""Sessions of patients are exported, merged and erased with them, and stand in the audit trail (A14, C15)."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from plugins.telehealth.consulting import ADD, SESSION, Consulting, of
from schema.records.test_merging import MERGE

from bedside_core.auth import Role
from bedside_core.database import acting, unit
from bedside_core.records.erasing import erase_patient
from bedside_telehealth.records import RECORDS


@pytest.mark.rule("A14")
async def test_what_is_done_to_sessions_stands_in_the_trail_with_the_patients(house: Consulting) -> None:
    made = await house.create(aboutPatientId=house.patient.id)
    await house.deployment.data(ADD, house.host.token, i=made["id"], p=[{"personId": house.patient.id}])
    await house.visitor(made["id"])
    owner = await asyncpg.connect(house.database.owner_dsn)
    try:
        rows = await owner.fetch(
            "SELECT action, patients FROM audit_entry WHERE target = $1 ORDER BY at, id", made["id"]
        )
    finally:
        await owner.close()
    patient = [UUID(house.patient.id)]
    assert [(row["action"], list(row["patients"])) for row in rows] == [
        ("telehealth.create", patient), ("telehealth.add_people", patient), ("telehealth.guest_enter", []),
    ]  # fmt: skip


@pytest.mark.rule("A14")
async def test_a_patient_s_export_has_their_sessions_and_no_secret(house: Consulting) -> None:
    mine = await house.create(name="Mine", participants=[{"personId": house.patient.id}])
    await house.create(name="Other")
    await house.visitor(mine["id"])
    kept = {table.name: table for table in RECORDS.tables}
    owner = await asyncpg.connect(house.database.owner_dsn)
    try:
        found = {
            name: await owner.fetch(f"SELECT * FROM {name} t WHERE {table.patient}", house.patient.patient.id)
            for name, table in kept.items()
        }
        long_ago, ahead = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
        active = [
            [await owner.fetchval(f"SELECT count(*) FROM {name} t WHERE {table.active}", house.patient.patient.id, at)
             for at in (long_ago, ahead)]
            for name, table in kept.items()
        ]  # fmt: skip
    finally:
        await owner.close()
    assert [row["name"] for row in found["video_session"]] == ["Mine"]
    assert len(found["video_participant"]) == 3
    assert {"rejoin_hash", "rejoin_before", "seat"} <= set(kept["video_participant"].hidden)
    assert active == [[1, 0], [0, 0]]


@pytest.mark.rule("P3")
async def test_a_merged_patient_s_places_are_the_kept_one_s(house: Consulting) -> None:
    merged = await house.deployment.held(house.practice)
    both = await house.create(participants=[{"personId": house.patient.id}, {"personId": merged.id}])
    one = await house.create(aboutPatientId=merged.id, participants=[{"personId": merged.id, "role": "VIEWER"}])
    owner = await house.deployment.person(house.practice, Role.OWNER)
    await house.deployment.data(MERGE, owner.token, k=house.patient.id, m=merged.id, c="merge-1")
    assert len((await house.seen(both["id"]))["participants"]["nodes"]) == 2
    seen = await house.seen(one["id"])
    assert (seen["aboutPatientId"], of(seen, house.patient.id)["role"]) == (house.patient.id, "VIEWER")
    assert (await house.seen(one["id"], house.patient))["own"]["role"] == "VIEWER"


@pytest.mark.rule("A14")
async def test_an_erased_patient_s_own_sessions_go_and_their_guests_reach_nothing(house: Consulting) -> None:
    about = await house.create(aboutPatientId=house.patient.id)
    with_them = await house.create(participants=[{"personId": house.patient.id}])
    other = await house.deployment.held(house.practice)
    group = await house.create(participants=[{"personId": house.patient.id}, {"personId": other.id}])
    visitor = await house.visitor(about["id"])
    with acting(house.practice.id, house.owner.member.id):
        async with unit() as work:
            await erase_patient(house.deployment.platform, work, house.practice.id, house.patient.patient.id)
    for session in (about, with_them):
        assert await house.deployment.code(SESSION, house.host.token, i=session["id"]) == "NOT_FOUND"
        assert await house.rows(session["id"]) == []
    assert await house.deployment.code(SESSION, visitor.token, i=about["id"]) == "UNAUTHENTICATED"
    left = await house.rows(group["id"])
    assert (len(left), house.patient.id in str(left)) == (3, False)  # the session, its chair and the other patient
