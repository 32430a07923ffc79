"""Owners take second factors from no account others rely on, nor from one whose owner could not get in again (A9)."""

from __future__ import annotations

import pytest
from deployment import PASSWORD, Deployment, Person, served
from plugins.portal.desk import SUSPEND, Desk
from pyotp.totp import TOTP

from bedside_core.auth import Role
from bedside_core.database import DB
from bedside_core.people import Practice
from bedside_core.testing import Database

BEGIN_TOTP = "mutation($p: String!) { beginTotp(password: $p) { secret } }"
CONFIRM_TOTP = "mutation($c: String!) { confirmTotp(code: $c) { recoveryCodes } }"
RECOVER = "mutation($m: ID!, $p: String!) { recoverMember(memberId: $m, password: $p) { id } }"


async def with_totp(deployment: Deployment, practice: Practice) -> Person:
    """A member whose second factor is an authenticator application."""
    person = await deployment.person(practice, name="Nia")
    secret = (await deployment.data(BEGIN_TOTP, person.token, p=PASSWORD))["beginTotp"]["secret"]
    await deployment.data(CONFIRM_TOTP, person.token, c=TOTP(secret).at(deployment.platform.clock.now()))
    return person


@pytest.mark.rule("A9")
@pytest.mark.promise("A1")
async def test_a_portal_account_elsewhere_is_out_of_an_owners_reach_though_suspended_and_never_used(desk: Desk) -> None:
    deployment = desk.deployment
    own = await deployment.practice("Own", tier=None)
    owner, nia = await deployment.person(own, Role.OWNER), await with_totp(deployment, own)
    account = await DB.fetchval("SELECT account_id FROM auth_account($1, NULL)", nia.email)
    await deployment.hold(desk.patient, account, nia.email)
    assert (await desk.data(SUSPEND, p=str(desk.patient.id)))["state"] == "SUSPENDED"
    assert await deployment.code(RECOVER, owner.token, m=nia.id, p=PASSWORD) == "FORBIDDEN"
    assert (await deployment.data("{ secondFactors { totp } }", nia.token))["secondFactors"] == {"totp": True}


@pytest.mark.rule("A9")
async def test_where_no_mail_is_sent_an_owner_leaves_the_way_back_to_the_operator(fresh_database: Database) -> None:
    async with served(fresh_database) as deployment:
        practice = await deployment.practice(tier=None)
        owner, nia = await deployment.person(practice, Role.OWNER), await with_totp(deployment, practice)
        assert await deployment.code(RECOVER, owner.token, m=nia.id, p=PASSWORD) == "CONFLICT"
        assert (await deployment.data("{ secondFactors { totp } }", nia.token))["secondFactors"] == {"totp": True}
