"""What a person sets about themselves: profile, who may see address and number, another address, other answers."""

from __future__ import annotations

from typing import Any

import pytest
from accounts_stage import CHANGE, SIGN_IN
from deployment import PASSWORD
from onboarding_stage import ANEW, ANSWERS, NEW_PASSWORD, RESET_LOOK, SUPPORT, House, code_of, secret_in

PROFILE = "{ profile { firstName lastName title phone emailFor phoneFor } }"
UPDATE = """mutation($p: ProfilePatch!) { updateProfile(patch: $p) {
    firstName lastName title phone emailFor phoneFor } }"""
EMAIL = "mutation($p: String!, $e: String!) { changeEmail(password: $p, email: $e) }"
CONFIRM = "mutation($s: String!) { confirmEmail(secret: $s) { email } }"
REVIEWED = "{ viewer { settingsReviewed } }"
MARK = "mutation { markSettingsReviewed }"
MEMBER = "query($i: ID!) { member(id: $i) { email phone } }"
SEARCH = "query($t: String!) { search(text: $t) { nodes { member { email phone } } } }"
ANSWERED = "{ answeredQuestions { key text } }"
ANSWER = """mutation($p: String!, $a: [SecurityAnswerInput!]!) { answerQuestions(password: $p, answers: $a) }"""
CONNECT = "mutation($p: String!, $c: String!) { requestConnection(practice: $p, clientId: $c) { id } }"
OK = "mutation($i: ID!) { acceptConnection(id: $i) { id } }"


async def sign_in(house: House, email: str, password: str) -> str:
    """Returns the code, or "in"."""
    body = await house.ask(SIGN_IN, e=email, p=password, d=None)
    return code_of(body) if "errors" in body else "in"


@pytest.mark.rule("A8")
async def test_at_the_first_sign_in_the_settings_are_to_be_looked_over_once(house: House) -> None:
    token = await house.registered()
    assert (await house.data(REVIEWED, token))["viewer"] == {"settingsReviewed": False}
    again = await house.deployment.sign_in("new@example.org", NEW_PASSWORD)
    assert (await house.data(REVIEWED, again))["viewer"] == {"settingsReviewed": False}
    for _ in range(2):
        assert await house.data(MARK, token) == {"markSettingsReviewed": True}
    assert (await house.data(REVIEWED, again))["viewer"] == {"settingsReviewed": True}
    assert (await house.data(REVIEWED, house.owner.token))["viewer"] == {"settingsReviewed": False}
    operator = await house.deployment.operator()
    assert (await house.data(REVIEWED, operator))["viewer"] == {"settingsReviewed": True}
    assert await house.code(MARK, operator) == "FORBIDDEN"
    in_one = "mutation($e: String!, $p: String!) { signIn(email: $e, password: $p) { viewer { settingsReviewed } } }"
    told = await house.data(in_one, e="new@example.org", p=NEW_PASSWORD)
    assert told["signIn"]["viewer"] == {"settingsReviewed": True}


@pytest.mark.rule("A8")
async def test_the_profile_is_one_s_own_to_change(house: House) -> None:
    token = await house.registered()
    patch: dict[str, Any] = {
        "firstName": "Nina", "lastName": "Vale-Moss", "title": " MD,  PhD ", "phone": "(202) 555-0143",
        "emailFor": "NOBODY", "phoneFor": "CONNECTED",
    }  # fmt: skip
    after = {**patch, "title": "MD, PhD", "phone": "+12025550143"}
    assert (await house.data(UPDATE, token, p=patch))["updateProfile"] == after
    assert (await house.data(PROFILE, token))["profile"] == after
    for wrong in ({"title": " "}, {"title": "x" * 51}, {"firstName": None}, {"phone": "12"}):
        assert await house.code(UPDATE, token, p=wrong) == "INVALID_INPUT"
    assert (await house.data(PROFILE, token))["profile"] == after
    assert (await house.data(UPDATE, token, p={"title": None}))["updateProfile"]["title"] is None
    entry = (await house.trail("members.profile"))[0]
    assert "202555" not in str(dict(entry))


@pytest.mark.rule("A8")
@pytest.mark.rule("P2")
async def test_address_and_number_are_shown_to_whom_their_owner_lets_see_them(house: House) -> None:
    away = await house.deployment.practice("Hill View", tier=None)
    ben = await house.deployment.person(away, name="Ben")
    leader = await house.deployment.person(away, house.owner.member.role, name="Lea")
    ada = await house.deployment.person(house.practice, name="Ada")
    colleague = await house.deployment.person(house.practice, name="Cleo")
    handle = (await house.data("{ practice { handle } }", leader.token))["practice"]["handle"]
    asked = (await house.data(CONNECT, house.owner.token, p=handle, c="k"))["requestConnection"]["id"]
    await house.data(OK, leader.token, i=asked)
    await house.data(UPDATE, ada.token, p={"phone": "(202) 555-0143"})
    full = {"email": ada.email, "phone": "+12025550143"}
    nothing = {"email": None, "phone": None}
    for who, (own, connected) in {
        "CONNECTED": (full, full), "PRACTICE": (full, nothing), "NOBODY": (nothing, nothing),
    }.items():  # fmt: skip
        await house.data(UPDATE, ada.token, p={"emailFor": who, "phoneFor": who})
        for viewer, seen in ((ada, full), (colleague, own), (ben, connected)):
            assert (await house.data(MEMBER, viewer.token, i=ada.id))["member"] == seen, who
            found = (await house.data(SEARCH, viewer.token, t=ada.member.name))["search"]["nodes"]
            assert [each["member"] for each in found] == [seen], who
    # Each for itself.
    await house.data(UPDATE, ada.token, p={"emailFor": "NOBODY", "phoneFor": "CONNECTED"})
    assert (await house.data(MEMBER, ben.token, i=ada.id))["member"] == {**full, "email": None}


@pytest.mark.rule("A4")
@pytest.mark.rule("A8")
async def test_another_address_counts_once_it_was_confirmed_and_the_old_one_is_told(house: House) -> None:
    await house.registered("old@example.org")
    token = await house.deployment.sign_in("old@example.org", NEW_PASSWORD)
    assert await house.code(EMAIL, token, p="wrong", e="newer@example.org") == "INVALID_INPUT"
    assert await house.code(EMAIL, token, p=NEW_PASSWORD, e="newer") == "INVALID_INPUT"
    assert await house.data(EMAIL, token, p=NEW_PASSWORD, e="newer@example.org") == {"changeEmail": True}
    secret = secret_in(await house.mailed("newer@example.org"), "confirm-email")
    assert [await sign_in(house, f"{name}@example.org", NEW_PASSWORD) for name in ("old", "newer")] == [
        "in", "UNAUTHENTICATED",
    ]  # fmt: skip
    assert len(house.mail.to("old@example.org")) == 1
    assert (await house.data(CONFIRM, s=secret))["confirmEmail"] == {"email": "newer@example.org"}
    assert [await sign_in(house, f"{name}@example.org", NEW_PASSWORD) for name in ("old", "newer")] == [
        "UNAUTHENTICATED", "in",
    ]  # fmt: skip
    notice = await house.mailed("old@example.org", 2)
    assert notice.subject == "Your address was changed"
    assert "newer@example.org" not in notice.text
    assert await house.code(CONFIRM, s=secret) == "LINK_OVER"
    assert len(await house.trail("account.email")) == 1


@pytest.mark.rule("A4")
@pytest.mark.rule("A8")
async def test_what_was_sent_to_the_old_address_lets_nobody_in_once_there_is_another(house: House) -> None:
    token = await house.registered("old@example.org")
    member = (await house.data("{ viewer { member { id } } }", token))["viewer"]["member"]["id"]
    await house.data(EMAIL, token, p=NEW_PASSWORD, e="newer@example.org")
    secret = secret_in(await house.mailed("newer@example.org"), "confirm-email")
    reset = await house.reset_link("old@example.org")
    await house.data(ANEW, house.owner.token, m=member, c="n-1")
    anew = secret_in(await house.mailed("old@example.org", 3))
    await house.data(CONFIRM, s=secret)
    assert await house.code(RESET_LOOK, s=reset) == "LINK_OVER"
    assert code_of(await house.register(anew, "r-9")) == "LINK_OVER"
    assert await sign_in(house, "newer@example.org", NEW_PASSWORD) == "in"
    # Invited anew again, she gets the mail at the new address.
    await house.data(ANEW, house.owner.token, m=member, c="n-2")
    assert secret_in(await house.mailed("newer@example.org", 2))


@pytest.mark.rule("A6")
@pytest.mark.rule("A8")
async def test_whether_a_new_address_is_somebody_s_is_not_told_and_it_can_not_be_taken(house: House) -> None:
    token = await house.registered("old@example.org")
    other = await house.deployment.person(house.practice)
    for email in (other.email.upper(), "free@example.org"):
        assert await house.data(EMAIL, token, p=NEW_PASSWORD, e=email) == {"changeEmail": True}
        mail = await house.mailed(email)
    free = secret_in(mail, "confirm-email")
    taken = secret_in(house.mail.to(other.email.upper())[0], "confirm-email")
    body = await house.ask(CONFIRM, s=taken)
    facts = body["errors"][0]["extensions"]
    assert (facts["code"], facts["state"], facts["support"]) == ("LINK_OVER", "voided", SUPPORT)
    await house.data(EMAIL, token, p=NEW_PASSWORD, e=other.email)
    taken = secret_in(await house.mailed(other.email), "confirm-email")
    assert await house.code(CONFIRM, s=free) == "LINK_OVER"
    before = await house.rows("SELECT * FROM account ORDER BY id")
    assert await house.code(CONFIRM, s=taken) == "CONFLICT"
    assert await house.rows("SELECT * FROM account ORDER BY id") == before
    await house.pass_time(hours=24)
    body = await house.ask(CONFIRM, s=taken)
    assert body["errors"][0]["extensions"]["state"] == "expired"


@pytest.mark.rule("A8")
@pytest.mark.rule("A10")
@pytest.mark.promise("A7")
async def test_a_changed_password_ends_all_other_sessions(house: House) -> None:
    token = await house.registered()
    other = await house.deployment.sign_in("new@example.org", NEW_PASSWORD)
    changed = "nine wooden spoons in a drawer"
    assert await house.code(CHANGE, token, c="wrong", n=changed) == "INVALID_INPUT"
    assert await house.data(CHANGE, token, c=NEW_PASSWORD, n=changed) == {"changePassword": True}
    assert await house.code("{ viewer { role } }", other) == "UNAUTHENTICATED"
    assert (await house.data("{ viewer { role } }", token))["viewer"] == {"role": "STAFF"}
    assert await sign_in(house, "new@example.org", changed) == "in"


@pytest.mark.rule("A3")
@pytest.mark.rule("A4")
async def test_who_has_an_account_without_answers_gives_them_later(house: House) -> None:
    ada = await house.deployment.person(house.practice)
    assert (await house.data(ANSWERED, ada.token))["answeredQuestions"] == []
    assert await house.code(ANSWER, ada.token, p="wrong", a=ANSWERS) == "INVALID_INPUT"
    assert await house.code(ANSWER, ada.token, p=PASSWORD, a=ANSWERS[:2]) == "INVALID_INPUT"
    assert (await house.data(ANSWERED, ada.token))["answeredQuestions"] == []
    assert await house.data(ANSWER, ada.token, p=PASSWORD, a=ANSWERS) == {"answerQuestions": True}
    found = (await house.data(ANSWERED, ada.token))["answeredQuestions"]
    assert {each["key"] for each in found} == {each["question"] for each in ANSWERS}
    secret = await house.reset_link(ada.email)
    assert (await house.data(RESET_LOOK, s=secret))["passwordReset"]["question"]["key"] in {e["key"] for e in found}
