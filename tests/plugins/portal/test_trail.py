"""That whoever is told of a patient's portal account is in the trail with that patient (A14)."""

from __future__ import annotations

import pytest
from audit_stage import length, trail
from deployment import PASSWORD
from plugins.portal.desk import OWN, REMOVE, STATE, Desk

ACTED = "{ auditEntries(first: 50) { nodes { action portalHolder { name } } } }"
PERSONAS = "{ viewer { a: personas { name } b: personas { id } } }"
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


@pytest.mark.rule("A14")
@pytest.mark.rule("A15")
async def test_who_is_told_as_which_patients_they_can_act_is_in_the_trail_of_each_practice(quiet_desk: Desk) -> None:
    desk, away = quiet_desk, await quiet_desk.deployment.practice("Hill View")
    held = await desk.deployment.held(desk.practice)
    ward, far = [await desk.deployment.patient(practice) for practice in (desk.practice, away)]
    await desk.deployment.patient(away)  # somebody else's
    for patient in (ward, far):
        await desk.deployment.hold(patient, held.account_id, held.email, relationship="mother")
    before = {practice.id: await length(practice.id) for practice in (desk.practice, away)}
    await desk.deployment.data("{ viewer { role } }", held.token)
    personas = (await desk.deployment.data(PERSONAS, held.token))["viewer"]["a"]
    assert {each["name"] for each in personas} == {held.patient.name, ward.name, far.name}
    [here] = await trail(desk.practice.id, past=before[desk.practice.id])
    assert (here.action, here.person_id, set(here.patients)) == (
        "patients.read", held.patient.id, {held.patient.id, ward.id},
    )  # fmt: skip
    # There nobody is told who they are here.
    [there] = await trail(away.id, past=before[away.id])
    assert (there.action, there.account_id, there.person_id, there.role, list(there.patients)) == (
        "patients.read", held.account_id, far.id, "patient", [far.id],
    )  # fmt: skip
    # At the sign-in it is whom the session acts as.
    before = {practice.id: await length(practice.id) for practice in (desk.practice, away)}
    signed = "mutation($e: String!, $p: String!) { signIn(email: $e, password: $p) { viewer { personas { name } } } }"
    await desk.deployment.data(signed, e=held.email, p=PASSWORD)
    entries = [entry for each in before for entry in await trail(each, past=before[each])]
    read = {entry.person_id for entry in entries if entry.action == "patients.read"}
    assert (len(entries), len(read), None in read) == (3, 2, False)
    # A member's own names are nobody's record.
    before = {practice.id: await length(practice.id) for practice in (desk.practice, away)}
    await desk.deployment.data(PERSONAS, desk.owner.token)
    assert {practice.id: await length(practice.id) for practice in (desk.practice, away)} == before
