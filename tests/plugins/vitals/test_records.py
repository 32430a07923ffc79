"""A partner's plugin says what it keeps of patients: it is in their export, and joined when two records are one's."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from vitals_stage import READ, Clinic

from bedside_core.api import DB, acting
from bedside_core.auth import Role
from bedside_core.jobs import JobRun

pytestmark = pytest.mark.asyncio(loop_scope="module")

MERGE = 'mutation($k: ID!, $m: ID!) { mergePatients(keepId: $k, mergeId: $m, clientId: "m") { id } }'
EXPORT = 'mutation($p: ID!) { exportPatient(patientId: $p, clientId: "e") { id } }'
ONE = "query($i: ID!) { dataExport(id: $i) { state url } }"


async def test_recordings_follow_the_kept_record_and_are_in_its_export(clinic: Clinic) -> None:
    owner = await clinic.deployment.person(clinic.practice, Role.OWNER, "Olga")
    kept, merged = await clinic.patient(), await clinic.patient()
    for systolic in (121, 122):
        await clinic.record(kept, systolic)
    for systolic in (131, 132, 133):
        await clinic.record(merged, systolic)
    await clinic.data(MERGE, clinic.max.token, k=kept, m=merged)
    read = await clinic.data(READ, clinic.ada.token, p=kept)
    assert [node["systolic"] for node in read["patient"]["vitals"]["nodes"]] == [133, 132, 131, 122, 121]
    assert (await clinic.record(kept, 140))["systolic"] == 140
    assert (
        await clinic.code(
            'mutation($p: ID!) { recordVitals(patientId: $p, systolic: 120, diastolic: 70, pulse: 60, note: "", '
            'clientId: "late") { id } }',
            clinic.ada.token,
            p=merged,
        )
        == "NOT_FOUND"
    )
    begun = (await clinic.data(EXPORT, owner.token, p=kept))["exportPatient"]["id"]
    platform = clinic.deployment.platform
    with acting(clinic.practice.id):
        await platform.jobs.entries["core.export_data"].function(
            JobRun(platform=platform, practice_id=clinic.practice.id, payload={"export_id": begun}, attempt=1)
        )
        assert await DB.fetchval("SELECT count(*) FROM vitals_stream WHERE patient_id = $1::text::uuid", merged) == 0
    found = (await clinic.data(ONE, owner.token, i=begun))["dataExport"]
    assert found["state"] == "READY"
    answer = await clinic.deployment.http.get(found["url"], headers={"authorization": f"Bearer {owner.token}"})
    rows = zipfile.ZipFile(io.BytesIO(answer.content)).read("data/vitals/vitals.jsonl").decode().splitlines()
    assert sorted(json.loads(row)["systolic"] for row in rows) == [121, 122, 131, 132, 133, 140]
