"""Inviting patients to the portal: sent by mail or SMS, the date of birth asked, followed once (S9)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from accounts_stage import rows
from audit_stage import trail
from notify_stage import PUBLIC_URL
from plugins.portal.desk import (
    BORN,
    CHOOSE,
    CONFIRM,
    GUARDIAN,
    INVITE,
    LOOK,
    MISSING,
    OWN,
    PASSWORD,
    REGISTER,
    RESEND,
    REVOKE,
    SECRET,
    Desk,
)

from bedside_core.testing import statements

WRONG = "1980-02-04"


@pytest.mark.rule("S9")
@pytest.mark.rule("A7")
async def test_a_patient_invited_by_mail_registers_and_signs_in(desk: Desk) -> None:
    assert await desk.account() == {"state": "NONE", "suspendedAt": None, "holders": []}
    holder, secret = await desk.invited()
    assert (holder["state"], holder["relationship"], holder["name"]) == ("INVITED", None, desk.patient.name)
    invitation = holder["invitation"]
    assert (invitation["channel"], invitation["address"], invitation["state"]) == ("EMAIL", desk.patient.email, "OPEN")
    assert invitation["attemptsLeft"] == 5
    told = await desk.account()
    assert (told["state"], told["holders"]) == ("INVITED", [holder])
    [letter] = desk.letters(str(desk.patient.email))
    assert desk.practice.name in letter and f"{PUBLIC_URL}/portal/register#{secret}" in letter
    assert desk.patient.first_name not in letter and desk.patient.mrn not in letter and "1980" not in letter

    looked = {"practice": desk.practice.name, "guardian": False, "email": None, "known": False}
    for _ in range(3):
        assert (await desk.deployment.data(LOOK, s=secret))["portalInvitation"] == looked
    confirmed = (await desk.deployment.data(CONFIRM, s=secret, b=BORN))["confirmPortalInvitation"]
    assert confirmed == {**looked, "email": desk.patient.email}
    registered = await desk.deployment.data(REGISTER, s=secret, b=BORN, p=PASSWORD)
    assert registered == {"registerForPortal": desk.patient.email}
    told = await desk.account()
    assert (told["state"], told["holders"][0]["state"], told["holders"][0]["invitation"]) == ("ACTIVE", "ACTIVE", None)

    token = await desk.deployment.sign_in(str(desk.patient.email), PASSWORD)
    own = await desk.deployment.data(OWN, token)
    assert own["ownRecord"] == {"id": str(desk.patient.id), "firstName": "Pat", "mrn": desk.patient.mrn}
    assert (own["viewer"]["role"], own["viewer"]["member"]) == ("PATIENT", None)
    [persona] = own["viewer"]["personas"]
    assert persona == {
        "id": str(desk.patient.id), "role": "PATIENT", "practice": desk.practice.name, "name": desk.patient.name,
        "current": True,
    }  # fmt: skip
    assert await desk.deployment.data(REGISTER, s=secret, b=BORN, p=PASSWORD) == registered  # a retry (G9)
    assert await desk.deployment.code(REGISTER, s=secret, b=BORN, p=PASSWORD, c="r-2") == "LINK_OVER"
    acts = [entry for entry in await trail(desk.practice.id) if desk.patient.id in entry.patients]
    by_staff = [entry.action for entry in acts if str(entry.person_id) == desk.staff.id]
    assert by_staff[:2] == ["patients.read", "portal.invite"]
    [registration] = [entry for entry in acts if entry.action == "portal.register"]
    assert (registration.account_id, registration.kind, registration.target) == (None, "portal_holder", holder["id"])


@pytest.mark.rule("S9")
async def test_a_patient_invited_by_sms_chooses_the_user_name(desk: Desk) -> None:
    holder, secret = await desk.invited(channel="SMS")
    assert holder["invitation"]["address"] == desk.patient.phone
    confirmed = (await desk.deployment.data(CONFIRM, s=secret, b=BORN))["confirmPortalInvitation"]
    assert (confirmed["email"], confirmed["known"]) == (None, False)
    for email in (None, "pat@home.example"):  # it has to be shown to be theirs
        assert await desk.deployment.code(REGISTER, s=secret, b=BORN, p=PASSWORD, e=email) == "INVALID_INPUT"
    assert await desk.deployment.code(CHOOSE, s=secret, b=WRONG, e="pat@home.example") == "DATE_OF_BIRTH_WRONG"
    assert await desk.deployment.code(CHOOSE, s=secret, b=BORN, e="no address") == "INVALID_INPUT"
    mistyped = await desk.chosen(secret, "pta@home.example")
    mailed = await desk.chosen(secret, "pat@home.example")
    assert await desk.deployment.code(CONFIRM, s=mistyped, b=BORN) == "LINK_OVER"
    confirmed = (await desk.deployment.data(CONFIRM, s=mailed, b=BORN))["confirmPortalInvitation"]
    assert (confirmed["email"], confirmed["known"]) == ("pat@home.example", False)
    assert await desk.deployment.code(CHOOSE, s=mailed, b=BORN, e="other@home.example") == "INVALID_INPUT"
    registered = await desk.deployment.data(REGISTER, s=mailed, b=BORN, p=PASSWORD)
    assert registered == {"registerForPortal": "pat@home.example"}
    assert await desk.deployment.data(REGISTER, s=mailed, b=BORN, p=PASSWORD) == registered  # a retry (G9)
    assert await desk.deployment.code(CHOOSE, s=secret, b=BORN, e="pat@home.example") == "LINK_OVER"
    token = await desk.deployment.sign_in("pat@home.example", PASSWORD)
    assert (await desk.deployment.data(OWN, token))["ownRecord"]["id"] == str(desk.patient.id)


@pytest.mark.rule("A6")
@pytest.mark.rule("S9")
async def test_who_was_invited_by_sms_learns_of_no_account_and_takes_nobody_s_address(desk: Desk) -> None:
    door = desk.deployment
    other = await door.patient(desk.practice, "Vic")
    _, secret = await desk.invited(channel="SMS")
    answers: list[object] = []
    with statements() as ran:
        for email in (desk.owner.email, str(other.email), "nobody@nowhere.example"):
            answer = await door.ask(CHOOSE, s=secret, b=BORN, e=email)
            answer.pop("extensions", None)
            answers.append(answer)
    assert answers == [{"data": {"choosePortalAddress": True}}] * 3
    assert [sql for sql in ran if "auth_account(" in sql or "FROM account" in sql] == []
    for email in (desk.owner.email, str(other.email), "nobody@nowhere.example"):
        tried = await door.ask(REGISTER, s=secret, b=BORN, p="short", e=email)
        told = tried["errors"][0]
        answers.append((told["message"], told["extensions"]["code"]))
    assert len(set(answers[3:])) == 1
    assert (await desk.account())["state"] == "INVITED"
    # the other patient's address is theirs still
    _, theirs = await desk.invited(other)
    assert await door.data(REGISTER, s=theirs, b=BORN, p=PASSWORD) == {"registerForPortal": other.email}

    # five letters and no more, until the practice sends the invitation again; then the links before lead nowhere
    mailed = await desk.chosen(secret, "one@nowhere.example")
    await desk.chosen(secret, "two@nowhere.example")
    assert await door.code(CHOOSE, s=secret, b=BORN, e="three@nowhere.example") == "RATE_LIMITED"
    assert desk.letters("three@nowhere.example") == []
    assert await door.code(CONFIRM, s=mailed, b=BORN) == "LINK_OVER"
    mailed = SECRET.search(desk.letters("two@nowhere.example")[0])
    holder = (await desk.account())["holders"][0]["id"]
    assert mailed is not None and await door.data(CONFIRM, s=mailed.group(1), b=BORN)
    await desk.data(RESEND, h=holder)
    for old in (secret, mailed.group(1)):
        assert await door.code(CONFIRM, s=old, b=BORN) == "LINK_OVER"
    fresh = await desk.secret(str(desk.patient.phone), 2)
    mailed = await desk.chosen(fresh, "two@nowhere.example")
    await desk.data(REVOKE, h=holder)
    assert await door.code(CONFIRM, s=mailed, b=BORN) == "LINK_OVER"


@pytest.mark.rule("S9")
@pytest.mark.promise("A6")
async def test_five_wrong_dates_of_birth_make_an_invitation_void_and_the_front_desk_can_send_another(
    desk: Desk,
) -> None:
    holder, secret = await desk.invited()
    for left in (4, 3, 2, 1):
        body = await desk.deployment.ask(REGISTER, s=secret, b=WRONG, p=PASSWORD)
        told = body["errors"][0]["extensions"]
        assert (told["code"], told["attemptsLeft"]) == ("DATE_OF_BIRTH_WRONG", left)
    assert (await desk.account())["holders"][0]["invitation"]["attemptsLeft"] == 1
    body = await desk.deployment.ask(CONFIRM, s=secret, b=WRONG)
    assert body["errors"][0]["extensions"]["attemptsLeft"] == 0
    assert await desk.deployment.code(CONFIRM, s=secret, b=BORN) == "LINK_OVER"
    assert await desk.deployment.code(LOOK, s=secret) == "LINK_OVER"
    told = await desk.account()
    assert (told["state"], told["holders"][0]["invitation"]["state"]) == ("INVITED", "VOID")
    refusals = [entry for entry in await trail(desk.practice.id) if entry.action == "portal.refuse"]
    assert [(entry.account_id, entry.patients) for entry in refusals] == [(None, [desk.patient.id])] * 5

    again = await desk.data(RESEND, h=holder["id"])
    assert (again["invitation"]["state"], again["invitation"]["attemptsLeft"]) == ("OPEN", 5)
    fresh = await desk.secret(str(desk.patient.email), 2)
    assert fresh != secret
    assert await desk.deployment.code(LOOK, s=secret) == "LINK_OVER"
    assert await desk.deployment.data(REGISTER, s=fresh, b=BORN, p=PASSWORD)


@pytest.mark.rule("S9")
async def test_of_many_dates_of_birth_at_once_five_are_heard(desk: Desk) -> None:
    _, secret = await desk.invited()
    days = [f"1980-03-{day:02}" for day in range(1, 13)]
    codes = await asyncio.gather(*(desk.deployment.code(CONFIRM, s=secret, b=day) for day in days))
    assert sorted(codes) == ["DATE_OF_BIRTH_WRONG"] * 5 + ["LINK_OVER"] * 7
    assert (await desk.account())["holders"][0]["invitation"]["attemptsLeft"] == 0


@pytest.mark.rule("A2")
async def test_an_invitation_expires_after_21_days_and_is_sent_again(desk: Desk) -> None:
    holder, secret = await desk.invited()
    await desk.deployment.platform.clock.move(timedelta(days=20, hours=23))
    assert await desk.deployment.data(LOOK, s=secret)
    await desk.deployment.platform.clock.move(timedelta(hours=2))
    assert await desk.deployment.code(LOOK, s=secret) == "LINK_OVER"
    assert (await desk.account())["holders"][0]["invitation"]["state"] == "EXPIRED"
    await desk.data(RESEND, h=holder["id"])
    assert await desk.deployment.data(LOOK, s=await desk.secret(str(desk.patient.email), 2))


@pytest.mark.rule("S9")
async def test_an_invitation_taken_back_leads_nowhere_and_the_patient_has_no_account(desk: Desk) -> None:
    holder, secret = await desk.invited()
    revoked = await desk.data(REVOKE, h=holder["id"])
    assert (revoked["state"], revoked["invitation"]) == ("REMOVED", None)
    assert await desk.deployment.code(REGISTER, s=secret, b=BORN, p=PASSWORD) == "LINK_OVER"
    assert (await desk.account())["state"] == "NONE"
    assert await desk.code(REVOKE, h=holder["id"]) == "CONFLICT"
    assert await desk.code(RESEND, h=holder["id"]) == "CONFLICT"
    other, _ = await desk.invited()
    assert other["id"] != holder["id"]


@pytest.mark.rule("G9")
async def test_a_retry_with_the_same_client_id_invites_once(desk: Desk) -> None:
    asked = {"p": str(desk.patient.id), "h": "EMAIL", "c": "once"}
    first, second = [await desk.data(INVITE, **asked) for _ in range(2)]
    assert first == second
    await desk.secret(str(desk.patient.email))
    assert await desk.code(INVITE, **{**asked, "h": "SMS"}) == "CONFLICT"
    assert await desk.code(INVITE, **{**asked, "c": "twice"}) == "CONFLICT"
    given = {"firstName": "Gil", "lastName": "Ward", "relationship": "mother", "email": "gil@home.example"}
    one, two = [await desk.data(GUARDIAN, p=str(desk.patient.id), g=given, c="gil") for _ in range(2)]
    assert one == two
    await desk.secret("gil@home.example")
    assert len(desk.letters("gil@home.example")) == len(desk.letters(str(desk.patient.email))) == 1
    assert len((await desk.account())["holders"]) == 2


@pytest.mark.promise("A7")
@pytest.mark.parametrize("password", ["too short", "passwordpassword", "Pat Reed Pat Reed"])
async def test_a_patient_s_password_keeps_the_rules_and_a_refused_one_uses_nothing_up(
    desk: Desk, password: str
) -> None:
    _, secret = await desk.invited()
    assert await desk.deployment.code(REGISTER, s=secret, b=BORN, p=password) == "PASSWORD_REFUSED"
    assert (await desk.account())["state"] == "INVITED"
    assert await desk.deployment.data(REGISTER, s=secret, b=BORN, p=PASSWORD)


@pytest.mark.rule("A3")
async def test_a_new_account_answers_questions_and_accepts_the_terms(desk: Desk) -> None:
    _, secret = await desk.invited()
    asked = {"s": secret, "b": BORN, "p": PASSWORD}
    one = [{"question": "first_job", "answer": "Ashford"}]
    for given, field in (({"a": None}, ["answers"]), ({"a": one}, ["answers"]), ({"t": None}, ["termsVersion"]),
                         ({"t": 7}, ["termsVersion"])):  # fmt: skip
        body = await desk.deployment.ask(REGISTER, **asked, **given)
        told = body["errors"][0]["extensions"]
        assert (told["code"], told["field"]) == ("INVALID_INPUT", field)
    assert (await desk.account())["state"] == "INVITED"
    await desk.deployment.data(REGISTER, **asked)
    [accepted] = await rows(desk.database, "SELECT version, accepted_at FROM terms_acceptance")
    assert accepted["version"] == 1
    token = await desk.deployment.sign_in(str(desk.patient.email), PASSWORD)
    assert (await desk.deployment.data("{ viewer { termsToAccept { version } } }", token))["viewer"] == {
        "termsToAccept": None
    }


@pytest.mark.rule("S9")
async def test_of_two_who_follow_a_link_at_once_one_registers(desk: Desk) -> None:
    _, secret = await desk.invited()
    tried = await asyncio.gather(
        *(desk.deployment.ask(REGISTER, s=secret, b=BORN, p=f"{PASSWORD} {n}", c=f"r-{n}") for n in range(4))
    )
    done = [body["data"]["registerForPortal"] for body in tried if "errors" not in body]
    failed = [body["errors"][0]["extensions"]["code"] for body in tried if "errors" in body]
    assert (len(done), failed) == (1, ["LINK_OVER"] * 3)
    [count] = await rows(desk.database, "SELECT count(*) AS n FROM account WHERE email = $1", desk.patient.email)
    assert (done, count["n"]) == ([desk.patient.email], 1)


@pytest.mark.rule("P1")
async def test_what_is_another_practice_s_is_told_as_missing(desk: Desk) -> None:
    other = await desk.deployment.practice("Away")
    stranger = await desk.deployment.person(other)
    holder, _ = await desk.invited()
    for query, variables in (
        (INVITE, {"p": str(desk.patient.id), "h": "EMAIL", "c": "x"}),
        (RESEND, {"h": holder["id"]}),
        (REVOKE, {"h": holder["id"]}),
    ):
        missing = {key: MISSING if key in "ph" and value != "EMAIL" else value for key, value in variables.items()}
        told = [await desk.deployment.ask(query, stranger.token, **given) for given in (variables, missing)]
        for body in told:
            body.pop("extensions", None)
            body["errors"][0]["extensions"].pop("requestId")
        assert told[0] == told[1]
        assert told[0]["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    assert (await desk.account())["holders"] == [holder]
