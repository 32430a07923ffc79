"""One's own sign-in: sessions listed and ended, the password changed, idle sign-out, and as whom one acts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from datetime import date, timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from accounts_stage import (
    CHANGE,
    OTHER_PASSWORD,
    SECRET_KEY,
    SESSIONS,
    SIGN_IN,
    WHO,
    cheap_hashes,
    everything,
    rows,
)
from audit_stage import closed_trail, length, owner, trail
from core_stage import plugin
from deployment import APPS, PASSWORD, Deployment, Person, served

import bedside_graphql.plugin
from bedside_core.auth import PatientPersonas, Persona, Role
from bedside_core.database import DB, acting, unit
from bedside_core.people import NewPatient
from bedside_core.plugins import from_module
from bedside_core.testing import Database, statements

IDLE = "mutation($m: Int!) { updateAccountsSettings(patch: { idleMinutes: $m }) { idleMinutes } }"
SWITCH = "mutation($p: ID!) { switchTo(persona: $p) { role member { id } } }"


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def deployment(fresh_database: Database) -> AsyncGenerator[Deployment, None]:
    with cheap_hashes():
        async with served(fresh_database, secret_key=SECRET_KEY) as running:
            yield running


async def in_on(deployment: Deployment, person: Person, program: str) -> str:
    """Sign in with a program that calls itself so."""
    body = {"query": SIGN_IN, "variables": {"e": person.email, "p": PASSWORD}}
    answer = await deployment.http.post("/graphql", json=body, headers={"user-agent": program})
    return answer.json()["data"]["signIn"]["token"]


@pytest.mark.rule("A10")
async def test_one_s_own_sessions_are_listed_and_ended_one_by_one(
    deployment: Deployment, fresh_database: Database
) -> None:
    practice = await deployment.practice()
    ada, ben = await deployment.person(practice), await deployment.person(practice, name="Ben")
    phone, desk = await in_on(deployment, ada, "Phone/1"), await in_on(deployment, ada, "Desk/2")
    listed = (await deployment.data(SESSIONS, desk))["sessions"]
    assert [(each["device"], each["current"]) for each in listed] == [
        ("Desk/2", True), ("Phone/1", False), ("a test", False),
    ]  # fmt: skip
    of_ben = (await deployment.data(SESSIONS, ben.token))["sessions"]
    before = await everything(fresh_database)
    end = "mutation($i: ID!) { endSession(id: $i) }"
    for missing in (of_ben[0]["id"], str(UUID(int=7)), "nothing"):
        assert await deployment.code(end, desk, i=missing) == "NOT_FOUND"
    assert await everything(fresh_database) == before
    async with deployment.socket(phone) as socket:
        assert await deployment.data(end, desk, i=listed[1]["id"]) == {"endSession": True}
        assert await socket.closed() == (4403, "Session ended")
    assert await deployment.code("{ viewer { role } }", phone) == "UNAUTHENTICATED"
    assert await deployment.code(end, desk, i=listed[1]["id"]) == "NOT_FOUND"
    assert len((await deployment.data(SESSIONS, desk))["sessions"]) == 2
    assert await deployment.code(SESSIONS) == "UNAUTHENTICATED"


@pytest.mark.rule("A10")
async def test_signing_out_everywhere_ends_every_session_and_forgets_the_devices(
    deployment: Deployment, fresh_database: Database
) -> None:
    practice = await deployment.practice()
    ada, ben = await deployment.person(practice), await deployment.person(practice, name="Ben")
    tokens = [ada.token, await in_on(deployment, ada, "Phone"), await in_on(deployment, ada, "Desk")]
    body = await deployment.ask("mutation { signOutEverywhere signOut }", tokens[0])
    assert body["data"] == {"signOutEverywhere": True, "signOut": None}  # what follows is done as nobody
    for token in tokens:
        assert await deployment.code("{ viewer { role } }", token) == "UNAUTHENTICATED"
    assert await rows(fresh_database, "SELECT * FROM device") == []
    assert (await deployment.data("{ viewer { role } }", ben.token))["viewer"] == {"role": "PRACTITIONER"}


@pytest.mark.rule("A8")
@pytest.mark.rule("A10")
@pytest.mark.promise("A7")
async def test_changing_the_password_ends_all_other_sessions(deployment: Deployment) -> None:
    ada = await deployment.person(await deployment.practice())
    other = await in_on(deployment, ada, "Phone")
    async with deployment.socket(other) as socket, deployment.socket(ada.token) as own:
        assert await deployment.data(CHANGE, ada.token, c=PASSWORD, n=OTHER_PASSWORD) == {"changePassword": True}
        assert await socket.closed() == (4403, "Session ended")
        key = await own.subscribe("{ viewer { role } }")
        assert (await own.next(key))["viewer"] == {"role": "PRACTITIONER"}
    assert await deployment.code("{ viewer { role } }", other) == "UNAUTHENTICATED"
    assert await deployment.code(SIGN_IN, e=ada.email, p=PASSWORD) == "UNAUTHENTICATED"
    assert await deployment.sign_in(ada.email, OTHER_PASSWORD)


@pytest.mark.promise("A7")
@pytest.mark.parametrize(
    "refused",
    [
        "",
        "fourteen chars",
        "passwordpassword",
        "123456789012345",
        "qwertyuiopasdfghjkl",
        "aaaaaaaaaaaaaaaaaaaaaaaa",
        "Bay View Bay View",
        "AdaMossBayView1234!",
        "x" * 3 + " tall glass of milk" * 60,
    ],
)
async def test_a_password_that_may_not_be_chosen_changes_nothing(
    deployment: Deployment, fresh_database: Database, refused: str
) -> None:
    ada = await deployment.person(await deployment.practice())
    before = await everything(fresh_database)
    body = await deployment.ask(CHANGE, ada.token, c=PASSWORD, n=refused)
    facts = body["errors"][0]["extensions"]
    assert (facts["code"], facts["field"]) == ("PASSWORD_REFUSED", ["new"])
    assert await everything(fresh_database) == before


@pytest.mark.promise("A7")
@pytest.mark.parametrize(
    "chosen",
    [
        "only lower letters",
        "ONLY CAPITALS HERE",
        "8461 3077 2954 1863",
        "ein Käse für Zoë",
        "the quick heron sold nine violins to a kind baker on wet Mondays",
    ],
)
async def test_long_passwords_of_any_composition_may_be_chosen(deployment: Deployment, chosen: str) -> None:
    ada = await deployment.person(await deployment.practice())
    assert await deployment.data(CHANGE, ada.token, c=PASSWORD, n=chosen) == {"changePassword": True}
    assert await deployment.sign_in(ada.email, chosen)
    assert await deployment.code(SIGN_IN, e=ada.email, p=chosen[:-1]) == "UNAUTHENTICATED"


@pytest.mark.rule("A5")
async def test_a_wrong_present_password_changes_nothing_and_is_counted(
    deployment: Deployment, fresh_database: Database
) -> None:
    ada = await deployment.person(await deployment.practice())
    before = await everything(fresh_database)
    wrong = [await deployment.code(CHANGE, ada.token, c="wrong", n=OTHER_PASSWORD) for _ in range(6)]
    assert wrong == [*["INVALID_INPUT"] * 5, "SIGN_IN_LOCKED"]
    assert await deployment.code(CHANGE, ada.token, c=PASSWORD, n=OTHER_PASSWORD) == "SIGN_IN_LOCKED"
    assert await everything(fresh_database) == before
    assert await deployment.sign_in(ada.email)  # signing in goes on


@pytest.mark.promise("A8")
async def test_who_does_nothing_is_signed_out_when_the_practice_says_so_and_pings_are_nothing(
    deployment: Deployment,
) -> None:
    practice, lenient = await deployment.practice(), await deployment.practice("Abbey")
    owner, ada = await deployment.person(practice, Role.OWNER), await deployment.person(practice)
    ben, elsewhere = await deployment.person(practice, name="Ben"), await deployment.person(lenient)
    clock = deployment.platform.clock
    assert await deployment.code(IDLE, ada.token, m=15) == "FORBIDDEN"
    assert await deployment.code(IDLE, owner.token, m=721) == "INVALID_INPUT"
    await deployment.data(IDLE, owner.token, m=15)
    async with deployment.socket(ada.token) as idle, deployment.socket(ben.token) as busy:
        await clock.move(timedelta(minutes=14))
        await idle.send(type="ping")
        assert (await idle.receive())["type"] == "pong"
        key = await busy.subscribe("{ viewer { role } }")  # what is asked over a socket is done by somebody
        await busy.next(key)
        assert (await busy.receive())["type"] == "complete"
        await clock.move(timedelta(minutes=2))
        assert await idle.closed() == (4403, "Session ended")
        assert await deployment.code("{ viewer { role } }", ada.token) == "UNAUTHENTICATED"
        key = await busy.subscribe("{ viewer { role } }")
        assert (await busy.next(key))["viewer"] == {"role": "PRACTITIONER"}
    assert (await deployment.data("{ viewer { role } }", elsewhere.token))["viewer"] == {"role": "PRACTITIONER"}


@pytest.mark.promise("A8")
async def test_pages_what_they_load_and_health_hold_no_sign_out_back(deployment: Deployment) -> None:
    practice = await deployment.practice()
    owner, busy = await deployment.person(practice, Role.OWNER), await deployment.person(practice, name="Ben")
    paths = ("/health/live", "/terms", "/account/account.css", "/graphql/schema.graphql", "/no/such/page")
    people = {path: await deployment.person(practice) for path in paths}
    await deployment.data(IDLE, owner.token, m=5)
    for _ in range(2):
        await deployment.platform.clock.move(timedelta(minutes=4))
        for path, person in people.items():
            await deployment.http.get(path, headers={"authorization": f"Bearer {person.token}"})
        assert (await deployment.data("{ viewer { role } }", busy.token))["viewer"] == {"role": "PRACTITIONER"}
    for path, person in people.items():
        assert await deployment.code("{ practice { name } }", person.token) == "UNAUTHENTICATED", path


@pytest.mark.promise("A8")
async def test_what_is_sent_and_not_let_through_holds_no_sign_out_back(deployment: Deployment) -> None:
    practice = await deployment.practice()
    owner, busy = await deployment.person(practice, Role.OWNER), await deployment.person(practice, name="Ben")
    await deployment.data(IDLE, owner.token, m=5)
    sent = (
        ("POST", "/no/such/page", {}), ("POST", "/health/ready", {}), ("POST", "/metrics", {}),
        ("PATCH", "/terms", {}), ("DELETE", "/", {}), ("POST", "/oauth/authorize", {}),
        ("PUT", "/graphql", {"query": "{ viewer { role } }"}), ("POST", "/graphql", {}),
        ("POST", "/graphql", {"query": "{ viewer { nothing } }"}),
        ("POST", "/graphql", {"query": "subscription { viewer { role } }"}),
    )  # fmt: skip
    people = [await deployment.person(practice) for _ in sent]
    for _ in range(2):
        await deployment.platform.clock.move(timedelta(minutes=4))
        for (method, path, body), person in zip(sent, people, strict=True):
            headers = {"authorization": f"Bearer {person.token}"}
            answer = await deployment.http.request(method, path, json=body, headers=headers)
            assert answer.status_code in {200, 400, 401, 404, 405}, (method, path)
        assert (await deployment.data("{ viewer { role } }", busy.token))["viewer"] == {"role": "PRACTITIONER"}
    for one, person in zip(sent, people, strict=True):
        assert await deployment.code("{ practice { name } }", person.token) == "UNAUTHENTICATED", one


@pytest.mark.rule("A10")
@pytest.mark.promise("A8")
async def test_being_in_a_call_counts_as_activity(deployment: Deployment) -> None:
    practice = await deployment.practice()
    owner, ada = await deployment.person(practice, Role.OWNER), await deployment.person(practice)
    await deployment.data(IDLE, owner.token, m=10)
    session = (await deployment.data(SESSIONS, ada.token))["sessions"][0]["id"]
    async with deployment.socket(ada.token) as socket:
        for _ in range(4):  # as telehealth does while somebody is in a call
            await deployment.platform.clock.move(timedelta(minutes=9))
            await deployment.platform.auth.seen(UUID(session))
        key = await socket.subscribe("{ viewer { role } }")
        assert (await socket.next(key))["viewer"] == {"role": "PRACTITIONER"}
        await deployment.platform.clock.move(timedelta(minutes=11))
        assert await socket.closed() == (4403, "Session ended")
        await deployment.platform.auth.seen(UUID(session))  # who was signed out stays so
    assert await deployment.code("{ viewer { role } }", ada.token) == "UNAUTHENTICATED"


@pytest.mark.rule("A10")
@pytest.mark.promise("A4")
async def test_what_ends_or_changes_a_member_closes_their_sockets(deployment: Deployment) -> None:
    practice = await deployment.practice()
    ada, ben = await deployment.person(practice), await deployment.person(practice, name="Ben")
    async with deployment.socket(ada.token) as socket, deployment.socket(ben.token) as other:
        with acting(practice.id):
            await DB.execute("UPDATE member SET role = 'staff' WHERE id = $1", ben.member.id)
            await DB.execute("UPDATE member SET active = false WHERE id = $1", ada.member.id)
        assert await socket.closed() == (4403, "Session ended")
        assert await other.closed() == (4403, "Session changed")
    assert await deployment.code("{ viewer { role } }", ada.token) == "UNAUTHENTICATED"
    assert await deployment.code(SIGN_IN, e=ada.email, p=PASSWORD) == "UNAUTHENTICATED"
    assert (await deployment.data("{ viewer { role } }", ben.token))["viewer"] == {"role": "STAFF"}


@pytest.mark.rule("A10")
async def test_sessions_of_a_member_are_ended_in_the_unit_that_deactivates(deployment: Deployment) -> None:
    practice = await deployment.practice()
    ada, ben = await deployment.person(practice), await deployment.person(practice, name="Ben")
    with pytest.raises(ZeroDivisionError):
        async with unit() as work:
            assert await deployment.platform.auth.end_sessions(work, member_id=ada.member.id) == 1
            raise ZeroDivisionError
    assert (await deployment.data("{ viewer { role } }", ada.token))["viewer"] is not None
    async with unit() as work:
        assert await deployment.platform.auth.end_sessions(work, member_id=ada.member.id) == 1
    assert await deployment.code("{ viewer { role } }", ada.token) == "UNAUTHENTICATED"
    assert (await deployment.data("{ viewer { role } }", ben.token))["viewer"] is not None


async def second_membership(deployment: Deployment, person: Person, name: str, role: Role) -> str:
    """Make somebody a member of another practice too; returns that member's id."""
    practice = await deployment.practice(name, tier=None)
    account = UUID((await deployment.data("{ viewer { id } }", person.token))["viewer"]["id"])
    member = await deployment.platform.people.create_member(
        practice.id, account, first_name="Ada", last_name="There", role=role
    )
    return str(member.id)


@pytest.mark.rule("A15")
async def test_an_account_of_several_practices_acts_for_one_at_a_time(
    deployment: Deployment, fresh_database: Database
) -> None:
    practice = await deployment.practice("Bay View")
    ada, ben = await deployment.person(practice), await deployment.person(practice, Role.OWNER, "Ben")
    there = await second_membership(deployment, ada, "Abbey", Role.OWNER)
    personas = (await deployment.data(WHO, ada.token))["viewer"]["personas"]
    assert [(each["id"], each["role"], each["practice"], each["current"]) for each in personas] == [
        (there, "OWNER", "Abbey", False), (ada.id, "PRACTITIONER", "Bay View", True),
    ]  # fmt: skip
    before = await everything(fresh_database)
    for other in (ben.id, str(UUID(int=5)), "nobody"):
        assert await deployment.code(SWITCH, ada.token, p=other) == "NOT_FOUND"
    assert await everything(fresh_database) == before
    async with deployment.socket(ada.token) as socket:
        body = await deployment.ask(
            "mutation($p: ID!) { switchTo(persona: $p) { role member { id } } changePassword(current: 1, new: 2) }",
            ada.token, p=there,
        )  # fmt: skip
        assert "errors" in body  # one change of a sign-in in an operation
        switched = (await deployment.data(SWITCH, ada.token, p=there))["switchTo"]
        assert switched == {"role": "OWNER", "member": {"id": there}}
        assert await socket.closed() == (4403, "Session changed")
    assert (await deployment.data("{ practice { name } }", ada.token))["practice"] == {"name": "Abbey"}
    assert (await deployment.data("{ members { nodes { id } } }", ada.token))["members"]["nodes"] == [{"id": there}]


@pytest.mark.rule("A14")
@pytest.mark.rule("A15")
async def test_a_switch_stands_in_the_trails_of_both_practices_or_is_not_made(
    deployment: Deployment, fresh_database: Database
) -> None:
    practice = await deployment.practice("Bay View")
    ada = await deployment.person(practice)
    there = await second_membership(deployment, ada, "Abbey", Role.OWNER)
    async with owner(fresh_database) as connection:
        other = await connection.fetchval("SELECT practice_id FROM member WHERE id = $1", UUID(there))
    async with closed_trail(fresh_database):
        assert await deployment.code(SWITCH, ada.token, p=there) == "UNAVAILABLE"
    assert (await deployment.data("{ practice { name } }", ada.token))["practice"] == {"name": "Bay View"}
    before = await length(practice.id), await length(other)
    await deployment.data(SWITCH, ada.token, p=there)
    [left] = await trail(practice.id, past=before[0])
    [entered] = await trail(other, past=before[1])
    assert (left.action, str(left.person_id), left.role) == ("session.leave", ada.id, "practitioner")
    assert (entered.action, str(entered.person_id), entered.role) == ("session.enter", there, "owner")
    assert (left.account_id, left.target, left.request_id, left.at.date()) == (
        entered.account_id, entered.target, entered.request_id, entered.at.date(),
    )  # fmt: skip
    assert left.request_id
    with acting(practice.id):
        assert await DB.fetchval("SELECT count(*) FROM audit_entry WHERE practice_id = $1", other) == 0
        assert await DB.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'session.enter'") == 0


class Portal:
    """Portal accounts out of a dictionary, as the plugin portal will have them."""

    def __init__(self) -> None:
        self.personas: dict[UUID, list[Persona]] = {}

    async def of_account(self, account_id: UUID) -> Sequence[Persona]:
        return self.personas.get(account_id, [])

    async def practices(self, account_id: UUID) -> Collection[UUID]:
        return [persona.practice_id for persona in self.personas.get(account_id, [])]

    async def active(self, account_id: UUID, patient_id: UUID) -> bool:
        return any(persona.id == patient_id for persona in self.personas.get(account_id, []))


@pytest.mark.rule("A15")
async def test_an_account_acts_for_patients_that_the_portal_gives_it(fresh_database: Database) -> None:
    portal = Portal()
    gate = plugin("doors", services=lambda platform: {PatientPersonas: portal})
    sources = {"graphql": from_module(bedside_graphql.plugin, name="graphql"), "doors": gate}
    with cheap_hashes():
        async with served(fresh_database, sources=sources, plugins=("graphql", "doors")) as deployment:
            practice = await deployment.practice(tier=None)
            people = deployment.platform.people
            new = NewPatient(first_name="Cleo", last_name="Roe", date_of_birth=date(1990, 1, 2),
                             mrn="1", gender="female", email="c@example.org")  # fmt: skip
            patient = await people.create_patient(practice.id, new)
            account = await people.create_account("cleo@example.org", PASSWORD)
            assert await deployment.code(SIGN_IN, e="cleo@example.org", p=PASSWORD) == "UNAUTHENTICATED"
            cleo = Persona(id=patient.id, role=Role.PATIENT, practice_id=practice.id, practice="Bay View", name="Cleo")
            portal.personas[account] = [cleo]
            token = await deployment.sign_in("cleo@example.org")
            viewer = (await deployment.data(WHO, token))["viewer"]
            assert (viewer["role"], viewer["member"]) == ("PATIENT", None)
            assert [each["current"] for each in viewer["personas"]] == [True]
            for query in ("{ patients { nodes { id } } }", "{ practice { name } }", "{ apiKeys { nodes { id } } }"):
                assert await deployment.code(query, token) == "FORBIDDEN"
            assert len((await deployment.data(SESSIONS, token))["sessions"]) == 1
            portal.personas.clear()  # suspended
            assert await deployment.code("{ viewer { role } }", token) == "UNAUTHENTICATED"


async def test_signing_in_and_being_signed_in_take_so_many_statements(deployment: Deployment) -> None:
    ada = await deployment.person(await deployment.practice())
    with statements() as ran:
        await deployment.sign_in(ada.email)
    # account, count, whether that still holds, device, session, who that is, the entry, the member
    assert len(ran) == 8
    with statements() as ran:
        await deployment.data("{ viewer { role } }", ada.token)
    assert len(ran) == 2
    with statements() as ran:
        await deployment.data(SESSIONS, ada.token)
    assert len(ran) == 2
