"""A new password by mail: nobody learns who has an account, a question or a second factor is asked, sessions end."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

import pytest
from accounts_stage import (
    ASK_PASSKEY,
    BEGIN_TOTP,
    CONFIRM_TOTP,
    SIGN_IN,
    WIDE,
    Authenticator,
    add_passkey,
)
from deployment import PASSWORD
from onboarding_stage import (
    ASK,
    NEW_PASSWORD,
    PUBLIC_URL,
    RESET,
    RESET_LOOK,
    SUPPORT,
    House,
    account_of,
    code_of,
    secret_in,
)
from onboarding_stage import house as house_
from pyotp.totp import TOTP

from bedside_core.testing import Database, statements
from rulebook import full_size, size

NEWER = "eleven copper kettles in the rain"


def right(asked: dict[str, Any]) -> str:
    """The answer that registration gave, as somebody types it months later."""
    return f"  the {asked['question']['key'].upper()} of míne "


async def forgetful(house: House) -> str:
    """Somebody who registered; returns their token."""
    return await house.registered("ada@example.org")


async def sign_in(house: House, password: str, email: str = "ada@example.org") -> str:
    """Returns the code, or "in"."""
    body = await house.ask(SIGN_IN, e=email, p=password, d=None)
    return body["errors"][0]["extensions"]["code"] if "errors" in body else "in"


@pytest.mark.rule("A4")
@pytest.mark.rule("A10")
@pytest.mark.rule("A14")
async def test_who_forgot_the_password_answers_a_question_and_chooses_another(house: House) -> None:
    token = await forgetful(house)
    secret = await house.reset_link("ADA@example.org".lower())
    asked = (await house.data(RESET_LOOK, s=secret))["passwordReset"]
    assert (asked["factor"], asked["passkey"]) == (False, False)
    assert asked["question"]["text"].startswith("¿")
    assert asked == (await house.data(RESET_LOOK, s=secret))["passwordReset"]
    async with house.deployment.socket(token) as socket:
        assert await house.data(RESET, s=secret, p=NEWER, a=right(asked)) == {"resetPassword": True}
        assert (await socket.closed())[0] == 4403
    assert await house.code("{ viewer { role } }", token) == "UNAUTHENTICATED"
    assert [await sign_in(house, NEW_PASSWORD), await sign_in(house, NEWER)] == ["UNAUTHENTICATED", "in"]
    assert (await house.mailed("ada@example.org", 3)).subject == "Your password was changed"
    assert await house.code(RESET, s=secret, p=NEW_PASSWORD, a=right(asked)) == "LINK_OVER"
    [mailed], [changed] = await house.trail("account.reset_mail"), await house.trail("account.password")
    account = str(await account_of("ada@example.org"))
    assert (mailed["target"], changed["target"]) == (account, account)
    assert changed["practice_id"] == house.practice.id


@pytest.mark.rule("A4")
async def test_a_wrong_answer_is_counted_and_the_sixth_locks_for_fifteen_minutes(house: House) -> None:
    await forgetful(house)
    secret = await house.reset_link("ada@example.org")
    asked = (await house.data(RESET_LOOK, s=secret))["passwordReset"]
    before = await house.counts()
    codes = [await house.code(RESET, s=secret, p=NEWER, a=f"no {number}") for number in range(6)]
    assert codes == [*["INVALID_INPUT"] * 5, "SIGN_IN_LOCKED"]
    assert await house.code(RESET, s=secret, p=NEWER, a=right(asked)) == "SIGN_IN_LOCKED"
    assert await house.counts() == before
    assert await sign_in(house, NEW_PASSWORD) == "in"  # signing in goes on
    await house.pass_time(minutes=15)
    assert await house.data(RESET, s=secret, p=NEWER, a=right(asked)) == {"resetPassword": True}


@pytest.mark.rule("A4")
@pytest.mark.rule("A9")
async def test_a_code_of_the_second_factor_stands_in_for_the_question_once(house: House) -> None:
    token = await forgetful(house)
    begun = (await house.data(BEGIN_TOTP, token, p=NEW_PASSWORD))["beginTotp"]
    totp = TOTP(begun["secret"])

    def code() -> str:
        return totp.at(house.deployment.platform.clock.now())

    first = code()
    recovery = (await house.data(CONFIRM_TOTP, token, c=first))["confirmTotp"]["recoveryCodes"][0]
    secret = await house.reset_link("ada@example.org")
    assert (await house.data(RESET_LOOK, s=secret))["passwordReset"]["factor"] is True
    assert await house.code(RESET, s=secret, p="short", c=code()) == "PASSWORD_REFUSED"
    assert await house.code(RESET, s=secret, p=NEWER, c="000000") == "INVALID_INPUT"
    assert await house.code(RESET, s=secret, p=NEWER, c=first) == "INVALID_INPUT"  # it has confirmed the factor
    await house.pass_time(seconds=60)
    eight = "ox tulip"  # enough beside a second factor
    assert await house.data(RESET, s=secret, p=eight, c=code()) == {"resetPassword": True}
    await house.pass_time(minutes=3)
    secret = await _link(house, 4)
    assert await house.data(RESET, s=secret, p=NEWER, c=recovery) == {"resetPassword": True}
    await house.pass_time(minutes=3)
    secret = await _link(house, 6)
    assert await house.code(RESET, s=secret, p=NEW_PASSWORD, c=recovery) == "INVALID_INPUT"


async def _link(house: House, number: int) -> str:
    """Ask for a link once the mails before it have come."""
    await house.mailed("ada@example.org", number - 1)
    await house.data(ASK, e="ada@example.org")
    return secret_in(await house.mailed("ada@example.org", number), "reset")


@pytest.mark.rule("A4")
@pytest.mark.rule("A9")
async def test_a_passkey_stands_in_for_the_question_and_nobody_else_s_does(house: House) -> None:
    token = await forgetful(house)
    other = await house.deployment.person(house.practice)
    mine, theirs = Authenticator(PUBLIC_URL), Authenticator(PUBLIC_URL)
    await add_passkey(house.deployment, token, NEW_PASSWORD, mine)
    await add_passkey(house.deployment, other.token, PASSWORD, theirs)
    secret = await house.reset_link("ada@example.org")
    assert (await house.data(RESET_LOOK, s=secret))["passwordReset"]["passkey"] is True
    for key, outcome in ((theirs, "INVALID_INPUT"), (mine, None)):
        challenge = (await house.data(ASK_PASSKEY))["beginPasskeySignIn"]
        given = {"challengeId": challenge["id"], "credential": key.get(challenge["options"])}
        body = await house.ask(RESET, s=secret, p=NEWER, k=given)
        assert (code_of(body) if "errors" in body else None) == outcome
    assert await house.code(RESET, s=secret, p=NEWER, k=given) == "LINK_OVER"


@pytest.mark.rule("A4")
async def test_an_account_without_answers_and_factor_is_not_let_in_by_mail_alone(house: House) -> None:
    ada = await house.deployment.person(house.practice)  # made by the operator's hand, without registration
    secret = await house.reset_link(ada.email)
    asked = (await house.data(RESET_LOOK, s=secret))["passwordReset"]
    assert (asked["question"], asked["factor"], asked["passkey"]) == (None, False, False)
    before = await house.counts()
    for shown in ({}, {"a": ""}, {"a": "anything"}, {"c": "123456"}, {"a": "x", "c": "123456"}):
        assert await house.code(RESET, s=secret, p=NEWER, **shown) == "INVALID_INPUT"
    assert await house.counts() == before


@pytest.mark.rule("A4")
@pytest.mark.rule("A7")
async def test_a_link_works_for_an_hour_once_and_a_newer_one_voids_it(house: House) -> None:
    await forgetful(house)
    first = await house.reset_link("ada@example.org")
    await house.data(ASK, e="ada@example.org")  # so soon nothing more is sent, and the link stays good
    await house.idle()
    assert len(house.mail.to("ada@example.org")) == 2
    await house.pass_time(minutes=3)
    second = await house.reset_link("ada@example.org")
    for secret, state in ((first, "voided"), ("x" * 43, "unknown")):
        body = await house.ask(RESET_LOOK, s=secret)
        facts = body["errors"][0]["extensions"]
        assert (facts["code"], facts["state"], facts["support"]) == ("LINK_OVER", state, SUPPORT)
    asked = (await house.data(RESET_LOOK, s=second))["passwordReset"]
    done = await asyncio.gather(*(house.ask(RESET, s=second, p=NEWER, a=right(asked)) for _ in range(5)))
    assert len([body for body in done if "errors" not in body]) == 1
    await house.pass_time(minutes=3)
    third = await house.reset_link("ada@example.org")
    await house.pass_time(minutes=60)
    body = await house.ask(RESET_LOOK, s=third)
    assert body["errors"][0]["extensions"]["state"] == "expired"


@pytest.mark.rule("A6")
@pytest.mark.promise("A5")
async def test_a_reset_of_an_unknown_address_is_answered_as_that_of_a_known_one_and_writes_to_nobody(
    house: House,
) -> None:
    ada = await house.deployment.person(house.practice)
    told: list[tuple[Any, int]] = []
    for email in ("nobody@example.org", ada.email, "nobody", "", "x" * 4000):
        await house.idle()  # what the one before has led to is enqueued by jobs
        with statements() as ran:
            body = await house.ask(ASK, e=email)
            asked = len([sql for sql in ran if "job_enqueue" in sql])
        told.append(({key: body[key] for key in body if key != "extensions"}, asked))
    assert told == [({"data": {"requestPasswordReset": True}}, 1)] * 5
    await house.mailed(ada.email)
    await house.idle()
    assert [mail.to for mail in house.mail.mails] == [ada.email]


@pytest.mark.rule("A6")
@pytest.mark.promise("A5")
@pytest.mark.timeout(900)
async def test_known_and_unknown_addresses_take_the_same_time_to_ask_for_a_reset(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)
    many = size(12, 500)
    async with house_(fresh_database, worker=False) as house:
        known = [(await house.deployment.person(house.practice)).email for _ in range(many)]
        unknown = [f"nobody{number}@example.org" for number in range(many)]
        spans: dict[str, list[float]] = {"known": [], "unknown": []}
        for pair in zip(known, unknown, strict=True):
            for kind, email in zip(spans, pair, strict=True):
                began = time.perf_counter()
                assert await house.data(ASK, e=email) == {"requestPasswordReset": True}
                spans[kind].append(time.perf_counter() - began)
        apart = abs(statistics.median(spans["known"]) - statistics.median(spans["unknown"]))
        print(f"medians of {many}: {[round(statistics.median(each) * 1000, 2) for each in spans.values()]} ms")
        assert not full_size() or apart < 0.005


@pytest.mark.rule("A4")
@pytest.mark.rule("G4")
async def test_asking_again_and_again_is_limited_for_known_and_unknown_addresses_alike(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEDSIDE_GRAPHQL_SIGN_INS_PER_ACCOUNT", "4")
    monkeypatch.setenv("BEDSIDE_GRAPHQL_SIGN_INS_PER_ADDRESS", "1000")
    monkeypatch.setenv("BEDSIDE_GRAPHQL_ADDRESS_BUDGET", "1000000000")
    async with house_(fresh_database, worker=False) as house:
        for email in (house.owner.email, "nobody@example.org"):
            sent = 0
            while "errors" not in (body := await house.ask(ASK, e=email)):
                sent += 1
                assert sent <= 8
            assert sent >= 4
            assert code_of(body) == "RATE_LIMITED"


@pytest.mark.rule("A5")
async def test_the_owner_of_a_locked_account_gets_one_mail_for_each_lock(house: House) -> None:
    await forgetful(house)
    for number in (2, 3):
        for _ in range(9):
            await sign_in(house, "wrong")
        mail = await house.mailed("ada@example.org", number)
        assert mail.subject == "Your account is locked for 15 minutes"
        await house.idle()
        assert len(house.mail.to("ada@example.org")) == number
        await house.pass_time(minutes=16)
    for _ in range(8):
        await sign_in(house, "wrong", "nobody@example.org")
    await house.idle()
    assert {mail.to for mail in house.mail.mails} == {"ada@example.org"}
