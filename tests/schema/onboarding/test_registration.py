"""Registration asks for a password, answers and the Terms of Use, which anybody can read before; all is recorded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from argon2 import PasswordHasher
from deployment import PASSWORD
from onboarding_stage import (
    ACCEPT,
    ANEW,
    ANSWERS,
    LOOK,
    NEW_PASSWORD,
    PUBLIC_URL,
    RESET_LOOK,
    House,
    account_of,
    code_of,
    secret_in,
)

from bedside_core.accounts import questions
from bedside_core.auth import Role
from bedside_core.notify.kinds import Language

TERMS = "query($v: Int) { terms(version: $v) { version publishedAt text es: text(language: SPANISH) } }"
PUBLISH = """mutation($e: String!, $s: String!, $c: String!) {
    publishTerms(english: $e, spanish: $s, clientId: $c) { version text } }"""
OWED = "{ viewer { termsToAccept { version text } } }"
ACCEPT_TERMS = "mutation($v: Int!) { acceptTerms(version: $v) }"
QUESTIONS = "{ en: securityQuestions { key text } es: securityQuestions(language: SPANISH) { key text } }"


@pytest.mark.rule("A3")
async def test_anybody_reads_the_questions_and_the_terms_before_accepting(house: House) -> None:
    found = await house.data(QUESTIONS)
    for name, language in (("en", Language.ENGLISH), ("es", Language.SPANISH)):
        assert {each["key"]: each["text"] for each in found[name]} == {
            key: texts[language] for key, texts in questions.QUESTIONS.items()
        }
    terms = (await house.data(TERMS))["terms"]
    assert terms["version"] == 1
    assert terms["text"].startswith("Terms of Use")
    assert terms["es"].startswith("Condiciones de uso")
    for missing in (0, -1, 2, 2**31 - 1):
        assert await house.code(TERMS, v=missing) == "NOT_FOUND"


@pytest.mark.rule("A3")
async def test_which_terms_were_accepted_and_when_is_recorded_and_answers_are_stored_as_hashes(house: House) -> None:
    token = await house.registered()
    account = await account_of("new@example.org")
    [accepted] = await house.rows("SELECT * FROM terms_acceptance")
    assert (accepted["account_id"], accepted["version"]) == (account, 1)
    [entry] = await house.trail("terms.accept")
    assert abs((entry["at"] - accepted["accepted_at"]).total_seconds()) < 5
    assert (await house.data(OWED, token))["viewer"]["termsToAccept"] is None
    stored = await house.rows("SELECT * FROM security_answer WHERE account_id = $1", account)
    assert {row["question"] for row in stored} == {each["question"] for each in ANSWERS}
    for row in stored:
        assert row["answer_hash"].startswith("$argon2id$")
        assert PasswordHasher().verify(row["answer_hash"], f"the{row['question'].replace('_', '')}ofmine")
    with pytest.raises(Exception, match="permission denied"):
        from bedside_core.database import DB

        await DB.fetch("SELECT * FROM security_answer")


def answers(*texts: str, keys: tuple[str, ...] = ("first_job", "first_book", "first_teacher")) -> list[dict[str, str]]:
    return [{"question": key, "answer": text} for key, text in zip(keys, texts, strict=False)]


REFUSED: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"p": "fourteen chars"}, "PASSWORD_REFUSED", ["password"]),
    ({"p": "passwordpassword"}, "PASSWORD_REFUSED", ["password"]),
    ({"p": "Nia Vale of Bay View"}, "PASSWORD_REFUSED", ["password"]),
    ({"t": 2}, "INVALID_INPUT", ["termsVersion"]),
    ({"f": " "}, "INVALID_INPUT", ["firstName"]),
    ({"a": answers("Springfield", "The Wind")}, "INVALID_INPUT", ["answers"]),
    ({"a": answers("Springfield", "The Wind", "springfield!")}, "INVALID_INPUT", ["answers"]),
    ({"a": answers("Springfield", "The Wind", "..a")}, "INVALID_INPUT", ["answers", "2", "answer"]),
    ({"a": answers("Springfield", "The Wind", "x" * 201)}, "INVALID_INPUT", ["answers", "2", "answer"]),
    ({"a": answers("One", "Two", "Three", keys=("first_job", "first_job", "first_book"))}, "INVALID_INPUT",
     ["answers"]),
    ({"a": answers("One", "Two", "Three", keys=("first_job", "first_book", "shoe_size"))}, "INVALID_INPUT",
     ["answers", "2", "question"]),
]  # fmt: skip


@pytest.mark.rule("A3")
@pytest.mark.promise("A7")
async def test_what_is_missing_is_named_and_the_link_stays_good(house: House) -> None:
    secret = await house.invited()
    before = await house.counts()
    for given, code, field in REFUSED:
        body = await house.register(secret, **given)
        [error] = body["errors"]
        assert (error["extensions"]["code"], error["extensions"]["field"]) == (code, field), given
    assert await house.counts() == before
    sixty_four = "a long row of words that is sixty four characters and no more ab"
    assert len(sixty_four) == 64
    assert (await house.register(secret, p=sixty_four))["data"]["register"] is not None
    assert await house.deployment.sign_in("new@example.org", sixty_four)


@pytest.mark.rule("A3")
@pytest.mark.rule("G9")
async def test_a_retry_of_a_registration_is_told_the_same_and_another_is_refused(house: House) -> None:
    secret = await house.invited()
    first = await house.register(secret)
    before = await house.counts()
    assert (await house.register(secret))["data"] == first["data"] == {"register": {"email": "new@example.org"}}
    assert code_of(await house.register(secret, "r-2")) == "LINK_OVER"
    assert await house.counts() == before


@pytest.mark.rule("A3")
@pytest.mark.rule("A15")
@pytest.mark.rule("G9")
async def test_retries_at_once_are_told_the_same(house: House) -> None:
    secret = await house.invited("two@example.org")
    bodies = await asyncio.gather(*(house.register(secret, "same") for _ in range(4)))
    assert [body.get("data") for body in bodies] == [{"register": {"email": "two@example.org"}}] * 4
    assert len(await house.trail("invitations.accept")) == 1
    ben = await house.deployment.person(await house.deployment.practice("Abbey", tier=None))
    secret = await house.invited(ben.email, client_id="c-2")
    bodies = await asyncio.gather(*(house.ask(ACCEPT, ben.token, s=secret, c="same") for _ in range(4)))
    mine = "SELECT id FROM member WHERE practice_id = $1 AND account_id = $2"
    [member] = await house.rows(mine, house.practice.id, await account_of(ben.email))
    assert [body["data"] for body in bodies] == [{"acceptInvitation": {"persona": str(member["id"])}}] * 4


@pytest.mark.rule("A3")
async def test_a_new_version_is_asked_for_at_the_next_sign_in_until_it_is_accepted(house: House) -> None:
    token, operator = await house.registered(), await house.deployment.operator()
    published = [await house.data(PUBLISH, operator, e="Be kind.", s="Sea amable.", c="t-1") for _ in range(2)]
    assert published[0] == published[1] == {"publishTerms": {"version": 2, "text": "Be kind."}}
    assert await house.code(PUBLISH, operator, e="Be quick.", s="Sea amable.", c="t-1") == "CONFLICT"
    assert await house.code(PUBLISH, operator, e=" ", s="Sea amable.", c="t-2") == "INVALID_INPUT"
    assert await house.code(PUBLISH, house.owner.token, e="Mine.", s="Mías.", c="t-3") == "FORBIDDEN"
    assert (await house.data(TERMS))["terms"]["es"] == "Sea amable."
    assert (await house.data(TERMS, v=1))["terms"]["text"].startswith("Terms of Use")
    again = await house.deployment.sign_in("new@example.org", NEW_PASSWORD)
    assert (await house.data(OWED, again))["viewer"]["termsToAccept"] == {"version": 2, "text": "Be kind."}
    assert await house.code(ACCEPT_TERMS, again, v=1) == "INVALID_INPUT"
    for _ in range(2):
        assert await house.data(ACCEPT_TERMS, again, v=2) == {"acceptTerms": True}
    assert (await house.data(OWED, token))["viewer"]["termsToAccept"] is None
    found = await house.rows("SELECT version FROM terms_acceptance ORDER BY version")
    assert [row["version"] for row in found] == [1, 2]
    # Who is invited while it counts accepts the newest.
    secret = await house.invited("later@example.org", client_id="c-2")
    assert code_of(await house.register(secret, "r-2")) == "INVALID_INPUT"
    assert (await house.register(secret, "r-2", t=2))["data"]["register"] is not None


@pytest.mark.rule("A4")
@pytest.mark.rule("A10")
async def test_a_member_who_can_not_get_in_is_invited_anew_and_chooses_a_new_password(house: House) -> None:
    manager = await house.deployment.person(house.practice, Role.MANAGER)
    ada = await house.deployment.person(house.practice, Role.PRACTITIONER)
    made = (await house.data(ANEW, manager.token, m=ada.id, c="n-1"))["inviteAnew"]
    # Her address is hers to show, also to those who invite.
    assert (made["anew"], made["email"], made["member"], made["role"]) == (True, None, {"id": ada.id}, "PRACTITIONER")
    mail = await house.mailed(ada.email)
    assert mail.subject == "A new way into Bay View"
    first = secret_in(mail)
    assert (await house.data(LOOK, s=first))["invitation"]["anew"] is True
    again = (await house.data(ANEW, manager.token, m=ada.id, c="n-2"))["inviteAnew"]
    assert again["id"] == made["id"]
    second = secret_in(await house.mailed(ada.email, 2))
    assert code_of(await house.register(first)) == "LINK_OVER"
    # Until she uses it nothing changes.
    assert (await house.data("{ viewer { role } }", ada.token))["viewer"] == {"role": "PRACTITIONER"}
    assert await house.deployment.sign_in(ada.email, PASSWORD)
    assert (await house.register(second))["data"]["register"] == {"email": ada.email}
    assert await house.code("{ viewer { role } }", ada.token) == "UNAUTHENTICATED"
    sign_in = "mutation($e: String!, $p: String!) { signIn(email: $e, password: $p) { token } }"
    assert await house.code(sign_in, e=ada.email, p=PASSWORD) == "UNAUTHENTICATED"
    token = await house.deployment.sign_in(ada.email, NEW_PASSWORD)
    assert (await house.data("{ viewer { member { id } } }", token))["viewer"]["member"]["id"] == ada.id
    assert (await house.mailed(ada.email, 3)).subject == "Your password was changed"
    # From now on she can reset it herself.
    link = await house.reset_link(ada.email)
    assert (await house.data(RESET_LOOK, s=link))["passwordReset"]["question"] is not None


@pytest.mark.rule("A4")
async def test_who_was_deactivated_is_not_let_in_anew(house: House) -> None:
    ada = await house.deployment.person(house.practice)
    await house.data(ANEW, house.owner.token, m=ada.id, c="n-1")
    secret = secret_in(await house.mailed(ada.email))
    await house.data("mutation($m: ID!) { deactivateMember(memberId: $m) { active } }", house.owner.token, m=ada.id)
    before = await house.counts()
    assert code_of(await house.register(secret)) == "CONFLICT"
    assert await house.code(ANEW, house.owner.token, m=ada.id, c="n-2") == "NOT_FOUND"
    assert await house.counts() == before


@pytest.mark.rule("A2")
async def test_the_operator_s_support_contact_is_told_to_whoever_can_not_sign_in(house: House) -> None:
    assert await house.data("{ supportContact }") == {"supportContact": "help@clinic.example"}
    assert PUBLIC_URL == "https://clinic.example"
