"""That whoever is told of a patient's portal account is in the trail with that patient (A14)."""

from __future__ import annotations

import pytest
from audit_stage import length, trail
from plugins.portal.desk import OWN, REMOVE, STATE, Desk

ACTED = "{ auditEntries(first: 50) { nodes { action portalHolder { name } } } }"
BARE = "{ auditEntries(first: 50) { nodes { action } } }"


@pytest.mark.rule("A14")
async def test_who_reads_who_acted_in_the_portal_is_in_the_trail_with_whose_names_came_back(quiet_desk: Desk) -> None:
    desk, owner = quiet_desk, quiet_desk.owner
    held = await desk.deployment.held(desk.practice)
    await desk.deployment.held(desk.practice)  # who did nothing, and is not named
    await desk.deployment.data(OWN, held.token)
    before = await length(desk.practice.id)
    await desk.deployment.data(BARE, owner.token)
    [bare] = await trail(desk.practice.id, past=before)
    assert (str(bare.person_id), list(bare.patients)) == (owner.id, [])
    told = await desk.deployment.data(ACTED, owner.token)
    acted = [node["portalHolder"]["name"] for node in told["auditEntries"]["nodes"] if node["portalHolder"]]
    assert acted == [held.patient.name]
    [entry] = await trail(desk.practice.id, past=before + 1)
    assert (str(entry.person_id), list(entry.patients)) == (owner.id, [held.patient.id])


@pytest.mark.rule("A14")
async def test_who_removes_somebody_again_reads_their_name_and_is_in_the_trail_for_it(quiet_desk: Desk) -> None:
    desk = quiet_desk
    held = await desk.deployment.held(desk.practice)
    [holder] = (await desk.data(STATE, p=held.id))["portalAccount"]["holders"]
    await desk.data(REMOVE, h=holder["id"])
    before = await length(desk.practice.id)
    assert (await desk.data(REMOVE, h=holder["id"]))["name"] == held.patient.name
    [entry] = await trail(desk.practice.id, past=before)
    assert (entry.action, list(entry.patients)) == ("patients.read", [held.patient.id])
