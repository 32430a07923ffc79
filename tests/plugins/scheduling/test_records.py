"""Appointments in exports, in merged records, and when a patient is erased."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from deployment import Held
from plugins.scheduling.reception import Reception, soon
from schema.records.test_merging import MERGE

from bedside_core.auth import Role
from bedside_core.database import DB, acting, unit
from bedside_core.ids import uuid7
from bedside_core.jobs.declared import JobRun
from bedside_core.records.erasing import erase_patient
from bedside_core.testing import Database, statements

EXPORT = 'mutation($p: ID!) { exportPatient(patientId: $p, clientId: "e") { id } }'
ONE = "query($i: ID!) { dataExport(id: $i) { state url } }"
HOOK = 'mutation($u: String!, $t: [String!]!) { createWebhook(url: $u, types: $t, clientId: "w") { webhook { id } } }'
TOLD = "query($w: ID!) { webhookDeliveries(webhookId: $w) { nodes { type body } } }"


async def ran(desk: Reception, name: str, **payload: Any) -> None:
    platform = desk.deployment.platform
    with acting(desk.practice.id):
        run = JobRun(platform=platform, practice_id=desk.practice.id, payload=payload, attempt=1)
        await platform.jobs.entries[name].function(run)


async def exported(desk: Reception, patient: Held) -> dict[str, list[dict[str, Any]]]:
    """What a patient's export has of scheduling, by table."""
    owner = await desk.deployment.person(desk.practice, Role.OWNER, name="Olga")
    begun = (await desk.deployment.data(EXPORT, owner.token, p=patient.id))["exportPatient"]["id"]
    await ran(desk, "core.export_data", export_id=begun)
    found = (await desk.deployment.data(ONE, owner.token, i=begun))["dataExport"]
    assert found["state"] == "READY"
    answer = await desk.deployment.http.get(found["url"], headers={"authorization": f"Bearer {owner.token}"})
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    return {
        name.removeprefix("data/scheduling/").removesuffix(".jsonl"): [
            json.loads(line) for line in archive.read(name).decode().splitlines()
        ]
        for name in archive.namelist()
        if name.startswith("data/scheduling/")
    }


async def waits(desk: Reception, patient: Held, client_id: str) -> None:
    """Have a patient wait for a time."""
    with acting(desk.practice.id):
        type_id = uuid7()
        await DB.execute(
            """INSERT INTO appointment_type (id, practice_id, name, mode, self_scheduling, created_at, created_by,
                client_id) VALUES ($1, app_practice(), 'Talk', 'both', true, now(), $1, $2)""",
            type_id, str(type_id),
        )  # fmt: skip
        await DB.execute(
            """INSERT INTO waiting_entry (id, practice_id, patient_id, type_id, earliest, latest, created_at,
                created_by, client_id)
            VALUES ($1, app_practice(), $2, $3, now(), now() + interval '9 days', now(), $2, $4)""",
            uuid7(), patient.patient.id, type_id, client_id,
        )  # fmt: skip


@pytest.mark.rule("A14", "S10")
async def test_a_patient_s_export_has_their_appointments_and_nothing_of_others(desk: Reception) -> None:
    own = await desk.book(soon(desk, days=3), by=desk.pat.patient.id)
    group = await desk.book(soon(desk, days=4), patients=[desk.pat, desk.quin])
    await desk.book(soon(desk, days=5), patients=[desk.quin])
    await waits(desk, desk.pat, "w")
    await waits(desk, desk.quin, "w")
    found = await exported(desk, desk.pat)
    assert {row["id"] for row in found["appointment"]} == {str(own), str(group)}
    assert {row["patient_id"] for row in found["appointment_patient"]} == {desk.pat.id}
    assert len(found["appointment_member"]) == 2
    assert len(found["waiting_entry"]) == 1
    assert {row["patient_id"] for row in found["appointment_reminder"]} == {desk.pat.id}
    assert desk.quin.id not in json.dumps(found)
    assert "client_id" not in found["appointment"][0]


@pytest.mark.rule("P3", "P9")
async def test_a_merged_patient_s_appointments_are_the_kept_one_s_each_once_and_nobody_is_told(desk: Reception) -> None:
    both = await desk.book(soon(desk, days=3), patients=[desk.pat, desk.quin])
    gone = await desk.book(soon(desk, days=4), by=desk.quin.patient.id, patients=[desk.quin])
    with acting(desk.practice.id):  # the same client's id as the kept one's own
        await DB.execute("UPDATE appointment SET client_id = 'same' WHERE id = $1", gone)
    mine = await desk.book(soon(desk, days=5), by=desk.pat.patient.id)
    with acting(desk.practice.id):
        await DB.execute("UPDATE appointment SET client_id = 'same' WHERE id = $1", mine)
    await waits(desk, desk.pat, "w")
    await waits(desk, desk.quin, "w")
    sent = await desk.rows("SELECT count(*) FROM notification")
    olga = await desk.deployment.person(desk.practice, Role.OWNER, name="Olga")
    await desk.deployment.data(MERGE, olga.token, k=desk.pat.id, m=desk.quin.id, c="m")
    for each in (both, gone, mine):
        assert (await desk.appointment(each)).patient_ids == (desk.pat.patient.id,)
        assert list(await desk.planned(each)) == [("standard", desk.pat.id)]
    assert (await desk.appointment(gone)).booked_by == desk.pat.patient.id
    assert await desk.rows("SELECT taken FROM appointment WHERE id = $1", both) == [(1,)]
    assert await desk.rows("SELECT DISTINCT patient_id::text, created_by::text FROM waiting_entry") == [
        (desk.pat.id, desk.pat.id)
    ]
    assert await desk.rows("SELECT count(*) FROM notification") == sent


@pytest.mark.rule("P3", "S1", "S7")
@pytest.mark.parametrize("left", ["kept", "merged", "both"])
async def test_of_two_records_on_one_group_the_one_that_comes_counts(desk: Reception, left: str) -> None:
    other = await desk.deployment.held(desk.practice)
    group = await desk.book(soon(desk, days=3), patients=[desk.pat, desk.quin, other])
    await desk.change(group, "capacity = 3")
    for word, each in (("kept", desk.pat), ("merged", desk.quin)):
        if left in (word, "both"):
            await desk.leaves(group, each)
    olga = await desk.deployment.person(desk.practice, Role.OWNER, name="Olga")
    if left == "kept":  # their place was given away: the group is full while the records become one
        await desk.comes(group, await desk.deployment.held(desk.practice))
    sent = await desk.rows("SELECT count(*) FROM notification")
    await desk.deployment.data(MERGE, olga.token, k=desk.pat.id, m=desk.quin.id, c="m")
    found = await desk.appointment(group)
    assert (desk.pat.patient.id in found.patient_ids) is (left != "both")
    assert [each.patient_id for each in found.patients].count(desk.pat.patient.id) == 1
    assert await desk.rows("SELECT taken FROM appointment") == [(len(found.patient_ids),)]
    assert (("standard", desk.pat.id) in await desk.planned(group)) is (left != "both")
    assert await desk.rows("SELECT count(*) FROM notification") == sent


async def everything(database: Database) -> str:
    """All rows of scheduling's tables, as their owner sees them."""
    owner = await asyncpg.connect(database.owner_dsn)
    try:
        tables = await owner.fetch(
            """SELECT DISTINCT table_name AS name FROM information_schema.columns
            WHERE table_schema = 'public' AND (table_name LIKE 'appointment%' OR table_name LIKE 'waiting%'
                OR table_name IN ('series', 'calendar_feed', 'notification', 'notification_delivery'))"""
        )
        found = [await owner.fetch(f"SELECT to_jsonb(t)::text AS row FROM {each['name']} t") for each in tables]
        return "\n".join(row["row"] for rows in found for row in rows)
    finally:
        await owner.close()


@pytest.mark.promise("F2")
@pytest.mark.rule("A14", "S5")
async def test_of_an_erased_patient_nothing_is_left_and_their_time_is_free(
    desk: Reception, fresh_database: Database
) -> None:
    past = await desk.book(soon(desk, days=-3), by=desk.pat.patient.id)
    await desk.change(past, "state = 'completed', reason = 'they asked for it', moved_by = $2", desk.pat.patient.id)
    coming = await desk.book(soon(desk, days=3), by=desk.pat.patient.id)
    held = await desk.book(
        soon(desk, days=2), by=desk.pat.patient.id, held_until=desk.now() + timedelta(minutes=9)
    )  # fmt: skip
    group = await desk.book(soon(desk, days=4), patients=[desk.pat, desk.quin])
    await waits(desk, desk.pat, "w")
    assert desk.pat.id in await everything(fresh_database)
    platform = desk.deployment.platform
    with acting(desk.practice.id, desk.sam.member.id):
        async with unit() as work:
            await erase_patient(platform, work, desk.practice.id, desk.pat.patient.id)
    left = await everything(fresh_database)
    assert (desk.pat.id in left, "they asked for it" in left) == (False, False)
    states = {each: (await desk.appointment(each)).state for each in (past, coming, held, group)}
    assert list(states.values()) == ["completed", "cancelled", "lapsed", "booked"]
    assert (await desk.appointment(group)).patient_ids == (desk.quin.patient.id,)
    await desk.book((await desk.appointment(coming)).starts_at, patients=[desk.quin])
    assert await desk.planned(coming) == {}


@pytest.mark.rule("C16")
@pytest.mark.parametrize("how", ["merged", "erased"])
async def test_inboxes_are_locked_once_in_one_order_whatever_plugins_tell_of_a_patient(
    desk: Reception, how: str
) -> None:
    start = 'mutation($p: ID!) { startPatientConversation(patientId: $p, clientId: "s") { id } }'
    for who in (desk.ada, desk.ben):
        await desk.deployment.data(start, who.token, p=desk.pat.id)
    await desk.book(soon(desk, days=3), members=[desk.ada, desk.ben])
    olga = await desk.deployment.person(desk.practice, Role.OWNER, name="Olga")
    before = dict(await desk.rows('SELECT person_id, "position" FROM inbox'))
    with statements() as ran:
        if how == "merged":
            async with desk.deployment.socket(desk.quin.token) as socket:
                key = await socket.subscribe("subscription { inbox { __typename } }")
                assert (await socket.next(key))["inbox"]["__typename"] == "InboxOpened"
                await desk.deployment.data(MERGE, olga.token, k=desk.quin.id, m=desk.pat.id, c="m")
                assert (await socket.next(key))["inbox"]["__typename"] == "InboxGap"
        else:
            with acting(desk.practice.id, desk.sam.member.id):
                async with unit() as work:
                    await erase_patient(desk.deployment.platform, work, desk.practice.id, desk.pat.patient.id)
    written = [each for each in ran if "inbox" in each and "FROM practice_positions" not in each]
    first = next(number for number, each in enumerate(written) if "inbox_tell" in each)
    assert [each for each in written if "inbox_tell" in each] == [written[first]]
    if how == "merged":
        assert first == 0
    after = dict(await desk.rows('SELECT person_id, "position" FROM inbox'))
    assert desk.pat.patient.id not in after
    assert all(after[who.member.id] > before[who.member.id] for who in (desk.ada, desk.ben))


@pytest.mark.promise("F2")
@pytest.mark.rule("S1", "S7", "G6")
async def test_erasing_who_has_left_a_group_calls_nothing_off_and_partners_hear_of_what_is(desk: Reception) -> None:
    olga = await desk.deployment.person(desk.practice, Role.OWNER, name="Olga")
    hook = {"u": "https://partner.example/hooks", "t": ["appointment.cancelled"]}
    key = (await desk.deployment.data(HOOK, olga.token, **hook))["createWebhook"]["webhook"]["id"]
    group = await desk.book(soon(desk, days=3), patients=[desk.pat, desk.quin])
    empty = await desk.book(soon(desk, days=4), patients=[desk.pat])
    alone = await desk.book(soon(desk, days=5), patients=[desk.pat])
    for each in (group, empty):
        await desk.leaves(each, desk.pat)
    before = await desk.appointment(group)
    with acting(desk.practice.id, desk.sam.member.id):
        async with unit() as work:
            await erase_patient(desk.deployment.platform, work, desk.practice.id, desk.pat.patient.id)
    after = await desk.appointment(group)
    assert (after.state, after.version, after.sequence) == ("booked", before.version, before.sequence)
    assert [each.patient_id for each in after.patients] == [desk.quin.patient.id]
    assert list(await desk.planned(group)) == [("standard", desk.quin.id)]
    assert ((await desk.appointment(empty)).state, (await desk.appointment(alone)).state) == ("booked", "cancelled")
    told = (await desk.deployment.data(TOLD, olga.token, w=key))["webhookDeliveries"]["nodes"]
    assert [json.loads(each["body"])["data"] for each in told] == [
        {"practiceId": str(desk.practice.id), "appointmentId": str(alone)}
    ]


@pytest.mark.rule("A14")
async def test_whoever_has_had_an_appointment_lately_is_not_due_by_the_practice_s_retention(
    desk: Reception, fresh_database: Database
) -> None:
    olga = await desk.deployment.person(desk.practice, Role.OWNER, name="Olga")
    await desk.deployment.data(
        "mutation { updateRecordsSettings(patch: { retentionYears: 2 }) { retentionYears } }", olga.token
    )
    seen, forgotten = await desk.deployment.patient(desk.practice), await desk.deployment.patient(desk.practice)
    owner = await asyncpg.connect(fresh_database.owner_dsn)
    try:  # as if nothing had happened with the records for three years, past the trigger that notes changes
        await owner.execute("SET session_replication_role = replica")
        await owner.execute(
            """UPDATE patient SET created_at = created_at - interval '3 years',
                changed_at = changed_at - interval '3 years' WHERE id = ANY($1)""",
            [seen.id, forgotten.id],
        )
    finally:
        await owner.close()

    async def booked(patient_id: UUID, at: Any) -> None:
        made = await desk.book(at, patients=[])
        with acting(desk.practice.id):
            await DB.execute(
                """INSERT INTO appointment_patient (appointment_id, patient_id, practice_id, added_at)
                VALUES ($1, $2, app_practice(), $3)""",
                made, patient_id, at,
            )  # fmt: skip

    await booked(seen.id, soon(desk, days=-100))
    await booked(forgotten.id, soon(desk, days=-1000))
    await ran(desk, "core.retain")
    due = await desk.rows("SELECT patient_id FROM retention_due")
    assert due == [(forgotten.id,)]
