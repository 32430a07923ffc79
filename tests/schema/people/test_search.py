"""Finding people by name over HTTP, with what stands under their names; and external contacts (P6, P7)."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest
from audit_stage import length, trail
from deployment import APPS, Deployment, Person, served
from schema.people.stage import (
    CONTACT,
    CREATE,
    HOST,
    PATIENT,
    PROFILE,
    SEARCH,
    connected,
    count,
    names,
    refused,
)

from bedside_core.auth import Role
from bedside_core.people.search import SEARCH as STATEMENT
from bedside_core.testing import Database, statements

OF_PRACTICE = """query($p: ID, $k: [PersonKind!], $first: Int, $after: String) {
    search(text: "maria", practiceId: $p, kinds: $k, first: $first, after: $after) {
        nodes { name } pageInfo { hasNextPage endCursor } } }"""


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


async def called(deployment: Deployment, token: str, first: str, last: str, number: int) -> None:
    patient = {**PATIENT, "firstName": first, "lastName": last, "mrn": f"C-{number}"}
    await deployment.data(CREATE, token, i=patient, c=f"called-{number}")


async def renamed(deployment: Deployment, person: Person, first: str, last: str) -> None:
    await deployment.data(PROFILE, person.token, p={"firstName": first, "lastName": last})


@pytest.mark.rule("A14")
async def test_a_page_of_a_search_names_the_patients_on_it_alone_in_the_trail(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        practice = await deployment.practice()
        ada = await deployment.person(practice)
        for number, last in enumerate(("Berg", "Carl", "Dorn"), 1):
            await called(deployment, ada.token, "Maria", last, number)
        shown, after = [], None
        for more in (True, True, False):
            before = await length(practice.id)
            page = (await deployment.data(SEARCH, ada.token, t="maria", first=1, after=after))["search"]
            [node], info = page["nodes"], page["pageInfo"]
            [entry] = await trail(practice.id, past=before)
            assert ([str(id) for id in entry.patients], info["hasNextPage"]) == ([node["id"]], more)
            shown.append(node["name"])
            after = info["endCursor"]
        assert shown == ["Maria Berg", "Maria Carl", "Maria Dorn"]


@pytest.mark.rule("P7")
async def test_what_stands_under_a_name(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        home, near = await deployment.practice("Home"), await deployment.practice("Near")
        ada, bea = await deployment.person(home, Role.OWNER), await deployment.person(near, Role.OWNER)
        host, here = await deployment.person(near), await deployment.person(home)
        for person, last in ((ada, "Ander"), (bea, "Berg"), (host, "Carl"), (here, "Dorn")):
            await renamed(deployment, person, "Maria", last)
        for person, boss in ((host, bea), (here, ada)):
            await deployment.data(HOST, boss.token, m=person.id, e=True)
        await called(deployment, ada.token, "Maria", "Ernst", 1)
        outside = {"firstName": "Maria", "lastName": "Fuchs", "email": "fuchs@example.org"}
        await deployment.data(CONTACT, ada.token, i=outside, c="c")
        await connected(deployment, ada, bea, near)
        found = (await deployment.data(SEARCH, ada.token, t="maria"))["search"]["nodes"]
        assert [(each["name"], each["kind"], each["label"], each["badge"]) for each in found] == [
            ("Maria Ander", "MEMBER", None, None),
            ("Maria Berg", "MEMBER", "Near", None),
            ("Maria Carl", "MEMBER", "Near", "Video Chat Enabled"),
            ("Maria Dorn", "MEMBER", None, None),
            ("Maria Ernst", "PATIENT", "Patient", None),
            ("Maria Fuchs", "CONTACT", "(External)", None),
        ]
        assert await names(deployment, ada.token, "maria", k=["PATIENT", "CONTACT"]) == [
            ("Maria Ernst", "Patient"), ("Maria Fuchs", "(External)"),
        ]  # fmt: skip
        assert await names(deployment, ada.token, "maria", k=[]) == []


@pytest.mark.rule("C7", "P7")
@pytest.mark.promise("A1")
async def test_a_search_finds_the_people_of_one_practice_alone(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        home, near, hill, far = [await deployment.practice(name) for name in ("Home", "Near", "Hill", "Far")]
        ada, bea, cle, eve = [await deployment.person(each, Role.OWNER) for each in (home, near, hill, far)]
        host = await deployment.person(near)
        for person, last in ((ada, "Ander"), (bea, "Berg"), (host, "Carl"), (cle, "Dorn"), (eve, "Falk")):
            await renamed(deployment, person, "Maria", last)
        await called(deployment, ada.token, "Maria", "Ernst", 1)
        await called(deployment, bea.token, "Maria", "Gast", 2)
        outside = {"firstName": "Maria", "lastName": "Fuchs", "email": "fuchs@example.org"}
        await deployment.data(CONTACT, ada.token, i=outside, c="c")
        await connected(deployment, ada, bea, near)
        await connected(deployment, cle, ada, home)

        async def found(practice: object, **values: Any) -> list[str]:
            page = await deployment.data(OF_PRACTICE, ada.token, p=str(practice), **values)
            return [node["name"] for node in page["search"]["nodes"]]

        assert await found(home.id) == ["Maria Ander", "Maria Ernst", "Maria Fuchs"]
        assert await found(near.id) == ["Maria Berg", "Maria Carl"]
        assert await found(hill.id) == ["Maria Dorn"]
        assert await found(home.id, k=["MEMBER"]) == ["Maria Ander"]
        assert await found(near.id, k=["PATIENT", "CONTACT"]) == []
        first = (await deployment.data(OF_PRACTICE, ada.token, p=str(near.id), first=1))["search"]
        assert [node["name"] for node in first["nodes"]] == ["Maria Berg"]
        assert await found(near.id, first=1, after=first["pageInfo"]["endCursor"]) == ["Maria Carl"]
        # a practice that one does not see is told as one that is not there
        other, missing = [
            await deployment.data(OF_PRACTICE, ada.token, p=str(each))
            for each in (far.id, "0199aaaa-0000-7000-8000-000000000000")
        ]
        assert other == missing
        assert other["search"] == {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
        assert await found(ada.id) == []
        # and from one's own practice's side of nobody who is not connected to it
        page = await deployment.data(OF_PRACTICE, eve.token, p=str(near.id))
        assert page["search"]["nodes"] == []


@pytest.mark.rule("P7")
async def test_words_are_found_by_their_beginnings_in_any_order_without_case_and_accents(
    fresh_database: Database,
) -> None:
    people = [
        ("José Ángel", "Muñoz-García"), ("Søren", "Łukasz"), ("Siân", "O'Brien"), ("Anna", "Annable"),
        ("Дмитрий", "Волков"), ("Βασίλης", "Παππάς"), ("Zoë", "Weiß"),
    ]  # fmt: skip
    async with served(fresh_database) as deployment:
        ada = await deployment.person(await deployment.practice(), name="Qq")
        for number, (first, last) in enumerate(people):
            await called(deployment, ada.token, first, last, number)
        for text, wanted in [
            ("jose", [0]), ("JOSÉ", [0]), ("angel mun", [0]), ("garcia jo", [0]), ("Muñoz-García", [0]),
            ("soren", [1]), ("luk sø", [1]), ("obrien", [2]), ("O’Bri", [2]), ("sian", [2]),
            ("ann", [3]), ("an an", [0, 3]), ("дмит", [4]), ("ВОЛ", [4]), ("βασ", [5]), ("ΠΑΠΠΑΣ", [5]),
            ("weiss", [6]), ("zoe w", [6]), ("ose", []), ("", []), ("  -' ", []), ("%", []), ("_", []), ("\\", []),
        ]:  # fmt: skip
            found = [name for name, _ in await names(deployment, ada.token, text)]
            expected = {f"{people[index][0]} {people[index][1]}" for index in wanted}
            if text == "an an":  # each word of the text has a word that begins so; it may be the same
                assert "Anna Annable" in found
            else:
                assert set(found) == expected, text
        assert await refused(deployment, SEARCH, ada.token, t="x" * 201) == ("INVALID_INPUT", ["text"])


@pytest.mark.rule("P7")
@pytest.mark.rule("G2")
async def test_a_search_is_paged_and_costs_the_same_however_many_it_finds(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        practice = await deployment.practice()
        ada = await deployment.person(practice, name="Qq")
        owner = await asyncpg.connect(fresh_database.owner_dsn)
        await owner.execute(
            """INSERT INTO patient (id, practice_id, first_name, last_name, date_of_birth, mrn, gender, phone,
                created_at)
            SELECT gen_random_uuid(), $1, 'Nora', 'N' || lpad(n::text, 4, '0'), '1980-01-01', n::text, 'x',
                '+12025550143', now()
            FROM generate_series(1, 120) AS n""",
            practice.id,
        )
        await owner.close()
        seen, after, costs = [], None, []
        while True:
            with statements() as ran:
                page = (await deployment.data(SEARCH, ada.token, t="nora", first=50, after=after))["search"]
            costs.append(len(ran))
            seen += [node["name"] for node in page["nodes"]]
            if not page["pageInfo"]["hasNextPage"]:
                break
            after = page["pageInfo"]["endCursor"]
        assert seen == [f"Nora N{number:04}" for number in range(1, 121)]
        # who asks, whom it finds, then patients, contacts and members, and the audit's entry where patients are found
        assert costs == [6, 6, 6]
        with statements() as ran:
            await names(deployment, ada.token, "nobody")
        assert len(ran) == 5


@pytest.mark.rule("P7")
@pytest.mark.promise("A3")
async def test_with_20000_patients_the_application_role_finds_by_an_index(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        practice, other = await deployment.practice(), await deployment.practice()
        ada = await deployment.person(practice, name="Qq")
        owner = await asyncpg.connect(fresh_database.owner_dsn)
        for one in (practice, other):
            await owner.execute(
                """INSERT INTO patient (id, practice_id, first_name, last_name, date_of_birth, mrn, gender, phone,
                    created_at)
                SELECT gen_random_uuid(), $1, 'F' || md5(n::text), 'L' || md5((n + 1)::text), '1980-01-01', n::text,
                    'x', '+12025550143', now()
                FROM generate_series(1, 10000) AS n""",
                one.id,
            )
        await owner.execute("ANALYZE person_word, patient")
        await owner.close()
        application = await asyncpg.connect(fresh_database.dsn)
        try:
            await application.execute(f"SET app.practice_id = '{practice.id}'")
            plan = await application.fetch(
                f"EXPLAIN {STATEMENT}", "fab", 8, ["contact", "member", "patient"], None, None, 21, None
            )
            lines = [row[0] for row in plan]
            assert not [line for line in lines if "Seq Scan on person_word" in line], lines
            [condition] = [
                line for line in lines if "Index Cond" in line and "word >= " in line and "practice_id" in line
            ][:1]
            assert "app_practice" in condition or "InitPlan" in condition or "$" in condition, lines
        finally:
            await application.close()
        assert len(await names(deployment, ada.token, "fab", first=100)) > 0


@pytest.mark.rule("P6")
@pytest.mark.rule("G9")
async def test_a_contact_is_added_by_address_or_mobile_number_once(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        practice = await deployment.practice()
        ada, ben = await deployment.person(practice, Role.STAFF), await deployment.person(practice)
        new = {"firstName": "Cora", "lastName": "Vale", "email": "cora@example.org"}
        made = await asyncio.gather(*(deployment.data(CONTACT, ada.token, i=new, c="same") for _ in range(5)))
        [person] = {each["addContact"]["id"]: each["addContact"] for each in made}.values()
        assert (person["kind"], person["label"], person["contact"]["email"]) == ("CONTACT", "(External)", new["email"])
        # the same person, added by a colleague under another name and case, is that contact
        twice = {"firstName": "C.", "lastName": "Vale", "email": "CORA@example.org"}
        assert (await deployment.data(CONTACT, ben.token, i=twice, c="mine"))["addContact"]["id"] == person["id"]
        both = [
            deployment.data(
                CONTACT, each.token, i={"firstName": "Max", "lastName": "Ost", "phone": "2025550143"}, c="max"
            )
            for each in (ada, ben)
        ]
        assert len({each["addContact"]["id"] for each in await asyncio.gather(*both)}) == 1
        assert await count(fresh_database, "contact") == 2
        for change, code, field in [
            ({"email": None}, "INVALID_INPUT", ["input", "email"]),
            ({"email": "cora"}, "INVALID_INPUT", ["input", "email"]),
            ({"email": None, "phone": "+18005551234"}, "INVALID_INPUT", ["input", "phone"]),  # toll-free takes no SMS
            ({"email": None, "phone": "+17875550123"}, "INVALID_INPUT", ["input", "phone"]),
            ({"lastName": ""}, "INVALID_INPUT", ["input", "lastName"]),
            ({"phone": "+12025550143"}, "CONFLICT", None),
        ]:
            assert await refused(deployment, CONTACT, ada.token, i={**new, **change}, c="other") == (code, field)
        assert await refused(deployment, CONTACT, ada.token, i={**new, "lastName": "Dale"}, c="same") == (
            "CONFLICT", ["clientId"],
        )  # fmt: skip
        assert await count(fresh_database, "contact") == 2


@pytest.mark.rule("P6")
@pytest.mark.rule("P1")
async def test_who_is_a_member_of_a_connected_practice_is_returned_as_that_member(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        home, near, far = [await deployment.practice(name) for name in ("Home", "Near", "Far")]
        ada, bea, eve = [await deployment.person(each, Role.OWNER) for each in (home, near, far)]
        colleague = await deployment.person(home)
        await connected(deployment, ada, bea, near)
        await deployment.data(PROFILE, bea.token, p={"emailFor": "CONNECTED"})

        async def add(person: Person, client_id: str) -> tuple[str, str | None, str | None]:
            given = {"firstName": "Some", "lastName": "Body", "email": person.email.upper()}
            told = (await deployment.data(CONTACT, ada.token, i=given, c=client_id))["addContact"]
            return told["kind"], told["label"], (told["member"] or {}).get("id")

        assert await add(bea, "b") == ("MEMBER", "Near", bea.id)
        assert await add(colleague, "c") == ("MEMBER", None, colleague.id)
        assert await count(fresh_database, "contact") == 0
        assert await add(eve, "e") == ("CONTACT", "(External)", None)
        assert await count(fresh_database, "contact") == 1


@pytest.mark.rule("A8")
@pytest.mark.rule("P6")
@pytest.mark.parametrize("what", ["email", "phone"])
async def test_adding_a_contact_finds_no_member_by_what_they_hide_from_who_adds(
    fresh_database: Database, what: str
) -> None:
    async with served(fresh_database) as deployment:
        home, near = await deployment.practice("Home"), await deployment.practice("Near")
        ada, bea = [await deployment.person(each, Role.OWNER) for each in (home, near)]
        mia, stranger = await deployment.person(home), {"email": "nobody@example.org", "phone": "2025550199"}
        await connected(deployment, ada, bea, near)
        known = {bea.id: "2025550143", mia.id: "2025550144"}
        for person in (bea, mia):
            await deployment.data(PROFILE, person.token, p={"phone": known[person.id]})

        async def add(person: Person | None, client_id: str, by: Person = ada) -> dict[str, Any]:
            reached = stranger[what] if person is None else person.email if what == "email" else known[person.id]
            given = {"firstName": "Some", "lastName": "Body", what: reached}
            told = (await deployment.data(CONTACT, by.token, i=given, c=client_id))["addContact"]
            return {name: told[name] for name in ("kind", "name", "label", "badge", "member")}

        async def lets(person: Person, audience: str) -> None:
            await deployment.data(PROFILE, person.token, p={f"{what}For": audience})

        # shown to whom it is for: a member
        for person, audience in ((bea, "CONNECTED"), (mia, "PRACTICE")):
            await lets(person, audience)
            assert (await add(person, f"seen {person.id}"))["member"]["id"] == person.id
        assert await count(fresh_database, "contact") == 0
        # hidden: told as one whom nobody knows, in the same words
        unknown = await add(None, "unknown")
        assert (unknown["kind"], unknown["member"]) == ("CONTACT", None)
        for person, audience in ((bea, "PRACTICE"), (mia, "NOBODY")):
            await lets(person, audience)
            assert await add(person, f"hidden {person.id}") == unknown
        await lets(bea, "NOBODY")
        assert await add(bea, "again") == unknown  # the contact that there is by now
        assert await count(fresh_database, "contact") == 3
        assert (await add(mia, "own", by=mia))["member"]["id"] == mia.id  # who looks for herself
