"""The partner's plugin does what it says, driven over HTTP and sockets."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from bedside_vitals.api import VitalsRecorded
from graphql import parse, validate
from vitals_stage import FOLLOW, READ, RECORD, Clinic

from bedside_core.access import Tier
from bedside_core.api import Event, unit
from bedside_core.database import DB, acting
from bedside_core.testing import statements
from bedside_graphql.endpoint import schema_of
from bedside_plans.service import PlanService

pytestmark = pytest.mark.asyncio(loop_scope="module")

README = Path(__file__).parents[3] / "examples" / "bedside-vitals" / "README.md"


async def test_what_is_recorded_is_read_back_newest_first_by_page(clinic: Clinic) -> None:
    patient = await clinic.patient()
    made = [await clinic.record(patient, 120 + number, n=f"no {number}") for number in range(3)]
    assert made[0] == {
        "id": made[0]["id"], "systolic": 120, "diastolic": 70, "pulse": 60, "note": "no 0", "alert": False,
        "cursor": made[0]["cursor"], "recordedBy": {"id": clinic.ada.id},
    }  # fmt: skip

    first = (await clinic.data(READ, clinic.ada.token, p=patient, first=2))["patient"]["vitals"]
    assert [node["id"] for node in first["nodes"]] == [made[2]["id"], made[1]["id"]]
    assert first["pageInfo"] == {
        "hasNextPage": True, "hasPreviousPage": False, "startCursor": made[2]["cursor"], "endCursor": made[1]["cursor"],
    }  # fmt: skip
    second = (await clinic.data(READ, clinic.ada.token, p=patient, after=made[1]["cursor"]))["patient"]["vitals"]
    assert [node["id"] for node in second["nodes"]] == [made[0]["id"]]
    assert (second["pageInfo"]["hasNextPage"], second["pageInfo"]["hasPreviousPage"]) == (False, True)


async def test_a_list_of_patients_with_their_vitals_costs_the_same_however_long(clinic: Clinic) -> None:
    query = """query($first: Int) { patients(first: $first) { nodes {
        vitals(first: 2) { nodes { systolic recordedBy { name } } } vitalsDays { day } } } }"""
    for number in range(6):
        patient = await clinic.patient()
        for systolic in range(100, 103):
            await clinic.record(patient, systolic + number)
    costs: list[int] = []
    for first in (2, 6):
        with statements() as ran:
            data = await clinic.data(query, clinic.ada.token, first=first)
        assert len(data["patients"]["nodes"]) == first
        # The worker's own statements may fall into the same moment.
        costs.append(sum(any(table in sql for table in ("vitals", "patient", "member", "setting")) for sql in ran))
    assert costs == [costs[0]] * 2


@pytest.mark.rule("G9")
async def test_a_retry_returns_the_first_recording_and_other_content_is_refused(clinic: Clinic) -> None:
    patient, other = await clinic.patient(), await clinic.patient()
    given = clinic.given(patient, 131)
    at_once = await asyncio.gather(*(clinic.data(RECORD, clinic.ada.token, **given) for _ in range(5)))
    again = await clinic.data(RECORD, clinic.ada.token, **given)
    assert [data["recordVitals"] for data in at_once] == [again["recordVitals"]] * 5

    before = await clinic.recorded()
    assert await clinic.code(RECORD, clinic.ada.token, **{**given, "s": 132}) == "CONFLICT"
    assert await clinic.code(RECORD, clinic.ada.token, **{**given, "n": "too"}) == "CONFLICT"
    assert await clinic.code(RECORD, clinic.ada.token, **{**given, "p": other}) == "CONFLICT"
    assert await clinic.recorded() == before
    shown = (await clinic.data(READ, clinic.ada.token, p=patient))["patient"]["vitals"]["nodes"]
    assert [node["systolic"] for node in shown] == [131]


WRONG = {
    "systolic is too low": ({"s": 39}, "systolic"),
    "systolic is too high": ({"s": 301}, "systolic"),
    "diastolic is too low": ({"d": 19}, "diastolic"),
    "diastolic is too high": ({"s": 250, "d": 201}, "diastolic"),
    "diastolic is not the lower one": ({"s": 90, "d": 90}, "diastolic"),
    "pulse is too low": ({"r": 19}, "pulse"),
    "pulse is too high": ({"r": 301}, "pulse"),
    "the note is too long": ({"n": "x" * 501}, "note"),
    "there is no client id": ({"c": ""}, "clientId"),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_nothing_is_recorded_where(wrong: str, clinic: Clinic) -> None:
    values, field = WRONG[wrong]
    before, patient = await clinic.recorded(), await clinic.patient()
    body = await clinic.ask(RECORD, clinic.ada.token, **{**clinic.given(patient), **values})
    [error] = body["errors"]
    assert (error["extensions"]["code"], error["extensions"]["field"]) == ("INVALID_INPUT", [field])
    assert body["data"] == {"recordVitals": None}
    assert await clinic.recorded() == before


async def test_a_cursor_of_another_list_is_refused(clinic: Clinic) -> None:
    patient = await clinic.patient()
    assert await clinic.code(READ, clinic.ada.token, p=patient, after="WyJhIl0") == "INVALID_INPUT"
    assert await clinic.code(READ, clinic.ada.token, p=patient, first=0) == "INVALID_INPUT"


# -- who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.rule("P1")
async def test_another_practices_patient_is_like_one_that_does_not_exist(clinic: Clinic) -> None:
    patient = await clinic.patient()
    await clinic.record(patient)
    before = await clinic.recorded()
    refused = [
        await clinic.ask(RECORD, clinic.eve.token, **clinic.given(target)) for target in (patient, str(uuid4()), "x")
    ]
    assert {error["extensions"]["code"] for body in refused for error in body["errors"]} == {"NOT_FOUND"}
    assert len({body["errors"][0]["message"] for body in refused[:2]}) == 1
    assert await clinic.code(READ, clinic.eve.token, p=patient) == "NOT_FOUND"
    async with clinic.deployment.socket(clinic.eve.token) as socket:
        assert await socket.error(await socket.subscribe(FOLLOW, p=patient)) == "NOT_FOUND"
    assert (await clinic.recorded(), await clinic.recorded(clinic.neighbour)) == (before, 0)


@pytest.mark.promise("A3")
async def test_the_database_itself_keeps_practices_apart(clinic: Clinic) -> None:
    patient = await clinic.patient()
    await clinic.record(patient)
    for practice, seen in ((clinic.neighbour.id, 0), (None, 0), (clinic.practice.id, 1)):
        with acting(practice):
            for table in ("vitals", "vitals_stream"):
                rows = await DB.fetchval(f"SELECT count(*) FROM {table} WHERE patient_id = $1", UUID(patient))
                assert (table, rows) == (table, seen)
    with acting(clinic.neighbour.id):
        for table, columns, values in (
            ("vitals_stream", '"position"', "1"),
            ("vitals_daily", "day, recordings, lowest_systolic, highest_systolic, average_pulse", "now(), 1, 1, 1, 1"),
        ):
            with pytest.raises(asyncpg.ForeignKeyViolationError):
                async with unit():
                    await DB.execute(
                        f"INSERT INTO {table} (practice_id, patient_id, {columns}) VALUES ($1, $2, {values})",
                        clinic.neighbour.id,
                        UUID(patient),
                    )


async def test_a_role_without_the_permission_records_nothing_and_reads(clinic: Clinic) -> None:
    patient = await clinic.patient()
    made = await clinic.record(patient)
    before = await clinic.recorded()
    assert await clinic.code(RECORD, clinic.max.token, **clinic.given(patient)) == "FORBIDDEN"
    assert await clinic.recorded() == before
    shown = (await clinic.data(READ, clinic.max.token, p=patient))["patient"]["vitals"]["nodes"]
    assert [node["id"] for node in shown] == [made["id"]]
    assert await clinic.code(RECORD, **clinic.given(patient)) == "UNAUTHENTICATED"


@pytest.mark.rule("L3")
async def test_without_the_feature_everything_of_vitals_is_refused_and_the_rest_is_answered(clinic: Clinic) -> None:
    patient = await clinic.patient(clinic.small, last_name="Low")
    body = await clinic.ask(RECORD, clinic.sam.token, **clinic.given(patient))
    [error] = body["errors"]
    assert body["data"] == {"recordVitals": None}
    assert (error["extensions"]["code"], error["extensions"]["feature"], error["extensions"]["tier"]) == (
        "FEATURE_NOT_IN_PLAN", "vitals", "enhanced",
    )  # fmt: skip
    body = await clinic.ask(READ, clinic.sam.token, p=patient)
    assert body["data"] == {"patient": {"lastName": "Low", "vitals": None}}
    assert [error["extensions"]["code"] for error in body["errors"]] == ["FEATURE_NOT_IN_PLAN"]
    async with clinic.deployment.socket(clinic.sam.token) as socket:
        assert await socket.error(await socket.subscribe(FOLLOW, p=patient)) == "FEATURE_NOT_IN_PLAN"
    change = "mutation { updateVitalsOwnSettings(patch: { exportDays: 5 }) { exportDays } }"
    assert await clinic.code(change, clinic.sam.token) == "FEATURE_NOT_IN_PLAN"
    assert await clinic.recorded(clinic.small) == 0


# -- live -------------------------------------------------------------------------------------------------------------


async def test_a_follower_gets_what_it_missed_and_what_comes_once_and_in_order(clinic: Clinic) -> None:
    patient, other = await clinic.patient(), await clinic.patient()
    made = [await clinic.record(patient, 100 + number) for number in range(3)]
    async with clinic.deployment.socket(clinic.max.token) as socket:
        resumed = await socket.subscribe(FOLLOW, p=patient, after=made[0]["cursor"])
        got = [(await socket.next(resumed))["vitalsRecorded"] for _ in range(2)]
        await clinic.record(other, 200)
        made.append(await clinic.record(patient, 103))
        await clinic.data(RECORD, clinic.ada.token, **clinic.given(patient, 104))
        got += [(await socket.next(resumed))["vitalsRecorded"] for _ in range(2)]
    assert [item["systolic"] for item in got] == [101, 102, 103, 104]
    assert [item["cursor"] for item in got[:3]] == [item["cursor"] for item in made[1:]]


async def test_without_a_cursor_a_follower_begins_with_the_next_one(clinic: Clinic) -> None:
    patient = await clinic.patient()
    await clinic.record(patient, 100)
    async with clinic.deployment.socket(clinic.ada.token) as socket:
        begun = await socket.subscribe(FOLLOW, p=patient)
        live = clinic.deployment.platform.live
        async with asyncio.timeout(10):
            while not live.topics:  # noqa: ASYNC110 - attached, and so past the reading of the position
                await asyncio.sleep(0.01)
        await clinic.record(patient, 101)
        assert (await socket.next(begun))["vitalsRecorded"]["systolic"] == 101


async def test_a_recording_is_told_to_other_plugins_by_ids_only_and_once(clinic: Clinic, heard: list[Event]) -> None:
    heard.clear()
    patient = await clinic.patient()
    given = clinic.given(patient, 133)
    first = (await clinic.data(RECORD, clinic.ada.token, **given))["recordVitals"]
    await clinic.data(RECORD, clinic.ada.token, **given)
    await clinic.code(RECORD, clinic.ada.token, **{**given, "s": 134})
    await clinic.deployment.platform.events.settled()
    assert heard == [
        VitalsRecorded(
            practice_id=clinic.practice.id,
            patient_id=UUID(patient),
            vitals_id=UUID(first["id"]),
            recorded_by=UUID(clinic.ada.id),
            position=1,
        )
    ]


# -- settings ---------------------------------------------------------------------------------------------------------


async def test_the_practice_decides_from_when_on_a_recording_is_an_alert(clinic: Clinic) -> None:
    change = "mutation($n: Int!) { updateVitalsSettings(patch: { alertSystolic: $n }) { alertSystolic exportDays } }"
    patient = await clinic.patient()
    assert [(await clinic.record(patient, systolic))["alert"] for systolic in (159, 160)] == [False, True]
    assert await clinic.code(change, clinic.ada.token, n=140) == "FORBIDDEN"
    try:
        changed = await clinic.data(change, clinic.max.token, n=140)
        assert changed == {"updateVitalsSettings": {"alertSystolic": 140, "exportDays": 90}}
        shown = (await clinic.data(READ, clinic.ada.token, p=patient))["patient"]["vitals"]["nodes"]
        assert [node["alert"] for node in shown] == [True, True]
        assert (await clinic.record(patient, 139))["alert"] is False
    finally:
        await clinic.data(change, clinic.max.token, n=160)


# -- the words of its README -------------------------------------------------------------------------------------------


async def test_the_readmes_graphql_fits_the_schema(clinic: Clinic) -> None:
    [example] = re.findall(r"```graphql\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    schema = schema_of(clinic.deployment.platform)._schema
    assert [error.message for error in validate(schema, parse(example))] == []


@pytest.mark.rule("L5")
async def test_a_downgrade_takes_nothing_away_for_good(clinic: Clinic) -> None:
    practice = await clinic.deployment.practice("Lake", "enhanced")
    lea = await clinic.deployment.person(practice)
    patient = await clinic.patient(practice)
    await clinic.record(patient, 117, by=lea)
    plans = clinic.deployment.platform.service(PlanService)
    async with clinic.deployment.socket(lea.token) as socket:
        begun = await socket.subscribe(FOLLOW, p=patient, after=None)
        await plans.change_plan(practice.id, Tier.STARTER)
        assert await socket.error(begun) == "FEATURE_NOT_IN_PLAN"
    assert await clinic.code(RECORD, lea.token, **clinic.given(patient)) == "FEATURE_NOT_IN_PLAN"
    assert await clinic.recorded(practice) == 1
    await plans.change_plan(practice.id, Tier.ENHANCED)
    shown = (await clinic.data(READ, lea.token, p=patient))["patient"]["vitals"]["nodes"]
    assert [node["systolic"] for node in shown] == [117]
