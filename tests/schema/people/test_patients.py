"""Patients over HTTP: what a new one needs, what is refused and where, retries, changes, the archive."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from deployment import APPS, served
from schema.people.stage import ARCHIVE, CREATE, PATIENT, SEARCH, UPDATE, count, refused, value

from bedside_core.auth import Role
from bedside_core.testing import Database, statements


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest.mark.rule("P3")
@pytest.mark.rule("P4")
async def test_a_patient_is_created_with_everything_that_is_required(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        ada = await deployment.person(await deployment.practice(), Role.STAFF)
        messy = {**PATIENT, "firstName": "  Ruth  Ann ", "mrn": " M-1 "}
        with statements() as ran:
            made = (await deployment.data(CREATE, ada.token, i=messy, c="one"))["createPatient"]
        # who asks, where the practice is, its regions, the clientId, the patient, its webhooks, the patient as stored,
        # the audit's entry
        assert len(ran) == 8
        id = made.pop("id")
        assert made == {
            "firstName": "Ruth Ann", "lastName": "Abel", "name": "Ruth Ann Abel", "dateOfBirth": "1950-02-03",
            "mrn": "M-1", "gender": "female", "phone": "+12025550143", "email": None, "archivedAt": None,
        }  # fmt: skip
        by_mail = {**PATIENT, "mrn": "M-2", "phone": None, "email": "ruth@example.org"}
        assert (await deployment.data(CREATE, ada.token, i=by_mail, c="two"))["createPatient"]["phone"] is None
        found = await deployment.data("query($id: ID!) { patient(id: $id) { mrn } }", ada.token, id=id)
        assert found == {"patient": {"mrn": "M-1"}}


@pytest.mark.rule("P3")
@pytest.mark.rule("G3")
async def test_what_can_t_be_right_is_refused_with_its_field_and_nothing_is_stored(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        practice = await deployment.practice()
        ada = await deployment.person(practice)
        zone = deployment.platform.clock.now().astimezone().date() + timedelta(days=2)
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"firstName": " "}, "firstName"),
            ({"firstName": "1234"}, "firstName"),
            ({"firstName": "Ru\u202eth"}, "firstName"),
            ({"lastName": "x" * 101}, "lastName"),
            ({"dateOfBirth": zone.isoformat()}, "dateOfBirth"),
            ({"dateOfBirth": "1850-01-01"}, "dateOfBirth"),
            ({"mrn": ""}, "mrn"),
            ({"gender": "  "}, "gender"),
            ({"phone": None}, "phone"),
            ({"phone": ""}, "phone"),
            ({"phone": "12"}, "phone"),
            ({"phone": "call me"}, "phone"),
            ({"phone": "(202) 555-0143 ext. 12"}, "phone"),
            ({"email": "ruth"}, "email"),
            ({"email": "ruth@localhost"}, "email"),
            ({"email": "ruth@example.org\r\nBcc: all@example.org"}, "email"),
        ]
        for change, field in wrong:
            told = await refused(deployment, CREATE, ada.token, i={**PATIENT, **change}, c=f"wrong-{field}")
            assert told == ("INVALID_INPUT", ["input", field]), change
        assert await count(fresh_database, "patient") == 0
        assert await count(fresh_database, "creation") == 0


@pytest.mark.rule("P4")
async def test_phones_are_of_the_practice_s_regions_and_puerto_rico_is_one_of_its_own(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        practice = await deployment.practice()
        owner = await deployment.person(practice, Role.OWNER)
        numbers = {"+17875550123": "PR", "+442079460958": "GB", "+525512345678": "MX"}
        for number in numbers:
            told = await refused(deployment, CREATE, owner.token, i={**PATIENT, "phone": number}, c="n")
            assert told == ("INVALID_INPUT", ["input", "phone"]), number
        change = "mutation($r: [String!]) { updatePeopleSettings(patch: { phoneRegions: $r }) { phoneRegions } }"
        for regions in ([], ["XX"], ["US"] * 21):
            assert (await refused(deployment, change, owner.token, r=regions))[0] == "INVALID_INPUT"
        assert await count(fresh_database, "setting") == 0
        await deployment.data(change, owner.token, r=["US", "PR", "GB"])
        for index, number in enumerate(numbers):
            patient = {**PATIENT, "mrn": f"N-{index}", "phone": number}
            body = await deployment.ask(CREATE, owner.token, i=patient, c=f"n{index}")
            if numbers[number] == "MX":
                assert body["errors"][0]["extensions"]["field"] == ["input", "phone"]
            else:
                assert body["data"]["createPatient"]["phone"] == number
        # taken as dialled in the first region
        await deployment.data(change, owner.token, r=["GB"])
        made = await deployment.data(CREATE, owner.token, i={**PATIENT, "mrn": "G", "phone": "020 7946 0958"}, c="g")
        assert made["createPatient"]["phone"] == "+442079460958"


@pytest.mark.rule("G9")
async def test_a_retry_returns_the_first_patient_and_ten_at_once_make_one(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        practice = await deployment.practice()
        ada = await deployment.person(practice)
        made = await asyncio.gather(*(deployment.data(CREATE, ada.token, i=PATIENT, c="same") for _ in range(10)))
        assert len({each["createPatient"]["id"] for each in made}) == 1
        assert await count(fresh_database, "patient") == 1
        other = {**PATIENT, "firstName": "Ruthie"}
        assert await refused(deployment, CREATE, ada.token, i=other, c="same") == ("CONFLICT", ["clientId"])
        assert await count(fresh_database, "patient") == 1
        # a clientId counts for one person: a colleague's is another
        ben = await deployment.person(practice)
        told = await refused(deployment, CREATE, ben.token, i=PATIENT, c="same")
        assert told == ("CONFLICT", ["input", "mrn"])


@pytest.mark.rule("P3")
async def test_an_mrn_is_unique_within_the_practice_only(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        ada = await deployment.person(await deployment.practice())
        eve = await deployment.person(await deployment.practice())
        await deployment.data(CREATE, ada.token, i=PATIENT, c="one")
        await deployment.data(CREATE, eve.token, i=PATIENT, c="one")
        told = await refused(deployment, CREATE, ada.token, i={**PATIENT, "firstName": "Other"}, c="two")
        assert told == ("CONFLICT", ["input", "mrn"])
        assert await count(fresh_database, "patient") == 2
        second = (await deployment.data(CREATE, ada.token, i={**PATIENT, "mrn": "M-2"}, c="three"))["createPatient"]
        told = await refused(deployment, UPDATE, ada.token, id=second["id"], p={"mrn": "M-1"})
        assert told == ("CONFLICT", ["patch", "mrn"])
        assert await value(fresh_database, "SELECT mrn FROM patient WHERE id = $1::text::uuid", second["id"]) == "M-2"


@pytest.mark.rule("P3")
async def test_a_patch_changes_what_it_names_and_checks_it(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        ada = await deployment.person(await deployment.practice(), Role.STAFF)
        id = (await deployment.data(CREATE, ada.token, i=PATIENT, c="one"))["createPatient"]["id"]
        changed = await deployment.data(UPDATE, ada.token, id=id, p={"lastName": "Born", "email": "r@example.org"})
        assert (changed["updatePatient"]["lastName"], changed["updatePatient"]["phone"]) == ("Born", "+12025550143")
        cleared = await deployment.data(UPDATE, ada.token, id=id, p={"phone": None})
        assert (cleared["updatePatient"]["phone"], cleared["updatePatient"]["email"]) == (None, "r@example.org")
        for patch, field in [
            ({"email": None}, "phone"),
            ({"firstName": None}, "firstName"),
            ({"dateOfBirth": "2999-01-01"}, "dateOfBirth"),
            ({"phone": "+17875550123"}, "phone"),
        ]:
            assert await refused(deployment, UPDATE, ada.token, id=id, p=patch) == ("INVALID_INPUT", ["patch", field])
        assert (await deployment.data(UPDATE, ada.token, id=id, p={}))["updatePatient"] == cleared["updatePatient"]
        # of several at once none undoes another
        patches = [{"gender": "x"}, {"mrn": "M-9"}, {"firstName": "Rut"}, {"lastName": "Bell"}]
        await asyncio.gather(*(deployment.data(UPDATE, ada.token, id=id, p=patch) for patch in patches))
        left = (await deployment.data(UPDATE, ada.token, id=id, p={}))["updatePatient"]
        assert [left[name] for name in ("gender", "mrn", "firstName", "lastName")] == ["x", "M-9", "Rut", "Bell"]


async def test_the_archive_takes_a_patient_out_of_list_and_search_and_gives_it_back(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        practice = await deployment.practice()
        manager, staff = await deployment.person(practice, Role.MANAGER), await deployment.person(practice, Role.STAFF)
        id = (await deployment.data(CREATE, staff.token, i=PATIENT, c="one"))["createPatient"]["id"]
        assert (await refused(deployment, ARCHIVE, staff.token, id=id, a=True))[0] == "FORBIDDEN"
        listed = "query($a: Boolean!) { patients(archived: $a) { nodes { id } } }"

        async def where() -> tuple[int, int, int]:
            there = [len((await deployment.data(listed, staff.token, a=a))["patients"]["nodes"]) for a in (False, True)]
            found = await deployment.data(SEARCH, staff.token, t="abel")
            return there[0], there[1], len(found["search"]["nodes"])

        assert await where() == (1, 0, 1)
        for _ in range(2):  # repeating it changes nothing
            archived = await deployment.data(ARCHIVE, manager.token, id=id, a=True)
            assert archived["archivePatient"]["archivedAt"] is not None
        assert await where() == (0, 1, 0)
        assert (await deployment.data(ARCHIVE, manager.token, id=id, a=False))["archivePatient"]["archivedAt"] is None
        assert await where() == (1, 0, 1)


@pytest.mark.rule("A15")
@pytest.mark.rule("G9")
async def test_the_operator_creates_practices_once_and_sees_no_patient(fresh_database: Database) -> None:
    create = """mutation($n: String!, $z: Zone!, $c: String!) {
        createPractice(name: $n, zone: $z, clientId: $c) { id name zone } }"""
    async with served(fresh_database) as deployment:
        operator = await deployment.operator()
        made = await asyncio.gather(
            *(deployment.data(create, operator, n="Bay View", z="America/Chicago", c="one") for _ in range(5))
        )
        assert len({each["createPractice"]["id"] for each in made}) == 1
        assert await count(fresh_database, "practice") == 1
        assert await refused(deployment, create, operator, n="Other", z="UTC", c="one") == ("CONFLICT", ["clientId"])
        assert await refused(deployment, create, operator, n=" ", z="UTC", c="two") == ("INVALID_INPUT", ["name"])
        owner = await deployment.person(await deployment.practice(), Role.OWNER)
        assert (await refused(deployment, create, owner.token, n="Mine", z="UTC", c="x"))[0] == "FORBIDDEN"
        assert await count(fresh_database, "practice") == 2
        id = (await deployment.data(CREATE, owner.token, i=PATIENT, c="p"))["createPatient"]["id"]
        for query in (
            "{ patients { nodes { id } } }", '{ search(text: "a") { nodes { id } } }', "{ contacts { nodes { id } } }",
            '{ patient(id: "%s") { id } }' % id,  # noqa: UP031
        ):  # fmt: skip
            assert (await refused(deployment, query, operator))[0] == "FORBIDDEN"


@pytest.mark.rule("G2")
async def test_a_page_of_100_patients_costs_as_many_statements_as_one_of_1(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        practice = await deployment.practice()
        ada = await deployment.person(practice)
        owner = await asyncpg.connect(fresh_database.owner_dsn)
        await owner.execute(
            """INSERT INTO patient (id, practice_id, first_name, last_name, date_of_birth, mrn, gender, phone,
                created_at)
            SELECT gen_random_uuid(), $1, 'Pat', 'P' || n, '1980-01-01', n::text, 'x', '+12025550143', now()
            FROM generate_series(1, 120) AS n""",
            practice.id,
        )
        await owner.close()
        listed = "query($n: Int!) { patients(first: $n) { nodes { id name phone } } }"
        await deployment.data(listed, ada.token, n=1)
        costs = []
        for size in (1, 100):
            with statements() as ran:
                found = await deployment.data(listed, ada.token, n=size)
            assert len(found["patients"]["nodes"]) == size
            costs.append(len(ran))
        assert costs == [3, 3]  # who asks, the page, and the audit's entry
