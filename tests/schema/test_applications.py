"""Applications of other origins: registered, consented to, signed in by code with PKCE, refreshed, revoked (G1)."""

from __future__ import annotations

import asyncio
import hashlib
import html
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import pytest
import pytest_asyncio
from accounts_stage import (
    BEGIN_TOTP,
    CHANGE,
    DEMAND,
    MAKE_KEY,
    OTHER_PASSWORD,
    SESSIONS,
    cheap_hashes,
    everything,
    rows,
)
from applications_stage import CALLBACK, ORIGIN, REGISTER, REMOVE, Client, given, registered, told
from audit_stage import closed_trail
from deployment import APPS, PASSWORD, Deployment, Person, served

from bedside_core.auth import COOKIE, Role
from bedside_core.database import DB, acting
from bedside_core.people import Practice
from bedside_core.testing import Database, statements

LIST = """query($f: Int, $a: String) { applications(first: $f, after: $a) {
    nodes { id name removedAt } pageInfo { endCursor hasNextPage } } }"""
PATIENTS = "{ patients { nodes { id } } }"
PRACTICE = "{ practice { name } }"
WHO = "{ viewer { role member { id } personas { id } } }"


@pytest.fixture(scope="module")
def database_apps() -> tuple[str, ...]:
    return APPS


@pytest_asyncio.fixture
async def deployment(fresh_database: Database) -> AsyncGenerator[Deployment, None]:
    with cheap_hashes():
        async with served(fresh_database) as running:
            yield running


@pytest_asyncio.fixture
async def practice(deployment: Deployment) -> Practice:
    return await deployment.practice()


@pytest_asyncio.fixture
async def owner(deployment: Deployment, practice: Practice) -> Person:
    return await deployment.person(practice, Role.OWNER, "Olga")


@pytest_asyncio.fixture
async def ada(deployment: Deployment, practice: Practice) -> Person:
    return await deployment.person(practice)


@pytest_asyncio.fixture
async def client(deployment: Deployment, owner: Person) -> Client:
    return Client(deployment, await registered(deployment, owner.token))


@pytest.mark.promise("A8")
async def test_to_answer_an_application_s_page_holds_the_sign_out_back(
    deployment: Deployment, client: Client, owner: Person, ada: Person
) -> None:
    await deployment.data("mutation { updateAccountsSettings(patch: { idleMinutes: 5 }) { idleMinutes } }", owner.token)
    for decision in ("deny", "allow"):
        await deployment.platform.clock.move(timedelta(minutes=4))
        assert (await client.answer(ada.token, await client.page(ada.token), decision)).status_code == 303
    await deployment.platform.clock.move(timedelta(minutes=4))
    assert (await client.page(ada.token)).status_code == 200
    await deployment.platform.clock.move(timedelta(minutes=2))
    assert (await client.page(ada.token)).status_code == 303  # to sign in, and back


@pytest.mark.rule("G1")
async def test_somebody_consents_and_the_application_acts_for_them_within_its_scopes(
    deployment: Deployment, fresh_database: Database, client: Client, ada: Person
) -> None:
    page = await client.page(ada.token)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<h1>Front Desk asks to act for you</h1>" in page.text
    assert "You are signed in as Ada" in page.text
    assert deployment.platform.access.permissions["patients.read"].doc in html.unescape(page.text)
    answer = await client.answer(ada.token, page)
    location = answer.headers["location"]
    assert (answer.status_code, location.partition("?")[0]) == (303, CALLBACK)
    facts = told(answer)
    assert (facts["state"], facts["iss"], set(facts)) == ("s p&c", deployment.url, {"state", "iss", "code"})
    given_out = await client.exchange(facts["code"])
    tokens = given_out.json()
    assert given_out.headers["cache-control"] == "no-store"
    assert {name: tokens[name] for name in ("token_type", "expires_in", "scope")} == {
        "token_type": "Bearer", "expires_in": 3600, "scope": "patients.read",
    }  # fmt: skip
    assert (await deployment.data(PATIENTS, tokens["access_token"]))["patients"] == {"nodes": []}
    viewer = (await deployment.data(WHO, tokens["access_token"]))["viewer"]
    assert viewer == {"role": "PRACTITIONER", "member": {"id": ada.id}, "personas": [{"id": ada.id}]}
    body = await deployment.ask(PRACTICE, tokens["access_token"])
    facts = body["errors"][0]["extensions"]
    assert (facts["code"], facts["wayOn"]) == (
        "FORBIDDEN", "Have it ask for the scope practice.read, and consent to it.",
    )  # fmt: skip
    whole = [await rows(fresh_database, f"SELECT t::text AS row FROM {table} t")
             for table in ("session", "application_code", "application_token")]  # fmt: skip
    text = str(whole)
    for secret in (tokens["access_token"], tokens["refresh_token"], client.verifier):
        assert secret not in text
        assert hashlib.sha256(secret.encode()).hexdigest() in text or secret == client.verifier
    with statements() as ran:
        await deployment.data("{ viewer { role } }", tokens["access_token"])
    assert len(ran) == 2
    log = await rows(
        fresh_database, "SELECT action, detail FROM audit_entry WHERE account_id IS NOT NULL ORDER BY at, id"
    )
    assert [row["action"] for row in log] == ["applications.register", "applications.consent", "session.open"]


@pytest.mark.rule("A14")
@pytest.mark.rule("G1")
async def test_a_sign_in_of_an_application_is_entered_with_it_or_not_opened(
    deployment: Deployment, fresh_database: Database, owner: Person, client: Client, ada: Person
) -> None:
    opened = "SELECT practice_id, member_id FROM audit_entry a JOIN session s ON s.id::text = a.target"
    opened += " WHERE a.action = 'session.open' AND s.application_id = $1"
    before = await everything(fresh_database)
    code = await client.code(ada.token)
    async with closed_trail(fresh_database):
        assert (await client.exchange(code)).status_code == 503
    assert await everything(fresh_database) == before
    assert await rows(fresh_database, "SELECT FROM application_token") == []
    assert (await client.exchange(code)).status_code == 200  # it was not used up
    [entry] = await rows(fresh_database, opened, UUID(client.id))
    assert (entry["practice_id"], entry["member_id"]) == (ada.member.practice_id, ada.member.id)
    # One that is everybody's: in the practice of who consents.
    for_all = Client(deployment, await registered(deployment, await deployment.operator(), name="All"))
    await for_all.tokens(ada.token)
    [entry] = await rows(fresh_database, opened, UUID(for_all.id))
    assert entry["practice_id"] == ada.member.practice_id


@pytest.mark.rule("G1")
async def test_what_an_application_does_is_entered_with_its_name(
    deployment: Deployment, fresh_database: Database, owner: Person, ada: Person
) -> None:
    client = Client(deployment, await registered(deployment, owner.token, scopes=["contacts.add"]))
    token = (await client.tokens(ada.token))["access_token"]
    add = 'mutation($i: ContactInput!) { addContact(input: $i, clientId: "c") { id } }'
    await deployment.data(add, token, i={"firstName": "Con", "lastName": "Tact", "email": "con@example.org"})
    [row] = await rows(fresh_database, "SELECT detail, person_id FROM audit_entry WHERE action = 'contacts.add'")
    assert client.id in row["detail"]
    assert str(row["person_id"]) == ada.id


@pytest.mark.rule("G1")
async def test_refusing_gives_nothing(deployment: Deployment, client: Client, ada: Person) -> None:
    answer = await client.answer(ada.token, await client.page(ada.token), "deny")
    assert told(answer) == {"error": "access_denied", "state": "s p&c", "iss": deployment.url}


REFUSED: list[Any] = [
    pytest.param({"client_id": "0199aaaa-0000-7000-8000-000000000000"}, None, id="unknown client"),
    pytest.param({"client_id": "nobody"}, None, id="no client at all"),
    pytest.param({"redirect_uri": None}, None, id="no redirect"),
    pytest.param({"redirect_uri": CALLBACK + "/"}, None, id="longer redirect"),
    pytest.param({"redirect_uri": CALLBACK + "?a=b"}, None, id="redirect with a query"),
    pytest.param({"redirect_uri": "https://APP.example/callback"}, None, id="other case"),
    pytest.param({"redirect_uri": "https://evil.example/callback"}, None, id="evil redirect"),
    pytest.param({"redirect_uri": "http://127.0.0.1/callback"}, None, id="loopback that is not registered"),
    pytest.param({"redirect_uri": "javascript:alert(1)"}, None, id="script"),
    pytest.param({"response_type": "token"}, "unsupported_response_type", id="implicit"),
    pytest.param({"response_type": None}, "unsupported_response_type", id="no response type"),
    pytest.param({"code_challenge": None}, "invalid_request", id="no PKCE"),
    pytest.param({"code_challenge_method": "plain"}, "invalid_request", id="plain PKCE"),
    pytest.param({"code_challenge_method": None}, "invalid_request", id="plain PKCE by default"),
    pytest.param({"code_challenge": "short"}, "invalid_request", id="odd challenge"),
    pytest.param({"scope": "patients.read practice.read"}, "invalid_scope", id="more scopes than registered"),
    pytest.param({"scope": "account.own"}, "invalid_scope", id="one's own account"),
]


@pytest.mark.rule("G1")
@pytest.mark.parametrize(("changes", "error"), REFUSED)
async def test_an_odd_request_is_told_at_the_redirect_only_where_that_is_registered(
    deployment: Deployment, fresh_database: Database, client: Client, ada: Person,
    changes: dict[str, str | None], error: str | None,
) -> None:  # fmt: skip
    before = await everything(fresh_database)
    page = await client.page(ada.token, **changes)
    sent = await deployment.http.post(
        "/oauth/authorize", data={**client.asked(**changes), "decision": "allow"},
        headers={"cookie": f"{COOKIE}={ada.token}", "origin": deployment.url},
    )  # fmt: skip
    for answer in (page, sent):
        if error is None:
            assert (answer.status_code, "location" in answer.headers) == (400, False)
            assert "evil" not in answer.text
        else:
            assert answer.headers["location"].startswith(CALLBACK + "?error=")
            facts = told(answer)
            assert (facts["error"], facts["state"], "code" in facts) == (error, "s p&c", False)
    assert await rows(fresh_database, "SELECT * FROM application_code") == []
    assert await everything(fresh_database) == before


@pytest.mark.rule("G1")
async def test_a_parameter_that_comes_twice_is_refused(deployment: Deployment, client: Client, ada: Person) -> None:
    twice = [*client.asked().items(), ("redirect_uri", "https://evil.example/")]
    headers = {"cookie": f"{COOKIE}={ada.token}"}
    page = await deployment.http.get("/oauth/authorize", params=tuple(twice), headers=headers)
    assert (page.status_code, "location" in page.headers) == (400, False)
    code = await client.code(ada.token)
    form = f"grant_type=authorization_code&client_id={client.id}&code={code}&code={code}"
    answer = await deployment.http.post(
        "/oauth/token", content=form, headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.rule("G1")
@pytest.mark.promise("G2")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "https://evil.example"},
        {"origin": ORIGIN},
        {"origin": "https://evil.example", "x-bedside-csrf": "1"},
    ],
)
async def test_only_our_own_page_consents(
    deployment: Deployment, fresh_database: Database, client: Client, ada: Person, headers: dict[str, str]
) -> None:
    sent = {**headers, "cookie": f"{COOKIE}={ada.token}"}
    answer = await deployment.http.post("/oauth/authorize", data={**client.asked(), "decision": "allow"}, headers=sent)
    assert answer.status_code in {401, 403}
    assert "location" not in answer.headers
    assert await rows(fresh_database, "SELECT * FROM application_code") == []


@pytest.mark.rule("G1")
async def test_neither_nobody_nor_programs_nor_other_practices_people_nor_operators_consent(
    deployment: Deployment, fresh_database: Database, client: Client, owner: Person, ada: Person
) -> None:
    stranger = await deployment.person(await deployment.practice("Other"), name="Eve")
    tokens = await client.tokens(ada.token)
    until = (deployment.platform.clock.now() + timedelta(days=3)).isoformat()
    made = await deployment.data(MAKE_KEY, owner.token, n="Key", s=["patients.read"], u=until, c="k")
    before = await rows(fresh_database, "SELECT * FROM application_code")
    for token, status, words in (
        (tokens["access_token"], 401, "Sign in first"),
        (made["createApiKey"]["token"], 401, "Sign in first"),
        (stranger.token, 403, "Not for your practice"),
        (await deployment.operator(), 403, "Not for operators"),
    ):
        page = await client.page(token)
        assert (page.status_code, words in page.text, "<form" in page.text) == (status, True, False), words
        headers = {"authorization": f"Bearer {token}", "origin": deployment.url}
        sent = await deployment.http.post(
            "/oauth/authorize", data={**client.asked(), "decision": "allow"}, headers=headers
        )
        assert (sent.status_code, "location" in sent.headers) == (status, False)
    assert await rows(fresh_database, "SELECT * FROM application_code") == before


@pytest.mark.rule("A4")
@pytest.mark.rule("G1")
async def test_whoever_is_not_signed_in_is_led_to_the_sign_in_page_and_back(
    deployment: Deployment, fresh_database: Database, client: Client, ada: Person
) -> None:
    before = await everything(fresh_database)
    for token in (None, "wrong"):
        led = await client.page(token)
        assert led.status_code == 303
        page, _, query = led.headers["location"].partition("?")
        assert page == "/sign-in"
        [(name, way_back)] = parse_qsl(query)
        assert name == "return"
        assert (await deployment.http.get(led.headers["location"])).status_code == 200
        answer = await client.answer(token or "", await deployment.http.get(
            way_back, headers={"cookie": f"{COOKIE}={ada.token}"}))  # fmt: skip
        assert (answer.status_code, "Sign in first" in answer.text, "location" in answer.headers) == (401, True, False)
    assert await everything(fresh_database) == before
    # It leads back with what was asked: the application gets its code.
    asked = await deployment.http.get(way_back, headers={"cookie": f"{COOKIE}={ada.token}"})
    answer = await client.answer(ada.token, asked)
    assert (answer.status_code, told(answer)["state"]) == (303, "s p&c")
    assert (await client.exchange(told(answer)["code"])).status_code == 200
    # What can't be asked at all is no reason to sign in.
    assert (await client.page(None, client_id=str(UUID(int=7)))).status_code == 400


@pytest.mark.rule("A4")
@pytest.mark.rule("G1")
@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/", "//evil.example/", "/\\evil.example/", "\\\\evil.example", "/\t/evil.example",
        "/\n/evil.example", "javascript:alert(1)", "evil.example", "", " /home", "/home\\..", "/\x7f",
    ],
)  # fmt: skip
async def test_the_way_back_leads_to_no_other_place(deployment: Deployment, elsewhere: str) -> None:
    refused = await deployment.http.get("/sign-in", params={"return": elsewhere})
    assert (refused.status_code, refused.json()["field"]) == (400, ["return"])
    refused = await deployment.http.get("/sign-in", params=[("return", "/home"), ("return", elsewhere)])
    assert refused.status_code == 400
    for path in ("/", "/home", "/oauth/authorize?client_id=1&state=%2F%2Fevil.example", "/a#b"):
        assert (await deployment.http.get("/sign-in", params={"return": path})).status_code == 200


@pytest.mark.rule("G1")
@pytest.mark.rule("A9")
async def test_a_sign_in_that_waits_for_its_second_factor_consents_to_nothing(
    deployment: Deployment, client: Client, owner: Person, ada: Person
) -> None:
    tokens = await client.tokens(ada.token)
    asked = await client.page(ada.token)
    code = await client.code(ada.token)
    await deployment.data(DEMAND, owner.token, on=True)
    page = await client.page(ada.token)
    assert (page.status_code, page.headers["location"].partition("?")[0]) == (303, "/sign-in")
    answer = await client.answer(ada.token, asked)
    assert (answer.status_code, "Your sign-in is not complete" in answer.text) == (403, True)
    assert await deployment.code(PATIENTS, tokens["access_token"]) == "SECOND_FACTOR_NEEDED"
    assert (await client.exchange(code)).json()["error"] == "invalid_grant"
    assert (await client.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


@pytest.mark.rule("G1")
async def test_a_code_is_good_once_for_a_minute_with_its_verifier_at_its_address(
    deployment: Deployment, fresh_database: Database, client: Client, owner: Person, ada: Person
) -> None:
    other = Client(deployment, await registered(deployment, owner.token, name="Other"), verifier=client.verifier)
    for changes in (
        {"code_verifier": "x" * 43},
        {"code_verifier": ""},
        {"redirect_uri": CALLBACK + "/"},
        {"redirect_uri": ""},
    ):
        code = await client.code(ada.token)
        answer = await client.exchange(code, **changes)
        assert (answer.status_code, answer.json()["error"] in {"invalid_grant", "invalid_request"}) == (400, True)
        again = await client.exchange(code)  # it was shown, so it is good no more
        assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    code = await client.code(ada.token)
    answer = await other.exchange(code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert (await client.exchange(code)).status_code == 200  # another's attempt does not spend it
    code = await client.code(ada.token)
    await deployment.platform.clock.move(timedelta(seconds=61))
    answer = await client.exchange(code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    opened = await rows(fresh_database, "SELECT * FROM session WHERE application_id IS NOT NULL")
    assert len(opened) == 1


@pytest.mark.rule("G1")
async def test_of_codes_shown_at_once_one_is_good_and_showing_it_again_ends_what_it_gave(
    deployment: Deployment, client: Client, ada: Person
) -> None:
    code = await client.code(ada.token)
    answers = await asyncio.gather(*(client.exchange(code) for _ in range(5)))
    good = [answer.json() for answer in answers if answer.status_code == 200]
    assert len(good) == 1
    assert await deployment.code(PATIENTS, good[0]["access_token"]) == "UNAUTHENTICATED"
    tokens = await client.tokens(ada.token)
    code = await client.code(ada.token)
    one = (await client.exchange(code)).json()
    async with deployment.socket(one["access_token"]) as socket:
        assert (await client.exchange(code)).json()["error"] == "invalid_grant"
        assert await socket.closed() == (4403, "Session ended")
    assert await deployment.code(PATIENTS, one["access_token"]) == "UNAUTHENTICATED"
    assert (await client.refresh(one["refresh_token"])).json()["error"] == "invalid_grant"
    assert await deployment.data(PATIENTS, tokens["access_token"])  # another's sign-in goes on


@pytest.mark.rule("G1")
async def test_refresh_tokens_rotate_and_a_reused_one_ends_the_sign_in(
    deployment: Deployment, fresh_database: Database, client: Client, owner: Person, ada: Person
) -> None:
    first = await client.tokens(ada.token)
    answer = await client.refresh(first["refresh_token"])
    second = answer.json()
    assert (answer.status_code, second["scope"]) == (200, "patients.read")
    assert second["refresh_token"] != first["refresh_token"]
    assert await deployment.data(PATIENTS, second["access_token"])
    assert await deployment.data(PATIENTS, first["access_token"])  # good for its hour
    other = Client(deployment, await registered(deployment, owner.token, name="Other"))
    assert (await other.refresh(second["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await client.refresh(second["access_token"])).json()["error"] == "invalid_grant"
    third = await client.refresh(second["refresh_token"])
    assert third.status_code == 200
    again = await client.refresh(second["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    for token in (first, second, third.json()):
        assert await deployment.code(PATIENTS, token["access_token"]) == "UNAUTHENTICATED"
    ends = await rows(fresh_database, "SELECT detail FROM audit_entry WHERE action = 'session.end'")
    assert ["refresh token shown again" in row["detail"] for row in ends] == [True]


@pytest.mark.rule("G1")
async def test_a_refused_refresh_spends_nothing_and_fewer_scopes_confine_the_access_token_alone(
    deployment: Deployment, fresh_database: Database, owner: Person, ada: Person
) -> None:
    client = Client(deployment, await registered(deployment, owner.token, scopes=["patients.read", "practice.read"]))
    first = await client.tokens(ada.token)
    before = await rows(fresh_database, "SELECT * FROM application_token ORDER BY hash")
    wrong = await client.refresh(first["refresh_token"], scope="patients.read members.read")
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_scope")
    assert await rows(fresh_database, "SELECT * FROM application_token ORDER BY hash") == before
    fewer = (await client.refresh(first["refresh_token"], scope="patients.read")).json()
    assert fewer["scope"] == "patients.read"
    assert await deployment.data(PATIENTS, fewer["access_token"])
    assert await deployment.code("{ practice { name } }", fewer["access_token"]) == "FORBIDDEN"
    whole = (await client.refresh(fewer["refresh_token"])).json()
    assert whole["scope"].split() == ["patients.read", "practice.read"]
    assert await deployment.data("{ practice { name } }", whole["access_token"])


@pytest.mark.rule("G1")
async def test_refreshes_at_once_are_good_for_one(deployment: Deployment, client: Client, ada: Person) -> None:
    token = (await client.tokens(ada.token))["refresh_token"]
    answers = await asyncio.gather(*(client.refresh(token) for _ in range(4)))
    assert [answer.status_code for answer in answers].count(200) == 1


@pytest.mark.rule("G1")
async def test_access_tokens_last_an_hour_and_the_sign_in_thirty_days(
    deployment: Deployment, client: Client, ada: Person
) -> None:
    tokens = await client.tokens(ada.token)
    await deployment.platform.clock.move(timedelta(minutes=61))
    assert await deployment.code(PATIENTS, tokens["access_token"]) == "UNAUTHENTICATED"
    tokens = (await client.refresh(tokens["refresh_token"])).json()
    assert await deployment.data(PATIENTS, tokens["access_token"])
    await deployment.platform.clock.move(timedelta(days=30))
    assert (await client.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


@pytest.mark.rule("G1")
@pytest.mark.rule("A10")
@pytest.mark.promise("A4")
@pytest.mark.parametrize("how", ["list", "everywhere", "password", "revoke", "revoke refresh", "remove", "deactivate"])
async def test_however_a_sign_in_of_an_application_ends_it_ends_everywhere(
    deployment: Deployment, practice: Practice, client: Client, owner: Person, ada: Person, how: str
) -> None:
    tokens = await client.tokens(ada.token)
    pending = await client.code(ada.token)
    access = tokens["access_token"]
    [session] = [
        each
        for each in (await deployment.data("{ sessions { id device application current } }", ada.token))["sessions"]
        if each["application"]
    ]
    assert (session["device"], session["application"], session["current"]) == ("Front Desk", "Front Desk", False)
    async with deployment.socket(access) as socket:
        if how == "list":
            await deployment.data("mutation($i: ID!) { endSession(id: $i) }", ada.token, i=session["id"])
        elif how == "everywhere":
            await deployment.data("mutation { signOutEverywhere }", ada.token)
        elif how == "password":
            await deployment.data(CHANGE, ada.token, c=PASSWORD, n=OTHER_PASSWORD)
        elif how == "remove":
            await deployment.data(REMOVE, owner.token, i=client.id)
        elif how == "deactivate":
            with acting(practice.id):
                await DB.execute("UPDATE member SET active = false WHERE id = $1", ada.member.id)
        else:
            shown = tokens["refresh_token" if how == "revoke refresh" else "access_token"]
            answer = await client.post("/oauth/revoke", token=shown)
            assert (answer.status_code, answer.json()) == (200, {})
        async with asyncio.timeout(30):
            assert (await socket.closed())[0] == 4403
    assert await deployment.code(PATIENTS, access) == "UNAUTHENTICATED"
    assert (await client.refresh(tokens["refresh_token"])).status_code == 400
    if how in {"everywhere", "remove", "deactivate"}:  # with what consented, what was consented to
        assert (await client.exchange(pending)).status_code == 400


@pytest.mark.rule("G1")
async def test_revoking_another_s_or_an_unknown_token_changes_nothing(
    deployment: Deployment, fresh_database: Database, client: Client, owner: Person, ada: Person
) -> None:
    tokens = await client.tokens(ada.token)
    other = Client(deployment, await registered(deployment, owner.token, name="Other"))
    before = await everything(fresh_database)
    assert (await other.post("/oauth/revoke", token=tokens["refresh_token"])).status_code == 200
    assert (await client.post("/oauth/revoke", token="unknown")).status_code == 200
    assert (await client.post("/oauth/revoke", token=ada.token)).status_code == 200
    assert (await client.post("/oauth/revoke")).json()["error"] == "invalid_request"
    nobody = Client(deployment, str(UUID(int=7)))
    assert (await nobody.post("/oauth/revoke", token="x")).json()["error"] == "invalid_client"
    assert await everything(fresh_database) == before


@pytest.mark.rule("G1")
async def test_an_application_never_changes_how_somebody_signs_in_nor_makes_keys_and_applications(
    deployment: Deployment, fresh_database: Database, owner: Person
) -> None:
    client = Client(deployment, await registered(deployment, owner.token, scopes=["practice.read"]))
    token = (await client.tokens(owner.token))["access_token"]
    # Not even where the database says so.
    await rows(
        fresh_database,
        "UPDATE session SET scopes = $1 WHERE application_id IS NOT NULL RETURNING id",
        ["practice.read", "keys.make", "account.own", "applications.change"],
    )
    before = await everything(fresh_database)
    until = (deployment.platform.clock.now() + timedelta(days=3)).isoformat()
    for query, variables in (
        (MAKE_KEY, {"n": "Key", "s": ["practice.read"], "u": until, "c": "k"}),
        (REGISTER, {"i": given(), "c": "z"}),
        (CHANGE, {"c": PASSWORD, "n": OTHER_PASSWORD}),
        (SESSIONS, {}),
        (BEGIN_TOTP, {"p": PASSWORD}),
        ("mutation { signOut }", {}),
        ("mutation { signOutEverywhere }", {}),
        ("mutation($i: ID!) { switchTo(persona: $i) { role } }", {"i": owner.id}),
    ):
        assert await deployment.code(query, token, **variables) == "FORBIDDEN", query
    assert await everything(fresh_database) == before


@pytest.mark.rule("G1")
async def test_a_socket_takes_an_application_s_token_and_keeps_to_its_scopes(
    deployment: Deployment, client: Client, ada: Person
) -> None:
    token = (await client.tokens(ada.token))["access_token"]
    async with deployment.socket(token) as socket:
        key = await socket.subscribe("{ viewer { member { id } } }")
        assert await socket.next(key) == {"viewer": {"member": {"id": ada.id}}}
        assert (await socket.receive())["type"] == "complete"
        key = await socket.subscribe(PRACTICE)
        message = await socket.receive()
        assert message["payload"]["errors"][0]["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.rule("G1")
@pytest.mark.parametrize(
    ("redirect", "asked"),
    [
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb"),
        ("http://[::1]:80/cb", "http://[::1]:61023/cb"),
        ("com.example.app:/oauth", "com.example.app:/oauth"),
        ("https://app.example/cb?tenant=7", "https://app.example/cb?tenant=7"),
    ],
)
async def test_native_applications_come_back_by_loopback_or_by_their_own_scheme(
    deployment: Deployment, owner: Person, redirect: str, asked: str
) -> None:
    client_id = await registered(deployment, owner.token, redirectUris=[redirect], origins=[])
    client = Client(deployment, client_id, redirect=asked)
    page = await client.page(owner.token)
    answer = await client.answer(owner.token, page)
    assert answer.headers["location"].startswith(asked + ("&" if "?" in asked else "?"))
    facts = told(answer)
    assert (await client.exchange(facts["code"])).status_code == 200
    for wrong in (
        asked.replace("/cb", "/other").replace("/oauth", "/other"), f"{asked[:-1]}\n{asked[-1]}", f"{asked}\r\n",
        f" {asked}", f"{asked}\t", f"{asked}#", f"{asked}\u00e9", f"{asked} ",
    ):  # fmt: skip
        page = await client.page(owner.token, redirect_uri=wrong, response_type="nope")
        assert (page.status_code, "location" in page.headers) == (400, False), wrong


ODD: list[Any] = [
    {"name": " "},
    {"name": "x" * 101},
    {"name": "a\u202eb"},
    {"redirectUris": []},
    {"redirectUris": ["http://app.example/cb"]},
    {"redirectUris": ["http://localhost/cb"]},
    {"redirectUris": ["https://app.example/cb#x"]},
    {"redirectUris": ["https://*.example/cb"]},
    {"redirectUris": ["https://user@app.example/cb"]},
    {"redirectUris": ["https://app.example:x/cb"]},
    {"redirectUris": ["https:///cb"]},
    {"redirectUris": ["javascript:/alert(1)"]},
    {"redirectUris": ["data:text/html,x"]},
    {"redirectUris": ["myapp:/cb"]},
    {"redirectUris": ["com.example.app://cb"]},
    {"redirectUris": ["https://app.example/c b"]},
    {"redirectUris": ["https://app.example/;\"'"]},
    {"redirectUris": ["https://app.example/" + "x" * 500]},
    {"redirectUris": [f"https://app.example/{n}" for n in range(11)]},
    {"origins": ["null"]},
    {"origins": ["https://app.example/path"]},
    {"origins": ["http://app.example"]},
    {"origins": ["https://*"]},
    {"origins": ["https://app.example:443"]},
    {"origins": ["*"]},
    {"scopes": []},
    {"scopes": ["account.own"]},
    {"scopes": ["keys.make"]},
    {"scopes": ["applications.change"]},
    {"scopes": ["practices.create"]},
    {"scopes": ["no.such"]},
]


@pytest.mark.rule("G1")
async def test_odd_applications_are_not_registered(
    deployment: Deployment, fresh_database: Database, owner: Person, ada: Person
) -> None:
    for odd in ODD:
        body = await deployment.ask(REGISTER, owner.token, i=given(**odd), c="c")
        facts = body["errors"][0]["extensions"]
        assert (facts["code"], facts["field"][:2]) == ("INVALID_INPUT", ["input", *odd]), odd
    manager = await deployment.person(await deployment.practice("Third"), Role.MANAGER)
    for token in (ada.token, manager.token):
        assert await deployment.code(REGISTER, token, i=given(), c="c") == "FORBIDDEN"
    assert await rows(fresh_database, "SELECT * FROM application") == []


@pytest.mark.rule("G1")
@pytest.mark.rule("G9")
async def test_applications_are_listed_to_their_practice_and_the_operator_s_serve_everybody(
    deployment: Deployment, practice: Practice, owner: Person, ada: Person
) -> None:
    made = await deployment.data(REGISTER, owner.token, i=given(origins=["HTTPS://App.example/"]), c="c")
    again = await deployment.data(REGISTER, owner.token, i=given(), c="c")
    assert made == again
    assert made["registerApplication"]["origins"] == [ORIGIN]
    assert await deployment.code(REGISTER, owner.token, i=given(name="Else"), c="c") == "CONFLICT"
    own = made["registerApplication"]["id"]
    operator = await deployment.operator()
    for_all = (await deployment.data(REGISTER, operator, i=given(name="All"), c="c"))["registerApplication"]
    assert for_all["everybody"] is True
    eve = await deployment.person(await deployment.practice("Other"), Role.OWNER, "Eve")
    assert (await Client(deployment, for_all["id"]).tokens(eve.token))["scope"] == "patients.read"
    listed = (await deployment.data(LIST, owner.token))["applications"]["nodes"]
    assert [(each["id"], each["name"]) for each in listed] == [(own, "Front Desk")]
    assert (await deployment.data(LIST, eve.token))["applications"]["nodes"] == []
    assert [each["id"] for each in (await deployment.data(LIST, operator))["applications"]["nodes"]] == [for_all["id"]]
    assert await deployment.code(LIST, ada.token) == "FORBIDDEN"
    for missing in (own, for_all["id"], str(UUID(int=7)), "nothing"):
        assert await deployment.code(REMOVE, eve.token, i=missing) == "NOT_FOUND"
    assert await deployment.code(REMOVE, operator, i=str(UUID(int=7))) == "NOT_FOUND"
    for number in range(3):
        await registered(deployment, owner.token, name=f"App {number}")
    with statements() as ran:
        page = (await deployment.data(LIST, owner.token, f=3))["applications"]
    few = len(ran)
    assert [each["name"] for each in page["nodes"]] == ["App 2", "App 1", "App 0"]
    rest = (await deployment.data(LIST, owner.token, a=page["pageInfo"]["endCursor"]))["applications"]
    assert [each["name"] for each in rest["nodes"]] == ["Front Desk"]
    assert few == 2
    assert await deployment.data(REMOVE, owner.token, i=own) == {"removeApplication": True}
    assert (await Client(deployment, own).page(ada.token)).status_code == 400
    listed = (await deployment.data(LIST, owner.token))["applications"]["nodes"]
    assert [each["removedAt"] is None for each in listed] == [True, True, True, False]
    assert await deployment.data(REMOVE, operator, i=listed[0]["id"]) == {"removeApplication": True}
    listed = (await deployment.data(LIST, owner.token))["applications"]["nodes"]
    assert [each["removedAt"] is None for each in listed] == [False, True, True, False]


@pytest.mark.rule("G1")
async def test_the_metadata_tells_where_everything_is(deployment: Deployment) -> None:
    told = (await deployment.http.get("/.well-known/oauth-authorization-server")).json()
    base = deployment.url
    assert told["issuer"] == base
    assert (told["authorization_endpoint"], told["token_endpoint"], told["revocation_endpoint"]) == (
        f"{base}/oauth/authorize", f"{base}/oauth/token", f"{base}/oauth/revoke",
    )  # fmt: skip
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["response_types_supported"] == ["code"]
    from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

    AuthorizationServerMetadata({**told, "issuer": "https://a.example",
                                 **{name: value.replace(base, "https://a.example") for name, value in told.items()
                                    if isinstance(value, str)}}).validate()  # fmt: skip


@pytest.mark.promise("G3")
async def test_the_pages_have_no_scripts_no_styles_and_nothing_of_any_other_host(
    deployment: Deployment, client: Client, owner: Person, ada: Person
) -> None:
    nasty = Client(deployment, await registered(deployment, owner.token, name="<script>alert('x')</script>"))
    shown = [await client.page(ada.token), await nasty.page(ada.token, state='"><script>')]
    for page in (*shown, await client.page(ada.token, redirect_uri="https://evil.example/")):
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; base-uri 'none'; form-action '")
        assert policy.endswith("; frame-ancestors 'none'")
        assert page.headers["referrer-policy"] == ("same-origin" if page in shown else "no-referrer")
        for name, value in (
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("strict-transport-security", "max-age=31536000"),
            ("cache-control", "no-store"),
        ):
            assert page.headers[name] == value
        for part in ("<script", "<style", " style=", " src=", "<link", " onclick"):
            assert part not in page.text
    for page in shown:
        assert "form-action 'self' https://app.example;" in page.headers["content-security-policy"]
    assert "&lt;script&gt;" in shown[1].text


@pytest.mark.promise("G3")
async def test_token_answers_have_safe_headers_too(deployment: Deployment, client: Client) -> None:
    odd = {"content-type": "text/plain"}
    for answer in (
        await client.exchange("nothing"),
        await deployment.http.post("/oauth/token", content=b"x", headers=odd),
        await deployment.http.post("/oauth/token", data={"grant_type": "password", "username": "x"}),
        await deployment.http.post("/oauth/token", data={"grant_type": "refresh_token", "client_id": "é\0"}),
        await deployment.http.post("/oauth/revoke", content=b"x" * 30_000, headers=odd),
    ):
        assert (answer.status_code, "error" in answer.json()) == (400, True)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
